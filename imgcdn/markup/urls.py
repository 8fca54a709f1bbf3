"""(source, params, size) -> URL. Parameters are in the order of README's table."""

import re
from dataclasses import dataclass
from typing import Literal, TypedDict, cast
from urllib.parse import quote, urlencode

from imgcdn.core.output.geometry import Framing, Size, frame, turned_size
from imgcdn.core.request.parameters import EXPIRY, PARAMETERS
from imgcdn.core.request.params import Params, collect, parse_download, parse_dpr, parse_params, parse_version
from imgcdn.core.request.signing import SigningKey, sign
from imgcdn.core.request.url import has_control_characters, is_absolute, parse_remote
from imgcdn.core.request.widths import Widths
from imgcdn.errors import Forbidden, InvalidParam
from imgcdn.markup.tags import check_text

#: Argument of the helper -> parameter, where their names differ.
SPELLED = {"src": "url", "width": "w", "height": "h", "format": "fm", "preset": "p", "download": "dl", "expires": "exp"}

FormatName = Literal["auto", "avif", "webp", "jpeg", "png", "gif", "jpg", "blurhash", "thumbhash", "lqip", "json"]

_ORDER = {parameter.name: index for index, parameter in enumerate(PARAMETERS)}
_BASE = re.compile(r"((https?:)?//[^/?#\s]+)?(/[^?#\s]*)?", re.IGNORECASE)


class ParamArgs(TypedDict, total=False):
    """
    The service's parameters as arguments of the helper, without its size. Four of them have longer names.

    A parameter that is None or False is left out of the URL.
    """

    fit: Literal["contain", "cover", "fill", "pad"] | None
    position: Literal["center", "top", "bottom", "left", "right", "smart"] | str | None  # or a pair, or x,y
    format: FormatName | None  # fm
    q: int | Literal["auto"] | None
    bg: str | None
    rotate: Literal[90, 180, 270] | None
    flip: Literal["h", "v", "hv"] | None
    trim: int | None
    crop: str | None
    brightness: float | None
    contrast: float | None
    saturation: float | None
    grayscale: bool
    blur: float | None
    sharpen: float | None
    enlarge: bool
    still: bool
    preset: str | None  # p
    download: str | None  # dl
    v: str | None
    expires: int | None  # exp


@dataclass(frozen=True, slots=True)
class UrlParams:
    """
    The parameters that all candidates of one picture share.

    Raises:
        TypeError: There is no such argument.
        ValueError: No service accepts a value.
    """

    args: ParamArgs

    def __post_init__(self) -> None:
        for name in self.args:
            if name not in ParamArgs.__annotations__:
                raise TypeError(f"{name} is not an argument; {_nearest_argument(name)}")
        _check(self.pairs(), max_dimension=1)

    def replace(self, **args: str | int | None) -> "UrlParams":
        """Return the same parameters with some arguments replaced."""
        return UrlParams(cast("ParamArgs", {**self.args, **args}))

    def pairs(self) -> list[tuple[str, str]]:
        """Return the given parameters, with their names and values in a query."""
        given = [(SPELLED.get(name, name), value) for name, value in self.args.items()]
        return [(name, _text(value)) for name, value in given if value is not None and value is not False]

    def framed_size(self, source_size: Size) -> Size:
        """
        Return the size of an original after rotation and crop.

        Raises:
            ValueError: `trim` is given, so the size depends on the pixels; or the crop lies outside the original.
        """
        params = _check(self.pairs(), max_dimension=1)
        if params.trim is not None:
            raise ValueError("source_size does not tell how large a trimmed picture is; leave it out")
        source = turned_size(source_size, params.turn)
        try:
            return frame(source, Framing(params.crop), max_edge=max(source)).size
        except InvalidParam as error:
            raise ValueError(error.detail) from error


@dataclass(frozen=True, slots=True)
class Output:
    """
    The size in a URL.

    Args:
        width, height: In pixels; None for an edge that follows from the ratio.
        dpr: 0.5 to 4, multiplies both.
    """

    width: int | None = None
    height: int | None = None
    dpr: float | None = None

    def pairs(self) -> list[tuple[str, str]]:
        """Return the given parameters, with their names and values in a query."""
        given = {"w": self.width, "h": self.height, "dpr": None if self.dpr is None else _text(self.dpr)}
        return [(name, str(value)) for name, value in given.items() if value is not None]

    def check(self, max_dimension: int, widths: Widths | None = None) -> None:
        """
        Raise ValueError if the service does not accept it.

        Args:
            max_dimension: The service's largest edge.
            widths: The service's rule for edges; None if it accepts all.
        """
        params = _check(self.pairs(), max_dimension=max_dimension)
        if widths is None:
            return
        dpr = parse_dpr(dict(self.pairs()))
        try:
            widths.resolve(params.width, name="width", dpr=dpr)
            widths.resolve(params.height, name="height", dpr=dpr)
        except InvalidParam as error:
            hint = f"; {error.nearest} is nearest" if error.nearest else ""
            raise ValueError(error.detail + hint) from error


def normalise_base(base_url: str) -> str:
    """
    Return a base URL without the slash at its end.

    Raises:
        ValueError: It must be empty, a path, or an http(s) URL without a query.
    """
    check_text("base_url", base_url)
    if _BASE.fullmatch(base_url):
        return base_url.rstrip("/")
    raise ValueError(f"base_url must be like 'https://img.example.com', '/path' or '', not {base_url!r}")


def image_url(base: str, src: str, params: UrlParams, output: Output, key: SigningKey | None = None) -> str:
    """
    Return the URL of one picture.

    Args:
        base: A result of `normalise_base`. It is not signed: a path in it is one that a proxy or a mount takes away.
        src: The path of a file in the served folder, not percent-encoded; or an absolute URL, as a page has it.
        key: Signs the URL; None for a URL without a signature.

    >>> image_url("", "/caf\N{LATIN SMALL LETTER E WITH ACUTE}/100% new.jpg", UrlParams({"q": 60}), Output(640))
    '/img/caf%C3%A9/100%25%20new.jpg?w=640&q=60'
    >>> image_url("", "https://example.com/a%20b.jpg?x=1", UrlParams({}), Output())
    '/img/https%3A%2F%2Fexample.com%2Fa%2520b.jpg%3Fx%3D1'
    """
    pairs = sorted(output.pairs() + params.pairs(), key=lambda pair: _ORDER[pair[0]])
    # A position may contain a space. %20 means a space everywhere, + only in a query.
    query = urlencode(pairs, quote_via=quote, safe=",")
    target = f"/img/{_encoded(src)}{'?' if query else ''}{query}"
    return base + (target if key is None else sign(target, key))


def _nearest_argument(name: str) -> str:
    own = next((argument for argument, parameter in SPELLED.items() if parameter == name), None)
    return f"write {own}" if own else f"there are width, height, {', '.join(ParamArgs.__annotations__)}"


def _text(value: object) -> str:
    if value is True:
        return "1"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _check(pairs: list[tuple[str, str]], *, max_dimension: int) -> Params:
    try:
        arguments = collect(pairs)
        if "exp" in arguments:
            EXPIRY.parse(arguments["exp"], "expires")
        parse_version(arguments)
        parse_download(arguments)
        return parse_params(arguments, max_dimension=max_dimension)
    except InvalidParam as error:
        raise ValueError(error.detail) from error


def _encoded(src: str) -> str:
    check_text("src", src)
    if has_control_characters(src):
        raise ValueError(f"src must not contain control characters: {src!r}")
    if is_absolute(src):
        return quote(_remote(src), safe="")
    path = src.removeprefix("/")
    if not path or {".", ".."} & set(path.split("/")):
        # A browser resolves dot segments before its request, so it would get another picture.
        raise ValueError(f"src must name an image, without '.' and '..' segments, not {src!r}")
    # The slash tells a file in a folder with the name http: from a URL of another host.
    return quote(src if is_absolute(path) else path)


def _remote(src: str) -> str:
    """Return an absolute URL as the service sends it, so that a picture has one URL however its own is written."""
    try:
        return parse_remote(src).url
    except InvalidParam as error:
        raise ValueError(f"src {error.detail.removeprefix('url ')}: {src!r}") from error
    except Forbidden as error:
        why = f"src must be a path or begin with https:// or http://, and this one has {error.log}"
        raise ValueError(f"{why}: {src!r}") from error
