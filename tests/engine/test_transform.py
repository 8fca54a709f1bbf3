import io
from dataclasses import replace

import pytest
from PIL import Image, ImageChops, ImageStat

from imgcdn.core.output.geometry import Crop, Fit
from imgcdn.core.output.plan import plan_for
from imgcdn.core.request.params import Params
from imgcdn.engine.decode import decode
from imgcdn.engine.probe import probe
from imgcdn.errors import InvalidParam
from tests.support import pictures
from tests.support.planning import LIMITS
from tests.support.variants import CRISP_Q, colour_at, decode_frames, near, render_image, variant


def _error(found: Image.Image, wanted: Image.Image) -> float:
    """Return the mean square difference over all bands."""
    stat = ImageStat.Stat(ImageChops.difference(found.convert("RGB"), wanted.convert("RGB")))
    return sum(stat.sum2) / sum(stat.count)


@pytest.mark.parametrize("width", [100, 200, 333, 640])
def test_a_scaled_decode_differs_little_from_the_full_decode(width: int) -> None:
    original = pictures.jpeg(pictures.photograph((803, 601)))
    full = Image.open(io.BytesIO(original)).convert("RGB")
    found = render_image(original, Params(width=width, format="png"))
    assert _error(found, full.resize(found.size, Image.Resampling.LANCZOS)) < 2.0


@pytest.mark.parametrize(
    ("params", "scale"),
    [
        pytest.param(Params(), 1, id="full size"),
        pytest.param(Params(width=175), 1, id="half would leave too few pixels"),
        pytest.param(Params(width=166), 2, id="half"),
        pytest.param(Params(width=83), 4, id="quarter"),
        pytest.param(Params(width=41), 8, id="eighth"),
        pytest.param(Params(width=10), 8, id="an eighth at least"),
        pytest.param(Params(width=41, height=600, fit=Fit.FILL), 1, id="the edge that is reduced least decides"),
        pytest.param(Params(width=125, height=125, fit=Fit.COVER), 2, id="a cover crop is measured by its own scale"),
        pytest.param(
            Params(width=83, crop=Crop(50, 0, 50, 50, relative=True)), 2, id="a crop is measured by its own scale"
        ),
        pytest.param(Params(width=83, height=600, fit=Fit.PAD), 4, id="a margin does not count"),
        pytest.param(Params(width=99, trim=0), 1, id="a trim needs the full size"),
    ],
)
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_jpeg_is_decoded_at_three_times_the_output_or_larger(params: Params, scale: int, orientation: int) -> None:
    file = io.BytesIO(pictures.oriented_jpeg(orientation, (1000, 750)))
    plan = plan_for(probe(file, max_pixels=10**6), params, (), LIMITS)
    picture = decode(file, plan)
    assert picture.scale == scale
    assert sorted(picture.image.size) == [-(-750 // scale), -(-1000 // scale)]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_scaled_decode_is_not_shifted_by_the_orientation(orientation: int) -> None:
    # One source pixel more than a multiple of 8: if the last, nearly empty pixel counted fully, the middle would shift.
    size = (1601, 1201)
    found = render_image(pictures.oriented_jpeg(orientation, size), Params(width=100, format="png"))
    wanted = pictures.chart(size).resize(found.size, Image.Resampling.LANCZOS)
    assert _error(found, wanted) < 12.0


@pytest.mark.parametrize(
    ("position", "kept"),
    [
        pytest.param((0, 50), pictures.RED, id="left"),
        pytest.param((100, 50), pictures.GREEN, id="right"),
    ],
)
def test_a_cover_crop_keeps_its_side(position: tuple[int, int], kept: tuple[int, int, int]) -> None:
    image = render_image(
        pictures.png(), Params(width=20, height=60, fit=Fit.COVER, position=position, format="png")
    ).convert("RGB")
    assert image.size == (20, 60)
    assert {image.getpixel((x, 10)) for x in (0, 10, 19)} == {kept}


def test_a_crop_may_end_between_pixels() -> None:
    # The crop has 3 of 4 pixels, centred, from 0.5 to 3.5: each output pixel is half of one pixel and half of the next.
    row = Image.new("L", (4, 1))
    for x, value in enumerate((0, 80, 160, 240)):
        row.putpixel((x, 0), value)
    wide = row.resize((4, 3), Image.Resampling.NEAREST)
    image = render_image(pictures.png(wide), Params(width=3, height=3, fit=Fit.COVER, format="png"))
    values = [image.convert("L").getpixel((x, 1)) for x in range(3)]
    assert values == pytest.approx([40, 120, 200], abs=12)


def test_equal_size_changes_no_pixel() -> None:
    original = pictures.photograph()
    found = render_image(pictures.png(original), Params(format="png"))
    assert ImageChops.difference(found, original).getbbox() is None


CORNERS = {"RED": (0.2, 0.2), "GREEN": (0.8, 0.2), "BLUE": (0.2, 0.8), "WHITE": (0.8, 0.8)}

# The corners of the chart after each turn, in reading order.
TURNED = [
    pytest.param(1, "RED GREEN BLUE WHITE", id="unchanged"),
    pytest.param(2, "GREEN RED WHITE BLUE", id="flip h"),
    pytest.param(3, "WHITE BLUE GREEN RED", id="rotate 180"),
    pytest.param(4, "BLUE WHITE RED GREEN", id="flip v"),
    pytest.param(5, "RED BLUE GREEN WHITE", id="rotate 90, flip h"),
    pytest.param(6, "BLUE RED WHITE GREEN", id="rotate 90"),
    pytest.param(7, "WHITE GREEN BLUE RED", id="rotate 90, flip v"),
    pytest.param(8, "GREEN WHITE RED BLUE", id="rotate 270"),
]


def _corners(image: Image.Image) -> str:
    """Name the colours of the four quarters in reading order."""
    names = []
    for across, down in CORNERS.values():
        found = colour_at(image, across, down)
        names += [name for name in CORNERS if near(found, getattr(pictures, name), tolerance=24)]
    return " ".join(names)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("turn", "expected"), TURNED)
def test_a_turn_comes_after_the_orientation(orientation: int, turn: int, expected: str) -> None:
    original = pictures.oriented_jpeg(
        orientation, (1001, 667)
    )  # decoded at a smaller scale, which does not divide the size
    image = render_image(original, Params(width=60, turn=turn, format="png"))
    assert image.size == ((60, 40) if turn < 5 else (60, 90))
    assert _corners(image) == expected


@pytest.mark.parametrize(
    ("original", "fmt"),
    [
        pytest.param(pictures.rgba_png(), "png", id="rgba png"),
        pytest.param(pictures.palette_png(), "webp", id="palette png"),
        pytest.param(pictures.grey_png(), "png", id="grey png"),
        pytest.param(pictures.gif(), "gif", id="gif"),
        pytest.param(pictures.cmyk_jpeg(), "jpeg", id="cmyk jpeg"),
    ],
)
def test_every_kind_passes_through_all_steps(original: bytes, fmt: str) -> None:
    everything = Params(
        width=50,
        height=70,
        fit=Fit.PAD,
        turn=6,
        trim=0,
        crop=Crop(0, 0, 90, 90, relative=True),
        blur=0.5,
        sharpen=1.0,
        format=fmt,
        background=(10, 20, 30, 200),
    )
    assert render_image(original, everything).size == (50, 70)


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize(
    ("crop", "expected", "size"),
    [
        pytest.param(Crop(0, 0, 45, 30, relative=False), pictures.RED, (45, 30), id="pixels"),
        pytest.param(Crop(45, 0, 9999, 30, relative=False), pictures.GREEN, (45, 30), id="partly outside"),
        pytest.param(Crop(0, 50, 50, 50, relative=True), pictures.BLUE, (45, 30), id="shares"),
        pytest.param(Crop(89, 59, 1, 1, relative=False), pictures.WHITE, (1, 1), id="last pixel"),
    ],
)
def test_a_crop_is_in_pixels_of_the_upright_picture(
    crop: Crop, expected: tuple[int, int, int], size: tuple[int, int], orientation: int
) -> None:
    image = render_image(pictures.oriented_png(orientation), Params(crop=crop, format="png"))
    assert image.size == size
    for across, down in [(0.0, 0.0), (0.99, 0.0), (0.0, 0.99), (0.99, 0.99)]:
        assert colour_at(image, across, down)[:3] == expected


def test_a_crop_is_in_pixels_of_the_turned_picture() -> None:
    # A quarter turn moves blue to the top left.
    image = render_image(pictures.png(), Params(turn=6, crop=Crop(0, 0, 30, 45, relative=False), format="png"))
    assert {colour_at(image, across, down)[:3] for across in (0, 0.99) for down in (0, 0.99)} == {pictures.BLUE}


def test_a_crop_of_a_jpeg_decoded_at_a_smaller_scale_is_at_the_requested_place() -> None:
    crop = Crop(400, 200, 201, 267, relative=False)
    found = render_image(pictures.jpeg(pictures.chart((1001, 667))), Params(width=50, crop=crop, format="png"))
    wanted = pictures.chart((1001, 667)).crop((400, 200, 601, 467)).resize(found.size, Image.Resampling.LANCZOS)
    assert _error(found, wanted) < 12.0


def _draw_border(colour: tuple[int, ...], mode: str = "RGB") -> Image.Image:
    """Draw the chart with a border: 20 pixels on the left, 10 above, 30 on the right and 40 below."""
    image = Image.new(mode, (140, 110), colour)
    image.paste(pictures.chart(), (20, 10))
    return image


@pytest.mark.parametrize(
    ("original", "tolerance"),
    [
        pytest.param(pictures.png(_draw_border((9, 9, 9))), 0, id="black, tolerance 0"),
        pytest.param(pictures.png(_draw_border((255, 255, 255))), 9, id="white next to nearly white"),
        pytest.param(pictures.png(_draw_border((255, 0, 255, 0), "RGBA")), 0, id="transparent"),
        pytest.param(pictures.png(_draw_border((9, 9, 9)).quantize(8)), 2, id="palette"),
        pytest.param(pictures.png(_draw_border((9, 9, 9)).convert("L")), 0, id="grey"),
    ],
)
def test_a_trim_removes_a_border(original: bytes, tolerance: int) -> None:
    image = render_image(original, Params(trim=tolerance, format="png"))
    assert image.size == pictures.SIZE
    assert colour_at(image, 0, 0)[:3] != colour_at(image, 0.99, 0)[:3]


@pytest.mark.parametrize("orientation", [1, 6, 8])
def test_a_border_of_a_jpeg_needs_some_tolerance(orientation: int) -> None:
    original = pictures.jpeg(_draw_border((128, 128, 128)), quality=80, exif=pictures.exif_block(orientation))
    image = render_image(original, Params(trim=40, format="png"))
    assert sorted(image.size) == pytest.approx([60, 90], abs=3)


def test_a_larger_tolerance_trims_more() -> None:
    steps = Image.new("L", (50, 10), 100)
    for x, value in ((20, 104), (30, 110)):
        steps.paste(value, (x, 0, x + 10, 10))
    found = [variant(pictures.png(steps), Params(trim=tolerance)).size for tolerance in (3, 4, 9, 10)]
    assert found == [
        (20, 10),
        (10, 10),
        (10, 10),
        (50, 10),
    ]  # with the last, everything is border: the whole picture is kept


def test_a_tolerance_of_255_covers_the_whole_range() -> None:
    half = Image.new("L", (20, 10), 0)
    half.paste(255, (10, 0, 20, 10))
    found = [variant(pictures.png(half), Params(trim=tolerance)).size for tolerance in (254, 255)]
    assert found == [(10, 10), (20, 10)]


def test_the_steps_after_a_trim_work_on_the_trimmed_picture() -> None:
    original = pictures.png(_draw_border((9, 9, 9)))
    crop = Crop(50, 0, 50, 50, relative=True)
    image = render_image(original, Params(width=30, height=30, fit=Fit.COVER, trim=0, crop=crop, format="png"))
    assert image.size == (30, 30)
    assert {colour_at(image, across, down)[:3] for across in (0, 0.99) for down in (0, 0.99)} == {pictures.GREEN}


def test_a_crop_outside_the_trimmed_picture_is_refused_with_the_nearest_one_inside() -> None:
    crop = Crop(95, 0, 30, 30, relative=False)
    with pytest.raises(InvalidParam) as caught:
        variant(pictures.png(_draw_border((9, 9, 9))), Params(trim=0, crop=crop))
    assert (caught.value.param, caught.value.nearest) == ("crop", "60,0,30,30")


@pytest.mark.parametrize("fmt", ["webp", "gif"])
def test_a_trim_removes_the_common_border_of_all_frames(fmt: str) -> None:
    frames = [Image.new("RGB", (100, 60), (9, 9, 9)) for _ in range(3)]
    for frame, left in zip(frames, (10, 30, 50), strict=True):
        frame.paste(pictures.RED, (left, 20, left + 20, 40))
    encoded = variant(pictures.animated_gif(frames, [100, 100, 100]), Params(trim=0, format=fmt))
    shown = decode_frames(encoded.body)
    assert encoded.size == shown[0].image.size == (60, 20)
    for place, one in enumerate(shown):
        seen = [near(colour_at(one.image, (x + 0.5) / 3, 0.5), pictures.RED, tolerance=40) for x in range(3)]
        assert seen == [x == place for x in range(3)]


def test_every_frame_passes_through_the_steps_of_a_still() -> None:
    frames = [pictures.chart(), pictures.chart().transpose(Image.Transpose.ROTATE_180)]
    params = Params(width=60, height=60, fit=Fit.PAD, turn=2, background=(9, 99, 9))
    shown = decode_frames(variant(pictures.animated_gif(frames, [100, 100]), params).body)
    for frame, expected in zip(shown, ("GREEN RED WHITE BLUE", "BLUE WHITE RED GREEN"), strict=True):
        assert frame.image.size == (60, 60)
        assert _corners(frame.image.crop((0, 10, 60, 50))) == expected
        assert near(colour_at(frame.image, 0.5, 0), (9, 99, 9))
        assert near(colour_at(frame.image, 0.5, 0.99), (9, 99, 9))


@pytest.mark.parametrize(
    ("params", "margin"),
    [
        pytest.param(Params(), (255, 255, 255, 255), id="white by default"),
        pytest.param(Params(background=(10, 120, 200)), (10, 120, 200, 255), id="requested colour"),
        pytest.param(Params(background=(10, 120, 200, 128)), (10, 120, 200, 128), id="half transparent"),
        pytest.param(Params(background=(0, 0, 0, 0)), (0, 0, 0, 0), id="clear"),
    ],
)
@pytest.mark.parametrize("original", [pictures.png(), pictures.opaque_rgba_png(), pictures.grey_png()])
def test_a_margin_fills_the_box(original: bytes, params: Params, margin: tuple[int, ...]) -> None:
    image = render_image(original, replace(params, width=60, height=60, fit=Fit.PAD, format="png"))
    assert image.size == (60, 60)
    assert {colour_at(image, across, down) for across in (0, 0.99) for down in (0, 0.15, 0.84, 0.99)} == {margin}
    assert colour_at(image, 0, 0.18)[3] == colour_at(image, 0.99, 0.82)[3] == 255


def test_a_margin_is_transparent_around_a_picture_with_transparency() -> None:
    image = render_image(pictures.rgba_png(), Params(width=60, height=60, fit=Fit.PAD, format="png"))
    assert {colour_at(image, across, down)[3] for across in (0, 0.99) for down in (0, 0.99)} == {0}
    assert near(colour_at(image, 0.2, 0.3), (*pictures.RED, 255))


def test_a_translucent_margin_lies_on_white_in_a_format_without_alpha() -> None:
    params = Params(width=60, height=60, fit=Fit.PAD, format="jpeg", background=(0, 100, 255, 51), q=CRISP_Q)
    image = render_image(pictures.rgba_png(), params)
    for across, down in ((0.5, 0.0), (0.5, 0.99), (0.8, 0.5)):  # margins, and the background of the transparent half
        assert near(colour_at(image, across, down), (204, 224, 255))


def test_a_translucent_background_replaces_transparency() -> None:
    image = render_image(pictures.rgba_png(), Params(format="png", background=(10, 120, 200, 128)))
    assert colour_at(image, 0.8, 0.8) == (10, 120, 200, 128)
    assert colour_at(image, 0.2, 0.2) == (*pictures.RED, 255)


def test_a_position_places_a_padded_picture() -> None:
    params = Params(width=60, height=60, fit=Fit.PAD, position=(50, 100), format="png", background=(9, 9, 9))
    image = render_image(pictures.png(), params)
    assert colour_at(image, 0.5, 0.3)[:3] == (9, 9, 9)
    assert _corners(image.crop((0, 20, 60, 60))) == "RED GREEN BLUE WHITE"
