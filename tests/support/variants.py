"""Render as the service does, and inspect the result."""

import io
import math
from dataclasses import dataclass, replace

from PIL import Image, ImageChops, ImageStat

from imgcdn.core.output.plan import Plan, plan_for
from imgcdn.core.request.params import Params
from imgcdn.core.values import EncodedImage
from imgcdn.engine.decode import Picture, decode
from imgcdn.engine.probe import probe
from imgcdn.engine.render import UPRIGHT_STEPS, render, resolve_plan
from tests.support.planning import FAST, LIMITS

MAX_PIXELS = 64_000_000

#: A quality at which a test may check single colours.
CRISP_Q = 95


@dataclass(frozen=True, slots=True)
class Shown:
    """One frame as a viewer shows it: an RGBA image, the time at which it appears, and for how long."""

    image: Image.Image
    start_ms: float
    duration_ms: float


def make_plan(original: bytes, params: Params, *, max_pixels: int = MAX_PIXELS) -> Plan:
    """Make a plan for a client that accepts neither avif nor webp; animations stay animated."""
    limits = replace(LIMITS, animation_formats=("avif", "webp"))
    return plan_for(probe(io.BytesIO(original), max_pixels=max_pixels), params, (), limits)


def variant(original: bytes, params: Params) -> EncodedImage:
    return render(io.BytesIO(original), make_plan(original, params), FAST)


def decode_variant(encoded: EncodedImage) -> Image.Image:
    """Decode a variant; the image's `info` has the metadata of the file."""
    image = Image.open(io.BytesIO(encoded.body))
    image.load()
    return image


def render_image(original: bytes, params: Params) -> Image.Image:
    """Render an original and decode the variant."""
    return decode_variant(variant(original, params))


def decode_frames(body: bytes) -> list[Shown]:
    """Decode all frames of an animation."""
    image = Image.open(io.BytesIO(body))
    frames: list[Shown] = []
    clock_ms = 0.0
    for index in range(getattr(image, "n_frames", 1)):
        image.seek(index)
        image.load()
        duration_ms = float(image.info.get("duration", 0))
        frames.append(Shown(image.convert("RGBA"), clock_ms, duration_ms))
        clock_ms += duration_ms
    return frames


def total_ms(frames: list[Shown]) -> float:
    return sum(frame.duration_ms for frame in frames)


def frame_at(frames: list[Shown], instant_ms: float) -> Image.Image:
    """Return the image that a viewer shows at an instant."""
    return [frame.image for frame in frames if frame.start_ms <= instant_ms][-1]


def colour_at(image: Image.Image, across: float, down: float) -> tuple[int, ...]:
    """Return the RGBA colour at a point, given as fractions of the width and height."""
    colour = image.convert("RGBA").getpixel((int(image.width * across), int(image.height * down)))
    assert isinstance(colour, tuple)
    return colour


def psnr(one: Image.Image, other: Image.Image) -> float:
    """Return the PSNR of two pictures of the same size, in dB, ignoring alpha."""
    difference = ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other.convert("RGB")))
    mean = sum(difference.sum2) / (3 * one.width * one.height)
    return 10 * math.log10(255**2 / mean) if mean else math.inf


def near(actual: tuple[int, ...], wanted: tuple[int, ...], *, tolerance: int = 12) -> bool:
    """Tell whether two colours differ by at most the tolerance in each band that `wanted` has."""
    return all(abs(a - b) <= tolerance for a, b in zip(actual, wanted, strict=False))


def resolved_plan(original: bytes, params: Params) -> Plan:
    """Return the plan with the resolved crop."""
    file = io.BytesIO(original)
    plan = plan_for(probe(file, max_pixels=MAX_PIXELS), params, (), LIMITS)
    picture: Picture = decode(file, plan)
    for step in UPRIGHT_STEPS:
        picture = step(picture, plan)
    return resolve_plan(picture, plan)
