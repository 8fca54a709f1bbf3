"""Animations do not grow: drawn ones are lossless, key frames are rare, and the original's own coding is the limit."""

import io
import struct
import zlib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageDraw

from imgcdn.core.output.plan import plan_for
from imgcdn.core.request.params import Params
from imgcdn.core.values import EncodedImage
from imgcdn.engine.animation import open_animation
from imgcdn.engine.animation_rewrap import rewrap_animation
from imgcdn.engine.avif_boxes import plays_of
from imgcdn.engine.probe import probe
from imgcdn.engine.render import render
from tests.support import pictures, profiles
from tests.support.apngs import ApngPart, chunks, packed
from tests.support.paths import CASES, CORPUS
from tests.support.pictures import GifPart, packed_gif
from tests.support.planning import FAST, LIMITS
from tests.support.variants import MAX_PIXELS, decode_frames, variant

SOLID = [Image.new("RGB", (64, 48), colour) for colour in (pictures.RED, pictures.GREEN, pictures.BLUE)]
MS = [100, 250, 400]
PLAIN = Params()


def _drawn(count: int, size: tuple[int, int] = (240, 180)) -> list[Image.Image]:
    """A chart with a square that moves."""
    frames = [pictures.chart(size) for _ in range(count)]
    for step, image in enumerate(frames):
        ImageDraw.Draw(image).rectangle((7 * step, 20, 7 * step + 30, 50), fill=(10, 20, 200))
    return frames


def _photographed(count: int, size: tuple[int, int] = (240, 180)) -> list[Image.Image]:
    """A photograph that moves as a whole by a few pixels."""
    whole = pictures.photograph((size[0] + 3 * count, size[1]))
    return [whole.crop((3 * step, 0, 3 * step + size[0], size[1])) for step in range(count)]


def _sent(original: bytes, params: Params = PLAIN, client: tuple[str, ...] = ("webp",)) -> EncodedImage:
    """Render for a client that accepts `client`."""
    plan = plan_for(probe(io.BytesIO(original), max_pixels=MAX_PIXELS), params, client, LIMITS)
    return render(io.BytesIO(original), plan, FAST)


def _shown(original: bytes) -> list[Image.Image]:
    """Return the frames of an original as this package composes them."""
    return [frame.picture.image.convert("RGBA").copy() for frame in open_animation(io.BytesIO(original)).frames]


def _equal(one: Sequence[Image.Image], other: Sequence[Image.Image]) -> bool:
    """Tell whether frames are equal, apart from the colour of clear pixels."""
    return len(one) == len(other) and not any(
        ImageChops.difference(a.convert("RGBa"), b.convert("RGBa")).getbbox() for a, b in zip(one, other, strict=True)
    )


def test_a_drawn_animation_is_exact_and_smaller() -> None:
    original = pictures.animated_gif([image.quantize(16) for image in _drawn(12)], [100] * 12)
    encoded = _sent(original)
    assert encoded.format == "webp"
    assert len(encoded.body) < len(original)
    assert _equal([frame.image for frame in decode_frames(encoded.body)], _shown(original))


def test_the_first_frames_decide_and_the_others_follow() -> None:
    frames = _drawn(4) + _photographed(4)
    body = variant(pictures.apng(frames, [100] * 8), Params(format="webp")).body
    assert _equal([frame.image for frame in decode_frames(body)], [image.convert("RGBA") for image in frames])


def test_a_photographed_animation_is_lossy() -> None:
    original = pictures.apng(_photographed(6), [100] * 6)
    assert len(variant(original, Params(format="webp")).body) < len(original) / 8


def test_a_long_animation_has_no_regular_key_frames() -> None:
    still = pictures.photograph((240, 180))
    frames = [still.copy() for _ in range(30)]
    for step, image in enumerate(frames):
        image.paste(pictures.RED, (step, step, step + 10, step + 10))
    one = len(variant(pictures.apng(frames[:2], [100] * 2), Params(format="webp")).body)
    assert len(variant(pictures.apng(frames, [100] * 30), Params(format="webp")).body) < 3 * one


def test_the_same_key_gives_the_same_bytes() -> None:
    original = pictures.apng(_drawn(6), [100] * 6)
    assert variant(original, Params(format="webp")).body == variant(original, Params(format="webp")).body


COMMENT = b"!\xfe\x06secret\x00"
XMP = b"!\xff\x0bXMP DataXMP\x06secret\x00"
REPEATED = b"!\xff\x0bNETSCAPE2.0\x03\x01\x04\x00\x00"


def _tiny_gif(extensions: bytes = COMMENT + REPEATED + XMP) -> bytes:
    """A GIF that no other coding makes smaller."""
    parts = [GifPart((0, 0, 8, 4), 0), GifPart((4, 0, 4, 4), 1, disposal=4), GifPart((0, 0, 4, 4), 2)]
    return packed_gif((8, 4), parts, extensions=extensions)


@pytest.mark.parametrize("client", [("webp",), ()], ids=["webp", "none"])
def test_a_gif_that_would_grow_is_sent_in_its_own_coding(client: tuple[str, ...]) -> None:
    original = _tiny_gif()
    encoded = _sent(original, client=client)
    assert (encoded.format, encoded.frames) == ("gif", 3)
    assert b"secret" not in encoded.body
    assert len(encoded.body) < len(original)
    assert _equal(_shown(encoded.body), _shown(original))
    assert open_animation(io.BytesIO(encoded.body)).plays == 5


@pytest.mark.parametrize(
    "params",
    [
        pytest.param(Params(format="webp"), id="the URL names webp"),
        pytest.param(Params(width=4), id="smaller"),
        pytest.param(Params(grayscale=True), id="other colours"),
        pytest.param(Params(background=pictures.BLUE), id="on a background"),
        pytest.param(Params(still=True), id="still"),
    ],
)
def test_its_own_coding_is_not_sent_if_it_was_not_asked_for(params: Params) -> None:
    assert _sent(_tiny_gif(), params).format != "gif"


def test_an_equal_gif_without_more_than_needed_stays_equal_in_bytes() -> None:
    plain = _tiny_gif(REPEATED).replace(b"!\xf9\x04\x10", b"!\xf9\x04\x0c")  # disposal 4 is written as 3
    assert rewrap_animation(plain, "gif") == plain


def _webp_with_metadata(**options: object) -> bytes:
    return pictures.saved(
        SOLID[0],
        "WEBP",
        save_all=True,
        append_images=SOLID[1:],
        duration=MS,
        loop=3,
        exif=b"Exif\0\0secret",
        xmp=b"<secret>",
        lossless=True,
        **options,
    )


def test_an_animated_webp_is_rewrapped_without_metadata() -> None:
    original = _webp_with_metadata()
    body = rewrap_animation(original, "webp")
    assert body is not None
    assert b"secret" not in body
    assert len(body) == 8 + struct.unpack_from("<I", body, 4)[0] < len(original)
    assert open_animation(io.BytesIO(body)).plays == 3
    found, wanted = decode_frames(body), decode_frames(original)
    assert [frame.duration_ms for frame in found] == [frame.duration_ms for frame in wanted]
    assert _equal([frame.image for frame in found], [frame.image for frame in wanted])


def test_the_own_coding_is_not_sent_when_colours_were_converted() -> None:
    original = _webp_with_metadata(icc_profile=profiles.display_p3())
    encoded = _sent(original)
    assert encoded.body != rewrap_animation(original, "webp")
    assert decode_frames(encoded.body)[0].image.getpixel((0, 0)) != (*pictures.RED, 255)


def test_an_animated_png_is_rewrapped_without_metadata() -> None:
    found = chunks((8, 4), [ApngPart((0, 0, 8, 4), (1, 2, 3, 255)), ApngPart((4, 0, 4, 4), (9, 9, 9, 99))], plays=2)
    original = packed([found[0], (b"tEXt", b"Comment\0secret"), *found[1:-1], (b"eXIf", b"secret"), found[-1]])
    body = rewrap_animation(original, "png")
    assert body == packed(found)
    assert _equal(_shown(body), _shown(original))


def test_an_animated_png_with_more_frames_than_announced_is_not_rewrapped() -> None:
    parts = [ApngPart((0, 0, 8, 4), (1, 2, step, 255)) for step in range(3)]
    assert rewrap_animation(packed(chunks((8, 4), parts, count=2)), "png") is None


def _with_palette(*transparency: bytes) -> bytes:
    """Return an animation of two colours with these tRNS before its pixels; the last one is after them."""
    header = struct.pack(">II5B", 8, 4, 8, 3, 0, 0, 0)
    head, control, frame, _, next_frame, _, end = chunks((8, 4), [ApngPart((0, 0, 8, 4), (0, 0, 0, 0))] * 2)
    pixels = zlib.compress((b"\0" + bytes([0, 1] * 4)) * 4)
    *before, after = ((b"tRNS", alphas) for alphas in transparency)
    behind = [after] if after[1] else []
    found = [(head[0], header), control, (b"PLTE", bytes(6)), *before, frame, (b"IDAT", pixels), *behind]
    return packed([*found, next_frame, (b"fdAT", struct.pack(">I", 2) + pixels), end])


@pytest.mark.parametrize(
    ("transparency", "rewrapped"),
    [
        pytest.param([b"\x80", b""], True, id="fewer than colours"),
        pytest.param([b"\x80\xff\0", b""], False, id="more than colours"),
        pytest.param([b"\x80", b"\xff", b""], False, id="two"),
        pytest.param([b"\x80", b"\xff"], False, id="one behind the pixels"),
    ],
)
def test_an_animated_png_whose_transparency_viewers_take_differently_is_not_rewrapped(
    transparency: list[bytes], rewrapped: bool
) -> None:
    assert (rewrap_animation(_with_palette(*transparency), "png") is not None) is rewrapped


def test_an_animated_avif_is_sent_without_what_follows_it() -> None:
    original = pictures.animated_avif(SOLID, MS)
    padded = original + struct.pack(">I4s", 14, b"free") + b"secret"
    assert rewrap_animation(padded, "avif") == original
    assert plays_of(original) == 0


def test_an_animated_avif_with_metadata_is_not_rewrapped() -> None:
    original = pictures.saved(
        SOLID[0], "AVIF", save_all=True, append_images=SOLID[1:], duration=MS, exif=pictures.exif_block(1)
    )
    assert rewrap_animation(original, "avif") is None


def test_a_jpeg_has_no_animation_to_rewrap() -> None:
    assert rewrap_animation(pictures.jpeg(), "jpeg") is None


@pytest.mark.parametrize(
    ("original", "name"),
    [
        pytest.param(_tiny_gif(), "gif", id="gif"),
        pytest.param(_webp_with_metadata(), "webp", id="webp"),
        pytest.param(pictures.apng(SOLID, MS), "png", id="apng"),
        pytest.param(pictures.animated_avif(SOLID, MS), "avif", id="avif"),
    ],
)
def test_a_file_cut_anywhere_is_rewrapped_or_not_without_an_error(original: bytes, name: str) -> None:
    for length in range(16, len(original)):
        body = rewrap_animation(original[:length], name)
        assert body is None or len(body) <= len(original)


def test_a_gif_whose_frame_exceeds_its_canvas_is_not_rewrapped() -> None:
    assert rewrap_animation(pictures.gif_beyond_its_canvas(), "gif") is None


def _animated_files() -> list[object]:
    paths = [*sorted(CASES.glob("gif-drawn-to-lossy-webp/*.gif")), *sorted((CORPUS / "animated").glob("*.[gwp]*"))]
    return [pytest.param(path, id=path.name) for path in paths if path.stat().st_size < 100_000]


@pytest.mark.parametrize("path", _animated_files())
def test_no_known_animation_grows_at_its_own_size(path: Path) -> None:
    original = path.read_bytes()
    assert len(_sent(original).body) <= len(original)


@pytest.mark.parametrize("path", sorted(CASES.glob("gif-drawn-to-lossy-webp/*.gif")), ids=lambda path: path.name)
def test_known_drawn_animations_are_exact(path: Path) -> None:
    original = path.read_bytes()
    encoded = _sent(original)
    shown = _shown(encoded.body) if encoded.format == "gif" else [each.image for each in decode_frames(encoded.body)]
    assert _equal(_without_repeats(shown), _without_repeats(_shown(original)))


def _without_repeats(frames: list[Image.Image]) -> list[Image.Image]:
    """Leave out frames that equal the one before, which encoders merge."""
    later = (each for before, each in pairwise(frames) if not _equal([before], [each]))
    return [*frames[:1], *later]
