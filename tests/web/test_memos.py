"""All memos of a worker hold no more memory than their limits say, whatever clients and origins put into them."""

import gc
import inspect
import re
import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imgcdn import dialects
from imgcdn.config import Config, load
from imgcdn.core.memo import MIB, Memo
from imgcdn.core.output.keys import variant_key
from imgcdn.core.request.negotiation import MAX_ACCEPT_LENGTH, client_class
from imgcdn.core.values import (
    Effort,
    FailedVariant,
    FileStamp,
    NegativeEntry,
    OriginState,
    Source,
    SourceRecord,
    Variant,
    Visit,
)
from imgcdn.dialects.base import ImageRequest, Target
from imgcdn.errors import MAX_LOG_LENGTH
from imgcdn.origins.freshness import MAX_HEADER_LENGTH
from imgcdn.origins.http import HttpFetcher
from imgcdn.service.assembly import assemble
from imgcdn.service.delivery import CacheStatus
from imgcdn.store.files import pack_record, unpack_record
from imgcdn.web.front import Front
from imgcdn.web.hits import Hits
from imgcdn.web.limits import MAX_TARGET_LENGTH
from imgcdn.web.request import Request
from tests.support.paths import ROOT
from tests.support.planning import BOTH, PHOTO, RULES, make_plan

Entry = tuple[Any, Any]

_EVERYTHING = (
    "h=300&fit=cover&position=smart&fm=webp&q=80&bg=ff0088aa&crop=1,2,300,90&trim=3&brightness=1.5&contrast=1.1"
    "&saturation=0.5&blur=2.5&sharpen=1.5&rotate=90&flip=h"
)
_STAMP = FileStamp(10**7, 10**18, 10**18, 10**7)
_LOCAL = SourceRecord("ab" * 32, _STAMP, PHOTO)


def _request(target: str) -> ImageRequest:
    return dialects.parse(Target.read(target), RULES)


def _small_target(count: int) -> str:
    return f"/img/photos/{count:06}.jpg?w={count % 2000 + 1}"


def _long_target(count: int) -> str:
    """Return a target of the greatest length. One character of its path makes Python store four bytes for each."""
    head = f"/img/%F0%9F%98%80{count:06}"
    tail = f"?w={count % 2000 + 1}&v={'v' * 64}&dl={'d' * 200}&{_EVERYTHING}"
    return head + "a" * (MAX_TARGET_LENGTH - len(head) - len(tail)) + tail


def _parsed(target: str) -> Entry:
    return (target, False), _request(target)


def _planned(target: str) -> Entry:
    request = _request(target)
    plan = make_plan(PHOTO, request.params, BOTH)
    version = target[:6].ljust(64, "0")
    return (request, BOTH), (version, plan, variant_key(version, plan))


def _small_record(count: int) -> SourceRecord:
    return _read_back(replace(_LOCAL, stamp=replace(_STAMP, inode=count)))


def _remote_record(count: int) -> SourceRecord:
    headers = (("cache-control", f"max-age={count}"), ("etag", f'"{count}"'), ("last-modified", "x" * 29))
    way = (Visit(f"https://a.example/{count}.jpg", "192.0.2.1"),)
    return _read_back(replace(_LOCAL, origin=OriginState(way, headers, 1.5, 2.5, storable=True)))


def _great_record(count: int) -> SourceRecord:
    negative = NegativeEntry("origin-error", f"{count:06}".ljust(MAX_LOG_LENGTH, "x"), 1.5)
    headers = tuple((f"header-{number}", f"{count:06}".ljust(MAX_HEADER_LENGTH)) for number in range(9))
    seen = tuple(f"{number}".ljust(64, "v") for number in range(16))
    way = tuple(Visit(f"{count:06}{hop:02}".ljust(8_000, "u"), f"2001:db8::{count}") for hop in range(21))
    origin = OriginState(way, headers, 1.5, 2.5, storable=True, seen=seen)
    failed = tuple(FailedVariant(f"{number:064}", replace(negative, until=number + 0.5)) for number in range(16))
    return _read_back(replace(_LOCAL, negative=negative, origin=origin, failed=failed))


def _read_back(record: SourceRecord) -> SourceRecord:
    """Return a record that shares no text with another, as one that was read from the disk."""
    found = unpack_record(pack_record(record))
    assert found is not None
    return found


def _headers_of(record: SourceRecord) -> tuple[tuple[str, str], ...]:
    assert record.origin is not None
    return record.origin.headers


def _key(count: int) -> str:
    return f"{count:064}"


def _header(count: int) -> Entry:
    variant = Variant(b"", "webp", (count + 999, 999), count + 10**5, bytes(31) + b"x", 10**9 + count, Effort.FAST)
    path = f"/var/cache/imgcdn/current/ab/{_key(count)}/{_key(count)}.webp"
    return path, ((10**7 + count, 10**18 + count, 10**5 + count), variant)


def _accepted(accept: str) -> Entry:
    return accept, client_class(accept)


def _called(name: str, *arguments: object) -> Entry:
    return arguments, FUNCTIONS[name].__wrapped__(*arguments)  # type: ignore[attr-defined]  # functools.wraps sets it


def _of_content(stem: str, download: str | None) -> Entry:
    return _called("_content_headers", "webp", 10**5, stem, download)


#: Memo -> an entry of ordinary size, and one of the greatest size, each by its number.
ENTRIES: dict[str, tuple[Callable[[int], Entry], Callable[[int], Entry]]] = {
    "Hits._requests": (lambda n: _parsed(_small_target(n)), lambda n: _parsed(_long_target(n))),
    "Hits._classes": (
        lambda n: _accepted(f"image/{n}"),
        lambda n: _accepted(f"{n}".ljust(MAX_ACCEPT_LENGTH, ";")),
    ),
    "Planner._plans": (lambda n: _planned(_small_target(n)), lambda n: _planned(_long_target(n))),
    "DiskStore._records": (
        lambda n: (_key(n), ((10**7 + n, 10**18 + n), _small_record(n))),
        lambda n: (_key(n), ((10**7 + n, 10**18 + n), _great_record(n))),
    ),
    "DiskStore._unsaved": (lambda n: (_key(n), _remote_record(n)), lambda n: (_key(n), _great_record(n))),
    "DiskStore._headers": (_header, _header),
    "source_key": (
        lambda n: _called("source_key", Source("local", f"photos/{n}.jpg")),
        lambda n: _called("source_key", Source("local", f"\N{GRINNING FACE}{n}".ljust(MAX_TARGET_LENGTH))),
    ),
    "_is_servable": (
        lambda n: _called("_is_servable", f"photos/{n}.jpg"),
        lambda n: _called("_is_servable", f"\N{GRINNING FACE}{n}".ljust(MAX_TARGET_LENGTH)),
    ),
    "AddressRule._admissions": (
        lambda n: (f"2001:db8::{n}", False),
        lambda n: (f"{n}".ljust(45), False),
    ),
    "_shared_headers": (
        lambda n: _called("_shared_headers", f"{n:032}".encode(), 10**9 + n, "Accept", f"public, max-age={n}"),
        lambda n: _called("_shared_headers", f"{n:032}".encode(), 10**9 + n, "Accept", f"{n}".ljust(1_000)),
    ),
    "_content_headers": (
        lambda n: _of_content(f"{n}", None),
        lambda n: _of_content(f"\N{GRINNING FACE}{n}".ljust(100), f"\N{GRINNING FACE}{n}".ljust(197)),
    ),
    "permissions": (
        lambda n: _called("permissions", _headers_of(_remote_record(n)), 1.5 + n),
        lambda n: _called("permissions", _headers_of(_great_record(n)), 1.5 + n),
    ),
    "_cache_status_header": (
        lambda n: _called("_cache_status_header", CacheStatus.HIT, 1000 + n, True, ""),
        lambda n: _called("_cache_status_header", CacheStatus.HIT, 10**9 + n, True, "partial"),
    ),
}


def _memoised_functions() -> dict[str, Callable[..., object]]:
    """Return the functions of the package that have a memo."""
    modules = [module for name, module in sys.modules.items() if name.startswith("imgcdn.")]
    functions = {each for module in modules for each in vars(module).values() if inspect.isfunction(each)}
    return {each.__name__: each for each in functions if _memo_of(each) is not None}


def _memo_of(function: Callable[..., object]) -> "Memo[Any, Any] | None":
    found = inspect.getclosurevars(function).nonlocals.get("memo") if inspect.isfunction(function) else None
    return found if isinstance(found, Memo) else None


FUNCTIONS = _memoised_functions()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "root").mkdir()
    return load({"root": str(tmp_path / "root"), "cache_dir": str(tmp_path / "cache")}, environ={})


@pytest.fixture
def memos(config: Config) -> "dict[str, Memo[Any, Any]]":
    """Return every memo of a worker."""
    parts = assemble(config)
    hits = Hits(config.web, config.request, parts)
    planner = parts.service._planner
    remote = parts.catalog._fetchers["remote"]
    assert isinstance(remote, HttpFetcher)
    objects = [
        hits,
        parts.service,
        planner,
        parts.service.store,
        parts.routes,
        parts.files,
        parts.catalog,
        parts.renderers,
        remote._admitted,
    ]
    of_objects = {
        f"{type(each).__name__}.{name}": value
        for each in objects
        for name, value in vars(each).items()
        if isinstance(value, Memo)
    }
    of_functions = {name: memo for name, each in FUNCTIONS.items() if (memo := _memo_of(each)) is not None}
    return of_objects | of_functions


def traced_bytes(fill: Callable[[], object]) -> int:
    """Return how many bytes are held by what a function returns."""
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        kept = fill()
        gc.collect()
        held = tracemalloc.get_traced_memory()[0] - before
        del kept
        return held
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("size", [0, 1], ids=["ordinary", "greatest"])
@pytest.mark.parametrize("name", ENTRIES)
def test_a_memo_of_entries_of_one_size_holds_as_much_as_its_limit_says(
    name: str, size: int, memos: "dict[str, Memo[Any, Any]]"
) -> None:
    make, limit, size_of = ENTRIES[name][size], MIB // 4, memos[name].size_of

    def fill() -> "Memo[Any, Any]":
        memo, put_bytes, count = Memo(limit, size_of), 0, 0
        while put_bytes < 2 * limit:
            key, value = make(count)
            memo.put(key, value)
            put_bytes += size_of(key, value)
            count += 1
        return memo

    fill()  # what is made once, such as the decoders of a codec, is no part of the memo
    held = traced_bytes(fill)

    assert limit / 2 < held < 1.5 * limit


def test_the_documentation_says_how_much_all_memos_hold(memos: "dict[str, Memo[Any, Any]]") -> None:
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    stated = re.search(r"at most (\d+) MiB in each worker", text)

    assert set(memos) == set(ENTRIES)
    assert stated is not None
    assert sum(memo.limit_bytes for memo in memos.values()) == int(stated[1]) * MIB


def test_requests_with_long_targets_hold_no_more_than_the_memos_limits(
    config: Config, memos: "dict[str, Memo[Any, Any]]"
) -> None:
    front = Front(config.web, config.request, assemble(config), max_waiting=1)
    touched = ("Hits._requests", "Hits._classes", "_is_servable")
    limit = sum(memos[name].limit_bytes for name in touched)

    def request_many() -> None:
        for count in range(1_000):
            accept = f"image/{count}".ljust(MAX_ACCEPT_LENGTH, ";").encode()
            request = front.identify(Request("GET", _long_target(count), {b"accept": accept}), "192.0.2.1")
            response = front.answer(request)
            assert response is not None
            assert response.status == 404

    assert traced_bytes(request_many) < 1.5 * limit < 3_000 * MAX_TARGET_LENGTH
