"""The pipeline: an original -> a variant."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import BinaryIO

from PIL import Image

from imgcdn.core.encoders.effort import Budget
from imgcdn.core.encoders.encoding import (
    TINY_PIXELS,
    Encoding,
    graphic_encodings,
    photograph_encoding,
    textured_encoding,
    tiny_encodings,
)
from imgcdn.core.output.formats import JPEG, PLACEHOLDERS, PNG
from imgcdn.core.output.plan import Plan, resolve_crop, resolve_opaque, resolve_trim
from imgcdn.core.values import EncodedImage
from imgcdn.engine.animation import DamagedFrameError, first_picture, open_animation
from imgcdn.engine.animation_writing import encode_animation
from imgcdn.engine.colour import expand, flatten, to_srgb
from imgcdn.engine.decode import Picture, decode
from imgcdn.engine.effects import (
    adjust_brightness,
    adjust_contrast,
    adjust_saturation,
    blur,
    remove_colour,
    sharpen,
)
from imgcdn.engine.encode import encode
from imgcdn.engine.graphics import is_graphic, textured_share
from imgcdn.engine.placeholder import describe
from imgcdn.engine.rewrap import rewrap_jpeg, rewrap_png
from imgcdn.engine.smart import locate_subject
from imgcdn.engine.transform import box_of, orient, pad, resize
from imgcdn.engine.trim import find_content

_Step = Callable[[Picture, Plan], Picture]

#: The steps between decoding and encoding, in this order, each with the fields of the plan that it applies. Between the
#: two lists, the border is found, then the subject: this applies `FOUND`.
UPRIGHT_STEPS: Mapping[_Step, tuple[str, ...]] = {
    orient: ("turn",),
    expand: (),
}
FOUND = ("trim", "crop_bounds")
STEPS: Mapping[_Step, tuple[str, ...]] = {
    resize: ("size", "crop"),
    to_srgb: (),
    adjust_brightness: ("brightness",),
    adjust_contrast: ("contrast",),
    adjust_saturation: ("saturation",),
    remove_colour: ("grayscale",),
    flatten: ("background",),
    blur: ("blur",),
    sharpen: ("sharpen",),
    pad: ("place", "margin"),
}


def render(file: BinaryIO, plan: Plan, budget: Budget) -> EncodedImage:
    """
    Render a variant of an original. One decoded picture is in memory at a time.

    Args:
        file: The original that the plan's facts were probed from; seekable.
        plan: From `core.output.plan.plan_for`.
        budget: The limits of its encoders.

    Raises:
        CorruptImage: Its pixels do not decode.
        InvalidParam: The crop lies outside the trimmed picture.
    """
    if plan.animated:
        try:
            return _render_animation(file, plan, budget)
        except DamagedFrameError as damage:
            return _render_animation(file, plan, budget, damage.whole)
    # From here on, the plan's size and format are those without the border.
    picture, plan = _transform(first_picture(file) or decode(file, plan), plan)
    if plan.format in PLACEHOLDERS:
        return describe(picture.image, plan, original_bytes=file.seek(0, os.SEEK_END), partial=picture.partial)
    if picture.image.mode in ("L", "RGB"):
        plan = resolve_opaque(plan)
    encoded = replace(_smallest(picture, plan, budget), partial=picture.partial)
    return _never_larger(encoded, file, picture.profile) if plan.rewrap and not picture.altered else encoded


def _render_animation(file: BinaryIO, plan: Plan, budget: Budget, whole: int | None = None) -> EncodedImage:
    plan = _resolve_for_all(file, plan, whole)
    encoding = photograph_encoding(plan, budget)
    return encode_animation(file, plan, encoding, lambda picture: _transform(picture, plan)[0], whole)


def resolve_plan(picture: Picture, plan: Plan) -> Plan:
    """Return the plan after border and subject were found in an upright picture."""
    return _resolve_crop(picture, _resolve_trim([picture], plan))


def _resolve_for_all(file: BinaryIO, plan: Plan, whole: int | None) -> Plan:
    """Return the plan for all frames of an animation."""
    if plan.trim is not None:
        # All frames are decoded twice, because the border must be common to them.
        plan = _resolve_trim((_upright(frame.picture, plan) for frame in open_animation(file, whole).frames), plan)
    # The crop of the first frame is used for all frames. A crop that followed the subject would shake.
    first = next(open_animation(file, whole).frames, None) if plan.crop_bounds is not None else None
    return plan if first is None else _resolve_crop(_upright(first.picture, plan), plan)


def _transform(picture: Picture, plan: Plan) -> tuple[Picture, Plan]:
    """Apply all steps. Return the picture, and the plan after border and subject were found."""
    picture = _upright(picture, plan)
    plan = resolve_plan(picture, plan)
    for step in STEPS:
        picture = step(picture, plan)
    return picture, plan


def _smallest(picture: Picture, plan: Plan, budget: Budget) -> EncodedImage:
    """Encode a picture, a graphic or a tiny one in each of its encodings, and return the smallest file."""
    planned = photograph_encoding(plan, budget)
    encodings = _encodings(picture.image, plan, budget)
    files = (encode(picture.image, each, picture.profile) for each in encodings)
    smallest = min(files, key=lambda each: len(each.body))
    # The effort follows from plan and budget. Without this, a graphic whose smallest file is lossless would be marked
    # as fast after a thorough render, because lossless encodings have no effort.
    return replace(smallest, effort=planned.effort)


def _encodings(image: Image.Image, plan: Plan, budget: Budget) -> tuple[Encoding, ...]:
    """Return the encodings to try, by what the picture shows."""
    planned, graphic = photograph_encoding(plan, budget), graphic_encodings(plan, budget)
    if graphic != (planned,) and is_graphic(image):
        return graphic
    if image.width * image.height <= TINY_PIXELS:
        return tiny_encodings(plan, budget)
    return (textured_encoding(planned, image.size, textured_share(image)) if planned.encoder == "aom" else planned,)


def _never_larger(encoded: EncodedImage, file: BinaryIO, profile: bytes) -> EncodedImage:
    """Return the original's own coding if the encoded picture is larger."""
    file.seek(0)
    data = file.read()
    for name, rewrap in ((JPEG.name, rewrap_jpeg), (PNG.name, rewrap_png)):
        body = rewrap(data, profile, below=len(encoded.body))
        if body is not None:
            return replace(encoded, body=body, format=name)
    return encoded


def _upright(picture: Picture, plan: Plan) -> Picture:
    for step in UPRIGHT_STEPS:
        picture = step(picture, plan)
    return picture


def _resolve_trim(pictures: Iterable[Picture], plan: Plan) -> Plan:
    """Return the plan without the border that pictures of one size have in common."""
    if plan.trim is None:
        return plan
    size, kept = find_content((picture.image for picture in pictures), plan.trim.tolerance)
    return resolve_trim(plan, size, kept)


def _resolve_crop(picture: Picture, plan: Plan) -> Plan:
    """Return the plan with the crop at the subject. The border was already removed from the plan."""
    if plan.crop_bounds is None:
        return plan
    return resolve_crop(
        plan, locate_subject(picture.image, box_of(picture, plan.crop_bounds), box_of(picture, plan.crop))
    )
