"""
Plays cases of the public suite "cache-tests" (https://cache-tests.fyi) against a catalogue and a real origin.

A case is a sequence of requests for one URL. Each has the response that the origin would give to it, and what is
expected. Here, each response has another picture, so the bytes that are shown tell which response they came with.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from pathlib import Path
from typing import Any

from PIL import Image

from imgcdn.core.values import Source
from imgcdn.errors import ImgcdnError
from imgcdn.origins.base import Freshness, Original
from imgcdn.origins.catalog import Catalog
from tests.support import pictures
from tests.support.catalogs import Bench
from tests.support.origin import Exchange, Request

#: The pictures of the first, second and third response.
BODIES = tuple(pictures.saved(Image.new("RGB", (8, 6), (0, 0, shade)), "PNG") for shade in (0, 100, 200))

#: Seconds of the suite's pauses.
PAUSE_S = 3

#: Longer than any failure without Retry-After is remembered. The next request then asks the origin again.
_AFTER_FAILURE_S = 11

_WHOLE = (200, 203)
_VALIDATORS = {"etag_validated": ("etag", "if-none-match"), "lm_validated": ("last-modified", "if-modified-since")}

#: A header's name and value. A number is a date, in seconds from now.
Header = tuple[str, str | int]


@dataclass(frozen=True, slots=True)
class Step:
    """
    One request of a case.

    Args:
        headers: Those of the origin's response.
        expected: "cached", "not_cached", "etag_validated" or "lm_validated"; empty if it does not matter.
        pause: Whether `PAUSE_S` pass after it.
        status: Status of the origin's response.
        interim: The responses before it: status and headers.
        disconnect: Whether the origin closes the connection instead.
        fails: Whether the client must get an error.
        shown: The number of the request whose picture must be shown, from 1; 0 if it does not matter.
        has: Headers that the stored response must have.
        lacks: Headers that it must not have.
        passes_on: Whether the client is to get the interim responses.
    """

    headers: Sequence[Header] = ()
    expected: str = ""
    pause: bool = False
    status: int = 200
    interim: Sequence[tuple[int, Sequence[Header]]] = ()
    disconnect: bool = False
    fails: bool = False
    shown: int = 0
    has: Sequence[tuple[str, str]] = ()
    lacks: Sequence[str] = ()
    passes_on: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """
    A case of the suite.

    Args:
        id: Its name.
        group: The name of its group.
        kind: "required", "optimal" or "check".
        browser_only: Whether it is about a browser's cache.
        steps: Its requests.
    """

    id: str
    group: str
    kind: str
    browser_only: bool
    steps: tuple[Step, ...]

    @property
    def names_stale_use(self) -> bool:
        """Whether a response permits its use while it is validated."""
        values = [str(value) for step in self.steps for _, value in step.headers]
        return any("stale-while-revalidate" in value for value in values)


def read_cases(groups: Sequence[Mapping[str, Any]]) -> Iterator[Case]:
    """Yield the cases of the suite's file."""
    for group in groups:
        for test in group["tests"]:
            steps = _with_marks([_read_step(request) for request in test["requests"]])
            kind = test.get("kind", "required")
            yield Case(test["id"], group["id"], kind, test.get("browser_only", False), steps)


def _read_step(request: Mapping[str, Any]) -> Step:
    given = [each if isinstance(each, list) else [each, ""] for each in request.get("expected_response_headers", ())]
    counts = [int(value) for name, value in given if name == "client-request-count"]
    interim = request.get("interim_responses", ())
    return Step(
        headers=[(header[0], header[1]) for header in request.get("response_headers", ())],
        expected=request.get("expected_type", ""),
        pause=request.get("pause_after", False),
        status=request.get("response_status", [200])[0],
        interim=[(each[0], [(name, value) for name, value in (each[1] if each[1:] else ())]) for each in interim],
        disconnect=request.get("disconnect", False),
        fails="expected_status" in request and request["expected_status"] is None,
        shown=counts[0] if counts else 0,
        has=[(name.lower(), value) for name, value in given if name != "client-request-count"],
        lacks=[name.lower() for name in request.get("expected_response_headers_missing", ())],
        passes_on=bool(request.get("expected_interim_responses")),
    )


def _with_marks(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Replace expected headers such as `a: 1`. They only say which of the responses must be shown."""
    sent_with = {header: number for number, step in enumerate(steps, 1) for header in step.headers}
    marked = []
    for step in steps:
        marks = [(name, value) for name, value in step.has if len(name) == 1]
        numbers = {number for (name, value), number in sent_with.items() if (name.lower(), value) in marks}
        has = [each for each in step.has if each not in marks]
        marked.append(replace(step, has=has, shown=max(numbers, default=step.shown)))
    return tuple(marked)


@dataclass(slots=True)
class Player:
    """
    Plays one case.

    Args:
        bench: Has the origin and the clock.
        catalog: A catalogue on them.
        case: The case.
    """

    bench: Bench
    catalog: Catalog
    case: Case
    _number: int = 0
    _shown: int | None = None
    _responses: list[list[tuple[str, str]]] = field(default_factory=list)

    async def play(self) -> list[str]:
        """Return what is not as expected."""
        source = self.bench.source(f"/{self.case.id}")
        self.bench.origin.scripts[f"/{self.case.id}"] = self._respond
        wrong: list[str] = []
        for number, step in enumerate(self.case.steps):
            self._number = number
            self._responses.append([(name, self._value(value)) for name, value in step.headers])
            before, asked_before = self._shown, len(self.bench.origin.requests)
            stored = await self._request(source)
            asked = self.bench.origin.requests[asked_before:]
            found = [self._wrong_picture(step, before, asked), *_wrong_headers(step, stored)]
            wrong += [f"request {number + 1}: {each}" for each in found if each]
            self.bench.now += (PAUSE_S if step.pause else 0) + (_AFTER_FAILURE_S if self._shown is None else 0)
        return wrong

    async def _request(self, source: Source) -> dict[str, str]:
        """Ask for the original as the service does. Return the stored headers; an error has none."""
        original = self.catalog.current(source, None)
        if original is None:
            with contextlib.suppress(ImgcdnError):
                original = await self.catalog.refresh(source, None)
        self._shown = None if original is None else await self._picture(source, original)
        if original is not None and original.freshness is Freshness.STALE_OK:
            with contextlib.suppress(ImgcdnError):  # in the background
                await self.catalog.refresh(source, None)
        return dict(original.record.origin.headers) if original and original.record.origin else {}

    async def _picture(self, source: Source, original: Original) -> int:
        file = await self.catalog.open(source, original)
        assert file is not None, "the copy is not there"
        return BODIES.index(Path(str(file.path)).read_bytes())

    def _wrong_picture(self, step: Step, before: int | None, asked: Sequence[Request]) -> str:
        as_expected = {
            "": True,
            "cached": self._shown == before and (before is not None or not asked),
            # An error is not stored, so that another request of the origin is the proof.
            "not_cached": self._shown == self._number if step.status in _WHOLE else self._shown is None and bool(asked),
        }
        for expected, (_, header) in _VALIDATORS.items():
            as_expected[expected] = self._shown == before is not None and [header in r.headers for r in asked] == [True]
        if not as_expected[step.expected] or (step.shown and self._shown != step.shown - 1):
            return (
                f"expected {step.expected}, picture {self._shown} is shown, and the origin was asked {len(asked)} times"
            )
        return "there is no error" if step.fails and self._shown is not None else ""

    def _respond(self, exchange: Exchange) -> None:
        step = self.case.steps[self._number]
        if step.disconnect:
            exchange.close()
            return
        for status, hints in step.interim:
            exchange.send(self._head(status, [(name, str(value)) for name, value in hints]))
        headers = self._responses[self._number]
        if self._is_validated(step, exchange.request):
            exchange.send(self._head(304, headers))
            return
        body = b"" if step.status == 204 else BODIES[self._number]
        headers = [(name, value) for name, value in headers if name != "Content-Length"]
        exchange.send(self._head(step.status, [*headers, ("Content-Length", str(len(body)))]) + body)

    def _is_validated(self, step: Step, request: Request) -> bool:
        stored, given = _VALIDATORS.get(step.expected, ("", ""))
        previous = self._responses[self._number - 1] if self._number else []
        return bool(stored) and request.headers.get(given) in [v for name, v in previous if name.lower() == stored]

    def _head(self, status: int, headers: Sequence[tuple[str, str]]) -> bytes:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        return f"HTTP/1.1 {status} Status\r\n{lines}\r\n".encode("latin-1")

    def _value(self, value: str | int) -> str:
        return value if isinstance(value, str) else formatdate(self.bench.now + value, usegmt=True)


def _wrong_headers(step: Step, stored: Mapping[str, str]) -> Iterator[str]:
    yield from (f"{name} is not kept" for name, _ in step.has if name not in stored)
    yield from (f"{name} is {stored[name]}" for name, value in step.has if stored.get(name, value) != value)
    yield from (f"{name} is kept" for name in step.lacks if name in stored)
    if step.passes_on:
        yield "the interim responses are not passed on"
