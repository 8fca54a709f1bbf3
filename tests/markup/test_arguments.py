"""The types of the helper's arguments are written out so that editors complete them; they must match the parameters."""

from types import NoneType, UnionType
from typing import Literal, Union, get_args, get_origin, get_type_hints

import pytest

from imgcdn import ImageCDN
from imgcdn.core.request.arguments import SWITCH, Choices, Decimals, Floats, Integers, Positions, Range, Timestamps
from imgcdn.core.request.parameters import PARAMETERS, Parameter
from imgcdn.markup.urls import SPELLED, ParamArgs

# `url` takes the params of the picture as keywords, and the params of the request as arguments of its own.
OWN = {name: hint for name, hint in get_type_hints(ImageCDN.url).items() if name not in ("return", "params")}
ARGUMENTS = {SPELLED.get(name, name): hint for name, hint in {**OWN, **get_type_hints(ParamArgs)}.items()}


def leaves(hint: object) -> set[object]:
    """Return the types and literal values in a union."""
    if get_origin(hint) in (Union, UnionType):
        return set().union(*map(leaves, get_args(hint)))
    return set(get_args(hint)) if get_origin(hint) is Literal else {hint}


def leaves_of_range(values: Range[object]) -> set[object]:
    """Return the types and literal values that a range accepts."""
    match values:
        case Choices() if values is SWITCH:
            return {bool}
        case Choices(meanings):
            return {int(word) if word.isdigit() else word for word in meanings}
        case Integers(word=word):
            return {int, word} if word else {int}
        case Timestamps():
            return {int}
        case Decimals() | Floats():
            return {float}
        case Positions(words):
            return {str, *(word for word in words if word.isalpha())}
    return {str}


# The helper writes these two itself, when it has a key.
BY_ARGUMENT = [parameter for parameter in PARAMETERS if parameter.name not in ("kid", "s")]


def test_the_arguments_are_the_parameters() -> None:
    assert set(ARGUMENTS) == {parameter.name for parameter in BY_ARGUMENT}


@pytest.mark.parametrize("parameter", [pytest.param(row, id=row.name) for row in BY_ARGUMENT])
def test_an_argument_has_the_type_that_the_range_of_its_parameter_accepts(parameter: Parameter) -> None:
    assert leaves(ARGUMENTS[parameter.name]) - {NoneType} == leaves_of_range(parameter.range)


@pytest.mark.parametrize("name", SPELLED)
def test_an_argument_with_another_name_exists(name: str) -> None:
    assert name in {**OWN, **get_type_hints(ParamArgs)}
