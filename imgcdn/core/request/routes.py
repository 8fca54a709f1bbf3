"""
Where the source in a URL leads: to a file, a mounted base URL, or a remote URL that the allowlist admits.

This is decided before any host name is resolved or any file is opened.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from imgcdn.core.request.allowlist import Allowlist
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
    """

    prefix: str
    base: RemoteUrl


class Routes:
    """
    The mounts and the allowlist.

    Args:
        mounts: If several prefixes match a path, the longest one counts.
        allowlist: Patterns of remote URLs. Without patterns, no remote URL is admitted.
    """

    def __init__(self, mounts: Sequence[Mount], allowlist: Sequence[str]) -> None:
        self._mounts = sorted(mounts, key=lambda mount: -len(mount.prefix))
        self._allowlist = Allowlist(allowlist)

    def admits(self, url: RemoteUrl) -> bool:
        """Tell whether the allowlist admits a URL."""
        return self._allowlist.admits(url)

    def route(self, source: Source) -> Source:
        """
        Return the source after mounts and allowlist were applied.

        Raises:
            Forbidden: It is remote, and no pattern matches it; or the query of a mounted path has a fragment.
            SourceNotFound: A mounted path could lead out of its base.
            InvalidParam: The query of a mounted path does not parse.
        """
        if source.scheme == "remote":
            if not self.admits(parse_remote(source.location)):
                raise Forbidden(
                    f"{source.location[:500]} matches no pattern of the allowlist; to admit it, add --allow PATTERN"
                )
            return source
        for mount in self._mounts:
            if source.location.startswith(mount.prefix + "/"):
                segments = source.location[len(mount.prefix) + 1 :].split("/")
                return Source("mounted", join_base(mount.base, segments, query=source.query).url)
        # A file has no query. Pages append one so that browsers load a new version; the file is the same.
        return replace(source, query="")

    def base_of(self, source: Source) -> RemoteUrl | None:
        """Return the base URL of a mounted source; None for any other source."""
        if source.scheme != "mounted":
            return None
        url = parse_remote(source.location)
        return next((mount.base for mount in self._mounts if is_beneath(mount.base, url)), None)
