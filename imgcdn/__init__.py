"""A self-hosted image CDN. Importing this loads neither Pillow nor Flask."""

from imgcdn.markup import ImageCDN

__all__ = ["ImageCDN", "__version__"]

__version__ = "0.1.0"
