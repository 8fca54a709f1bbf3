"""Which remote originals may be fetched."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from imgcdn.core.request.origin_options import NO_OPTIONS, OriginOptions
from imgcdn.core.request.url import DEFAULT_PORTS, RemoteUrl, decode_completely, parse_remote
from imgcdn.errors import Forbidden, InvalidParam


@dataclass(frozen=True, slots=True)
class Pattern:
    """
    A pattern of URLs that may be fetched. `parse_pattern` makes it.

    `HOST` alone means https and any path. `*.HOST` stands for exactly one more label, `**.HOST` for one or more;
    neither includes the host itself. In a path, `*` stands for one segment, and `**` at the end for any number of
    them. A port other than the default of the scheme must be written. Everything else is literal. A pattern with a path
    matches no URL whose path has an escape that is not UTF-8, because servers read such escapes differently.

    Args:
        text: As the operator wrote it.
        labels: The labels before `host`: "" for none, "*" for one, "**" for one or more.
        segments: None for any path.
        query: None for any query.
        options: How the URLs that it matches are requested.
    """

    text: str
    scheme: str
    labels: str
    host: str
    port: int
    segments: tuple[str, ...] | None
    query: str | None
    options: OriginOptions = NO_OPTIONS

    @property
    def written(self) -> object:
        """The pattern and its options as imgcdn.toml has them."""
        options = self.options.written
        return {"pattern": self.text, **options} if options else self.text

    def covers(self, url: RemoteUrl, path: "_Path | None") -> bool:
        """
        Tell whether a URL matches.

        Args:
            path: Its path; None if it has an escape that is not UTF-8.
        """
        if (self.scheme, self.port) != (url.scheme, url.port) or not self._covers_host(url.host):
            return False
        if self.query is not None and url.target.partition("?")[2] != self.query:
            return False
        return self.segments is None or (path is not None and path.is_covered_by(self.segments))

    def _covers_host(self, host: str) -> bool:
        if not self.labels:
            return host == self.host
        before = host.removesuffix("." + self.host)
        return before not in (host, "") and (self.labels == "**" or "." not in before)


@dataclass(frozen=True, slots=True)
class _Path:
    """
    The path of a URL, taken apart once for all patterns: it may have thousands of segments.

    Args:
        segments: The segments as they are sent.
        decoded: The same segments, decoded until no escape is left.
    """

    segments: Sequence[str]
    decoded: Sequence[str]

    @classmethod
    def of(cls, url: RemoteUrl) -> "_Path | None":
        """Return the path of a URL; None if it has an escape that is not UTF-8."""
        path = url.path[1:]
        # One pass for all segments. NUL may stand for the slash, because no valid path has an encoded control
        # character.
        decoded = decode_completely(path.replace("/", "\0"))
        return None if decoded is None else cls(path.split("/"), decoded.split("\0"))

    def is_covered_by(self, pattern: Sequence[str]) -> bool:
        has_rest = pattern[-1] == "**"
        fixed = pattern[:-1] if has_rest else pattern
        if len(self.segments) <= len(fixed) if has_rest else len(self.segments) != len(fixed):
            return False
        return all(
            wanted == given or (wanted == "*" and _is_one_segment(decoded))
            for wanted, given, decoded in zip(fixed, self.segments, self.decoded, strict=False)
        )


def _is_one_segment(decoded: str) -> bool:
    """Tell whether every server reads this as one segment. Some read %2F, %252F or %5C as a slash."""
    return decoded != "" and "/" not in decoded and "\\" not in decoded


class Allowlist:
    """
    The patterns of URLs that may be fetched.

    Args:
        patterns: If several match a URL, the first one counts.
    """

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        self._patterns = tuple(patterns)

    def match(self, url: RemoteUrl) -> Pattern | None:
        """Return the pattern that admits a URL; None if there is none."""
        path = _Path.of(url)
        return next((pattern for pattern in self._patterns if pattern.covers(url, path)), None)

    def group(self, url: RemoteUrl, pattern: Pattern) -> str:
        """
        Return the name under which the work for a host is counted; empty for its own, if the operator wrote that.

        Everyone who owns a wildcard's domain can invent names under it, so these together count as one host.

        Args:
            pattern: The pattern that admits the URL.

        >>> allowlist = Allowlist([parse_pattern("**.a.example"), parse_pattern("x.a.example")])
        >>> urls = [parse_remote(f"https://{name}.a.example/") for name in ("x", "y", "z.y")]
        >>> [allowlist.group(url, allowlist.match(url)) for url in urls]
        ['', '**.a.example', '**.a.example']
        """
        if not pattern.labels or any(not each.labels and each.host == url.host for each in self._patterns):
            return ""
        return f"{pattern.labels}.{pattern.host}"


def parse_pattern(text: str) -> Pattern:
    """
    Read a pattern.

    Raises:
        ValueError: It is not valid. The message names it and says why.
    """
    scheme, separator, rest = text.partition("://")
    scheme, rest = (scheme.lower(), rest) if separator else ("https", text)
    if scheme not in DEFAULT_PORTS:
        raise ValueError(f"{text!r}: only https:// and http:// can be allowed")
    authority, slash, tail = rest.partition("/")
    labels = next((stars for stars in ("**", "*") if authority.startswith(stars + ".")), "")
    authority = authority[len(labels) + 1 :] if labels else authority
    if "*" in authority:
        raise ValueError(f"{text!r}: a * in a host stands for one whole label and comes first, as in *.example.com")
    try:
        parsed = parse_remote(f"{scheme}://{authority}{slash}{tail}")
    except InvalidParam as error:
        raise ValueError(f"{text!r} {error.detail.removeprefix('url ')}") from error
    except Forbidden as error:
        raise ValueError(f"{text!r} has {error.log}") from error
    if parsed.host.endswith("."):
        raise ValueError(f"{text!r}: the host ends with a point")
    path, _, query = parsed.target.partition("?")
    segments = None if path in ("/", "/**") and not query else tuple(path[1:].split("/"))
    _check_segments(text, segments or (), query)
    return Pattern(text, scheme, labels, parsed.host, parsed.port, segments, query or None)


def _check_segments(text: str, segments: Sequence[str], query: str) -> None:
    if decode_completely("/".join(segments)) is None:
        raise ValueError(f"{text!r} has an escape that is not UTF-8; no URL could match it")
    if "**" in segments[:-1]:
        raise ValueError(f"{text!r}: ** stands for the rest of a path and comes last")
    if "*" in query or any("*" in segment.replace("%2A", "*") for segment in segments if segment not in ("*", "**")):
        raise ValueError(f"{text!r}: a * stands for a whole segment of the path, as in /media/*/large.jpg")
    if segments and not segments[-1] and not query:
        raise ValueError(f"{text!r}: the path ends with a slash and admits nothing below it; write {text}**")


#: Stands for a segment, a label or a query that may be anything. No URL and no pattern has this character.
_ANYTHING = "\ufffd"


def shadowed(patterns: Sequence[Pattern]) -> list[tuple[int, int]]:
    """
    Return the patterns that never count, because an earlier one matches all of their URLs.

    Two patterns that together match all URLs of a third one are not recognised.

    Returns:
        (index of the pattern, index of the earlier one) for each.
    """
    found = []
    for index, pattern in enumerate(patterns):
        url = _most_general(pattern)
        path = _Path.of(url)
        for earlier, other in enumerate(patterns[:index]):
            if _is_as_long(other, pattern) and other.covers(url, path):
                found.append((index, earlier))
                break
    return found


def _most_general(pattern: Pattern) -> RemoteUrl:
    """Return a URL that another pattern matches only if it matches every URL of this one with a path of that length."""
    labels = {"": "", "*": f"{_ANYTHING}.", "**": f"{_ANYTHING}.{_ANYTHING}."}[pattern.labels]
    segments = pattern.segments or (_ANYTHING,)
    path = "/".join(_ANYTHING if segment in ("*", "**") else segment for segment in segments)
    query = _ANYTHING if pattern.query is None else pattern.query
    return RemoteUrl(pattern.scheme, labels + pattern.host, pattern.port, f"/{path}?{query}")


def _is_as_long(pattern: Pattern, other: Pattern) -> bool:
    """Tell whether a pattern matches paths of any length if the other one does, and of any bytes."""
    if pattern.segments is None:
        return True
    return other.segments is not None and (pattern.segments[-1] == "**" or other.segments[-1] != "**")
