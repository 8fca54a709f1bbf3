import io
import struct
import subprocess
import sys
from dataclasses import replace

import pytest
from PIL import Image, ImageChops, ImageStat

from imgcdn.core.encoders.effort import speed_within
from imgcdn.core.encoders.encoding import Encoding
from imgcdn.core.request.params import Params
from imgcdn.core.values import Effort
from imgcdn.engine.encode import encode, reduce_to_palette
from tests.support import pictures
from tests.support.paths import ROOT
from tests.support.planning import THOROUGH
from tests.support.variants import decode_variant, variant


def _encoding(
    fmt: str, encoder: str, *, quality: int | None = 60, full_chroma: bool = False, effort: Effort = Effort.FAST
) -> Encoding:
    speed = speed_within(replace(THOROUGH, effort=effort), encoder, 0)
    return Encoding(fmt, encoder, quality, full_chroma, effort=effort, speed=speed)


def _av1_config(body: bytes) -> int:
    """Return the third byte of the av1C box of the colour item: flags for bit depth, monochrome and subsampling."""
    return body[body.index(b"av1C") + 4 + 2]


# AV1-ISOBMFF 2.3.3: monochrome, chroma_subsampling_x, chroma_subsampling_y.
@pytest.mark.parametrize(
    ("mode", "encoder", "full_chroma", "flags"),
    [
        pytest.param("RGB", "svt", False, (0, 1, 1), id="svt is 4:2:0"),
        pytest.param("L", "svt", False, (0, 1, 1), id="svt encodes grey as colour"),
        pytest.param("LA", "svt", False, (0, 1, 1), id="svt encodes grey and alpha as colour"),
        pytest.param("RGB", "aom", False, (0, 1, 1), id="aom 4:2:0"),
        pytest.param("RGB", "aom", True, (0, 0, 0), id="aom 4:4:4"),
        pytest.param("LA", "aom", True, (0, 0, 0), id="aom encodes grey and alpha as colour"),
        pytest.param("L", "aom", True, (1, 1, 1), id="aom encodes grey as grey"),
    ],
)
def test_avif_has_this_chroma_subsampling(
    mode: str, encoder: str, full_chroma: bool, flags: tuple[int, int, int]
) -> None:
    image = pictures.photograph().convert("RGBA").convert(mode)
    config = _av1_config(encode(image, _encoding("avif", encoder, full_chroma=full_chroma)).body)
    assert (config >> 4 & 1, config >> 3 & 1, config >> 2 & 1) == flags


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (40, 3)])
def test_a_tiny_avif_is_possible(size: tuple[int, int]) -> None:
    encoded = encode(Image.new("RGB", size, pictures.RED), _encoding("avif", "aom", full_chroma=True))
    assert decode_variant(encoded).size == size


def test_avif_of_the_highest_quality_only_loses_what_the_colour_space_conversion_rounds() -> None:
    image = pictures.photograph((64, 48))
    shown = decode_variant(encode(image, _encoding("avif", "aom", quality=100, full_chroma=True))).convert("RGB")
    difference = ImageChops.difference(shown, image).convert("L")
    assert not any(difference.histogram()[4:])


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
@pytest.mark.parametrize(("fmt", "encoder"), [("avif", "aom"), ("webp", "webp"), ("jpeg", "jpeg")])
def test_each_effort_decodes_to_nearly_the_same_picture(fmt: str, encoder: str, mode: str) -> None:
    if (fmt, mode) == ("jpeg", "RGBA"):
        mode = "RGB"
    image = pictures.photograph((200, 150)).convert(mode)
    fast, thorough = (encode(image, _encoding(fmt, encoder, full_chroma=True, effort=effort)) for effort in Effort)
    assert fast.body != thorough.body
    for encoded in (fast, thorough):
        difference = ImageChops.difference(decode_variant(encoded).convert(mode), image)
        assert ImageStat.Stat(difference.convert("RGBA").convert("L")).rms[0] < 12


@pytest.mark.parametrize(
    ("effort", "marker"),
    [
        pytest.param(Effort.FAST, b"\xff\xc0", id="baseline (SOF0) when fast"),
        pytest.param(Effort.THOROUGH, b"\xff\xc2", id="progressive (SOF2) when thorough"),
    ],
)
def test_jpeg_is_progressive_only_when_thorough(effort: Effort, marker: bytes) -> None:
    body = encode(pictures.photograph(), _encoding("jpeg", "jpeg", effort=effort)).body
    frames = [code for code in (b"\xff\xc0", b"\xff\xc1", b"\xff\xc2") if code in body[: body.index(b"\xff\xda")]]
    assert frames == [marker]


@pytest.mark.parametrize(("full_chroma", "sampling"), [(False, (2, 2)), (True, (1, 1))], ids=["4:2:0", "4:4:4"])
def test_jpeg_has_the_planned_chroma_subsampling(full_chroma: bool, sampling: tuple[int, int]) -> None:
    body = encode(pictures.photograph(), _encoding("jpeg", "jpeg", full_chroma=full_chroma)).body
    start = body.index(b"\xff\xc0")
    luma = body[start + 11]
    assert (luma >> 4, luma & 15) == sampling


def test_quality_reaches_the_encoder() -> None:
    for fmt, encoder in (("avif", "svt"), ("avif", "aom"), ("webp", "webp"), ("jpeg", "jpeg")):
        small, large = (
            len(encode(pictures.photograph((200, 150)), _encoding(fmt, encoder, quality=quality)).body)
            for quality in (20, 90)
        )
        assert small < large, encoder


@pytest.mark.parametrize(
    ("original", "mode"),
    [
        pytest.param(pictures.palette_png(), "P", id="few colours"),
        pytest.param(pictures.palette_png_with_transparency(), "P", id="few colours with alphas"),
        pytest.param(pictures.png(pictures.photograph()), "RGB", id="many colours"),
    ],
)
def test_png_uses_a_palette_only_when_it_is_lossless(original: bytes, mode: str) -> None:
    found = decode_variant(variant(original, Params(format="png")))
    wanted = Image.open(io.BytesIO(original)).convert("RGBA")
    visible = [
        Image.alpha_composite(Image.new("RGBA", wanted.size, "gray"), image.convert("RGBA"))
        for image in (found, wanted)
    ]
    assert found.mode == mode
    assert ImageChops.difference(*visible).getbbox(alpha_only=False) is None


@pytest.mark.parametrize(
    ("alpha", "clear"),
    [(0, True), (127, True), (128, False), (255, False)],
)
def test_a_gif_pixel_is_opaque_from_half_alpha(alpha: int, clear: bool) -> None:
    image = Image.new("RGBA", (8, 8), (*pictures.RED, alpha))
    image.putpixel((0, 0), (*pictures.BLUE, 255))
    found = decode_variant(encode(image, _encoding("gif", "gif", quality=None))).convert("RGBA")
    assert found.getpixel((0, 0)) == (*pictures.BLUE, 255)
    assert found.getpixel((4, 4)) == ((0, 0, 0, 0) if clear else (*pictures.RED, 255))


def test_a_full_palette_still_has_a_transparent_entry() -> None:
    image = reduce_to_palette(pictures.with_hole(pictures.photograph((200, 150))))
    assert image.info["transparency"] == 255
    colours = image.getcolors(256)
    assert colours is not None
    assert len(colours) > 200


def test_a_gif_has_its_screen_size() -> None:
    body = encode(pictures.chart(), _encoding("gif", "gif", quality=None)).body
    assert struct.unpack("<HH", body[6:10]) == pictures.SIZE


# Each limit leaves a little more memory than the one before, until the picture can be encoded.
_ENCODE_WITH_LITTLE_MEMORY = """
import resource, sys
from pathlib import Path
from PIL import Image
from imgcdn.core.encoders.encoding import quick_encoding
from imgcdn.engine.encode import encode
encoding = quick_encoding(sys.argv[1], int(sys.argv[2]) or None)
image = Image.effect_noise((1200, 1200), 90).convert("RGB")
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
refused = 0
while True:
    resource.setrlimit(resource.RLIMIT_AS, (used + (refused << 21), resource.RLIM_INFINITY))
    try:
        encode(image, encoding)
        break
    except MemoryError:
        refused += 1
print("refused" if refused else "never refused")
"""


@pytest.mark.parametrize(
    ("encoder", "quality"),
    [
        pytest.param("webp", 80, id="webp"),
        pytest.param("png", 0, id="png"),
        pytest.param("gif", 0, id="gif"),
    ],
)
def test_an_encoder_with_too_little_memory_raises_a_memory_error(encoder: str, quality: int) -> None:
    command = [sys.executable, "-c", _ENCODE_WITH_LITTLE_MEMORY, encoder, str(quality)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=100, check=False)

    assert (done.stdout, done.stderr) == ("refused\n", "")


def test_a_thorough_webp_with_transparency_does_not_search_for_seconds() -> None:
    image = pictures.photograph((200, 150)).convert("RGBA")
    image.putalpha(Image.radial_gradient("L").resize((200, 150)))
    slowest, less = (encode(image, Encoding("webp", "webp", 80, speed=method)).body for method in (6, 5))
    assert slowest == less
