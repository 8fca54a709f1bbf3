"""
Every parser of text that clients, origins or operators choose, and how its time grows with the text.

`PARSERS` is the one table of them: what is called, the greatest length of its text, and what the text begins and ends
with. `tests/test_parsers.py` compares the times of texts of several lengths; `bench/load/parsers.py` prints them.
"""

import random
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from requests.structures import CaseInsensitiveDict

from imgcdn import dialects, errors
from imgcdn.core import setting, setting_tables
from imgcdn.core.dates import MAX_DATE_LENGTH, http_date
from imgcdn.core.quoting import hide_quoted, split_list
from imgcdn.core.redaction import redact
from imgcdn.core.request import (
    allowlist,
    arguments,
    loops,
    nearest,
    negotiation,
    origin_options,
    params,
    routes,
    rules,
    save_data,
    signing,
    url,
)
from imgcdn.core.request.parameters import BY_NAME, PARAMETERS, Parameter
from imgcdn.core.values import Effort, Source, Variant
from imgcdn.dialects import astro, native, netlify, reading
from imgcdn.dialects.base import ImageRequest, Target
from imgcdn.errors import Forbidden, ImgcdnError
from imgcdn.origins import codings, freshness, local
from imgcdn.origins.addresses import AddressRule
from imgcdn.origins.settings import OriginSettings
from imgcdn.service.delivery import CacheStatus, Delivery
from imgcdn.store import files
from imgcdn.web import admin, cache_control, conditions, http1, limits, proxies, responses, router
from imgcdn.web import request as web_request
from imgcdn.web.endpoints import purge
from imgcdn.web.request import Request
from imgcdn.web.settings import WebSettings
from tests.support.planning import RULES

#: What texts are made of: each piece, repeated.
PIECES = (
    *('"', '\\"', '"\\', "\\", '",', '";', '","', 'a="', "\\\\"),
    *(",", ";", " ", "\t", "a,", "a;", "a ", " ,", ", ", "; ", ",;", "a=b,", "a=b;"),
    *("%", "%2", "%25", "%2C", "%41", "%5C%22", "%C3%A9", "%ff"),
    *("0", "1", "9", ".", "1.", "1,", "0.1,", "-", "+", "=", ":", "/", "a/", "../", "*", "**/", "a", "é", "é."),
    *("&", "a&", "a=1&", "w=1&", "[", "]", "{", '{"a":', "@", "#", "?", "x\r\n", "X:\r\n", "X: y\r\n"),
)
_MIXTURE = "".join(random.Random(1).choices('"\\,; %0.=', k=files.MAX_RECORD_BYTES))
_HEAD = limits.MAX_HEAD_BYTES
_BODY = limits.MAX_BODY_BYTES


@dataclass(frozen=True, slots=True)
class Parser:
    """
    One parser.

    Args:
        function: The parser itself; the name of its module and its own name it in reports.
        read: Calls it with a text.
        length: The greatest length of the text: a longer one is refused, or read as absent, before it is parsed.
        before, after: What the text begins and ends with, so that the parser reaches the rest.
        beyond: A length above `length` that can still arrive, and must cost no more; 0 if nothing longer arrives.
        of: What is parsed, if the function parses several things.
    """

    function: Callable[..., Any]
    read: Callable[[str], object]
    length: int
    before: str = ""
    after: str = ""
    beyond: int = 0
    of: str = ""

    @property
    def module(self) -> str:
        """The path of its module within the package, without the suffix."""
        return self.function.__module__.removeprefix("imgcdn.").replace(".", "/")

    @property
    def name(self) -> str:
        """Module, function and what is parsed."""
        return f"{self.module}:{self.function.__qualname__}" + (f" {self.of}" if self.of else "")

    def texts(self) -> Iterator[tuple[str, Callable[[int], str]]]:
        """Yield kinds of text: a label, and a function that returns the text of a length."""
        for piece in PIECES:
            yield piece, partial(self._text, piece)
        yield "mixture", partial(self._text, "")

    def _text(self, piece: str, length: int) -> str:
        """Repeat a whole piece. Part of one, such as half an escape, may be refused before the rest is read."""
        length -= len(self.before) + len(self.after)
        filling = piece * (length // len(piece)) if piece else _MIXTURE[:length]
        return self.before + filling + self.after


def seconds(parser: Parser, text: str, *, runs: int) -> float:
    """Return the CPU time of a parse: the best of several runs. That a text is refused is no error."""
    best = float("inf")
    with _untraced():
        for _ in range(runs):
            began = time.thread_time()
            with suppress(ImgcdnError, ValueError):
                parser.read(text)
            best = min(best, time.thread_time() - began)
    return best


@contextmanager
def _untraced() -> Iterator[None]:
    """Suspend the tracer of a coverage report, which takes several times as long as what it traces."""
    tracer = sys.gettrace()
    sys.settrace(None)
    try:
        yield
    finally:
        sys.settrace(tracer)


def _feed(head: str) -> None:
    reader = http1.RequestReader(_PEER, proxies.RequestIds(), lambda request: False)
    reader.feed(head.encode("latin-1", "replace"))


def _with_header(name: bytes) -> Callable[[str], Request]:
    return lambda text: Request("GET", "/img/a.jpg", {name: text.encode("latin-1", "replace")})


def _scope(text: str) -> dict[str, Any]:
    headers = [tuple(line.encode("latin-1", "replace").partition(b":")[::2]) for line in text.split("\r\n")]
    return {"method": "GET", "raw_path": b"/img", "path": "/img", "query_string": b"", "headers": headers}


def _deliver(location: str, download: str | None = None) -> None:
    image = ImageRequest(Source("local", location), params.Params(), None, download)
    responses.deliver(Delivery(_VARIANT, CacheStatus.HIT), image, _GET, responses.Lifetimes(1, 1, ""))


def _parse_record(text: str) -> None:
    data = text.encode("utf-8", "replace")
    files.unpack_record(b"imgcdn-record 1 %08x\n%s" % (zlib.crc32(data), data))


def _lifetime_by(name: str) -> Callable[[str], object]:
    return lambda text: freshness.lifetime({name: text}, received_at=0, min_ttl_s=1, default_ttl_s=2, max_ttl_s=3)


def _parse_argument(parameter: Parameter, text: str) -> None:
    parameter.range.parse(text, parameter.name)


def _parse_target(raw: str) -> None:
    dialects.parse(Target.read(raw), RULES)


_PEER = proxies.Peer("10.0.0.1", trusted=True)
_PROXIES = proxies.Proxies(["10.0.0.0/8", "2001:db8::/32"])
_GET = Request("GET", "/img/a.jpg", {})
_VARIANT = Variant(b"", "webp", (9, 9), 0, bytes(32), 0, Effort.FAST)
_BASE = url.parse_remote("https://a.example/m/")
_MOUNTED = routes.Routes([routes.Mount("m", _BASE)], [allowlist.parse_pattern("a.example")])
_PATTERNS = [allowlist.parse_pattern(f"a.example/{'*/' * depth}**") for depth in range(1, 100)]
_ALLOWLIST = allowlist.Allowlist(_PATTERNS)
_KEY = signing.parse_signing_key("k:" + "0f" * 16)
_SIGNATURES = signing.Signatures((_KEY,), required=True)
_FILES = local.LocalFetcher(OriginSettings(root=Path("/nonexistent")))
_FIRST = limits.MAX_TARGET_LENGTH
_KEPT = freshness.MAX_HEADER_LENGTH

#: No limit: the operator writes it, and it is read once, at the start.
_SETTING = 4_000

OF_REQUESTS = (
    Parser(http1.RequestReader.feed, _feed, _HEAD, "GET / HTTP/1.1\r\nHost: a\r\nX: ", "\r\n\r\n", of="a header"),
    Parser(http1.RequestReader.feed, _feed, _HEAD, "GET / HTTP/1.1\r\nHost: a\r\n", "\r\n\r\n", of="headers"),
    Parser(http1.RequestReader.feed, _feed, _HEAD, "GET / HTTP/1.1\r\nHost: ", "\r\n\r\n", of="Host"),
    Parser(http1.RequestReader.feed, _feed, _FIRST, "GET /", " HTTP/1.1\r\nHost: a\r\n\r\n", of="a target"),
    Parser(http1.RequestReader.feed, _feed, _FIRST, "GET http://", "/ HTTP/1.1\r\n\r\n", of="a whole URL"),
    Parser(web_request.from_scope, lambda text: web_request.from_scope(_scope(text)), 2 * _HEAD, of="headers"),
    Parser(
        proxies.Proxies.client,
        lambda text: _PROXIES.client(_PEER, {b"x-forwarded-for": text.encode("latin-1", "replace")}),
        _HEAD,
        after=", 10.0.0.1" * 100,
    ),
    Parser(
        proxies.RequestIds.next,
        lambda text: proxies.RequestIds().next(_PEER, {b"x-request-id": text.encode("latin-1", "replace")}),
        _HEAD,
    ),
    Parser(purge.read_order, lambda text: purge.read_order(text.encode()), _BODY, of="a body"),
    Parser(
        purge.read_order, lambda text: purge.read_order(text.encode()), _BODY, '{"all":true,"a":"', '"}', of="a text"
    ),
    Parser(
        purge.read_order,
        lambda text: purge.read_order(text.encode()),
        _FIRST,
        '{"source":"https://a.example/',
        '"}',
        of="a source",
    ),
    Parser(
        admin.check_token,
        lambda text: admin.check_token(_with_header(b"authorization")(text), setting.Secret("x" * 40)),
        _HEAD,
        "Bearer ",
    ),
    Parser(router.find, router.find, _FIRST, "/-/problems/"),
    Parser(
        conditions.is_unchanged,
        lambda text: conditions.is_unchanged(_VARIANT, _with_header(b"if-none-match")(text)),
        conditions.MAX_TAGS_LENGTH,
        beyond=_HEAD,
        of="If-None-Match",
    ),
    Parser(
        conditions.asked_range,
        lambda text: conditions.asked_range(_with_header(b"range")(text), _VARIANT),
        conditions.MAX_RANGE_LENGTH,
        "bytes=",
        beyond=_HEAD,
        of="Range",
    ),
    Parser(
        conditions.is_unchanged,
        lambda text: conditions.is_unchanged(_VARIANT, _with_header(b"if-modified-since")(text)),
        MAX_DATE_LENGTH,
        beyond=_HEAD,
        of="If-Modified-Since",
    ),
    Parser(
        responses.refuse,
        lambda text: responses.refuse(Forbidden(), _with_header(b"accept")(text)),
        negotiation.MAX_ACCEPT_LENGTH,
        beyond=_HEAD,
    ),
    Parser(responses.deliver, _deliver, _FIRST, of="the name of an original"),
    Parser(responses.deliver, lambda text: _deliver("a.jpg", text), arguments.MAX_NAME_BYTES, of="dl"),
    Parser(negotiation.client_class, negotiation.client_class, negotiation.MAX_ACCEPT_LENGTH, beyond=_HEAD),
    Parser(save_data.wants_less, save_data.wants_less, save_data.MAX_SAVE_DATA_LENGTH, beyond=_HEAD),
    Parser(loops.is_loop, lambda text: loops.is_loop(text, "imgcdn-1"), loops.MAX_CDN_LOOP_LENGTH, beyond=_HEAD),
    Parser(hide_quoted, hide_quoted, negotiation.MAX_ACCEPT_LENGTH),
    Parser(split_list, split_list, _KEPT),
    Parser(http_date, lambda text: http_date(text, now=0), MAX_DATE_LENGTH, beyond=_HEAD),
    Parser(errors._without_middle, errors._without_middle, _HEAD),
    Parser(redact, redact, _FIRST, of="a target or a header, for the log"),
    Parser(redact, redact, _FIRST, "https://", of="userinfo"),
)

OF_TARGETS = (
    Parser(native.parse, _parse_target, _FIRST, "/img?", of="a query"),
    Parser(native.parse, _parse_target, _FIRST, "/img/", "?w=9", of="a path"),
    Parser(native.parse, _parse_target, _FIRST, "/img?url=", of="url"),
    Parser(native.parse, _parse_target, _FIRST, "/img?url=https://a.example/", of="a URL"),
    Parser(netlify.parse, _parse_target, _FIRST, "/.netlify/images?url=/a.jpg&", of="a query"),
    Parser(netlify.parse, _parse_target, _FIRST, "/.netlify/images?url=", of="url"),
    Parser(netlify.parse, _parse_target, _FIRST, "/.netlify/images?url=/a.jpg&position=", of="position"),
    Parser(astro.parse, _parse_target, _FIRST, "/_image?href=/a.jpg&", of="a query"),
    Parser(astro.parse, _parse_target, _FIRST, "/_image?href=", of="href"),
    Parser(astro.parse, _parse_target, _FIRST, "/_image?href=/a.jpg&background=", of="background"),
    Parser(Target.read, Target.read, _FIRST),
    Parser(reading.parse_source, lambda text: reading.parse_source(text, is_reference=True), _FIRST),
    *(Parser(type(each.range).parse, partial(_parse_argument, each), _FIRST, of=each.name) for each in PARAMETERS),
    Parser(params.collect, lambda text: params.collect([(text, "1")]), _FIRST, of="an unknown name"),
    Parser(params.parse_version, lambda text: params.parse_version({"v": text}), _FIRST),
    Parser(params.parse_download, lambda text: params.parse_download({"dl": text}), _FIRST),
    Parser(rules.Rules.params, lambda text: RULES.params({"p": text}), _FIRST, of="p"),
    Parser(nearest.closest, lambda text: nearest.closest(text, BY_NAME), _FIRST),
    Parser(Source.stem.fget, lambda text: Source("remote", text).stem, _FIRST, "https://a.example/"),  # type: ignore[attr-defined]  # a property
    Parser(routes.Routes.route, lambda text: _MOUNTED.route(Source("local", text)), _FIRST, "m/", of="a mount"),
    Parser(
        routes.Routes.route,
        lambda text: _MOUNTED.route(Source("local", "m/a", text)),
        _FIRST,
        of="the query of a mount",
    ),
    Parser(signing.Signatures.check, lambda text: _SIGNATURES.check("/img", text), _FIRST, "s=1&kid=k&", of="a query"),
    Parser(signing.Signatures.check, lambda text: _SIGNATURES.check(text, "s=1&kid=k"), _FIRST, "/img/", of="a path"),
    Parser(url.parse_remote, url.parse_remote, url.MAX_URL_LENGTH, "https://a.example/", beyond=_HEAD, of="a target"),
    Parser(url.parse_remote, url.parse_remote, url.MAX_URL_LENGTH, "https://", "/", beyond=_HEAD, of="a host"),
    Parser(url.parse_remote, url.parse_remote, url.MAX_URL_LENGTH, "https://[", "]:80/", beyond=_HEAD, of="an address"),
    Parser(
        allowlist.Allowlist.match,
        lambda text: _ALLOWLIST.match(url.RemoteUrl("https", "a.example", 443, text)),
        url.MAX_URL_LENGTH,
        "/",
    ),
    Parser(local.LocalFetcher.stamp, lambda text: _FILES.stamp(Source("local", text)), _FIRST),
)

OF_ORIGINS = (
    Parser(freshness.cache_control, freshness.cache_control, _KEPT, beyond=2 * _HEAD),
    Parser(freshness.cache_control, freshness.cache_control, _KEPT, 'x="', beyond=2 * _HEAD, of="an argument"),
    *(
        Parser(freshness.lifetime, _lifetime_by(name), _KEPT, of=name)
        for name in ("age", "cache-control", "date", "expires", "last-modified", "vary")
    ),
    Parser(
        freshness.kept_headers,
        lambda text: freshness.kept_headers(CaseInsensitiveDict({"vary": text, "etag": text, "age": text})),
        2 * _HEAD,
    ),
    Parser(
        codings.codings_of, lambda text: codings.codings_of(text, "u"), codings.MAX_CODINGS_LENGTH, beyond=2 * _HEAD
    ),
    Parser(freshness.retry_after, lambda text: freshness.retry_after({"retry-after": text}, now=0), 2 * _HEAD),
    Parser(
        url.join_reference,
        lambda text: url.join_reference(_BASE, text),
        url.MAX_URL_LENGTH,
        beyond=2 * _HEAD,
        of="a Location",
    ),
    Parser(AddressRule.refusal, lambda text: AddressRule().refusal(text), _FIRST),
    Parser(files.unpack_record, _parse_record, files.MAX_RECORD_BYTES - 100, of="JSON"),
    Parser(files.unpack_record, _parse_record, files.MAX_RECORD_BYTES - 100, '{"version":"', '"}', of="a text"),
    Parser(files.unpack_header, lambda text: files.unpack_header(text.encode("utf-8", "replace"), 9, key=""), _FIRST),
)

OF_SETTINGS = (
    Parser(allowlist.parse_pattern, allowlist.parse_pattern, url.MAX_URL_LENGTH, "a.example/"),
    Parser(allowlist.parse_pattern, allowlist.parse_pattern, url.MAX_URL_LENGTH, of="a host"),
    Parser(signing.parse_signing_key, signing.parse_signing_key, _SETTING, "k:"),
    Parser(origin_options.header_name, origin_options.header_name, _SETTING, "X-"),
    Parser(origin_options.is_header_value, origin_options.is_header_value, _SETTING),
    Parser(
        cache_control.limit_lifetimes,
        lambda text: cache_control.limit_lifetimes(text, 9),
        _SETTING,
        of="the operator's own",
    ),
    Parser(url.parse_override, url.parse_override, _SETTING, "a:80:"),
    Parser(rules.parse_preset, lambda text: rules.parse_preset("a", text), _SETTING),
    *(
        Parser(parse, parse, _SETTING)
        for parse in (setting.address, setting.header_value, setting.network, setting.byte_count, setting.switch)
    ),
    Parser(setting.integer, setting.integer(1, 9), _SETTING),
    Parser(setting.seconds, setting.seconds(1, 9), _SETTING),
    Parser(setting.list_of, setting.list_of(setting.text), _SETTING),
    Parser(setting_tables.table_of, setting_tables.table_of(lambda name, value: value, example="a=b"), _SETTING),
    Parser(setting_tables.from_json, setting_tables.from_json, _SETTING, '[{"'),
    Parser(WebSettings, WebSettings.__dataclass_fields__["path_prefix"].metadata["parse"], _SETTING, of="path_prefix"),
)

PARSERS = (*OF_REQUESTS, *OF_TARGETS, *OF_ORIGINS, *OF_SETTINGS)
