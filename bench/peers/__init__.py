"""This service's encoders beside those of other image services."""
