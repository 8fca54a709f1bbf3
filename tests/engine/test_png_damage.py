"""
PNGs whose coded pixels are damaged: the rows that Chromium shows are served, and the picture says that it lacks others.

With a browser, each drawn file is also compared with it, pixel by pixel.
"""

import base64
import io
import json
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from imgcdn.core.request.params import Params
from imgcdn.engine.colour import expand
from imgcdn.engine.decode import decode
from imgcdn.errors import CorruptImage
from tests.support import pictures
from tests.support.chromium import Page, page
from tests.support.pngs import Chunk, compressed, header_of, in_chunks, packed, rows_of
from tests.support.variants import make_plan, variant

_FULL = Params(format="png")
_SIZE = (100, 400)
_ROW = 1 + 3 * _SIZE[0]

# Chromium's decoder holds back as many bytes, so damage hides this number of rows above it.
_HELD_BACK = -(-32_768 // _ROW)


def _picture() -> Image.Image:
    return pictures.photograph(_SIZE)


def _whole(*, chunk_bytes: int = 8192) -> list[Chunk]:
    return in_chunks(compressed(rows_of(_picture())), chunk_bytes)


def _file(chunks: list[Chunk], *, wrong_sum: int | None = None) -> bytes:
    return packed(header_of(_picture()), chunks, wrong_sum=wrong_sum)


def _with_filter(value: int, row: int) -> bytes:
    rows = rows_of(_picture())
    rows[row] = bytes([value]) + rows[row][1:]
    return _file(in_chunks(compressed(rows), 8192))


def _with_checksum_of_stream(data: bytes) -> bytes:
    return _file(in_chunks(compressed(rows_of(_picture()))[:-4] + data, 8192))


def _with_stream(rows: int, more: bytes = b"") -> bytes:
    """Return a picture whose stream, which is sound, holds only some of its rows."""
    return _file(in_chunks(zlib.compress(b"".join(rows_of(_picture())[:rows]) + more), 8192))


def _with_broken_stream(at: int) -> bytes:
    """Return a picture in whose stream an impossible block follows the block behind this byte."""
    stored = compressed(rows_of(_picture()))[:2]
    rows = b"".join(rows_of(_picture()))
    for begin in range(0, at, 9000):
        part = rows[begin : begin + 9000]
        stored += b"\0" + len(part).to_bytes(2, "little") + (len(part) ^ 0xFFFF).to_bytes(2, "little") + part
    return _file(in_chunks(stored + b"\7" + bytes(5000), 4000))


#: Name -> the file, and how many rows from the top are there; all of them if it is a whole picture.
_DAMAGED: dict[str, tuple[Callable[[], bytes], int]] = {
    "a wrong checksum of the stream": (lambda: _with_checksum_of_stream(b"\1\2\3\4"), 400),
    "no checksum of the stream": (lambda: _with_checksum_of_stream(b""), 400),
    "bytes behind the stream": (lambda: _with_checksum_of_stream(bytes(100)), 400),
    "more rows than the header says": (lambda: _with_stream(400, bytes(10 * _ROW)), 400),
    "a wrong checksum of a single chunk": (lambda: _file(_whole(chunk_bytes=1 << 20), wrong_sum=0), 400),
    "a wrong checksum of the last chunk": (lambda: _file(_whole(), wrong_sum=len(_whole()) - 1), 400),
    "a wrong checksum of a chunk": (lambda: _file(_whole(), wrong_sum=5), 6 * 8192 // _ROW - _HELD_BACK),
    "another chunk between": (
        lambda: _file([*_whole()[:6], (b"tEXt", b"a\0b"), *_whole()[6:]]),
        6 * 8192 // _ROW - _HELD_BACK,
    ),
    "an end between": (lambda: _file(_whole()[:6]), 6 * 8192 // _ROW - _HELD_BACK),
    "an unknown critical chunk behind": (lambda: _file([*_whole(), (b"ABCD", b"")]), 400),
    "an empty chunk between": (lambda: _file([*_whole()[:6], (b"IDAT", b""), *_whole()[6:]]), 400),
    "an unknown filter": (lambda: _with_filter(5, 300), 300),
    "a filter far from the known": (lambda: _with_filter(255, 300), 300),
    "an unknown filter in the last row": (lambda: _with_filter(5, 399), 399),
    "a stream of fewer rows": (lambda: _with_stream(300), 300),
    "a stream that ends within a row": (lambda: _with_stream(300, bytes(100)), 300),
    "a stream without its last row": (lambda: _with_stream(399), 399),
    "a broken stream": (lambda: _with_broken_stream(63_000), 90),
}

_by_name = pytest.mark.parametrize(
    ("draw", "rows"), [pytest.param(draw, rows, id=name) for name, (draw, rows) in _DAMAGED.items()]
)


def _decoded(original: bytes) -> Image.Image:
    plan = make_plan(original, _FULL)
    return expand(decode(io.BytesIO(original), plan), plan).image.convert("RGBA")


@_by_name
def test_the_rows_above_the_damage_are_shown(draw: Callable[[], bytes], rows: int) -> None:
    image = _decoded(draw())
    above = (0, 0, image.width, rows)
    assert image.crop(above).convert("RGB").tobytes() == _picture().crop(above).tobytes()
    assert image.getchannel("A").tobytes() == b"\xff" * (rows * image.width) + bytes((400 - rows) * image.width)


@_by_name
def test_a_picture_is_partial_if_rows_are_missing(draw: Callable[[], bytes], rows: int) -> None:
    assert variant(draw(), _FULL).partial == (rows < 400)


@pytest.mark.parametrize(
    "draw",
    [
        pytest.param(lambda: _with_filter(9, 0), id="an unknown filter in the first row"),
        pytest.param(lambda: _with_stream(0), id="an empty stream"),
        pytest.param(lambda: _file(in_chunks(b"\0\0" + compressed(rows_of(_picture()))[2:], 8192)), id="no stream"),
        pytest.param(lambda: _file([(b"IDAT", b"")]), id="an empty chunk"),
        pytest.param(lambda: _file([(b"IDAT", b"\x78")]), id="half of a stream's head"),
    ],
)
def test_a_picture_without_a_row_is_corrupt(draw: Callable[[], bytes]) -> None:
    with pytest.raises(CorruptImage):
        variant(draw(), _FULL)


def test_a_small_picture_of_which_chromium_would_hold_back_all_is_shown_up_to_the_damage() -> None:
    picture = pictures.photograph((30, 30))
    chunks = in_chunks(compressed(rows_of(picture)), 1000)
    original = packed(header_of(picture), chunks, wrong_sum=1)
    image = _decoded(original)
    rows = (2000 - 7) // 91
    assert image.crop((0, 0, 30, rows)).convert("RGB").tobytes() == picture.crop((0, 0, 30, rows)).tobytes()
    assert variant(original, _FULL).partial


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_missing_rows_are_transparent_in_every_mode(mode: str) -> None:
    picture = _picture().convert(mode)
    image = _decoded(packed(header_of(picture), in_chunks(zlib.compress(b"".join(rows_of(picture)[:100])), 8192)))
    assert image.crop((0, 0, 100, 100)).tobytes() == picture.convert("RGBA").crop((0, 0, 100, 100)).tobytes()
    assert image.getchannel("A").crop((0, 100, 100, 400)).getextrema() == (0, 0)


def test_missing_rows_of_a_grey_picture_of_16_bits_are_transparent() -> None:
    rows = [b"\0" + bytes([y, 0]) * 50 for y in range(1, 31)]
    header = header_of(Image.new("I;16B", (50, 60)))
    image = _decoded(packed(header, [(b"IDAT", zlib.compress(b"".join(rows)))]))
    assert [image.getpixel((9, y)) for y in (4, 29, 30)] == [(5, 5, 5, 255), (30, 30, 30, 255), (0, 0, 0, 0)]


def _cut_interlaced(rows: int, size: tuple[int, int] = (64, 64)) -> bytes:
    picture = pictures.photograph(size)
    stream = compressed(rows_of(picture, interlaced=True)[:rows])[:-4]
    data = packed(header_of(picture, interlaced=True), [(b"IDAT", stream)])
    return data[:-16]


#: Rows that are there of an interlaced picture of 64 x 64 pixels -> a line of it, and the cell of which its pixels are.
_INTERLACED = [
    pytest.param(3, 23, (8, 8), id="the first pass, above"),
    pytest.param(8 + 3, 20, (4, 8), id="the second pass, above"),
    pytest.param(8 + 3, 40, (8, 8), id="the second pass, below"),
    pytest.param(24 + 3, 11, (2, 4), id="the fourth pass, above"),
    pytest.param(24 + 3, 13, (4, 4), id="the fourth pass, below"),
    pytest.param(56 + 10, 19, (1, 2), id="the sixth pass, above"),
    pytest.param(56 + 10, 21, (2, 2), id="the sixth pass, below"),
    pytest.param(88 + 10, 19, (1, 1), id="the last pass, above"),
    pytest.param(88 + 10, 21, (1, 2), id="the last pass, below"),
]


@pytest.mark.parametrize(("rows", "line", "cell"), _INTERLACED)
def test_an_interlaced_picture_is_shown_by_all_rows_that_are_there(rows: int, line: int, cell: tuple[int, int]) -> None:
    image, whole = _decoded(_cut_interlaced(rows)), pictures.photograph((64, 64)).convert("RGBA")
    across, down = cell
    expected = [whole.getpixel((x // across * across, line // down * down)) for x in range(64)]
    assert [image.getpixel((x, line)) for x in range(64)] == expected
    assert variant(_cut_interlaced(rows), _FULL).partial


def test_below_the_first_pass_there_is_nothing() -> None:
    assert _decoded(_cut_interlaced(3)).getchannel("A").getbbox() == (0, 0, 64, 24)


_SHOWN = """(async source => {
    const image = new Image();
    image.src = source;
    await image.decode().catch(() => new Promise(end => setTimeout(end, 50)));
    const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight).getContext("2d");
    canvas.drawImage(image, 0, 0);
    return Array.from(canvas.getImageData(0, 0, image.naturalWidth, image.naturalHeight).data);
})(%s)"""


def _shown(browser: Page, original: bytes) -> bytes:
    """Return the pixels that a browser shows. They are opaque, or all zero."""
    source = "data:image/png;base64," + base64.b64encode(original).decode()
    return bytes(browser.evaluate(_SHOWN % json.dumps(source)))


@pytest.mark.browser
def test_a_browser_shows_the_same_pixels(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<!doctype html><title>A page</title>")
    files = {name: draw() for name, (draw, _) in _DAMAGED.items()}
    files.update({f"interlaced, {rows} rows": _cut_interlaced(rows) for rows in (3, 11, 27, 50, 66, 98)})
    files.update({f"cut at {end}": _file(_whole())[:end] for end in range(1000, 120_000, 9973)})
    with page((tmp_path / "page.html").as_uri(), tmp_path, width=300) as browser:
        browser.until("document.title == 'A page'")
        different = [name for name, data in files.items() if _shown(browser, data) != _decoded(data).tobytes()]
    assert different == []
