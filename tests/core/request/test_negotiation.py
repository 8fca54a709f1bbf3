import json
from typing import Any

import pytest

from imgcdn.core.output.plan import plan_for
from imgcdn.core.request.negotiation import MAX_ACCEPT_LENGTH, client_class
from imgcdn.core.request.params import Params
from imgcdn.core.values import Facts
from tests.support.paths import TABLES
from tests.support.planning import LIMITS

ACCEPT_TABLE = TABLES / "accept.json"
ROWS: list[dict[str, Any]] = json.loads(ACCEPT_TABLE.read_text(encoding="utf-8"))["rows"]

SOURCES = {
    "photo": Facts("jpeg", (2725, 2225), frames=1, alpha=False),
    "alpha": Facts("png", (800, 600), frames=1, alpha=True),
    "animation": Facts("gif", (480, 360), frames=12, alpha=True),
}

CHROME = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("row", [pytest.param(row, id=row["id"]) for row in ROWS])
def test_a_header_gets_the_format_of_the_table(row: dict[str, Any], source: str) -> None:
    plan = plan_for(SOURCES[source], Params(), client_class(row["accept"]), LIMITS)

    assert plan.format == row[source]


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        pytest.param(None, (), id="absent header proves nothing about avif"),
        pytest.param("*/*", (), id="wildcard proves nothing either"),
        pytest.param("image/avif,image/webp,*/*;q=0.8", ("avif", "webp"), id="chrome"),
        pytest.param("image/webp;q=0,image/*", (), id="q=0 refuses"),
        pytest.param("image/avif;q=high", (), id="garbled quality refuses"),
    ],
)
def test_only_a_named_type_counts(accept: str | None, expected: tuple[str, ...]) -> None:
    assert client_class(accept) == expected


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        pytest.param("image/avif;q=1", ("avif",), id="one"),
        pytest.param("image/avif;q=1.", ("avif",), id="1. without a decimal"),
        pytest.param("image/avif;q=1.000", ("avif",), id="1 with three decimals"),
        pytest.param("image/avif;q=0.", (), id="0. without a decimal"),
        pytest.param("image/avif;q=0.000", (), id="0 with three decimals"),
        pytest.param("image/avif;q=.5", (), id="no digit before the decimal point"),
        pytest.param("image/avif;q=0.1234", (), id="four decimals"),
        pytest.param("image/avif;q=1.001", (), id="above one"),
        pytest.param("image/avif;q=-1", (), id="negative"),
        pytest.param("image/avif;q=1e0", (), id="exponent"),
        pytest.param("image/avif;q=nan", (), id="not a number"),
        pytest.param("image/avif;q=\N{ARABIC-INDIC DIGIT ONE}", (), id="another script's digits"),
        pytest.param("image/avif;q=", (), id="empty"),
        pytest.param("image/avif;q", (), id="no value"),
        pytest.param("image/avif;q =0.5", (), id="space before the equals sign"),
        pytest.param("image/avif;q= 0.5", (), id="space after the equals sign"),
        pytest.param('image/avif;q="0.5"', (), id="quoted weight"),
        pytest.param("image/avif;Q=0.5", ("avif",), id="upper case"),
        pytest.param("image/avif\t;\tq=0.5", ("avif",), id="tabs are whitespace"),
        pytest.param("image/avif\xa0;q=0.5", (), id="a no-break space is part of the name"),
    ],
)
def test_a_weight_is_parsed_as_in_rfc_9110(accept: str, expected: tuple[str, ...]) -> None:
    assert client_class(accept) == expected


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        pytest.param("image/avif;profile=main;q=0.5,image/webp", ("webp", "avif"), id="after another parameter"),
        pytest.param("image/avif;q=0.5;level=1,image/webp", ("webp", "avif"), id="before another parameter"),
        pytest.param('image/avif;p="a,b;q=0";q=0.5,image/webp', ("webp", "avif"), id="separators within quotes"),
        pytest.param(r'image/avif;p="a\",image/webp"', ("avif",), id="escaped quote within quotes"),
        pytest.param('image/avif;p="a,image/webp', (), id="an unclosed quote invalidates the header"),
        pytest.param("image/avif;eq=0", ("avif",), id="another parameter whose name ends with q"),
        pytest.param("image/avif;q=1;q=0,image/webp", ("webp",), id="the lower of two weights counts"),
        pytest.param(
            "image/avif;q=0;q=1,image/webp", ("webp",), id="the lower of two weights counts, in the other order"
        ),
        pytest.param("image/avif,image/webp,image/avif;q=0", ("webp",), id="a type that is also refused"),
        pytest.param("image/avif;q=0,image/webp,image/avif", ("webp",), id="a type that is also refused, first"),
    ],
)
def test_parameters_and_repetitions_are_understood(accept: str, expected: tuple[str, ...]) -> None:
    assert client_class(accept) == expected


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        pytest.param("image/avif;q=0.5,image/*;q=0.8", (), id="lower weight than image/*"),
        pytest.param("image/avif;q=0.8,image/*;q=0.8", ("avif",), id="same weight as image/*"),
        pytest.param("image/avif;q=0.5,image/webp;q=0.9,image/png;q=0.7", ("webp",), id="lower weight than png"),
        pytest.param("image/avif;q=0.5,image/jpeg;q=0.7", (), id="lower weight than jpeg"),
        pytest.param("image/avif;q=0.5,image/gif", ("avif",), id="gif does not count"),
        pytest.param("image/avif;q=0.6,image/*;q=0.5,*/*;q=0.8", ("avif",), id="image/* takes precedence over */*"),
        pytest.param(
            "image/avif;q=0.5,image/jpeg;q=0.1,image/png;q=0.1,*/*",
            ("avif",),
            id="a type takes precedence over a range",
        ),
        pytest.param("image/avif;q=0.5,image/jpeg;q=0,*/*", (), id="the range still includes png"),
    ],
)
def test_a_type_needs_at_least_the_weight_of_the_formats_that_all_clients_show(
    accept: str, expected: tuple[str, ...]
) -> None:
    assert client_class(accept) == expected


def test_an_overlong_header_counts_as_absent() -> None:
    longest = CHROME + "," * (MAX_ACCEPT_LENGTH - len(CHROME))

    assert client_class(longest) == ("avif", "webp")
    assert client_class(longest + ",") == ()


@pytest.mark.parametrize(
    ("order", "accept", "expected"),
    [
        pytest.param(("webp", "avif"), CHROME, ("webp", "avif"), id="ties go to the server's favourite"),
        pytest.param(
            ("webp", "avif"),
            "image/webp;q=0.5,image/avif",
            ("avif", "webp"),
            id="weights take precedence over the server's order",
        ),
        pytest.param(("webp",), CHROME, ("webp",), id="the server offers webp alone"),
        pytest.param(("avif",), CHROME, ("avif",), id="the server offers avif alone"),
        pytest.param((), CHROME, (), id="the server offers neither"),
    ],
)
def test_the_server_orders_and_limits_what_it_offers(
    order: tuple[str, ...], accept: str, expected: tuple[str, ...]
) -> None:
    assert client_class(accept, order) == expected
