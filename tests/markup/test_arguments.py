"""The helper's types are written out, so that an editor completes them; here they are compared with the declaration."""

from types import NoneType, UnionType
from typing import Literal, Union, get_args, get_origin, get_type_hints

import pytest

from imgcdn import ImageCDN
from imgcdn.core.request.arguments import SWITCH, Choices, Decimals, Floats, Integers, Positions, Range
from imgcdn.core.request.parameters import PARAMETERS, Parameter
from imgcdn.markup.urls import SPELLED, LookArgs

# `url` takes the look as keywords, and what belongs to one URL alone as arguments of its own.
OWN = {name: hint for name, hint in get_type_hints(ImageCDN.url).items() if name not in ("return", "look")}
ARGUMENTS = {SPELLED.get(name, name): hint for name, hint in {**OWN, **get_type_hints(LookArgs)}.items()}


def leaves(hint: object) -> set[object]:
    """Return the types and the literal values of a union."""
    if get_origin(hint) in (Union, UnionType):
        return set().union(*map(leaves, get_args(hint)))
    return set(get_args(hint)) if get_origin(hint) is Literal else {hint}


def expected(values: Range[object]) -> set[object]:
    """Return the same of what a range accepts."""
    match values:
        case Choices() if values is SWITCH:
            return {bool}
        case Choices(meanings):
            return {int(word) if word.isdigit() else word for word in meanings}
        case Integers(word=word):
            return {int, word} if word else {int}
        case Decimals() | Floats():
            return {float}
        case Positions(words):
            return {str, *(word for word in words if word.isalpha())}
    return {str}


def test_every_parameter_is_an_argument_and_every_argument_a_parameter() -> None:
    assert set(ARGUMENTS) == {parameter.name for parameter in PARAMETERS}


@pytest.mark.parametrize("parameter", [pytest.param(row, id=row.name) for row in PARAMETERS])
def test_an_argument_has_the_type_of_its_parameters_range(parameter: Parameter) -> None:
    assert leaves(ARGUMENTS[parameter.name]) - {NoneType} == expected(parameter.range)


@pytest.mark.parametrize("name", SPELLED)
def test_an_argument_with_another_name_exists(name: str) -> None:
    assert name in {**OWN, **get_type_hints(LookArgs)}
