"""The helper for templates: URLs, srcset, `<img>` and `<picture>`. Needs the standard library alone."""

from imgcdn.markup.cdn import ImageCDN

__all__ = ["ImageCDN"]
