"""
URLs of remote originals.

A URL is parsed once. The result is compared with the allowlist and then sent, byte for byte. It may be written as in
the `src` of a page: spaces and characters beyond ASCII are percent-encoded as browsers do it, and a `%` that begins no
escape stands for itself (WHATWG URL, sections 1.3 and 4.4). Parsers disagree about `\\@`, tabs and line ends, so URLs
that two parsers could read differently are refused here. Hosts are compared as text: 2130706433 and 127.1 are names
like any other until they resolve to an address.
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote, urljoin

from imgcdn.errors import Forbidden, InvalidParam, SourceNotFound

#: The longest URL that a server can be relied on to read (RFC 9110, section 4.1), as it is written and as it is sent.
MAX_URL_LENGTH = 8_000

#: The longest name of a host (RFC 1035, section 2.3.4) in the form with dots.
_MAX_HOST_LENGTH = 253

# The longest text of an IPv6 address: ::ffff:255.255.255.255 with all of its zeros.
_MAX_IPV6_LENGTH = 45

# Each decoding costs a pass over the path, and the sender chooses how many are needed.
_MAX_ENCODINGS = 4

DEFAULT_PORTS = {"http": 80, "https": 443}

# Some parsers strip control characters, some send them, some end the URL there. A backslash is a slash for some.
_AMBIGUOUS = re.compile(r"[\x00-\x1f\x7f-\x9f\\]")
# White space of any script, and invisible characters. In a path they are percent-encoded; in a host they mislead.
_INVISIBLE = re.compile(r"[\s\u200b-\u200f\u2028-\u202e\ufeff]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?=:)")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
# Escapes that follow each other, which may be one character; or one of IIS, which reads %u002E as a full stop. To other
# servers, its % stands for itself.
_ESCAPES = re.compile(r"%(?:([0-9A-Fa-f]{2}(?:%[0-9A-Fa-f]{2})*)|[uU]([0-9A-Fa-f]{4}))")
_MISLEADING = re.compile(r"[\x00-\x1f\x7f/\\]|%[0-9A-Fa-f]{2}|%[uU][0-9A-Fa-f]{4}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_CONTROL_C1 = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_ABSOLUTE = re.compile(r" *(?:([A-Za-z][A-Za-z0-9+.-]*:)?//|https?:/)", re.IGNORECASE | re.ASCII)
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_PORT = re.compile(r"[0-9]{1,5}")
# Characters that RFC 3986 allows in a path and in a query, and `%`, which begins an escape or stands for itself.
_PATH_CHARACTERS = "%-._~!$&'()*+,;=:@/"
_QUERY_CHARACTERS = _PATH_CHARACTERS + "?"


@dataclass(frozen=True, slots=True)
class RemoteUrl:
    """
    An absolute http(s) URL, normalised. Only this module makes them.

    Args:
        scheme: "http" or "https".
        host: ASCII (punycode), lower case; an IPv6 address without brackets.
        port: Always a number, also if the URL names none.
        target: Path and query exactly as they are sent.
    """

    scheme: str
    host: str
    port: int
    target: str

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def without_query(self) -> "RemoteUrl":
        """The same URL without its query."""
        return replace(self, target=self.path)

    @property
    def url(self) -> str:
        """The whole URL, without the port if it is the default of the scheme."""
        return f"{self.root[:-1]}{self.target}"

    @property
    def root(self) -> str:
        """The URL of the host's root. It has no text that two parsers could read differently."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}/"

    def __str__(self) -> str:
        return self.url


def is_absolute(text: str) -> bool:
    """
    Tell whether a text is read as a URL; otherwise it is a path.

    One slash after http: or https: is enough (WHATWG URL, section 4.4), because proxies that merge slashes leave one.

    >>> is_absolute("ftp://a/b.jpg"), is_absolute("//a/b.jpg"), is_absolute("/a//b.jpg")
    (True, True, False)
    >>> is_absolute("https:/a/b.jpg"), is_absolute("c:/b.jpg")
    (True, False)
    """
    return _ABSOLUTE.match(text) is not None


def has_control_characters(text: str) -> bool:
    """Tell whether a text has a control character (C0, DEL or C1)."""
    return _CONTROL_C1.search(text) is not None


def has_surrogates(text: str) -> bool:
    """Tell whether a text has half of a surrogate pair, as Python reads bytes of a file name that are not UTF-8."""
    return any("\ud800" <= character <= "\udfff" for character in text)


def parse_remote(url: str) -> RemoteUrl:
    """
    Read an absolute URL, written as in the `src` of a page. Spaces at its ends are dropped.

    Raises:
        InvalidParam: It does not parse, or parsers disagree about it.
        Forbidden: It is of a kind that is never fetched, such as one with a user name.

    >>> parse_remote("HTTPS:/B\u00fccher.example:443/50% off.jpg").url
    'https://xn--bcher-kva.example/50%%20off.jpg'
    """
    _check_characters(url)
    url = url.strip(" ")
    if url.startswith("//"):
        raise Forbidden("a URL without a scheme")
    scheme = _SCHEME.match(url)
    if scheme is None:
        raise _invalid("must be a path or begin with https://")
    name = scheme[0].lower()
    if name not in DEFAULT_PORTS:
        raise Forbidden(f"the scheme {name[:32]}")
    rest = url[len(name) + 1 :]
    authority = re.match(r"//?([^/?#]*)", rest)
    if authority is None:
        raise _invalid("names no host")
    target = rest[authority.end() :]
    if _INVISIBLE.search(authority[1]):
        raise _invalid("has a space or an invisible character in its host")
    if "@" in authority[1]:
        raise Forbidden("a user name in the URL")
    if "#" in target:
        raise Forbidden("a fragment in the URL")
    host, port = _host_and_port(authority[1])
    return _of_limited_length(RemoteUrl(name, host, port or DEFAULT_PORTS[name], _checked_target(target)))


def join_reference(base: RemoteUrl, reference: str) -> RemoteUrl:
    """
    Resolve a redirect's Location (RFC 3986, section 5). A fragment is dropped: it is for browsers.

    Raises:
        InvalidParam, Forbidden: As `parse_remote`.
    """
    _check_characters(reference)  # before urljoin, which silently strips some of them
    reference = reference.strip(" ").partition("#")[0]
    scheme = _SCHEME.match(reference)
    if scheme is not None and scheme[0].lower() in DEFAULT_PORTS:
        rest = reference[scheme.end() + 1 :]
        if scheme[0].lower() != base.scheme or rest.startswith("//"):
            return parse_remote(reference)  # as it is: urljoin would resolve its dot segments
        # After the base's own scheme, browsers read a path (WHATWG URL, section 4.4).
        reference = rest if rest[:1] in ("", "/", "?") else f"./{rest}"
    try:
        return parse_remote(urljoin(base.url, reference))
    except ValueError as error:
        raise _invalid("does not parse") from error


def join_base(base: RemoteUrl, segments: Sequence[str], *, query: str = "") -> RemoteUrl:
    """
    Append path segments to a mount's base URL. Every parser sees the result as a URL beneath the base.

    Args:
        base: The base URL, without a query.
        segments: At least one, percent-decoded once.
        query: The client's query, still percent-encoded, without the question mark.

    Raises:
        SourceNotFound: A segment could lead elsewhere: empty, beginning with a dot, with a slash, a backslash or a
            control character in it, or still percent-encoded.
        InvalidParam: The query does not parse.
    """
    for segment in segments:
        if segment[:1] in ("", ".") or _MISLEADING.search(segment) or has_surrogates(segment):
            raise SourceNotFound("There is no image at this path. Check its spelling.")
    path = "/" + quote("/".join(segments), safe="/")
    target = base.path.rstrip("/") + path + (f"?{query}" if query else "")
    _check_length(target)
    _check_characters(query)
    if "#" in query:
        raise Forbidden("a fragment in the URL")
    return _of_limited_length(RemoteUrl(base.scheme, base.host, base.port, _checked_target(target)))


def is_beneath(base: RemoteUrl, url: RemoteUrl) -> bool:
    """
    Tell whether a URL has the base's scheme, host and port, and a path below the base's, on a segment's boundary.

    Below a base with a path, every escape must be UTF-8: see `decode_completely`.
    """
    same_place = (url.scheme, url.host, url.port) == (base.scheme, base.host, base.port)
    if not same_place or base.path == "/":
        return same_place
    return url.path.startswith(base.path.rstrip("/") + "/") and decode_completely(url.path) is not None


def decode_completely(path: str) -> str | None:
    """
    Decode a path, or a segment of it, until no escape is left, as a chain of careless servers might. IIS's own escapes
    count, too.

    Args:
        path: From a `RemoteUrl`, so that it is not encoded too often.

    Returns:
        None if an escape is not UTF-8. A lenient decoder reads a slash in some of them, such as %C0%AF.

    >>> decode_completely("a%252Fb"), decode_completely("..%C0%AF")
    ('a/b', None)
    """
    try:
        for _ in range(_MAX_ENCODINGS):
            path = _decoded_once(path, errors="strict")
    except UnicodeDecodeError:
        return None
    return path


def parse_override(text: str) -> tuple[str, int, tuple[str, ...]]:
    """
    Read an entry of the setting `resolve`, in the form of curl's option: HOST:PORT:ADDRESS[,ADDRESS]...

    Raises:
        ValueError: It has another form. The text says which one is expected.

    >>> parse_override("img.example:443:[2001:db8::7],192.0.2.1")
    ('img.example', 443, ('2001:db8::7', '192.0.2.1'))
    """
    host, _, rest = text.partition(":")
    port, _, addresses = rest.partition(":")
    try:
        named, _ = _host_and_port(host)
        given = tuple(str(ipaddress.ip_address(item.strip("[]"))) for item in addresses.split(","))
        if _PORT.fullmatch(port) and 0 < int(port) <= 65_535:
            return named, int(port), given
    except (ValueError, InvalidParam):
        pass
    raise ValueError(f"{text!r} is not HOST:PORT:ADDRESS, as in img.example:443:192.0.2.7")


def _check_characters(url: str) -> None:
    _check_length(url)
    if _AMBIGUOUS.search(url) or has_surrogates(url):
        raise _invalid("contains a control character or a backslash")


def _of_limited_length(url: RemoteUrl) -> RemoteUrl:
    _check_length(url.url)  # percent-encoded, it has up to nine characters for one that was written
    return url


def _check_length(url: str) -> None:
    if len(url) > MAX_URL_LENGTH:
        raise _invalid(f"is longer than {MAX_URL_LENGTH} characters")


def _host_and_port(authority: str) -> tuple[str, int | None]:
    bracketed = re.fullmatch(r"\[([0-9A-Fa-f:.]*)\](?::(.*))?", authority)
    if bracketed is not None:
        if len(bracketed[1]) > _MAX_IPV6_LENGTH:
            raise _invalid("has an IPv6 address that does not parse")
        try:
            return ipaddress.IPv6Address(bracketed[1]).compressed, _port(bracketed[2])
        except ValueError as error:
            raise _invalid("has an IPv6 address that does not parse") from error
    host, colon, port = authority.partition(":")
    return _host(host), _port(port if colon else None)


def _host(written: str) -> str:
    # First, because the codec takes 65 ms for 8,000 characters. Punycode is longer than what it stands for.
    if len(written) > _MAX_HOST_LENGTH:
        raise _invalid("has an invalid host name")
    host = written.lower()
    if not host.isascii():
        try:
            ascii_host = host.encode("idna").decode("ascii")
            exact = ascii_host.encode("ascii").decode("idna") == host
        except UnicodeError as error:
            raise _invalid("has an invalid host name") from error
        # This codec follows IDNA 2003, where the German sharp s becomes ss; browsers go to another host. Such names are
        # refused.
        if not exact:
            raise _invalid("has a host that can be read in two ways; write it in punycode (xn--...)")
        host = ascii_host
    labels = host.removesuffix(".").split(".")  # with a trailing dot it is another name, which no pattern matches
    if not host or len(host) > _MAX_HOST_LENGTH or not all(_LABEL.fullmatch(label) for label in labels):
        raise _invalid("has an invalid host name" if host else "names no host")
    return host


def _port(text: str | None) -> int | None:
    if text is None:
        return None
    if not _PORT.fullmatch(text) or not 0 < int(text) <= 65_535:
        raise _invalid("has a port that is not between 1 and 65535")
    return int(text)


def _checked_target(raw: str) -> str:
    path, _, query = raw.partition("?")
    _check_path(path)
    target = quote(path or "/", safe=_PATH_CHARACTERS)
    # A question mark with nothing after it is dropped, so that a URL with and without it are one source.
    target += f"?{quote(query, safe=_QUERY_CHARACTERS)}" if query else ""
    return _ESCAPE.sub(lambda escape: escape[0].upper(), target)


def _check_path(path: str) -> None:
    """Refuse a path with a segment that some server might resolve to the parent folder, however often it is encoded."""
    decoded = path
    for _ in range(_MAX_ENCODINGS):
        decoded = _decoded_once(decoded)
    if decoded != _decoded_once(decoded):
        raise _invalid(f"is percent-encoded more than {_MAX_ENCODINGS} times")
    if _CONTROL.search(decoded):
        raise _invalid("has an encoded control character in its path")
    for part in re.split(r"[/\\]", decoded):
        if part.partition(";")[0] in (".", ".."):  # Tomcat drops what follows a semicolon
            raise Forbidden("a dot segment in the path")


def _decoded_once(path: str, *, errors: str = "replace") -> str:
    """Decode as `unquote` does, and IIS's own escapes. `unquote` takes 4 ms for 8,000 percent signs alone."""

    def decode(found: re.Match[str]) -> str:
        if found[2]:
            return chr(int(found[2], 16))
        return bytes.fromhex(found[1].replace("%", "")).decode("utf-8", errors)

    return _ESCAPES.sub(decode, path)


def _invalid(why: str) -> InvalidParam:
    return InvalidParam(f"url {why}", param="url")
