"""
What a source in a URL leads to: a file, a mounted base URL, or a remote URL that the allowlist admits.

Judged before anything is looked up or opened.
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
    Paths that are fetched from somewhere else.

    Args:
        prefix: The first segments of such a path, without slashes at the ends.
        base: What takes their place. Being the operator's own word, it needs no allowlist and no public address.
    """

    prefix: str
    base: RemoteUrl


class Routes:
    """
    The mounts and the allowlist.

    Args:
        mounts: A path goes to the one with the longest prefix.
        allowlist: Patterns of remote URLs; none admits none.
    """

    def __init__(self, mounts: Sequence[Mount], allowlist: Sequence[str]) -> None:
        self._mounts = sorted(mounts, key=lambda mount: -len(mount.prefix))
        self._allowlist = Allowlist(allowlist)

    def admits(self, url: RemoteUrl) -> bool:
        """Tell whether the allowlist covers a URL."""
        return self._allowlist.admits(url)

    def route(self, source: Source) -> Source:
        """
        Return the source that a URL's source stands for.

        Raises:
            Forbidden: It is remote and no pattern covers it.
            SourceNotFound: A mounted path could lead out of its base.
        """
        if source.scheme == "remote":
            if not self.admits(parse_remote(source.location)):
                raise Forbidden(
                    f"{source.location[:500]} is in no pattern of the allowlist; to admit it: --allow PATTERN"
                )
            return source
        for mount in self._mounts:
            if source.location.startswith(mount.prefix + "/"):
                segments = source.location[len(mount.prefix) + 1 :].split("/")
                return Source("mounted", join_base(mount.base, segments, query=source.query).url)
        # A file has no query: what follows `?` tells a browser's cache apart, not originals.
        return replace(source, query="")

    def base_of(self, source: Source) -> RemoteUrl | None:
        """Return the base URL that a mounted source lies beneath; None for any other."""
        if source.scheme != "mounted":
            return None
        url = parse_remote(source.location)
        return next((mount.base for mount in self._mounts if is_beneath(mount.base, url)), None)
