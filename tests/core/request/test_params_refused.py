"""Which values parameters refuse, and which value the error names as the nearest."""

import pytest

from imgcdn.core.request.params import Params, collect, parse_params
from imgcdn.errors import InvalidParam


def params_of(*pairs: tuple[str, str], max_dimension: int = 8192) -> Params:
    return parse_params(collect(pairs), max_dimension=max_dimension)


def error_of(*pairs: tuple[str, str], max_dimension: int = 8192) -> InvalidParam:
    with pytest.raises(InvalidParam) as caught:
        params_of(*pairs, max_dimension=max_dimension)
    return caught.value


@pytest.mark.parametrize("name", ["w", "h", "q"])
@pytest.mark.parametrize(
    ("value", "nearest"),
    [
        pytest.param("0", "1", id="nothing"),
        pytest.param("-5", "1", id="negative"),
        pytest.param("+5", "5", id="signed"),
        pytest.param(" 5", "5", id="space before"),
        pytest.param("5 ", "5", id="space after"),
        pytest.param("40.5", "41", id="fraction"),
        pytest.param("50px", "50", id="with a unit"),
        pytest.param("1_000", "", id="underscore"),
        pytest.param("1,000", "", id="comma"),
        pytest.param("1e2", "", id="exponent"),
        pytest.param("0x10", "", id="hexadecimal"),
        pytest.param("wide", "", id="word"),
        pytest.param("\N{ARABIC-INDIC DIGIT FIVE}", "", id="Arabic digit"),
        pytest.param("\N{FULLWIDTH DIGIT FIVE}", "", id="full-width digit"),
        pytest.param("\N{SUPERSCRIPT TWO}", "", id="superscript digit"),
        pytest.param("5\n", "", id="line break"),
        pytest.param("nan", "", id="not a number"),
    ],
)
def test_a_value_that_is_not_an_integer_is_refused(name: str, value: str, nearest: str) -> None:
    error = error_of((name, value))

    assert (error.slug, error.param, error.nearest) == ("invalid-param", name, nearest)
    assert f"{name} must be an integer from 1 to" in error.detail


@pytest.mark.parametrize(
    ("name", "value", "nearest"),
    [
        pytest.param("w", "8193", "8192", id="w above"),
        pytest.param("h", "100000", "8192", id="h above"),
        pytest.param("w", "9" * 12, "8192", id="w of twelve digits"),
        pytest.param("w", "9" * 7000, "8192", id="w of seven thousand digits"),
        pytest.param("q", "101", "100", id="q above"),
        pytest.param("q", "Auto", "auto", id="q auto in capitals"),
        pytest.param("q", "automatic", "auto", id="q automatic"),
        pytest.param("dpr", "0", "0.5", id="dpr zero"),
        pytest.param("dpr", "0.49", "0.5", id="dpr below"),
        pytest.param("dpr", "4.01", "4", id="dpr above"),
        pytest.param("dpr", "10", "4", id="dpr of two digits"),
        pytest.param("dpr", "1.333", "1.33", id="dpr three decimals"),
        pytest.param("dpr", "2.", "2", id="dpr with a decimal point and no digit after it"),
        pytest.param("dpr", ".75", "0.75", id="dpr with no digit before the decimal point"),
        pytest.param("dpr", "2x", "2", id="dpr with an x"),
        pytest.param("dpr", "-1", "0.5", id="dpr negative"),
        pytest.param("dpr", "1,5", "", id="dpr with a comma"),
        pytest.param("dpr", "\N{ARABIC-INDIC DIGIT TWO}", "", id="dpr in another script"),
        pytest.param("dpr", "inf", "", id="dpr infinite"),
        pytest.param("dpr", "nan", "", id="dpr not a number"),
        pytest.param("fit", "crop", "", id="fit of another service"),
        pytest.param("fit", "contian", "contain", id="fit misspelt"),
        pytest.param("fit", "COVER", "cover", id="fit in capitals"),
        pytest.param("fm", "AVIF", "avif", id="fm in capitals"),
        pytest.param("fm", "jpe", "jpeg", id="fm cut short"),
        pytest.param("fm", "blurHash", "blurhash", id="fm blurhash in capitals"),
        pytest.param("fm", "heic", "", id="fm not supported"),
        pytest.param("position", "centre", "center", id="position misspelt"),
        pytest.param("position", "north", "", id="position of another service"),
        pytest.param("position", "left,right", "top,right", id="position of opposite edges"),
        pytest.param("position", "top left center", "left center", id="position of three words"),
        pytest.param("position", "0.5", "", id="position of one number"),
        pytest.param("position", "0.5,1.01", "", id="position beyond the picture"),
        pytest.param("position", "0.555,0.5", "", id="position of three decimals"),
        pytest.param("position", "-0.1,0.5", "", id="position before the picture"),
        pytest.param("position", "0.5 0.5", "", id="position without a comma"),
        pytest.param("position", "Smart", "smart", id="position with a capital"),
        pytest.param("position", "smart top", "smart", id="position smart and an edge"),
        pytest.param("rotate", "0", "90", id="rotate by zero"),
        pytest.param("rotate", "45", "", id="rotate by an eighth of a turn"),
        pytest.param("rotate", "-90", "90", id="rotate backwards"),
        pytest.param("flip", "vh", "v", id="flip in the other order"),
        pytest.param("flip", "H", "h", id="flip in capitals"),
        pytest.param("trim", "256", "255", id="trim above"),
        pytest.param("trim", "-5", "0", id="trim below"),
        pytest.param("trim", "1.5", "2", id="trim by a fraction"),
        pytest.param("blur", "0.29", "0.3", id="blur below"),
        pytest.param("blur", "0", "0.3", id="blur zero"),
        pytest.param("blur", "250.01", "250", id="blur above"),
        pytest.param("blur", "1.234", "1.23", id="blur of three decimals"),
        pytest.param("sharpen", "10.5", "10", id="sharpen above"),
        pytest.param("sharpen", "-1", "0", id="sharpen below"),
        pytest.param("sharpen", "1e1", "", id="sharpen with an exponent"),
        pytest.param("crop", "10,20,30", "", id="crop of three numbers"),
        pytest.param("crop", "10,20,30,40,50", "", id="crop of five numbers"),
        pytest.param("crop", "a,0,1,1", "", id="crop with a word"),
        pytest.param("crop", "-5,0,100,100", "0,0,100,100", id="crop before the picture"),
        pytest.param("crop", "0,0,0,10", "0,0,1,10", id="crop of no width"),
        pytest.param("crop", "0.1,0,0.5,0", "0.10,0.00,0.50,0.01", id="crop of no height"),
        pytest.param("crop", "1.0,0,1,1", "0.99,0.00,1.00,1.00", id="crop right of the picture"),
        pytest.param("crop", "0,1.0,1,1", "0.00,0.99,1.00,1.00", id="crop below the picture"),
        pytest.param("crop", "0.125,0,1,1", "0.12,0.00,1.00,1.00", id="crop of three decimals"),
        pytest.param("crop", "0.5,0,1.5,1", "0.50,0.00,1.00,1.00", id="crop beyond the picture"),
        pytest.param("crop", "10px,0,5,5", "10,0,5,5", id="crop with a unit"),
        pytest.param("crop", "10, 20, 30, 40", "10,20,30,40", id="crop with spaces"),
        pytest.param("crop", "0,0,9999999,1", "0,0,999999,1", id="crop of seven digits"),
        pytest.param("bg", "#ff0000", "ff0000", id="bg with a hash"),
        pytest.param("bg", "ff0000000", "", id="bg of nine digits"),
        pytest.param("bg", "#", "", id="bg a hash alone"),
        pytest.param("bg", "ff", "", id="bg of two digits"),
        pytest.param("bg", "ff00", "", id="bg of four digits"),
        pytest.param("bg", "fffff", "", id="bg of five digits"),
        pytest.param("bg", "ggg", "", id="bg with a letter after f"),
        pytest.param("bg", "red", "", id="bg as a word"),
        pytest.param("bg", "\N{ARABIC-INDIC DIGIT ONE}" * 3, "", id="bg in another script"),
        pytest.param("bg", "fff\n", "", id="bg with a line break"),
        pytest.param("enlarge", "2", "", id="enlarge beyond"),
        pytest.param("enlarge", "true", "", id="enlarge a word"),
        pytest.param("still", "yes", "", id="still a word"),
    ],
)
def test_an_invalid_value_is_refused_with_the_nearest_valid_one(name: str, value: str, nearest: str) -> None:
    error = error_of((name, value))

    assert (error.slug, error.param, error.nearest) == ("invalid-param", name, nearest)
    assert error.detail.startswith(f"{name} must be ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("w", "9" * 12),
        ("dpr", "1.333"),
        ("dpr", "9"),
        ("fm", "AVIF"),
        ("bg", "#fff"),
        ("q", "0"),
        ("h", "0.4"),
        ("crop", "-5,0,100,9999999"),
        ("crop", "0.125,-1,7,0"),
        ("blur", "0.01"),
        ("sharpen", "99"),
        ("position", "left left"),
        ("rotate", "-270"),
    ],
)
def test_the_nearest_value_is_itself_accepted(name: str, value: str) -> None:
    params_of((name, error_of((name, value)).nearest))


@pytest.mark.parametrize("name", ["w", "h"])
@pytest.mark.parametrize(("dpr", "nearest"), [("4", "2048"), ("3", "2730"), ("1.01", "8110")])
def test_a_product_above_the_limit_is_refused(name: str, dpr: str, nearest: str) -> None:
    too_much = str(int(nearest) + 1)

    error = error_of((name, too_much), ("dpr", dpr))

    assert (error.param, error.nearest) == (name, nearest)
    params_of((name, nearest), ("dpr", dpr))


def test_the_limit_is_a_setting() -> None:
    assert params_of(("w", "500"), max_dimension=500).width == 500
    assert error_of(("w", "501"), max_dimension=500).nearest == "500"
