"""The formats for pictures that are graphics: lossless, or lossy with full chroma."""

from collections.abc import Collection
from dataclasses import dataclass

from imgcdn.core.output.formats import AVIF, LOSSY, PNG, WEBP, Format
from imgcdn.core.output.geometry import Size

# Pixel limits: aom alone (about 1 s); aom beside a lossless encode; lossless alone (seconds).
_AOM_MAX_PIXELS = 2_100_000
_AOM_BESIDE_LOSSLESS_MAX_PIXELS = 1_500_000
_MAX_PIXELS = 8_300_000


@dataclass(frozen=True, slots=True)
class GraphicFormats:
    """
    The formats that a graphic is encoded in; the smaller file is sent.

    Args:
        lossless: The lossless format; None if none is allowed.
        avif_for_graphics: Whether the lossy one is AVIF, with aom's tools for graphics. Otherwise it is the planned
            format, with full chroma if the format has it.
    """

    lossless: Format | None
    avif_for_graphics: bool


def graphic_formats(planned: Format, size: Size, allowed: Collection[str]) -> GraphicFormats | None:
    """
    Choose the formats that a graphic is encoded in.

    Args:
        planned: The format for a photograph.
        size: Of the output.
        allowed: Names of all formats that this request may be sent.

    Returns:
        None if a graphic is encoded like a photograph here.
    """
    pixels = size[0] * size[1]
    if planned not in LOSSY or pixels > _MAX_PIXELS:
        return None
    lossless = next((fmt for fmt in (WEBP, PNG) if fmt.name in allowed and max(size) <= fmt.max_edge), None)
    most = _AOM_MAX_PIXELS if lossless is None else _AOM_BESIDE_LOSSLESS_MAX_PIXELS
    return GraphicFormats(lossless, AVIF.name in allowed and pixels <= most and max(size) <= AVIF.max_edge)


def other_formats(planned: Format, size: Size, allowed: Collection[str]) -> tuple[str, ...]:
    """
    Return the names of the formats beside `planned` that a graphic may be sent in, sorted.

    >>> other_formats(AVIF, (640, 400), ("avif", "webp", "png"))
    ('webp',)
    """
    chosen = graphic_formats(planned, size, allowed)
    if chosen is None:
        return ()
    named = {AVIF.name} if chosen.avif_for_graphics else set()
    if chosen.lossless is not None:
        named.add(chosen.lossless.name)
    return tuple(sorted(named - {planned.name}))
