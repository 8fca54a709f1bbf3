"""(probe facts, params, client class) -> Plan: everything about the output, decided before a pixel is read."""

from dataclasses import dataclass, replace

from imgcdn.core.arguments import RGB, RGBA
from imgcdn.core.formats import (
    AVIF,
    FORMATS,
    GIF,
    JPEG,
    JSON,
    LOSSY,
    OUTPUTS,
    PLACEHOLDERS,
    PNG,
    WEBP,
    Format,
    encoder_quality,
)
from imgcdn.core.geometry import (
    CENTER,
    UPRIGHT,
    Area,
    Box,
    Fit,
    Frame,
    Framing,
    Position,
    Size,
    Smart,
    frame,
    moved,
    reduced,
    turned,
)
from imgcdn.core.negotiation import ClientClass
from imgcdn.core.params import WHITE, Params
from imgcdn.core.placeholders import COPY_EDGE, essential
from imgcdn.core.values import Facts

#: From this q on colour is kept at full resolution (4:4:4); below, chroma is halved each way (4:2:0).
FULL_CHROMA_Q = 90

#: SVT-AV1 refuses a picture with a shorter edge.
_SVT_MIN_EDGE = 4

# What may take aom a second; what it may where a lossless coding is made, too; what may take that seconds.
_GRAPHIC_AOM_MAX_PIXELS, _GRAPHIC_SECOND_AOM_MAX_PIXELS = 2_100_000, 1_500_000
_GRAPHIC_MAX_PIXELS = 8_300_000

# The scale was measured on photographs. Small letters need this much more from aom to lose no more than with SVT, and
# are still a fifth smaller.
_GRAPHIC_Q_STEP = 10


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
    """

    encoder: str
    quality: int | None
    full_chroma: bool
    keep_profile: bool = False
    target: int | None = None


@dataclass(frozen=True, slots=True)
class Coding:
    """
    One way to encode a picture.

    Args:
        format: A name in `core.formats.FORMATS`.
        setting: For its encoder.
    """

    format: str
    setting: Setting


@dataclass(frozen=True, slots=True)
class Trim:
    """
    A border to cut away, and what to do with the rest, whose size only the pixels tell.

    Args:
        tolerance: Difference in any band up to which a pixel belongs to the border.
        framing: Of what is left.
        max_edge: Longest edge that the resampled picture may have.
    """

    tolerance: int
    framing: Framing
    max_edge: int


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What will be made.

    Args:
        crop: The part of the upright, turned source that is kept; None for all of it.
        size: Of the output. With `trim`, what it is when nothing is cut away.
        format: A name in `core.formats.OUTPUTS`. What is encoded in the end may be of another: see the last two.
        setting: For the encoder.
        background: Colour that transparent pixels are laid on; None to keep them. With four values it is itself
            transparent, and the format keeps that.
        animated: Whether every frame is kept.
        turn: Rotation and reflection of the upright source, as an EXIF orientation.
        trim: None once it is known what is cut away, and where nothing is; `crop` and `place` count from then on.
        place: The part of the output that the picture takes; None for all of it.
        margin: Colour of the rest of the output; None for clear around a picture that has transparent pixels, white
            around one that has none.
        blur: Sigma in output pixels; 0 for none.
        sharpen: Strength; 0 for none.
        room: The part of the source in which `crop` goes where the subject is, keeping its size; None once it is
            there, and where nothing is to be found out.
        original: What an answer tells of the original; None for one that does not.
        if_graphic: Where the pixels turn out to be a graphic, the smallest of these is sent instead; empty where it
            makes no difference.
        rewrap: Whether the original's own coding is sent, without its metadata, where the output is larger.
    """

    crop: Box | None
    size: Size
    format: str
    setting: Setting
    background: RGB | RGBA | None
    animated: bool
    turn: int = UPRIGHT
    trim: Trim | None = None
    place: Area | None = None
    margin: RGB | RGBA | None = None
    blur: float = 0.0
    sharpen: float = 0.0
    room: Area | None = None
    original: Facts | None = None
    if_graphic: tuple[Coding, ...] = ()
    rewrap: bool = False

    @property
    def resampled(self) -> Size:
        """Size of the picture itself, without a margin."""
        if self.place is None:
            return self.size
        left, top, right, bottom = self.place
        return right - left, bottom - top


@dataclass(frozen=True, slots=True)
class Limits:
    """
    When avif is worth its price, and how large an enlarged output may become.

    Args:
        avif_min_pixels: Below this output size webp comes first: the container alone costs more than avif saves.
        avif_max_pixels: Above it webp comes first: the encoder's time and memory grow with the area.
        max_dimension: Longest edge to which a source is enlarged: `w` alone says nothing of the height.
        keep_profile: Whether pictures keep their own colours, with a profile, wherever their format can carry one.
        animations: Negotiated formats that an animation may become; without avif it stays a still there even if the
            URL names it.
    """

    avif_min_pixels: int = 65_536
    avif_max_pixels: int = 20_000_000
    max_dimension: int = 8192
    keep_profile: bool = False
    animations: tuple[str, ...] = (WEBP.name,)

    def moves(self, fmt: Format) -> bool:
        """Tell whether animations are written in a format that was asked for."""
        return fmt.animation and (fmt is not AVIF or AVIF.name in self.animations)


def plan_for(facts: Facts, params: Params, client: ClientClass, limits: Limits) -> Plan:
    """
    Decide the pixels, the one output format and the encoder's setting.

    Two requests with equal plans for equal bytes are one variant, so whatever does not change
    the output (a width beyond the source, q for a lossless format) is gone from the plan.
    """
    if params.format in PLACEHOLDERS:
        params = essential(params)
    source, framing = turned(facts.size, params.turn), _framing(params)
    # The source's own edges are no enlargement, whatever their length.
    longest = max(limits.max_dimension, *source)
    draft = frame(source, framing, max_edge=longest)
    padded = draft.place is not None or (params.trim is not None and framing.fit is Fit.PAD)
    fmt = _output_format(facts, params, client, draft.size, limits, padded=padded)
    longest = min(longest, fmt.max_edge)
    framed = _framed(source, framing, longest, fmt.name)
    animated = _stays_animated(facts, params) and limits.moves(fmt)
    plan = Plan(
        crop=framed.crop,
        size=framed.size,
        format=fmt.name,
        setting=_setting(fmt, params, framed.size, limits, animated=animated),
        background=_background(facts, params, fmt),
        animated=animated,
        turn=params.turn,
        place=framed.place,
        margin=_margin(facts, params, fmt, animated=animated) if padded else None,
        blur=params.blur,
        sharpen=params.sharpen,
        room=framed.room,
        original=facts if fmt is JSON else None,
    )
    plan = replace(plan, if_graphic=_if_graphic(plan, params, client, limits), rewrap=_may_rewrap(plan, facts, params))
    if params.trim is None:
        return plan
    return replace(plan, crop=None, place=None, room=None, trim=Trim(params.trim, framing, longest))


def trimmed(plan: Plan, source: Size, kept: Area) -> Plan:
    """
    Return the plan for a picture whose border is known.

    Args:
        plan: With `trim`.
        source: Size of the upright, turned picture.
        kept: What is inside the border.

    Raises:
        InvalidParam: The crop lies outside of what is kept.
    """
    if plan.trim is None:
        return plan
    framed = _framed(source, plan.trim.framing, plan.trim.max_edge, plan.format, kept=kept)
    margin = None if framed.place is None else plan.margin
    return replace(
        plan, trim=None, crop=framed.crop, size=framed.size, place=framed.place, margin=margin, room=framed.room
    )


def aimed(plan: Plan, position: Position) -> Plan:
    """
    Return the plan for a picture whose subject is known.

    Args:
        plan: Without `trim`; with `room`.
        position: Where in its room the crop is to lie.
    """
    if plan.room is None or plan.crop is None:
        return plan
    crop = plan.crop if position == CENTER else moved(plan.crop, plan.room, position)
    return replace(plan, crop=crop, room=None)


def _framed(source: Size, framing: Framing, max_edge: int, format_name: str, kept: Area | None = None) -> Frame:
    framed = frame(source, framing, max_edge=max_edge, kept=kept)
    return reduced(framed, COPY_EDGE) if format_name in PLACEHOLDERS else framed


def _framing(params: Params) -> Framing:
    """Leave out what does not count, so that it does not tell two trims apart."""
    boxed = params.width is not None and params.height is not None
    fit = params.fit if boxed else Fit.CONTAIN
    position = params.position if fit in (Fit.COVER, Fit.PAD) else CENTER
    if fit is Fit.PAD and position is Smart.SUBJECT:
        position = CENTER
    return Framing(params.crop, (params.width, params.height), fit, position, params.enlarge)


def _stays_animated(facts: Facts, params: Params) -> bool:
    return facts.frames > 1 and not params.still


def _output_format(
    facts: Facts, params: Params, client: ClientClass, size: Size, limits: Limits, *, padded: bool
) -> Format:
    if params.format is not None:
        return OUTPUTS[params.format]
    if _stays_animated(facts, params):
        return next((FORMATS[name] for name in client if name in limits.animations), GIF)
    # An opaque background leaves nothing transparent, so a photograph's format will do.
    background = params.background
    transparent = (facts.alpha and not (background and _opaque(background))) or (
        padded and background is not None and not _opaque(background)
    )
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


def _setting(fmt: Format, params: Params, size: Size, limits: Limits, *, animated: bool) -> Setting:
    # What q=auto aims at is reached in 4:2:0, for which its predictor was fitted.
    full_chroma = params.q is not None and params.q >= FULL_CHROMA_Q
    encoder = fmt.name
    if fmt is AVIF:
        # SVT is several times faster at the same look; it knows 4:2:0 only, and holds many frames at once.
        encoder = "aom" if full_chroma or animated or min(size) < _SVT_MIN_EDGE else "svt"
    lossy = fmt in LOSSY
    # WebP's lossy coding has no 4:4:4 (RFC 9649, section 2.5).
    sampled = full_chroma and lossy and fmt is not WEBP
    # No viewer looks for a profile in a GIF, and a text has no room for one.
    kept = limits.keep_profile and fmt.name in FORMATS and fmt is not GIF
    if params.q is None:
        return Setting(encoder, None, sampled, kept, params.target if lossy else None)
    return Setting(encoder, encoder_quality(encoder, params.q), sampled, kept)


def _if_graphic(plan: Plan, params: Params, client: ClientClass, limits: Limits) -> tuple[Coding, ...]:
    """Lossless webp, or png, beside a lossy coding in full colour, of what this client can show."""
    fmt, pixels = OUTPUTS[plan.format], plan.size[0] * plan.size[1]
    if fmt not in (AVIF, WEBP, JPEG) or plan.animated or pixels > _GRAPHIC_MAX_PIXELS:
        return ()
    planned = Coding(plan.format, plan.setting)
    exact = replace(plan.setting, encoder="webp", quality=None, full_chroma=False, target=None)
    shown = client if params.format is None else (plan.format,)
    codings: list[Coding] = []
    if WEBP.name in shown and max(plan.size) <= WEBP.max_edge:
        codings.append(Coding(WEBP.name, exact))
    elif params.format is None:
        codings.append(Coding(PNG.name, replace(exact, encoder="png")))
    most = _GRAPHIC_SECOND_AOM_MAX_PIXELS if codings else _GRAPHIC_AOM_MAX_PIXELS
    if AVIF.name in shown and pixels <= most:
        codings.append(Coding(AVIF.name, _full_avif(plan.setting, params)))
    else:
        codings.append(
            replace(planned, setting=replace(plan.setting, full_chroma=fmt is JPEG or plan.setting.full_chroma))
        )
    return () if codings == [planned] else tuple(codings)


def _may_rewrap(plan: Plan, facts: Facts, params: Params) -> bool:
    """Tell whether nothing that was asked for changes a pixel, and the original's format will do."""
    if facts.format not in (JPEG.name, PNG.name) or params.format not in (None, facts.format) or facts.frames > 1:
        return False
    asked = (params.trim, plan.crop, plan.place, plan.background, plan.blur or None, plan.sharpen or None)
    return plan.size == facts.size and plan.turn == UPRIGHT and not any(value is not None for value in asked)


def _full_avif(setting: Setting, params: Params) -> Setting:
    """Return how a graphic is coded in avif."""
    if params.q is None:
        return replace(setting, encoder="aom", full_chroma=True)
    q = max(params.q, min(params.q + _GRAPHIC_Q_STEP, FULL_CHROMA_Q))
    return replace(setting, encoder="aom", quality=encoder_quality("aom", q), full_chroma=True)


def _background(facts: Facts, params: Params, fmt: Format) -> RGB | RGBA | None:
    if not facts.alpha:
        return None
    if params.background is None:
        return None if fmt.alpha else WHITE
    shown = _shown(params.background, fmt)
    return None if shown[3:] == (0,) else shown


def _margin(facts: Facts, params: Params, fmt: Format, *, animated: bool) -> RGB | RGBA | None:
    if params.background is not None:
        return _shown(params.background, fmt)
    # Whether an animation has transparent pixels is another thing in each frame.
    follows = facts.alpha and fmt.alpha and not animated
    return None if follows else WHITE


def _opaque(colour: RGB | RGBA) -> bool:
    return len(colour) == 3


def _shown(colour: RGB | RGBA, fmt: Format) -> RGB | RGBA:
    """Lay a colour on white where the format cannot keep its transparency."""
    if len(colour) == 3 or fmt.alpha:
        return colour
    *bands, alpha = colour
    red, green, blue = ((band * alpha + 255 * (255 - alpha) + 127) // 255 for band in bands)
    return red, green, blue
