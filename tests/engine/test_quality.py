"""q=auto: the q it chooses for drawn pictures, and how close it came for measured photographs."""

import pytest
from PIL import Image, ImageFilter

from bench.fit.auto import QUALITIES, found_looks, read
from imgcdn.core.encoders.encoding import Encoding, photograph_encoding
from imgcdn.core.request.params import Params
from imgcdn.engine.encode import choose_quality, encode, least_q
from imgcdn.engine.quality import search
from tests.support import pictures
from tests.support.paths import ROOT
from tests.support.planning import FAST
from tests.support.variants import decode_variant, make_plan, variant

MEASURED = ROOT / "docs" / "quality" / "auto.csv"
ENCODERS = ("jpeg", "webp", "svt", "aom")


def smooth(size: tuple[int, int] = (300, 240)) -> Image.Image:
    return pictures.photograph(size).filter(ImageFilter.GaussianBlur(8))


def noisy(size: tuple[int, int] = (300, 240)) -> Image.Image:
    """Draw a smooth picture with the grain of a dark scene."""
    grain = Image.effect_noise(size, 40).convert("RGB")
    return Image.blend(smooth(size), grain, 0.5)


def hide_two_thirds(hidden: Image.Image) -> Image.Image:
    """Draw a picture whose left third is visible; the rest has these pixels but is transparent."""
    image = pictures.photograph(hidden.size)
    image.paste(hidden.crop((100, 0, *hidden.size)), (100, 0))
    alpha = Image.new("L", hidden.size, 0)
    alpha.paste(255, (0, 0, 100, hidden.height))
    image.putalpha(alpha)
    return image


@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_higher_target_gets_a_higher_q(encoder: str) -> None:
    found = [least_q(pictures.photograph((320, 240)), target, encoder) for target in range(40, 91, 10)]
    assert found == sorted(found)
    assert found[0] + 20 < found[-1]


@pytest.mark.parametrize("target", [40, 60, 75, 90])
@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize(
    "image",
    [
        pytest.param(Image.new("RGB", (300, 200), (200, 30, 90)), id="flat"),
        pytest.param(Image.new("L", (300, 200), 0), id="black"),
        pytest.param(Image.new("RGBA", (300, 200), (9, 9, 9, 0)), id="invisible"),
        pytest.param(Image.effect_noise((300, 200), 120), id="noise"),
        pytest.param(Image.new("RGB", (1, 1), "white"), id="one pixel"),
        pytest.param(Image.new("LA", (8, 8), (90, 128)), id="eight pixels"),
        pytest.param(Image.new("RGB", (8192, 20), "navy"), id="a line"),
        pytest.param(Image.new("L", (3, 900), 7), id="a thin line"),
    ],
)
def test_q_stays_within_its_bounds_for_any_picture(image: Image.Image, encoder: str, target: int) -> None:
    assert 20 <= least_q(image, target, encoder) <= 95
    assert least_q(image, 75, encoder) >= 38, "at most 20 points below the need of a typical photograph"


@pytest.mark.parametrize("encoder", ENCODERS)
def test_grain_needs_a_higher_q_than_a_smooth_picture(encoder: str) -> None:
    assert least_q(noisy(), 75, encoder) > least_q(smooth(), 75, encoder)


@pytest.mark.parametrize("mode", ["L", "RGB", "LA", "RGBA"])
def test_q_does_not_depend_on_the_mode(mode: str) -> None:
    grey = pictures.photograph((320, 240)).convert("L")
    assert least_q(grey.convert(mode), 75, "webp") == least_q(grey, 75, "webp")


def test_transparent_pixels_do_not_count() -> None:
    found = {
        least_q(hide_two_thirds(hidden), 75, "webp") for hidden in (smooth(), noisy(), Image.new("RGB", (300, 240)))
    }
    assert len(found) == 1


def test_all_parts_of_a_large_picture_count() -> None:
    half_and_half = smooth((1200, 900))
    half_and_half.paste(noisy((600, 900)), (600, 0))
    smooth_q, mixed_q, noisy_q = (
        least_q(image, 75, "jpeg") for image in (smooth((1200, 900)), half_and_half, noisy((1200, 900)))
    )
    assert smooth_q < mixed_q <= noisy_q


@pytest.mark.parametrize("target", [45, 60, 75, 85])
@pytest.mark.parametrize("shift", [-12, -3, 0, 3, 12])
def test_two_tries_suffice_for_a_picture_that_is_harder_by_some_points(target: int, shift: int) -> None:
    tried: list[int] = []

    def measure(q: int) -> float:
        tried.append(q)
        return q * 0.9 + 6 - shift

    q = search(target, measure)
    assert abs(q * 0.9 + 6 - shift - target) <= 4 or q == 95
    assert len(tried) <= 2


@pytest.mark.parametrize("fmt", ["jpeg", "webp", "avif"])
def test_an_encoding_follows_the_target(fmt: str) -> None:
    original = pictures.jpeg(pictures.photograph((500, 400)))
    low, high = (variant(original, Params(format=fmt, q=None, target=target)) for target in (50, 85))
    assert len(low.body) < len(high.body)
    assert low.format == high.format == fmt


def test_the_encoding_has_the_chosen_q() -> None:
    image = pictures.photograph((320, 240))
    plan = make_plan(pictures.jpeg(image), Params(format="jpeg", q=None))
    q = least_q(image, 75, "jpeg")
    encoding = photograph_encoding(plan, FAST)
    assert choose_quality(image, encoding) == Encoding("jpeg", "jpeg", q)
    assert encode(image, encoding).body == encode(image, Encoding("jpeg", "jpeg", q)).body


def test_an_animation_has_one_quality() -> None:
    frames = [pictures.photograph((300, 240)), smooth(), noisy()]
    original = pictures.animated_webp(frames, [100, 100, 100])
    low, high = (variant(original, Params(format="webp", q=None, target=target)) for target in (45, 85))
    assert (low.frames, high.frames) == (3, 3)
    assert len(low.body) < len(high.body)


def test_a_picture_trimmed_to_two_rows_is_still_an_avif() -> None:
    drawn = Image.new("RGB", (300, 300), "white")
    drawn.paste((200, 0, 0), (10, 100, 290, 102))
    found = variant(pictures.png(drawn), Params(format="avif", q=None, trim=0))
    assert decode_variant(found).size == (280, 2)


@pytest.mark.parametrize("encoder", QUALITIES)
def test_four_of_five_measured_photographs_are_within_four_points(encoder: str) -> None:
    held_out = [row for row in read(MEASURED) if row.is_held_out]
    found = found_looks(held_out, 75, encoder=encoder)
    assert len(found) >= 30
    assert sum(abs(look - 75) <= 4 for look in found) >= 0.8 * len(found)
