import base64
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from imgcdn.core.request.params import Params
from imgcdn.engine.avif_boxes import plays_of, set_plays
from tests.support import pictures
from tests.support.chromium import page
from tests.support.variants import variant

FRAMES = [Image.new("RGB", (32, 24), colour) for colour in (pictures.RED, pictures.GREEN)]
AVIF = pictures.animated_avif(FRAMES, [100, 200])

_ASK = """
new ImageDecoder({type: "image/avif", data: Uint8Array.from(atob("%s"), c => c.charCodeAt(0))})
    .decode({frameIndex: 1, completeFramesOnly: true})
    .then(async shown => {
        const decoder = new ImageDecoder({type: "image/avif", data: Uint8Array.from(atob("%s"), c => c.charCodeAt(0))});
        await decoder.tracks.ready;
        const track = decoder.tracks.selectedTrack;
        return [track.frameCount, String(track.repetitionCount), shown.image.duration / 1000].join(" ");
    })
"""


def test_a_variant_does_not_contain_its_creation_time() -> None:
    body = variant(pictures.animated_webp(FRAMES, [100, 200]), Params(format="avif")).body
    for kind in (b"mvhd", b"tkhd", b"mdhd"):
        for piece in body.split(kind)[1:]:
            assert piece[:20] == piece[:4] + bytes(16)


@pytest.mark.parametrize("plays", [0, 1, 2, 65_535])
def test_the_number_of_plays_is_read_back(plays: int) -> None:
    assert plays_of(set_plays(AVIF, plays)) == plays


@pytest.mark.parametrize(
    ("whole", "plays"),
    [(0, 1), (1, 1), (2**64 - 1, 0), (2**64 - 2, 65_535)],
    ids=["zero duration", "less than once", "forever", "more plays than the field can count"],
)
def test_an_unusual_duration_still_gives_a_number_of_plays(whole: int, plays: int) -> None:
    data = bytearray(AVIF)
    struct.pack_into(">Q", data, AVIF.index(b"tkhd") + 4 + 28, whole)
    assert plays_of(bytes(data)) == plays


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"not a box at all, but text", id="text"),
        pytest.param(b"\0\0\0\x01moov" + b"\xff" * 8, id="a box longer than the file"),
        pytest.param(b"\0\0\0\0moov" * 100_000, id="deeply nested boxes"),
        pytest.param(AVIF[: AVIF.index(b"elst") + 4], id="cut after the name of the edit list"),
        pytest.param(AVIF.replace(b"elst", b"free"), id="no edit list"),
    ],
)
def test_a_file_without_a_number_of_plays_plays_forever(data: bytes) -> None:
    assert plays_of(data) == 0


@given(st.integers(0, 700), st.binary(min_size=1, max_size=12))
def test_a_damaged_file_raises_no_error(place: int, garbage: bytes) -> None:
    start = AVIF.index(b"moov") + place
    assert 0 <= plays_of(AVIF[:start] + garbage + AVIF[start + len(garbage) :]) <= 65_535


@pytest.mark.browser
@pytest.mark.parametrize(("plays", "repetitions"), [(0, "Infinity"), (1, "0"), (3, "2")])
def test_a_browser_plays_a_variant_as_often_as_its_original(plays: int, repetitions: str, tmp_path: Path) -> None:
    original = pictures.apng(FRAMES, [100, 200], loop=plays)
    data = base64.b64encode(variant(original, Params(format="avif")).body).decode()
    (tmp_path / "page.html").write_text("<!doctype html><title>A page</title>")
    with page((tmp_path / "page.html").as_uri(), tmp_path, width=300) as shown:
        assert shown.evaluate(_ASK % (data, data)) == f"2 {repetitions} 200"
