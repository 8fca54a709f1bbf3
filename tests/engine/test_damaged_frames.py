"""Animations with damage in a frame, and GIFs and animated WebP whose damage is not at their end."""

import io
import struct
from collections.abc import Callable

import pytest
from PIL import Image

from imgcdn.core.request.params import Params
from imgcdn.engine.gif_blocks import IMAGE, blocks, table_bytes
from imgcdn.engine.webp_chunks import FILE_HEAD_BYTES, FRAME, chunk_of, chunks
from imgcdn.errors import CorruptImage
from tests.support import pictures
from tests.support.variants import decode_frames, decode_variant, psnr, render_image, variant

_FULL = Params(format="png")
_SIZE = (64, 48)


def _photograph() -> Image.Image:
    return pictures.photograph(_SIZE).quantize(32).convert("RGB")


def _animated_gif() -> bytes:
    return pictures.animated_gif([_photograph().rotate(90 * step) for step in range(4)], [100] * 4)


def _still_gif() -> bytes:
    return pictures.saved(pictures.photograph(_SIZE).quantize(32), "GIF", interlace=0)


def _codes(data: bytes, frame: int) -> int:
    """Return where the code size of a frame is. Its sub-blocks follow."""
    start = [block.start for block in blocks(data) if block.kind == IMAGE][frame]
    return start + 10 + table_bytes(data[start + 9])


def _with_bytes(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def _wrong_codes(data: bytes, frame: int) -> bytes:
    return _with_bytes(data, _codes(data, frame) + 150, b"\xff" * 20)


def _empty_block_too_early(data: bytes, frame: int) -> bytes:
    first = _codes(data, frame) + 1
    return _with_bytes(data, first + 1 + data[first], b"\0")


def _few_codes(data: bytes, frame: int) -> bytes:
    """Leave out all but a part of the first sub-block."""
    end = [block.end for block in blocks(data) if block.kind == IMAGE][frame]
    first = _codes(data, frame) + 1
    return data[:first] + b"\x50" + data[first + 1 : first + 0x51] + b"\0" + data[end:]


def _cut_with_a_sound_end(data: bytes, frame: int) -> bytes:
    first = _codes(data, frame) + 1
    return data[:first] + b"\x50" + data[first + 1 : first + 0x51] + b"\0\x3b"


_DAMAGES = (_wrong_codes, _empty_block_too_early, _few_codes, _cut_with_a_sound_end)

_by_damage = pytest.mark.parametrize("damage", _DAMAGES, ids=lambda damage: damage.__name__.strip("_"))


@_by_damage
@pytest.mark.parametrize("frame", [2, 3])
def test_an_animated_gif_has_the_frames_before_a_damaged_one(damage: Callable[[bytes, int], bytes], frame: int) -> None:
    sound, damaged = (variant(data, Params(format="gif")) for data in (_animated_gif(), damage(_animated_gif(), frame)))
    whole, left = decode_frames(sound.body), decode_frames(damaged.body)
    assert (damaged.partial, damaged.frames, len(left)) == (True, frame, frame)
    assert [shown.image.tobytes() for shown in left] == [shown.image.tobytes() for shown in whole[:frame]]


@_by_damage
@pytest.mark.parametrize("fmt", ["gif", "webp"])
def test_of_a_damaged_first_frame_what_there_is_is_shown(damage: Callable[[bytes, int], bytes], fmt: str) -> None:
    encoded = variant(damage(_animated_gif(), 0), Params(format=fmt))
    assert (encoded.partial, encoded.frames) == (True, 1)
    top = (0, 0, _SIZE[0], 1)
    image = decode_variant(encoded).convert("RGBA")
    assert psnr(image.crop(top).convert("RGB"), _photograph().crop(top)) > 20
    assert image.getchannel("A").getextrema() == (0, 255)


@_by_damage
def test_a_still_gif_with_damage_has_the_rows_above(damage: Callable[[bytes, int], bytes]) -> None:
    whole = render_image(_still_gif(), _FULL).convert("RGBA")
    encoded = variant(damage(_still_gif(), 0), _FULL)
    image = decode_variant(encoded).convert("RGBA")
    assert encoded.partial
    assert image.crop((0, 0, _SIZE[0], 1)).tobytes() == whole.crop((0, 0, _SIZE[0], 1)).tobytes()
    assert image.getpixel((63, 47))[3] == 0  # type: ignore[index]  # RGBA


def test_a_border_is_removed_from_the_frames_before_a_damaged_one() -> None:
    frames = [Image.new("RGB", (64, 48), "white") for _ in range(4)]
    for step, frame in enumerate(frames):
        frame.paste(_photograph().rotate(90 * step).crop((0, 0, 40, 30)), (10, 8))
    encoded = variant(_wrong_codes(pictures.animated_gif(frames, [100] * 4), 2), Params(format="gif", trim=10))
    assert (encoded.size, encoded.frames, encoded.partial) == ((40, 30), 2, True)


@pytest.mark.parametrize("size", [b"\0", b"\x09", b"\x0d"])
def test_a_frame_with_a_code_size_of_no_codes_is_damaged(size: bytes) -> None:
    original = _with_bytes(_animated_gif(), _codes(_animated_gif(), 2), size)
    encoded = variant(original, Params(format="gif"))
    assert (encoded.frames, encoded.partial) == (2, True)


@pytest.mark.parametrize("count", [b"\0", b"\x03", b"\x05"])
def test_no_frame_follows_a_control_extension_of_another_length(count: bytes) -> None:
    data = _animated_gif()
    control = data.rindex(b"\x21\xf9\x04")
    encoded = variant(_with_bytes(data, control + 2, count), Params(format="gif"))
    assert (encoded.frames, encoded.partial) == (3, True)


@pytest.mark.parametrize("missing", [1, 2])
def test_a_gif_that_lacks_no_pixel_is_whole(missing: int) -> None:
    encoded = variant(_still_gif()[:-missing], _FULL)
    assert not encoded.partial
    assert decode_variant(encoded).tobytes() == render_image(_still_gif(), _FULL).tobytes()


def test_rows_below_the_first_pass_of_an_interlaced_gif_are_transparent() -> None:
    data = pictures.saved(pictures.photograph(_SIZE).quantize(32), "GIF", interlace=1)
    clear = []
    for codes in (30, 150, 1000):
        image = decode_variant(variant(data[: _codes(data, 0) + codes], _FULL)).convert("RGBA")
        clear.append(sum(image.getpixel((0, row))[3] == 0 for row in range(48)))  # type: ignore[index]  # RGBA
    assert clear[0] == 47
    assert 0 < clear[1] < 47
    assert clear[2] == 0


def test_a_frame_that_is_much_too_large_ends_an_animation() -> None:
    data = _animated_gif()
    start = [block.start for block in blocks(data) if block.kind == IMAGE][2]
    encoded = variant(_with_bytes(data, start + 5, b"\xff\xff\xff\xff"), Params(format="webp"))
    assert (encoded.frames, encoded.partial) == (2, True)


def test_a_first_frame_without_codes_is_corrupt() -> None:
    first = _codes(_animated_gif(), 0) + 1
    with pytest.raises(CorruptImage):
        variant(_animated_gif()[:first] + b"\0\x3b", _FULL)


def test_blocks_of_a_file_of_any_bytes_are_found_once_and_in_order() -> None:
    for data in (b"", b"GIF89a", b"\x21" * 5000, b"\x2c" * 5000, b"GIF89a" + bytes(range(256)) * 40):
        ends = [(block.start, block.end) for block in blocks(data)]
        assert all(start < end <= len(data) for start, end in ends)
        assert ends == sorted(ends)


def _wrong_pixels(data: bytes, share: float) -> bytes:
    """Damage a lossless WebP, at a share of it or behind that, so that libwebp finds an error."""
    damaged = (_with_bytes(data, at, b"\xff" * 16) for at in range(int(share * len(data)), len(data) - 16, 16))
    return next(each for each in damaged if not _decodes(each))


def _decodes(data: bytes) -> bool:
    try:
        Image.open(io.BytesIO(data)).load()
    except OSError:
        return False
    return True


def _frames_of(data: bytes) -> list[tuple[int, int]]:
    """Return where the frames of an animated WebP begin and end."""
    found = chunks(io.BytesIO(data), FILE_HEAD_BYTES, len(data))
    return [(chunk.start, chunk.following) for chunk in found if chunk.name == FRAME]


def _lossless_animation() -> bytes:
    first, *others = (pictures.photograph(_SIZE).rotate(90 * step) for step in range(4))
    return pictures.saved(
        first, "WEBP", save_all=True, append_images=others, duration=100, lossless=True, quality=0, method=0
    )


@pytest.mark.parametrize("share", [0.4, 0.9])
def test_a_lossless_webp_with_damage_has_the_rows_above(share: float) -> None:
    photograph = pictures.photograph((160, 120))
    encoded = variant(_wrong_pixels(pictures.saved(photograph, "WEBP", lossless=True), share), _FULL)
    image = decode_variant(encoded).convert("RGBA")
    top = (0, 0, 160, int(120 * share * 0.7))
    assert encoded.partial
    assert image.crop(top).convert("RGB").tobytes() == photograph.crop(top).tobytes()
    assert image.getpixel((159, 119))[3] == 0  # type: ignore[index]  # RGBA


def test_the_colours_of_a_webp_whose_alpha_is_damaged_are_shown() -> None:
    picture = pictures.photograph((160, 120)).convert("RGBA")
    picture.putalpha(pictures.photograph((160, 120)).convert("L").point(lambda grey: 128 + grey // 2))
    data = pictures.saved(picture, "WEBP", quality=90, alpha_quality=100)
    alpha = next(chunk for chunk in chunks(io.BytesIO(data), FILE_HEAD_BYTES, len(data)) if chunk.name == b"ALPH")
    encoded = variant(_with_bytes(data, (alpha.content + alpha.end) // 2, b"\xff" * 16), _FULL)
    top = (0, 0, 160, 30)
    image = decode_variant(encoded).convert("RGBA")
    assert encoded.partial
    assert psnr(image.crop(top).convert("RGB"), picture.crop(top).convert("RGB")) > 25


@pytest.mark.parametrize("frame", [1, 3])
def test_an_animated_webp_has_the_frames_before_a_damaged_one(frame: int) -> None:
    data = _lossless_animation()
    start, end = _frames_of(data)[frame]
    encoded = variant(_with_bytes(data, (start + end) // 2, b"\xff" * 32), Params(format="webp"))
    assert (encoded.frames, encoded.partial) == (frame, True)


def test_of_a_damaged_first_frame_of_a_webp_the_rows_above_are_shown() -> None:
    data = _lossless_animation()
    start, end = _frames_of(data)[0]
    encoded = variant(_with_bytes(data, (start + end) // 2, b"\xff" * 32), Params(format="webp"))
    image = decode_variant(encoded).convert("RGBA")
    assert (encoded.frames, encoded.partial) == (1, True)
    assert image.getpixel((0, 0))[3] == 255  # type: ignore[index]  # RGBA
    assert image.getpixel((63, 47))[3] == 0  # type: ignore[index]  # RGBA


def test_an_animated_webp_that_lacks_bytes_in_the_middle_is_partial() -> None:
    data = _lossless_animation()
    _, end = _frames_of(data)[1]
    encoded = variant(data[:end] + data[end + 40 :], Params(format="webp"))
    assert (encoded.frames, encoded.partial) == (2, True)


@pytest.mark.parametrize(
    ("name", "is_partial"), [(b"XMP ", False), (b"EXIF", False), (FRAME, True), (b"\0\0\1\2", True)]
)
def test_what_is_cut_behind_the_frames_of_a_webp_tells_whether_frames_are_missing(
    name: bytes, is_partial: bool
) -> None:
    data = _lossless_animation() + chunk_of(name, bytes(500))[:-100]
    encoded = variant(_with_bytes(data, 4, struct.pack("<I", len(data) + 92)), Params(format="webp"))
    assert (encoded.frames, encoded.partial) == (4, is_partial)
