"""Placeholders are decoded with independent decoders and compared with their picture."""

import base64
import io
import itertools
import json
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageStat

from imgcdn.core.output.formats import PLACEHOLDERS
from imgcdn.core.output.geometry import Fit
from imgcdn.core.request.params import Params
from imgcdn.engine.hashes import thumbhash
from imgcdn.engine.placeholder import LQIP_CHARACTERS, dominant_colour
from tests.support import laden, pictures, profiles
from tests.support.hash_reading import from_blurhash, from_thumbhash
from tests.support.paths import CORPUS
from tests.support.variants import colour_at, near, render_image, variant

# A hash has about ten waves in 19 steps (BlurHash) or 16 steps (ThumbHash), so it blurs edges. On a grid of thirds and
# quarters it differs by up to 32 and 17 of 255 for the photographs of the corpus, and by 38 and 30 for the drawn ones,
# which consist of edges. Half of the hashes differ by more than 65 from any other photograph.
_BLURHASH_TOLERANCE = 42
_THUMBHASH_TOLERANCE = 34

# On a grid of eighths; WebP stores colour at half the size. At most 11 for the photographs and 13 for the drawn ones.
_LQIP_TOLERANCE = 16


def text_of(original: bytes, params: Params) -> str:
    return variant(original, params).body.decode("ascii")


def facts_of(original: bytes, **params: Any) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(text_of(original, Params(format="json", **params)))
    return facts


def from_uri(uri: str) -> Image.Image:
    head, _, data = uri.partition(",")
    assert head == "data:image/webp;base64"
    image = Image.open(io.BytesIO(base64.b64decode(data, validate=True)))
    image.load()
    assert not image.info.keys() & {"icc_profile", "exif", "xmp"}
    return image


def on_white(image: Image.Image) -> Image.Image:
    rgba = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")


def distance(one: Image.Image, other: Image.Image, grid: tuple[int, int]) -> float:
    """Return the root mean square difference of two pictures on white, averaged over the cells of a grid."""
    cells = [on_white(image).resize(grid, Image.Resampling.BOX) for image in (one, other)]
    squares = ImageStat.Stat(ImageChops.difference(*cells)).sum2
    return math.sqrt(sum(squares) / (3 * grid[0] * grid[1]))


def check_likeness(original: bytes) -> None:
    """Compare all placeholders of a picture with the picture."""
    facts = facts_of(original)
    shown = render_image(original, Params(width=100, height=100, format="png"))
    grid = (4, 3) if shown.width >= shown.height else (3, 4)
    assert distance(from_blurhash(facts["blurhash"], (32, 32)), shown, grid) < _BLURHASH_TOLERANCE
    assert distance(from_thumbhash(facts["thumbhash"]), shown, grid) < _THUMBHASH_TOLERANCE
    assert distance(from_uri(facts["lqip"]), shown, (8, 8)) < _LQIP_TOLERANCE
    assert len(facts["lqip"]) < LQIP_CHARACTERS


DRAWN = {
    "landscape": pictures.jpeg(pictures.photograph((300, 200))),
    "portrait": pictures.jpeg(pictures.photograph((120, 400))),
    "panorama": pictures.jpeg(pictures.photograph((900, 40))),
    "tower": pictures.png(pictures.photograph((3, 700))),
    "grey": pictures.jpeg(pictures.photograph((300, 200)).convert("L")),
    "grey with alpha": pictures.grey_alpha_png(),
    "half transparent": pictures.png(pictures.with_hole(pictures.photograph((300, 200)))),
    "chart": pictures.png(),
    "chart in CMYK": pictures.cmyk_jpeg(),
    "palette": pictures.palette_png_with_transparency(),
    "16 bit": pictures.wide_grey_png(),
    "gif": pictures.gif_with_hole(),
    "avif": pictures.avif_with_hole(),
    "turned": pictures.oriented_photograph(6, (300, 200)),
    "dot": pictures.png(Image.new("RGB", (1, 1), pictures.BLUE)),
    "clear": pictures.png(Image.new("RGBA", (60, 40), (0, 0, 0, 0))),
}


@pytest.mark.parametrize("original", DRAWN.values(), ids=DRAWN)
def test_a_placeholder_looks_like_its_picture(original: bytes) -> None:
    check_likeness(original)


if CORPUS.is_dir():

    @pytest.mark.parametrize("path", sorted((CORPUS / "photos").glob("*")), ids=lambda path: path.name)
    def test_a_placeholder_looks_like_its_photograph(path: Path) -> None:
        check_likeness(path.read_bytes())

    def test_a_placeholder_looks_more_like_its_photograph_than_like_any_other() -> None:
        originals = [path.read_bytes() for path in sorted((CORPUS / "photos").glob("*"))]
        shown = [render_image(original, Params(width=100, height=100, format="png")) for original in originals]
        facts = [facts_of(original) for original in originals]
        read: dict[str, Callable[[str], Image.Image]] = {
            "blurhash": lambda text: from_blurhash(text, (32, 32)),
            "thumbhash": from_thumbhash,
            "lqip": from_uri,
        }
        for name, picture_of in read.items():
            placeholders = [picture_of(about[name]) for about in facts]
            nearest = [
                min(range(len(shown)), key=lambda at: distance(placeholder, shown[at], (8, 8)))
                for placeholder in placeholders
            ]
            right = sum(index == at for at, index in enumerate(nearest))
            # For two photographs with much detail, the BlurHash is nearer to another one, by 2 of 255.
            assert right >= len(originals) - (2 if name == "blurhash" else 0), name


def test_a_placeholder_does_not_look_like_a_mirror_image() -> None:
    original = pictures.png()
    facts, shown = facts_of(original), render_image(original, Params(format="png"))
    for image in (
        from_blurhash(facts["blurhash"], (32, 32)),
        from_thumbhash(facts["thumbhash"]),
        from_uri(facts["lqip"]),
    ):
        straight = distance(image, shown, (4, 3))
        for way in (Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.FLIP_TOP_BOTTOM, Image.Transpose.ROTATE_180):
            assert straight < distance(image, shown.transpose(way), (4, 3)) / 2


@pytest.mark.parametrize("colour", [(255, 255, 255), (0, 0, 0), (220, 30, 40), (127, 128, 129)], ids=str)
@pytest.mark.parametrize("size", [(1, 1), (2, 1), (33, 7), (400, 300)], ids=str)
def test_one_colour_stays_one_colour(colour: tuple[int, int, int], size: tuple[int, int]) -> None:
    facts = facts_of(pictures.png(Image.new("RGB", size, colour)))
    # ThumbHash has 64 levels; WebP has a limited range of luminance, which rounds.
    for image, tolerance in (
        (from_blurhash(facts["blurhash"], (8, 8)), 1),
        (from_thumbhash(facts["thumbhash"]), 7),
        (from_uri(facts["lqip"]), 7),
    ):
        for across, down in itertools.product((0, 0.5, 0.99), repeat=2):
            assert near(colour_at(image, across, down), (*colour, 255), tolerance=tolerance)
    assert facts["color"] == f"#{bytes(colour).hex()}"


@pytest.mark.parametrize(
    ("size", "soft", "expected"),
    [
        pytest.param((32, 20), False, "3/cBDIKPK4qVhVlpaHf8esRHzw==", id="landscape"),
        pytest.param((11, 29), False, "3/cBCwKPlZaGd5lT/GujRr8=", id="portrait"),
        pytest.param((32, 32), False, "3/cBDwKPK4qVhVlpaHmHmGmEtb9HfPQL", id="square"),
        pytest.param((32, 8), False, "3/cBCoKPK5uVdYmH+mq1R78=", id="panorama"),
        pytest.param((20, 30), True, "H/iBAwAHn4WGdpj8esVIr59qtWN5ypk=", id="soft alpha"),
    ],
)
def test_a_thumbhash_matches_the_reference_implementation(size: tuple[int, int], soft: bool, expected: str) -> None:
    # Expected: the result of thumbhash.js 0.1.1 for these pixels.
    image = pictures.photograph(size).convert("RGBA")
    if soft:
        image.putalpha(image.getchannel("R"))
    assert thumbhash(image.tobytes(), size, size) == expected


@pytest.mark.parametrize("way", range(2, 9))
def test_a_placeholder_is_upright(way: int) -> None:
    upright, stored = (facts_of(pictures.oriented_photograph(way, (480, 320))) for way in (1, way))
    assert (stored["width"], stored["height"]) == (480, 320)
    # The JPEG blocks lie elsewhere in the turned picture, so the last digit of a wave may differ.
    one, other = (from_blurhash(facts["blurhash"], (32, 32)) for facts in (upright, stored))
    assert distance(one, other, (8, 8)) < 4
    one, other = (from_uri(facts["lqip"]) for facts in (upright, stored))
    assert distance(one, other, (8, 8)) < 4


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        pytest.param(Params(crop=None, width=40, height=40, fit=Fit.COVER, position=(0, 0)), "RED", id="cover"),
        pytest.param(Params(turn=3), "WHITE", id="rotate"),
        pytest.param(Params(turn=2), "GREEN", id="flip"),
        pytest.param(Params(width=900, height=60, fit=Fit.PAD, background=(40, 60, 210)), "BLUE", id="pad"),
    ],
)
def test_a_placeholder_shows_the_requested_picture(params: Params, expected: str) -> None:
    facts = facts_of(pictures.png(), **{name: getattr(params, name) for name in Params.__slots__ if name != "format"})
    # Check near a corner of the quarter: elsewhere a wave may overshoot.
    assert near(colour_at(from_uri(facts["lqip"]), 0.05, 0.1), getattr(pictures, expected), tolerance=40)
    assert (facts["width"], facts["height"], facts["format"]) == (90, 60, "png")


def test_a_profile_is_applied() -> None:
    plain, wide = (
        facts_of(pictures.png(Image.new("RGB", (60, 40), (200, 100, 50)), icc=icc))
        for icc in (b"", profiles.display_p3())
    )
    assert plain["color"] == "#c86432"
    assert near(tuple(bytes.fromhex(wide["color"][1:])), (215, 93, 31), tolerance=2)
    assert near(colour_at(from_uri(wide["lqip"]), 0.5, 0.5), (215, 93, 31), tolerance=8)


def test_thumbhash_and_lqip_are_transparent_where_the_picture_is_transparent() -> None:
    facts = facts_of(pictures.rgba_png())
    for image in (from_thumbhash(facts["thumbhash"]), from_uri(facts["lqip"])):
        assert colour_at(image, 0.1, 0.5)[3] > 200
        assert colour_at(image, 0.9, 0.5)[3] < 40


@pytest.mark.parametrize(("background", "expected"), [(None, (255, 255, 255)), ((10, 120, 60), (10, 120, 60))])
def test_blurhash_lays_transparency_on_bg_or_white(
    background: tuple[int, int, int] | None, expected: tuple[int, ...]
) -> None:
    original = pictures.png(Image.new("RGBA", (60, 40), (255, 0, 255, 0)))
    shown = from_blurhash(text_of(original, Params(format="blurhash", background=background)), (8, 8))
    assert near(colour_at(shown, 0.5, 0.5), expected, tolerance=1)
    opaque = from_thumbhash(text_of(original, Params(format="thumbhash", background=(10, 120, 60))))
    assert near(colour_at(opaque, 0.5, 0.5), (10, 120, 60, 255), tolerance=7)


def test_an_opaque_alpha_band_does_not_change_the_placeholders() -> None:
    opaque, plain = (facts_of(original) for original in (pictures.opaque_rgba_png(), pictures.png()))
    assert (opaque.pop("alpha"), plain.pop("alpha")) == (True, False)
    assert {**opaque, "bytes": 0} == {**plain, "bytes": 0}


def test_a_placeholder_of_an_animation_shows_its_first_frame() -> None:
    frames = [Image.new("RGB", (60, 40), colour) for colour in (pictures.RED, pictures.GREEN, pictures.BLUE)]
    for original in (pictures.animated_gif(frames, [100, 100, 100]), pictures.animated_webp(frames, [100, 100, 100])):
        facts = facts_of(original)
        assert facts["frames"] == 3
        assert near(tuple(bytes.fromhex(facts["color"][1:])), pictures.RED)
        assert near(colour_at(from_blurhash(facts["blurhash"], (8, 8)), 0.5, 0.5), pictures.RED)


def test_json_describes_the_original() -> None:
    original = pictures.oriented_jpeg(6, (400, 600))
    facts = facts_of(original, turn=6, width=20)
    assert list(facts) == [
        *("width", "height", "format", "frames", "alpha", "bytes"),
        *("color", "blurhash", "thumbhash", "lqip"),
    ]
    assert {name: facts[name] for name in ("width", "height", "format", "frames", "alpha", "bytes")} == {
        "width": 400,
        "height": 600,
        "format": "jpeg",
        "frames": 1,
        "alpha": False,
        "bytes": len(original),
    }


@pytest.mark.parametrize("original", DRAWN.values(), ids=DRAWN)
def test_json_contains_the_other_placeholders(original: bytes) -> None:
    facts = facts_of(original)
    for name in PLACEHOLDERS.keys() - {"json"}:
        assert text_of(original, Params(format=name)) == facts[name]


def _noise(mode: str, size: tuple[int, int]) -> Image.Image:
    return Image.frombytes(mode, size, random.Random(7).randbytes(len(mode) * size[0] * size[1]))


@pytest.mark.parametrize("size", [(32, 32), (32, 20), (9, 32), (32, 1)], ids=str)
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_an_lqip_is_short_for_any_pixels(mode: str, size: tuple[int, int]) -> None:
    uri = text_of(pictures.png(_noise(mode, size)), Params(format="lqip"))
    assert len(uri) < LQIP_CHARACTERS
    assert 8 <= max(from_uri(uri).size) <= 32


@pytest.mark.parametrize("name", ["blurhash", "thumbhash", "lqip", "json"])
@pytest.mark.parametrize("make", [laden.jpeg, laden.png, laden.webp, laden.gif, laden.avif])
def test_a_placeholder_contains_no_metadata_of_the_original(name: str, make: Callable[[], bytes]) -> None:
    # `from_uri` checks the data URI for metadata.
    text = text_of(make(), Params(format=name))
    assert len(text) < 800
    from_uri(facts_of(make())["lqip"])


def _sky_and_roof() -> Image.Image:
    """Draw two thirds of blue, with the noise of a photographed sky, above one third of red."""
    image = Image.new("RGB", (90, 90), (190, 40, 30))
    noise = random.Random(3)
    for x, y in itertools.product(range(90), range(60)):
        image.putpixel((x, y), (noise.randint(70, 90), noise.randint(130, 150), noise.randint(205, 223)))
    return image


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        pytest.param(_sky_and_roof(), (80, 140, 214), id="the larger part instead of the mean"),
        pytest.param(
            pictures.with_hole(Image.new("RGB", (9, 9), (1, 2, 3))), (1, 2, 3), id="transparent pixels do not count"
        ),
        pytest.param(
            Image.new("RGBA", (9, 9), (1, 2, 3, 0)), (255, 255, 255), id="white for a fully transparent picture"
        ),
        pytest.param(Image.new("LA", (9, 9), (77, 200)), (77, 77, 77), id="grey"),
        pytest.param(Image.new("L", (1, 1), 5), (5, 5, 5), id="one pixel"),
    ],
)
def test_the_dominant_colour_is_that_of_the_picture(image: Image.Image, expected: tuple[int, ...]) -> None:
    assert near(tuple(bytes.fromhex(dominant_colour(image)[1:])), expected, tolerance=6)
