"""(plan, budget) -> how an encoder is set: its own quality, chroma and speed. Looked up when the render begins."""

from dataclasses import dataclass, replace

from imgcdn.core.encoders.effort import Budget, quickest, speed_within
from imgcdn.core.encoders.graphics import graphic_formats
from imgcdn.core.encoders.quality import encoder_quality
from imgcdn.core.output.formats import AVIF, JPEG, LOSSY, OUTPUTS, Format
from imgcdn.core.output.plan import Plan
from imgcdn.core.values import Effort

#: From this q on JPEG keeps colour at full resolution (4:4:4); below, chroma is halved each way (4:2:0).
FULL_CHROMA_Q = 90

# The scale was measured on photographs. Small letters lose more than photographs do at the same q.
_GRAPHIC_Q_STEP = 10

# aom's tools for drawings begin at this speed: half the bytes of 9, and 2 to 8 dB better.
_GRAPHIC_SPEED = 8


@dataclass(frozen=True, slots=True)
class Encoding:
    """
    One way to encode a picture.

    Args:
        format: A name in `core.output.formats.FORMATS`.
        encoder: jpeg, webp, svt, aom, png or gif.
        quality: On the encoder's own scale; None for a lossless coding, and until the pixels have decided which quality
            reaches `target`.
        full_chroma: 4:4:4 instead of 4:2:0.
        target: SSIMULACRA2 to reach with as few bytes as possible; None for a quality that was asked for.
        effort: FAST also where more time would change nothing.
        speed: Of aom its speed, of SVT-AV1 its preset, of WebP its method; None for the others.
    """

    format: str
    encoder: str
    quality: int | None
    full_chroma: bool = False
    target: int | None = None
    effort: Effort = Effort.FAST
    speed: int | None = None


def photograph_encoding(plan: Plan, budget: Budget) -> Encoding:
    """Return how the planned format is encoded, unless the picture is a graphic."""
    encoding = _lossy(OUTPUTS[plan.format], plan, budget, q=plan.q)
    # Most animations are drawn, and over frames aom's quickest speed is no quicker.
    return _drawn(encoding) if plan.animated else encoding


def graphic_encodings(plan: Plan, budget: Budget) -> tuple[Encoding, ...]:
    """
    Return the encodings of a still that turns out to be a graphic; the smallest file is sent.

    Returns:
        `photograph_encoding` alone where being a graphic makes no difference.
    """
    planned = photograph_encoding(plan, budget)
    chosen = graphic_formats(OUTPUTS[plan.format], plan.size, (plan.format, *plan.others))
    if chosen is None:
        return (planned,)
    exact = [] if chosen.lossless is None else [Encoding(chosen.lossless.name, chosen.lossless.name, quality=None)]
    if chosen.drawn_avif:
        finer = None if plan.q is None else max(plan.q, min(plan.q + _GRAPHIC_Q_STEP, FULL_CHROMA_Q))
        return (*exact, _drawn(_lossy(AVIF, plan, budget, q=finer)))
    return (*exact, replace(planned, full_chroma=planned.full_chroma or plan.format == JPEG.name))


def quick_encoding(encoder: str, quality: int | None) -> Encoding:
    """Return the quickest encoding at an encoder's own quality, whatever effort is made for the picture itself."""
    name = AVIF.name if encoder in ("aom", "svt") else encoder
    return Encoding(name, encoder, quality, full_chroma=encoder == "aom", speed=quickest(encoder))


def _lossy(fmt: Format, plan: Plan, budget: Budget, *, q: int | None) -> Encoding:
    pixels = plan.size[0] * plan.size[1]
    encoder = fmt.name
    # A look that q=auto aims at is reached without full colour.
    fine = q is not None and q >= FULL_CHROMA_Q
    if fmt is AVIF:
        # For a size that only a URL with fm=avif gets, SVT-AV1 takes half of aom's time. It has 4:2:0 only, and holds
        # many frames at once: 54 MiB for 10 of 640 x 400 and 111 for 200, where aom holds 22 for either.
        encoder = "svt" if pixels > budget.avif_max_pixels and not fine and not plan.animated else "aom"
    if plan.animated:
        budget = replace(budget, effort=Effort.FAST)  # many frames take seconds with the least effort
    speed = speed_within(budget, encoder, pixels)
    slower = budget.effort is Effort.THOROUGH and (fmt is JPEG or speed != quickest(encoder))
    effort = Effort.THOROUGH if slower else Effort.FAST
    return Encoding(
        fmt.name,
        encoder,
        quality=None if q is None else encoder_quality(encoder, q, effort),
        # Lossy WebP has no 4:4:4 (RFC 9649, section 2.5). With aom 4:4:4 costs less than it saves, at any q.
        full_chroma=encoder == "aom" or (fmt is JPEG and fine),
        target=plan.target if fmt in LOSSY else None,
        effort=effort,
        speed=speed,
    )


def _drawn(encoding: Encoding) -> Encoding:
    """Return how a drawing is encoded, given how a photograph would be."""
    if encoding.encoder != "aom" or encoding.speed is None:
        return encoding
    return replace(encoding, speed=min(encoding.speed, _GRAPHIC_SPEED))
