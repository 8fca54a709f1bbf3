import io
import warnings
from collections.abc import Callable

import pytest

from imgcdn.core.values import Facts
from imgcdn.engine.probe import probe
from imgcdn.errors import CorruptImage, ImageError, ImageTooLarge, UnsupportedImage
from tests.support import pictures
from tests.support.variants import MAX_PIXELS

TWO = [pictures.chart(), pictures.chart().rotate(180)]
MS = [100, 100]


def _probe(data: bytes, max_pixels: int = MAX_PIXELS) -> Facts:
    return probe(io.BytesIO(data), max_pixels=max_pixels)


@pytest.mark.parametrize(
    ("original", "expected"),
    [
        pytest.param(pictures.jpeg(), Facts("jpeg", (90, 60), 1, False), id="jpeg"),
        pytest.param(pictures.grey_jpeg(), Facts("jpeg", (90, 60), 1, False), id="grey jpeg"),
        pytest.param(pictures.cmyk_jpeg(), Facts("jpeg", (90, 60), 1, False), id="cmyk jpeg"),
        pytest.param(pictures.mpo(), Facts("jpeg", (90, 60), 1, False), id="two jpegs in one are one still"),
        pytest.param(pictures.png(), Facts("png", (90, 60), 1, False), id="png"),
        pytest.param(pictures.rgba_png(), Facts("png", (90, 60), 1, True), id="rgba png"),
        pytest.param(pictures.opaque_rgba_png(), Facts("png", (90, 60), 1, True), id="opaque rgba png"),
        pytest.param(pictures.grey_alpha_png(), Facts("png", (90, 60), 1, True), id="grey and alpha png"),
        pytest.param(pictures.palette_png(), Facts("png", (90, 60), 1, False), id="palette png"),
        pytest.param(pictures.palette_png_with_transparency(), Facts("png", (90, 60), 1, True), id="palette with tRNS"),
        pytest.param(pictures.keyed_png(), Facts("png", (90, 60), 1, True), id="colour key"),
        pytest.param(pictures.wide_grey_png(), Facts("png", (90, 60), 1, False), id="16-bit grey"),
        pytest.param(pictures.bilevel_png(), Facts("png", (90, 60), 1, False), id="1 bit"),
        pytest.param(pictures.apng(TWO, MS), Facts("png", (90, 60), 2, False), id="apng"),
        pytest.param(
            pictures.apng([*TWO, TWO[0]], MS, default=True),
            Facts("png", (90, 60), 2, False),
            id="apng whose default image is not a frame",
        ),
        pytest.param(pictures.gif(), Facts("gif", (90, 60), 1, False), id="gif"),
        pytest.param(pictures.gif_with_hole(), Facts("gif", (90, 60), 1, True), id="gif with a hole"),
        pytest.param(
            pictures.animated_gif(TWO, MS), Facts("gif", (90, 60), 2, True), id="any animated gif counts as transparent"
        ),
        pytest.param(pictures.webp(), Facts("webp", (90, 60), 1, False), id="webp"),
        pytest.param(pictures.webp_with_hole(), Facts("webp", (90, 60), 1, True), id="webp with alpha"),
        pytest.param(pictures.animated_webp(TWO, MS), Facts("webp", (90, 60), 2, False), id="animated webp"),
        pytest.param(pictures.avif(), Facts("avif", (90, 60), 1, False), id="avif"),
        pytest.param(pictures.avif_with_hole(), Facts("avif", (90, 60), 1, True), id="avif with alpha"),
        pytest.param(pictures.animated_avif(TWO, MS), Facts("avif", (90, 60), 2, False), id="avif sequence"),
    ],
)
def test_a_header_has_these_facts(original: bytes, expected: Facts) -> None:
    assert _probe(original) == expected


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    "draw",
    [pictures.oriented_jpeg, pictures.oriented_png, pictures.oriented_webp, pictures.oriented_avif],
    ids=["jpeg", "png", "webp", "avif"],
)
def test_the_size_is_that_of_the_upright_picture(draw: Callable[[int], bytes], orientation: int) -> None:
    assert _probe(draw(orientation)).size == pictures.SIZE


@pytest.mark.parametrize(
    "original",
    [
        pytest.param(pictures.jpeg(exif=pictures.broken_exif_block()), id="directory outside the block"),
        pytest.param(pictures.jpeg(exif=b"Exif\x00\x00"), id="empty block"),
        pytest.param(pictures.jpeg(exif=b"Exif\x00\x00nonsense"), id="no byte order"),
        pytest.param(pictures.jpeg(exif=pictures.exif_block(0)), id="orientation 0"),
        pytest.param(pictures.jpeg(exif=pictures.exif_block(9)), id="orientation 9"),
    ],
)
def test_broken_exif_is_ignored(original: bytes) -> None:
    assert _probe(original).size == pictures.SIZE


@pytest.mark.parametrize(
    ("original", "named"),
    [
        pytest.param(b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "HEIC", id="heic"),
        pytest.param(b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1heic", "HEIC", id="heic with a neutral major brand"),
        pytest.param(b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1heicavif", "HEIC", id="a brand after the box"),
        pytest.param(b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp41", "video", id="mp4"),
        pytest.param(b"\x00\x00\x00\x0cftyp", "video", id="a box that ends at once"),
        pytest.param(b"\xff\x0a\xfa\x1f", "JPEG XL", id="jpeg xl codestream"),
        pytest.param(b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL", id="jpeg xl container"),
        pytest.param(b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG 2000", id="jpeg 2000"),
        pytest.param(b"II*\x00\x08\x00\x00\x00", "TIFF", id="tiff"),
        pytest.param(b"BM\x00\x00\x00\x00", "BMP", id="bmp"),
        pytest.param(b"\x00\x00\x01\x00\x01\x00", "ICO", id="ico"),
        pytest.param(b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG", id="svg"),
        pytest.param(b"\xef\xbb\xbf  <svg/>", "SVG", id="svg after a byte order mark"),
        pytest.param(b"<!DOCTYPE html><html><body>Not found", "HTML", id="html"),
        pytest.param(b"<?xml version='1.0'?><rss/>", "XML", id="other xml"),
        pytest.param(b"%PDF-1.7\n", "PDF", id="pdf"),
        pytest.param(b"RIFF\x00\x00\x00\x00AVI ", "not an image", id="avi"),
        pytest.param(b"hello, world", "not an image", id="text"),
        pytest.param(b"", "not an image", id="nothing"),
    ],
)
def test_the_error_about_an_unsupported_kind_names_the_kind(original: bytes, named: str) -> None:
    with pytest.raises(UnsupportedImage, match=named):
        _probe(original)


@pytest.mark.parametrize(
    "original",
    [
        pytest.param(b"\xff\xd8\xff\xe0", id="jpeg"),
        pytest.param(b"\x89PNG\r\n\x1a\n", id="png"),
        pytest.param(b"GIF89a", id="gif"),
        pytest.param(b"RIFF\xff\x00\x00\x00WEBPVP8 ", id="webp"),
        pytest.param(b"\x00\x00\x00\x18ftypavif\x00\x00\x00\x00mif1avif", id="avif"),
        pytest.param(b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1avif", id="avif with a neutral major brand"),
        pytest.param(pictures.jpeg()[:300], id="jpeg header cut off"),
        pytest.param(pictures.png()[:20], id="png header cut off"),
        pytest.param(pictures.png_header((0, 10)), id="no width"),
        pytest.param(pictures.png_without_its_palette(), id="png without its palette"),
    ],
)
def test_a_file_of_a_supported_kind_that_does_not_open_is_corrupt(original: bytes) -> None:
    with pytest.raises(CorruptImage):
        _probe(original)


@pytest.mark.parametrize(
    ("size", "max_pixels"),
    [
        pytest.param((101, 100), 10_000, id="just above the limit"),
        pytest.param((10_000, 10_000), MAX_PIXELS, id="above pillow's warning"),
        pytest.param((20_000, 20_000), MAX_PIXELS, id="above pillow's error"),
        pytest.param((2**31 - 1, 2**31 - 1), MAX_PIXELS, id="as large as a png can say"),
    ],
)
def test_more_pixels_than_the_limit_are_refused(size: tuple[int, int], max_pixels: int) -> None:
    with pytest.raises(ImageTooLarge) as caught:
        _probe(pictures.png_header(size), max_pixels)
    assert caught.value.members == {"limit": max_pixels, "unit": "pixels"}


def test_exactly_the_limit_of_pixels_is_allowed() -> None:
    assert _probe(pictures.png_header((100, 100)), 10_000).size == (100, 100)


def test_a_limit_above_that_of_pillow_causes_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert _probe(pictures.png_header((10_000, 10_000)), 150_000_000).size == (10_000, 10_000)


def test_an_animation_over_the_limit_is_a_still_of_its_first_frame() -> None:
    original = pictures.animated_gif(TWO, MS)
    assert _probe(original, 2 * 90 * 60).frames == 2
    above = _probe(original, 2 * 90 * 60 - 1)
    assert (above.frames, above.all_frames) == (1, 2)


def test_an_animation_whose_frame_is_over_the_limit_is_refused() -> None:
    with pytest.raises(ImageTooLarge):
        _probe(pictures.animated_gif(TWO, MS), 90 * 60 - 1)


def test_a_probe_decodes_nothing() -> None:
    # The header is complete and there are no pixels, so decoding would raise.
    whole = pictures.png(pictures.photograph((400, 300)))
    assert _probe(whole[:2000]).size == (400, 300)


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_file_cut_anywhere_gives_facts_or_one_of_our_errors(orientation: int) -> None:
    whole = pictures.oriented_jpeg(orientation)
    for length in range(0, len(whole), 7):
        try:
            assert _probe(whole[:length]).size == pictures.SIZE
        except ImageError:
            continue


def test_a_jpeg_with_hundreds_of_scans_is_not_decoded() -> None:
    original = pictures.progressive_jpeg()
    last = original.rindex(b"\xff\xda")
    scan = original[last:-2]
    assert _probe(original, 10**6).frames == 1
    with pytest.raises(CorruptImage, match="more than 200 scans"):
        _probe(original[:-2] + 300 * scan + b"\xff\xd9", 10**6)


def test_a_sequential_jpeg_whose_scans_are_repeated_is_not_decoded_either() -> None:
    original = pictures.jpeg_with_a_scan_for_each_component()
    assert _probe(original, 10**6).size == pictures.SIZE
    repeated = original[original.index(b"\xff\xda") : -2]
    with pytest.raises(CorruptImage, match="more than 200 scans"):
        _probe(original[:-2] + 100 * repeated + b"\xff\xd9", 10**6)


def test_scans_behind_one_that_has_all_components_are_not_read() -> None:
    original = pictures.jpeg()
    scan = original[original.index(b"\xff\xda") : -2]
    assert _probe(original[:-2] + 300 * scan + b"\xff\xd9", 10**6).frames == 1


def test_thousands_of_tiny_frames_are_a_still() -> None:
    frame = b"\x21\xf9\x04\0\x05\0\0\0\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0"
    start = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff"
    facts = _probe(start + 7_000 * frame + b"\x3b", 64_000_000)
    assert (facts.frames, facts.all_frames) == (1, 7_000)
