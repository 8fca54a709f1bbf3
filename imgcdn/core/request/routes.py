"""
Where the source in a URL leads: to a file, a mounted base URL, or a remote URL that the allowlist admits.

This is decided before any host name is resolved or any file is opened.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from imgcdn.core.request.allowlist import Allowlist, Pattern
from imgcdn.core.request.origin_options import NO_OPTIONS, OriginHeader, OriginOptions
from imgcdn.core.request.url import RemoteUrl, is_beneath, join_base, parse_remote
from imgcdn.core.values import Source
from imgcdn.errors import Forbidden


@dataclass(frozen=True, slots=True)
class Mount:
    """
    A path prefix that stands for a base URL.

    Args:
        prefix: The first segments of the path, without slashes at the ends.
        base: The URL that replaces the prefix. The operator wrote it, so the allowlist and the rule of public addresses
            do not apply to it.
        options: How the URLs beneath the base are requested.
    """

    prefix: str
    base: RemoteUrl
    options: OriginOptions = NO_OPTIONS

    @property
    def written(self) -> object:
        """The base and the options as imgcdn.toml has them."""
        options = self.options.written
        return {"base": self.base.url, **options} if options else self.base.url


@dataclass(frozen=True, slots=True)
class Hop:
    """
    How one URL on the way to an original is requested.

    Args:
        headers: The operator's headers for it.
        is_exempt: Whether the rule of public addresses does not apply.
        group: The name under which the work for its host is counted (`Allowlist.group`); empty for the host's own.
        ignores_stale_rules: As in `OriginOptions`.
    """

    headers: tuple[OriginHeader, ...] = ()
    is_exempt: bool = False
    group: str = ""
    ignores_stale_rules: bool = False


class Routes:
    """
    The mounts and the allowlist.

    Args:
        mounts: If several prefixes match a path, the longest one counts.
        patterns: Patterns of remote URLs. Without patterns, no remote URL is admitted.
    """

    def __init__(self, mounts: Sequence[Mount], patterns: Iterable[Pattern]) -> None:
        self._mounts = sorted(mounts, key=lambda mount: -len(mount.prefix))
        self._allowlist = Allowlist(patterns)

    def route(self, source: Source) -> Source:
        """
        Return the source after mounts and allowlist were applied. A query that does not belong to it is dropped.

        Raises:
            Forbidden: It is remote, and no pattern matches it; or the query of a mounted path has a fragment.
            SourceNotFound: A mounted path could lead out of its base.
            InvalidParam: The query of a mounted path does not parse.
        """
        if source.scheme == "remote":
            return self._route_remote(source)
        for mount in self._mounts:
            if source.location.startswith(mount.prefix + "/"):
                segments = source.location[len(mount.prefix) + 1 :].split("/")
                query = source.query if mount.options.keeps_query else ""
                return Source("mounted", join_base(mount.base, segments, query=query).url, mount=mount.prefix)
        # A file has no query. Pages append one so that browsers load a new version; the file is the same.
        return replace(source, query="")

    def _route_remote(self, source: Source) -> Source:
        url = parse_remote(source.location)
        pattern = self._allowlist.match(url)
        if pattern is None:
            raise Forbidden(
                f"{source.location[:500]} matches no pattern of the allowlist; to admit it, add --allow PATTERN"
            )
        return source if pattern.options.keeps_query else replace(source, location=url.without_query.url)

    def judge(self, source: Source, url: RemoteUrl) -> Hop | None:
        """
        Tell how a URL may be requested on the way to a source, such as the URL of a redirect.

        URLs beneath the base of the source's own mount need no allowlist. Every other URL is judged like an ordinary
        one, also if it is beneath another mount's base.

        Returns:
            None if it must not be requested.
        """
        if source.scheme == "mounted":
            mount = next((mount for mount in self._mounts if mount.prefix == source.mount), None)
            if mount is not None and is_beneath(mount.base, url):
                options = mount.options
                return Hop(options.headers, is_exempt=True, ignores_stale_rules=options.ignores_stale_rules)
        pattern = self._allowlist.match(url)
        if pattern is None:
            return None
        options = pattern.options
        group = self._allowlist.group(url, pattern)
        return Hop(options.headers, group=group, ignores_stale_rules=options.ignores_stale_rules)
