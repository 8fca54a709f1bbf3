"""A helper for a service whose width policy is snap or strict: every edge in a URL is a step of the ladder."""

from dataclasses import replace
from typing import Any

import pytest

from imgcdn import ImageCDN
from imgcdn.core.request.widths import LADDER, WidthPolicy, Widths
from imgcdn.dialects import native
from imgcdn.dialects.base import Target
from tests.support.markup_reading import candidates, img, widths
from tests.support.planning import RULES

CDN = ImageCDN(only_ladder=True)
SQUARES = ImageCDN(only_ladder=True, ladder=(64, 128, 256))


def edges(url: str) -> tuple[int | None, int | None]:
    """Return what a strict service with the ladders of both helpers reads; it refuses all other edges."""
    rules = replace(RULES, widths=Widths(WidthPolicy.STRICT, LADDER))
    params = native.parse(Target.read(url), rules).params
    return params.width, params.height


@pytest.mark.parametrize(
    ("arguments", "described", "requested"),
    [
        pytest.param({"width": 400}, [320, 480, 640, 828], [320, 480, 640, 828], id="constrained"),
        pytest.param(
            {"width": 400, "source_size": (600, 450)}, [320, 480, 600], [320, 480, 640], id="a source between two steps"
        ),
        pytest.param({"width": 400, "layout": "fixed"}, [480, 828], [480, 828], id="fixed"),
        pytest.param({"width": 200, "source_size": (200, 150)}, [200], [320], id="a source below the ladder"),
        pytest.param({"widths": (300, 5_000), "layout": "full-width"}, [320, 3840], [320, 3840], id="above the ladder"),
        pytest.param({"width": 400, "densities": (1, 1.5)}, [480, 640], [480, 640], id="densities"),
    ],
)
def test_candidates_are_steps_and_described_by_the_width_that_arrives(
    arguments: dict[str, Any], described: list[int], requested: list[int]
) -> None:
    found = img(CDN.img("a.jpg", alt="", **arguments))

    assert widths(found["srcset"]) == described
    assert [edges(url)[0] for _, url in candidates(found["srcset"])] == requested
    assert edges(found["src"])[0] in requested


def test_a_square_box_has_steps_as_heights() -> None:
    found = img(SQUARES.img("a.jpg", alt="", width=60, height=60, layout="fixed"))

    assert [edges(url) for _, url in candidates(found["srcset"])] == [(64, 64), (128, 128)]
    assert (found["width"], found["height"]) == ("60", "60")


def test_a_box_whose_heights_are_not_steps_is_refused() -> None:
    with pytest.raises(ValueError, match="height would be 360 in a URL, which is not in the ladder"):
        CDN.img("a.jpg", alt="", width=400, height=300)


def test_one_url_with_another_edge_is_refused_with_the_nearest() -> None:
    assert edges(CDN.url("a.jpg", width=320, dpr=2.0)) == (640, None)
    with pytest.raises(ValueError, match=r"width must be one of 320, .*; 320 is nearest"):
        CDN.url("a.jpg", width=300)
    with pytest.raises(ValueError, match=r"height times dpr must be one of 320, .*; 240 is nearest"):
        CDN.url("a.jpg", height=250, dpr=2.0)


def test_no_step_is_named_where_none_can_be_reached() -> None:
    # With dpr=2, w=160 leads to 320 and w=161 to 322.
    with pytest.raises(ValueError, match=r"width times dpr must be one of 321$"):
        ImageCDN(only_ladder=True, ladder=(321,)).url("a.jpg", width=100, dpr=2.0)


def test_without_a_size_nothing_is_rounded() -> None:
    assert CDN.url("a.jpg") == "/img/a.jpg"
    assert img(CDN.img("a.jpg", alt="", layout="none"))["src"] == "/img/a.jpg"
