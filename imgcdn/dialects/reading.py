"""What the dialects share: reading text and sources from a raw target."""

from collections.abc import Mapping, Sequence
from urllib.parse import unquote, unquote_to_bytes

from imgcdn.core.request.url import has_control_characters, is_absolute, parse_remote
from imgcdn.core.values import Source
from imgcdn.errors import InvalidParam


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
    Return the parameters that a dialect knows, for one that ignores others, empty ones and repetitions.

    Args:
        query: Raw.
        spellings: Parameter -> its names, the one that counts first.

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


def parse_source(url: str, *, is_reference: bool = False) -> Source:
    """
    Read the source that a parameter names.

    Args:
        url: A path or an absolute URL, taken out of the target and decoded once.
        is_reference: Whether a path is the path of a URL, in which `%20` is a space and `#` ends the path. Otherwise
            the path is the name of a file, taken literally.

    Raises:
        InvalidParam: The URL is not valid, names no file, or has control characters.
        Forbidden: The source is of a kind that is never served.
    """
    _check_characters(url)
    if is_absolute(url):
        # Forms encode a space as `+`. Common URL parsers write a space as %20 (WHATWG URL, section 4.4).
        return Source("remote", parse_remote(url.replace(" ", "%20")).url)
    location, _, query = url.partition("?")
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
