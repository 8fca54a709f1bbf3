"""The pipeline: an original -> a variant."""

from collections.abc import Callable
from typing import BinaryIO

from PIL import Image

from imgcdn.core.plan import Plan
from imgcdn.core.values import EncodedImage
from imgcdn.engine.animation import encode_animation, open_animation
from imgcdn.engine.colour import expand, flatten, to_srgb
from imgcdn.engine.decode import Picture, decode
from imgcdn.engine.encode import encode
from imgcdn.engine.transform import orient, resize

#: Every picture passes these in this order, between decoding and encoding. What turns, trims or crops comes before
#: `resize`, what softens or sharpens between it and `to_srgb`, padding beside `flatten`.
STEPS: tuple[Callable[[Picture, Plan], Picture], ...] = (orient, expand, resize, to_srgb, flatten)


def render(file: BinaryIO, plan: Plan) -> EncodedImage:
    """
    Turn an original into a variant; holds one decoded picture at a time.

    Args:
        file: The original that the plan's facts were probed from; seekable.
        plan: From `core.plan.plan_for`.

    Raises:
        CorruptImage: Its pixels do not decode.
    """
    if plan.animated:
        return encode_animation(open_animation(file), plan, _develop)
    return encode(_develop(decode(file, plan), plan), plan)


def _develop(picture: Picture, plan: Plan) -> Image.Image:
    for step in STEPS:
        picture = step(picture, plan)
    return picture.image
