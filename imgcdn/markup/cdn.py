"""The helper: one object for a site, one call for each picture."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Unpack

from imgcdn.core.output.formats import FORMATS, JPEG, NEGOTIATED, PLACEHOLDERS, Format
from imgcdn.core.output.geometry import Size
from imgcdn.core.request.parameters import MAX_DIMENSION
from imgcdn.core.request.signing import SigningKey, parse_signing_key
from imgcdn.core.request.widths import WidthPolicy, Widths
from imgcdn.markup.attributes import other_attributes
from imgcdn.markup.layout import (
    LADDER,
    MOST_PIXELS,
    Candidates,
    Layout,
    Slot,
    candidates_for,
    check_edge,
    check_source,
    listed,
    slot_for,
)
from imgcdn.markup.tags import Html, check_text, tag
from imgcdn.markup.urls import Output, ParamArgs, UrlParams, image_url, normalise_base

_FORMATS = {**FORMATS, "jpg": JPEG}
_NEGOTIATED = tuple(fmt.name for fmt in NEGOTIATED)


@dataclass(frozen=True, slots=True)
class ImageCDN:
    """
    Writes URLs and markup for one service.

    Arguments that the methods share:
        src: The path of a file in the served folder, not percent-encoded; or an absolute URL.
        width, height: The size of the slot on the page, in CSS pixels. If both are given, the picture covers the slot
            (fit=cover).
        source_size: (width, height) of the upright original. With it, no candidate is wider than the original, and one
            edge gives the other, so that the page does not shift when the picture loads.
        layout: constrained (the width, or less in a narrower window), full-width, fixed, or none (no srcset).
        widths, densities: Candidates instead of the layout's, in pixels or as multiples of the width.
        params: The service's parameters by their names in URLs, except that `fm` is `format`, `p` is `preset`, `dl` is
            `download` and `exp` is `expires`. The helper applies `rotate` and `crop` to `source_size`.

    Every method raises ValueError for a value that no service accepts or that a page cannot use. The message says what
    to write. The helper does not know this service's presets, width policy or allowlist.

    Args:
        base_url: The URL of the service, such as "https://img.example.com"; empty if it is on the page's own host.
        ladder: The widths for constrained and full-width pictures, in pixels.
        only_ladder: Whether each width and height in a URL is a step of the ladder: for a service whose `width_policy`
            is snap or strict, and whose `widths` include the ladder.
        max_dimension: The service's setting of this name: its largest output edge in pixels.
        signing_key: Signs every URL: one of the service's `signing_keys`, as KID:HEX. Empty for no signatures.
        expires_in_s: Signed URLs expire after this many seconds, or up to twice as many: `exp` is a multiple of this
            number, so that a picture keeps its URL, and browsers their copy, for that long. None: they do not expire.
            `expires` (a unix time) in a call overrides it.
        clock: Unix time in seconds.

    >>> cdn = ImageCDN("https://img.example.com")
    >>> print(cdn.img("/cat.jpg", alt="A cat", width=300, height=200, layout="fixed"))  # doctest: +NORMALIZE_WHITESPACE
    <img src="https://img.example.com/img/cat.jpg?w=300&amp;h=200&amp;fit=cover"
    srcset="https://img.example.com/img/cat.jpg?w=300&amp;h=200&amp;fit=cover 300w,
    https://img.example.com/img/cat.jpg?w=600&amp;h=400&amp;fit=cover 600w"
    sizes="300px" width="300" height="200" alt="A cat" loading="lazy" decoding="async">
    """

    base_url: str = ""
    _: KW_ONLY
    ladder: Sequence[int] = LADDER
    only_ladder: bool = False
    max_dimension: int = MAX_DIMENSION
    signing_key: str = field(default="", repr=False)
    expires_in_s: int | None = None
    clock: Callable[[], float] = field(default=time.time, repr=False, compare=False)
    _key: SigningKey | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # object.__setattr__, because the dataclass is frozen. Normalised, so that equal helpers compare equal.
        object.__setattr__(self, "base_url", normalise_base(self.base_url))
        object.__setattr__(self, "ladder", tuple(listed("ladder", self.ladder)))
        check_edge("max_dimension", self.max_dimension, most=MOST_PIXELS)
        for width in self.ladder:
            check_edge("each step of ladder", width, most=self.max_dimension)
        object.__setattr__(self, "ladder", tuple(sorted(set(self.ladder))))
        if not self.ladder:
            raise ValueError("ladder is empty; name at least one width, or leave it out")
        if self.signing_key:
            object.__setattr__(self, "_key", _read_key(self.signing_key))
        if self.expires_in_s is not None:
            self._check_expiry("expires_in_s", self.expires_in_s)

    def url(
        self,
        src: str,
        *,
        width: int | None = None,
        height: int | None = None,
        dpr: float | None = None,
        **params: Unpack[ParamArgs],
    ) -> str:
        """
        Return one URL. It is not escaped for HTML; templates do that.

        Arguments that are not given are not in the URL, so the service's defaults apply (fit=contain). Here, `format`
        may also be blurhash, thumbhash, lqip or json.

        >>> ImageCDN().url("/team photo.jpg", width=640, format="avif")
        '/img/team%20photo.jpg?w=640&fm=avif'
        """
        check_edge("width", width, most=self.max_dimension)
        check_edge("height", height, most=self.max_dimension)
        output = Output(width, height, dpr)
        output.check(self.max_dimension, Widths(WidthPolicy.STRICT, tuple(self.ladder)) if self.only_ladder else None)
        return image_url(self.base_url, src, self._signable(UrlParams(params)), output, self._key)

    def srcset(
        self,
        src: str,
        *,
        width: int | None = None,
        height: int | None = None,
        source_size: Size | None = None,
        layout: Layout = "constrained",
        widths: Iterable[int] | None = None,
        densities: Iterable[float] | None = None,
        **params: Unpack[ParamArgs],
    ) -> str:
        """
        Return the value of a srcset attribute. It is not escaped for HTML; templates do that.

        >>> ImageCDN().srcset("/cat.jpg", widths=(640, 320, 1280), source_size=(900, 600))
        '/img/cat.jpg?w=320 320w, /img/cat.jpg?w=640 640w, /img/cat.jpg?w=900 900w'
        """
        query, slot = self._read(params, (width, height), source_size)
        # A given sizes (here empty) means that the width of the slot need not be known.
        candidates = candidates_for(
            slot, layout=layout, ladder=self.ladder, widths=widths, densities=densities, sizes=""
        )
        if not candidates.widths:
            raise ValueError("layout 'none' has no srcset; give widths or densities, or another layout")
        return self._srcset(src, query, candidates)

    def img(  # noqa: PLR0913  # keyword-only
        self,
        src: str,
        *,
        alt: str,
        width: int | None = None,
        height: int | None = None,
        source_size: Size | None = None,
        layout: Layout = "constrained",
        widths: Iterable[int] | None = None,
        densities: Iterable[float] | None = None,
        sizes: str | None = None,
        priority: bool = False,
        placeholder: str | None = None,
        attributes: Mapping[str, str] | None = None,
        **params: Unpack[ParamArgs],
    ) -> Html:
        """
        Return an `<img>`; `Accept` decides its format unless `format` does.

        Args:
            alt: The alternative text; empty for decoration.
            sizes: The sizes attribute, instead of the layout's.
            priority: Whether to load the picture at once, as for the main picture of a page. Others load lazily.
            placeholder: What to show until the picture is loaded: a colour such as "#d4c4a8", or the data URI of
                fm=lqip. It becomes the background, and so stays visible behind transparent pixels.
            attributes: Further attributes (class, id, data-...). They override loading, decoding and fetchpriority.
        """
        query, slot = self._read(params, (width, height), source_size)
        candidates = candidates_for(
            slot, layout=layout, ladder=self.ladder, widths=widths, densities=densities, sizes=sizes
        )
        others = other_attributes(priority=priority, placeholder=placeholder, attributes=attributes or {})
        return Html(self._img(src, query, candidates, alt=alt, others=others))

    def picture(  # noqa: PLR0913  # keyword-only, as above
        self,
        src: str,
        *,
        alt: str,
        formats: Sequence[str] = _NEGOTIATED,
        width: int | None = None,
        height: int | None = None,
        source_size: Size | None = None,
        layout: Layout = "constrained",
        widths: Iterable[int] | None = None,
        densities: Iterable[float] | None = None,
        sizes: str | None = None,
        priority: bool = False,
        placeholder: str | None = None,
        attributes: Mapping[str, str] | None = None,
        **params: Unpack[ParamArgs],
    ) -> Html:
        """
        Return a `<picture>` in which every URL names its format: for caches and CDNs that ignore `Vary`.

        Args:
            formats: The formats of the sources, the preferred one first. If the last one is jpg, png or gif, it is the
                format of the `<img>`; otherwise that is jpg. Transparent pictures need ("avif", "webp", "png"),
                animations ("webp", "gif").

        All other arguments are those of `img`.
        """
        if "format" in params:
            raise ValueError("a <picture> has formats, not one format")
        query, slot = self._read(params, (width, height), source_size)
        candidates = candidates_for(
            slot, layout=layout, ladder=self.ladder, widths=widths, densities=densities, sizes=sizes
        )
        others = other_attributes(priority=priority, placeholder=placeholder, attributes=attributes or {})
        negotiated, fallback = _split(formats)
        sources = [self._source(src, query.replace(format=fmt.name), candidates, fmt.media_type) for fmt in negotiated]
        img = self._img(src, query.replace(format=fallback), candidates, alt=alt, others=others)
        return Html(f"<picture>{''.join(sources)}{img}</picture>")

    def _read(
        self, params: ParamArgs, size: tuple[int | None, int | None], source_size: Size | None
    ) -> tuple[UrlParams, Slot]:
        """Return the parameters of a picture on a page, and its slot there."""
        query = UrlParams(params)
        if params.get("format") in PLACEHOLDERS:
            raise ValueError(f"format {params['format']!r} is not a picture, so an <img> cannot show it; use url()")
        if source_size is not None:
            check_source(source_size)
            source_size = query.framed_size(source_size)
        slot = slot_for(*size, source_size=source_size, fit=params.get("fit"), max_dimension=self.max_dimension)
        if self.only_ladder:
            slot = replace(slot, steps=tuple(self.ladder))
        return self._signable(query.replace(fit=_fit(params.get("fit"), boxed=slot.boxed))), slot

    def _signable(self, query: UrlParams) -> UrlParams:
        """Return the parameters with the expiry. It is the same for all candidates of a picture."""
        expires = query.args.get("expires")
        if expires is not None:
            self._check_expiry("expires", expires)
        elif self.expires_in_s is not None:
            periods = int(self.clock()) // self.expires_in_s
            return query.replace(expires=(periods + 2) * self.expires_in_s)
        return query

    def _check_expiry(self, name: str, value: int) -> None:
        if type(value) is not int or value <= 0:  # type(): True is an int
            raise ValueError(f"{name} must be a whole number of seconds above 0, not {value!r}")
        if self._key is None:
            raise ValueError(f"{name} needs signing_key: only a signed URL expires")

    def _url(self, src: str, query: UrlParams, candidates: Candidates, width: int | None) -> str:
        return image_url(self.base_url, src, query, Output(*candidates.slot.edges_at(width)), self._key)

    def _srcset(self, src: str, query: UrlParams, candidates: Candidates) -> str:
        return ", ".join(f"{self._url(src, query, candidates, width)} {width}w" for width in candidates.widths)

    def _source(self, src: str, query: UrlParams, candidates: Candidates, media_type: str) -> str:
        srcset = self._srcset(src, query, candidates) or self._url(src, query, candidates, candidates.fallback)
        return tag("source", {"type": media_type, "srcset": srcset, **_given(sizes=candidates.sizes)})

    def _img(self, src: str, query: UrlParams, candidates: Candidates, *, alt: str, others: Mapping[str, str]) -> str:
        check_text("alt (empty for a decoration)", alt)
        slot = candidates.slot
        return tag(
            "img",
            {
                "src": self._url(src, query, candidates, candidates.fallback),
                **_given(
                    srcset=self._srcset(src, query, candidates),
                    sizes=candidates.sizes,
                    width=slot.width,
                    height=slot.height,
                ),
                "alt": alt,
                **others,
            },
        )


def _given(**attributes: str | int | None) -> dict[str, str]:
    return {name: str(value) for name, value in attributes.items() if value}


def _read_key(signing_key: object) -> SigningKey:
    if not isinstance(signing_key, str):
        raise ValueError("signing_key must be text, as KID:HEX")
    try:
        return parse_signing_key(signing_key)
    except ValueError as error:
        raise ValueError(f"signing_key {error}") from None


def _fit(fit: str | None, *, boxed: bool) -> str | None:
    """
    Return the fit for the URL.

    Without one, a slot with a given ratio gets cover, so that the browser does not stretch the picture.
    """
    if boxed:
        return fit or "cover"
    return None if fit == "contain" else fit


def _split(formats: Sequence[str]) -> tuple[list[Format], str]:
    """Divide the formats into those of the `<source>` elements and the one of the `<img>`."""
    # A tuple, because what is not text may not be hashable.
    if not isinstance(formats, list | tuple) or not formats or any(name not in tuple(_FORMATS) for name in formats):
        raise ValueError(f"formats must list some of {', '.join(_FORMATS)}, not {formats!r}")
    last = _FORMATS[formats[-1]]
    sources, fallback = (formats, "jpg") if last in NEGOTIATED else (formats[:-1], formats[-1])
    if any(_FORMATS[name] not in NEGOTIATED for name in sources) or len(set(sources)) < len(sources):
        raise ValueError(
            f"formats must be avif and webp, each once, then at most one of jpg, png, gif, not {formats!r}"
        )
    return [_FORMATS[name] for name in sources], fallback
