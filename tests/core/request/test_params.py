"""Which values parameters accept, and what they mean."""

import pytest

from imgcdn.core.output.geometry import Crop, Fit, Smart
from imgcdn.core.request.params import Params, collect, parse_params
from imgcdn.core.request.words import POSITIONS


def params_of(*pairs: tuple[str, str], max_dimension: int = 8192) -> Params:
    return parse_params(collect(pairs), max_dimension=max_dimension)


def test_without_parameters_the_defaults_apply() -> None:
    assert params_of() == Params()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        pytest.param("w", "1", Params(width=1), id="w least"),
        pytest.param("w", "8192", Params(width=8192), id="w most"),
        pytest.param("w", "0400", Params(width=400), id="w with a leading zero"),
        pytest.param("h", "300", Params(height=300), id="h"),
        pytest.param("dpr", "3", Params(), id="dpr without a size has no effect"),
        pytest.param("fit", "contain", Params(), id="fit contain"),
        pytest.param("fit", "cover", Params(fit=Fit.COVER), id="fit cover"),
        pytest.param("fit", "fill", Params(fit=Fit.FILL), id="fit fill"),
        pytest.param("fm", "auto", Params(), id="fm auto"),
        pytest.param("fm", "avif", Params(format="avif"), id="fm avif"),
        pytest.param("fm", "webp", Params(format="webp"), id="fm webp"),
        pytest.param("fm", "jpg", Params(format="jpeg"), id="fm jpg"),
        pytest.param("fm", "jpeg", Params(format="jpeg"), id="fm jpeg"),
        pytest.param("fm", "png", Params(format="png"), id="fm png"),
        pytest.param("fm", "gif", Params(format="gif"), id="fm gif"),
        pytest.param("fm", "blurhash", Params(format="blurhash"), id="fm blurhash"),
        pytest.param("fm", "thumbhash", Params(format="thumbhash"), id="fm thumbhash"),
        pytest.param("fm", "lqip", Params(format="lqip"), id="fm lqip"),
        pytest.param("fm", "json", Params(format="json"), id="fm json"),
        pytest.param("q", "1", Params(q=1), id="q least"),
        pytest.param("q", "100", Params(q=100), id="q most"),
        pytest.param("q", "auto", Params(q=None), id="q auto"),
        pytest.param("quality", "auto", Params(q=None), id="quality auto"),
        pytest.param("bg", "f0a", Params(background=(255, 0, 170)), id="bg three digits"),
        pytest.param("bg", "FF00aa", Params(background=(255, 0, 170)), id="bg six digits"),
        pytest.param("bg", "000", Params(background=(0, 0, 0)), id="bg black"),
        pytest.param("enlarge", "0", Params(), id="enlarge off"),
        pytest.param("enlarge", "1", Params(enlarge=True), id="enlarge on"),
        pytest.param("still", "0", Params(), id="still off"),
        pytest.param("still", "1", Params(still=True), id="still on"),
        pytest.param("position", "center", Params(), id="position center"),
        pytest.param("position", "top", Params(position=(50, 0)), id="position top"),
        pytest.param("position", "bottom", Params(position=(50, 100)), id="position bottom"),
        pytest.param("position", "left", Params(position=(0, 50)), id="position left"),
        pytest.param("position", "right", Params(position=(100, 50)), id="position right"),
        pytest.param("position", "top left", Params(position=(0, 0)), id="position pair"),
        pytest.param("position", "left,bottom", Params(position=(0, 100)), id="position pair with a comma"),
        pytest.param("position", "right center", Params(position=(100, 50)), id="position pair with a center"),
        pytest.param("position", "0.25,0.9", Params(position=(25, 90)), id="position focal"),
        pytest.param("position", "0,1", Params(position=(0, 100)), id="position focal, whole"),
        pytest.param("position", "0.5,0.50", Params(), id="position focal, center"),
        pytest.param("position", "smart", Params(position=Smart.SUBJECT), id="position smart"),
        pytest.param("position", "0.29,1.00", Params(position=(29, 100)), id="position focal, exact in decimal"),
        pytest.param("fit", "pad", Params(fit=Fit.PAD), id="fit pad"),
        pytest.param("bg", "FF00aa80", Params(background=(255, 0, 170, 128)), id="bg eight digits"),
        pytest.param("bg", "FF00aaff", Params(background=(255, 0, 170)), id="bg eight digits, opaque"),
        pytest.param("bg", "FF00aa00", Params(background=(0, 0, 0, 0)), id="bg clear"),
        pytest.param("rotate", "90", Params(turn=6), id="rotate 90"),
        pytest.param("rotate", "180", Params(turn=3), id="rotate 180"),
        pytest.param("rotate", "270", Params(turn=8), id="rotate 270"),
        pytest.param("flip", "h", Params(turn=2), id="flip h"),
        pytest.param("flip", "v", Params(turn=4), id="flip v"),
        pytest.param("flip", "hv", Params(turn=3), id="flip hv equals a half turn"),
        pytest.param("trim", "0", Params(trim=0), id="trim with tolerance 0"),
        pytest.param("trim", "255", Params(trim=255), id="trim most"),
        pytest.param("crop", "10,20,30,40", Params(crop=Crop(10, 20, 30, 40, relative=False)), id="crop in pixels"),
        pytest.param("crop", "0,0,1,1", Params(crop=Crop(0, 0, 1, 1, relative=False)), id="crop of one pixel"),
        pytest.param("crop", "0.25,0,1,0.5", Params(crop=Crop(25, 0, 100, 50, relative=True)), id="crop in fractions"),
        pytest.param(
            "crop", "0,0,1,1.0", Params(crop=Crop(0, 0, 100, 100, relative=True)), id="crop with one decimal point"
        ),
        pytest.param("blur", "0.3", Params(blur=0.3), id="blur least"),
        pytest.param("blur", "250", Params(blur=250.0), id="blur most"),
        pytest.param("blur", "2.50", Params(blur=2.5), id="blur with a trailing zero"),
        pytest.param("sharpen", "0", Params(), id="sharpen zero"),
        pytest.param("sharpen", "0.75", Params(sharpen=0.75), id="sharpen"),
        pytest.param("sharpen", "10", Params(sharpen=10.0), id="sharpen most"),
    ],
)
def test_a_value_is_accepted(name: str, value: str, expected: Params) -> None:
    assert params_of((name, value)) == expected


@pytest.mark.parametrize(
    ("dpr", "edge", "expected"),
    [
        pytest.param("2", "400", 800, id="twice"),
        pytest.param("1.5", "333", 500, id="a half rounds up"),
        pytest.param("0.5", "1", 1, id="half of one becomes one"),
        pytest.param("0.75", "301", 226, id="less than one becomes one"),
        pytest.param("1.01", "150", 152, id="exact in decimal"),
        pytest.param("1.50", "100", 150, id="trailing zero"),
        pytest.param("4", "2048", 8192, id="up to the limit"),
    ],
)
def test_dpr_multiplies_both_edges(dpr: str, edge: str, expected: int) -> None:
    params = params_of(("w", edge), ("h", edge), ("dpr", dpr))

    assert (params.width, params.height) == (expected, expected)


@pytest.mark.parametrize(
    ("rotate", "flip", "turn"),
    [
        pytest.param("180", "hv", 1, id="a half turn and both flips cancel"),
        pytest.param("180", "h", 4, id="a half turn and one flip equal the other flip"),
        pytest.param("90", "hv", 8, id="a quarter turn and both flips equal the other quarter turn"),
        pytest.param("90", "h", 5, id="a quarter turn, then a flip"),
        pytest.param("270", "v", 5, id="the other quarter turn, then the other flip"),
        pytest.param("90", "v", 7, id="a quarter turn, then the other flip"),
    ],
)
def test_rotate_and_flip_combine_into_one_orientation(rotate: str, flip: str, turn: int) -> None:
    assert params_of(("rotate", rotate), ("flip", flip)).turn == turn


def test_a_position_is_a_fraction_of_the_free_space() -> None:
    assert all(0 <= share <= 100 for position in POSITIONS.values() for share in position)
