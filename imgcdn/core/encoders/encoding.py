"""(plan, budget) -> the settings of an encoder: quality, chroma and speed. Looked up when the render begins."""

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
        quality: On the encoder's own scale; None for a lossless coding, and until the quality that reaches `target` was
            found.
        full_chroma: Whether chroma is coded as 4:4:4, not as 4:2:0.
        target: SSIMULACRA2 to reach with as few bytes as possible; None if the plan gives a q.
        effort: FAST also if more time would change nothing.
        speed: The speed of aom, the preset of SVT-AV1, the method of WebP; None for other encoders.
    """

    format: str
    encoder: str
    quality: int | None
    full_chroma: bool = False
    target: int | None = None
    effort: Effort = Effort.FAST
    speed: int | None = None


def photograph_encoding(plan: Plan, budget: Budget) -> Encoding:
    """Return the encoding for the planned format of a picture that is not a graphic."""
    encoding = _lossy(OUTPUTS[plan.format], plan, budget, q=plan.q)
    # Most animations are drawn, and for animations the quickest speed of aom saves no time.
    return _with_graphic_speed(encoding) if plan.animated else encoding


def graphic_encodings(plan: Plan, budget: Budget) -> tuple[Encoding, ...]:
    """
    Return the encodings to try for a still that is a graphic. The smallest file is sent.

    Returns:
        `photograph_encoding` alone if graphics are encoded like photographs here.
    """
    planned = photograph_encoding(plan, budget)
    chosen = graphic_formats(OUTPUTS[plan.format], plan.size, (plan.format, *plan.others))
    if chosen is None:
        return (planned,)
    exact = [] if chosen.lossless is None else [Encoding(chosen.lossless.name, chosen.lossless.name, quality=None)]
    if chosen.avif_for_graphics:
        finer = None if plan.q is None else max(plan.q, min(plan.q + _GRAPHIC_Q_STEP, FULL_CHROMA_Q))
        return (*exact, _with_graphic_speed(_lossy(AVIF, plan, budget, q=finer)))
    return (*exact, replace(planned, full_chroma=planned.full_chroma or plan.format == JPEG.name))


def quick_encoding(encoder: str, quality: int | None) -> Encoding:
    """Return the quickest encoding at a quality on the encoder's own scale."""
    name = AVIF.name if encoder in ("aom", "svt") else encoder
    return Encoding(name, encoder, quality, full_chroma=encoder == "aom", speed=quickest(encoder))


def _lossy(fmt: Format, plan: Plan, budget: Budget, *, q: int | None) -> Encoding:
    pixels = plan.size[0] * plan.size[1]
    encoder = fmt.name
    # q=auto reaches its target without full chroma.
    fine = q is not None and q >= FULL_CHROMA_Q
    if fmt is AVIF:
        # Outputs above avif_max_pixels are AVIF only if the URL says fm=avif. SVT-AV1 takes half of aom's time for
        # them. It has 4:2:0 only, and holds many frames at once: 54 MiB for 10 frames of 640 x 400 and 111 MiB for 200,
        # where aom holds 22 MiB for either.
        encoder = "svt" if pixels > budget.avif_max_pixels and not fine and not plan.animated else "aom"
    if plan.animated:
        budget = replace(budget, effort=Effort.FAST)  # many frames take seconds even at the quickest speed
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


def _with_graphic_speed(encoding: Encoding) -> Encoding:
    """Return the encoding for a graphic, given the one for a photograph."""
    if encoding.encoder != "aom" or encoding.speed is None:
        return encoding
    return replace(encoding, speed=min(encoding.speed, _GRAPHIC_SPEED))
