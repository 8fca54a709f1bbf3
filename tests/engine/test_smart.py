"""Where `position=smart` puts a crop, on drawn pictures."""

import io
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from imgcdn.core.output.geometry import CENTER, Box, Crop, Fit, Size, Smart
from imgcdn.core.request.params import Params
from imgcdn.engine.decode import decode
from imgcdn.engine.render import render
from imgcdn.engine.smart import locate_subject
from tests.support import pictures
from tests.support.planning import FAST
from tests.support.variants import (
    colour_at,
    decode_frames,
    make_plan,
    near,
    psnr,
    render_image,
    resolved_plan,
    variant,
)

SMART = Params(fit=Fit.COVER, position=Smart.SUBJECT)
SQUARE = replace(SMART, width=60, height=60, format="png")


def scene(size: Size, spot: Box, colour: tuple[int, ...] = pictures.RED, mode: str = "RGB") -> Image.Image:
    """Draw a grey picture with one object at a box, which is given in fractions."""
    image = Image.new(mode, size, (128, 128, 128, 255)[: len(mode)])
    left, top, right, bottom = (round(edge * size[axis % 2]) for axis, edge in enumerate(spot))
    ImageDraw.Draw(image).ellipse((left, top, right - 1, bottom - 1), colour)
    return image


RIGHT: Box = (0.8, 0.3, 0.9, 0.5)
LEFT: Box = (0.05, 0.5, 0.15, 0.7)


@pytest.mark.parametrize("spot", [pytest.param(LEFT, id="left"), pytest.param(RIGHT, id="right")])
@pytest.mark.parametrize(
    "coded",
    [
        pytest.param(pictures.png, id="rgb png"),
        pytest.param(lambda image: pictures.png(image.convert("L")), id="grey png"),
        pytest.param(lambda image: pictures.png(image.convert("RGBA")), id="rgba png"),
        pytest.param(lambda image: pictures.png(image.quantize(4)), id="palette png"),
        pytest.param(pictures.jpeg, id="jpeg"),
        pytest.param(lambda image: pictures.jpeg(image.convert("CMYK")), id="cmyk jpeg"),
    ],
)
def test_the_crop_contains_the_object_that_stands_out(coded: Callable[[Image.Image], bytes], spot: Box) -> None:
    crop = resolved_plan(coded(scene((900, 600), spot)), SQUARE).crop
    assert crop
    assert crop[0] <= spot[0] * 900
    assert spot[2] * 900 <= crop[2]
    assert (crop[1], crop[3], crop[2] - crop[0]) == (0, 600, 600)


def test_the_crop_of_a_panorama_contains_its_subject() -> None:
    crop = resolved_plan(pictures.png(scene((6000, 200), (0.8, 0.3, 0.82, 0.8))), SQUARE).crop
    assert crop is not None
    assert crop[0] <= 4810
    assert crop[2] >= 4910


def test_a_single_row_of_pixels_can_have_a_subject() -> None:
    image = Image.new("RGB", (300, 1), (128, 128, 128))
    image.paste(pictures.RED, (250, 0, 260, 1))
    crop = resolved_plan(pictures.png(image), replace(SMART, width=100, height=1)).crop
    assert crop is not None
    assert crop[0] > 150


def test_a_tall_picture_is_cut_at_the_top_or_the_bottom() -> None:
    crop = resolved_plan(pictures.png(scene((300, 900), (0.4, 0.85, 0.6, 0.95))), SQUARE).crop
    assert crop is not None
    assert crop[1] > 500


@pytest.mark.parametrize(
    "colour",
    [
        pytest.param((224, 172, 140), id="light"),
        pytest.param((190, 130, 95), id="medium"),
        pytest.param((110, 70, 50), id="dark"),
        pytest.param((85, 53, 40), id="darker"),
    ],
)
def test_skin_attracts_more_than_another_colour_of_equal_contrast(colour: tuple[int, int, int]) -> None:
    # The object on the left has the same colour with red and blue swapped.
    image = scene((900, 300), (0.85, 0.3, 0.95, 0.6), colour)
    ImageDraw.Draw(image).ellipse((45, 90, 134, 179), colour[::-1])
    crop = resolved_plan(pictures.png(image), SQUARE).crop
    assert crop is not None
    assert crop[0] > 300


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(Image.new("RGB", (301, 200), (0, 0, 0)), id="black"),
        pytest.param(Image.new("RGB", (301, 200), (224, 172, 140)), id="skin"),
        pytest.param(Image.new("L", (200, 301), 77), id="grey"),
        pytest.param(Image.new("RGBA", (301, 200), (255, 0, 0, 0)), id="fully transparent"),
        pytest.param(Image.new("RGBA", (301, 200), (255, 0, 0, 128)), id="half transparent"),
        pytest.param(Image.new("CMYK", (301, 200), (9, 99, 9, 9)), id="cmyk"),
        pytest.param(Image.new("RGB", (9000, 1), (9, 99, 9)), id="one row"),
        pytest.param(Image.new("RGB", (2, 1), (9, 99, 9)), id="two pixels"),
    ],
)
def test_a_picture_of_one_colour_is_cut_at_its_center(image: Image.Image) -> None:
    original = pictures.jpeg(image) if image.mode == "CMYK" else pictures.png(image)
    for size in ((60, 60), (90, 160), (160, 90)):
        params = replace(SMART, width=size[0], height=size[1])
        assert resolved_plan(original, params) == make_plan(original, replace(params, position=CENTER))


def test_a_jpeg_of_one_colour_is_the_same_with_smart_and_center() -> None:
    original = pictures.jpeg(Image.new("RGB", (1001, 500), (9, 99, 200)))
    one, other = (variant(original, replace(SQUARE, position=position)) for position in (Smart.SUBJECT, CENTER))
    assert one.body == other.body


def test_transparent_pixels_do_not_attract() -> None:
    # The left has strong noise that is transparent, the right a plain disc.
    image = pictures.photograph((900, 300)).convert("RGBA")
    image.putalpha(0)
    ImageDraw.Draw(image).ellipse((750, 100, 850, 200), (128, 128, 128, 255))
    crop = resolved_plan(pictures.png(image), SQUARE).crop
    assert crop is not None
    assert crop[0] > 500


@pytest.mark.parametrize("scale", [pytest.param(20, id="scaled down"), pytest.param(1, id="full size")])
def test_the_colour_of_transparent_pixels_does_not_matter(scale: int) -> None:
    # Both sides have the same grey square; the transparent pixels around the right one are magenta.
    image = Image.new("RGBA", (60, 20), (0, 0, 0, 0))
    image.paste((255, 0, 255, 0), (30, 0, 60, 20))
    for left in (4, 50):
        image.paste((128, 128, 128, 255), (left, 7, left + 6, 13))
    hiding = image.resize((60 * scale, 20 * scale), Image.Resampling.NEAREST)
    bare = Image.composite(hiding, Image.new("RGBA", hiding.size), hiding.getchannel("A"))
    one, other = (resolved_plan(pictures.png(picture), SQUARE) for picture in (hiding, bare))
    assert one == other


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_subject_is_found_in_the_upright_picture(orientation: int) -> None:
    image = scene((800, 400), RIGHT)
    stored = pictures.jpeg(
        image if orientation == 1 else image.transpose(pictures.STORED[orientation]),
        exif=pictures.exif_block(orientation),
    )
    crop = resolved_plan(stored, SQUARE).crop
    assert crop is not None
    assert crop[0] > 300


def test_a_mirrored_picture_is_cut_on_the_other_side() -> None:
    image = scene((800, 400), RIGHT)
    crops = [resolved_plan(pictures.png(image), replace(SQUARE, turn=turn)).crop for turn in (1, 2)]
    assert crops[0]
    assert crops[1]
    assert crops[0][0] == pytest.approx(800 - crops[1][2], abs=8)


def test_a_jpeg_decoded_at_a_smaller_scale_is_cut_at_the_same_place() -> None:
    original = pictures.jpeg(pictures.photograph((2400, 1600)))
    lefts = []
    for edge, scale in ((60, 8), (125, 4), (250, 2), (1600, 1)):
        params = replace(SQUARE, width=edge, height=edge)
        assert decode(io.BytesIO(original), make_plan(original, params)).scale == scale
        crop = resolved_plan(original, params).crop
        assert crop is not None
        assert crop[2] - crop[0] == 1600
        lefts.append(crop[0])
    assert max(lefts) - min(lefts) <= 16  # two of the hundred steps of a position


def test_the_crop_of_a_jpeg_decoded_at_a_smaller_scale_matches_the_plan() -> None:
    original = pictures.jpeg(scene((1801, 1201), RIGHT))
    crop = resolved_plan(original, SQUARE).crop
    found = render_image(original, SQUARE)
    assert crop is not None
    wanted = scene((1801, 1201), RIGHT).resize((60, 60), Image.Resampling.LANCZOS, box=crop)
    assert psnr(found, wanted) > 35


def test_a_requested_crop_bounds_the_smart_crop() -> None:
    original = pictures.png(scene((900, 600), RIGHT))
    elsewhere = resolved_plan(original, replace(SQUARE, crop=Crop(0, 0, 450, 300, relative=False)))
    assert elsewhere.crop == (75.0, 0.0, 375.0, 300.0)
    crop = resolved_plan(original, replace(SQUARE, crop=Crop(300, 100, 600, 200, relative=False))).crop
    assert crop is not None
    assert (crop[1], crop[3], crop[2] - crop[0]) == (100, 300, 200)
    assert crop[0] <= 0.8 * 900
    assert 0.9 * 900 <= crop[2] <= 900


def test_a_border_is_trimmed_before_the_subject_is_located() -> None:
    # The white border around grey would attract the crop.
    image = Image.new("RGB", (1300, 700), (255, 255, 255))
    image.paste(scene((900, 600), RIGHT), (100, 50))
    params = replace(SQUARE, trim=0)
    plan = resolved_plan(pictures.png(image), params)
    alone = resolved_plan(pictures.png(scene((900, 600), RIGHT)), SQUARE)
    assert plan.crop
    assert alone.crop
    assert plan.crop == tuple(edge + (100, 50)[axis % 2] for axis, edge in enumerate(alone.crop))
    assert (plan.trim, plan.crop_bounds, plan.size) == (None, None, alone.size)


@pytest.mark.parametrize("fmt", ["webp", "gif"])
@pytest.mark.parametrize("trim", [None, 0])
def test_the_first_frame_of_an_animation_decides_the_crop(fmt: str, trim: int | None) -> None:
    # The object moves from right to left; the crop does not. Dots in two corners keep the trim from removing anything.
    frames = [scene((300, 100), (left, 0.3, left + 0.1, 0.6)) for left in (0.85, 0.45, 0.05)]
    for frame in frames:
        frame.putpixel((0, 0), pictures.BLUE)
        frame.putpixel((299, 99), pictures.BLUE)
    original = pictures.animated_gif(frames, [100, 100, 100])
    shown = decode_frames(variant(original, replace(SQUARE, format=fmt, trim=trim)).body)
    assert {one.image.size for one in shown} == {(60, 60)}
    red = [
        any(near(colour_at(one.image, x / 20, 0.45), pictures.RED, tolerance=60) for x in range(20)) for one in shown
    ]
    assert len(red) > 1
    assert red == [True] + [False] * (len(red) - 1)


def test_a_still_of_an_animation_has_the_crop_of_the_animation() -> None:
    frames = [scene((300, 100), spot) for spot in (RIGHT, LEFT)]
    original = pictures.animated_gif(frames, [100, 100])
    moving, still = (variant(original, replace(SQUARE, format="gif", still=still)) for still in (False, True))
    assert psnr(decode_frames(moving.body)[0].image, decode_frames(still.body)[0].image) > 30


def test_the_same_picture_always_gets_the_same_crop() -> None:
    original = pictures.jpeg(pictures.photograph((900, 500)))
    plan = make_plan(original, SQUARE)
    assert len({render(io.BytesIO(original), plan, FAST).body for _ in range(3)}) == 1


modes = st.sampled_from(["L", "LA", "RGB", "RGBA", "CMYK"])
edges = st.integers(1, 90)


@given(data=st.binary(min_size=1, max_size=64), mode=modes, size=st.tuples(edges, edges), share=st.floats(0.01, 1))
def test_a_position_is_from_0_to_100_for_any_pixels(data: bytes, mode: str, size: Size, share: float) -> None:
    image = Image.frombytes("L", size, (data * (size[0] * size[1]))[: size[0] * size[1]]).convert(mode)
    bounds: Box = (0, 0, *size)
    for crop, axis in (((0, 0, size[0] * share, size[1]), 0), ((0, 0, size[0], size[1] * share), 1)):
        position = locate_subject(image, bounds, crop)
        assert 0 <= position[axis] <= 100
        assert position[1 - axis] == 50


@given(
    size=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    box=st.tuples(st.integers(1, 400), st.integers(1, 400)),
    seed=st.integers(1, 99),
    enlarge=st.booleans(),
    trim=st.none() | st.just(3),
)
def test_the_crop_lies_in_the_picture_and_has_the_size_of_the_center_crop(
    size: Size, box: Size, seed: int, enlarge: bool, trim: int | None
) -> None:
    image = pictures.photograph(size)
    image.putpixel((seed * 7 % size[0], seed * 3 % size[1]), (255, 0, 0))
    params = replace(SMART, width=box[0], height=box[1], enlarge=enlarge, trim=trim)
    plan = resolved_plan(pictures.png(image), params)
    center = resolved_plan(pictures.png(image), replace(params, position=CENTER))
    assert (plan.size, plan.crop_bounds) == (center.size, None)
    assert (plan.crop is None) == (center.crop is None)
    if plan.crop and center.crop:
        left, top, right, bottom = plan.crop
        assert 0 <= left < right <= size[0]
        assert 0 <= top < bottom <= size[1]
        lengths = [[round(crop[axis + 2] - crop[axis], 2) for axis in (0, 1)] for crop in (plan.crop, center.crop)]
        assert lengths[0] == lengths[1]
