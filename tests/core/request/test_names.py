"""The names of parameters: aliases, names given twice and unknown names."""

import pytest

from imgcdn.core.request.parameters import ALIASES, FOREIGN, PARAMETERS
from imgcdn.core.request.params import Params, collect, parse_params
from imgcdn.errors import InvalidParam


def params_of(name: str, value: str) -> Params:
    return parse_params(collect([(name, value)]), max_dimension=8192)


def error_of(name: str, value: str) -> InvalidParam:
    with pytest.raises(InvalidParam) as caught:
        params_of(name, value)
    return caught.value


@pytest.mark.parametrize(("alias", "name"), ALIASES.items())
def test_an_alias_is_the_same_parameter(alias: str, name: str) -> None:
    value = "png" if name == "fm" else "50"

    assert params_of(alias, value) == params_of(name, value)
    assert error_of(alias, "0").param == name


@pytest.mark.parametrize("name", [parameter.name for parameter in PARAMETERS])
def test_a_parameter_given_twice_is_refused(name: str) -> None:
    with pytest.raises(InvalidParam) as caught:
        collect([(name, "1"), (name, "1")])

    assert caught.value.param == name
    assert "twice" in caught.value.detail


@pytest.mark.parametrize(("alias", "name"), ALIASES.items())
def test_a_parameter_and_its_alias_count_as_given_twice(alias: str, name: str) -> None:
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
        pytest.param("widht", "width", id="two letters swapped"),
        pytest.param("W", "w", id="capital"),
        pytest.param("qualty", "quality", id="letter missing"),
        pytest.param("gravity", "position", id="position in another service"),
        pytest.param("anchor", "position", id="position in a third service"),
        pytest.param("resize", "fit", id="fit in another service"),
        pytest.param("auto", "fm", id="fm in another service"),
        pytest.param("f", "fm", id="fm as one letter"),
        pytest.param("background", "bg", id="bg spelled out"),
        pytest.param("Gravity", "position", id="another service's name with a capital"),
        pytest.param("backgroud", "bg", id="another service's name, misspelt"),
        pytest.param("src", "url", id="url in another service"),
        pytest.param("zzzzzz", "", id="similar to no name"),
        pytest.param("", "", id="empty name"),
        pytest.param("\N{FULLWIDTH LATIN SMALL LETTER W}", "", id="full-width letter"),
    ],
)
def test_an_unknown_parameter_is_refused_with_the_nearest_name(written: str, nearest: str) -> None:
    error = error_of(written, "5")

    assert (error.param, error.nearest) == (written, nearest)
    assert "is not a parameter" in error.detail
    assert (f"did you mean {nearest}?" if nearest else "the parameters are url, w, h") in error.detail


def test_a_message_shortens_an_unknown_name_and_keeps_it_printable() -> None:
    error = error_of("a\r\nX: y\u202e" + "b" * 5000, "5")

    assert error.param.startswith("a??X: y?bbb")
    assert len(error.param) == 64
    assert error.detail.isprintable()


@pytest.mark.parametrize(("word", "name"), FOREIGN.items())
def test_a_name_from_another_service_is_refused_with_ours(word: str, name: str) -> None:
    error = error_of(word, "5")

    assert (error.param, error.nearest) == (word, name)
