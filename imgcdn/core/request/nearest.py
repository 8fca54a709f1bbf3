"""The accepted value nearest to a refused text, for the error message."""

import difflib
import re
from collections.abc import Iterable
from decimal import Decimal

# A refused text is compared with the accepted ones by this many of its characters.
_LONGEST_COMPARED = 64


def closest(text: str, allowed: Iterable[str]) -> str:
    """Return the allowed word that is most like a text; empty if none is similar."""
    return "".join(difflib.get_close_matches(text[:_LONGEST_COMPARED].lower(), list(allowed), n=1, cutoff=0.5))


def suggestion(nearest: str) -> str:
    """Return the end of a message that names the nearest word; empty if there is none."""
    return f"; did you mean {nearest}?" if nearest else ""


def number_in(text: str) -> Decimal | None:
    """Read a refused number leniently: with a sign, a unit or more decimals. Return None if it is no number."""
    match = re.fullmatch(r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)) *(?:px|x|%)?", text[:_LONGEST_COMPARED].strip(" "))
    return Decimal(match[1]) if match else None


def shortened(number: Decimal) -> str:
    """Write a number with at most two decimals, without zeros at its end."""
    text = f"{number:.2f}"
    return text.rstrip("0").rstrip(".")


def nearest_crop(parts: list[str], *, most: int, relative: bool) -> str:
    """
    Return the nearest rectangle; empty if the parts are not four numbers.

    Args:
        parts: x, y, w and h as they were written.
        most: The largest number of pixels.
        relative: Whether they are fractions.
    """
    numbers = [number for number in map(number_in, parts) if number is not None]
    if len(parts) != 4 or len(numbers) != 4:
        return ""
    step, last = (Decimal("0.01"), Decimal(1)) if relative else (Decimal(1), Decimal(most))
    lows = (Decimal(0), Decimal(0), step, step)
    highs = (last - step, last - step, last, last) if relative else (last,) * 4
    near = [min(max(number, low), high) for number, low, high in zip(numbers, lows, highs, strict=True)]
    return ",".join(f"{number:.2f}" if relative else f"{number:.0f}" for number in near)
