"""The public suite for HTTP caches, played against the catalogue: `docs/caching.md` has its results."""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cache_suite import Case, Player, Step, read_cases
from tests.support.catalogs import Bench
from tests.support.paths import ROOT

#: The suite's own file. Optional.
VECTORS = ROOT.parent / "shared" / "vectors" / "cache-tests.json"
PAGE = ROOT / "docs" / "caching.md"

NOW = 1_767_225_600.0
DAY_S = 86_400
KINDS = ("required", "optimal", "check")

_IS_PLAYED_IN_PART = re.compile(r"request \d: (?:\S+ is not kept|the interim responses are not passed on)")


def played(bench: Bench, case: Case) -> list[str]:
    """Return what is not as the case expects."""
    bench.now = NOW
    stale_s = DAY_S if case.names_stale_use else 0

    async def scenario() -> list[str]:
        async with bench.catalog(
            min_ttl=0, default_ttl=0, stale_while_revalidate=stale_s, stale_if_error=7 * DAY_S
        ) as catalog:
            return await Player(bench, catalog, case).play()

    return asyncio.run(scenario())


def says(value: str, **step: object) -> Step:
    """Return the first step of a case: the origin sends a Cache-Control, and a pause follows."""
    return Step([("Cache-Control", value), ("Date", 0)], pause=True, **step)  # type: ignore[arg-type]  # fields of Step


ASKED, STORED = Step(expected="not_cached"), Step(expected="cached")
GONE = Step(disconnect=True, fails=True)
HINTS = (103, [("Link", "</a.css>; rel=preload"), ("ETag", '"hint"')])


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([says("max-age=3600"), STORED], id="max-age"),
        pytest.param([says("max-age=2"), ASKED], id="after max-age"),
        pytest.param([says("max-age=3600, s-maxage=1"), ASKED], id="s-maxage is shorter than max-age"),
        pytest.param([says("max-age=1, s-maxage=3600"), STORED], id="s-maxage is longer than max-age"),
        pytest.param([says('max-age=1, extension="max-age=3600"'), ASKED], id="max-age in a quoted string"),
        pytest.param([says("max-age=-3600"), ASKED], id="a negative max-age"),
        pytest.param(
            [Step([("Cache-Control", "max-age=3600"), ("Age", "7200, 0"), ("Date", 0)]), ASKED], id="the first Age"
        ),
        pytest.param(
            [Step([("Cache-Control", "max-age=3600"), ("Age", "7200.0"), ("Date", 0)]), STORED], id="an invalid Age"
        ),
        pytest.param([Step([("Expires", 300), ("Date", 400)]), ASKED], id="Expires before Date, both in the future"),
        pytest.param([Step([("Expires", "0"), ("Date", 0)]), ASKED], id="Expires that is not a date"),
        pytest.param([Step([("Expires", 20), ("Date", 10), ("Age", "15")]), ASKED], id="Age beyond Expires"),
        pytest.param([Step([("Last-Modified", -DAY_S), ("Date", 0)], pause=True), STORED], id="a tenth of a day"),
        pytest.param([Step([("Last-Modified", -10), ("Date", 0)], pause=True), ASKED], id="a tenth of ten seconds"),
        *(
            pytest.param(
                [
                    Step([("Last-Modified", -DAY_S), ("Date", 0)], status=status),
                    Step(status=status, expected="not_cached"),
                ],
                id=f"a status of {status} has no lifetime",
            )
            for status in (201, 202, 403, 502, 503, 504, 599)
        ),
        pytest.param(
            [Step([("Last-Modified", -DAY_S), ("Date", 0)], status=503), ASKED], id="a picture follows an error"
        ),
        pytest.param([says("private, max-age=3600"), ASKED], id="private"),
        pytest.param([says("max-age=3600, No-StOrE"), ASKED], id="no-store"),
        pytest.param(
            [
                Step([("Cache-Control", "max-age=3600, no-cache"), ("ETag", '"1"')]),
                Step([("ETag", '"1"')], expected="etag_validated"),
            ],
            id="no-cache",
        ),
        pytest.param(
            [
                Step([("Cache-Control", "max-age=1"), ("Last-Modified", -DAY_S), ("Date", 0)], pause=True),
                Step([("Cache-Control", "max-age=60"), ("Date", 0)], expected="lm_validated", pause=True),
                Step(expected="cached", shown=1, has=[("cache-control", "max-age=60")]),
            ],
            id="a 304 has a longer lifetime",
        ),
        pytest.param(
            [
                Step([("Cache-Control", "max-age=60"), ("Age", "90"), ("ETag", '"1"')]),
                Step([("ETag", '"1"'), ("Age", "0"), ("Content-Length", "10")], expected="etag_validated", pause=True),
                Step(expected="cached", shown=1),
            ],
            id="a 304 has another Age and length",
        ),
        pytest.param(
            [
                Step([("Cache-Control", "max-age=60"), ("Age", "90"), ("Date", -90), ("ETag", '"1"')]),
                Step([("ETag", '"1"')], expected="etag_validated", pause=True),
                Step(expected="cached", shown=1),
            ],
            id="a 304 has neither Age nor Date",
        ),
        pytest.param([says("max-age=2"), Step(expected="cached", disconnect=True)], id="the origin hangs up"),
        pytest.param(
            [says("max-age=2, stale-if-error=60"), Step(expected="cached", status=503)], id="the origin fails"
        ),
        pytest.param([says("max-age=1, stale-if-error=1"), Step(status=503, fails=True)], id="it fails for too long"),
        *(
            pytest.param([says(f"max-age=2, {forbidden}"), GONE], id=f"it hangs up after {forbidden}")
            for forbidden in ("must-revalidate", "proxy-revalidate", "no-cache", "s-maxage=2")
        ),
        pytest.param(
            [says("max-age=1, stale-while-revalidate=60"), Step(expected="cached", pause=True), Step(shown=2)],
            id="stale while it is validated",
        ),
        pytest.param([says("max-age=1, stale-while-revalidate=1"), ASKED], id="stale for too long"),
        pytest.param([says("max-age=3600", interim=[HINTS]), Step(expected="cached", lacks=["etag"])], id="interim"),
    ],
)
def test_a_cache_obeys_the_origin(bench: Bench, steps: list[Step]) -> None:
    assert played(bench, Case("a", "", "required", browser_only=False, steps=tuple(steps))) == []


def _table(heading: str) -> list[list[str]]:
    """Return the cells of the table whose header begins with a word, row by row."""
    found = re.search(rf"^\| {heading} .*\n\|[ |:-]+\n((?:\|.*\n)+)", PAGE.read_text("utf-8"), re.MULTILINE)
    assert found is not None
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in found[1].splitlines()]


def _exceptions() -> set[str]:
    """Return the cases of which the page says that they do not pass."""
    rows = re.findall(r"^\| (`.*`) \|", PAGE.read_text("utf-8"), re.MULTILINE)
    listed = [name for row in rows for name in re.findall(r"`(.*?)`", row)]
    assert len(listed) == len(set(listed))
    return set(listed)


def _cases(path: Path) -> Iterator[Case]:
    groups = [name for name, *_ in _table("group") if name != "all"]
    yield from read_cases([each for each in json.loads(path.read_text("utf-8")) if each["id"] in groups])


if VECTORS.is_file():
    CASES = list(_cases(VECTORS))

    @pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in CASES if case.id not in _exceptions()])
    def test_a_case_of_the_suite_passes(bench: Bench, case: Case) -> None:
        assert played(bench, case) == []

    @pytest.mark.parametrize(
        "case",
        [pytest.param(case, id=case.id) for case in CASES if case.id in _exceptions() and not case.browser_only],
    )
    def test_a_case_that_the_page_lists_does_not_pass(bench: Bench, case: Case) -> None:
        wrong = played(bench, case)

        assert wrong != [], "take it from the list"
        if case.kind == "required":
            assert [each for each in wrong if not _IS_PLAYED_IN_PART.fullmatch(each)] == []

    def test_the_page_counts_the_cases() -> None:
        def count(kind: str, group: str) -> str:
            ids = [case.id for case in CASES if case.kind == kind and group in (case.group, "all")]
            return f"{len(set(ids) - _exceptions())} of {len(ids)}" if ids else ""

        assert len(CASES) == 164
        assert _exceptions() <= {case.id for case in CASES}
        assert {case.id for case in CASES if case.browser_only} <= _exceptions()
        rows = _table("group")
        assert [row[1:] for row in rows] == [[count(kind, group) for kind in KINDS] for group, *_ in rows]
