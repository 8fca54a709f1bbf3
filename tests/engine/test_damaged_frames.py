"""Animations with damage in a frame, and GIFs and animated WebP whose damage is not at their end."""

from collections.abc import Callable

import pytest
from PIL import Image

from imgcdn.core.request.params import Params
from imgcdn.engine.gif_blocks import IMAGE, blocks, table_bytes
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
