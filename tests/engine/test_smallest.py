"""Stills for which the pixels decide the coding: tiny ones, and those whose alpha hides nothing."""

import io

import pytest
from PIL import Image, ImageChops, ImageDraw

from imgcdn.core.encoders.encoding import Encoding
from imgcdn.core.encoders.quality import encoder_quality
from imgcdn.core.output.plan import plan_for
from imgcdn.core.request.arguments import RGB, RGBA
from imgcdn.core.request.params import Params
from imgcdn.core.values import EncodedImage
from imgcdn.engine.encode import encode
from imgcdn.engine.probe import probe
from imgcdn.engine.render import render
from imgcdn.engine.resample import difference
from tests.support import pictures
from tests.support.planning import FAST, LIMITS
from tests.support.variants import MAX_PIXELS, decode_variant

BOTH = ("avif", "webp")


def _icon(edge: int) -> Image.Image:
    """Draw a dark disc with a light letter on a flat ground."""
    icon = Image.new("RGB", (edge, edge), (250, 200, 40))
    draw = ImageDraw.Draw(icon)
    draw.ellipse((1, 1, edge - 2, edge - 2), (30, 60, 140))
    draw.line((edge // 3, edge // 4, edge // 3, 3 * edge // 4), "white", width=max(1, edge // 10))
    return icon


def _variant(original: bytes, params: Params, client: tuple[str, ...]) -> EncodedImage:
    file = io.BytesIO(original)
    return render(file, plan_for(probe(file, max_pixels=MAX_PIXELS), params, client, LIMITS), FAST)


@pytest.mark.parametrize("client", [BOTH, ("webp",), ()], ids=["avif and webp", "webp", "neither"])
@pytest.mark.parametrize("edge", [5, 8, 16, 32])
def test_a_tiny_drawing_is_exact(edge: int, client: tuple[str, ...]) -> None:
    icon = _icon(edge)
    variant = _variant(pictures.png(icon), Params(), client)
    assert difference(decode_variant(variant).convert("RGB"), icon) == 0
    assert variant.format == ("webp" if client else "png")


def test_a_tiny_photograph_stays_lossy_where_that_is_smaller() -> None:
    variant = _variant(pictures.jpeg(pictures.photograph((1200, 1200))), Params(width=60), ("webp",))
    assert variant.body[12:16] == b"VP8 "  # the chunk of a lossy picture


@pytest.mark.parametrize(
    ("params", "format_name"),
    [
        pytest.param(Params(), "jpeg", id="negotiated"),
        pytest.param(Params(width=90), "jpeg", id="resized"),
        pytest.param(Params(trim=0), "jpeg", id="trimmed"),
        pytest.param(Params(format="png"), "png", id="png is what the url says"),
    ],
)
def test_an_alpha_that_hides_nothing_does_not_make_a_photograph_a_png(params: Params, format_name: str) -> None:
    photograph = pictures.photograph((180, 120)).convert("RGBA")
    assert _variant(pictures.png(photograph), params, ()).format == format_name


@pytest.mark.parametrize("background", [None, (255, 0, 0), (255, 0, 0, 128)])
def test_a_transparent_pixel_is_kept(background: RGB | RGBA | None) -> None:
    photograph = pictures.photograph((180, 120)).convert("RGBA")
    photograph.putpixel((0, 0), (0, 0, 0, 0))
    variant = _variant(pictures.png(photograph), Params(background=background), ())
    assert variant.format == ("jpeg" if background is not None and len(background) == 3 else "png")


def test_a_drawing_whose_alpha_hides_nothing_stays_lossless() -> None:
    drawn = _icon(200).convert("RGBA")
    variant = _variant(pictures.png(drawn), Params(), ())
    assert variant.format == "png"
    assert difference(decode_variant(variant).convert("RGB"), drawn.convert("RGB")) == 0


def test_the_quality_counts_for_a_photograph_whose_alpha_hides_nothing() -> None:
    original = pictures.png(pictures.photograph((180, 120)).convert("RGBA"))
    low, high = (_variant(original, Params(q=q), ()) for q in (30, 90))
    assert low.format == high.format == "jpeg"
    assert len(low.body) < len(high.body)


def _sunset(size: tuple[int, int]) -> Image.Image:
    """Draw a sky whose colours change slowly, with grain that is hardly visible."""
    sky = Image.linear_gradient("L").resize(size, Image.Resampling.BICUBIC)
    bands = (sky.point(lambda v: 60 + v * 0.7), sky.point(lambda v: 40 + v * 0.4), sky.point(lambda v: 120 - v * 0.3))
    grain = pictures.photograph((200, 150)).resize(size, Image.Resampling.BICUBIC).point(lambda v: v // 40)
    return ImageChops.add(Image.merge("RGB", bands), grain)


@pytest.mark.parametrize(
    ("picture", "speed"),
    [
        pytest.param(_sunset((400, 300)), 8, id="smooth"),
        pytest.param(pictures.photograph((400, 300)), 9, id="textured"),
    ],
)
def test_a_smooth_picture_is_encoded_at_a_finer_speed(picture: Image.Image, speed: int) -> None:
    encoding = Encoding("avif", "aom", encoder_quality("aom", 75), full_chroma=True, speed=speed)
    assert _variant(pictures.png(picture), Params(q=75), BOTH).body == encode(picture, encoding).body
