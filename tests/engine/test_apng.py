"""Frames of an animated PNG look as in a browser, and a broken animation shows its default image."""

import io
import struct
import zlib
from collections.abc import Callable

import pytest
from PIL import Image

from imgcdn.core.request.params import Params
from imgcdn.engine.apng import cut
from imgcdn.engine.probe import probe
from imgcdn.errors import CorruptImage, ImageError
from tests.support import pictures
from tests.support.apngs import CLEAR, RESTORE, ApngPart, Chunk, chunks, packed, packed_apng
from tests.support.paths import CASES
from tests.support.variants import (
    MAX_PIXELS,
    colour_at,
    decode_frames,
    decode_variant,
    frame_at,
    render_image,
    total_ms,
    variant,
)

CANVAS = (8, 4)
WHOLE, LEFT, RIGHT = (0, 0, 8, 4), (0, 0, 4, 4), (4, 0, 4, 4)
R, G, B, NOTHING = (*pictures.RED, 255), (*pictures.GREEN, 255), (*pictures.BLUE, 255), (0, 0, 0, 0)
YELLOW = (255, 255, 0, 255)
SOFT = (0, 0, 255, 128)
MIXED = (110, 15, 148, 255)  # SOFT over R


def _looks(original: bytes, fmt: str, count: int) -> list[tuple[tuple[int, ...], ...]]:
    """Return the colour of the left and the right half at each tenth of a second."""
    frames = decode_frames(variant(original, Params(format=fmt, q=100)).body)
    shown = (frame_at(frames, 100 * index + 50) for index in range(count))
    found = [tuple(colour_at(image, across, 0.5) for across in (0.2, 0.8)) for image in shown]
    return [tuple(colour if colour[3] else NOTHING for colour in pair) for pair in found]


def _alike(found: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return all(abs(a - b) <= 4 for a, b in zip(found, wanted, strict=True))


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        pytest.param(
            [ApngPart(WHOLE, R), ApngPart(RIGHT, SOFT, over=True)],
            [(R, R), (R, MIXED)],
            id="half transparent over opaque is opaque",
        ),
        pytest.param(
            [ApngPart(WHOLE, NOTHING), ApngPart(RIGHT, SOFT, over=True)],
            [(NOTHING, NOTHING), (NOTHING, SOFT)],
            id="half transparent over nothing keeps its colour",
        ),
        pytest.param(
            [ApngPart(WHOLE, R), ApngPart(RIGHT, SOFT)],
            [(R, R), (R, SOFT)],
            id="source replaces what is beneath",
        ),
        pytest.param(
            [ApngPart(WHOLE, R), ApngPart(RIGHT, G, RESTORE), ApngPart(LEFT, B)],
            [(R, R), (R, G), (B, R)],
            id="restored to what was before",
        ),
        pytest.param(
            [ApngPart(WHOLE, R), ApngPart(RIGHT, SOFT, RESTORE, over=True), ApngPart(LEFT, B)],
            [(R, R), (R, MIXED), (B, R)],
            id="restored after compositing",
        ),
        pytest.param(
            [ApngPart(WHOLE, R), ApngPart(RIGHT, G, RESTORE), ApngPart(RIGHT, B, RESTORE), ApngPart(LEFT, G)],
            [(R, R), (R, G), (R, B), (G, R)],
            id="restored twice",
        ),
        pytest.param(
            [ApngPart(WHOLE, R, CLEAR), ApngPart(LEFT, B)],
            [(R, R), (B, NOTHING)],
            id="cleared to transparent",
        ),
        pytest.param(
            [ApngPart(WHOLE, R, RESTORE), ApngPart(LEFT, B)],
            [(R, R), (B, NOTHING)],
            id="a first frame that restores is cleared",
        ),
    ],
)
def test_each_instant_looks_as_in_a_browser(
    parts: list[ApngPart], expected: list[tuple[tuple[int, ...], tuple[int, ...]]]
) -> None:
    found = _looks(packed_apng(CANVAS, parts), "webp", len(expected))
    for index, wanted in enumerate(expected):
        assert all(map(_alike, found[index], wanted)), (index, found[index])


@pytest.mark.parametrize("params", [Params(format="png"), Params(format="webp", still=True)], ids=["png", "still"])
def test_a_still_is_the_first_frame_and_not_a_default_image_outside_the_animation(params: Params) -> None:
    original = packed_apng(CANVAS, [ApngPart(RIGHT, G), ApngPart(WHOLE, B)], default=R)
    image = render_image(original, params)
    assert image.size == CANVAS
    assert [colour_at(image, across, 0.5)[3] for across in (0.2, 0.8)] == [0, 255]
    assert _alike(colour_at(image, 0.8, 0.5), G)


def test_one_frame_beside_a_default_image_is_shown_instead_of_it() -> None:
    original = packed_apng(CANVAS, [ApngPart(WHOLE, G)], default=R)
    assert probe(io.BytesIO(original), max_pixels=MAX_PIXELS).frames == 1
    assert _alike(colour_at(render_image(original, Params(format="jpeg", q=95)), 0.5, 0.5), G)


def test_a_frame_whose_pixels_are_split_is_put_together() -> None:
    found = chunks(CANVAS, [ApngPart(WHOLE, R), ApngPart(WHOLE, G)])
    at = next(index for index, (name, _) in enumerate(found) if name == b"fdAT")
    content = found[at][1]
    split = [content[:4] + content[4:9], struct.pack(">I", 3), struct.pack(">I", 4) + content[9:]]
    original = packed([*found[:at], *((b"fdAT", each) for each in split), *found[at + 1 :]])
    first, second = _looks(original, "webp", 2)
    assert _alike(first[0], R)
    assert _alike(second[0], G)


def _numbered(number: int) -> Callable[[bytes], bytes]:
    return lambda content: struct.pack(">I", number) + content[4:]


def _replaced(name: bytes, which: int, change: Callable[[bytes], bytes]) -> bytes:
    """Return an animation of two green frames with a red default image, and one chunk of it changed."""
    found = chunks(CANVAS, [ApngPart(WHOLE, G), ApngPart(RIGHT, G)], default=R)
    places = [index for index, chunk in enumerate(found) if chunk[0] == name]
    found[places[which]] = name, change(found[places[which]][1])
    return packed(found)


def _without(*missing: tuple[bytes, int]) -> bytes:
    found = chunks(CANVAS, [ApngPart(WHOLE, G), ApngPart(RIGHT, G)], default=R)
    kept: list[Chunk] = []
    seen: dict[bytes, int] = {}
    for name, content in found:
        if (name, seen.setdefault(name, 0)) not in missing:
            kept.append((name, content))
        seen[name] += 1
    return packed(kept)


BROKEN = [
    pytest.param(_replaced(b"fcTL", 0, _numbered(1)), id="numbers begin at 1"),
    pytest.param(_replaced(b"fcTL", 1, _numbered(5)), id="a gap"),
    pytest.param(_replaced(b"fdAT", 1, _numbered(2)), id="a number twice"),
    pytest.param(_replaced(b"fcTL", 1, lambda content: content[:20]), id="a control chunk cut short"),
    pytest.param(_replaced(b"fdAT", 0, lambda content: content[:3]), id="a data chunk without a number"),
    pytest.param(
        _replaced(b"fcTL", 1, lambda content: content[:4] + struct.pack(">I", 5) + content[8:]), id="too wide"
    ),
    pytest.param(_replaced(b"fcTL", 1, lambda content: content[:4] + bytes(4) + content[8:]), id="no width"),
    pytest.param(_replaced(b"fcTL", 1, lambda content: content[:16] + b"\xff" * 4 + content[20:]), id="far below"),
    pytest.param(_replaced(b"fcTL", 1, lambda content: content[:24] + b"\x03" + content[25:]), id="unknown disposal"),
    pytest.param(_replaced(b"fcTL", 1, lambda content: content[:25] + b"\x02"), id="unknown blending"),
    pytest.param(_replaced(b"acTL", 0, lambda _: struct.pack(">II", 3, 0)), id="more frames announced"),
    pytest.param(_replaced(b"acTL", 0, lambda _: bytes(8)), id="no frames announced"),
    pytest.param(_replaced(b"acTL", 0, lambda content: content[:5]), id="an announcement cut short"),
    pytest.param(_without((b"fcTL", 0)), id="no control chunk"),
    pytest.param(_without((b"fdAT", 1)), id="a frame without data"),
    pytest.param(_without((b"fcTL", 1)), id="data of two frames, one control chunk"),
]


@pytest.mark.parametrize("original", BROKEN)
@pytest.mark.parametrize("fmt", ["webp", "gif"])
def test_a_broken_animation_shows_its_default_image(original: bytes, fmt: str) -> None:
    encoded = variant(original, Params(format=fmt, q=100))
    assert encoded.frames == 1
    assert _alike(colour_at(decode_frames(encoded.body)[0].image, 0.8, 0.5), R)


def test_frames_beyond_the_announced_number_are_left_out() -> None:
    found = chunks(CANVAS, [ApngPart(WHOLE, R), ApngPart(WHOLE, G), ApngPart(WHOLE, B)], count=2)
    assert variant(packed(found), Params(format="webp")).frames == 2


def test_a_first_frame_that_is_the_default_image_has_its_size() -> None:
    found = chunks(CANVAS, [ApngPart(WHOLE, R), ApngPart(WHOLE, G)])
    smaller = [
        (name, content[:4] + struct.pack(">I", 4) + content[8:] if name == b"fcTL" else content)
        for name, content in found
    ]
    assert cut(io.BytesIO(packed(smaller))) is None


@pytest.mark.parametrize("default", [None, YELLOW])
@pytest.mark.parametrize("frame", [1, 2])
def test_an_animation_has_the_frames_before_a_damaged_one(frame: int, default: tuple[int, int, int, int]) -> None:
    encoded = variant(_with_damage(frame, b"nonsense", default), Params(format="webp"))
    assert (encoded.frames, encoded.partial) == (frame, True)
    frames = decode_frames(encoded.body)
    assert all(_alike(colour_at(shown.image, 0.5, 0.5), (R, G)[at]) for at, shown in enumerate(frames))


@pytest.mark.parametrize("default", [None, YELLOW])
@pytest.mark.parametrize("params", [Params(format="webp"), Params(format="png")], ids=["animated", "still"])
def test_of_a_damaged_first_frame_the_rows_above_the_damage_are_shown(
    params: Params, default: tuple[int, int, int, int]
) -> None:
    rows = zlib.compress((b"\0" + bytes(R) * CANVAS[0]) * 2)
    encoded = variant(_with_damage(0, rows, default), params)
    image = decode_variant(encoded).convert("RGBA")
    assert (encoded.frames, encoded.partial) == (1, True)
    assert _alike(colour_at(image, 0.5, 0.1), R)
    assert colour_at(image, 0.5, 0.9)[3] == 0


@pytest.mark.parametrize("default", [None, YELLOW])
def test_an_animation_without_a_row_of_its_first_frame_is_corrupt(default: tuple[int, int, int, int]) -> None:
    with pytest.raises(CorruptImage):
        variant(_with_damage(0, b"nonsense", default), Params(format="webp"))


def _with_damage(frame: int, pixels: bytes, default: tuple[int, int, int, int] | None) -> bytes:
    """Return an animation of three frames, one of which has these coded pixels."""
    found = chunks(CANVAS, [ApngPart(WHOLE, R), ApngPart(WHOLE, G), ApngPart(WHOLE, B)], default=default)
    control = [index for index, (name, _) in enumerate(found) if name == b"fcTL"][frame]
    name, content = found[control + 1]
    found[control + 1] = (name, (content[:4] if name == b"fdAT" else b"") + pixels)
    return packed(found)


def test_a_wrong_checksum_of_the_stream_of_a_frame_does_not_matter() -> None:
    found = chunks(CANVAS, [ApngPart(WHOLE, R), ApngPart(WHOLE, G), ApngPart(WHOLE, B)])
    at = next(index for index, (name, _) in enumerate(found) if name == b"fdAT")
    found[at] = (b"fdAT", found[at][1][:-4] + b"1234")
    looks = _looks(packed(found), "webp", 3)
    assert all(map(_alike, (left for left, _ in looks), (R, G, B)))


@pytest.mark.parametrize("name", [b"acTL", b"fcTL"])
def test_a_wrong_checksum_in_the_sequence_breaks_it(name: bytes) -> None:
    original = bytearray(packed_apng(CANVAS, [ApngPart(WHOLE, R), ApngPart(WHOLE, G)]))
    original[original.rindex(name) + 4] ^= 1
    assert cut(io.BytesIO(original)) is None
    assert variant(bytes(original), Params(format="webp")).frames == 1


@pytest.mark.parametrize("name", [b"IDAT", b"fdAT"])
def test_a_wrong_checksum_of_the_pixels_of_a_frame_does_not_matter(name: bytes) -> None:
    original = bytearray(packed_apng(CANVAS, [ApngPart(WHOLE, R), ApngPart(WHOLE, G)]))
    at = original.index(name)
    original[at + 4 + int.from_bytes(original[at - 4 : at])] ^= 1
    assert variant(bytes(original), Params(format="webp")).frames == 2


@pytest.mark.parametrize(
    ("delay", "wanted_ms"),
    [
        pytest.param((1, 4), 250, id="a quarter of a second"),
        pytest.param((7, 0), 70, id="a denominator of 0 means hundredths"),
        pytest.param((1, 3), 333, id="a third of a second, rounded"),
    ],
)
def test_durations_are_fractions_of_a_second(delay: tuple[int, int], wanted_ms: int) -> None:
    original = packed_apng(CANVAS, [ApngPart(WHOLE, R, delay=delay), ApngPart(WHOLE, G, delay=delay)])
    frames = decode_frames(variant(original, Params(format="webp")).body)
    assert total_ms(frames) == pytest.approx(2 * wanted_ms, abs=1)


def test_a_canvas_that_is_not_covered_counts_as_transparent() -> None:
    opaque = [Image.new("RGB", (8, 4), colour) for colour in (pictures.RED, pictures.GREEN)]
    assert not probe(io.BytesIO(pictures.apng(opaque, [100, 100])), max_pixels=MAX_PIXELS).alpha
    outside = pictures.apng([opaque[0], *opaque], [100, 100], default=True)
    assert not probe(io.BytesIO(outside), max_pixels=MAX_PIXELS).alpha
    cleared = pictures.apng(opaque, [100, 100], disposal=CLEAR)
    assert probe(io.BytesIO(cleared), max_pixels=MAX_PIXELS).alpha


def test_frames_are_decoded_with_the_palette_and_its_transparency() -> None:
    images = [Image.new("RGBA", (8, 4), R), Image.new("RGBA", (8, 4), (0, 255, 0, 128))]
    original = pictures.apng([image.quantize(4) for image in images], [100, 100])
    assert _alike(_looks(original, "webp", 2)[1][0], (0, 255, 0, 128))


def test_an_alpha_flag_is_set_when_a_frame_leaves_a_hole() -> None:
    original = packed_apng(CANVAS, [ApngPart(WHOLE, R, CLEAR), ApngPart(LEFT, G)])
    body = variant(original, Params(format="webp", q=90)).body
    assert body[12:16] == b"VP8X"
    assert body[20] & 0x10
    opaque = packed_apng(CANVAS, [ApngPart(WHOLE, R), ApngPart(LEFT, G)])
    assert not variant(opaque, Params(format="webp", q=90)).body[20] & 0x10


def test_an_animation_cut_anywhere_renders_or_is_refused() -> None:
    whole = packed_apng(CANVAS, [ApngPart(RIGHT, R, CLEAR), ApngPart(LEFT, SOFT, over=True)], default=G)
    for length in range(8, len(whole)):
        try:
            encoded = variant(whole[:length], Params(format="webp"))
        except ImageError:
            continue
        assert {frame.image.size for frame in decode_frames(encoded.body)} == {CANVAS}


def test_a_flood_of_chunks_is_no_animation() -> None:
    first, *rest = chunks(CANVAS, [ApngPart(WHOLE, R), ApngPart(WHOLE, G)])
    at = next(index for index, (name, _) in enumerate(rest) if name == b"fdAT")
    flood = [(b"teSt", b"")] * 250_000
    original = packed([first, *rest[:at], *flood, *rest[at:]])
    assert probe(io.BytesIO(original), max_pixels=MAX_PIXELS).frames == 1


KNOWN = [
    pytest.param("apng-blend-over-alpha/blend_op_over_near_transparent.png", 127, (0, 255, 0, 255), id="near"),
    pytest.param("apng-blend-over-alpha/mode_16bit.png", 1, (0, 0, 128, 255), id="16 bits"),
    pytest.param("apng-dispose-previous/dispose_op_previous.png", 2, (0, 255, 0, 255), id="previous"),
    pytest.param("apng-dispose-previous/dispose_op_previous_region.png", 2, (0, 255, 0, 255), id="previous, region"),
    pytest.param("apng-one-frame-default-image/single_frame_default.png", 0, (0, 255, 0, 255), id="one frame"),
    pytest.param("apng-one-frame-default-image/split_fdat_zero_chunk.png", 0, (0, 255, 0, 255), id="empty chunk"),
    pytest.param("apng-over/over_soft.png", 1, (255, 255, 255, 128), id="soft"),
    pytest.param("apng-over/over_prev.png", 2, (255, 0, 0, 255), id="over, previous"),
]


@pytest.mark.parametrize(("name", "index", "colour"), KNOWN)
def test_known_files_have_the_right_colour_in_the_middle(name: str, index: int, colour: tuple[int, ...]) -> None:
    path = CASES / name
    if path.exists():
        frames = decode_frames(variant(path.read_bytes(), Params(format="webp", q=100)).body)
        image = frames[min(index, len(frames) - 1)].image
        assert _alike(colour_at(image, 0.5, 0.5), colour)
