"""The helper itself: one object a site, one call a picture."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Unpack

from imgcdn.core.output.formats import FORMATS, JPEG, NEGOTIATED, PLACEHOLDERS, Format
from imgcdn.core.output.geometry import Size
from imgcdn.core.request.parameters import MAX_DIMENSION
from imgcdn.markup.layout import LADDER, Layout, Offer, Slot, checked_edge, checked_source, offer_for, slot_for
from imgcdn.markup.tags import Html, tag
from imgcdn.markup.urls import Look, LookArgs, Output, checked_base, image_url

_FORMATS = {**FORMATS, "jpg": JPEG}
_HEX_COLOUR = re.compile(r"#([0-9A-Fa-f]{3}){1,2}")

# Of this alphabet nothing ends a CSS url() or the declaration around it.
_DATA_URI = re.compile(r"data:image/(avif|gif|jpeg|png|webp);base64,[A-Za-z0-9+/]+={0,2}")

#: Attributes that have an argument of their own.
_OWN = frozenset(["src", "srcset", "sizes", "width", "height", "alt"])


@dataclass(frozen=True, slots=True)
class ImageCDN:
    """
    Writes URLs and markup for one imgcdn.

    Arguments that the methods share:
        src: A path in the served folder, as the file is named, or an absolute URL.
        width, height: The slot on the page, in CSS pixels. Both: a box, which the picture fills (fit cover).
        source_size: (width, height) of the original, upright. With it no candidate is wider than the original, and one
            edge gives the other, so that the page does not move when the picture comes.
        layout: constrained (the width, or less in a narrower window), full-width, fixed, or none (no srcset).
        widths, densities: Candidates instead of the layout's, in pixels or as multiples of the width.
        look: The service's parameters by their names in its URL, only that `fm` is `format`, `p` is `preset` and `dl`
            is `download`. `rotate` and `crop` change the size that `source_size` gives; the helper reckons with it.

    Every method raises ValueError for what the service would refuse or a page cannot use, and says what to give.

    Args:
        base_url: Where the service is, such as "https://img.example.com"; empty when it is the page's own host.
        ladder: Widths that constrained and full-width pictures are offered in.
        max_dimension: Of the service's settings: its largest output edge in pixels.

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
    max_dimension: int = MAX_DIMENSION

    def __post_init__(self) -> None:
        # A frozen value is set this way; the two are normalised so that equal helpers compare equal.
        object.__setattr__(self, "base_url", checked_base(self.base_url))
        object.__setattr__(self, "ladder", tuple(sorted(set(self.ladder))))
        checked_edge("max_dimension", self.max_dimension, most=1_000_000)
        for width in self.ladder:
            checked_edge("each step of ladder", width, most=self.max_dimension)
        if not self.ladder:
            raise ValueError("ladder is empty; name at least one width, or leave it out")

    def url(
        self,
        src: str,
        *,
        width: int | None = None,
        height: int | None = None,
        dpr: float | None = None,
        **look: Unpack[LookArgs],
    ) -> str:
        """
        Return one URL, not yet escaped for HTML: a template does that.

        What is not given is not in it, so the service's own defaults hold (fit contain). `format` may be blurhash,
        thumbhash, lqip or json here, for a program that fetches placeholders.

        >>> ImageCDN().url("/team photo.jpg", width=640, format="avif")
        '/img/team%20photo.jpg?w=640&fm=avif'
        """
        checked_edge("width", width, most=self.max_dimension)
        checked_edge("height", height, most=self.max_dimension)
        output = Output(width, height, dpr)
        output.check(self.max_dimension)
        return image_url(self.base_url, src, Look(look), output)

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
        **look: Unpack[LookArgs],
    ) -> str:
        """
        Return the value of a srcset attribute, not yet escaped for HTML: a template does that.

        >>> ImageCDN().srcset("/cat.jpg", widths=(640, 320, 1280), source_size=(900, 600))
        '/img/cat.jpg?w=320 320w, /img/cat.jpg?w=640 640w, /img/cat.jpg?w=900 900w'
        """
        asked, slot = self._read(look, (width, height), source_size)
        # What sizes would be is of no interest here, so widths alone are enough.
        offer = offer_for(slot, layout=layout, ladder=self.ladder, widths=widths, densities=densities, sizes="")
        if not offer.candidates:
            raise ValueError("layout 'none' has no srcset; give widths or densities, or another layout")
        return self._srcset(src, asked, offer)

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
        **look: Unpack[LookArgs],
    ) -> Html:
        """
        Return an `<img>`; `Accept` decides its format unless `format` does.

        Args:
            alt: What the picture says; empty when it only decorates.
            sizes: How wide the page shows it, as HTML has it, instead of the layout's.
            priority: The picture that a visitor waits for: loaded eagerly and first. All others load lazily.
            placeholder: What to show until the picture comes, as an inline style: a colour such as "#d4c4a8", or the
                data URI that the service answers to fm=lqip. It stays behind a picture with transparent pixels.
            attributes: More of them (class, id, data-...), or others than ours for loading, decoding, fetchpriority.
        """
        asked, slot = self._read(look, (width, height), source_size)
        offer = offer_for(slot, layout=layout, ladder=self.ladder, widths=widths, densities=densities, sizes=sizes)
        more = _more(priority=priority, placeholder=placeholder, attributes=attributes or {})
        return Html(self._img(src, asked, offer, alt=alt, more=more))

    def picture(  # noqa: PLR0913  # keyword-only, as above
        self,
        src: str,
        *,
        alt: str,
        formats: Sequence[str] = ("avif", "webp"),
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
        **look: Unpack[LookArgs],
    ) -> Html:
        """
        Return a `<picture>` whose URLs each name their format: for caches and CDNs that do not heed `Vary`.

        Args:
            formats: Of the sources, the favourite first; a last one of jpg, png or gif is the `<img>`'s, which is jpg
                otherwise. Transparent pictures need ("avif", "webp", "png"), animations ("webp", "gif").

        The rest is as for `img`.
        """
        if "format" in look:
            raise ValueError("a <picture> has formats, not one format")
        asked, slot = self._read(look, (width, height), source_size)
        offer = offer_for(slot, layout=layout, ladder=self.ladder, widths=widths, densities=densities, sizes=sizes)
        more = _more(priority=priority, placeholder=placeholder, attributes=attributes or {})
        negotiated, fallback = _split(formats)
        sources = [self._source(src, asked.but(format=fmt.name), offer, fmt.media_type) for fmt in negotiated]
        img = self._img(src, asked.but(format=fallback), offer, alt=alt, more=more)
        return Html(f"<picture>{''.join(sources)}{img}</picture>")

    def _read(self, look: LookArgs, size: tuple[int | None, int | None], source_size: Size | None) -> tuple[Look, Slot]:
        """Return what is asked of a picture that a page shows, and the slot it has there."""
        asked = Look(look)
        if look.get("format") in PLACEHOLDERS:
            raise ValueError(f"format {look['format']!r} is not a picture, so an <img> cannot show it; use url()")
        if source_size is not None:
            source_size = asked.shown(checked_source(source_size))
        slot = slot_for(*size, source_size=source_size, fit=look.get("fit"), max_dimension=self.max_dimension)
        return asked.but(fit=_fit(look.get("fit"), boxed=slot.boxed)), slot

    def _url(self, src: str, look: Look, offer: Offer, width: int | None) -> str:
        slot = offer.slot
        if width is not None:
            output = Output(width, slot.height_at(width))
        else:
            output = Output(None, slot.height if slot.width is None else None)
        return image_url(self.base_url, src, look, output)

    def _srcset(self, src: str, look: Look, offer: Offer) -> str:
        return ", ".join(f"{self._url(src, look, offer, width)} {width}w" for width in offer.candidates)

    def _source(self, src: str, look: Look, offer: Offer, media_type: str) -> str:
        srcset = self._srcset(src, look, offer) or self._url(src, look, offer, offer.fallback)
        return tag("source", {"type": media_type, "srcset": srcset, **_given(sizes=offer.sizes)})

    def _img(self, src: str, look: Look, offer: Offer, *, alt: str, more: Mapping[str, str]) -> str:
        slot = offer.slot
        return tag(
            "img",
            {
                "src": self._url(src, look, offer, offer.fallback),
                **_given(
                    srcset=self._srcset(src, look, offer), sizes=offer.sizes, width=slot.width, height=slot.height
                ),
                "alt": alt,
                **more,
            },
        )


def _given(**attributes: str | int | None) -> dict[str, str]:
    return {name: str(value) for name, value in attributes.items() if value}


def _fit(fit: str | None, *, boxed: bool) -> str | None:
    """In a box of the page's own ratio a picture is cropped rather than stretched by the browser."""
    if boxed:
        return fit or "cover"
    return None if fit == "contain" else fit


def _split(formats: Sequence[str]) -> tuple[list[Format], str]:
    """Divide the formats into those of the sources and the one of the `<img>`."""
    unknown = [name for name in formats if name not in _FORMATS]
    if unknown or not formats or isinstance(formats, str):
        raise ValueError(f"formats must list some of {', '.join(_FORMATS)}, not {formats!r}")
    last = _FORMATS[formats[-1]]
    sources, fallback = (formats, "jpg") if last in NEGOTIATED else (formats[:-1], formats[-1])
    if any(_FORMATS[name] not in NEGOTIATED for name in sources) or len(set(sources)) < len(sources):
        raise ValueError(
            f"formats must be avif and webp, each once, then at most one of jpg, png, gif, not {formats!r}"
        )
    return [_FORMATS[name] for name in sources], fallback


def _more(*, priority: bool, placeholder: str | None, attributes: Mapping[str, str]) -> dict[str, str]:
    """Gather the attributes of an `<img>` that do not depend on its candidates."""
    given = {name.lower(): value for name, value in attributes.items()}
    if own := _OWN & given.keys():
        raise ValueError(f"attributes must not have {', '.join(sorted(own))}: give the argument of that name")
    loading = {"loading": "eager", "decoding": "sync", "fetchpriority": "high"}
    if not priority:
        loading = {"loading": "lazy", "decoding": "async"}
    if placeholder is not None:
        given["style"] = "; ".join(filter(None, [_style(placeholder), given.get("style")]))
    return loading | given


def _style(placeholder: str) -> str:
    if _HEX_COLOUR.fullmatch(placeholder):
        return f"background-color: {placeholder}"
    if _DATA_URI.fullmatch(placeholder):
        return f"background: url({placeholder}) center/cover no-repeat"
    raise ValueError(
        "placeholder must be a colour such as '#d4c4a8', the data URI that fm=lqip answers, or None, "
        f"not {placeholder[:80]!r}; no other kind is shown"
    )
