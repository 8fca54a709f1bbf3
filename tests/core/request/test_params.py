import pytest

from imgcdn.core.output.geometry import Crop, Fit, Smart
from imgcdn.core.request.params import (
    ALIASES,
    DEFAULT_Q,
    OF_THE_REQUEST,
    PARAMETERS,
    POSITIONS,
    Params,
    collect,
    parse_download,
    parse_params,
    parse_version,
)
from imgcdn.errors import InvalidParam


def params_of(*pairs: tuple[str, str], max_dimension: int = 8192) -> Params:
    return parse_params(collect(pairs), max_dimension=max_dimension)


def refusal_of(*pairs: tuple[str, str], max_dimension: int = 8192) -> InvalidParam:
    with pytest.raises(InvalidParam) as caught:
        params_of(*pairs, max_dimension=max_dimension)
    return caught.value


def test_without_parameters_the_defaults_hold() -> None:
    assert params_of() == Params()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        pytest.param("w", "1", Params(width=1), id="w least"),
        pytest.param("w", "8192", Params(width=8192), id="w most"),
        pytest.param("w", "0400", Params(width=400), id="w with a leading zero"),
        pytest.param("h", "300", Params(height=300), id="h"),
        pytest.param("dpr", "3", Params(), id="dpr alone multiplies nothing"),
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
        pytest.param("flip", "hv", Params(turn=3), id="flip hv is half a turn"),
        pytest.param("trim", "0", Params(trim=0), id="trim exactly"),
        pytest.param("trim", "255", Params(trim=255), id="trim most"),
        pytest.param("crop", "10,20,30,40", Params(crop=Crop(10, 20, 30, 40, relative=False)), id="crop in pixels"),
        pytest.param("crop", "0,0,1,1", Params(crop=Crop(0, 0, 1, 1, relative=False)), id="crop of one pixel"),
        pytest.param("crop", "0.25,0,1,0.5", Params(crop=Crop(25, 0, 100, 50, relative=True)), id="crop in fractions"),
        pytest.param("crop", "0,0,1,1.0", Params(crop=Crop(0, 0, 100, 100, relative=True)), id="crop with one point"),
        pytest.param("blur", "0.3", Params(blur=0.3), id="blur least"),
        pytest.param("blur", "250", Params(blur=250.0), id="blur most"),
        pytest.param("blur", "2.50", Params(blur=2.5), id="blur with a trailing zero"),
        pytest.param("sharpen", "0", Params(), id="sharpen nothing"),
        pytest.param("sharpen", "0.75", Params(sharpen=0.75), id="sharpen"),
        pytest.param("sharpen", "10", Params(sharpen=10.0), id="sharpen most"),
    ],
)
def test_a_value_is_accepted(name: str, value: str, expected: Params) -> None:
    assert params_of((name, value)) == expected


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
def test_what_is_no_integer_is_refused(name: str, value: str, nearest: str) -> None:
    error = refusal_of((name, value))

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
        pytest.param("dpr", "0", "0.5", id="dpr nothing"),
        pytest.param("dpr", "0.49", "0.5", id="dpr below"),
        pytest.param("dpr", "4.01", "4", id="dpr above"),
        pytest.param("dpr", "10", "4", id="dpr of two digits"),
        pytest.param("dpr", "1.333", "1.33", id="dpr three decimals"),
        pytest.param("dpr", "2.", "2", id="dpr with a point and no digit"),
        pytest.param("dpr", ".75", "0.75", id="dpr with no digit before the point"),
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
        pytest.param("fm", "heic", "", id="fm not offered"),
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
        pytest.param("rotate", "0", "90", id="rotate by nothing"),
        pytest.param("rotate", "45", "", id="rotate by an eighth"),
        pytest.param("rotate", "-90", "90", id="rotate backwards"),
        pytest.param("flip", "vh", "v", id="flip in the other order"),
        pytest.param("flip", "H", "h", id="flip in capitals"),
        pytest.param("trim", "256", "255", id="trim above"),
        pytest.param("trim", "1.5", "2", id="trim by a fraction"),
        pytest.param("blur", "0.29", "0.3", id="blur below"),
        pytest.param("blur", "0", "0.3", id="blur nothing"),
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
        pytest.param("crop", "1.0,0,1,1", "0.99,0.00,1.00,1.00", id="crop behind the picture"),
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
        pytest.param("bg", "ggg", "", id="bg beyond f"),
        pytest.param("bg", "red", "", id="bg a word"),
        pytest.param("bg", "\N{ARABIC-INDIC DIGIT ONE}" * 3, "", id="bg in another script"),
        pytest.param("bg", "fff\n", "", id="bg with a line break"),
        pytest.param("enlarge", "2", "", id="enlarge beyond"),
        pytest.param("enlarge", "true", "", id="enlarge a word"),
        pytest.param("still", "yes", "", id="still a word"),
    ],
)
def test_a_value_out_of_range_is_refused_with_the_nearest_one(name: str, value: str, nearest: str) -> None:
    error = refusal_of((name, value))

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
    params_of((name, refusal_of((name, value)).nearest))


@pytest.mark.parametrize(
    ("dpr", "edge", "expected"),
    [
        pytest.param("2", "400", 800, id="twice"),
        pytest.param("1.5", "333", 500, id="a half goes up"),
        pytest.param("0.5", "1", 1, id="half of one is one"),
        pytest.param("0.75", "301", 226, id="below one"),
        pytest.param("1.01", "150", 152, id="exact in decimal"),
        pytest.param("1.50", "100", 150, id="trailing zero"),
        pytest.param("4", "2048", 8192, id="up to the limit"),
    ],
)
def test_dpr_multiplies_both_edges(dpr: str, edge: str, expected: int) -> None:
    params = params_of(("w", edge), ("h", edge), ("dpr", dpr))

    assert (params.width, params.height) == (expected, expected)


@pytest.mark.parametrize("name", ["w", "h"])
@pytest.mark.parametrize(("dpr", "nearest"), [("4", "2048"), ("3", "2730"), ("1.01", "8110")])
def test_a_product_above_the_limit_is_refused(name: str, dpr: str, nearest: str) -> None:
    too_much = str(int(nearest) + 1)

    error = refusal_of((name, too_much), ("dpr", dpr))

    assert (error.param, error.nearest) == (name, nearest)
    params_of((name, nearest), ("dpr", dpr))


def test_the_limit_is_a_setting() -> None:
    assert params_of(("w", "500"), max_dimension=500).width == 500
    assert refusal_of(("w", "501"), max_dimension=500).nearest == "500"


@pytest.mark.parametrize(("alias", "name"), ALIASES.items())
def test_an_alias_is_the_same_parameter(alias: str, name: str) -> None:
    value = "png" if name == "fm" else "50"

    assert params_of((alias, value)) == params_of((name, value))
    assert refusal_of((alias, "0")).param == name


@pytest.mark.parametrize("name", [parameter.name for parameter in PARAMETERS])
def test_a_parameter_given_twice_is_refused(name: str) -> None:
    with pytest.raises(InvalidParam) as caught:
        collect([(name, "1"), (name, "1")])

    assert caught.value.param == name
    assert "twice" in caught.value.detail


@pytest.mark.parametrize(("alias", "name"), ALIASES.items())
def test_a_parameter_and_its_alias_are_twice_the_same(alias: str, name: str) -> None:
    with pytest.raises(InvalidParam) as caught:
        collect([(name, "50"), (alias, "50")])

    assert caught.value.param == alias
    assert name in caught.value.detail


@pytest.mark.parametrize("name", [*(parameter.name for parameter in PARAMETERS), *ALIASES])
def test_an_empty_parameter_is_refused(name: str) -> None:
    with pytest.raises(InvalidParam) as caught:
        collect([(name, "")])

    assert caught.value.param == name
    assert "empty" in caught.value.detail


@pytest.mark.parametrize(
    ("written", "nearest"),
    [
        pytest.param("widht", "width", id="letters exchanged"),
        pytest.param("W", "w", id="capital"),
        pytest.param("qualty", "quality", id="letter missing"),
        pytest.param("src", "", id="another service's"),
        pytest.param("zzzzzz", "", id="like nothing"),
        pytest.param("", "", id="no name"),
        pytest.param("\N{FULLWIDTH LATIN SMALL LETTER W}", "", id="full-width letter"),
    ],
)
def test_an_unknown_parameter_is_refused_with_the_nearest_name(written: str, nearest: str) -> None:
    error = refusal_of((written, "5"))

    assert (error.param, error.nearest) == (written, nearest)
    assert "is not a parameter" in error.detail
    assert (nearest or "known are url, w, h") in error.detail


def test_an_unknown_name_is_quoted_short_and_printable() -> None:
    error = refusal_of(("a\r\nX: y\u202e" + "b" * 5000, "5"))

    assert error.param.startswith("a??X: y?bbb")
    assert len(error.param) == 64
    assert error.detail.isprintable()


@pytest.mark.parametrize("value", ["1", "v", "2024-05-01_a.b", "x" * 64])
def test_a_version_is_kept_as_it_is(value: str) -> None:
    assert parse_version(collect([("v", value)])) == value


def test_a_version_is_optional() -> None:
    assert parse_version({}) is None


@pytest.mark.parametrize("value", ["x" * 65, "a b", "a/b", "é", "a\n", "\N{ARABIC-INDIC DIGIT THREE}"])
def test_a_version_of_other_characters_is_refused(value: str) -> None:
    with pytest.raises(InvalidParam) as caught:
        parse_version(collect([("v", value)]))

    assert caught.value.param == "v"


@pytest.mark.parametrize(
    ("rotate", "flip", "turn"),
    [
        pytest.param("180", "hv", 1, id="half a turn and both mirrors are nothing"),
        pytest.param("180", "h", 4, id="half a turn and one mirror are the other"),
        pytest.param("90", "hv", 8, id="a quarter turn and both mirrors are the other quarter"),
        pytest.param("90", "h", 5, id="a quarter turn, then a mirror"),
        pytest.param("270", "v", 5, id="the other quarter, then the other mirror"),
        pytest.param("90", "v", 7, id="a quarter turn, then the other mirror"),
    ],
)
def test_a_turn_and_a_mirror_are_one_transposition(rotate: str, flip: str, turn: int) -> None:
    assert params_of(("rotate", rotate), ("flip", flip)).turn == turn


@pytest.mark.parametrize(
    ("written", "name"),
    [
        pytest.param("photo.jpg", "photo", id="extension"),
        pytest.param("photo", "photo", id="none"),
        pytest.param("v1.2 final", "v1.2 final", id="a dot that begins none"),
        pytest.param("archive.tar.gz", "archive.tar", id="two extensions"),
        pytest.param("../../etc/passwd", "_.._etc_passwd", id="a path"),
        pytest.param("..\\..\\win.ini", "_.._win", id="a path with backslashes"),
        pytest.param("a\r\nX: y.png", "a__X_ y", id="line break and colon"),
        pytest.param("photo\u202egnp.exe", "photo_gnp", id="a change of direction"),
        pytest.param('a"b<c>|?*.webp', "a_b_c____", id="signs that some systems refuse"),
        pytest.param("-rf.png", "_rf", id="hyphen first"),
        pytest.param(".htaccess.png", "htaccess", id="dot first"),
        pytest.param("Grüße 日本.avif", "Grüße 日本", id="other scripts"),
    ],
)
def test_a_download_has_a_harmless_name(written: str, name: str) -> None:
    assert parse_download(collect([("dl", written)])) == name


def test_a_download_is_optional() -> None:
    assert parse_download({}) is None


@pytest.mark.parametrize("written", [".", "..", "/", "...", " ", "\x00", "_", "///.png"])
def test_a_download_without_a_name_is_refused(written: str) -> None:
    with pytest.raises(InvalidParam) as caught:
        parse_download({"dl": written})

    assert caught.value.param == "dl"


def test_every_parameter_of_the_table_is_read_or_the_callers() -> None:
    shaping = [parameter.name for parameter in PARAMETERS if parameter.name not in OF_THE_REQUEST]

    assert [refusal_of((name, "?")).param for name in shaping] == shaping


def test_a_position_is_a_share_of_the_free_room() -> None:
    assert all(0 <= share <= 100 for position in POSITIONS.values() for share in position)


def test_the_tables_default_quality_is_the_one_used() -> None:
    assert next(p.default for p in PARAMETERS if p.name == "q") == str(DEFAULT_Q)
