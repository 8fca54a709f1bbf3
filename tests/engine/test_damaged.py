"""Originals with damage outside their pixels, and originals that end early: what there is of them is served."""

import io
import struct
import zlib
from collections.abc import Callable

import pytest
from PIL import Image

from imgcdn.core.request.params import Params
from imgcdn.core.values import Facts
from imgcdn.engine.probe import probe
from imgcdn.errors import CorruptImage, UnsupportedImage
from tests.support import pictures, profiles
from tests.support.pictures import packed_chunk
from tests.support.variants import MAX_PIXELS, colour_at, decode_variant, near, psnr, render_image, variant

_FULL = Params(format="png")
_SIZE = (160, 120)

# First column and row of each pass of an interlaced PNG, and the steps to the next.
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def _facts(original: bytes) -> Facts:
    return probe(io.BytesIO(original), max_pixels=MAX_PIXELS)


def _photograph() -> Image.Image:
    return pictures.photograph(_SIZE)


def _with_chunk(chunk: bytes, *, after: bool = False, png: bytes | None = None) -> bytes:
    """Return a PNG with one more chunk: behind its header, or behind its pixels."""
    data = png or pictures.png()
    at = len(data) - 12 if after else 33
    return data[:at] + chunk + data[at:]


def _with_wrong_sum(chunk: bytes) -> bytes:
    return chunk[:-1] + bytes([chunk[-1] ^ 1])


_TEXT = zlib.compress(bytes(2_000_000))

_ODD_CHUNKS = {
    "more than 1 MiB of text": packed_chunk(b"iTXt", b"Comment\0\1\0\0\0" + _TEXT),
    "more than 1 MiB of compressed text": packed_chunk(b"zTXt", b"Comment\0\0" + _TEXT),
    "text of an unknown compression method": packed_chunk(b"zTXt", b"Comment\0\7" + _TEXT),
    "text with a wrong checksum": _with_wrong_sum(packed_chunk(b"tEXt", b"Comment\0hello")),
    "a time with a wrong checksum": _with_wrong_sum(packed_chunk(b"tIME", bytes(7))),
    "a short pHYs": packed_chunk(b"pHYs", bytes(8)),
    "a short gAMA": packed_chunk(b"gAMA", bytes(3)),
    "a short cHRM": packed_chunk(b"cHRM", bytes(31)),
    "an empty sRGB": packed_chunk(b"sRGB", b""),
    "a short acTL": packed_chunk(b"acTL", bytes(7)),
    "an animation control without frames": packed_chunk(b"acTL", struct.pack(">II", 2, 0))
    + packed_chunk(b"fcTL", b"x"),
    "a name that has no letters": packed_chunk(b"t\0 1", b"x"),
    "a colour key of no sample": packed_chunk(b"tRNS", b"\0"),
    "a colour key with a wrong checksum": _with_wrong_sum(packed_chunk(b"tRNS", bytes(6))),
    "a profile of more than 8 MB": packed_chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(9_000_000))),
    "a profile of an unknown compression method": packed_chunk(b"iCCP", b"p\0\1" + _TEXT),
    "a profile without a name": packed_chunk(b"iCCP", b"\0\0" + _TEXT),
    "an empty profile": packed_chunk(b"iCCP", b""),
    "a text with the name of what Pillow keeps": packed_chunk(b"tEXt", b"transparency\0red"),
    "a text with the name of the corners of colours": packed_chunk(b"tEXt", b"chromaticity\0abcdefgh"),
}


@pytest.mark.parametrize("chunk", [pytest.param(chunk, id=name) for name, chunk in _ODD_CHUNKS.items()])
@pytest.mark.parametrize("after", [False, True], ids=["before the pixels", "behind the pixels"])
def test_an_odd_chunk_that_no_pixel_needs_changes_nothing(chunk: bytes, after: bool) -> None:
    original = _with_chunk(chunk, after=after)
    encoded = variant(original, _FULL)
    assert not encoded.partial
    assert decode_variant(encoded).tobytes() == render_image(pictures.png(), _FULL).tobytes()
    assert _facts(original) == _facts(pictures.png())


def test_a_colour_key_behind_the_pixels_does_not_count() -> None:
    key = packed_chunk(b"tRNS", struct.pack(">3H", *pictures.RED))
    assert colour_at(render_image(_with_chunk(key, after=True), _FULL), 0.2, 0.2)[:3] == pictures.RED


def test_a_sound_profile_is_applied_beside_an_odd_chunk() -> None:
    p3 = pictures.png(Image.new("RGB", (16, 16), (200, 100, 50)), icc=profiles.display_p3())
    image = render_image(_with_chunk(_ODD_CHUNKS["text with a wrong checksum"], png=p3), _FULL)
    assert near(colour_at(image, 0.5, 0.5), (215, 93, 31), tolerance=2)


def test_a_large_profile_is_applied() -> None:
    profile = profiles.display_p3()
    large = struct.pack(">I", len(profile) + 2_000_000) + profile[4:] + bytes(2_000_000)
    image = render_image(pictures.png(Image.new("RGB", (16, 16), (200, 100, 50)), icc=large), _FULL)
    assert near(colour_at(image, 0.5, 0.5), (215, 93, 31), tolerance=2)


def test_the_orientation_counts_beside_an_odd_chunk() -> None:
    original = _with_chunk(_ODD_CHUNKS["a short gAMA"], png=pictures.oriented_png(6))
    assert _facts(original) == _facts(pictures.oriented_png(6))


@pytest.mark.parametrize(
    "original",
    [
        pytest.param(_with_chunk(packed_chunk(b"ABCD", b"x") + _ODD_CHUNKS["a short gAMA"]), id="unknown critical"),
        pytest.param(pictures.png()[:20] + b"\xff" + pictures.png()[21:], id="a header with a wrong checksum"),
        pytest.param(pictures.png_without_its_palette(), id="a palette picture without a palette"),
        pytest.param(pictures.png()[:33], id="a PNG without pixels"),
        pytest.param(pictures.png()[:43], id="a PNG with less than a row"),
        pytest.param(pictures.jpeg()[:200], id="a JPEG without pixels"),
        pytest.param(pictures.gif()[:20], id="a GIF without pixels"),
        pytest.param(pictures.webp()[:24], id="a WebP without pixels"),
        pytest.param(pictures.avif()[:-40], id="an AVIF, of which no browser shows a part"),
    ],
)
def test_a_file_without_a_pixel_to_show_is_corrupt(original: bytes) -> None:
    with pytest.raises(CorruptImage):
        variant(original, _FULL)


@pytest.mark.parametrize(
    "segment",
    [
        pytest.param(b"\xff\xee\0\7Adobe", id="an Adobe segment without its fields"),
        pytest.param(b"\xff\xe0\0\6JFIF", id="a JFIF segment without its fields"),
        pytest.param(b"\xff\xe2\0\x0eICC_PROFILE\0", id="a part of a profile without its number"),
        pytest.param(b"\xff\xe3\0\0", id="a segment of no length"),
    ],
)
def test_an_odd_segment_that_no_pixel_needs_changes_nothing(segment: bytes) -> None:
    original = pictures.jpeg()[:2] + segment + pictures.jpeg()[2:]
    encoded = variant(original, _FULL)
    assert not encoded.partial
    assert psnr(decode_variant(encoded), render_image(pictures.jpeg(), _FULL)) > 50


def _baseline() -> bytes:
    return pictures.jpeg(_photograph(), quality=80)


def _progressive() -> bytes:
    return pictures.saved(_photograph(), "JPEG", quality=80, progressive=True)


@pytest.mark.parametrize("draw", [_baseline, _progressive], ids=["baseline", "progressive"])
@pytest.mark.parametrize("missing", [1, 2])
def test_a_jpeg_without_its_end_marker_is_whole(draw: Callable[[], bytes], missing: int) -> None:
    encoded = variant(draw()[:-missing], _FULL)
    assert not encoded.partial
    assert decode_variant(encoded).tobytes() == render_image(draw(), _FULL).tobytes()


def test_a_jpeg_that_ends_before_its_last_scan_is_partial() -> None:
    data = _progressive()
    last_scan = data.rindex(b"\xff\xda")
    tables = data.rindex(b"\xff\xc4")
    assert variant(data[: min(last_scan, tables)], _FULL).partial


@pytest.mark.parametrize("missing", [2, 200])
def test_a_smaller_size_of_a_progressive_jpeg_knows_whether_all_is_there(missing: int) -> None:
    original = pictures.saved(pictures.photograph((1600, 1200)), "JPEG", quality=90, progressive=True)[:-missing]
    assert variant(original, Params(width=100)).partial == (missing > 2)


def _interlaced_png() -> bytes:
    """Draw a PNG in seven passes."""
    image, rows = _photograph(), b""
    for left, top, across, down in _ADAM7:
        for y in range(top, image.height, down):
            rows += b"\0" + b"".join(bytes(image.getpixel((x, y))) for x in range(left, image.width, across))  # type: ignore[arg-type]  # RGB
    header = struct.pack(">IIBBBBB", *image.size, 8, 2, 0, 0, 1)
    chunks = packed_chunk(b"IHDR", header) + packed_chunk(b"IDAT", zlib.compress(rows)) + packed_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


_CUTS: dict[str, tuple[Callable[[], bytes], bool]] = {
    "baseline JPEG": (_baseline, False),
    "progressive JPEG": (_progressive, False),
    "PNG": (lambda: pictures.png(_photograph()), True),
    "PNG with a palette": (lambda: pictures.png(_photograph().quantize(64)), True),
    "PNG in grey": (lambda: pictures.png(_photograph().convert("L")), True),
    "PNG with alpha": (lambda: pictures.png(_photograph().convert("RGBA")), True),
    "lossy WebP": (lambda: pictures.saved(_photograph(), "WEBP", quality=80), True),
    "lossless WebP": (lambda: pictures.saved(_photograph(), "WEBP", lossless=True), True),
    "GIF": (lambda: pictures.saved(_photograph().quantize(64), "GIF", interlace=0), True),
}


@pytest.mark.parametrize(("draw", "has_alpha"), [pytest.param(*cut, id=name) for name, cut in _CUTS.items()])
@pytest.mark.parametrize("share", [0.5, 0.8])
def test_a_picture_that_ends_early_is_served_as_far_as_it_goes(
    draw: Callable[[], bytes], has_alpha: bool, share: float
) -> None:
    whole = render_image(draw(), _FULL).convert("RGBA")
    encoded = variant(draw()[: int(share * len(draw()))], _FULL)
    image = decode_variant(encoded).convert("RGBA")
    assert encoded.partial
    assert image.size == whole.size
    top = (0, 0, image.width, image.height // 5)
    assert psnr(image.crop(top).convert("RGB"), whole.crop(top).convert("RGB")) > 20
    assert image.getpixel((0, 0))[3] == 255  # type: ignore[index]  # RGBA
    assert (image.getpixel((image.width - 1, image.height - 1))[3] == 0) == has_alpha  # type: ignore[index]  # RGBA


@pytest.mark.parametrize("share", [0.05, 0.4, 0.8])
def test_an_interlaced_png_that_ends_early_is_shown_by_its_last_whole_pass(share: float) -> None:
    data = _interlaced_png()
    encoded = variant(data[: int(share * len(data))], _FULL)
    assert encoded.partial
    assert psnr(decode_variant(encoded).convert("RGB"), _photograph()) > 12


def test_rows_that_an_interlaced_gif_lacks_repeat_those_above() -> None:
    data = pictures.saved(_photograph().quantize(64), "GIF", interlace=1)
    image = decode_variant(variant(data[: len(data) // 2], _FULL)).convert("RGBA")
    assert image.getchannel("A").getextrema() == (255, 255)


@pytest.mark.parametrize("offset", [500, -40], ids=["too long", "too short"])
def test_a_wrong_length_of_a_webp_does_not_matter(offset: int) -> None:
    data = pictures.webp()
    original = data[:4] + struct.pack("<I", len(data) - 8 + offset) + data[8:]
    encoded = variant(original, _FULL)
    assert not encoded.partial
    assert decode_variant(encoded).tobytes() == render_image(data, _FULL).tobytes()


def _frames() -> list[Image.Image]:
    return [_photograph().rotate(90 * step) for step in range(4)]


_ANIMATIONS: dict[str, Callable[[], bytes]] = {
    "gif": lambda: pictures.animated_gif(_frames(), [100] * 4),
    "webp": lambda: pictures.animated_webp(_frames(), [100] * 4),
    "png": lambda: pictures.apng(_frames(), [100] * 4),
}


@pytest.mark.parametrize("draw", [pytest.param(draw, id=name) for name, draw in _ANIMATIONS.items()])
@pytest.mark.parametrize("fmt", ["webp", "gif"])
def test_an_animation_that_ends_early_has_its_whole_frames(draw: Callable[[], bytes], fmt: str) -> None:
    original = draw()[: int(0.6 * len(draw()))]
    facts = _facts(original)
    encoded = variant(original, Params(format=fmt))
    assert 1 < facts.frames < 4
    assert (encoded.frames, encoded.partial) == (facts.frames, True)


@pytest.mark.parametrize("draw", [pytest.param(draw, id=name) for name, draw in _ANIMATIONS.items()])
def test_a_still_of_an_animation_that_ends_early_is_its_first_frame(draw: Callable[[], bytes]) -> None:
    still = render_image(draw()[: int(0.6 * len(draw()))], Params(format="png", still=True))
    assert psnr(still.convert("RGB"), render_image(draw(), Params(format="png", still=True)).convert("RGB")) > 50


def test_an_animated_png_that_lacks_its_end_alone_has_all_its_frames() -> None:
    original = _ANIMATIONS["png"]()
    assert original.endswith(b"IEND\xaeB`\x82")
    assert variant(original[:-12], Params(format="webp")).frames == 4


def test_a_gif_in_which_only_pillow_finds_an_image_is_corrupt() -> None:
    data = pictures.gif()
    begin = data.index(b"\x2c")
    # An extension without blocks, whose label Pillow skips. Behind it, browsers see the end of the file.
    original = data[:begin] + b"\x21\x01\x00\x3b" + b"\x00" * 0x3B + b"\x00" + data[begin:]
    with pytest.raises(CorruptImage):
        variant(original, _FULL)


def test_an_original_that_ends_early_is_never_sent_in_its_own_coding() -> None:
    flat = pictures.png(pictures.chart())
    encoded = variant(flat[:-14], Params(format="png"))
    assert encoded.body.endswith(b"IEND\xaeB`\x82")


def test_json_says_that_an_original_ends_early() -> None:
    whole, cut = (variant(data, Params(format="json")).body for data in (_baseline(), _baseline()[:2500]))
    assert b'"partial": true' in cut
    assert b"partial" not in whole


@pytest.mark.parametrize(
    "draw", [pytest.param(draw, id=name) for name, (draw, _) in _CUTS.items()] + [pytest.param(_interlaced_png, id="7")]
)
def test_a_file_cut_anywhere_is_a_picture_or_corrupt(draw: Callable[[], bytes]) -> None:
    data = draw()
    for end in range(0, len(data), max(1, len(data) // 40)):
        try:
            variant(data[:end], Params(width=20, format="png"))
        except (CorruptImage, UnsupportedImage):
            continue


def test_a_cut_gif_with_a_transparent_colour_has_its_colours() -> None:
    data = pictures.gif_with_hole()
    image = render_image(data[: int(0.8 * len(data))], Params(format="png")).convert("RGBA")
    whole = render_image(data, Params(format="png")).convert("RGBA")
    assert image.getpixel((2, 2)) == whole.getpixel((2, 2)) != (0, 0, 0, 255)
    assert variant(data[: int(0.8 * len(data))], _FULL).partial


@pytest.mark.parametrize("share", [0.35, 0.6])
@pytest.mark.parametrize("params", [Params(format="png"), Params(format="png", still=True), Params(format="json")])
def test_a_still_of_a_cut_animation_is_marked(share: float, params: Params) -> None:
    data = _ANIMATIONS["png"]()
    assert variant(data[: int(share * len(data))], params).partial
    assert not variant(data, params).partial
