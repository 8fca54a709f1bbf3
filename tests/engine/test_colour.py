import io
import struct
from dataclasses import replace
from itertools import pairwise

import pytest
from PIL import Image

from imgcdn.core.output.formats import FORMATS
from imgcdn.core.output.keys import variant_key
from imgcdn.core.output.plan import Plan, plan_for
from imgcdn.core.request.params import Params
from imgcdn.engine.probe import probe
from imgcdn.engine.render import render
from tests.support import pictures, profiles
from tests.support.planning import FAST, LIMITS
from tests.support.variants import CRISP_Q, MAX_PIXELS, colour_at, near, render_image

PATCH = (200, 100, 50)
# PATCH converted from Display P3 to sRGB; LittleCMS and a calculation by hand agree.
PATCH_OF_P3 = (215, 93, 31)


def _patch(mode: str = "RGB") -> Image.Image:
    return Image.new("RGB", (32, 32), PATCH).convert(mode)


def _hole(image: Image.Image) -> Image.Image:
    image.paste((*PATCH, 0)[: len(image.getbands())], (16, 0, 32, 32))
    return image


@pytest.mark.parametrize(
    ("original", "expected"),
    [
        pytest.param(pictures.png(_patch(), icc=profiles.display_p3()), PATCH_OF_P3, id="p3 is converted"),
        pytest.param(pictures.png(_hole(_patch("RGBA")), icc=profiles.display_p3()), PATCH_OF_P3, id="p3 with alpha"),
        pytest.param(pictures.png(_patch().quantize(4), icc=profiles.display_p3()), PATCH_OF_P3, id="p3 in a palette"),
        pytest.param(pictures.png(_patch()), PATCH, id="no profile is srgb"),
        pytest.param(pictures.png(_patch(), icc=b"broken"), PATCH, id="broken is srgb"),
        pytest.param(pictures.png(_patch(), icc=profiles.display_p3()[:200]), PATCH, id="cut short is srgb"),
        pytest.param(
            pictures.png(_patch(), icc=profiles.linear_grey()), PATCH, id="grey profile in a colour picture is ignored"
        ),
        pytest.param(
            pictures.png(_patch(), icc=profiles.strange_press()), PATCH, id="press profile in an rgb picture is ignored"
        ),
        pytest.param(pictures.png(Image.new("L", (32, 32), 128)), (128, 128, 128), id="grey without profile"),
        pytest.param(
            pictures.png(Image.new("L", (32, 32), 128), icc=profiles.linear_grey()), (188, 188, 188), id="linear grey"
        ),
        pytest.param(
            pictures.png(Image.new("LA", (32, 32), (128, 255)), icc=profiles.linear_grey()),
            (188, 188, 188),
            id="linear grey with alpha",
        ),
        pytest.param(
            pictures.png(Image.new("L", (32, 32), 128), icc=profiles.display_p3()),
            (128, 128, 128),
            id="grey with a colour profile that has srgb's curve",
        ),
        pytest.param(
            pictures.png(Image.new("L", (32, 32), 60), icc=profiles.gamma_18()),
            (77, 77, 77),
            id="grey with a colour profile is equal red, green and blue",
        ),
        pytest.param(
            pictures.jpeg(Image.new("L", (32, 32), 60), icc=profiles.gamma_18()),
            (77, 77, 77),
            id="grey jpeg with a colour profile",
        ),
        pytest.param(
            pictures.png(Image.new("LA", (32, 32), (60, 255)), icc=profiles.gamma_18()),
            (77, 77, 77),
            id="grey with alpha and a colour profile",
        ),
    ],
)
def test_pixels_come_out_in_srgb(original: bytes, expected: tuple[int, int, int]) -> None:
    assert near(colour_at(render_image(original, Params(format="png")), 0.2, 0.5), (*expected, 255), tolerance=2)


def test_a_profile_does_not_change_alpha() -> None:
    image = render_image(pictures.png(_hole(_patch("RGBA")), icc=profiles.display_p3()), Params(format="png"))
    assert colour_at(image, 0.9, 0.5)[3] == 0


@pytest.mark.parametrize(
    ("ink", "icc", "expected"),
    [
        pytest.param((0, 0, 0, 0), b"", (255, 255, 255), id="paper"),
        pytest.param((255, 0, 0, 0), b"", (0, 174, 239), id="cyan of a usual press"),
        pytest.param((0, 0, 0, 255), b"", (0, 0, 0), id="black ink alone is black"),
        pytest.param((0, 0, 0, 128), b"", (144, 147, 150), id="half of it is grey"),
        pytest.param((0, 255, 255, 0), b"", (237, 28, 36), id="red of a usual press"),
        pytest.param(
            (192, 174, 171, 204), b"", (20, 22, 23), id="a shadow of all inks is no darker than the press prints it"
        ),
        pytest.param((255, 255, 255, 255), b"", (0, 0, 0), id="all inks together are black"),
        pytest.param((0, 0, 0, 0), profiles.strange_press(), (255, 255, 255), id="paper of the press"),
        pytest.param((255, 0, 0, 0), profiles.strange_press(), (0, 185, 54), id="cyan of the press"),
        pytest.param(
            (255, 0, 0, 0), profiles.display_p3(), (0, 174, 239), id="rgb profile in a cmyk picture is ignored"
        ),
        pytest.param((255, 0, 0, 0), b"broken", (0, 174, 239), id="broken profile in a cmyk picture"),
    ],
)
def test_the_inverted_inks_of_adobe_have_the_right_colours(
    ink: tuple[int, int, int, int], icc: bytes, expected: tuple[int, int, int]
) -> None:
    original = pictures.jpeg(Image.new("CMYK", (32, 32), ink), icc=icc)
    assert near(colour_at(render_image(original, Params(format="png")), 0.5, 0.5), expected, tolerance=6)


@pytest.mark.parametrize(
    ("original", "mode"),
    [
        pytest.param(pictures.grey_jpeg(), "L", id="grey jpeg"),
        pytest.param(pictures.grey_png(), "L", id="grey png"),
        pytest.param(pictures.grey_png(profiles.linear_grey()), "L", id="grey png with a profile"),
        pytest.param(pictures.grey_alpha_png(), "LA", id="grey and alpha"),
        pytest.param(pictures.grey_alpha_png(profiles.linear_grey()), "LA", id="grey and alpha with a profile"),
        pytest.param(pictures.wide_grey_png(), "L", id="16-bit grey"),
        pytest.param(pictures.keyed_wide_grey_png(), "LA", id="16-bit grey with a colour key"),
        pytest.param(pictures.png(pictures.photograph().convert("RGBA")), "RGB", id="opaque alpha is dropped"),
    ],
)
def test_png_keeps_only_the_bands_that_matter(original: bytes, mode: str) -> None:
    assert render_image(original, Params(width=45, format="png")).mode == mode


def test_sixteen_bits_are_scaled_and_not_clipped() -> None:
    image = render_image(pictures.wide_grey_png(), Params(format="png")).convert("L")
    found = image.crop((0, 30, 90, 31)).tobytes()
    assert all(abs(value - 255 * x / 89) <= 1 for x, value in enumerate(found))


def test_a_palette_is_expanded_before_it_is_resized() -> None:
    stripes = Image.new("P", (64, 8))
    stripes.putpalette([0, 0, 0, 255, 255, 255])
    for x in range(0, 64, 2):
        stripes.paste(1, (x, 0, x + 1, 8))
    grey = colour_at(render_image(pictures.png(stripes), Params(width=16, format="png")), 0.5, 0.5)
    assert near(grey, (128, 128, 128), tolerance=10)


# How Chromium 156 paints the pixels PATCH in files that describe their colours with code points or numbers.
P3_PRIMARIES = (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
BT709_PRIMARIES = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)


def _gamma(value: int, primaries: tuple[int, ...] = ()) -> dict[str, bytes]:
    chunks = {"gAMA": struct.pack(">I", value)}
    return chunks | ({"cHRM": struct.pack(">8I", *primaries)} if primaries else {})


@pytest.mark.parametrize(
    ("original", "expected"),
    [
        pytest.param(pictures.coded_avif(_patch(), 1, 13), PATCH, id="avif srgb"),
        pytest.param(pictures.coded_avif(_patch(), 2, 2), PATCH, id="avif without code points"),
        pytest.param(pictures.coded_avif(_patch(), 1, 1), PATCH, id="avif with the curve of television"),
        pytest.param(pictures.coded_avif(_patch(), 12, 13), PATCH_OF_P3, id="avif display p3"),
        pytest.param(pictures.coded_avif(_patch(), 9, 14), (241, 76, 29), id="avif bt.2020"),
        pytest.param(pictures.coded_avif(_patch(), 6, 13), (196, 102, 49), id="avif ntsc"),
        pytest.param(pictures.coded_avif(_patch(), 1, 4), (201, 100, 46), id="avif gamma 2.2"),
        pytest.param(pictures.coded_avif(_patch(), 1, 8), (229, 168, 122), id="avif linear"),
        pytest.param(pictures.coded_png(_patch(), cICP=bytes([12, 13, 0, 1])), PATCH_OF_P3, id="png display p3"),
        pytest.param(
            pictures.coded_png(_patch(), cICP=bytes([12, 13, 1, 1])), PATCH, id="png with cICP that is not rgb"
        ),
        pytest.param(
            pictures.coded_png(_patch(), cICP=bytes([1, 13, 0, 1]), **_gamma(100_000)),
            PATCH,
            id="code points take precedence over gamma",
        ),
        pytest.param(pictures.coded_png(_patch(), **_gamma(100_000)), (229, 168, 122), id="png gamma"),
        pytest.param(pictures.coded_png(_patch(), **_gamma(45_455)), PATCH, id="png gamma that means srgb"),
        pytest.param(
            pictures.coded_png(_patch(), **_gamma(45_455, BT709_PRIMARIES)), PATCH, id="png gamma and primaries of srgb"
        ),
        pytest.param(
            pictures.coded_png(_patch(), **_gamma(45_455, P3_PRIMARIES)), (216, 93, 24), id="png gamma and primaries"
        ),
        pytest.param(
            pictures.coded_png(_patch(), cHRM=struct.pack(">8I", *P3_PRIMARIES)), PATCH, id="png primaries alone"
        ),
        pytest.param(
            pictures.coded_png(_patch(), sRGB=b"\0", **_gamma(100_000)), PATCH, id="sRGB takes precedence over gamma"
        ),
        pytest.param(pictures.coded_png(_patch(), **_gamma(0)), PATCH, id="gamma 0 is ignored"),
        pytest.param(pictures.coded_png(_patch(), **_gamma(100_000, (0,) * 8)), PATCH, id="invalid primaries"),
        pytest.param(
            pictures.coded_png(Image.new("L", (32, 32), 128), **_gamma(100_000)), (188, 188, 188), id="grey png gamma"
        ),
    ],
)
def test_colours_without_a_profile_look_as_in_a_browser(original: bytes, expected: tuple[int, int, int]) -> None:
    assert near(colour_at(render_image(original, Params(format="png")), 0.5, 0.5), expected, tolerance=3)


@pytest.mark.parametrize("level", [32, 64, 96, 128, 148, 160, 192, 224])
@pytest.mark.parametrize(
    ("transfer", "painted"),
    [
        pytest.param(16, {32: 5, 64: 30, 96: 70, 128: 132, 148: 187, 160: 213, 192: 255, 224: 255}, id="pq"),
        pytest.param(18, {32: 14, 64: 43, 96: 71, 128: 99, 148: 120, 160: 135, 192: 189, 224: 228}, id="hlg"),
    ],
)
@pytest.mark.parametrize("kind", ["avif", "png"])
def test_high_dynamic_range_is_as_bright_as_in_a_browser(
    kind: str, transfer: int, painted: dict[int, int], level: int
) -> None:
    grey = Image.new("RGB", (16, 16), (level,) * 3)
    original = (
        pictures.coded_avif(grey, 9, transfer)
        if kind == "avif"
        else pictures.coded_png(grey, cICP=bytes([9, transfer, 0, 1]))
    )
    assert near(colour_at(render_image(original, Params(format="png")), 0.5, 0.5), (painted[level],) * 3, tolerance=3)


@pytest.mark.parametrize("fmt", FORMATS)
def test_cmyk_pictures_have_the_right_colours_in_every_format(fmt: str) -> None:
    image = render_image(pictures.cmyk_jpeg(), Params(width=45, format=fmt, q=CRISP_Q))
    red, green, blue, white = (
        colour_at(image, across, down) for across, down in ((0.2, 0.2), (0.8, 0.2), (0.2, 0.8), (0.8, 0.8))
    )
    assert red[0] > 2 * max(red[1:3])
    assert green[1] > 1.2 * max(green[0], green[2])
    assert blue[2] > 1.2 * max(blue[0], blue[1])
    assert near(white, pictures.WHITE)


def _render_with_profile_kept(original: bytes, params: Params) -> Image.Image:
    facts = probe(io.BytesIO(original), max_pixels=MAX_PIXELS)
    plan = plan_for(facts, params, (), replace(LIMITS, keep_profile=True))
    image = Image.open(io.BytesIO(render(io.BytesIO(original), plan, FAST).body))
    image.load()
    return image


P3_PNG = pictures.png(_patch(), icc=profiles.display_p3())


@pytest.mark.parametrize("fmt", ["jpeg", "png", "webp", "avif"])
@pytest.mark.parametrize("q", [75, CRISP_Q])
def test_unconverted_pixels_keep_their_profile(fmt: str, q: int) -> None:
    image = _render_with_profile_kept(P3_PNG, Params(format=fmt, q=q))
    assert near(colour_at(image, 0.5, 0.5), PATCH, tolerance=6)
    assert image.info["icc_profile"] == profiles.display_p3()


@pytest.mark.parametrize(
    ("original", "params", "mode", "expected"),
    [
        pytest.param(
            pictures.grey_png(profiles.linear_grey()), Params(format="png"), "L", True, id="grey profile in a grey png"
        ),
        pytest.param(
            pictures.grey_jpeg(profiles.linear_grey()),
            Params(format="jpeg"),
            "L",
            True,
            id="grey profile in a grey jpeg",
        ),
        pytest.param(
            pictures.grey_alpha_png(profiles.linear_grey()),
            Params(format="png"),
            "LA",
            True,
            id="grey profile with alpha",
        ),
        pytest.param(
            pictures.grey_png(profiles.linear_grey()),
            Params(format="webp"),
            "RGB",
            False,
            id="grey profile, but webp has colour pixels",
        ),
        pytest.param(
            pictures.grey_alpha_png(profiles.linear_grey()),
            Params(format="jpeg"),
            "RGB",
            False,
            id="grey profile, but a background was added",
        ),
        pytest.param(
            pictures.grey_png(profiles.display_p3()), Params(format="png"), "L", False, id="profile for another mode"
        ),
        pytest.param(pictures.png(icc=b"broken"), Params(format="webp"), "RGB", False, id="broken"),
        pytest.param(pictures.cmyk_jpeg(profiles.strange_press()), Params(format="jpeg"), "RGB", False, id="inks"),
        pytest.param(P3_PNG, Params(format="gif"), None, False, id="gif"),
        pytest.param(pictures.png(), Params(format="webp"), "RGB", False, id="no profile"),
        pytest.param(
            pictures.png(_hole(_patch("RGBA")), icc=profiles.display_p3()),
            Params(format="jpeg", background=pictures.GREEN),
            "RGB",
            False,
            id="composited on an sRGB colour",
        ),
        pytest.param(
            pictures.png(_patch().quantize(4), icc=profiles.display_p3()), Params(format="png"), "P", True, id="palette"
        ),
        pytest.param(
            pictures.coded_avif(_patch(), 12, 13),
            Params(format="webp"),
            "RGB",
            True,
            id="profile made from code points",
        ),
    ],
)
def test_a_profile_is_kept_only_with_the_pixels_that_it_describes(
    original: bytes, params: Params, mode: str | None, *, expected: bool
) -> None:
    image = _render_with_profile_kept(original, params)
    assert mode is None or image.mode == mode
    assert ("icc_profile" in image.info) == expected


def test_an_animation_keeps_its_profile() -> None:
    out = io.BytesIO()
    first, second = _patch(), Image.new("RGB", (32, 32), pictures.GREEN)
    first.save(
        out,
        "WEBP",
        save_all=True,
        append_images=[second],
        duration=50,
        lossless=True,
        icc_profile=profiles.display_p3(),
    )
    image = _render_with_profile_kept(out.getvalue(), Params(format="webp", q=CRISP_Q))
    assert image.info["icc_profile"] == profiles.display_p3()
    assert near(colour_at(image, 0.5, 0.5), PATCH, tolerance=6)


def test_unconverted_and_converted_pictures_have_different_keys() -> None:
    facts = probe(io.BytesIO(P3_PNG), max_pixels=MAX_PIXELS)
    plans: list[Plan] = [
        plan_for(facts, Params(format="webp"), (), replace(LIMITS, keep_profile=keep)) for keep in (False, True)
    ]
    assert len({variant_key("0" * 64, plan) for plan in plans}) == 2


def test_a_profile_made_from_code_points_always_has_the_same_bytes() -> None:
    first, second = (
        _render_with_profile_kept(pictures.coded_avif(_patch(), 9, 16), Params(format="png")) for _ in range(2)
    )
    assert first.info["icc_profile"] == second.info["icc_profile"]


def test_black_ink_over_other_inks_never_makes_a_pixel_lighter() -> None:
    """Black ink alone is converted differently; between it and the rest no step must show."""
    for black in (128, 180, 220, 240, 255):
        ramp = Image.merge("CMYK", [*[Image.linear_gradient("L")] * 3, Image.new("L", (256, 256), black)])
        body = pictures.jpeg(ramp, quality=100)
        column = render_image(body, Params(format="png")).convert("L").crop((128, 0, 129, 256))
        levels = list(column.tobytes())
        assert all(following <= level + 3 for level, following in pairwise(levels)), black
