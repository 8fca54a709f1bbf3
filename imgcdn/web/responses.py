"""
HTTP responses for deliveries and errors: status, headers and body.

The rules are those of RFC 9110 (semantics), 9111 (caching), 9211 (Cache-Status), 9457 (problem details), 5861
(stale-while-revalidate), 6266 (Content-Disposition) and 8246 (immutable).
"""

import html
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import NamedTuple
from urllib.parse import quote

from imgcdn.core.memo import MIB, bytes_of, memoised
from imgcdn.core.output.formats import OUTPUTS
from imgcdn.core.output.keys import etag
from imgcdn.core.request.negotiation import MAX_ACCEPT_LENGTH, VARY
from imgcdn.core.request.save_data import vary
from imgcdn.core.values import Body
from imgcdn.dialects.base import ImageRequest
from imgcdn.errors import ImgcdnError, MethodNotAllowed, RangeNotSatisfiable, SourceNotFound, Unauthorized
from imgcdn.service.delivery import CacheStatus, Delivery
from imgcdn.web.cache_control import limit_lifetimes, without_immutable
from imgcdn.web.conditions import Part, asked_range, is_conditional, is_unchanged
from imgcdn.web.request import Request

Header = tuple[bytes, bytes]

PROBLEMS_PATH = "/-/problems/"
STATIC_PATH = "/-/static/"

#: An error may soon pass, so no cache may keep it. A missing file is an exception: every visitor of a page requests it.
_NOT_FOUND_MAX_AGE_S = 10
_IMMUTABLE = "public, max-age=31536000, immutable"

#: A part of a picture may soon be replaced by the whole one: uploads are often read before they are complete. So is the
#: previous version of a picture, as soon as the present one is rendered.
_PROVISIONAL_MAX_AGE_S = 60

#: The name of an original in Content-Disposition is cut to this many bytes. That of `dl` is limited when it is read.
_STEM_MAX_BYTES = 100

#: Larger bodies are sent in slices of this size.
SLICE_BYTES = 32 * 1024

_OPEN_TO_ALL: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; sandbox"),
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"access-control-allow-origin", b"*"),
    (b"timing-allow-origin", b"*"),
)
_ACCEPT_RANGES = (b"accept-ranges", b"bytes")
_PAGE_POLICY = b"default-src 'none'; style-src 'unsafe-inline'"


class Response(NamedTuple):
    """
    An HTTP response.

    Args:
        headers: Pairs with names in lower case.
        body: Empty for 304. For HEAD it may be that of GET; `web.respond` drops it.
        cache: How the cache handled the request for an image; None for any other response.
    """

    status: int
    headers: list[Header]
    body: Body
    cache: CacheStatus | None = None


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """
    How long caches may keep a response.

    Args:
        max_age_s: Seconds without validation.
        stale_while_revalidate_s: Seconds after that, while they validate.
        cache_control: The operator's own field value instead; empty for none.
    """

    max_age_s: int
    stale_while_revalidate_s: int
    cache_control: str


def slices(body: Body) -> Iterable[bytes]:
    """
    Return the slices of a body.

    Raises:
        OSError: The body is on a disk that cannot be read.
    """
    if isinstance(body, bytes):
        return [body]
    return (body[start : start + SLICE_BYTES] for start in range(0, len(body), SLICE_BYTES))


def deliver(
    delivery: Delivery,
    image: ImageRequest,
    request: Request,
    lifetimes: Lifetimes,
    *,
    save_data: bool = False,
    left_s: int | None = None,
) -> Response:
    """
    Return the response for a variant: 200; 206 for a part of it; or 304 if the client's copy is unchanged.

    Args:
        save_data: Whether the service lowers the quality for Save-Data.
        left_s: Seconds after which the URL expires; None if it does not. No cache may use the response for longer.

    Raises:
        RangeNotSatisfiable: The client asks for a part that there is not.
    """
    variant = delivery.variant
    cache_control = _cache_control(delivery, lifetimes, versioned=image.v is not None and delivery.is_final)
    if variant.partial or delivery.is_provisional:
        cache_control = without_immutable(cache_control)
        left_s = _PROVISIONAL_MAX_AGE_S if left_s is None else min(left_s, _PROVISIONAL_MAX_AGE_S)
    if left_s is not None:
        cache_control = limit_lifetimes(cache_control, left_s)
        fresh_for_s = min(left_s, lifetimes.max_age_s if delivery.fresh_for_s is None else delivery.fresh_for_s)
        delivery = replace(delivery, fresh_for_s=fresh_for_s)
    shared = _shared_headers(variant.digest, variant.made_at, vary(image.params, save_data=save_data), cache_control)
    if is_conditional(request) and is_unchanged(variant, request):
        return Response(304, [*shared, _cache_status(delivery, lifetimes)], b"", delivery.status)
    # Cut first, because a memo keeps it. No character has less than one byte.
    stem = image.source.stem[:_STEM_MAX_BYTES]
    described = _content_headers(variant.format, variant.length, stem, image.download)
    headers = [*described, *shared, *_OPEN_TO_ALL, _ACCEPT_RANGES, _cache_status(delivery, lifetimes)]
    part = asked_range(request, variant) if b"range" in request.headers else None
    if part is None:
        return Response(200, headers, variant.body, delivery.status)
    first, last = part
    length = last - first + 1
    ranged = (b"content-range", f"bytes {first}-{last}/{variant.length}".encode())
    headers = [(b"content-length", str(length).encode()) if each[0] == b"content-length" else each for each in headers]
    return Response(206, [*headers, ranged], Part(variant.body, first, length), delivery.status)


def refuse(error: ImgcdnError, request: Request, *, left_s: int | None = None) -> Response:
    """
    Return the response for an error: a small page if the client accepts HTML, otherwise a problem document.

    Args:
        left_s: As for `deliver`.
    """
    accept = request.header(b"accept") or ""
    page = len(accept) <= MAX_ACCEPT_LENGTH and "text/html" in accept.lower()
    kind = f"{request.mounted_at}{PROBLEMS_PATH}{error.slug}"
    body = _page(error, kind, request.id) if page else _problem(error, kind, request.id)
    cache_control = f"public, max-age={_NOT_FOUND_MAX_AGE_S}" if isinstance(error, SourceNotFound) else "no-store"
    if left_s is not None:
        cache_control = limit_lifetimes(cache_control, left_s)
    headers = [
        (b"content-type", b"text/html; charset=utf-8" if page else b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", cache_control.encode()),
        (b"vary", VARY.encode()),
        *_OPEN_TO_ALL,
    ]
    if page:
        headers = [(name, _PAGE_POLICY if name == b"content-security-policy" else value) for name, value in headers]
    if error.retry_after_s is not None:
        headers.append((b"retry-after", str(error.retry_after_s).encode()))
    if isinstance(error, MethodNotAllowed):  # RFC 9110, section 15.5.6: a 405 lists the allowed methods
        headers.append((b"allow", ", ".join(error.allowed).encode()))
    if isinstance(error, Unauthorized):  # RFC 9110, section 15.5.2: a 401 has a challenge
        headers.append((b"www-authenticate", b"Bearer"))
    if isinstance(error, RangeNotSatisfiable):
        headers.append((b"content-range", f"bytes */{error.length}".encode()))
    return Response(error.http_status, headers, body)


def options(request: Request) -> Response:
    """Return the response to OPTIONS; a CORS preflight also learns what is allowed (Fetch, section 3.3.3)."""
    headers = [(b"allow", b"GET, HEAD, OPTIONS"), (b"access-control-allow-origin", b"*")]
    if b"access-control-request-method" in request.headers:
        headers += [
            (b"access-control-allow-methods", b"GET, HEAD, OPTIONS"),
            (b"access-control-allow-headers", b"*"),
            (b"access-control-max-age", b"86400"),
        ]
    return Response(204, headers, b"")


def document(status: int, fields: Mapping[str, object]) -> Response:
    """Return a small JSON document that no cache may keep."""
    body = json.dumps(fields).encode() + b"\n"
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    return Response(status, headers, body)


def _size_of_headers(headers: tuple[Header, ...], *arguments: object) -> int:
    return bytes_of(headers, *arguments) + sum(bytes_of(header, header[1]) for header in headers)


# Memoised: hits repeat the same headers thousands of times, and building them is a third of the cost of a hit.
@memoised(8 * MIB, _size_of_headers)
def _shared_headers(digest: bytes, made_at: int, varies: str, cache_control: str) -> tuple[Header, ...]:
    """Return the headers that a 200 and a 304 share."""
    headers = [
        (b"etag", etag(digest).encode()),
        (b"last-modified", formatdate(made_at, usegmt=True).encode()),
        (b"cache-control", cache_control.encode()),
    ]
    if varies:
        headers.append((b"vary", varies.encode()))
    return tuple(headers)


@memoised(8 * MIB, _size_of_headers)
def _content_headers(format_name: str, length: int, stem: str, download: str | None) -> tuple[Header, ...]:
    fmt = OUTPUTS[format_name]
    short = stem.encode("utf-8")[:_STEM_MAX_BYTES].decode("utf-8", "ignore")
    disposition = _disposition("inline", short, fmt.extension)
    if download is not None:
        disposition = _disposition("attachment", download, fmt.extension)
    return (
        (b"content-type", fmt.media_type.encode()),
        (b"content-length", str(length).encode()),
        (b"content-disposition", disposition.encode()),
    )


def _disposition(kind: str, stem: str, extension: str) -> str:
    """Name the file for saving, once in ASCII and once in UTF-8 (RFC 6266, appendix D)."""
    plain = re.sub(r"[^A-Za-z0-9 ._()-]", "_", stem)
    encoded = quote(f"{stem}.{extension}", safe="")
    return f"{kind}; filename=\"{plain}.{extension}\"; filename*=UTF-8''{encoded}"


def _cache_control(delivery: Delivery, lifetimes: Lifetimes, *, versioned: bool) -> str:
    """
    Return Cache-Control. Without `v`, it permits nothing that the origin does not permit, and max-age ends no later
    than the freshness of the original.
    """
    if delivery.private:
        return "no-store"
    if lifetimes.cache_control:
        return lifetimes.cache_control
    if versioned:
        return _IMMUTABLE
    permitted = delivery.permissions
    if permitted.must_validate:
        return "no-cache"
    if delivery.max_age_s == 0 and permitted.stale_while_revalidate_s is None:
        return "no-cache"  # the origin's own time is over, and it has not allowed stale use
    limits = (lifetimes.max_age_s, delivery.fresh_for_s, delivery.max_age_s)
    fresh = f"public, max-age={max(0, min(limit for limit in limits if limit is not None))}"
    if permitted.revalidation:
        return f"{fresh}, {permitted.revalidation}"
    stale_limits = (lifetimes.stale_while_revalidate_s, permitted.stale_while_revalidate_s)
    stale_s = min(limit for limit in stale_limits if limit is not None)
    return f"{fresh}, stale-while-revalidate={stale_s}" if stale_s else fresh


def _cache_status(delivery: Delivery, lifetimes: Lifetimes) -> Header:
    ttl_s = lifetimes.max_age_s if delivery.fresh_for_s is None else delivery.fresh_for_s
    if delivery.replaced_for_s is not None:
        ttl_s = -delivery.replaced_for_s
    return _cache_status_header(delivery.status, ttl_s, delivery.stored, _detail(delivery))


def _detail(delivery: Delivery) -> str:
    """Return why the picture is not as the origin has it now, or what it lacks; empty if nothing."""
    if delivery.has_failing_origin:
        return "origin-error"
    if delivery.replaced_for_s is not None:
        return "previous"
    if delivery.variant.partial:
        return "partial"
    return "still" if delivery.is_reduced else ""


@memoised(MIB, lambda header, *arguments: bytes_of(header, *header, *arguments))
def _cache_status_header(status: CacheStatus, ttl_s: int, stored: bool, detail: str) -> Header:
    words = f"imgcdn; {status.value}"
    if status is CacheStatus.HIT:
        words += f"; ttl={ttl_s}"
    elif status is CacheStatus.MISS and stored:
        words += "; stored"
    if detail:
        words += f"; detail={detail}"
    return b"cache-status", words.encode()


def _problem(error: ImgcdnError, kind: str, request_id: str) -> bytes:
    fields = {
        "type": kind,
        "title": error.title,
        "status": error.http_status,
        "detail": error.detail,
        **error.members,
        "request_id": request_id,
    }
    return json.dumps(fields, ensure_ascii=False).encode() + b"\n"


def _page(error: ImgcdnError, kind: str, request_id: str) -> bytes:
    title, detail = html.escape(error.title), html.escape(error.detail)
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width'><meta name=color-scheme content='light dark'>"
        f"<title>{error.http_status} {title}</title>"
        "<style>body{font:1rem/1.5 system-ui;max-width:36rem;margin:15vh auto;padding:0 1rem}</style>"
        f"<h1>{title}</h1><p>{detail}</p>"
        f"<p><a href='{html.escape(kind)}'>What this means</a> (status {error.http_status})</p>"
        f"<p>Request id: <code>{html.escape(request_id)}</code></p>\n"
    ).encode()
