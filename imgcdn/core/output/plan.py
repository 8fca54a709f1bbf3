"""(probe facts, params, client class) -> Plan: everything about the output, decided before a pixel is read."""

from dataclasses import dataclass, replace

from imgcdn.core.encoders.coding import Coding, Limits, Setting, graphic_codings, setting_for
from imgcdn.core.output.formats import AVIF, FORMATS, GIF, JPEG, JSON, OUTPUTS, PLACEHOLDERS, PNG, Format
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
class Plan:
    """
    What will be made.

    Args:
        crop: The part of the upright, turned source that is kept; None for all of it.
        size: Of the output. With `trim`, what it is when nothing is cut away.
        format: A name in `core.output.formats.OUTPUTS`. What is encoded in the end may be of another: see the last two.
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
        crop_bounds: The part of the source in which `crop` goes where the subject is, keeping its size; None once it is
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
    crop_bounds: Area | None = None
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


def plan_for(facts: Facts, params: Params, client: ClientClass, limits: Limits) -> Plan:
    """
    Decide the pixels, the one output format and the encoder's setting.

    Two requests with equal plans for equal bytes are one variant, so whatever does not change
    the output (a width beyond the source, q for a lossless format) is gone from the plan.
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
    animated = _stays_animated(facts, params) and limits.moves(fmt)
    plan = Plan(
        crop=framed.crop,
        size=framed.size,
        format=fmt.name,
        setting=setting_for(fmt, params, framed.size, limits, animated=animated),
        background=_background(facts, params, fmt),
        animated=animated,
        turn=params.turn,
        place=framed.place,
        margin=_margin(facts, params, fmt, animated=animated) if padded else None,
        blur=params.blur,
        sharpen=params.sharpen,
        crop_bounds=framed.crop_bounds,
        original=facts if fmt is JSON else None,
    )
    plan = replace(plan, rewrap=_may_rewrap(plan, facts, params))
    if not animated:
        coding = Coding(plan.format, plan.setting)
        plan = replace(plan, if_graphic=graphic_codings(coding, plan.size, params, client, limits))
    if params.trim is None:
        return plan
    return replace(plan, crop=None, place=None, crop_bounds=None, trim=Trim(params.trim, framing, longest))


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
        plan: Without `trim`; with `room`.
        position: Where in its room the crop is to lie.
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


def _may_rewrap(plan: Plan, facts: Facts, params: Params) -> bool:
    """Tell whether nothing that was asked for changes a pixel, and the original's format will do."""
    if facts.format not in (JPEG.name, PNG.name) or params.format not in (None, facts.format) or facts.frames > 1:
        return False
    asked = (params.trim, plan.crop, plan.place, plan.background, plan.blur or None, plan.sharpen or None)
    return plan.size == facts.size and plan.turn == UPRIGHT and not any(value is not None for value in asked)


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
