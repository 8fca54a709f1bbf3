"""JPEGs that lack pixels although they have an end marker, and those with damage between their scans."""

import io
import time
from collections.abc import Callable

import pytest
from PIL import Image

from imgcdn.core.request.params import Params
from imgcdn.engine.jpeg_segments import EOI, SOS, segments
from tests.support import pictures
from tests.support.variants import decode_variant, psnr, render_image, variant

_FULL = Params(format="png")
_END = b"\xff\xd9"
_PADDED_END = b"\xff" * 100 + _END


def _photograph() -> Image.Image:
    return pictures.photograph((320, 240))


_KINDS: dict[str, Callable[[], bytes]] = {
    "baseline": lambda: pictures.jpeg(_photograph(), quality=80),
    "grey": lambda: pictures.jpeg(_photograph().convert("L"), quality=80),
    "full colour": lambda: pictures.saved(_photograph(), "JPEG", quality=80, subsampling=0),
    "restart markers": lambda: pictures.saved(_photograph(), "JPEG", quality=80, restart_marker_rows=1),
    "CMYK": lambda: pictures.saved(_photograph().convert("CMYK"), "JPEG", quality=80),
    "progressive": lambda: pictures.saved(_photograph(), "JPEG", quality=80, progressive=True),
}

_by_kind = pytest.mark.parametrize("draw", [pytest.param(draw, id=name) for name, draw in _KINDS.items()])


def _scans(data: bytes) -> list[tuple[int, int]]:
    return [(segment.start, segment.end) for segment in segments(data) if segment.marker == SOS]


@_by_kind
@pytest.mark.parametrize("end", [b"", _END, _PADDED_END], ids=["no end", "an end", "fill bytes and an end"])
@pytest.mark.parametrize("width", [None, 40])
def test_a_cut_jpeg_is_partial_whatever_is_behind_it(draw: Callable[[], bytes], end: bytes, width: int | None) -> None:
    data = draw()
    for share in (0.3, 0.6):
        encoded = variant(data[: int(share * len(data))] + end, Params(width=width, format="png"))
        assert encoded.partial


@_by_kind
@pytest.mark.parametrize("end", [b"", _END, _PADDED_END, b"\xff" * 100, _END + b"more"])
@pytest.mark.parametrize("width", [None, 40])
def test_a_jpeg_with_all_its_pixels_is_whole_whatever_is_behind_it(
    draw: Callable[[], bytes], end: bytes, width: int | None
) -> None:
    params = Params(width=width, format="png")
    encoded = variant(draw()[:-2] + end, params)
    assert not encoded.partial
    assert decode_variant(encoded).tobytes() == render_image(draw(), params).tobytes()


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_picture_in_the_grey_of_missing_pixels_is_whole(mode: str, progressive: bool) -> None:
    grey = Image.new(mode, (64, 48), (128,) * len(mode))
    grey.paste(pictures.photograph((64, 16)).convert(mode), (0, 0))
    data = pictures.saved(grey, "JPEG", quality=90, progressive=progressive)
    assert not variant(data, _FULL).partial


def test_a_picture_that_ends_in_that_grey_is_sent_in_its_own_coding() -> None:
    picture = _photograph()
    picture.paste((128, 128, 128), (160, 120, 320, 240))
    data = pictures.saved(picture, "JPEG", quality=30)
    encoded = variant(data, Params(format="jpeg", q=95))
    assert len(encoded.body) <= len(data)
    assert decode_variant(encoded).tobytes() == Image.open(io.BytesIO(data)).tobytes()


def test_a_progressive_jpeg_that_lacks_whole_scans_on_purpose_is_whole() -> None:
    data = _KINDS["progressive"]()
    assert not variant(data[: _scans(data)[2][1]] + _END, _FULL).partial


@pytest.mark.parametrize("scan", [2, 4])
def test_scans_before_a_damaged_one_are_shown(scan: int) -> None:
    data = _KINDS["progressive"]()
    start, _ = _scans(data)[scan]
    damaged = data[: start + 4] + b"\x07" + data[start + 5 :]
    encoded = variant(damaged, _FULL)
    assert encoded.partial
    assert psnr(decode_variant(encoded).convert("RGB"), render_image(data, _FULL).convert("RGB")) > 14


def test_a_scan_that_is_there_twice_does_not_matter() -> None:
    data = _KINDS["baseline"]()
    start, end = _scans(data)[0]
    encoded = variant(data[:end] + data[start:end] + _END, _FULL)
    assert decode_variant(encoded).tobytes() == render_image(data, _FULL).tobytes()


@pytest.mark.parametrize("tail", [b"\xff", b"\xff\0", b"\xff\xd0", b"\xff\xff\0", b"\xff\xe0\0\2"])
def test_segments_are_found_in_a_time_that_grows_with_the_file_alone(tail: bytes) -> None:
    data = b"\xff\xd8" + tail * (2_000_000 // len(tail))
    begin = time.monotonic()
    found = list(segments(data))
    assert time.monotonic() - begin < 2
    assert all(segment.start < segment.end <= len(data) for segment in found)
    assert all(segment.marker != EOI for segment in found)
