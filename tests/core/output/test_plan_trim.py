"""A border is found after the plan was made: format and limits must then suit the size without the border."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgcdn.core.encoders.encoding import graphic_encodings, photograph_encoding
from imgcdn.core.output.formats import LOSSY, OUTPUTS, WEBP
from imgcdn.core.output.geometry import Fit, Size
from imgcdn.core.output.plan import Limits, Plan, resolve_trim
from imgcdn.core.request.params import Params
from imgcdn.core.values import Facts
from imgcdn.errors import InvalidParam
from tests.core.output.test_keys import clients, facts, limits, params
from tests.support.planning import BOTH, FAST, NEITHER, OPAQUE_PNG, WEBP_FIRST, make_plan, possible_plan

ENLARGED = Params(width=8192, enlarge=True, trim=5)


def _trimmed(source: Size, kept: Size, params: Params, client: tuple[str, ...], **limits: Any) -> Plan:
    """Return the plan of a PNG whose border leaves a part of size `kept` at the top left."""
    plan = make_plan(replace(OPAQUE_PNG, size=source), params, client, **limits)
    return resolve_trim(plan, source, (0, 0, *kept))


@pytest.mark.parametrize(
    ("source", "kept", "params", "client", "expected"),
    [
        pytest.param(
            (4000, 500), (500, 500), ENLARGED, BOTH, ("webp", (8192, 8192), ()), id="above avif_max_pixels: webp"
        ),
        pytest.param(
            (4000, 500), (4000, 400), ENLARGED, BOTH, ("avif", (8192, 819), ("webp",)), id="below avif_max_pixels: avif"
        ),
        pytest.param(
            (500, 500), (40, 40), Params(trim=5), BOTH, ("webp", (40, 40), ("avif",)), id="below avif_min_pixels: webp"
        ),
        pytest.param(
            (3800, 16_500), (250, 16_450), Params(width=300, trim=5), BOTH, ("jpeg", (250, 16_450), ("png",)),
            id="above the longest edge of avif and webp: jpeg",
        ),
        pytest.param(
            (3800, 16_500), (250, 16_384), Params(width=300, trim=5), BOTH, ("avif", (250, 16_384), ("png",)),
            id="above the longest edge of webp: avif, and png for a graphic",
        ),
        pytest.param(
            (400, 16_500), (300, 300), Params(trim=5), WEBP_FIRST, ("webp", (300, 300), ("avif",)),
            id="too long without the trim alone: webp",
        ),
        pytest.param(
            (3800, 16_500), (250, 16_450), Params(width=300, trim=5), NEITHER, ("jpeg", (250, 16_450), ("png",)),
            id="neither avif nor webp",
        ),
        pytest.param(
            (3800, 16_500), (250, 16_383), Params(width=300, trim=5, format="webp"), BOTH, ("webp", (250, 16_383), ()),
            id="named by the URL",
        ),
    ],
)  # fmt: skip
def test_the_format_suits_the_size_without_the_border(
    source: Size, kept: Size, params: Params, client: tuple[str, ...], expected: tuple[str, Size, tuple[str, ...]]
) -> None:
    plan = _trimmed(source, kept, params, client)

    assert (plan.format, plan.size, plan.others) == expected
    assert plan.q == 75


def test_a_format_that_the_url_names_is_refused_if_the_rest_is_too_long_for_it() -> None:
    with pytest.raises(InvalidParam, match="250 x 16,450"):
        _trimmed((3800, 16_500), (250, 16_450), Params(width=300, trim=5, format="webp"), BOTH)


def test_a_padded_picture_counts_with_its_margin() -> None:
    box = Params(width=400, height=400, fit=Fit.PAD, trim=5)

    assert _trimmed((400, 100), (90, 90), box, BOTH, avif_max_pixels=100_000).format == "webp"


@given(facts=facts, params=params, client=clients, limits=limits, data=st.data())
def test_a_trimmed_picture_is_encoded_only_in_formats_that_allow_its_size(
    facts: Facts, params: Params, client: tuple[str, ...], limits: Limits, data: st.DataObject
) -> None:
    plan = possible_plan(facts, replace(params, trim=5, crop=None), client, limits)
    source = facts.size if params.turn < 5 else facts.size[::-1]
    kept = data.draw(st.tuples(*(st.integers(1, edge) for edge in source)), "kept")
    resolved = resolve_trim(plan, source, (0, 0, *kept))

    planned = photograph_encoding(resolved, FAST)
    assert planned.quality is not None or planned.target is not None or OUTPUTS[planned.format] not in LOSSY
    for encoding in {planned, *([] if plan.animated else graphic_encodings(resolved, FAST))}:
        assert max(resolved.size) <= OUTPUTS[encoding.format].max_edge
        allowed = (*client, "jpeg", "png", "gif") if params.format is None else (params.format,)
        assert encoding.format in allowed
    if params.format is None and not plan.animated and "webp" in client and resolved.format == "avif":
        width, height = resolved.size
        assert width * height <= limits.avif_max_pixels or max(resolved.size) > WEBP.max_edge
