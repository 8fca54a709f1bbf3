"""
Compare our pictures with those of libvips, which shares none of our code and few of our decoders.

The measure is the mean difference of a band on a scale of 255, with transparent pixels composited on grey.
"""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
import pyvips
from PIL import Image, ImageChops, ImageStat

from imgcdn.core.request.params import Params
from imgcdn.engine.probe import probe
from tests.engine.test_corpus import expected_outcomes
from tests.support import pictures, profiles
from tests.support.paths import CORPUS, PACKAGE
from tests.support.variants import MAX_PIXELS, render_image

WIDTH = 160
PRESS = PACKAGE / "engine" / "profiles" / "CGATS001Compat-v2-micro.icc"

# Two Lanczos filters on fine texture, one of them after a JPEG decoder that already reduced the picture: up to 2.6.
RESAMPLED = 3.0
# Without resampling, only rounding differs.
AS_LARGE = 1.0

#: libvips ignores the gamma and primaries of a PNG, and code points of an AVIF other than those of sRGB. test_colour.py
#: compares such files with a browser.
GAMMA_OR_PRIMARIES = (
    "basi0g04.png",
    "basi2c16.png",
    "basi3p01.png",
    "basi3p02.png",
    "basi3p08.png",
    "basi4a16.png",
    "basn6a16.png",
    "bgai4a16.png",
    "bgan6a16.png",
    "bggn4a16.png",
    "tbbn3p08.png",
    "tbgn3p08.png",
    "cHRM-red-green-swap.png",
)
HIGH_DYNAMIC_RANGE = (
    "color_grid_alpha_grid_gainmap_nogrid.avif",
    "colors_hdr_p3.avif",
    "colors_text_hdr_p3.avif",
    "colors_text_hdr_rec2020.avif",
    "colors_text_hdr_srgb.avif",
    "colors_text_wcg_hdr_rec2020.avif",
    "colors_wcg_hdr_rec2020.avif",
    "seine_hdr_gainmap_wrongaltr.avif",
)

#: The AVIF loader of libvips does not read sequences.
SEQUENCE = ("Chimera-AV1-10bit-480x270.avif", "alpha_video.avif", "colors-animated-8bpc-alpha-exif-xmp.avif")


def _render_with_vips(original: bytes, size: tuple[int, int]) -> Image.Image:
    """Decode the first frame, turn it upright, convert it to sRGB and resize it."""
    image = pyvips.Image.new_from_buffer(original, "", access="sequential").copy_memory().autorot()
    if image.interpretation == "cmyk" or image.get_typeof("icc-profile-data"):
        profile = {"input_profile": str(PRESS)} if image.interpretation == "cmyk" else {}
        embedded = image.get_typeof("icc-profile-data") != 0
        image = image.icc_transform(
            "srgb", intent="relative", black_point_compensation=True, embedded=embedded, **profile
        )
    if image.format == "ushort":
        image = (image / 257).rint().cast("uchar")
    image = image.thumbnail_image(size[0], height=size[1], size="force")
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[image.bands]
    return Image.frombytes(mode, (image.width, image.height), image.cast("uchar").write_to_memory())


def _composite_on_grey(image: Image.Image) -> Image.Image:
    canvas = Image.new("RGBA", image.size, (128, 128, 128, 255))
    return Image.alpha_composite(canvas, image.convert("RGBA")).convert("RGB")


def _difference(original: bytes) -> tuple[float, bool]:
    """Return the mean difference, and whether the picture was resampled."""
    ours = render_image(original, Params(width=WIDTH, format="png", still=True))
    resampled = probe(io.BytesIO(original), max_pixels=MAX_PIXELS).size != ours.size
    theirs = _render_with_vips(original, ours.size)
    mean = ImageStat.Stat(ImageChops.difference(_composite_on_grey(ours), _composite_on_grey(theirs))).mean
    return sum(mean) / 3, resampled


def _photograph(mode: str) -> Image.Image:
    return pictures.photograph((320, 200)).convert(mode)


DRAWN = {
    "jpeg": pictures.jpeg(_photograph("RGB")),
    "jpeg display p3": pictures.jpeg(_photograph("RGB"), icc=profiles.display_p3()),
    "grey jpeg": pictures.jpeg(_photograph("L")),
    "jpeg cmyk": pictures.jpeg(_photograph("CMYK")),
    "jpeg cmyk with a profile": pictures.jpeg(_photograph("CMYK"), icc=profiles.strange_press()),
    "png": pictures.png(_photograph("RGB")),
    "png display p3": pictures.png(_photograph("RGB"), icc=profiles.display_p3()),
    "png with alpha": pictures.png(pictures.with_hole(_photograph("RGB"))),
    "png with alpha, display p3": pictures.png(pictures.with_hole(_photograph("RGB")), icc=profiles.display_p3()),
    "png palette": pictures.palette_png(),
    "png palette with alphas": pictures.palette_png_with_transparency(),
    "png grey": pictures.grey_png(),
    "png grey with a profile": pictures.grey_png(profiles.linear_grey()),
    "png grey with alpha": pictures.grey_alpha_png(),
    "png 16-bit grey": pictures.wide_grey_png(),
    "png 1 bit": pictures.bilevel_png(),
    "webp": pictures.webp(),
    "webp with alpha": pictures.webp_with_hole(),
    "avif": pictures.avif(),
    "avif display p3": pictures.avif(profiles.display_p3()),
    "avif with alpha": pictures.avif_with_hole(),
    "gif": pictures.gif(),
    "gif with a hole": pictures.gif_with_hole(),
    "two jpegs in one": pictures.mpo(),
} | {f"orientation {way}": pictures.oriented_photograph(way, (320, 200)) for way in range(1, 9)}


@pytest.mark.parametrize("name", DRAWN)
def test_a_drawn_picture_matches_libvips(name: str) -> None:
    difference, resampled = _difference(DRAWN[name])
    assert difference < (RESAMPLED if resampled else AS_LARGE)


def _both_read() -> Iterator[Path]:
    outcomes = expected_outcomes()
    for folder in ("photos", "exif", "icc", "formats", "animated"):
        for path in sorted((CORPUS / folder).glob("*")):
            if outcomes[f"{folder}/{path.name}"][0].isdigit() and not path.name.endswith(_NOT_THEIRS):
                yield path


_NOT_THEIRS = GAMMA_OR_PRIMARIES + HIGH_DYNAMIC_RANGE + SEQUENCE

if CORPUS.is_dir():

    @pytest.mark.parametrize(
        "path",
        [pytest.param(path, id=f"{path.parent.name}/{path.name}") for path in _both_read()],
    )
    def test_a_file_of_the_corpus_matches_libvips(path: Path) -> None:
        difference, resampled = _difference(path.read_bytes())
        assert difference < (RESAMPLED if resampled else AS_LARGE)
