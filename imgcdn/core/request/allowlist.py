"""Which remote originals may be fetched."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from imgcdn.core.request.url import DEFAULT_PORTS, RemoteUrl, parse_remote
from imgcdn.errors import Forbidden, InvalidParam


class Allowlist:
    """
    The patterns of URLs that may be fetched.

    `HOST` alone means https and any path. `*.HOST` stands for exactly one more label, `**.HOST` for one or more;
    neither includes the host itself. In a path, `*` stands for one segment, and `**` at the end for any number of
    them. A port other than the default of the scheme must be written. Everything else is literal.

    Args:
        patterns: As the operator wrote them.

    Raises:
        ValueError: A pattern is not valid. The text names it and says why.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns = tuple(_parse_pattern(text) for text in patterns)

    def admits(self, url: RemoteUrl) -> bool:
        """Tell whether any pattern matches this URL."""
        segments = url.path[1:].split("/")  # once for all patterns: a path may have thousands
        return any(pattern.covers(url, segments) for pattern in self._patterns)


@dataclass(frozen=True, slots=True)
class _Pattern:
    """
    Args:
        labels: The labels before `host`: "" for none, "*" for one, "**" for one or more.
        segments: None for any path.
        query: None for any query.
    """

    scheme: str
    labels: str
    host: str
    port: int
    segments: tuple[str, ...] | None
    query: str | None

    def covers(self, url: RemoteUrl, segments: Sequence[str]) -> bool:
        if (self.scheme, self.port) != (url.scheme, url.port) or not self._covers_host(url.host):
            return False
        if self.query is not None and url.target.partition("?")[2] != self.query:
            return False
        return self.segments is None or _covers_path(self.segments, segments)

    def _covers_host(self, host: str) -> bool:
        if not self.labels:
            return host == self.host
        before = host.removesuffix("." + self.host)
        return before not in (host, "") and (self.labels == "**" or "." not in before)


def _covers_path(pattern: Sequence[str], segments: Sequence[str]) -> bool:
    if pattern[-1] == "**":
        fixed = len(pattern) - 1
        return len(segments) > fixed and _covers_each(pattern[:fixed], segments[:fixed])
    return len(pattern) == len(segments) and _covers_each(pattern, segments)


def _covers_each(pattern: Sequence[str], segments: Sequence[str]) -> bool:
    # A server may read %2F as a slash. What looks like one segment is two then.
    return all(
        wanted == given or (wanted == "*" and given != "" and "%2F" not in given)
        for wanted, given in zip(pattern, segments, strict=True)
    )


def _parse_pattern(text: str) -> _Pattern:
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
    segments = None if path == "/" and not query else tuple(path[1:].split("/"))
    _check_segments(text, segments or (), query)
    return _Pattern(scheme, labels, parsed.host, parsed.port, segments, query or None)


def _check_segments(text: str, segments: Sequence[str], query: str) -> None:
    if "**" in segments[:-1]:
        raise ValueError(f"{text!r}: ** stands for the rest of a path and comes last")
    if "*" in query or any("*" in segment.replace("%2A", "*") for segment in segments if segment not in ("*", "**")):
        raise ValueError(f"{text!r}: a * stands for a whole segment of the path, as in /media/*/large.jpg")
    if segments and not segments[-1] and not query:
        raise ValueError(f"{text!r}: the path ends with a slash and admits nothing below it; write {text}**")
