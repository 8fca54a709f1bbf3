import io
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from imgcdn.core.encoders.effort import Budget
from imgcdn.core.output.plan import plan_for
from imgcdn.core.request.params import Params
from imgcdn.core.values import Effort, EncodedImage
from imgcdn.engine.graphics import is_graphic
from imgcdn.engine.probe import probe
from imgcdn.engine.render import render
from imgcdn.engine.resample import resize
from tests.support import drawings, pictures
from tests.support.paths import CORPUS, SAMPLES
from tests.support.planning import FAST, LIMITS, THOROUGH
from tests.support.variants import MAX_PIXELS, decode_variant

Draw = Callable[[], Image.Image]

PHOTOS = CORPUS / "photos"

WIDTHS = (200, 320, 400, 500, 640, 800, 1000, 2000)

BOTH = ("avif", "webp")


def _at(image: Image.Image, width: int) -> Image.Image:
    if width >= image.width:
        return image
    return image.resize((width, max(1, round(image.height * width / image.width))), Image.Resampling.LANCZOS)


def _as_rendered(image: Image.Image, width: int) -> Image.Image:
    """Resize as a render does, which takes a tenth of the time of `_at`."""
    if width >= image.width:
        return image
    return resize(image, (width, max(1, round(image.height * width / image.width))), (0, 0, *image.size))


def _variant(
    image: Image.Image, params: Params, client: tuple[str, ...] = (), *, budget: Budget = FAST
) -> EncodedImage:
    file = io.BytesIO(pictures.png(image))
    return render(file, plan_for(probe(file, max_pixels=MAX_PIXELS), params, client, LIMITS), budget)


@pytest.mark.parametrize(
    ("draw", "least"),
    [
        pytest.param(drawings.red_text, 200, id="text in one ink"),
        pytest.param(drawings.grey_text, 200, id="text in grey"),
        pytest.param(drawings.dark_page, 500, id="light text on dark"),
        pytest.param(drawings.code, 400, id="text in many inks"),
        pytest.param(drawings.screenshot, 200, id="screenshot"),
        pytest.param(drawings.bars, 200, id="bar chart"),
        pytest.param(drawings.pie, 200, id="pie chart"),
        pytest.param(drawings.logo, 200, id="logo with transparency"),
        pytest.param(drawings.card, 800, id="letters on a gradient"),
        pytest.param(drawings.pixel_art, 320, id="pixel art"),
        pytest.param(drawings.code_squares, 200, id="qr code"),
        pytest.param(drawings.comic, 320, id="outlined colours"),
    ],
)
def test_a_drawn_graphic_is_recognised_from_this_width_on(draw: Draw, least: int) -> None:
    image = draw()
    assert {width: is_graphic(_at(image, width)) for width in WIDTHS if width >= least} == {
        width: True for width in WIDTHS if width >= least
    }


def _photograph() -> Image.Image:
    return drawings.textured()


@pytest.mark.parametrize(
    "draw",
    [
        pytest.param(_photograph, id="drawn photograph"),
        pytest.param(lambda: pictures.photograph((1200, 800)), id="smooth photograph"),
        pytest.param(lambda: _photograph().convert("L"), id="grey photograph"),
        pytest.param(lambda: drawings.studio(_photograph()), id="before a studio's white"),
        pytest.param(lambda: drawings.studio(_photograph()).convert("L"), id="before a studio's white, in grey"),
        pytest.param(lambda: drawings.night(_photograph()), id="at night"),
        pytest.param(lambda: drawings.vignette(_photograph()), id="with a vignette"),
        pytest.param(lambda: drawings.window_with(_photograph()), id="screenshot that is mostly a photograph"),
        pytest.param(drawings.gradient, id="gradient"),
        pytest.param(drawings.scan, id="scanned page"),
        pytest.param(drawings.noisy_comic, id="comic with noise"),
        pytest.param(lambda: Image.new("RGB", (8, 400), "red"), id="too narrow to decide"),
    ],
)
def test_a_picture_that_is_not_a_graphic_is_not_recognised_as_one(draw: Draw) -> None:
    image = draw()
    assert [width for width in WIDTHS if is_graphic(_at(image, width))] == []


def test_the_colour_of_transparent_pixels_does_not_count() -> None:
    logo, photograph = drawings.logo(), _photograph().resize((800, 400))
    hidden = photograph.convert("RGBA")
    hidden.putalpha(0)
    hidden.paste(logo, mask=logo.getchannel("A").point(lambda alpha: 255 if alpha else 0))
    assert is_graphic(hidden) is is_graphic(logo) is True


def test_a_picture_of_one_colour_raises_no_error() -> None:
    for mode in ("L", "LA", "RGB", "RGBA"):
        for size in ((1, 1), (9, 9), (300, 10), (10, 300), (300, 300)):
            is_graphic(Image.new(mode, size))


def test_recognising_a_graphic_takes_less_than_five_milliseconds() -> None:
    photograph = _photograph().resize((4000, 2667))
    times = []
    for _ in range(5):
        start = time.perf_counter()
        is_graphic(photograph)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.005


@pytest.mark.parametrize(
    ("draw", "params", "client", "formats"),
    [
        pytest.param(drawings.screenshot, Params(), BOTH, {"webp"}, id="to a browser"),
        pytest.param(drawings.code, Params(width=640), BOTH, {"avif"}, id="lossless is larger"),
        pytest.param(drawings.screenshot, Params(width=640), ("avif",), {"avif"}, id="client accepts avif alone"),
        pytest.param(
            drawings.code_squares, Params(), ("avif",), {"png"}, id="client accepts avif alone, png is smaller"
        ),
        pytest.param(drawings.bars, Params(width=640), (), {"png"}, id="client accepts neither"),
        pytest.param(drawings.red_text, Params(width=640), (), {"jpeg"}, id="client accepts neither, png is larger"),
        pytest.param(drawings.logo, Params(width=640), (), {"png"}, id="client accepts neither, with alpha"),
        pytest.param(drawings.screenshot, Params(width=640, format="avif"), (), {"avif"}, id="avif requested"),
        pytest.param(drawings.screenshot, Params(format="webp"), (), {"webp"}, id="webp requested"),
        pytest.param(drawings.screenshot, Params(width=640, format="jpeg"), (), {"jpeg"}, id="jpeg requested"),
    ],
)
def test_a_graphic_is_sent_in_the_smallest_encoding(
    draw: Draw, params: Params, client: tuple[str, ...], formats: set[str]
) -> None:
    encoded = _variant(draw(), params, client)
    assert {encoded.format, (decode_variant(encoded).format or "").lower()} == formats


@pytest.mark.parametrize(
    ("params", "client", "expected"),
    [
        pytest.param(Params(width=640), (), ("png", Effort.THOROUGH), id="png in place of a jpeg"),
        pytest.param(
            Params(width=640), ("webp",), ("webp", Effort.THOROUGH), id="lossless webp in place of a lossy one"
        ),
        pytest.param(Params(width=640, format="png"), (), ("png", Effort.FAST), id="png, which takes no more time"),
    ],
)
def test_a_graphic_has_the_effort_of_the_planned_format_whichever_file_is_the_smallest(
    params: Params, client: tuple[str, ...], expected: tuple[str, Effort]
) -> None:
    fast, thorough = (_variant(drawings.bars(), params, client, budget=budget) for budget in (FAST, THOROUGH))

    assert (fast.format, fast.effort) == (expected[0], Effort.FAST)
    assert (thorough.format, thorough.effort) == expected


@pytest.mark.parametrize(
    ("params", "client"),
    [
        pytest.param(Params(), BOTH, id="to a browser"),
        pytest.param(Params(format="webp"), (), id="webp requested"),
        pytest.param(Params(q=20), ("webp",), id="at a low quality"),
        pytest.param(Params(), (), id="to a client that accepts neither avif nor webp"),
    ],
)
def test_a_screenshot_loses_nothing(params: Params, client: tuple[str, ...]) -> None:
    found = decode_variant(_variant(drawings.screenshot(), params, client)).convert("RGB")
    assert ImageChops.difference(found, drawings.screenshot()).getbbox() is None


@pytest.mark.parametrize("name", ["avif", "jpeg", "webp"])
def test_red_text_on_white_does_not_smear(name: str) -> None:
    page = _at(drawings.red_text(), 640)
    found = decode_variant(_variant(page, Params(format=name))).convert("RGB")
    # In a JPEG with 4:2:0 the letters become a dull brown: on average 110 steps less red.
    lost = ImageChops.subtract(_redness(page), _redness(found))
    letters = _redness(page).point(lambda value: 255 if value > 200 else 0)
    histogram = lost.histogram(letters)
    assert sum(step * count for step, count in enumerate(histogram)) / sum(histogram) < 20


def _redness(image: Image.Image) -> Image.Image:
    return ImageChops.subtract(image.getchannel("R"), image.getchannel("G"))


def test_a_photograph_is_encoded_as_planned() -> None:
    for client, name in ((BOTH, "avif"), (("webp",), "webp"), ((), "jpeg")):
        assert _variant(_photograph(), Params(width=640), client).format == name


def test_an_animation_of_graphics_is_encoded_as_planned() -> None:
    frames = [drawings.bars().resize((300, 210)), drawings.pie().resize((300, 210))]
    file = io.BytesIO(pictures.animated_gif(frames, [100, 100]))
    encoded = render(file, plan_for(probe(file, max_pixels=MAX_PIXELS), Params(), BOTH, LIMITS), FAST)
    assert (encoded.format, encoded.frames) == ("webp", 2)


_SEEN = sorted(PHOTOS.glob("*")) if PHOTOS.is_dir() else []
# A moon in a black sky on a white page looks like a drawn black disc.
_MOON = "camera-kodak-pixpro-fz201.jpg"

_SEEN += [
    SAMPLES / name for name in ("astronaut.png", "chelsea.png", "coffee.png", "hubble_deep_field.jpg", "rocket.jpg")
]


_CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "as it is": lambda image: image,
    "in grey": lambda image: image.convert("L"),
    "before a studio's white": drawings.studio,
    "with black shadows": drawings.night,
    "with a vignette": drawings.vignette,
}


@pytest.mark.parametrize("path", [pytest.param(path, id=f"{path.parent.name}/{path.name}") for path in _SEEN])
def test_a_photograph_is_not_recognised_as_a_graphic(path: Path) -> None:
    file = Image.open(path)
    file.draft("RGB", (1600, 1600))
    photograph = file.convert("L" if file.mode == "L" else "RGB")
    photograph.thumbnail((1600, 1600))
    for name, change in _CHANGES.items():
        image = photograph if path.name == _MOON and change is drawings.studio else change(photograph)
        assert [width for width in WIDTHS if is_graphic(_as_rendered(image, width))] == [], name


@pytest.mark.parametrize("name", ["chart.png", "logo.png"])
def test_a_sample_graphic_is_recognised(name: str) -> None:
    assert is_graphic(Image.open(SAMPLES / name).convert("RGBA"))
