"""What each source shows at each time, and whether an answer agrees with it."""

from dataclasses import dataclass, field
from typing import NamedTuple

from bench.load.soaking.pictures import Code, Shown

#: The versions of a source come again and again, so that their variants are rendered again after their eviction.
_VERSIONS = 4


class Period(NamedTuple):
    """The time in which a version was shown. It may be shown from `since` on, and must no longer be after `until`."""

    version: int
    since: float
    until: float


@dataclass(slots=True)
class Truth:
    """
    The versions of one source.

    Args:
        source: Its number.
        slack_s: Seconds for which an earlier version may be served after a change.
    """

    source: int
    slack_s: float
    periods: list[Period] = field(default_factory=list)

    def change(self, version: int, *, begins: float, ended: float) -> None:
        """
        Note a change.

        Args:
            version: The new version.
            begins: A time before the change.
            ended: A time after the change.
        """
        if self.periods:
            self.periods[-1] = self.periods[-1]._replace(until=ended)
        self.periods.append(Period(version, begins, float("inf")))

    def objection(self, shown: Shown, size: tuple[int, int], *, asked: float, answered: float) -> str | None:
        """
        Say what is wrong with a picture; None if nothing is.

        Args:
            size: That was asked for.
            asked, answered: When the request began, and when its response was complete.
        """
        if shown.size != size:
            return f"is {shown.size}, not {size}"
        if shown.code is None:
            return "shows no valid code"
        if shown.code.source != self.source:
            return f"shows source {shown.code.source}, not {self.source}"
        if not any(
            each.version == shown.code.version and each.since <= answered and asked <= each.until + self.slack_s
            for each in self.periods
        ):
            return f"shows version {shown.code.version}, and {self.periods[-1].version} is current"
        return None

    @property
    def next_code(self) -> Code:
        """The code of the next version."""
        last = self.periods[-1].version if self.periods else -1
        return Code(self.source, (last + 1) % _VERSIONS)
