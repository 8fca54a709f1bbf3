import io

import pytest
from PIL import Image, ImageChops, ImageStat

from imgcdn.core.geometry import Fit
from imgcdn.core.params import Params
from imgcdn.core.plan import Limits, plan_for
from imgcdn.engine.decode import decode
from imgcdn.engine.probe import probe
from tests import pictures
from tests.engine.variants import developed


def _error(found: Image.Image, wanted: Image.Image) -> float:
    """Mean square difference over all bands."""
    stat = ImageStat.Stat(ImageChops.difference(found.convert("RGB"), wanted.convert("RGB")))
    return sum(stat.sum2) / sum(stat.count)


@pytest.mark.parametrize("width", [100, 200, 333, 640])
def test_a_draft_differs_little_from_the_full_decode(width: int) -> None:
    original = pictures.jpeg(pictures.photograph((803, 601)))
    full = Image.open(io.BytesIO(original)).convert("RGB")
    found = developed(original, Params(width=width, format="png"))
    assert _error(found, full.resize(found.size, Image.Resampling.LANCZOS)) < 2.0


@pytest.mark.parametrize(
    ("params", "scale"),
    [
        pytest.param(Params(), 1, id="whole size"),
        pytest.param(Params(width=500), 1, id="half would leave no margin"),
        pytest.param(Params(width=399), 2, id="half"),
        pytest.param(Params(width=199), 4, id="quarter"),
        pytest.param(Params(width=99), 8, id="eighth"),
        pytest.param(Params(width=10), 8, id="no smaller than an eighth"),
        pytest.param(Params(width=99, height=600, fit=Fit.FILL), 1, id="the edge that shrinks least decides"),
        pytest.param(Params(width=300, height=300, fit=Fit.COVER), 2, id="a crop counts at its own scale"),
    ],
)
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_jpeg_is_decoded_with_a_quarter_more_pixels_than_needed(params: Params, scale: int, orientation: int) -> None:
    file = io.BytesIO(pictures.oriented_jpeg(orientation, (1000, 750)))
    plan = plan_for(probe(file, max_pixels=10**6), params, (), Limits())
    picture = decode(file, plan)
    assert picture.scale == scale
    assert sorted(picture.image.size) == [-(-750 // scale), -(-1000 // scale)]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_drafted_picture_is_not_shifted_by_its_orientation(orientation: int) -> None:
    # One source pixel more than a multiple of 8: counting the last, nearly empty pixel whole would shift the middle.
    size = (1601, 1201)
    found = developed(pictures.oriented_jpeg(orientation, size), Params(width=100, format="png"))
    wanted = pictures.chart(size).resize(found.size, Image.Resampling.LANCZOS)
    assert _error(found, wanted) < 12.0


@pytest.mark.parametrize(
    ("position", "kept"),
    [
        pytest.param((0, 50), pictures.RED, id="left"),
        pytest.param((100, 50), pictures.GREEN, id="right"),
    ],
)
def test_a_cover_crop_keeps_its_side(position: tuple[int, int], kept: tuple[int, int, int]) -> None:
    image = developed(
        pictures.png(), Params(width=20, height=60, fit=Fit.COVER, position=position, format="png")
    ).convert("RGB")
    assert image.size == (20, 60)
    assert {image.getpixel((x, 10)) for x in (0, 10, 19)} == {kept}


def test_a_crop_may_end_between_pixels() -> None:
    # 3 of 4 pixels, centred: from 0.5 to 3.5, so each outer output pixel is half one and half the next.
    row = Image.new("L", (4, 1))
    for x, value in enumerate((0, 80, 160, 240)):
        row.putpixel((x, 0), value)
    wide = row.resize((4, 3), Image.Resampling.NEAREST)
    image = developed(pictures.png(wide), Params(width=3, height=3, fit=Fit.COVER, format="png"))
    values = [image.convert("L").getpixel((x, 1)) for x in range(3)]
    assert values == pytest.approx([40, 120, 200], abs=12)


def test_equal_size_changes_no_pixel() -> None:
    original = pictures.photograph()
    found = developed(pictures.png(original), Params(format="png"))
    assert ImageChops.difference(found, original).getbbox() is None
