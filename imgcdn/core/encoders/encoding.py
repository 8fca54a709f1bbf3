"""(plan, budget) -> the settings of an encoder: quality, chroma and speed. Looked up when the render begins."""

from dataclasses import dataclass, replace

from imgcdn.core.encoders.effort import Budget, quickest, speed_within
from imgcdn.core.encoders.graphics import GraphicFormats, graphic_formats
from imgcdn.core.encoders.quality import encoder_quality
from imgcdn.core.output.formats import AVIF, JPEG, LOSSY, OUTPUTS, Format
from imgcdn.core.output.geometry import Size
from imgcdn.core.output.plan import Plan
from imgcdn.core.values import Effort

#: From this q on JPEG keeps colour at full resolution (4:4:4); below, chroma is halved each way (4:2:0).
FULL_CHROMA_Q = 90

#: Up to this size a lossless file is often the smallest, whatever the picture shows, and a lossy one is smeared.
TINY_PIXELS = 64 * 64

# The scale was measured on photographs. Small letters lose more than photographs do at the same q.
_GRAPHIC_Q_STEP = 10

# aom's tools for drawings begin at this speed: half the bytes of 9, and 2 to 8 dB better.
_FINER_SPEED = 8

# Smooth pictures are a sixth to a quarter smaller at that speed, at the same look (docs/quality.md). Its additional
# time grows with the number of textured pixels. With this many, it is about 25 ms.
_MOST_TEXTURED_SHARE = 0.45
_MOST_TEXTURED_PIXELS = 60_000


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
    return _with_finer_speed(encoding) if plan.animated else encoding


def graphic_encodings(plan: Plan, budget: Budget) -> tuple[Encoding, ...]:
    """
    Return the encodings to try for a still that is a graphic. The smallest file is sent.

    Returns:
        `photograph_encoding` alone if graphics are encoded like photographs here.
    """
    planned = photograph_encoding(plan, budget)
    chosen = _graphic_formats(plan)
    if chosen is None:
        return (planned,)
    exact = _lossless(chosen)
    if chosen.avif_for_graphics:
        finer = None if plan.q is None else max(plan.q, min(plan.q + _GRAPHIC_Q_STEP, FULL_CHROMA_Q))
        return (*exact, _with_finer_speed(_lossy(AVIF, plan, budget, q=finer)))
    return (*exact, replace(planned, full_chroma=planned.full_chroma or plan.format == JPEG.name))


def textured_encoding(planned: Encoding, size: Size, textured_share: float) -> Encoding:
    """
    Return the encoding of a picture that is not a graphic, by how much of it has texture.

    Args:
        planned: From `photograph_encoding`.
        size: Of the output.
        textured_share: 0 to 1.
    """
    textured = size[0] * size[1] * textured_share
    smooth = textured_share <= _MOST_TEXTURED_SHARE and textured <= _MOST_TEXTURED_PIXELS
    return _with_finer_speed(planned) if smooth else planned


def tiny_encodings(plan: Plan, budget: Budget) -> tuple[Encoding, ...]:
    """Return the encodings to try for a still of at most `TINY_PIXELS` that is not a graphic."""
    return (photograph_encoding(plan, budget), *_lossless(_graphic_formats(plan)))


def quick_encoding(encoder: str, quality: int | None) -> Encoding:
    """Return the quickest encoding at a quality on the encoder's own scale."""
    name = AVIF.name if encoder in ("aom", "svt") else encoder
    return Encoding(name, encoder, quality, full_chroma=encoder == "aom", speed=quickest(encoder))


def _graphic_formats(plan: Plan) -> GraphicFormats | None:
    return graphic_formats(OUTPUTS[plan.format], plan.size, (plan.format, *plan.others))


def _lossless(chosen: GraphicFormats | None) -> tuple[Encoding, ...]:
    if chosen is None or chosen.lossless is None:
        return ()
    return (Encoding(chosen.lossless.name, chosen.lossless.name, quality=None),)


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


def _with_finer_speed(encoding: Encoding) -> Encoding:
    """Return the encoding for a graphic or a smooth picture, given the one for a photograph."""
    if encoding.encoder != "aom" or encoding.speed is None:
        return encoding
    return replace(encoding, speed=min(encoding.speed, _FINER_SPEED))
