"""
Pixels -> fewer or more pixels, by Lanczos filtering: the one function that resizes pictures.

cykooz-resizer does it with SIMD instructions in about a tenth of Pillow's time. It reads Pillow's images
through their private memory layout, because its own buffers cost two copies, which take longer than the filter. So it
is used only where it is installed and has given the same pixels as Pillow in a process that may crash.
"""

import math
import subprocess
import sys
from functools import cache

from PIL import Image, ImageChops
from PIL.Image import Resampling

from imgcdn.core.output.geometry import Box, Size

try:
    import cykooz_resizer as simd
except ImportError:  # there are no wheels for this platform
    simd = None

# Pillow alone: from this factor on, pixels are first averaged in whole blocks, then resampled. At 3 the result looks
# the same as with Lanczos alone (Pillow's documentation of `reducing_gap`), in a third of the time.
_REDUCING_GAP = 3.0

# Most bytes that the SIMD filter may hold beside the two pictures. Pillow does larger jobs, because it needs less
# memory for RGBA.
_MOST_EXTRA_BYTES = 128 * 2**20

# The comparison takes 0.1 s.
_CHECK_TIMEOUT_S = 10

# The two libraries round differently: by at most 3 steps on smooth pictures such as those that are compared.
_MOST_DIFFERENCE = 4


def resize(image: Image.Image, size: Size, box: Box) -> Image.Image:
    """
    Resample a part of a picture.

    Colour is multiplied by alpha before and divided afterwards, so the colour of transparent pixels does not show as a
    halo.

    Args:
        image: Mode L, LA, RGB, RGBA or CMYK.
        size: Of the result, in pixels.
        box: The part; its edges may lie between pixels.

    Raises:
        MemoryError: There is too little memory.
        ValueError: The part has no area, or reaches beyond the picture.
    """
    extra = _extra_bytes(image, size, box)
    if not _suits_simd(image, size, box) or extra > _MOST_EXTRA_BYTES or not simd_works():
        return image.resize(size, Resampling.LANCZOS, box=box, reducing_gap=_REDUCING_GAP)
    bytearray(extra)  # raises MemoryError; where the filter's own allocation fails, it ends the process
    if image.mode != "LA":
        return _filter(image, size, box)
    both = _filter(image.convert("RGBA"), size, box)
    return Image.merge("LA", (both.getchannel("R"), both.getchannel("A")))


@cache
def simd_works() -> bool:
    """
    Tell whether the SIMD filter is installed, does not crash, and gives the same pixels as Pillow.

    The first call tries it in a process of its own, for a memory layout that it does not know would crash it. Call this
    before forking, so that the processes of a pool share the result.
    """
    if simd is None:
        return False
    try:
        tried = subprocess.run([sys.executable, "-m", __name__], timeout=_CHECK_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return tried.returncode == 0


def main() -> int:
    """Compare both filters: `python -m imgcdn.engine.resample`. Return 1 if they differ, as the exit status."""
    gradient = Image.linear_gradient("L").resize((97, 61))
    bands = (gradient, gradient.transpose(Image.Transpose.ROTATE_180), Image.radial_gradient("L").resize((97, 61)))
    for mode in ("L", "RGB", "RGBA", "CMYK"):
        picture = Image.merge("RGB", bands).convert(mode)
        if mode == "RGBA":
            picture.putalpha(bands[2])
        for size, box in (((31, 20), (0.0, 0.0, 97.0, 61.0)), ((40, 90), (3.5, 2.25, 90.5, 60.75))):
            expected = picture.resize(size, Resampling.LANCZOS, box=box)
            if difference(_filter(picture, size, box), expected) > _MOST_DIFFERENCE:
                return 1
    return 0


def difference(one: Image.Image, other: Image.Image) -> int:
    """Return the largest difference of a band of two pictures. With alpha, it is that of the premultiplied colours."""
    if one.mode == "RGBA":
        one, other = one.convert("RGBa"), other.convert("RGBa")
    bands = zip(one.split(), other.split(), strict=True)
    counts = [ImageChops.difference(*pair).histogram() for pair in bands]
    return max(step for steps in counts for step, pixels in enumerate(steps) if pixels)


def _suits_simd(image: Image.Image, size: Size, box: Box) -> bool:
    """Tell whether the part has an area and lies within the picture also in the filter's terms, a corner and a size."""
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    within = left >= 0 and top >= 0 and left + width <= image.width and top + height <= image.height
    # A part of less than a pixel is filtered by Pillow, which tests its limits.
    return within and min(width, height) >= 1 and (size != image.size or box != (0, 0, *size))


def _extra_bytes(image: Image.Image, size: Size, box: Box) -> int:
    """Return the bytes of what the filter holds: the picture between its two passes, and the premultiplied pixels."""
    between = math.ceil(box[2] - box[0]) * size[1]
    premultiplied = image.width * image.height if image.mode in ("LA", "RGBA") else 0
    return 4 * (between + premultiplied)


def _filter(image: Image.Image, size: Size, box: Box) -> Image.Image:
    left, top, right, bottom = box
    options = simd.ResizeOptions(
        resize_alg=simd.ResizeAlg.convolution(simd.FilterType.lanczos3),
        crop_box=simd.CropBox(left, top, right - left, bottom - top),
    )
    resized = Image.new(image.mode, size)
    simd.Resizer().resize_pil(image, resized, options)
    return resized


if __name__ == "__main__":
    sys.exit(main())
