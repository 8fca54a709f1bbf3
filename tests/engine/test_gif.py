"""GIFs that leave parts of the canvas uncovered or clear them look as in a browser."""

import io

import pytest

from imgcdn.core.request.params import Params
from imgcdn.engine.gif import parts, plays_of
from imgcdn.engine.probe import probe
from imgcdn.errors import ImageError
from tests.support import pictures
from tests.support.pictures import GifPart, packed_gif
from tests.support.variants import MAX_PIXELS, colour_at, decode_frames, frame_at, render_image, variant

CANVAS = (8, 4)
WHOLE, LEFT, RIGHT = (0, 0, 8, 4), (0, 0, 4, 4), (4, 0, 4, 4)
R, G, B, NOTHING = (*pictures.RED, 255), (*pictures.GREEN, 255), (*pictures.BLUE, 255), (0, 0, 0, 0)

# The colour table with which an index is its own grey.
GREYS, DARK = bytes([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]), (2, 2, 2, 255)


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        pytest.param(
            [GifPart(WHOLE, 0), GifPart(RIGHT, 1, disposal=2, clear=3), GifPart(LEFT, 2)],
            [(R, R), (R, G), (B, NOTHING)],
            id="a cleared area is transparent, not background",
        ),
        pytest.param(
            [GifPart(WHOLE, 0, disposal=2), GifPart(RIGHT, 1)],
            [(R, R), (NOTHING, G)],
            id="cleared without a transparent entry",
        ),
        pytest.param(
            [GifPart(RIGHT, 1), GifPart(LEFT, 2)],
            [(NOTHING, G), (B, G)],
            id="the first frame covers half",
        ),
        pytest.param(
            [GifPart(WHOLE, 0), GifPart(RIGHT, 1, disposal=3), GifPart(LEFT, 2)],
            [(R, R), (R, G), (B, R)],
            id="restored to what was before",
        ),
        pytest.param(
            [GifPart(WHOLE, 0), GifPart(RIGHT, 1, disposal=4), GifPart(LEFT, 2)],
            [(R, R), (R, G), (B, R)],
            id="disposal 4 restores, as in Chromium and Firefox",
        ),
        pytest.param(
            [GifPart(WHOLE, 0), GifPart(RIGHT, 1, disposal=5), GifPart(LEFT, 2)],
            [(R, R), (R, G), (B, G)],
            id="an unknown disposal keeps",
        ),
        pytest.param(
            [GifPart(WHOLE, 0), GifPart(RIGHT, 2, table=GREYS)],
            [(R, R), (R, DARK)],
            id="a table of greys in order is used",
        ),
        pytest.param(
            [GifPart(WHOLE, 2, table=GREYS), GifPart(RIGHT, 2)],
            [(DARK, DARK), (DARK, B)],
            id="also that of the first frame",
        ),
        pytest.param(
            [GifPart(WHOLE, 0, disposal=3), GifPart(LEFT, 2)],
            [(R, R), (B, NOTHING)],
            id="restored to an empty canvas",
        ),
        pytest.param(
            [GifPart(WHOLE, 0, disposal=2), GifPart(LEFT, 2, disposal=0), GifPart(RIGHT, 1)],
            [(R, R), (B, NOTHING), (B, G)],
            id="unspecified keeps the frame",
        ),
        pytest.param(
            [GifPart(WHOLE, 0), GifPart(WHOLE, 3, clear=3), GifPart(LEFT, 2)],
            [(R, R), (R, R), (B, R)],
            id="transparent pixels show what is beneath",
        ),
        pytest.param(
            [GifPart(WHOLE, 0), GifPart((4, 0, 40, 40), 1), GifPart((100, 100, 4, 4), 2)],
            [(R, R), (R, G), (R, G)],
            id="pixels beyond the canvas are not shown",
        ),
    ],
)
def test_each_instant_looks_as_in_a_browser(
    frames: list[GifPart], expected: list[tuple[tuple[int, ...], tuple[int, ...]]]
) -> None:
    # WebP, because the GIF's own coding would be sent as a GIF, and Pillow does not show that as a browser does.
    shown = decode_frames(variant(packed_gif(CANVAS, frames), Params(format="webp")).body)
    for index, (left, right) in enumerate(expected):
        image = frame_at(shown, 100 * index + 50)
        found = [colour_at(image, across, 0.5) for across in (0.2, 0.8)]
        assert [colour if colour[3] else NOTHING for colour in found] == [left, right], index


def test_an_uncovered_part_of_a_still_is_transparent() -> None:
    original = packed_gif(CANVAS, [GifPart(RIGHT, 1)])
    assert probe(io.BytesIO(original), max_pixels=MAX_PIXELS).alpha
    image = render_image(original, Params(format="png"))
    assert [colour_at(image, 0.2, 0.5)[3], colour_at(image, 0.8, 0.5)] == [0, G]


def test_a_still_uses_its_own_table_of_greys() -> None:
    original = packed_gif(CANVAS, [GifPart(WHOLE, 2, table=GREYS)])
    assert colour_at(render_image(original, Params(format="png")), 0.5, 0.5) == DARK


_REPEATED = b"!\xff\x0b%s\x03\x01\x04\x00\x00"


@pytest.mark.parametrize(
    ("extensions", "plays"),
    [
        pytest.param(b"", 1, id="no number"),
        pytest.param(_REPEATED % b"NETSCAPE2.0", 5, id="NETSCAPE2.0 counts repeats"),
        pytest.param(_REPEATED % b"ANIMEXTS1.0", 5, id="ANIMEXTS1.0 too"),
        pytest.param(b"!\xfe\x02hi\x00" + _REPEATED % b"NETSCAPE2.0", 5, id="behind a comment"),
        pytest.param(_REPEATED % b"NETSCAPE1.0", 1, id="another name"),
        pytest.param(b"!\xff\x0bNETSCAPE2.0\x05\x02\x00\x00\x00\x00\x00", 1, id="the size of a buffer"),
        pytest.param(b"!\xff\x0bNETSCAPE2.0\x00", 1, id="no content"),
    ],
)
def test_the_number_of_plays_is_read(extensions: bytes, plays: int) -> None:
    assert plays_of(packed_gif(CANVAS, [GifPart(WHOLE, 0), GifPart(RIGHT, 1)], extensions=extensions)) == plays


def test_a_missing_trailer_and_stray_bytes_do_no_harm() -> None:
    original = packed_gif(CANVAS, [GifPart(WHOLE, 0), GifPart(RIGHT, 1)])
    assert len(list(parts(original[:-1]))) == 2
    assert len(list(parts(original[:-1] + b"\x00\x00;"))) == 2


def test_a_gif_cut_anywhere_renders_or_is_refused() -> None:
    whole = packed_gif(CANVAS, [GifPart(WHOLE, 0), GifPart(RIGHT, 1, disposal=2, clear=3), GifPart(LEFT, 2)])
    for length in range(len(whole)):
        try:
            encoded = variant(whole[:length], Params(format="gif"))
        except ImageError:
            continue
        assert {frame.image.size for frame in decode_frames(encoded.body)} == {CANVAS}
