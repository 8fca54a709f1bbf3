import itertools

import pytest
from PIL import Image, ImageStat

from imgcdn.core.output.geometry import Fit
from imgcdn.core.request.params import Params
from tests.support import pictures
from tests.support.variants import colour_at, near, render_image


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
