import io
import itertools
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, replace

import pytest
from PIL import Image

from imgcdn.core.output.formats import FORMATS
from imgcdn.core.output.geometry import Fit
from imgcdn.core.output.plan import NOT_PIXELS, Plan, plan_for
from imgcdn.core.request.params import Params
from imgcdn.core.values import EncodedImage
from imgcdn.engine.probe import probe
from imgcdn.engine.render import FOUND, STEPS, UPRIGHT_STEPS, render
from tests.support import laden, pictures
from tests.support.paths import ROOT
from tests.support.planning import FAST, LIMITS
from tests.support.variants import (
    CRISP_Q,
    MAX_PIXELS,
    colour_at,
    decode_variant,
    make_plan,
    near,
    render_image,
    variant,
)

CORNERS = {(0.2, 0.2): "RED", (0.8, 0.2): "GREEN", (0.2, 0.8): "BLUE", (0.8, 0.8): "WHITE"}

OPAQUE = {
    "jpeg": pictures.jpeg(),
    "progressive jpeg": pictures.progressive_jpeg(),
    "two jpegs in one": pictures.mpo(),
    "png": pictures.png(),
    "opaque rgba png": pictures.opaque_rgba_png(),
    "palette png": pictures.palette_png(),
    "gif": pictures.gif(),
    "webp": pictures.webp(),
    "avif": pictures.avif(),
}
HOLED = {
    "rgba png": pictures.rgba_png(),
    "gif with a hole": pictures.gif_with_hole(),
    "webp with alpha": pictures.webp_with_hole(),
    "avif with alpha": pictures.avif_with_hole(),
}
GREY = {
    "grey jpeg": pictures.grey_jpeg(),
    "grey png": pictures.grey_png(),
    "16-bit grey png": pictures.wide_grey_png(),
    "1-bit png": pictures.bilevel_png(),
}


def _table(originals: dict[str, bytes]) -> list[object]:
    return [pytest.param(data, id=name) for name, data in originals.items()]


def _wanted(name: str) -> tuple[int, ...]:
    colour: tuple[int, ...] = getattr(pictures, name)
    return colour


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("original", _table(OPAQUE))
def test_every_kind_in_every_format_keeps_its_corners(original: bytes, fmt: str) -> None:
    encoded = variant(original, Params(width=45, format=fmt, q=CRISP_Q))
    image = decode_variant(encoded)
    assert (encoded.format, encoded.size, encoded.frames, image.size) == (fmt, (45, 30), 1, (45, 30))
    for (across, down), name in CORNERS.items():
        assert near(colour_at(image, across, down), (*_wanted(name), 255)), name


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("original", _table(GREY))
def test_every_grey_kind_stays_grey_in_every_format(original: bytes, fmt: str) -> None:
    red, green, blue, alpha = colour_at(render_image(original, Params(width=45, format=fmt, q=CRISP_Q)), 0.8, 0.8)
    assert max(red, green, blue) - min(red, green, blue) <= 3
    assert min(red, green, blue) > 100
    assert alpha == 255


@pytest.mark.parametrize("fmt", [name for name, fmt in FORMATS.items() if fmt.alpha])
@pytest.mark.parametrize("original", _table(HOLED))
def test_transparent_pixels_stay_transparent(original: bytes, fmt: str) -> None:
    image = render_image(original, Params(width=45, format=fmt, q=CRISP_Q))
    assert near(colour_at(image, 0.2, 0.2), (*pictures.RED, 255))
    assert colour_at(image, 0.8, 0.8)[3] <= 8


@pytest.mark.parametrize(
    ("background", "expected"),
    [
        pytest.param(None, (255, 255, 255, 255), id="white by default"),
        pytest.param((10, 120, 200), (10, 120, 200, 255), id="requested colour"),
    ],
)
@pytest.mark.parametrize("original", _table(HOLED))
def test_jpeg_composites_transparent_pixels_on_the_background(
    original: bytes, background: tuple[int, int, int] | None, expected: tuple[int, ...]
) -> None:
    image = render_image(original, Params(width=45, format="jpeg", q=CRISP_Q, background=background))
    assert near(colour_at(image, 0.8, 0.8), expected)


def test_a_background_replaces_transparency_in_a_format_with_alpha() -> None:
    image = render_image(pictures.rgba_png(), Params(format="png", background=(10, 120, 200)))
    assert colour_at(image, 0.8, 0.8) == (10, 120, 200, 255)


def test_hidden_colours_do_not_bleed_into_an_edge() -> None:
    image = render_image(pictures.rgba_png(), Params(width=31, format="png")).convert("RGBA")
    red, green, blue, alpha = image.split()
    seen = [
        pixel for pixel in zip(*(band.tobytes() for band in (red, green, blue, alpha)), strict=True) if pixel[3] > 8
    ]
    # The hidden colour is magenta: only there are red and blue high together.
    assert all(not (pixel[0] > 150 and pixel[2] > 150) for pixel in seen)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    "draw",
    [pictures.oriented_jpeg, pictures.oriented_png, pictures.oriented_webp, pictures.oriented_avif],
    ids=["jpeg", "png", "webp", "avif"],
)
@pytest.mark.parametrize("fmt", ["png", "avif"])
def test_every_orientation_becomes_upright_exactly_once(
    draw: Callable[[int], bytes], orientation: int, fmt: str
) -> None:
    image = render_image(draw(orientation), Params(width=45, format=fmt, q=CRISP_Q))
    assert image.size == (45, 30)
    assert image.getexif().get(0x0112, 1) == 1
    for (across, down), name in CORNERS.items():
        assert near(colour_at(image, across, down), _wanted(name)), name


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_crop_is_in_upright_pixels_even_after_a_scaled_decode(orientation: int) -> None:
    # 1001 x 667 is not divisible by 2, 4 or 8, so the last pixels of the scaled picture are fractions of pixels.
    original = pictures.oriented_jpeg(orientation, (1001, 667))
    image = render_image(original, Params(width=40, height=40, fit=Fit.COVER, position=(100, 0), format="png"))
    # The crop has the right 667 of 1001 pixels: the middle line of the chart is at (500 - 334) / 667 of the output.
    assert near(colour_at(image, 0.15, 0.2), pictures.RED)
    assert near(colour_at(image, 0.35, 0.2), pictures.GREEN)
    assert near(colour_at(image, 0.35, 0.8), pictures.WHITE)


@pytest.mark.parametrize(
    "original",
    [
        pytest.param(laden.jpeg(), id="jpeg"),
        pytest.param(laden.png(), id="png"),
        pytest.param(laden.webp(), id="webp"),
        pytest.param(laden.gif(), id="gif"),
        pytest.param(laden.avif(), id="avif"),
    ],
)
@pytest.mark.parametrize("fmt", FORMATS)
def test_a_variant_has_no_metadata(original: bytes, fmt: str) -> None:
    assert any(secret in original for secret in laden.SECRETS)
    body = variant(original, Params(format=fmt)).body
    assert not [secret for secret in laden.SECRETS if secret in body]


def test_equal_input_gives_equal_bytes() -> None:
    original = laden.jpeg()
    for fmt in FORMATS:
        assert variant(original, Params(width=45, format=fmt)) == variant(original, Params(width=45, format=fmt))


def test_a_render_starts_at_the_beginning_of_the_file() -> None:
    file = io.BytesIO(pictures.jpeg())
    plan = make_plan(file.getvalue(), Params(width=45))
    file.seek(100)
    assert render(file, plan, FAST).size == (45, 30)


def test_a_picture_is_enlarged_with_enlarge() -> None:
    image = render_image(pictures.jpeg(), Params(width=180, enlarge=True, format="png"))
    assert image.size == (180, 120)
    assert near(colour_at(image, 0.8, 0.2), pictures.GREEN)


def test_the_engine_loads_five_plugins_and_prints_nothing() -> None:
    script = """
import io, sys
from imgcdn.core.request.params import Params
from imgcdn.core.output.plan import plan_for
from imgcdn.engine.probe import probe
from imgcdn.engine.render import render
from tests.support.planning import FAST, LIMITS
file = io.BytesIO(sys.stdin.buffer.read())
facts = probe(file, max_pixels=10**6)
for fmt in ("avif", "webp", "jpeg", "png", "gif"):
    render(file, plan_for(facts, Params(format=fmt), (), LIMITS), FAST)
from PIL import Image
print(Image._initialized, *sorted(name for name in sys.modules if "PcxImagePlugin" in name))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], input=pictures.jpeg(), capture_output=True, check=True, cwd=ROOT
    )
    assert done.stderr == b""
    assert done.stdout.split() in ([b"0"], [b"1"])


def _render(original: bytes, params: Params, client: tuple[str, ...], **changed: int) -> EncodedImage:
    """Render under changed limits, and check that the file has the size that the result says."""
    file = io.BytesIO(original)
    limits = replace(LIMITS, **changed)  # type: ignore[arg-type]  # the tests change limits that are numbers
    encoded = render(file, plan_for(probe(file, max_pixels=MAX_PIXELS), params, client, limits), FAST)
    assert decode_variant(encoded).size == encoded.size
    return encoded


@pytest.mark.parametrize("palette", [True, False], ids=["palette", "no palette"])
def test_a_trimmed_picture_that_is_too_long_for_a_format_is_sent_in_another(palette: bool) -> None:
    image = Image.new("RGB", (60, 16_460), pictures.WHITE)
    image.paste(pictures.RED, (20, 5, 40, 16_455))
    original = pictures.png(image.quantize(4) if palette else image)
    encoded = _render(original, Params(width=300, trim=5), ("avif", "webp"))

    assert encoded.size == (20, 16_450)
    assert encoded.format in ("jpeg", "png")


def test_an_enlarged_trimmed_picture_has_the_format_for_its_own_size() -> None:
    image = Image.new("RGB", (400, 50), pictures.WHITE)
    image.paste(pictures.photograph((50, 50)), (100, 0))
    params = Params(width=400, enlarge=True, trim=5)
    limit = {"avif_min_pixels": 0, "avif_max_pixels": 30_000}

    assert _render(pictures.png(image), replace(params, trim=None), ("avif", "webp"), **limit).format == "avif"
    encoded = _render(pictures.png(image), params, ("avif", "webp"), **limit)
    assert (encoded.format, encoded.size) == ("webp", (400, 400))


def test_the_steps_apply_every_field_of_a_plan_that_changes_pixels() -> None:
    """A step that is missing from its list would leave its parameter without an effect."""
    applied = [*itertools.chain(*UPRIGHT_STEPS.values(), FOUND, *STEPS.values())]

    assert len(applied) == len(set(applied)), "each field is applied by one step"
    assert set(applied) == {field.name for field in fields(Plan)} - NOT_PIXELS
