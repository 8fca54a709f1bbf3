"""(probe facts, params, client class) -> Plan: all that is asked for, decided before a pixel is read."""

from dataclasses import dataclass, fields, replace

from imgcdn.core.encoders.graphics import other_formats
from imgcdn.core.output.formats import (
    AVIF,
    FORMATS,
    GIF,
    JPEG,
    JSON,
    LOSSY,
    NEGOTIATED,
    OUTPUTS,
    PLACEHOLDERS,
    PNG,
    Format,
)
from imgcdn.core.output.geometry import (
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
    move_crop,
    reduce_frame,
    turned_size,
)
from imgcdn.core.output.placeholders import COPY_EDGE, drop_irrelevant
from imgcdn.core.request.arguments import RGB, RGBA
from imgcdn.core.request.negotiation import ClientClass
from imgcdn.core.request.params import WHITE, Params
from imgcdn.core.values import Facts


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
class Limits:
    """
    When AVIF is worth its price, and how large an enlarged output may become.

    Args:
        avif_min_pixels: Below this output size webp comes first: the container alone costs more than avif saves.
        avif_max_pixels: Above it webp comes first: the encoder's time and memory grow with the area.
        max_dimension: Longest edge to which a source is enlarged: `w` alone does not bound the height.
        keep_profile: Whether pictures keep their own colours, with a profile, wherever their format can carry one.
        animations: Negotiated formats that an animation may become; without avif it stays a still there even if the
            URL names it.
    """

    avif_min_pixels: int
    avif_max_pixels: int
    max_dimension: int
    keep_profile: bool
    animations: tuple[str, ...]

    def animates(self, fmt: Format) -> bool:
        """Tell whether animations are written in a format that was asked for."""
        return fmt.animation and (fmt is not AVIF or AVIF.name in self.animations)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    What is asked for, never how an encoder is told.

    A default means "not asked for". It stands in no key, so it never changes. A field changes pixels, unless
    `BESIDE_PIXELS` names it.

    Args:
        size: Of the output. With `trim`, what it is when nothing is cut away.
        format: A name in `core.output.formats.OUTPUTS`. The pixels may decide for one of `others`, or for `rewrap`.
        crop: The part of the upright, turned source that is kept; None for all of it.
        turn: Rotation and reflection of the upright source, as an EXIF orientation.
        trim: None once the border is known, and where none is cut away; `crop` and `place` count from then on.
        place: The part of the output that the picture takes; None for all of it.
        margin: Colour of the rest of the output; None for clear around a picture that has transparent pixels, white
            around one that has none.
        background: Colour that transparent pixels are laid on; None to keep them. With four values it is itself
            transparent, and the format keeps that.
        brightness, contrast, saturation: Factors, 0 to 4; 1 changes nothing.
        grayscale: Whether the picture loses its colour.
        blur: Sigma in output pixels; 0 for none.
        sharpen: Strength; 0 for none.
        crop_bounds: Where a smart crop may move, keeping its size; None when the crop is fixed.
        animated: Whether every frame is kept.
        original: What `fm=json` says of the original; None for every other format.
        q: 1 to 100 on the scale of all formats; None where nothing that may be sent is lossy, and with `target`.
        target: SSIMULACRA2 to reach with as few bytes as possible (q=auto); None for a q that was asked for.
        keep_profile: Pixels stay in the original's colours, and a profile in the file describes them; otherwise sRGB.
        others: Formats beside `format` that may be sent when the picture turns out to be a graphic, sorted.
        rewrap: Nothing that was asked for changes pixels, and the original's own format may be sent. Where the output
            would be larger, its own coding is sent without metadata, if the engine can re-wrap that format.
    """

    size: Size
    format: str
    crop: Box | None = None
    turn: int = UPRIGHT
    trim: Trim | None = None
    place: Area | None = None
    margin: RGB | RGBA | None = None
    background: RGB | RGBA | None = None
    brightness: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0
    grayscale: bool = False
    blur: float = 0.0
    sharpen: float = 0.0
    crop_bounds: Area | None = None
    animated: bool = False
    original: Facts | None = None
    q: int | None = None
    target: int | None = None
    keep_profile: bool = False
    others: tuple[str, ...] = ()
    rewrap: bool = False

    @property
    def resampled(self) -> Size:
        """Size of the picture itself, without a margin."""
        if self.place is None:
            return self.size
        left, top, right, bottom = self.place
        return right - left, bottom - top


#: The fields of a plan that change no pixel. A new field is not here unless somebody puts it here.
BESIDE_PIXELS = frozenset({"format", "animated", "original", "q", "target", "keep_profile", "others", "rewrap"})


def plan_for(facts: Facts, params: Params, client: ClientClass, limits: Limits) -> Plan:
    """
    Decide the pixels, the format and the quality that are asked for.

    Two requests with equal plans for equal bytes are one variant, so what does not change the output (a width beyond
    the source, q for a lossless format) is left out of the plan.
    """
    if params.format in PLACEHOLDERS:
        params = drop_irrelevant(params)
    source, framing = turned_size(facts.size, params.turn), _framing(params)
    # The source's own edges are no enlargement, whatever their length.
    longest = max(limits.max_dimension, *source)
    draft = frame(source, framing, max_edge=longest)
    padded = draft.place is not None or (params.trim is not None and framing.fit is Fit.PAD)
    fmt = _output_format(facts, params, client, draft.size, limits, padded=padded)
    longest = min(longest, fmt.max_edge)
    framed = _framed(source, framing, longest, fmt.name)
    trim = None if params.trim is None else Trim(params.trim, framing, longest)
    animated = _stays_animated(facts, params) and limits.animates(fmt)
    negotiated = params.format is None and not animated
    plan = Plan(
        size=framed.size,
        format=fmt.name,
        crop=None if trim else framed.crop,
        turn=params.turn,
        trim=trim,
        place=None if trim else framed.place,
        margin=_margin(facts, params, fmt, animated=animated) if padded else None,
        background=_background(facts, params, fmt),
        brightness=params.brightness,
        contrast=params.contrast,
        saturation=params.saturation,
        grayscale=params.grayscale,
        blur=params.blur,
        sharpen=params.sharpen,
        crop_bounds=None if trim else framed.crop_bounds,
        animated=animated,
        original=facts if fmt is JSON else None,
        q=params.q if fmt in LOSSY else None,
        target=params.target if fmt in LOSSY and params.q is None else None,
        # Viewers do not look for a profile in a GIF, and a text has no place for one.
        keep_profile=limits.keep_profile and fmt.name in FORMATS and fmt is not GIF,
        others=other_formats(fmt, framed.size, (*client, PNG.name)) if negotiated else (),
    )
    return replace(plan, rewrap=not changes_pixels(plan, facts) and _may_send(facts.format, params, client))


def changes_pixels(plan: Plan, facts: Facts) -> bool:
    """Tell whether anything that a plan asks for makes the output's pixels differ from the original's."""
    if plan.size != facts.size or (facts.frames > 1 and not plan.animated):
        return True
    changing = (each for each in fields(plan) if each.name not in BESIDE_PIXELS and each.name != "size")
    return any(getattr(plan, each.name) != each.default for each in changing)


def resolve_trim(plan: Plan, source: Size, kept: Area) -> Plan:
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
        plan,
        trim=None,
        crop=framed.crop,
        size=framed.size,
        place=framed.place,
        margin=margin,
        crop_bounds=framed.crop_bounds,
    )


def resolve_crop(plan: Plan, position: Position) -> Plan:
    """
    Return the plan for a picture whose subject is known.

    Args:
        plan: Without `trim`; with `crop_bounds`.
        position: Where within its bounds the crop is to lie.
    """
    if plan.crop_bounds is None or plan.crop is None:
        return plan
    crop = plan.crop if position == CENTER else move_crop(plan.crop, plan.crop_bounds, position)
    return replace(plan, crop=crop, crop_bounds=None)


def _framed(source: Size, framing: Framing, max_edge: int, format_name: str, kept: Area | None = None) -> Frame:
    framed = frame(source, framing, max_edge=max_edge, kept=kept)
    return reduce_frame(framed, COPY_EDGE) if format_name in PLACEHOLDERS else framed


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


def _may_send(format_name: str, params: Params, client: ClientClass) -> bool:
    """Tell whether this request may be answered in a format."""
    if params.format is not None:
        return params.format == format_name
    return format_name in client or FORMATS[format_name] not in NEGOTIATED


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
