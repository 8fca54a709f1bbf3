"""The widths that an operator offers, and what happens to others."""

from bisect import bisect_left
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from fractions import Fraction

from imgcdn.core.output.geometry import round_edge
from imgcdn.errors import InvalidParam

#: Widths of common screens and parts of them, and smaller ones for thumbnails. From 320 on, a step is 19 to 50 %
#: wider than the one before: a browser that gets the next step loads at most 2.25 times the pixels that it needs, and a
#: cache holds few variants.
LADDER = (64, 96, 128, 192, 256, 320, 480, 640, 828, 1080, 1280, 1668, 2048, 2560, 3200, 3840)


class WidthPolicy(Enum):
    """What happens to an edge that is not in the ladder: it is served, rounded up, or refused."""

    ANY = 1
    SNAP = 2
    STRICT = 3


@dataclass(frozen=True, slots=True)
class Widths:
    """
    The rule for edges of an output.

    Args:
        policy: What happens to an edge that is not in the ladder.
        ladder: Device pixels, ascending; may be empty only if the policy is ANY.
    """

    policy: WidthPolicy
    ladder: tuple[int, ...]

    def resolve(self, edge: int | None, *, name: str, dpr: Decimal) -> int | None:
        """
        Return the edge to render for a requested one.

        Args:
            edge: In device pixels, after multiplication by `dpr`; None stays None.
            name: The parameter's name, for the error.
            dpr: The factor that the edge was multiplied by.

        Raises:
            InvalidParam: The policy is strict and the edge is not in the ladder.

        >>> Widths(WidthPolicy.SNAP, (320, 640)).resolve(321, name="w", dpr=Decimal(1))
        640
        >>> Widths(WidthPolicy.SNAP, (320, 640)).resolve(5000, name="w", dpr=Decimal(1))
        640
        """
        if edge is None or self.policy is WidthPolicy.ANY or edge in self.ladder:
            return edge
        if self.policy is WidthPolicy.SNAP:
            return self.ladder[min(bisect_left(self.ladder, edge), len(self.ladder) - 1)]
        times = "" if dpr == 1 else " times dpr"
        steps = ", ".join(map(str, self.ladder))
        raise InvalidParam(f"{name}{times} must be one of {steps}", param=name, nearest=self._nearest(edge, dpr))

    def _nearest(self, edge: int, dpr: Decimal) -> str:
        """Return the value that leads to the nearest step with this dpr. Rounding may make a step unreachable."""
        for step in sorted(self.ladder, key=lambda step: (abs(step - edge), step)):
            value = round_edge(step / Fraction(dpr))
            if round_edge(value * Fraction(dpr)) == step:
                return str(value)
        return ""
