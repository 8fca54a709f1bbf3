"""Keys survive an upgrade: these tests say which changes of the code may change a key."""

from dataclasses import MISSING, dataclass, field, fields, replace
from enum import Enum
from itertools import product
from typing import Any

import pytest
from hypothesis import example, given

from imgcdn.core.encoders.encoding import Encoding, graphic_encodings, photograph_encoding
from imgcdn.core.output.formats import FORMATS, NEGOTIATED, OUTPUTS
from imgcdn.core.output.geometry import Crop, Fit, Framing, Smart
from imgcdn.core.output.keys import canonical, variant_key
from imgcdn.core.output.plan import Limits, Plan, Trim, plan_for, resolve_opaque
from imgcdn.core.request.negotiation import ClientClass
from imgcdn.core.request.params import Params
from imgcdn.core.values import Facts
from imgcdn.errors import InvalidParam
from tests.core.output.test_keys import clients, facts, limits, params
from tests.support.planning import (
    ALPHA_PNG,
    ANIMATION,
    BOTH,
    FAST,
    LIMITS,
    NEITHER,
    PHOTO,
    THOROUGH,
    WEBP_FIRST,
    make_plan,
    possible_plan,
)

VERSION = "ab" * 32

CLIENTS: tuple[ClientClass, ...] = (NEITHER, BOTH, WEBP_FIRST, ("avif",), ("webp",))

COVER = Params(width=300, height=200, fit=Fit.COVER)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaterPlan(Plan):
    """A plan with fields that a later release may add."""

    sepia: float = 0.0
    frame: tuple[int, int] | None = None


# A change in this table means that stored variants are rendered again; give the reason in the commit. If the same plan
# must give other bytes, raise OUTPUT_VERSION instead.
PINNED = [
    pytest.param(make_plan(PHOTO), "6bbfa7a54039dfed", id="photograph, no params"),
    pytest.param(make_plan(PHOTO, Params(width=640), BOTH), "014ba1d9e7c907ba", id="photograph, avif and webp"),
    pytest.param(make_plan(PHOTO, COVER), "b90b68a94d466fcd", id="cover"),
    pytest.param(
        make_plan(PHOTO, Params(width=300, height=200, fit=Fit.COVER, position=Smart.SUBJECT)),
        "607c4d0702c45e6b",
        id="smart",
    ),
    pytest.param(make_plan(PHOTO, Params(width=640, q=None), BOTH), "50177a695bb0dbbe", id="q=auto"),
    pytest.param(
        make_plan(PHOTO, Params(trim=9, width=300, height=300, fit=Fit.PAD)),
        "5c3a2cdca9e24b0a",
        id="trimmed and padded",
    ),
    pytest.param(
        make_plan(PHOTO, Params(turn=6, blur=2.5, sharpen=1.0)), "2f00efa6b6fbe70a", id="turned, blurred, sharpened"
    ),
    pytest.param(make_plan(ALPHA_PNG, Params(format="jpeg")), "fe4ca809f082c638", id="alpha on white"),
    pytest.param(
        make_plan(ALPHA_PNG, Params(width=640), BOTH, keep_profile=True), "36b2abc91cf26fc3", id="profile kept"
    ),
    pytest.param(make_plan(ANIMATION, client=("webp",)), "1d8e5444c049a2ea", id="animation"),
    pytest.param(make_plan(PHOTO, Params(format="json")), "1b65384dfc751101", id="json"),
]


@pytest.mark.parametrize(("plan", "expected"), PINNED)
def test_the_key_of_a_plan_stays_the_same(plan: Plan, expected: str) -> None:
    assert variant_key(VERSION, plan)[:16] == expected


def test_the_defaults_of_a_plan_stay_the_same() -> None:
    """A key leaves defaults out, so another default would change the meaning of stored variants."""
    defaults = {each.name: each.default for each in fields(Plan) if each.default is not MISSING}

    assert defaults == {
        "crop": None,
        "turn": 1,
        "trim": None,
        "place": None,
        "margin": None,
        "background": None,
        "brightness": 1.0,
        "contrast": 1.0,
        "saturation": 1.0,
        "grayscale": False,
        "blur": 0.0,
        "sharpen": 0.0,
        "crop_bounds": None,
        "animated": False,
        "original": None,
        "q": None,
        "target": None,
        "keep_profile": False,
        "others": (),
        "rewrap": False,
    }
    assert (Framing(), Trim(0, Framing(), 1)) == (
        Framing(crop=None, target=(None, None), fit=Fit.CONTAIN, position=(50, 50), enlarge=False),
        Trim(tolerance=0, framing=Framing(), max_edge=1),
    )


@given(facts=facts, params=params, client=clients, limits=limits)
def test_a_new_field_changes_no_key(facts: Facts, params: Params, client: ClientClass, limits: Limits) -> None:
    plan = possible_plan(facts, params, client, limits)
    later = LaterPlan(**{each.name: getattr(plan, each.name) for each in fields(Plan)})

    assert variant_key(VERSION, later) == variant_key(VERSION, plan)


def test_a_new_field_that_is_set_changes_the_key() -> None:
    assert variant_key(VERSION, LaterPlan(size=(1, 1), format="png", sepia=0.5)) != variant_key(
        VERSION, LaterPlan(size=(1, 1), format="png")
    )


@pytest.mark.parametrize("fmt", [None, "avif", "webp", "jpeg"])
def test_a_thorough_render_has_the_key_of_the_fast_one(fmt: str | None) -> None:
    plan = make_plan(PHOTO, Params(width=400, format=fmt), BOTH)

    # Both renders have the same plan and so the same key: the plan does not contain the effort.
    assert photograph_encoding(plan, FAST) != photograph_encoding(plan, THOROUGH)


def _formats(plan: Plan, facts: Facts) -> set[str]:
    """Return every format that a render of a plan may choose."""
    budgets = (FAST, THOROUGH, replace(FAST, avif_max_pixels=0))
    encodings: set[Encoding] = set()
    for each, budget in product((plan,) if plan.animated else (plan, resolve_opaque(plan)), budgets):
        encodings |= {photograph_encoding(each, budget)}
        encodings |= set() if plan.animated else set(graphic_encodings(each, budget))
    return {encoding.format for encoding in encodings} | ({facts.format} if plan.rewrap else set())


def _may_be_sent(name: str, params: Params, client: ClientClass) -> bool:
    if params.format is not None:
        return name == params.format
    return name in client or FORMATS[name] not in NEGOTIATED


@given(facts=facts, params=params, client=clients, limits=limits)
@example(facts=ALPHA_PNG, params=Params(width=9), client=(), limits=LIMITS)
def test_every_format_that_a_render_may_choose_is_in_the_key(
    facts: Facts, params: Params, client: ClientClass, limits: Limits
) -> None:
    plan = possible_plan(facts, params, client, limits)

    assert _formats(plan, facts) == {plan.format, *plan.others, *([facts.format] if plan.rewrap else [])}


@given(facts=facts, params=params, one=limits, other=limits)
def test_every_format_that_a_render_may_choose_is_allowed_to_all_requests_with_that_key(
    facts: Facts, params: Params, one: Limits, other: Limits
) -> None:
    sharing: dict[str, list[tuple[Params, ClientClass, Plan]]] = {}
    for fmt, client, limited in product((None, *OUTPUTS), CLIENTS, (one, other)):
        request = replace(params, format=fmt)
        try:
            plan = plan_for(facts, request, client, limited)
        except InvalidParam:
            continue
        sharing.setdefault(variant_key(VERSION, plan), []).append((request, client, plan))

    for requests in sharing.values():
        chosen = {name for _, _, plan in requests for name in _formats(plan, facts)}
        for request, client, _ in requests:
            assert all(_may_be_sent(name, request, client) for name in chosen)


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True)
class Nested:
    name: str
    size: tuple[int, int] = (0, 0)
    inner: "Nested | None" = None
    many: tuple[str, ...] = field(default_factory=tuple)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(None, "null", id="none"),
        pytest.param(True, "true", id="bool"),
        pytest.param(1, "1", id="int"),
        pytest.param(1.0, "1.0", id="float"),
        pytest.param("caf\u00e9 \udce9", '"caf\\u00e9 \\udce9"', id="text"),
        pytest.param((1, 2.5, "x"), '[1,2.5,"x"]', id="tuple"),
        pytest.param(Colour.RED, '"red"', id="enum"),
        pytest.param(Nested("a"), '{"name":"a"}', id="defaults are left out"),
        pytest.param(Nested("a", many=("b",)), '{"many":["b"],"name":"a"}', id="names are sorted"),
        pytest.param(Nested("a", inner=Nested("b")), '{"inner":{"name":"b"},"name":"a"}', id="at every depth"),
        pytest.param(Nested("a", size=(0, 1)), '{"name":"a","size":[0,1]}', id="no default"),
        pytest.param(
            Crop(0, 0, 1, 1, relative=False), '{"height":1,"left":0,"relative":false,"top":0,"width":1}', id="crop"
        ),
    ],
)
def test_a_value_has_this_canonical_text(value: object, expected: str) -> None:
    assert canonical(value) == expected


@pytest.mark.parametrize(
    "value", [{"a": 1}, [1], {1}, b"x", 1j, Nested, object()], ids=lambda value: type(value).__name__
)
def test_a_type_without_a_canonical_text_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="has no canonical text"):
        canonical(value)
