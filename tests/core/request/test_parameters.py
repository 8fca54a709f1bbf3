"""The steps that a new parameter needs beside its declaration; CONTRIBUTING lists them."""

from dataclasses import fields, replace
from types import NoneType, UnionType
from typing import get_args, get_origin, get_type_hints

import pytest

from imgcdn.core.output.plan import plan_for
from imgcdn.core.request.arguments import Integers
from imgcdn.core.request.parameters import ALIASES, BY_NAME, FOREIGN, OF_THE_REQUEST, PARAMETERS, Parameter
from imgcdn.core.request.params import Params, parse_params
from imgcdn.core.request.rules import parse_preset
from imgcdn.core.values import Facts
from imgcdn.dialects import native
from imgcdn.dialects.base import Target
from imgcdn.errors import InvalidParam
from tests.support.parameters import SAMPLES, samples
from tests.support.planning import LIMITS, RULES

WITH_PRESET = replace(RULES, presets=(parse_preset("thumb", "w=9"),))
ORIGINALS = (Facts("jpeg", (800, 600), frames=1, alpha=False), Facts("gif", (800, 600), frames=9, alpha=True))

# Other parameters of the request: each parameter changes something beside one of these sets.
BESIDE: list[dict[str, str]] = [
    {},
    {"w": "300", "h": "200"},
    {"w": "300", "h": "200", "fit": "cover"},
    {"w": "5000", "fm": "webp"},
]

each = pytest.mark.parametrize("parameter", [pytest.param(row, id=row.name) for row in PARAMETERS])
each_of_the_output = pytest.mark.parametrize("name", SAMPLES)


def params_of(arguments: dict[str, str]) -> Params:
    return WITH_PRESET.params(arguments)


def before_and_after_of(name: str) -> list[tuple[Params, Params]]:
    """Return pairs of params: those of a request without the parameter, and with one of its samples."""
    return [
        (params_of(beside), params_of({**beside, name: value}))
        for beside in BESIDE
        if name not in beside
        for value in SAMPLES[name]
        if not (name == "dpr" and "5000" in beside.values() and value == "4")  # above max_dimension
    ]


def test_each_name_belongs_to_one_parameter() -> None:
    names = [*BY_NAME, *ALIASES, *FOREIGN]

    declared = [(row.name, *row.aliases, *row.foreign) for row in PARAMETERS]
    assert sorted(names) == sorted(name for row in declared for name in row)
    assert len({*names}) == len(names)


@each
def test_a_parameter_belongs_to_the_request_or_fills_an_existing_field(parameter: Parameter) -> None:
    assert not (parameter.of_request and parameter.field)
    assert parameter.field in {"", *(field.name for field in fields(Params))}


def test_no_two_parameters_fill_one_field() -> None:
    filled = [row.field for row in PARAMETERS if row.field]

    assert len({*filled}) == len(filled)


@each
def test_its_samples_are_accepted_and_have_the_type_of_its_field(parameter: Parameter) -> None:
    values = [parameter.range.parse(text, parameter.name) for text in samples(parameter.range)]

    if parameter.field:
        hint = get_type_hints(Params)[parameter.field]
        assert [value for value in values if not is_of(hint, value)] == []


def is_of(hint: object, value: object) -> bool:
    if get_origin(hint) is UnionType:
        return any(is_of(part, value) for part in get_args(hint))
    if get_origin(hint) is tuple:
        parts = get_args(hint)
        return isinstance(value, tuple) and len(value) == len(parts) and all(map(is_of, parts, value))
    return type(value) is (NoneType if hint is None else hint)


@each
def test_its_default_is_what_its_absence_means(parameter: Parameter) -> None:
    if parameter.default in ("none", "source", "required"):
        return
    base = {} if parameter.name != "dpr" else {"w": "300"}
    assert params_of({**base, parameter.name: parameter.default}) == params_of(base)


@each_of_the_output
def test_a_parameter_of_the_output_is_read(name: str) -> None:
    assert any(before != after for before, after in before_and_after_of(name))


@each_of_the_output
def test_a_parameter_of_the_output_changes_what_is_planned(name: str) -> None:
    limits = replace(LIMITS, animation_formats=("avif", "webp"))
    plans = [
        [plan_for(original, params, (), limits) for params in pair]
        for pair in before_and_after_of(name)
        for original in ORIGINALS
    ]
    assert any(before != after for before, after in plans)


@pytest.mark.parametrize("field", [field.name for field in fields(Params)])
def test_a_field_of_params_is_filled_by_a_parameter(field: str) -> None:
    before_and_after = [pair for name in SAMPLES for pair in before_and_after_of(name)]
    # auto_target says what q=auto means; it is a setting, not a parameter.
    before_and_after.append((RULES.params({}), replace(WITH_PRESET, auto_target=50).params({})))

    assert any(getattr(before, field) != getattr(after, field) for before, after in before_and_after)


# core/request/signing.py reads these, before a dialect reads the rest.
SIGNING = {"exp", "kid", "s"}


@pytest.mark.parametrize("name", sorted(OF_THE_REQUEST - SIGNING))
def test_a_parameter_of_the_request_changes_the_request(name: str) -> None:
    text = samples(BY_NAME[name].range)[0]

    before = native.parse(Target.read("/img?url=a.jpg"), WITH_PRESET)
    after = native.parse(
        Target.read(f"/img?url={text}" if name == "url" else f"/img?url=a.jpg&{name}={text}"), WITH_PRESET
    )
    assert before != after


@pytest.mark.parametrize("name", sorted(OF_THE_REQUEST))
def test_a_parameter_of_the_request_is_not_allowed_in_a_preset(name: str) -> None:
    with pytest.raises(InvalidParam, match=f"{name} belongs to a request"):
        parse_preset("mine", f"{name}={samples(BY_NAME[name].range)[0]}")


def test_a_range_names_the_setting_that_limits_it() -> None:
    edge = Integers(1, 8192, setting="max_dimension")

    assert edge.summary == "1 to `max_dimension` (8192)"
    assert edge.up_to(500).summary == "1 to `max_dimension` (500)"
    with pytest.raises(InvalidParam, match=r"^w must be an integer from 1 to 500$"):
        parse_params({"w": "501"}, max_dimension=500)
