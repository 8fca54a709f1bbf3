"""How many responses one process has sent, and of which kinds."""

from dataclasses import dataclass, field

from imgcdn.service.delivery import CacheStatus


@dataclass(slots=True)
class Counts:
    """
    The responses of one process. No lock guards them: under a server with threads, one may very rarely be missed.

    Args:
        by_class: Responses by the first digit of their status.
        hit, miss, collapsed, stale: Images by the handling of the cache; `stale`: the source was validated first.
        error: Problem documents and pages, those about images included.
        left: Requests whose client left before the response. They have no status and no other count.
    """

    by_class: list[int] = field(default_factory=lambda: [0] * 6)
    hit: int = 0
    miss: int = 0
    collapsed: int = 0
    stale: int = 0
    error: int = 0
    left: int = 0

    @property
    def total(self) -> int:
        """The number of all responses."""
        return sum(self.by_class)

    def add(self, status: int, cache: CacheStatus | None) -> None:
        """
        Count a response.

        Args:
            cache: How the cache handled the request for an image; None for any other request.
        """
        self.by_class[status // 100] += 1
        # Compared by identity, hits first: a dict would hash the enum's member, which takes three times as long.
        if cache is CacheStatus.HIT:
            self.hit += 1
        elif cache is CacheStatus.MISS:
            self.miss += 1
        elif cache is CacheStatus.COLLAPSED:
            self.collapsed += 1
        elif cache is not None:
            self.stale += 1

    def add_error(self, status: int) -> None:
        """Count the response for an error."""
        self.by_class[status // 100] += 1
        self.error += 1

    def summary(self) -> str:
        """
        Say all counts that are not zero in one line.

        >>> counts = Counts()
        >>> counts.add(200, CacheStatus.HIT); counts.add(304, CacheStatus.HIT); counts.add_error(404)
        >>> counts.summary()
        'answered 3 requests: 1 2xx, 1 3xx, 1 4xx; 2 hit, 1 error'
        >>> counts.left += 1
        >>> counts.summary()
        'answered 3 requests: 1 2xx, 1 3xx, 1 4xx; 2 hit, 1 error; 1 left before the answer'
        """
        classes = [f"{count:,} {digit}xx" for digit, count in enumerate(self.by_class) if count]
        handled = [(name, getattr(self, name)) for name in ("hit", "miss", "collapsed", "stale", "error")]
        parts = [", ".join(classes), ", ".join(f"{count:,} {name}" for name, count in handled if count)]
        parts += [f"{self.left:,} left before the answer"] if self.left else []
        noun = "request" if self.total == 1 else "requests"
        return f"answered {self.total:,} {noun}: {'; '.join(part for part in parts if part)}"
