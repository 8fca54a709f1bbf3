"""A self-hosted image CDN. Importing this loads neither Pillow nor Flask."""

__all__ = ["__version__"]

__version__ = "0.1.0"
