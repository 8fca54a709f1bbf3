"""(format, params, size) -> how it is encoded: encoder, quality, effort; and how else, should it be a graphic."""

from dataclasses import dataclass, replace

from imgcdn.core.encoders.effort import FAST, Budget, speed_within
from imgcdn.core.encoders.quality import encoder_quality
from imgcdn.core.output.formats import AVIF, FORMATS, GIF, JPEG, LOSSY, OUTPUTS, PNG, WEBP, Format
from imgcdn.core.output.geometry import Size
from imgcdn.core.request.negotiation import ClientClass
from imgcdn.core.request.params import Params
from imgcdn.core.values import Effort

#: From this q on JPEG keeps colour at full resolution (4:4:4); below, chroma is halved each way (4:2:0).
FULL_CHROMA_Q = 90

# What may take aom a second; what it may where a lossless coding is made, too; what may take that seconds.
_GRAPHIC_AOM_MAX_PIXELS, _GRAPHIC_SECOND_AOM_MAX_PIXELS = 2_100_000, 1_500_000
_GRAPHIC_MAX_PIXELS = 8_300_000

# The scale was measured on photographs; small letters lose more than they do at the same q.
_GRAPHIC_Q_STEP = 10

# aom's tools for drawings begin at this speed: half the bytes of 9, and 2 to 8 dB better.
_GRAPHIC_SPEED = 8


@dataclass(frozen=True, slots=True)
class Setting:
    """
    How the encoder is set.

    Args:
        encoder: jpeg, webp, svt, aom, png or gif; a placeholder's own name.
        quality: On the encoder's own scale; None for a lossless one, and until the pixels tell which reaches `target`.
        full_chroma: 4:4:4 instead of 4:2:0.
        keep_profile: The pixels stay in the original's colours, which a profile in the file describes; not sRGB.
        target: SSIMULACRA2 to reach with as few bytes as possible; None for a quality that was asked for.
        effort: FAST also where more time would change nothing.
        speed: Of aom its speed, of SVT-AV1 its preset, of WebP its method; None for the others.
    """

    encoder: str
    quality: int | None
    full_chroma: bool
    keep_profile: bool = False
    target: int | None = None
    effort: Effort = Effort.FAST
    speed: int | None = None


@dataclass(frozen=True, slots=True)
class Coding:
    """
    One way to encode a picture.

    Args:
        format: A name in `core.output.formats.FORMATS`.
        setting: For its encoder.
    """

    format: str
    setting: Setting


@dataclass(frozen=True, slots=True)
class Limits:
    """
    When avif is worth its price, what encoders may take, and how large an enlarged output may become.

    Args:
        avif_min_pixels: Below this output size webp comes first: the container alone costs more than avif saves.
        avif_max_pixels: Above it webp comes first: the encoder's time and memory grow with the area.
        max_dimension: Longest edge to which a source is enlarged: `w` alone says nothing of the height.
        keep_profile: Whether pictures keep their own colours, with a profile, wherever their format can carry one.
        animations: Negotiated formats that an animation may become; without avif it stays a still there even if the
            URL names it.
        budget: What an encoder may take.
    """

    avif_min_pixels: int = 4096
    avif_max_pixels: int = 20_000_000
    max_dimension: int = 8192
    keep_profile: bool = False
    animations: tuple[str, ...] = (WEBP.name,)
    budget: Budget = FAST

    def moves(self, fmt: Format) -> bool:
        """Tell whether animations are written in a format that was asked for."""
        return fmt.animation and (fmt is not AVIF or AVIF.name in self.animations)


def setting_for(fmt: Format, params: Params, size: Size, limits: Limits, *, animated: bool) -> Setting:
    """
    Return how a picture is coded in a format, if it is a photograph.

    Args:
        size: Of the output.
        animated: Whether every frame is kept.
    """
    encoder, pixels, q = fmt.name, size[0] * size[1], params.q
    # What q=auto aims at is reached without full colour.
    fine = q is not None and q >= FULL_CHROMA_Q
    if fmt is AVIF:
        # SVT-AV1 takes half of aom's time for what nobody but the URL wants that large. It knows 4:2:0 only, and holds
        # many frames at once: 54 MiB for 10 of 640 x 400 and 111 for 200, where aom holds 22 for either.
        encoder = "svt" if pixels > limits.avif_max_pixels and not fine and not animated else "aom"
    # WebP's lossy coding has no 4:4:4 (RFC 9649, section 2.5); aom's costs less than it saves, at any q.
    full_chroma = encoder == "aom" or (fmt is JPEG and fine)
    # Many frames take seconds with the least effort.
    budget = FAST if animated else limits.budget
    speed = speed_within(budget, encoder, pixels)
    thorough = budget.effort is Effort.THOROUGH and (fmt is JPEG or speed != speed_within(FAST, encoder, 0))
    effort = Effort.THOROUGH if thorough else Effort.FAST
    # No viewer looks for a profile in a GIF, and a text has no room for one.
    kept = limits.keep_profile and fmt.name in FORMATS and fmt is not GIF
    quality = None if q is None else encoder_quality(encoder, q, effort)
    target = params.target if q is None and fmt in LOSSY else None
    setting = Setting(encoder, quality, full_chroma, kept, target, effort, speed)
    # Most animations are drawn, and aom's quickest is no quicker over frames.
    return _drawn(setting) if animated else setting


def graphic_codings(
    planned: Coding, size: Size, params: Params, client: ClientClass, limits: Limits
) -> tuple[Coding, ...]:
    """
    Return the codings of which the smallest is sent of a still that turns out to be a graphic.

    Lossless webp, or png, beside a lossy coding in full colour, of what this client can show.

    Args:
        planned: For a photograph.
        size: Of the output.

    Returns:
        Nothing where it makes no difference.
    """
    fmt, pixels = OUTPUTS[planned.format], size[0] * size[1]
    if fmt not in LOSSY or pixels > _GRAPHIC_MAX_PIXELS:
        return ()
    shown = client if params.format is None else (planned.format,)
    codings: list[Coding] = []
    if WEBP.name in shown and max(size) <= WEBP.max_edge:
        codings.append(Coding(WEBP.name, _exact(WEBP, planned.setting)))
    elif params.format is None:
        codings.append(Coding(PNG.name, _exact(PNG, planned.setting)))
    most = _GRAPHIC_SECOND_AOM_MAX_PIXELS if codings else _GRAPHIC_AOM_MAX_PIXELS
    if AVIF.name in shown and pixels <= most:
        codings.append(Coding(AVIF.name, _drawn(setting_for(AVIF, _finer(params), size, limits, animated=False))))
    else:
        full_chroma = fmt is JPEG or planned.setting.full_chroma
        codings.append(replace(planned, setting=replace(planned.setting, full_chroma=full_chroma)))
    return () if codings == [planned] else tuple(codings)


def _exact(fmt: Format, setting: Setting) -> Setting:
    """Return how a picture is coded without loss."""
    return Setting(fmt.name, None, full_chroma=False, keep_profile=setting.keep_profile)


def _finer(params: Params) -> Params:
    """Return what is asked of a graphic in avif."""
    if params.q is None:
        return params
    return replace(params, q=max(params.q, min(params.q + _GRAPHIC_Q_STEP, FULL_CHROMA_Q)))


def _drawn(setting: Setting) -> Setting:
    """Return how a drawing is coded, given how a photograph would be."""
    if setting.encoder != "aom" or setting.speed is None:
        return setting
    return replace(setting, speed=min(setting.speed, _GRAPHIC_SPEED))
