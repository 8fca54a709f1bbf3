"""q=auto: what it finds in drawn pictures, and how near it came in measured photographs."""

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
    """A smooth picture under the grain of a dark room."""
    grain = Image.effect_noise(size, 40).convert("RGB")
    return Image.blend(smooth(size), grain, 0.5)


def holed(hidden: Image.Image) -> Image.Image:
    """A picture of which the left third is seen, and the rest, whatever it is, is not."""
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
        pytest.param(Image.effect_noise((300, 200), 120), id="mere noise"),
        pytest.param(Image.new("RGB", (1, 1), "white"), id="one pixel"),
        pytest.param(Image.new("LA", (8, 8), (90, 128)), id="eight pixels"),
        pytest.param(Image.new("RGB", (8192, 20), "navy"), id="a line"),
        pytest.param(Image.new("L", (3, 900), 7), id="a thin line"),
    ],
)
def test_no_picture_drives_q_out_of_bounds(image: Image.Image, encoder: str, target: int) -> None:
    assert 20 <= least_q(image, target, encoder) <= 95
    assert least_q(image, 75, encoder) >= 38, "at most 20 points below what the typical photograph needs"


@pytest.mark.parametrize("encoder", ENCODERS)
def test_grain_costs_more_q_than_a_smooth_picture(encoder: str) -> None:
    assert least_q(noisy(), 75, encoder) > least_q(smooth(), 75, encoder)


@pytest.mark.parametrize("mode", ["L", "RGB", "LA", "RGBA"])
def test_every_mode_is_judged(mode: str) -> None:
    grey = pictures.photograph((320, 240)).convert("L")
    assert least_q(grey.convert(mode), 75, "webp") == least_q(grey, 75, "webp")


def test_what_is_transparent_does_not_count() -> None:
    found = {least_q(holed(hidden), 75, "webp") for hidden in (smooth(), noisy(), Image.new("RGB", (300, 240)))}
    assert len(found) == 1


def test_one_part_of_a_large_picture_does_not_stand_for_all() -> None:
    half_and_half = smooth((1200, 900))
    half_and_half.paste(noisy((600, 900)), (600, 0))
    smooth_q, mixed_q, noisy_q = (
        least_q(image, 75, "jpeg") for image in (smooth((1200, 900)), half_and_half, noisy((1200, 900)))
    )
    assert smooth_q < mixed_q <= noisy_q


@pytest.mark.parametrize("target", [45, 60, 75, 85])
@pytest.mark.parametrize("shift", [-12, -3, 0, 3, 12])
def test_a_picture_that_is_harder_by_some_points_is_found_in_two_tries(target: int, shift: int) -> None:
    asked: list[int] = []

    def look_at(q: int) -> float:
        asked.append(q)
        return q * 0.9 + 6 - shift

    q = search(target, look_at)
    assert abs(q * 0.9 + 6 - shift - target) <= 4 or q == 95
    assert len(asked) <= 2


@pytest.mark.parametrize("fmt", ["jpeg", "webp", "avif"])
def test_an_encoding_follows_the_target(fmt: str) -> None:
    original = pictures.jpeg(pictures.photograph((500, 400)))
    low, high = (variant(original, Params(format=fmt, q=None, target=target)) for target in (50, 85))
    assert len(low.body) < len(high.body)
    assert low.format == high.format == fmt


def test_an_encoding_is_the_one_of_the_q_that_was_found() -> None:
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


def test_a_picture_that_is_trimmed_to_a_sliver_is_still_an_avif() -> None:
    drawn = Image.new("RGB", (300, 300), "white")
    drawn.paste((200, 0, 0), (10, 100, 290, 102))
    found = variant(pictures.png(drawn), Params(format="avif", q=None, trim=0))
    assert decode_variant(found).size == (280, 2)


@pytest.mark.parametrize("encoder", QUALITIES)
def test_four_of_five_measured_photographs_come_within_four_points(encoder: str) -> None:
    held_out = [row for row in read(MEASURED) if row.is_held_out]
    found = found_looks(held_out, 75, encoder=encoder)
    assert len(found) >= 30
    assert sum(abs(look - 75) <= 4 for look in found) >= 0.8 * len(found)
