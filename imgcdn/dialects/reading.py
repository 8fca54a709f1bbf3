"""What the dialects share: reading text, sources and queries from a raw target."""

from collections.abc import Mapping, Sequence
from urllib.parse import unquote, unquote_to_bytes

from imgcdn.core.output.geometry import Position
from imgcdn.core.request.url import has_control_characters, is_absolute, parse_remote
from imgcdn.core.request.words import POSITIONS
from imgcdn.core.values import Source
from imgcdn.errors import InvalidParam

#: sharp's words for a position: those of CSS without commas, and its spelling of the center.
SHARP_POSITIONS: dict[str, Position] = {
    **{words: position for words, position in POSITIONS.items() if "," not in words},
    "centre": POSITIONS["center"],
}


def decode(raw: str, *, param: str) -> str:
    """
    Percent-decode a piece of a raw target, once.

    Args:
        raw: The piece, one character for each byte (latin-1, as in WSGI).
        param: The parameter that the error names.

    Raises:
        InvalidParam: The decoded bytes are not UTF-8.
    """
    try:
        return unquote_to_bytes(raw.encode("latin-1")).decode("utf-8")
    except (UnicodeEncodeError, UnicodeDecodeError) as error:
        raise _not_utf8(param) from error


def first_values(query: str, spellings: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """
    Return a query's parameters for a dialect that ignores unknown, empty and repeated ones.

    Args:
        query: The raw query, percent-encoded.
        spellings: Parameter -> its names in the dialect. The first one that the query has counts.

    Returns:
        Parameter -> its first value, still percent-encoded, `+` read as a space.
    """
    first: dict[str, str] = {}
    for pair in query.split("&"):
        written, _, value = pair.replace("+", " ").partition("=")
        first.setdefault(unquote(written), value)
    found = {
        name: next((first[spelling] for spelling in names if spelling in first), "")
        for name, names in spellings.items()
    }
    return {name: value for name, value in found.items() if value}


def read_query(query: str, spellings: Mapping[str, Sequence[str]], *, prefix: str) -> tuple[Source, dict[str, str]]:
    """
    Read the source and the parameters from a query, for a dialect as in `first_values`.

    Args:
        query: The raw query, percent-encoded.
        spellings: As for `first_values`; `url` is the parameter that names the source.
        prefix: The dialect's path, for the error about a missing source.

    Returns:
        The source, and parameter -> its decoded value for all other parameters.

    Raises:
        InvalidParam: The source is missing or does not parse, or a value is not UTF-8.
        Forbidden: The source is of a kind that is never served.
    """
    raw = first_values(query, spellings)
    url = raw.pop("url", None)
    if url is None:
        name = spellings["url"][0]
        raise InvalidParam(f"{name} is required: {prefix}?{name}=/photo.jpg", param=name)
    source = parse_source(decode(url, param="url"), is_reference=True)
    return source, {name: decode(value, param=name) for name, value in raw.items()}


def as_written(error: InvalidParam, spellings: Mapping[str, Sequence[str]]) -> InvalidParam:
    """
    Return an error with the dialect's name for the parameter, in place of ours.

    >>> error = as_written(InvalidParam("fm must be one of avif, webp", param="fm"), {"fm": ("f",)})
    >>> error.param, error.detail
    ('f', 'f must be one of avif, webp')
    """
    written = spellings.get(error.param, (error.param,))[0]
    rest = error.detail.removeprefix(error.param)
    return InvalidParam(error.detail if rest == error.detail else written + rest, param=written, nearest=error.nearest)


def parse_source(url: str, *, is_reference: bool = False, has_query: bool = True) -> Source:
    """
    Read the source that a URL names.

    Args:
        url: A path or an absolute URL, taken out of the target and decoded once.
        is_reference: Whether a path is the path of a URL, in which `%20` is a space and `#` ends the path. Otherwise
            the path is the name of a file, taken literally.
        has_query: Whether a question mark ends a path. Otherwise it belongs to the name.

    Raises:
        InvalidParam: The URL is not valid, names no file, or has control characters.
        Forbidden: The source is of a kind that is never served.
    """
    _check_characters(url)
    if is_absolute(url):
        return Source("remote", parse_remote(url).url)
    location, _, query = url.partition("?") if has_query else (url, "", "")
    if is_reference:
        location = _decode_path(location.partition("#")[0])
    location = location.removeprefix("/")
    if not location:
        raise InvalidParam("url must name an image: /photo.jpg", param="url")
    return Source("local", location, query.partition("#")[0] if is_reference else query)


def _decode_path(path: str) -> str:
    try:
        name = unquote(path, errors="strict")
    except UnicodeDecodeError as error:
        raise _not_utf8("url") from error
    _check_characters(name)
    return name


def _check_characters(url: str) -> None:
    if has_control_characters(url):
        raise InvalidParam("url must not contain control characters", param="url")


def _not_utf8(param: str) -> InvalidParam:
    param = param if param.isalnum() else ""
    return InvalidParam(f"{param or 'the query'} is not UTF-8 once percent-decoded", param=param)
