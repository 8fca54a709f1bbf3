"""(probe facts, params, client class) -> Plan. It is made before any pixel is decoded."""

from dataclasses import dataclass, fields, replace

from imgcdn.core.encoders.graphics import other_formats
from imgcdn.core.output.choice import FormatChoice, check_edges, check_motion, universal_format
from imgcdn.core.output.formats import (
    AVIF,
    FORMATS,
    GIF,
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
    A border to remove, and the framing of the rest. The size of the rest is known only when the picture is decoded.

    Args:
        tolerance: Largest difference in any band between a border pixel and the border's colour.
        framing: The framing of the rest.
        max_edge: Longest edge of the resampled picture, in pixels, if the format allows it.
        choice: The formats to choose from again for the size without the border; None if the format is fixed.
    """

    tolerance: int
    framing: Framing
    max_edge: int
    choice: FormatChoice | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """
    The settings that plans depend on.

    Args:
        avif_min_pixels: For smaller outputs webp is preferred: avif's container costs more than avif saves.
        avif_max_pixels: For larger outputs webp is preferred: the time and memory of avif's encoder grow with the area.
        max_dimension: Longest edge of an enlarged output, in pixels. It is needed because `w` alone does not limit the
            height.
        keep_profile: Whether pictures keep their colours and profile, in formats that can hold a profile.
        animation_formats: Negotiated formats that animations may become.
    """

    avif_min_pixels: int
    avif_max_pixels: int
    max_dimension: int
    keep_profile: bool
    animation_formats: tuple[str, ...]

    def animates(self, fmt: Format) -> bool:
        """Tell whether an animation stays animated in a format."""
        return fmt.animation and (fmt is not AVIF or AVIF.name in self.animation_formats)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    What is asked for. How the encoder is set is looked up later, in `core.encoders`.

    A default means "not asked for". A key leaves it out, so a default never changes. A field changes pixels, unless
    `NOT_PIXELS` names it.

    Args:
        size: Size of the output; with `trim`, the size if there is no border.
        format: A name in `core.output.formats.OUTPUTS`. When the pixels are known, a format of `others` or `trim` or
            the original's own (`rewrap`) may be sent instead.
        crop: The part of the upright, turned source that is kept; None for the whole source.
        turn: Rotation and reflection of the upright source, as an EXIF orientation.
        trim: The border to remove; None if none is to be removed, and after `resolve_trim`. While it is set, `crop`
            and `place` are None.
        place: The part of the output that the picture covers; None for the whole output.
        margin: Colour of the rest of the output; None for transparent around a picture with transparent pixels, and
            white around an opaque one.
        background: Colour beneath transparent pixels; None to keep them transparent. A fourth value is its alpha, for
            formats that have alpha.
        brightness, contrast, saturation: Factors, 0 to 4; 1 changes nothing.
        grayscale: Whether the picture becomes grey.
        blur: Sigma in output pixels; 0 for none.
        sharpen: Strength; 0 for none.
        crop_bounds: Where a smart crop may move, keeping its size; None when the crop is fixed.
        animated: Whether every frame is kept.
        original: The facts that `fm=json` reports; None for every other format.
        q: 1 to 100 on the scale of all formats; None if every possible format is lossless, and with `target`.
        target: SSIMULACRA2 to reach with as few bytes as possible (q=auto); None if the request gives a q.
        keep_profile: Whether pixels keep the original's colours, described by a profile in the file; otherwise they
            become sRGB.
        others: The formats beside `format` that may be sent if the picture is a graphic, sorted. Beside png that was
            chosen for transparency, the format to send if no pixel is transparent. With `trim`, those if there is no
            border.
        rewrap: Whether the original's own coding may be sent, without metadata, if the output would be larger. True if
            the request changes no pixel and the client may be sent the original's format.
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
        """The size of the picture without its margin."""
        if self.place is None:
            return self.size
        left, top, right, bottom = self.place
        return right - left, bottom - top


#: The fields of a plan that change no pixel. Every field that is not listed here counts as changing pixels.
NOT_PIXELS = frozenset({"format", "animated", "original", "q", "target", "keep_profile", "others", "rewrap"})


def plan_for(facts: Facts, params: Params, client: ClientClass, limits: Limits) -> Plan:
    """
    Decide the pixels, the format and the quality.

    Requests with equal plans for equal bytes share one variant. So parameters that do not change the output (a width
    beyond the source, q for a lossless format) leave no trace in the plan.

    Raises:
        InvalidParam: The URL names a format that cannot hold the picture: an edge is too long, or it is an animation
            and `animation_formats` does not name avif.
    """
    if params.format in PLACEHOLDERS:
        params = drop_irrelevant(params)
    source, framing = turned_size(facts.size, params.turn), _framing(params)
    # A source that is itself larger is not enlarged, so its own edges are allowed.
    longest = max(limits.max_dimension, *source)
    draft = frame(source, framing, max_edge=longest)
    padded = draft.place is not None or (params.trim is not None and framing.fit is Fit.PAD)
    choice = _format_choice(facts, params, client, limits, padded=padded)
    fmt = choice.format_for(draft.size) if choice else _fixed_format(params, client, limits, draft.size)
    if params.format in FORMATS:
        check_motion(fmt, facts, params, can_animate=limits.animates(fmt))
        if params.trim is None:
            check_edges(fmt, draft.size, _roomy_format(facts, params, padded=padded))
    framed = _held_by(fmt, draft, source, framing)
    trim = None if params.trim is None else Trim(params.trim, framing, longest, choice if client else None)
    animated = _stays_animated(facts, params) and limits.animates(fmt)
    others = _others(choice, fmt, framed.size) if choice else ()
    lossy = _may_be_lossy(fmt, others) or (trim is not None and trim.choice is not None)
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
        q=params.q if lossy else None,
        target=params.target if lossy and params.q is None else None,
        # Viewers ignore a profile in a GIF, and a text cannot hold one.
        keep_profile=limits.keep_profile and fmt.name in FORMATS and fmt is not GIF,
        others=others,
    )
    return replace(plan, rewrap=not changes_pixels(plan, facts) and _may_send(facts.format, params, client))


def changes_pixels(plan: Plan, facts: Facts) -> bool:
    """Tell whether the plan makes the output's pixels differ from those of the original."""
    if plan.size != facts.size or (facts.frames > 1 and not plan.animated):
        return True
    changing = (each for each in fields(plan) if each.name not in NOT_PIXELS and each.name != "size")
    return any(getattr(plan, each.name) != each.default for each in changing)


def resolve_trim(plan: Plan, source: Size, kept: Area) -> Plan:
    """
    Return the plan of a picture whose border was found.

    Args:
        plan: A plan with `trim`.
        source: Size of the upright, turned picture.
        kept: The part inside the border.

    Raises:
        InvalidParam: The crop lies outside the part inside the border, or the URL names a format whose edges are
            shorter.
    """
    if plan.trim is None:
        return plan
    framing, longest, choice = plan.trim.framing, plan.trim.max_edge, plan.trim.choice
    fmt, others = OUTPUTS[plan.format], plan.others
    draft = frame(source, framing, max_edge=longest, kept=kept)
    if choice is not None:
        fmt = choice.format_for(draft.size)
    elif fmt.name in FORMATS:
        check_edges(fmt, draft.size)
    framed = _held_by(fmt, draft, source, framing, kept=kept)
    if choice is not None:
        others = _others(choice, fmt, framed.size)
    lossy = _may_be_lossy(fmt, others)
    return replace(
        plan,
        trim=None,
        crop=framed.crop,
        size=framed.size,
        format=fmt.name,
        place=framed.place,
        margin=None if framed.place is None else plan.margin,
        crop_bounds=framed.crop_bounds,
        q=plan.q if lossy else None,
        target=plan.target if lossy else None,
        others=others,
    )


def resolve_opaque(plan: Plan) -> Plan:
    """Return the plan of a picture of which no pixel is transparent: a photograph needs no png for it."""
    if plan.format != PNG.name or not plan.others:
        return plan
    fmt = FORMATS[plan.others[0]]
    return replace(plan, format=fmt.name, others=other_formats(fmt, plan.size, (PNG.name,)))


def resolve_crop(plan: Plan, position: Position) -> Plan:
    """
    Return the plan of a picture whose subject was found.

    Args:
        plan: A plan with `crop_bounds` and without `trim`.
        position: The position of the crop within its bounds.
    """
    if plan.crop_bounds is None or plan.crop is None:
        return plan
    crop = plan.crop if position == CENTER else move_crop(plan.crop, plan.crop_bounds, position)
    return replace(plan, crop=crop, crop_bounds=None)


def _held_by(fmt: Format, draft: Frame, source: Size, framing: Framing, kept: Area | None = None) -> Frame:
    """Return a frame with the edges that a format can have; of a placeholder, that of its small copy."""
    fits = max(draft.size) <= fmt.max_edge
    framed = draft if fits else frame(source, framing, max_edge=fmt.max_edge, kept=kept)
    return reduce_frame(framed, COPY_EDGE) if fmt.name in PLACEHOLDERS else framed


def _framing(params: Params) -> Framing:
    """Leave out parameters without an effect, so that equal trims have equal plans."""
    boxed = params.width is not None and params.height is not None
    fit = params.fit if boxed else Fit.CONTAIN
    position = params.position if fit in (Fit.COVER, Fit.PAD) else CENTER
    if fit is Fit.PAD and position is Smart.SUBJECT:
        position = CENTER
    return Framing(params.crop, (params.width, params.height), fit, position, params.enlarge)


def _stays_animated(facts: Facts, params: Params) -> bool:
    return facts.frames > 1 and not params.still


def _fixed_format(params: Params, client: ClientClass, limits: Limits, size: Size) -> Format:
    """Return the format of an animation, or the one that the URL names."""
    if params.format is not None:
        return OUTPUTS[params.format]
    accepted = (FORMATS[name] for name in client if name in limits.animation_formats)
    return next((fmt for fmt in accepted if max(size) <= fmt.max_edge), GIF)


def _format_choice(
    facts: Facts, params: Params, client: ClientClass, limits: Limits, *, padded: bool
) -> FormatChoice | None:
    """Return the formats that a still may be sent in; None if the URL names one, and for an animation."""
    if params.format is not None or _stays_animated(facts, params):
        return None
    transparent = _may_be_transparent(facts, params, padded=padded)
    universal = universal_format(facts, transparent=transparent).name
    if_opaque = universal_format(facts, transparent=padded and _has_clear_margin(params)).name
    return FormatChoice(client, universal, if_opaque, limits.avif_min_pixels, limits.avif_max_pixels)


def _may_be_transparent(facts: Facts, params: Params, *, padded: bool) -> bool:
    # On an opaque background no pixel is transparent, so a format without alpha is possible.
    on_opaque = params.background is not None and _opaque(params.background)
    return (padded and _has_clear_margin(params)) or (facts.alpha and not on_opaque)


def _has_clear_margin(params: Params) -> bool:
    return params.background is not None and not _opaque(params.background)


def _roomy_format(facts: Facts, params: Params, *, padded: bool) -> Format:
    """Return the format to name to a client whose picture is too long for the one that its URL names."""
    if _stays_animated(facts, params):
        return GIF
    return universal_format(facts, transparent=_may_be_transparent(facts, params, padded=padded))


def _others(choice: FormatChoice, fmt: Format, size: Size) -> tuple[str, ...]:
    if fmt.name == choice.universal != choice.if_opaque and max(size) <= FORMATS[choice.if_opaque].max_edge:
        return (choice.if_opaque,)
    return other_formats(fmt, size, (*choice.accepted, PNG.name))


def _may_be_lossy(fmt: Format, others: tuple[str, ...]) -> bool:
    return any(each in LOSSY for each in (fmt, *(FORMATS[name] for name in others)))


def _may_send(format_name: str, params: Params, client: ClientClass) -> bool:
    """Tell whether this request may be sent a format."""
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
    # In an animation some frames may have transparent pixels and others not, so the margin is white in all.
    transparent = facts.alpha and fmt.alpha and not animated
    return None if transparent else WHITE


def _opaque(colour: RGB | RGBA) -> bool:
    return len(colour) == 3


def _shown(colour: RGB | RGBA, fmt: Format) -> RGB | RGBA:
    """Return a colour as the format shows it: on white if the format has no alpha."""
    if len(colour) == 3 or fmt.alpha:
        return colour
    *bands, alpha = colour
    red, green, blue = ((band * alpha + 255 * (255 - alpha) + 127) // 255 for band in bands)
    return red, green, blue
