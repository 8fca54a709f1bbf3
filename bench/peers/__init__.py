"""This service beside the libraries that other image services are built on."""
