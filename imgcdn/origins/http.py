"""
Originals from other hosts: the one place in the package that sends requests.

Every hop is judged anew, by scheme, host, port and path (the allowlist) and by the addresses that it resolves to.
No header of the client's request is sent on, and no text of the origin's response is sent back.
"""

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from ipaddress import ip_network
from traceback import clear_frames
from typing import BinaryIO

from requests import PreparedRequest
from requests.exceptions import ConnectionError as RequestsConnectionError
from requests.exceptions import RequestException, Timeout
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import HTTPError, ProtocolError, ReadTimeoutError
from urllib3.response import BaseHTTPResponse

from imgcdn import __version__
from imgcdn.core.request.routes import Hop
from imgcdn.core.request.url import RemoteUrl, join_reference, parse_override, parse_remote
from imgcdn.core.values import Source, Visit
from imgcdn.errors import (
    Forbidden,
    ImageTooLarge,
    InvalidParam,
    OriginBusy,
    OriginError,
    OriginTimeout,
    SourceNotFound,
    SourceWithheld,
)
from imgcdn.origins.addresses import AddressRule
from imgcdn.origins.base import NOT_SENT, Answer, Stop, Validators, too_many_bytes
from imgcdn.origins.codings import MAX_CODINGS_LENGTH, codings_of, decoded, most_coded
from imgcdn.origins.connections import Attempt, Dialler, Resolver, Transport, system_resolver, tls_context
from imgcdn.origins.freshness import kept_headers, retry_after
from imgcdn.origins.settings import OriginSettings
from imgcdn.origins.watch import Watch

USER_AGENT = f"imgcdn/{__version__}"
ACCEPT = "image/avif,image/webp,image/apng,image/png,image/jpeg,image/gif,image/*;q=0.8,*/*;q=0.5"

#: Longest Retry-After of an origin that is respected, in seconds.
MAX_RETRY_AFTER_S = 60

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_WHOLE = frozenset({200, 203})
_GONE = frozenset({404, 410})
#: The origin has its reasons not to show this original. S3 answers 403 for one that is not there.
_WITHHELD = frozenset({401, 403, 451})
_BUSY = 429
_READ_BYTES = 65_536
# An unwanted body is read to its end only if that costs less than a new connection.
_DRAIN_BYTES = 16_384
_VALIDATOR = re.compile(r"[\x20-\x7e\x80-\xff]{1,1000}")


class HttpFetcher:
    """
    Originals at http(s) URLs, including the URLs of mounts. It may be used by several threads.

    Args:
        settings: Addresses, deadlines and limits.
        judge: Returns how a URL (the source's own or a redirect's) may be requested; None if it may not.
        loop_id: A random name of this service, the same in all workers. It is sent as CDN-Loop (RFC 8586).
        resolver: Called once for each new connection.
        clock: Unix time.
    """

    copies = True

    def __init__(
        self,
        settings: OriginSettings,
        *,
        judge: Callable[[Source, RemoteUrl], Hop | None],
        loop_id: str,
        resolver: Resolver = system_resolver,
        clock: Callable[[], float] = time.time,
    ) -> None:
        tls = tls_context(settings.ca_bundle)
        admitted = AddressRule(ip_network(text) for text in settings.allow_addresses)
        overrides = {(host, port): addresses for host, port, addresses in map(parse_override, settings.resolve)}
        self._settings = settings
        self._admitted = admitted
        self._judge = judge
        self._loop_id = loop_id
        self._clock = clock
        # Two pools: addresses of mounts are not checked, so their connections must not be used for ordinary URLs.
        self._checked, self._exempt = (Transport(Dialler(rule, overrides, resolver), tls) for rule in (admitted, None))

    def close(self) -> None:
        """Close the connections that are kept alive."""
        self._checked.close()
        self._exempt.close()

    def stamp(self, source: Source) -> None:
        """Return None: the freshness of a response depends on time."""

    def host(self, source: Source) -> str:
        """Return the origin's host."""
        return parse_remote(source.location).host

    def group(self, source: Source) -> str:
        """Return the origin's host, or the wildcard that admits it."""
        url = parse_remote(source.location)
        hop = self._judge(source, url)
        return url.host if hop is None or not hop.group else hop.group

    def admits(self, source: Source, way: Sequence[Visit]) -> bool:
        """Judge each request as if it were about to be sent. No name is resolved: its address is known."""
        return 0 < len(way) <= self._settings.max_redirects + 1 and all(self._admits(source, visit) for visit in way)

    def _admits(self, source: Source, visit: Visit) -> bool:
        if visit.url == source.location:  # it was judged when the client's URL was read
            is_exempt = source.scheme == "mounted"
        else:
            try:
                hop = self._judge(source, parse_remote(visit.url))
            except (InvalidParam, Forbidden):  # an earlier version read URLs otherwise
                return False
            if hop is None:
                return False
            is_exempt = hop.is_exempt
        return is_exempt or self._admitted.admits(visit.address)

    def ignores_stale_rules(self, source: Source) -> bool:
        """Return what the source's mount or pattern says."""
        hop = self._judge(source, parse_remote(source.location))
        return hop is not None and hop.ignores_stale_rules

    def fetch(self, source: Source, known: Validators | None, *, into: BinaryIO | None, stop: Stop) -> Answer:
        """
        Fetch an original, or learn that it has not changed. This call blocks.

        Every hop is judged anew, and carries only the headers that were set for its own URL.

        Raises:
            Forbidden: A hop is not allowed.
            SourceNotFound: The origin says 404 or 410. It is a SourceWithheld if it says 401, 403 or 451.
            ImageTooLarge: There are more bytes than max_source_bytes.
            OriginError: Any other failure of the origin. It is an OriginTimeout if the origin is slow or the fetch was
                stopped, and an OriginBusy if it says 429.
            OSError: `into` cannot be written.
        """
        assert into is not None
        url = parse_remote(source.location)
        with Watch(self._settings.fetch_timeout_s) as watch:
            stop.on_request(watch.fire)
            fetch = _Fetch(
                self._settings,
                partial(self._judge, source),
                self._loop_id,
                watch=watch,
                validators=known,
                clock=self._clock,
            )
            try:
                answer = fetch.run(url, into, checked=self._checked, exempt=self._exempt)
            except (OriginError, SourceNotFound, ImageTooLarge) as error:
                if watch.fired:
                    raise _too_slow(url) from error
                raise
            if watch.fired:  # after a shutdown, the end of the data looks like the end of the body
                raise _too_slow(url)
            return answer


@dataclass(slots=True)
class _Fetch:
    """One fetch under way."""

    settings: OriginSettings
    judge: Callable[[RemoteUrl], Hop | None]
    loop_id: str
    watch: Watch
    validators: Validators | None
    clock: Callable[[], float]
    way: list[Visit] = field(default_factory=list)

    def run(self, url: RemoteUrl, into: BinaryIO, *, checked: Transport, exempt: Transport) -> Answer:
        for _ in range(self.settings.max_redirects + 1):
            hop = self.judge(url)
            if hop is None:
                raise Forbidden(f"{url} matches no pattern of the allowlist")
            conditions = self._conditions(url)
            headers = {header.name: header.value for header in hop.headers} | conditions
            response = self._send(exempt if hop.is_exempt else checked, url, headers)
            try:
                if response.status not in _REDIRECTS:
                    return self._read_response(url, response, into, conditional=bool(conditions))
                _drain(url, response)
                url = _next_hop(url, response)
            finally:
                response.close()  # has no effect after a body was read to its end
                self.watch.let_go()
        log = f"more than {self.settings.max_redirects} redirects (the setting max_redirects), to {url}"
        raise OriginError("The origin redirects too often.", log=log)

    def _conditions(self, url: RemoteUrl) -> dict[str, str]:
        known = self.validators
        if known is None or known.url != url.url:
            return {}
        given = {"If-None-Match": known.etag, "If-Modified-Since": known.last_modified}
        return {name: value for name, value in given.items() if _VALIDATOR.fullmatch(value)}

    def _send(self, transport: Transport, url: RemoteUrl, headers: Mapping[str, str]) -> BaseHTTPResponse:
        request = PreparedRequest()  # filled by hand: its own methods rewrite URLs
        request.method, request.url = "GET", url.root  # the attempt has the target
        request.headers = CaseInsensitiveDict(
            {
                "User-Agent": USER_AGENT,
                "Accept": ACCEPT,
                "Accept-Encoding": "identity",
                "CDN-Loop": self.loop_id,
                **headers,
            }
        )
        attempt = Attempt(url.target, self.watch, self.settings.connect_timeout_s)
        try:
            return self._send_once(transport, request, attempt, url)
        except (RequestException, HTTPError) as error:
            _empty_frames(error)
            if self.watch.fired or not (attempt.reused and _was_closed(error)):
                raise _failure(url, error) from error
        # The origin closed a kept-alive connection just when it was used again, so try once more. The pool replaces the
        # failed connection, so the next one is new.
        try:
            return self._send_once(transport, request, replace(attempt, reused=True), url)
        except (RequestException, HTTPError) as error:
            raise _failure(url, error) from error

    def _send_once(
        self, transport: Transport, request: PreparedRequest, attempt: Attempt, url: RemoteUrl
    ) -> BaseHTTPResponse:
        connect_s = min(self.settings.connect_timeout_s, self.watch.remaining_s)
        read_s = min(self.settings.read_timeout_s, self.watch.remaining_s)
        with transport.dialler.trying(attempt):
            response = transport.send(request, stream=True, timeout=(connect_s, read_s), proxies={})
        self.way.append(Visit(url.url, attempt.address))
        raw: BaseHTTPResponse = response.raw
        return raw

    def _read_response(
        self, url: RemoteUrl, response: BaseHTTPResponse, into: BinaryIO, *, conditional: bool
    ) -> Answer:
        received_at = self.clock()
        headers = kept_headers(response.headers)
        if response.status == 304 and conditional:
            _drain(url, response)
            return self._answer(headers, received_at, version=None)
        if response.status not in _WHOLE:
            _drain(url, response)
            raise _error_for(url, response.status, retry_after(headers, now=received_at))
        return self._answer(headers, received_at, version=self._read(url, response, into))

    def _answer(self, headers: Mapping[str, str], received_at: float, *, version: str | None) -> Answer:
        modified = version is not None
        return Answer(modified, version=version, way=tuple(self.way), headers=headers, received_at=received_at)

    def _read(self, url: RemoteUrl, response: BaseHTTPResponse, into: BinaryIO) -> str:
        limit = self.settings.max_source_bytes
        codings = _codings(url, response)
        if (response.length_remaining or 0) > (most_coded(limit) if codings else limit):
            raise too_many_bytes(limit)
        digest = hashlib.sha256()
        for chunk in decoded(_chunks(url, response), codings, limit=limit, url=url.url):
            if self.watch.fired:  # inflating what has come takes time, too
                raise _too_slow(url)
            digest.update(chunk)
            into.write(chunk)
        return digest.hexdigest()


def _next_hop(url: RemoteUrl, response: BaseHTTPResponse) -> RemoteUrl:
    location = response.headers.get("location", "")
    try:
        location = location.encode("latin-1").decode("utf-8")  # as every browser reads it
    except UnicodeError:
        pass
    try:
        if location:
            return join_reference(url, location)
    except InvalidParam as error:
        raise OriginError(
            "The origin sent a redirect without a valid URL.",
            # A userinfo with a space in it is not recognised as one afterwards.
            log=f"{url} redirects to {location.rpartition('@')[2]!r}",
        ) from error
    raise OriginError("The origin sent a redirect without a valid URL.", log=f"{url} redirects without a Location")


def _codings(url: RemoteUrl, response: BaseHTTPResponse) -> tuple[str, ...]:
    """Return the content codings of a body. A transfer coding other than chunked may not be sent unasked (RFC 9112)."""
    transfer = response.headers.get("transfer-encoding", "").strip().lower()
    if transfer not in ("", "chunked"):
        log = f"{url} came with Transfer-Encoding {transfer[:MAX_CODINGS_LENGTH]!r}"
        raise OriginError("The origin sent a body in a way that was not asked for.", log=log)
    return codings_of(response.headers.get("content-encoding", ""), url.url)


def _chunks(url: RemoteUrl, response: BaseHTTPResponse) -> Iterator[bytes]:
    """Yield bytes as they arrive. iter_content would wait until its buffer is full."""
    try:
        while chunk := response.read1(_READ_BYTES, decode_content=False):
            yield chunk
    except HTTPError as error:
        raise _failure(url, error) from error
    if response.length_remaining:
        raise OriginError("The origin sent half a body.", log=f"{url}: {response.length_remaining} bytes are missing")


def _drain(url: RemoteUrl, response: BaseHTTPResponse) -> None:
    """Read an unwanted body if it is short, so that the connection can be used again."""
    if response.length_remaining is not None and response.length_remaining <= _DRAIN_BYTES:
        for _ in _chunks(url, response):
            pass


def _error_for(url: RemoteUrl, status: int, after_s: int | None) -> OriginError | SourceNotFound:
    log = f"{url} answered {status}"
    if status in _GONE or status in _WITHHELD:  # one text: what an origin withholds is not the client's business
        kind = SourceNotFound if status in _GONE else SourceWithheld
        return kind("The origin offers no image at this URL.", log=log)
    after_s = None if after_s is None else min(after_s, MAX_RETRY_AFTER_S)
    if status == _BUSY:
        detail = "The origin has too many requests at the moment."
        return OriginBusy(detail, log=log, origin_status=status, origin_retry_after_s=after_s)
    again = after_s if status >= 500 else None
    return OriginError(NOT_SENT, log=log, origin_status=status, origin_retry_after_s=again)


def _was_closed(error: RequestException | HTTPError) -> bool:
    """Tell whether a connection ended before the first byte of the response."""
    cause = error.args[0] if isinstance(error, RequestsConnectionError) and error.args else None
    inner = cause.args[-1] if isinstance(cause, ProtocolError) and cause.args else None
    return isinstance(inner, ConnectionResetError | BrokenPipeError)  # http.client.RemoteDisconnected is one


def _failure(url: RemoteUrl, error: RequestException | HTTPError) -> OriginError:
    _empty_frames(error)
    log = f"{url}: {type(error).__name__}: {error}"
    if isinstance(error, Timeout | ReadTimeoutError):
        return OriginTimeout("The origin did not answer in time.", log=log)
    return OriginError(NOT_SENT, log=log)


def _empty_frames(error: BaseException | None) -> None:
    """
    Drop the variables of the frames in which an error and its causes were raised.

    urllib3 keeps an error in a variable of a frame that it passes. That is a cycle, with the connection and the whole
    fetch, which only the collector would free.
    """
    while error is not None:
        clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def _too_slow(url: RemoteUrl) -> OriginTimeout:
    return OriginTimeout(
        "The origin took too long to send the image.",
        log=f"{url} passed the deadline of a fetch, or the fetch was stopped",
    )
