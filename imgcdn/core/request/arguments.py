"""The text of one argument -> a value, or a refusal that says what it may be and what comes closest."""

import difflib
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction

from imgcdn.core.output.geometry import Crop, Position, Smart, round_half_up
from imgcdn.errors import InvalidParam

RGB = tuple[int, int, int]
RGBA = tuple[int, int, int, int]

_HEX_COLOUR = re.compile(r"([0-9A-Fa-f]{3}){1,2}|[0-9A-Fa-f]{8}")
_SHARE = re.compile(r"0(\.[0-9]{1,2})?|1(\.0{1,2})?")
_PIXELS = re.compile(r"[0-9]{1,6}")


def closest(text: str, allowed: Iterable[str]) -> str:
    """Return what was probably meant; empty where nothing is like it."""
    return "".join(difflib.get_close_matches(text[:64].lower(), list(allowed), n=1, cutoff=0.5))


def integer(arguments: Mapping[str, str], name: str, *, low: int, high: int) -> int | None:
    """Read whole digits; None for an argument that was not given, here as below."""
    text = arguments.get(name)
    if text is None:
        return None
    # The pattern, not int(), is the gate: int() also takes " 5", "1_000" and
    # other scripts' digits, and raises on more than 4300 of them.
    if re.fullmatch(r"[0-9]{1,9}", text) and low <= int(text) <= high:
        return int(text)
    number = _number(text)
    nearest = "" if number is None else str(min(max(round_half_up(Fraction(number)), low), high))
    raise InvalidParam(f"{name} must be an integer from {low} to {high}", param=name, nearest=nearest)


def integer_or(arguments: Mapping[str, str], name: str, *, low: int, high: int, word: str) -> int | str | None:
    """Read whole digits, or one word."""
    if arguments.get(name) == word:
        return word
    try:
        return integer(arguments, name, low=low, high=high)
    except InvalidParam as error:
        nearest = error.nearest or closest(arguments[name], [word])
        raise InvalidParam(f"{error.detail} or {word}", param=name, nearest=nearest) from error


def decimal(arguments: Mapping[str, str], name: str, *, low: Decimal, high: Decimal) -> Decimal | None:
    """Read a number with at most two decimals."""
    text = arguments.get(name)
    if text is None:
        return None
    if re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,2})?", text) and low <= Decimal(text) <= high:
        return Decimal(text)
    number = _number(text)
    nearest = "" if number is None else _two_decimals(min(max(number, low), high))
    detail = f"{name} must be a number from {low} to {high} with at most two decimals"
    raise InvalidParam(detail, param=name, nearest=nearest)


def choice(arguments: Mapping[str, str], name: str, choices: Iterable[str]) -> str | None:
    """Read one of several words."""
    text = arguments.get(name)
    allowed = list(choices)
    if text is None or text in allowed:
        return text
    nearest = closest(text, allowed)
    hint = f"; did you mean {nearest}?" if nearest else ""
    raise InvalidParam(f"{name} must be one of {', '.join(allowed)}{hint}", param=name, nearest=nearest)


def colour(arguments: Mapping[str, str], name: str) -> RGB | RGBA | None:
    """Read a colour; the fourth value, its alpha, is there only where it is not opaque."""
    text = arguments.get(name)
    if text is None:
        return None
    if not _HEX_COLOUR.fullmatch(text):
        nearest = text[1:] if text[0] == "#" and _HEX_COLOUR.fullmatch(text[1:]) else ""
        detail = f"{name} must be RGB, RRGGBB or RRGGBBAA in hexadecimal digits, without #"
        raise InvalidParam(detail, param=name, nearest=nearest)
    digits = "".join(digit * 2 for digit in text) if len(text) == 3 else text
    red, green, blue, alpha = bytes.fromhex(digits.ljust(8, "f"))
    if alpha == 255:
        return red, green, blue
    return (red, green, blue, alpha) if alpha else (0, 0, 0, 0)


def position(
    arguments: Mapping[str, str], name: str, positions: Mapping[str, Position | Smart]
) -> Position | Smart | None:
    """Read a place in a picture: words, or two shares of the room that is free."""
    text = arguments.get(name)
    if text is None or text in positions:
        return None if text is None else positions[text]
    shares = text.split(",")
    if len(shares) == 2 and all(_SHARE.fullmatch(share) for share in shares):
        across, down = (int(Decimal(share) * 100) for share in shares)
        return across, down
    nearest = closest(text, positions)
    hint = f"; did you mean {nearest}?" if nearest else ""
    words = ", ".join(word for word in positions if word.isalpha())
    detail = (
        f"{name} must be one of {words}, a pair such as top left, or x,y from 0 to 1 with at most two decimals{hint}"
    )
    raise InvalidParam(detail, param=name, nearest=nearest)


def crop(arguments: Mapping[str, str], name: str) -> Crop | None:
    """Read a part of a picture: x,y,w,h as fractions when any has a point, else as pixels."""
    text = arguments.get(name)
    if text is None:
        return None
    parts = text.split(",")
    relative = "." in text
    pattern = _SHARE if relative else _PIXELS
    if len(parts) == 4 and all(pattern.fullmatch(part) for part in parts):
        left, top, width, height = (int(Decimal(part) * (100 if relative else 1)) for part in parts)
        if width and height and not (relative and 100 in (left, top)):
            return Crop(left, top, width, height, relative=relative)
    raise InvalidParam(
        f"{name} must be x,y,w,h: whole pixels, or fractions from 0 to 1 with at most two decimals; "
        "w and h above 0, and x and y inside the picture",
        param=name,
        nearest=_nearest_crop(parts, relative=relative),
    )


def _number(text: str) -> Decimal | None:
    """Read what was meant by a refused number, to name the nearest one allowed."""
    match = re.fullmatch(r" *([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)) *(?:px|x|%)? *", text[:64])
    return Decimal(match[1]) if match else None


def _two_decimals(number: Decimal) -> str:
    text = f"{number:.2f}"
    return text.rstrip("0").rstrip(".")


def _nearest_crop(parts: list[str], *, relative: bool) -> str:
    numbers = [number for number in map(_number, parts) if number is not None]
    if len(parts) != 4 or len(numbers) != 4:
        return ""
    step, last = (Decimal("0.01"), Decimal(1)) if relative else (Decimal(1), Decimal(999_999))
    lows = (Decimal(0), Decimal(0), step, step)
    highs = (last - step, last - step, last, last) if relative else (last,) * 4
    near = [min(max(number, low), high) for number, low, high in zip(numbers, lows, highs, strict=True)]
    return ",".join(f"{number:.2f}" if relative else f"{number:.0f}" for number in near)
