"""Fuzz targets that are texts: targets of requests, Accept, allowlist patterns and URLs of originals."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace

from hypothesis import strategies as st
from urllib3.util import parse_url

from imgcdn import dialects
from imgcdn.core.output.formats import NEGOTIATED
from imgcdn.core.output.keys import source_key, variant_key
from imgcdn.core.output.plan import plan_for
from imgcdn.core.request.allowlist import Allowlist, parse_pattern
from imgcdn.core.request.negotiation import client_class
from imgcdn.core.request.parameters import ALIASES, PARAMETERS
from imgcdn.core.request.url import DEFAULT_PORTS, RemoteUrl, join_reference, parse_remote
from imgcdn.core.values import Facts
from imgcdn.dialects.base import ImageRequest
from imgcdn.dialects.base import Target as RawTarget
from imgcdn.errors import Forbidden, InvalidParam, RequestError
from imgcdn.web.request import Request
from tests.fuzz.served import check_response, served
from tests.fuzz.target import Check, Target, ready, spliced
from tests.support.parameters import SAMPLES
from tests.support.planning import LIMITS, RULES

#: One character for each byte, as targets are read.
_BYTES = st.characters(min_codepoint=0x21, max_codepoint=0xFF)

_TARGETS = [
    "/img/photo.png?w=40&h=30&fit=cover", "/img?url=%2Fphoto.png&w=40", "/img/a%20folder/photo.png?dl=a.jpg&v=1",
    "/img/https%3A%2F%2Fa.example%2Fb.jpg?fm=webp", "/img?url=http://a.example/b.jpg", "/img/../secret.png",
    "/.netlify/images?url=/photo.png&w=40&fit=cover&position=top", "/_image?href=/photo.png&w=40&f=webp&q=max",
    "/", "/-/healthz", "/-/readyz", "/-/problems/invalid-param", "/-/static/welcome.css", "/favicon.ico", "*",
]  # fmt: skip
_TARGET_PIECES = [
    "%", "%2", "%00", "%2e%2e", "%252e", "..", "/", "//", "\\", "%5c", "?", "&", "=", "+", ";", "#", "@", "%ff",
    "%C3%BC", "%ED%A0%80", "http://", "http:/", "file:///etc/passwd", "url=", "href=", "w=", "x" * 600, "%3F", "%u002e",
]  # fmt: skip
_REQUEST_TARGETS = spliced(
    st.sampled_from(_TARGETS), st.one_of(st.sampled_from(_TARGET_PIECES), st.text(_BYTES, max_size=6))
)

_ACCEPTS = [
    "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8", "*/*", "image/webp;q=0, image/avif;q=0.5",
    'image/webp;x="a,b;q=0"', "image/png,image/svg+xml,image/*;q=0.8,video/*;q=0.8,*/*;q=0.5",
]  # fmt: skip
_ACCEPT_PIECES = [
    ",",
    ";",
    "q=",
    "q=1.001",
    "q=0.",
    '"',
    "\\",
    "*",
    "/",
    " ",
    "\t",
    "image/webp",
    "IMAGE/AVIF",
    "=",
    "0" * 50,
]
_ACCEPT_HEADERS = spliced(
    st.sampled_from(_ACCEPTS), st.one_of(st.sampled_from(_ACCEPT_PIECES), st.text(_BYTES, max_size=6)), most=6
)

_URLS = [
    "https://a.example/b/c.jpg?id=1", "http://x.a.example:8080/b", "https://[2001:db8::1]/c", "//a.example/b",
    "https://b\u00fccher.example/\u00fc.jpg", "https://a.example/%2e%2e/b", "ftp://a.example/", "https://2130706433/",
]  # fmt: skip
_URL_PIECES = [
    "@", ":", "//", "/", "\\", "%", "%2f", "%2E", "..", "*", "**", "?", "#", "[", "]", ".", "\u3002", "\u00ad", "\t",
    "\n", "\u2028", "\ud800", "xn--", "stra\u00dfe", "a.example", "x.", ":443", ";", " ", "\u0130", "\u202f", "\u200d",
    "http:/", "https:", "%u002e", "%u2f", "%%32e", "\u3000",
]  # fmt: skip
_PIECES_OF_URLS = st.one_of(st.sampled_from(_URL_PIECES), st.text(max_size=4))
_REMOTE = spliced(st.sampled_from(_URLS), _PIECES_OF_URLS)
_PATTERNS = [
    "a.example", "*.a.example", "**.a.example", "https://a.example/b/**", "https://a.example/*/c.jpg",
    "http://x.a.example:8080", "https://a.example/b/c.jpg?id=1", "https://[2001:db8::1]",
]  # fmt: skip
_ALLOWED = st.tuples(
    spliced(st.sampled_from(_PATTERNS), _PIECES_OF_URLS, most=2), spliced(_REMOTE, st.just(""), most=0)
)

_NAMES = [*(each.name for each in PARAMETERS), *ALIASES, "href", "f", "background"]
_VALUES = sorted({text for values in SAMPLES.values() for text in values} | {"low", "centre", "inside", "1.5", "0"})
_WRONG = st.one_of(
    st.text(_BYTES, max_size=5), st.sampled_from(["", "-1", "1e3", "NaN", "\u0661", "9" * 5_000, "0.001"])
)
_VALUE = spliced(st.sampled_from(_VALUES), _WRONG, most=1)
_PAIRS = st.lists(st.tuples(st.sampled_from(_NAMES), _VALUE), max_size=6)
_FACTS = st.builds(
    Facts,
    format=st.sampled_from(["jpeg", "png", "gif", "webp", "avif"]),
    size=st.tuples(st.integers(1, 60_000), st.integers(1, 60_000)),
    frames=st.sampled_from([1, 1, 2, 500]),
    alpha=st.booleans(),
)
_CLIENTS = st.sampled_from([(), ("webp",), ("avif",), ("avif", "webp"), ("webp", "avif")])
_PREFIXES = st.sampled_from(["/img?url=/photo.png", "/.netlify/images?url=/photo.png", "/_image?href=/photo.png"])
_IMAGES = st.tuples(_PREFIXES, _PAIRS, _FACTS, _CLIENTS)


@contextlib.contextmanager
def _open_targets() -> Iterator[Check[str]]:
    with served(allow=["https://a.example/**"]) as service:

        def check(raw: str) -> None:
            request = Request("GET", raw, {})
            response = service.answer(request)
            if response is not None:
                check_response(response, request)
            target = RawTarget.read(raw)
            if dialects.find(target) is not None:
                image = _parsed(target)
                assert image is None or response is not None or ".." not in image.source.location.split("/")

        yield check


def _parsed(target: RawTarget) -> ImageRequest | None:
    """Parse a target twice: the result is the same, and so is a refusal, which says why."""
    results: list[ImageRequest | str] = []
    for _ in range(2):
        try:
            results.append(dialects.parse(target, RULES))
        except RequestError as error:
            assert 400 <= error.http_status < 500
            assert error.detail
            results.append(error.detail)
    assert results[0] == results[1]
    first = results[0]
    return None if isinstance(first, str) else first


def _check_accept(accept: str) -> None:
    shown = client_class(accept)
    assert set(shown) <= {fmt.name for fmt in NEGOTIATED}
    assert len(set(shown)) == len(shown)
    for name in shown:
        assert f"image/{name}" in accept.lower(), "a format that the header does not name"
    assert client_class(f"{accept},image/avif;q=0,image/webp;q=0") == (), "refused formats"


def _check_remote(text: str) -> None:
    """Check that a URL is normal once parsed, and that the HTTP client reads the same host and port."""
    try:
        url = parse_remote(text)
    except (InvalidParam, Forbidden):
        return
    assert parse_remote(url.url) == url
    read = parse_url(url.url)
    assert ((read.host or "").strip("[]"), read.port or DEFAULT_PORTS[url.scheme]) == (url.host, url.port)
    for reference in (text, url.target):
        with contextlib.suppress(InvalidParam, Forbidden):
            assert isinstance(join_reference(url, reference), RemoteUrl)


def _check_pattern(pair: tuple[str, str]) -> None:
    pattern, text = pair
    try:
        allowlist = Allowlist([parse_pattern(pattern)])
    except ValueError as error:
        assert str(error).startswith(repr(pattern))
        return
    try:
        url = parse_remote(text)
    except (InvalidParam, Forbidden):
        return
    if allowlist.match(url):
        _check_admitted(allowlist, pattern, url)


def _check_admitted(allowlist: Allowlist, pattern: str, url: RemoteUrl) -> None:
    """Check that a pattern admits nothing beside the scheme and the host that it names."""
    scheme, _, rest = pattern.rpartition("://")
    stars, _, host = rest.partition("/")[0].lower().rpartition("*")
    assert url.scheme == (scheme.lower() or "https")
    assert not allowlist.match(replace(url, host=f"{url.host}.evil.invalid"))
    if not stars and not host.startswith("."):
        assert not allowlist.match(replace(url, host=f"evil-{url.host}"))
    elif host.isascii():  # a domain, and never the domain itself
        assert url.host.endswith(host.partition(":")[0])
        assert not allowlist.match(replace(url, host=host.partition(":")[0].removeprefix(".")))


def _check_image(drawn: tuple[str, list[tuple[str, str]], Facts, tuple[str, ...]]) -> None:
    prefix, pairs, facts, client = drawn
    query = "".join(f"&{name}={value}" for name, value in pairs)
    raw = (prefix + query).encode("utf-8").decode("latin-1")
    image = _parsed(RawTarget.read(raw))
    if image is None:
        return
    plan = plan_for(facts, image.params, client, LIMITS)
    assert 1 <= min(plan.size) <= max(plan.size) <= max(RULES.max_dimension, *facts.size)
    assert variant_key("0" * 64, plan) == variant_key("0" * 64, plan_for(facts, image.params, client, LIMITS))
    assert len(source_key(image.source)) == 64


REQUEST_TARGETS = Target("targets", _REQUEST_TARGETS, _open_targets, cases=("/-/static/welcome.css",))
ACCEPT = Target("accept", _ACCEPT_HEADERS, ready(_check_accept))
REMOTE_URLS = Target("remote-urls", _REMOTE, ready(_check_remote))
PATTERNS = Target("patterns", _ALLOWED, ready(_check_pattern))
DIALECTS = Target("dialects", _IMAGES, ready(_check_image))
