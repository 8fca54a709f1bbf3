import itertools
from dataclasses import replace

import pytest
from PIL import Image, ImageChops, ImageStat

from imgcdn.core.output.geometry import Fit
from imgcdn.core.request.params import Params
from tests.support import pictures
from tests.support.variants import colour_at, decode_frames, near, render_image, variant


def _edge() -> Image.Image:
    """Draw a picture that is black left of the middle and light grey right of it."""
    image = Image.new("L", (80, 20), 40)
    image.paste(200, (40, 0, 80, 20))
    return image


def _row(image: Image.Image) -> list[int]:
    return list(image.convert("L").crop((0, 10, image.width, 11)).tobytes())


def _spread(image: Image.Image) -> float:
    return sum(ImageStat.Stat(image.convert("RGB")).stddev)


@pytest.mark.parametrize("sigma", [0.3, 1.0, 3.0, 8.0])
def test_a_blur_has_the_sigma_that_was_requested(sigma: float) -> None:
    row = _row(render_image(pictures.png(_edge()), Params(blur=sigma, format="png")))
    slopes = [abs(b - a) for a, b in itertools.pairwise(row)]
    centre = sum(x * slope for x, slope in enumerate(slopes)) / sum(slopes)
    variance = sum((x - centre) ** 2 * slope for x, slope in enumerate(slopes)) / sum(slopes)
    assert centre == pytest.approx(39, abs=0.3)
    assert variance**0.5 == pytest.approx(sigma, rel=0.1, abs=0.15)


def test_sigma_is_in_pixels_of_the_output() -> None:
    original = pictures.png(pictures.photograph((360, 240)))
    small, large = (_spread(render_image(original, Params(width=width, blur=3.0, format="png"))) for width in (40, 320))
    assert small < large


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (7, 5)])
def test_a_blur_may_be_wider_than_the_picture(size: tuple[int, int]) -> None:
    image = render_image(pictures.png(Image.new("RGB", size, pictures.RED)), Params(blur=250.0, format="png"))
    assert image.size == size
    assert near(colour_at(image, 0.5, 0.5), pictures.RED, tolerance=1)


@pytest.mark.parametrize("params", [Params(blur=3.0), Params(sharpen=4.0)], ids=["blur", "sharpen"])
@pytest.mark.parametrize(
    "original", [pictures.rgba_png(), pictures.grey_alpha_png()], ids=["hidden magenta", "hidden grey"]
)
def test_hidden_colours_do_not_bleed_into_visible_pixels(original: bytes, params: Params) -> None:
    plain = render_image(original, Params(format="png")).convert("RGBA")
    image = render_image(original, Params(blur=params.blur, sharpen=params.sharpen, format="png")).convert("RGBA")
    for across, down in ((0.45, 0.2), (0.49, 0.2), (0.45, 0.8), (0.49, 0.8)):
        assert near(colour_at(image, across, down)[:3], colour_at(plain, across, down)[:3], tolerance=6)


def test_a_blur_softens_the_edge_of_a_hole() -> None:
    image = render_image(pictures.rgba_png(), Params(blur=3.0, format="png"))
    alphas = [colour_at(image, x / 90, 0.2)[3] for x in range(35, 55)]
    assert alphas == sorted(alphas, reverse=True)
    assert 100 < alphas[10] < 156


def test_sharpening_does_not_change_alpha() -> None:
    plain, sharp = (render_image(pictures.rgba_png(), Params(width=31, sharpen=x, format="png")) for x in (0.0, 5.0))
    assert plain.convert("RGBA").getchannel("A").tobytes() == sharp.convert("RGBA").getchannel("A").tobytes()


def test_sharpening_grows_with_its_strength_and_does_not_change_flat_colours() -> None:
    rows = [_row(render_image(pictures.png(_edge()), Params(sharpen=x, format="png"))) for x in (0.0, 0.5, 1.0, 3.0)]
    steps = [row[40] - row[39] for row in rows]
    assert steps == sorted(set(steps))
    assert all(row[0] == 40 and row[30] == 40 and row[50] == 200 for row in rows)


def test_a_margin_is_not_blurred() -> None:
    params = Params(width=60, height=60, fit=Fit.PAD, blur=5.0, background=(9, 9, 9), format="png")
    image = render_image(pictures.png(Image.new("RGB", (90, 60), pictures.WHITE)), params)
    assert colour_at(image, 0.5, 9.5 / 60)[:3] == (9, 9, 9)
    assert near(colour_at(image, 0.5, 10.5 / 60), pictures.WHITE, tolerance=2)


def _flat(colour: tuple[int, ...], mode: str = "RGB") -> bytes:
    return pictures.png(Image.new(mode, (12, 8), colour))


@pytest.mark.parametrize(
    ("params", "colour", "expected"),
    [
        pytest.param(Params(brightness=2.0), (10, 100, 200), (20, 200, 255), id="brighter"),
        pytest.param(Params(brightness=0.5), (10, 101, 200), (5, 51, 100), id="darker, halves rounded up"),
        pytest.param(Params(brightness=0.0), (10, 100, 200), (0, 0, 0), id="no light"),
        pytest.param(Params(contrast=2.0), (10, 100, 200), (0, 73, 255), id="more contrast"),
        pytest.param(Params(contrast=0.0), (10, 100, 200), (128, 128, 128), id="no contrast"),
        pytest.param(Params(saturation=0.0), (200, 100, 50), (118, 118, 118), id="no saturation"),
        pytest.param(Params(saturation=2.0), (150, 100, 120), (188, 88, 128), id="more saturation"),
        pytest.param(Params(saturation=4.0), (100, 100, 100), (100, 100, 100), id="a grey has none to grow"),
        pytest.param(Params(grayscale=True), (200, 100, 50), (118, 118, 118), id="grey"),
        pytest.param(
            Params(brightness=2.0, contrast=0.0), (10, 100, 200), (128, 128, 128), id="contrast after brightness"
        ),
    ],
)
def test_colours_change_as_by_the_css_filter_of_the_same_name(
    params: Params, colour: tuple[int, int, int], expected: tuple[int, int, int]
) -> None:
    image = render_image(_flat(colour), replace(params, format="png"))

    assert near(colour_at(image, 0.5, 0.5)[:3], expected, tolerance=1)


@pytest.mark.parametrize("hundredths", [1, 29, 57, 115, 205, 399])
def test_brightness_rounds_halves_up(hundredths: int) -> None:
    ramp = pictures.png(Image.frombytes("L", (256, 1), bytes(range(256))))

    changed = render_image(ramp, Params(brightness=hundredths / 100, format="png"))

    assert list(changed.tobytes()) == [min((value * hundredths + 50) // 100, 255) for value in range(256)]


@pytest.mark.parametrize("hundredths", [1, 29, 57, 115, 205, 399])
def test_contrast_rounds_halves_up(hundredths: int) -> None:
    ramp = pictures.png(Image.frombytes("L", (256, 1), bytes(range(256))))

    changed = render_image(ramp, Params(contrast=hundredths / 100, format="png"))

    twice = [(2 * value - 255) * hundredths + 25_500 for value in range(256)]
    assert list(changed.tobytes()) == [min(max((value + 100) // 200, 0), 255) for value in twice]


@pytest.mark.parametrize("params", [Params(brightness=1.5), Params(contrast=4.0)], ids=["brightness", "contrast"])
def test_black_stays_black_and_white_stays_white(params: Params) -> None:
    for colour in (0, 0, 0), (255, 255, 255):
        assert colour_at(render_image(_flat(colour), replace(params, format="png")), 0.5, 0.5)[:3] == colour


EACH = [
    pytest.param(Params(brightness=1.5), id="brightness"),
    pytest.param(Params(contrast=1.5), id="contrast"),
    pytest.param(Params(saturation=0.2), id="saturation"),
    pytest.param(Params(grayscale=True), id="grayscale"),
]


@pytest.mark.parametrize("params", EACH)
@pytest.mark.parametrize("original", [pictures.rgba_png(), pictures.grey_alpha_png()], ids=["colour", "grey"])
def test_alpha_is_untouched(original: bytes, params: Params) -> None:
    plain, changed = (render_image(original, replace(each, format="png")) for each in (Params(), params))

    assert changed.convert("RGBA").getchannel("A").tobytes() == plain.convert("RGBA").getchannel("A").tobytes()


@pytest.mark.parametrize("params", EACH)
def test_the_background_keeps_the_colour_that_was_asked_for(params: Params) -> None:
    clear = pictures.png(Image.new("RGBA", (12, 8), (200, 50, 50, 0)))

    image = render_image(clear, replace(params, background=(10, 20, 30), format="png"))

    assert colour_at(image, 0.5, 0.5)[:3] == (10, 20, 30)


@pytest.mark.parametrize("params", [Params(saturation=0.2), Params(grayscale=True)], ids=["saturation", "grayscale"])
def test_a_grey_picture_has_no_colour_to_change(params: Params) -> None:
    plain, changed = (render_image(pictures.grey_png(), replace(each, format="png")) for each in (Params(), params))

    assert (changed.mode, changed.tobytes()) == (plain.mode, plain.tobytes())


def test_a_grey_jpeg_has_one_band() -> None:
    assert render_image(pictures.jpeg(), Params(grayscale=True, format="jpeg")).mode == "L"


@pytest.mark.parametrize("params", EACH)
def test_an_effect_is_not_dropped_from_a_small_jpeg_that_nothing_else_changes(params: Params) -> None:
    """Its own coding would be smaller than the output, and must not be sent."""
    original = pictures.jpeg(pictures.photograph((120, 80)), quality=20)

    plain, changed = (render_image(original, each) for each in (Params(), params))

    assert ImageChops.difference(plain.convert("RGB"), changed.convert("RGB")).getbbox() is not None


@pytest.mark.parametrize("fmt", ["gif", "webp"])
def test_every_frame_of_an_animation_is_grey(fmt: str) -> None:
    frames = [Image.new("RGB", (60, 40), colour) for colour in (pictures.RED, pictures.GREEN, pictures.BLUE)]
    original = pictures.animated_gif(frames, [100, 100, 100])

    shown = decode_frames(variant(original, Params(grayscale=True, format=fmt)).body)

    assert len(shown) == 3
    for frame in shown:
        red, green, blue, _ = colour_at(frame.image, 0.5, 0.5)
        assert max(red, green, blue) - min(red, green, blue) <= 4
