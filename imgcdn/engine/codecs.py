"""
The codecs, registered once: five to read, five to write, and none of Pillow's other plugins.

`Image.open` and `save` run `Image.init()`, which imports every plugin, for a format that is not registered yet.
The plugins are therefore imported here, and every call that opens or saves names one of these formats.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pillow_avif  # noqa: F401  # registers itself as the AVIF encoder
from PIL import (
    AvifImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    WebPImagePlugin,
)

#: Pillow's name of each format that is read -> its name in `core.output.formats.FORMATS`. MPO, two JPEGs in one file
#: (phones keep a gain map or a preview in the second), is opened by the JPEG plugin and is a still JPEG here.
NAMES: dict[str | None, str] = {
    GifImagePlugin.GifImageFile.format: "gif",
    JpegImagePlugin.JpegImageFile.format: "jpeg",
    MpoImagePlugin.MpoImageFile.format: "jpeg",
    PngImagePlugin.PngImageFile.format: "png",
    WebPImagePlugin.WebPImageFile.format: "webp",
    AvifImagePlugin.AvifImageFile.format: "avif",
}

#: The explicit list for `Image.open`. The JPEG plugin opens MPO too.
READABLE = tuple(name for name in NAMES if name and name != "MPO")

# pillow_avif brings SVT-AV1 and takes over reading and writing of AVIF when imported. Reading goes back to Pillow's
# own plugin, which holds the GIL for 5 % of a decode instead of 82 %.
Image.register_open("AVIF", AvifImagePlugin.AvifImageFile, AvifImagePlugin._accept)

# By default every decode starts a thread for each CPU; renders already run side by side.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1


@contextmanager
def cut_data_allowed() -> Iterator[None]:
    """Have Pillow keep the pixels that it decoded before an error. Renders run one at a time in their process."""
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before
