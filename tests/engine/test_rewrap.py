"""Rewrapping keeps the coded pixels of an original and nothing else from the file."""

import io
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageCms

from imgcdn.core.output.plan import plan_for
from imgcdn.core.request.params import Params
from imgcdn.core.values import EncodedImage
from imgcdn.engine.probe import probe
from imgcdn.engine.render import render
from imgcdn.engine.rewrap import rewrap_jpeg, rewrap_png
from imgcdn.errors import CorruptImage, ImageError
from tests.support import laden, pictures, profiles
from tests.support.paths import CORPUS, SAMPLES
from tests.support.planning import FAST, LIMITS
from tests.support.variants import MAX_PIXELS, decode_variant

BOTH = ("avif", "webp")


def _save(image: Image.Image, fmt: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, fmt, **options)
    return out.getvalue()


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _srgb() -> bytes:
    profile: bytes = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile


JPEGS = {
    "plain": pictures.jpeg(),
    "progressive": pictures.progressive_jpeg(),
    "grey": pictures.grey_jpeg(),
    "laden": laden.jpeg(),
    "two in one": pictures.mpo(),
    "with bytes after it": pictures.jpeg() + b"secret" * 9,
    "with restarts": _save(pictures.photograph(), "JPEG", restart_marker_rows=1),
    "red, green and blue": _save(pictures.chart(), "JPEG", keep_rgb=True),
    "with fill bytes": pictures.jpeg().replace(b"\xff\xc4", b"\xff\xff\xff\xc4", 1),
}
PNGS = {
    "plain": pictures.png(),
    "laden": laden.png(),
    "palette": pictures.palette_png(),
    "palette with alphas": pictures.palette_png_with_transparency(),
    "a transparent colour": pictures.keyed_png(),
    "alpha": pictures.rgba_png(),
    "grey": pictures.grey_png(),
    "grey and alpha": pictures.grey_alpha_png(),
    "one bit": pictures.bilevel_png(),
    "with bytes after it": pictures.png() + b"secret" * 9,
    "with a gamma": pictures.coded_png(pictures.chart(), gAMA=struct.pack(">I", 45_455)),
}


def _pixels(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _render(data: bytes, params: Params, client: tuple[str, ...] = (), *, keep_profile: bool = False) -> EncodedImage:
    file = io.BytesIO(data)
    limits = replace(LIMITS, keep_profile=keep_profile)
    return render(file, plan_for(probe(file, max_pixels=MAX_PIXELS), params, client, limits), FAST)


def _table(originals: dict[str, bytes]) -> list[object]:
    return [pytest.param(data, id=name) for name, data in originals.items()]


@pytest.mark.parametrize("data", _table(JPEGS))
def test_a_jpeg_keeps_its_pixels_and_nothing_else(data: bytes) -> None:
    body = rewrap_jpeg(data)
    assert body is not None
    assert len(body) <= len(data) + 2
    assert _pixels(body).tobytes() == _pixels(data).tobytes()
    assert not [secret for secret in laden.SECRETS if secret in body]
    found = Image.open(io.BytesIO(body))
    assert (found.format, body[-2:]) == ("JPEG", b"\xff\xd9")
    assert set(found.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density", "adobe", "adobe_transform"} | {
        "progressive",
        "progression",
    }


@pytest.mark.parametrize("data", _table(PNGS))
def test_a_png_keeps_its_pixels_and_nothing_else(data: bytes) -> None:
    body = rewrap_png(data)
    assert body is not None
    assert len(body) <= len(data)
    assert _pixels(body).tobytes() == _pixels(data).tobytes()
    assert not [secret for secret in laden.SECRETS if secret in body]
    assert set(Image.open(io.BytesIO(body)).info) <= {"transparency"}


def test_a_profile_is_written_when_one_is_given() -> None:
    long = profiles.display_p3() + bytes(100_000)
    for profile in (profiles.display_p3(), long):
        for rewrap, data in ((rewrap_jpeg, laden.jpeg()), (rewrap_png, laden.png())):
            body = rewrap(data, profile)
            assert body is not None
            assert Image.open(io.BytesIO(body)).info["icc_profile"] == profile
            assert _pixels(body).tobytes() == _pixels(data).tobytes()


def test_a_rewrapped_file_must_be_smaller_than_the_limit() -> None:
    for rewrap, data in ((rewrap_jpeg, pictures.jpeg()), (rewrap_png, pictures.png())):
        body = rewrap(data)
        assert body is not None
        assert rewrap(data, below=len(body)) is None
        assert rewrap(data, below=len(body) + 1) == body


def _with_chunk(name: bytes, content: bytes, *, before: bytes) -> bytes:
    data = pictures.palette_png()
    at = data.index(before) - 4
    return data[:at] + _chunk(name, content) + data[at:]


def _idat(data: bytes) -> bytes:
    """Make a PNG with the header of the chart and these compressed bytes."""
    png = pictures.png()
    return png[:33] + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(pictures.png(), id="png"),
        pytest.param(pictures.jpeg()[:-2], id="without its end"),
        pytest.param(pictures.cmyk_jpeg(), id="cmyk"),
        pytest.param(pictures.jpeg().replace(b"\xff\xc0", b"\xff\xc9", 1), id="arithmetic coding"),
        pytest.param(pictures.jpeg().replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc0\x00\x11\x0c", 1), id="12 bits"),
        pytest.param(b"\xff\xd8\xff\xd9", id="no picture"),
        pytest.param(pictures.jpeg().replace(b"\xff\xdb", b"\xff\xfe"), id="no tables"),
        pytest.param(b"\xff\xd8secret" + pictures.jpeg()[2:], id="bytes between its segments"),
    ],
)
def test_an_unusual_jpeg_is_not_rewrapped(data: bytes) -> None:
    assert rewrap_jpeg(data) is None


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(pictures.jpeg(), id="jpeg"),
        pytest.param(pictures.png()[:-12], id="without its end"),
        pytest.param(pictures.wide_grey_png(), id="16 bits"),
        pytest.param(pictures.apng([pictures.chart(), pictures.photograph()], [100, 100]), id="animated"),
        pytest.param(_with_chunk(b"ABCD", b"", before=b"IDAT"), id="an unknown critical chunk"),
        pytest.param(_with_chunk(b"tRNS", b"\0", before=b"IEND"), id="transparency after the pixels"),
        pytest.param(_with_chunk(b"PLTE", b"abc", before=b"IDAT"), id="two palettes"),
        pytest.param(pictures.png()[:-20] + b"\0" + pictures.png()[-19:], id="a wrong checksum"),
        pytest.param(_idat(zlib.compress(bytes(60 * 271)) + b"secret"), id="bytes hidden after the pixels"),
        pytest.param(_idat(zlib.compress(bytes(60 * 271))[:-5]), id="pixels cut short"),
        pytest.param(_idat(b"secret"), id="no pixels at all"),
        pytest.param(_idat(zlib.compress(bytes(1_000_000))), id="more data than its pixels"),
        pytest.param(pictures.png_header((90, 60)), id="no data for its pixels"),
    ],
)
def test_an_unusual_png_is_not_rewrapped(data: bytes) -> None:
    assert rewrap_png(data) is None


def test_metadata_between_scans_is_removed() -> None:
    data = pictures.progressive_jpeg()
    second = data.index(b"\xff\xda", data.index(b"\xff\xda") + 2)
    body = rewrap_jpeg(data[:second] + b"\xff\xfe\x00\x08secret" + data[second:])
    assert body == rewrap_jpeg(data)


@given(st.sampled_from([*JPEGS.values(), *PNGS.values()]), st.data())
@settings(max_examples=300, deadline=None)
def test_a_file_cut_anywhere_gives_nothing_or_its_pixels(data: bytes, draw: st.DataObject) -> None:
    cut = data[: draw.draw(st.integers(0, len(data)))]
    body = rewrap_jpeg(cut) or rewrap_png(cut)
    assert body is None or _pixels(body).tobytes() == _pixels(data).tobytes()


@given(st.sampled_from([*JPEGS.values(), *PNGS.values()]), st.data())
@settings(max_examples=300, deadline=None)
def test_a_file_with_a_wrong_byte_gives_nothing_or_a_picture_of_the_same_size(data: bytes, draw: st.DataObject) -> None:
    at = draw.draw(st.integers(0, len(data) - 1))
    broken = data[:at] + bytes([draw.draw(st.integers(0, 255))]) + data[at + 1 :]
    body = rewrap_jpeg(broken) or rewrap_png(broken)
    try:
        decoded = _render(broken, Params(format="png"))
    except ImageError:
        return  # the service refuses such a file before it would rewrap it
    if body is not None:
        assert _render(body, Params(format="png")).size == decoded.size


SMALL = _save(pictures.photograph((300, 200)), "JPEG", quality=20, exif=pictures.exif_block(1))


@pytest.mark.parametrize("client", [BOTH, ("webp",), ()], ids=["avif", "webp", "neither"])
def test_a_jpeg_that_would_grow_is_rewrapped(client: tuple[str, ...]) -> None:
    encoded = _render(SMALL, Params(q=95), client)
    assert (encoded.format, encoded.size, encoded.frames) == ("jpeg", (300, 200), 1)
    assert encoded.body == rewrap_jpeg(SMALL)
    assert decode_variant(encoded).tobytes() == Image.open(io.BytesIO(SMALL)).tobytes()


def test_a_png_that_would_grow_is_rewrapped() -> None:
    image = pictures.photograph().quantize(200)
    data = _save(image, "PNG", optimize=True)
    encoded = _render(data, Params(q=100), ("avif",))
    assert (encoded.format, len(encoded.body)) == ("png", len(rewrap_png(data) or b""))


@pytest.mark.parametrize(
    "params",
    [
        pytest.param(Params(q=30), id="a quality that gives a smaller file"),
        pytest.param(Params(q=95, width=299), id="one pixel smaller"),
        pytest.param(Params(q=95, turn=3), id="upside down"),
        pytest.param(Params(q=95, format="webp"), id="another format"),
        pytest.param(Params(q=95, blur=0.5), id="blurred"),
        pytest.param(Params(q=95, trim=0), id="trimmed"),
    ],
)
def test_a_request_that_changes_the_picture_is_encoded(params: Params) -> None:
    original = pictures.jpeg(pictures.photograph((300, 200)), quality=75) if params.q == 30 else SMALL
    encoded = _render(original, params)
    assert rewrap_jpeg(original) not in (None, encoded.body)


def _coded_p3(orientation: int = 1) -> bytes:
    return _save(
        pictures.photograph((300, 200)),
        "JPEG",
        quality=20,
        icc_profile=profiles.display_p3(),
        exif=pictures.exif_block(orientation),
    )


@pytest.mark.parametrize(
    ("original", "keep_profile", "rewrapped"),
    [
        pytest.param(_coded_p3(), False, False, id="converted colours"),
        pytest.param(_coded_p3(), True, True, id="unconverted colours"),
        pytest.param(_coded_p3(6), True, False, id="turned picture"),
        pytest.param(pictures.oriented_jpeg(3), False, False, id="upside-down picture"),
        pytest.param(pictures.cmyk_jpeg(), False, False, id="inks"),
        pytest.param(
            _save(pictures.photograph((300, 200)), "JPEG", quality=20, icc_profile=_srgb()),
            False,
            True,
            id="sRGB profile",
        ),
    ],
)
def test_a_rewrapped_file_is_sent_only_if_it_looks_the_same(
    original: bytes, keep_profile: bool, rewrapped: bool
) -> None:
    encoded = _render(original, Params(q=100, format="jpeg"), keep_profile=keep_profile)
    profile = profiles.display_p3() if keep_profile else b""
    assert (encoded.body == rewrap_jpeg(original, profile)) is rewrapped
    assert decode_variant(encoded).info.get("icc_profile", b"") == profile
    assert b"secret" not in encoded.body


def test_a_16_bit_grey_is_not_rewrapped() -> None:
    assert decode_variant(_render(pictures.wide_grey_png(), Params(format="png"))).mode == "L"


def _corpus(*suffixes: str) -> list[Path]:
    folders = [SAMPLES, *(CORPUS / name for name in ("photos", "exif", "icc", "formats", "corrupt", "animated"))]
    return sorted(path for folder in folders for path in folder.glob("*") if path.is_file() and _is(path, *suffixes))


def _is(path: Path, *signatures: str) -> bool:
    with path.open("rb") as file:
        return file.read(4).startswith(tuple(bytes.fromhex(signature) for signature in signatures))


@pytest.mark.parametrize(
    "path", [pytest.param(path, id=f"{path.parent.name}/{path.name}") for path in _corpus("ffd8ff", "89504e47")]
)
def test_a_file_of_the_corpus_keeps_its_pixels_or_is_not_rewrapped(path: Path) -> None:
    data = path.read_bytes()
    body = rewrap_jpeg(data) or rewrap_png(data)
    if body is None:
        return
    try:
        _render(data, Params(width=16, format="jpeg"))
    except CorruptImage:
        return  # the service refuses such a file before it would rewrap it
    before, after = Image.open(io.BytesIO(data)), Image.open(io.BytesIO(body))
    assert (after.size, after.mode) == (before.size, before.mode)
    assert ImageChops.difference(_pixels(body), _pixels(data)).getbbox(alpha_only=False) is None
    assert not [
        secret for secret in (b"Exif\0", b"http://ns.adobe.com", b"ICC_PROFILE\0", b"iCCP", b"tEXt") if secret in body
    ]
    assert rewrap_jpeg(body) == body or rewrap_png(body) == body
