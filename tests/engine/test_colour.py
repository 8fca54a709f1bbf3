import pytest
from PIL import Image

from imgcdn.core.params import Params
from tests import pictures
from tests.engine.variants import colour_at, developed, near

PATCH = (200, 100, 50)
# PATCH taken from Display P3 to sRGB, as LittleCMS and the matrices by hand agree.
PATCH_OF_P3 = (215, 93, 31)


def _patch(mode: str = "RGB") -> Image.Image:
    return Image.new("RGB", (32, 32), PATCH).convert(mode)


def _hole(image: Image.Image) -> Image.Image:
    image.paste((*PATCH, 0)[: len(image.getbands())], (16, 0, 32, 32))
    return image


@pytest.mark.parametrize(
    ("original", "expected"),
    [
        pytest.param(pictures.png(_patch(), icc=pictures.display_p3()), PATCH_OF_P3, id="p3 is converted"),
        pytest.param(pictures.png(_hole(_patch("RGBA")), icc=pictures.display_p3()), PATCH_OF_P3, id="p3 with alpha"),
        pytest.param(pictures.png(_patch().quantize(4), icc=pictures.display_p3()), PATCH_OF_P3, id="p3 in a palette"),
        pytest.param(pictures.png(_patch()), PATCH, id="no profile is srgb"),
        pytest.param(pictures.png(_patch(), icc=b"broken"), PATCH, id="broken is srgb"),
        pytest.param(pictures.png(_patch(), icc=pictures.display_p3()[:200]), PATCH, id="cut short is srgb"),
        pytest.param(pictures.png(_patch(), icc=pictures.linear_grey()), PATCH, id="grey profile on colour is ignored"),
        pytest.param(pictures.png(_patch(), icc=pictures.strange_press()), PATCH, id="press profile on rgb is ignored"),
        pytest.param(pictures.png(Image.new("L", (32, 32), 128)), (128, 128, 128), id="grey without profile"),
        pytest.param(
            pictures.png(Image.new("L", (32, 32), 128), icc=pictures.linear_grey()), (188, 188, 188), id="linear grey"
        ),
        pytest.param(
            pictures.png(Image.new("LA", (32, 32), (128, 255)), icc=pictures.linear_grey()),
            (188, 188, 188),
            id="linear grey with alpha",
        ),
        pytest.param(
            pictures.png(Image.new("L", (32, 32), 128), icc=pictures.display_p3()),
            (128, 128, 128),
            id="colour profile on grey is ignored",
        ),
    ],
)
def test_pixels_come_out_in_srgb(original: bytes, expected: tuple[int, int, int]) -> None:
    assert near(colour_at(developed(original, Params(format="png")), 0.2, 0.5), (*expected, 255), tolerance=2)


def test_a_profile_leaves_alpha_alone() -> None:
    image = developed(pictures.png(_hole(_patch("RGBA")), icc=pictures.display_p3()), Params(format="png"))
    assert colour_at(image, 0.9, 0.5)[3] == 0


@pytest.mark.parametrize(
    ("ink", "icc", "expected"),
    [
        pytest.param((0, 0, 0, 0), b"", (255, 255, 255), id="paper"),
        pytest.param((255, 0, 0, 0), b"", (0, 255, 255), id="cyan"),
        pytest.param((0, 0, 0, 255), b"", (0, 0, 0), id="black"),
        pytest.param((0, 0, 0, 0), pictures.strange_press(), (255, 255, 255), id="paper of the press"),
        pytest.param((255, 0, 0, 0), pictures.strange_press(), (0, 185, 54), id="cyan of the press"),
        pytest.param((255, 0, 0, 0), pictures.display_p3(), (0, 255, 255), id="rgb profile on cmyk is ignored"),
        pytest.param((255, 0, 0, 0), b"broken", (0, 255, 255), id="broken profile on cmyk"),
    ],
)
def test_adobe_inverted_inks_come_out_right(
    ink: tuple[int, int, int, int], icc: bytes, expected: tuple[int, int, int]
) -> None:
    original = pictures.jpeg(Image.new("CMYK", (32, 32), ink), icc=icc)
    assert near(colour_at(developed(original, Params(format="png")), 0.5, 0.5), expected, tolerance=6)


@pytest.mark.parametrize(
    ("original", "mode"),
    [
        pytest.param(pictures.grey_jpeg(), "L", id="grey jpeg"),
        pytest.param(pictures.grey_png(), "L", id="grey png"),
        pytest.param(pictures.grey_png(pictures.linear_grey()), "L", id="grey png with a profile"),
        pytest.param(pictures.grey_alpha_png(), "LA", id="grey and alpha"),
        pytest.param(pictures.grey_alpha_png(pictures.linear_grey()), "LA", id="grey and alpha with a profile"),
        pytest.param(pictures.wide_grey_png(), "L", id="16-bit grey"),
        pytest.param(pictures.keyed_wide_grey_png(), "LA", id="16-bit grey with a key"),
        pytest.param(
            pictures.png(pictures.photograph().convert("RGBA")), "RGB", id="alpha that says nothing is dropped"
        ),
    ],
)
def test_png_keeps_as_many_bands_as_say_something(original: bytes, mode: str) -> None:
    assert developed(original, Params(width=45, format="png")).mode == mode


def test_sixteen_bits_are_scaled_and_not_clipped() -> None:
    image = developed(pictures.wide_grey_png(), Params(format="png")).convert("L")
    found = image.crop((0, 30, 90, 31)).tobytes()
    assert all(abs(value - 255 * x / 89) <= 1 for x, value in enumerate(found))


def test_a_key_of_sixteen_bits_is_a_hole() -> None:
    image = developed(pictures.keyed_wide_grey_png(), Params(format="png"))
    assert colour_at(image, 0, 0.5)[3] == 0
    assert colour_at(image, 0.5, 0.5)[3] == 255


def test_a_keyed_colour_is_a_hole() -> None:
    image = developed(pictures.keyed_png(), Params(format="png"))
    assert colour_at(image, 0.8, 0.2)[3] == 0
    assert colour_at(image, 0.2, 0.2) == (*pictures.RED, 255)


def test_a_palettes_alphas_are_kept() -> None:
    image = developed(pictures.palette_png_with_transparency(), Params(format="png"))
    assert [colour_at(image, across, down)[3] for across, down in ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8))] == [255, 0, 128]


def test_a_palette_is_expanded_before_it_is_resized() -> None:
    stripes = Image.new("P", (64, 8))
    stripes.putpalette([0, 0, 0, 255, 255, 255])
    for x in range(0, 64, 2):
        stripes.paste(1, (x, 0, x + 1, 8))
    grey = colour_at(developed(pictures.png(stripes), Params(width=16, format="png")), 0.5, 0.5)
    assert near(grey, (128, 128, 128), tolerance=10)
