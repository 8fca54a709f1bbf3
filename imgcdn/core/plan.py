"""(probe facts, params, client class) -> Plan: everything about the output, decided before a pixel is read."""

from dataclasses import dataclass

from imgcdn.core.formats import AVIF, FORMATS, GIF, JPEG, PNG, WEBP, Format, encoder_quality
from imgcdn.core.geometry import Box, Size, fit_within, plan_resize
from imgcdn.core.negotiation import ClientClass
from imgcdn.core.params import RGB, WHITE, Params
from imgcdn.core.values import Facts

#: From this q on colour is kept at full resolution (4:4:4); below, chroma is halved each way (4:2:0).
FULL_CHROMA_Q = 90

#: SVT-AV1 refuses a picture with a shorter edge.
_SVT_MIN_EDGE = 4


@dataclass(frozen=True, slots=True)
class Setting:
    """
    How the encoder is set.

    Args:
        encoder: jpeg, webp, svt, aom, png or gif.
        quality: On the encoder's own scale; None for a lossless one.
        full_chroma: 4:4:4 instead of 4:2:0.
    """

    encoder: str
    quality: int | None
    full_chroma: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What will be made.

    Args:
        crop: The part of the upright source that is kept; None for all of it.
        size: Of the output.
        format: A name in `core.formats.FORMATS`.
        setting: For the encoder.
        background: Colour that transparent pixels are laid on; None to keep them.
        animated: Whether every frame is kept.
    """

    crop: Box | None
    size: Size
    format: str
    setting: Setting
    background: RGB | None
    animated: bool


@dataclass(frozen=True, slots=True)
class Limits:
    """
    When avif is worth its price, and how large an enlarged output may become.

    Args:
        avif_min_pixels: Below this output size webp comes first: the container alone costs more than avif saves.
        avif_max_pixels: Above it webp comes first: the encoder's time and memory grow with the area.
        max_dimension: Longest edge to which a source is enlarged: `w` alone says nothing of the height.
    """

    avif_min_pixels: int = 65_536
    avif_max_pixels: int = 20_000_000
    max_dimension: int = 8192


def plan_for(facts: Facts, params: Params, client: ClientClass, limits: Limits) -> Plan:
    """
    Decide the pixels, the one output format and the encoder's setting.

    Two requests with equal plans for equal bytes are one variant, so whatever does not change
    the output (a width beyond the source, q for a lossless format) is gone from the plan.
    """
    resize = plan_resize(
        facts.size,
        (params.width, params.height),
        fit=params.fit,
        position=params.position,
        enlarge=params.enlarge,
    )
    # The source's own edges are no enlargement, whatever their length.
    allowed = fit_within(resize.size, max(limits.max_dimension, *facts.size))
    fmt = _output_format(facts, params, client, allowed, limits)
    size = fit_within(allowed, fmt.max_edge)
    return Plan(
        crop=resize.crop,
        size=size,
        format=fmt.name,
        setting=_setting(fmt, params.q, size),
        background=_background(facts, params, fmt),
        animated=_stays_animated(facts, params) and fmt.animation,
    )


def _stays_animated(facts: Facts, params: Params) -> bool:
    return facts.frames > 1 and not params.still


def _output_format(facts: Facts, params: Params, client: ClientClass, size: Size, limits: Limits) -> Format:
    if params.format is not None:
        return FORMATS[params.format]
    if _stays_animated(facts, params):
        return WEBP if WEBP.name in client else GIF
    # A background leaves nothing transparent, so a photograph's format will do.
    transparent = facts.alpha and params.background is None
    candidates = [FORMATS[name] for name in client]
    if not limits.avif_min_pixels <= size[0] * size[1] <= limits.avif_max_pixels:
        candidates.sort(key=lambda fmt: fmt is AVIF)  # stable: avif goes last
    candidates = [fmt for fmt in candidates if max(size) <= fmt.max_edge]
    return candidates[0] if candidates else _family(facts, transparent=transparent)


def _family(facts: Facts, *, transparent: bool) -> Format:
    """What every client can show: png where jpeg would lose alpha, or smear the flat colours of a gif."""
    if transparent or facts.format == GIF.name:
        return PNG
    return JPEG


def _setting(fmt: Format, q: int, size: Size) -> Setting:
    full_chroma = q >= FULL_CHROMA_Q
    encoder = fmt.name
    if fmt is AVIF:
        # SVT is several times faster at the same look; it knows 4:2:0 only.
        encoder = "aom" if full_chroma or min(size) < _SVT_MIN_EDGE else "svt"
    lossy = fmt in (AVIF, WEBP, JPEG)
    # WebP's lossy coding has no 4:4:4 (RFC 9649, section 2.5).
    return Setting(encoder, encoder_quality(encoder, q), full_chroma and lossy and fmt is not WEBP)


def _background(facts: Facts, params: Params, fmt: Format) -> RGB | None:
    if not facts.alpha:
        return None
    return params.background if params.background or fmt.alpha else WHITE
