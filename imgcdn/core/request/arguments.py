"""
The kinds of values that a parameter accepts: each has its limits, a summary of them, and a parser.

README's table and the error messages are written from the same limits. An error also names the nearest accepted value,
if there is one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Generic, Protocol, TypeVar

from imgcdn.core.output.geometry import Crop, Position, Smart, round_half_up
from imgcdn.core.request.nearest import closest, nearest_crop, number_in, shortened, suggestion
from imgcdn.errors import InvalidParam

RGB = tuple[int, int, int]
RGBA = tuple[int, int, int, int]

Value = TypeVar("Value")
Value_co = TypeVar("Value_co", covariant=True)

#: The greatest length of a name to save a file under, in bytes. Linux and macOS allow 255, and an extension and a
#: browser's ` (1)` follow it.
MAX_NAME_BYTES = 200

#: The largest integer of any parameter.
MOST = 999_999_999

# The largest number of pixels in a crop.
_MOST_CROPPED = 999_999

_HEX_COLOUR = re.compile(r"([0-9A-Fa-f]{3}){1,2}|[0-9A-Fa-f]{8}")
# The patterns, not int() and Decimal(), are the gate: int() also takes " 5", "1_000" and other scripts' digits, and
# raises on more than 4300 of them.
_DIGITS = re.compile(rf"[0-9]{{1,{len(str(MOST))}}}")
_TWO_DECIMALS = re.compile(r"[0-9]{1,3}(\.[0-9]{1,2})?")
_SHARE = re.compile(r"0(\.[0-9]{1,2})?|1(\.0{1,2})?")
_PIXELS = re.compile(rf"[0-9]{{1,{len(str(_MOST_CROPPED))}}}")
_TOKEN = re.compile(r"[A-Za-z0-9._-]+")
# Up to the year 33658. A time in milliseconds has 13 digits, and is refused.
_TIMESTAMP = re.compile(r"[0-9]{1,12}")
_EXTENSION = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,4}$")
_NOT_IN_NAMES = frozenset('/\\:*?"<>|')


class Range(Protocol[Value_co]):
    """The values that one parameter accepts."""

    @property
    def summary(self) -> str:
        """The accepted values in a few words, for a table."""

    def parse(self, text: str, name: str) -> Value_co:
        """
        Read the text of an argument.

        Args:
            text: The decoded value; not empty.
            name: The parameter's name, for the error.

        Raises:
            InvalidParam: The text is out of range.
        """


@dataclass(frozen=True, slots=True)
class Integers:
    """
    Whole numbers.

    Args:
        low, high: The limits, both included.
        word: A word that is accepted as well and read as None; None for no such word.
        setting: The setting whose default is `high`; empty if the limit is fixed.
    """

    low: int
    high: int
    word: str | None = None
    setting: str = ""

    @property
    def summary(self) -> str:
        end = f"`{self.setting}` ({self.high})" if self.setting else str(self.high)
        return f"{self.low} to {end}" + (f", {self.word}" if self.word else "")

    def up_to(self, high: int) -> "Integers":
        """Return the same range with another upper limit, for a service whose setting differs from the default."""
        return Integers(self.low, high, self.word, self.setting)

    def parse(self, text: str, name: str) -> int | None:
        if text == self.word:
            return None
        if _DIGITS.fullmatch(text) and self.low <= int(text) <= self.high:
            return int(text)
        number = number_in(text)
        if number is not None:
            nearest = str(min(max(round_half_up(Fraction(number)), self.low), self.high))
        else:
            nearest = closest(text, [self.word] if self.word else [])
        word = f" or {self.word}" if self.word else ""
        detail = f"{name} must be an integer from {self.low} to {self.high}{word}"
        raise InvalidParam(detail, param=name, nearest=nearest)


@dataclass(frozen=True, slots=True)
class Decimals:
    """
    Numbers with at most two decimals, read exactly (as Decimal).

    Args:
        low, high: The limits, both included.
    """

    low: Decimal
    high: Decimal

    @property
    def summary(self) -> str:
        return f"{self.low} to {self.high}, two decimals"

    def parse(self, text: str, name: str) -> Decimal:
        if _TWO_DECIMALS.fullmatch(text) and self.low <= Decimal(text) <= self.high:
            return Decimal(text)
        number = number_in(text)
        nearest = "" if number is None else shortened(min(max(number, self.low), self.high))
        detail = f"{name} must be a number from {self.low} to {self.high} with at most two decimals"
        raise InvalidParam(detail, param=name, nearest=nearest)


@dataclass(frozen=True, slots=True)
class Floats:
    """Numbers as in `Decimals`, read as floats: for arithmetic that need not be exact."""

    low: Decimal
    high: Decimal

    @property
    def summary(self) -> str:
        return Decimals(self.low, self.high).summary

    def parse(self, text: str, name: str) -> float:
        return float(Decimals(self.low, self.high).parse(text, name))


@dataclass(frozen=True, slots=True)
class Choices(Generic[Value]):
    """
    One of several words.

    Args:
        meanings: Word -> its value, in the order in which messages list the words.
    """

    meanings: Mapping[str, Value]

    @property
    def summary(self) -> str:
        return ", ".join(self.meanings)

    def parse(self, text: str, name: str) -> Value:
        if text in self.meanings:
            return self.meanings[text]
        nearest = closest(text, self.meanings)
        detail = f"{name} must be one of {self.summary}{suggestion(nearest)}"
        raise InvalidParam(detail, param=name, nearest=nearest)


#: Off or on.
SWITCH = Choices({"0": False, "1": True})


@dataclass(frozen=True, slots=True)
class Colours:
    """
    Colours in hexadecimal digits.

    An opaque colour is read as three values, any other as four, alpha last. A fully transparent colour is read as
    (0, 0, 0, 0), so that equal outputs have equal plans.
    """

    @property
    def summary(self) -> str:
        return "RGB, RRGGBB or RRGGBBAA in hexadecimal digits"

    def parse(self, text: str, name: str) -> RGB | RGBA:
        if not _HEX_COLOUR.fullmatch(text):
            nearest = text[1:] if text[:1] == "#" and _HEX_COLOUR.fullmatch(text[1:]) else ""
            raise InvalidParam(f"{name} must be {self.summary}, without #", param=name, nearest=nearest)
        digits = "".join(digit * 2 for digit in text) if len(text) == 3 else text
        red, green, blue, alpha = bytes.fromhex(digits.ljust(8, "f"))
        if alpha == 255:
            return red, green, blue
        return (red, green, blue, alpha) if alpha else (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Positions:
    """
    Positions in a picture: a word, a pair of words, or two fractions of the free space with two decimals.

    Args:
        words: Word or pair of words -> position.
    """

    words: Mapping[str, Position | Smart]

    @property
    def summary(self) -> str:
        words = ", ".join(word for word in self.words if word.isalpha())
        return f"{words}, a pair such as top left, or x,y from 0 to 1 with at most two decimals"

    def parse(self, text: str, name: str) -> Position | Smart:
        if text in self.words:
            return self.words[text]
        shares = text.split(",")
        if len(shares) == 2 and all(_SHARE.fullmatch(share) for share in shares):
            across, down = (int(Decimal(share) * 100) for share in shares)
            return across, down
        nearest = closest(text, self.words)
        raise InvalidParam(f"{name} must be {self.summary}{suggestion(nearest)}", param=name, nearest=nearest)


@dataclass(frozen=True, slots=True)
class Crops:
    """Rectangles in a picture, as x,y,w,h: fractions if any of them has a decimal point, otherwise pixels."""

    @property
    def summary(self) -> str:
        return "x,y,w,h in pixels, or fractions from 0 to 1 when any has a point"

    def parse(self, text: str, name: str) -> Crop:
        parts = text.split(",", 4)
        relative = "." in text
        pattern = _SHARE if relative else _PIXELS
        if len(parts) == 4 and all(pattern.fullmatch(part) for part in parts):
            left, top, width, height = (int(Decimal(part) * (100 if relative else 1)) for part in parts)
            if width and height and not (relative and 100 in (left, top)):
                return Crop(left, top, width, height, relative=relative)
        raise InvalidParam(
            f"{name} must be {self.summary}; fractions have at most two decimals, w and h are above 0, "
            "and x and y inside the picture",
            param=name,
            nearest=nearest_crop(parts, most=_MOST_CROPPED, relative=relative),
        )


@dataclass(frozen=True, slots=True)
class Tokens:
    """
    Short texts that need no escaping in a URL.

    Args:
        length: Largest number of characters.
    """

    length: int

    @property
    def summary(self) -> str:
        return f"up to {self.length} letters, digits, dots, underscores or hyphens"

    def parse(self, text: str, name: str) -> str:
        if len(text) <= self.length and _TOKEN.fullmatch(text):
            return text
        raise InvalidParam(f"{name} must be {self.summary}", param=name)


@dataclass(frozen=True, slots=True)
class Timestamps:
    """Points in time, as whole seconds since 1970 in UTC."""

    @property
    def summary(self) -> str:
        return "a unix time in seconds"

    def parse(self, text: str, name: str) -> int:
        if _TIMESTAMP.fullmatch(text):
            return int(text)
        raise InvalidParam(f"{name} must be {self.summary}", param=name)


@dataclass(frozen=True, slots=True)
class FileNames:
    """
    Names to save a file under, read without the extension.

    Characters with a meaning to file systems or shells become underscores: separators, control and direction
    characters, a leading hyphen. Dots and spaces at both ends are dropped.

    >>> FileNames().parse("../Summer 2026.jpeg", "dl")
    '_Summer 2026'
    """

    @property
    def summary(self) -> str:
        return f"a file name such as photo.jpg, in at most {MAX_NAME_BYTES} bytes of UTF-8"

    def parse(self, text: str, name: str) -> str:
        if len(text.encode("utf-8", "surrogatepass")) > MAX_NAME_BYTES:
            raise InvalidParam(f"{name} must be {self.summary}", param=name)
        stem = _EXTENSION.sub("", text.strip(" ."))
        stem = "".join(char if char.isprintable() and char not in _NOT_IN_NAMES else "_" for char in stem).strip(" .")
        stem = re.sub(r"^-", "_", stem)
        if stem.strip("_"):
            return stem
        raise InvalidParam(f"{name} must be {self.summary}", param=name)


@dataclass(frozen=True, slots=True)
class Texts:
    """Any text. The code that uses it checks it."""

    summary: str

    def parse(self, text: str, name: str) -> str:
        return text
