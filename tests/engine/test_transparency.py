"""Transparency that a file declares beside its pixels: a colour key, or the alphas of a palette."""

import pytest

from imgcdn.core.request.params import Params
from tests.support import pictures
from tests.support.variants import colour_at, render_image


def test_a_16_bit_colour_key_is_transparent() -> None:
    image = render_image(pictures.keyed_wide_grey_png(), Params(format="png"))
    assert colour_at(image, 0, 0.5)[3] == 0
    assert colour_at(image, 0.5, 0.5)[3] == 255


def test_a_colour_key_is_transparent() -> None:
    image = render_image(pictures.keyed_png(), Params(format="png"))
    assert colour_at(image, 0.8, 0.2)[3] == 0
    assert colour_at(image, 0.2, 0.2) == (*pictures.RED, 255)


def test_the_alphas_of_a_palette_are_kept() -> None:
    image = render_image(pictures.palette_png_with_transparency(), Params(format="png"))
    assert [colour_at(image, across, down)[3] for across, down in ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8))] == [255, 0, 128]


@pytest.mark.parametrize(
    "alphas",
    [
        pytest.param(bytes([128, 10] * 150), id="more than a palette can have"),
        pytest.param(bytes([128, 10, 128, 10, 128]), id="one too many"),
        pytest.param(b"\xff" * 4 + b"\0", id="one too many, one transparent"),
        pytest.param(b"\xff" * 280 + b"\0", id="more than a palette can have, one transparent"),
    ],
)
def test_alphas_of_more_colours_than_the_palette_has_are_ignored(alphas: bytes) -> None:
    image = render_image(pictures.palette_png_with_surplus_alphas(alphas), Params(format="png"))
    assert colour_at(image, 0.2, 0.2) == (*pictures.RED, 255)
    assert colour_at(image, 0.8, 0.2) == (*pictures.GREEN, 255)
