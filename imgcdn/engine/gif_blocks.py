"""A GIF up to its last whole frame, with a trailer (https://www.w3.org/Graphics/GIF/spec-gif89a.txt)."""

from dataclasses import dataclass
from typing import BinaryIO

from imgcdn.engine.gif import EXTENSION, IMAGE, TRAILER, table_bytes
from imgcdn.engine.pieces import Piece, Span, join

_SCREEN_BYTES = 13
_IMAGE_BYTES = 10
_END = bytes([0, TRAILER])


@dataclass(frozen=True, slots=True)
class SoundGif:
    """
    A GIF that ends where it should.

    Args:
        file: Its whole frames; the part that is there of the first one if that is cut.
        has_cut_frame: Whether its only frame is cut.
    """

    file: BinaryIO
    has_cut_frame: bool


def ends_as_gif(file: BinaryIO) -> bool:
    """Tell whether the file ends with an empty block and the trailer. In a sound file, other bytes may follow them."""
    file.seek(0, 2)
    file.seek(max(0, file.tell() - len(_END)))
    return file.read() == _END


def sound_gif(file: BinaryIO) -> SoundGif | None:
    """
    Return the whole frames of a GIF that ends early; the part that is there if it ends in its first frame.

    Args:
        file: Seekable. The result reads from it.

    Returns:
        None if it does not end early, or has no pixels.
    """
    file.seek(0)
    data = file.read()
    at = _SCREEN_BYTES + (table_bytes(data[10]) if len(data) > _SCREEN_BYTES else 0)
    whole = 0
    while at < len(data) and data[at] != TRAILER:
        kind = data[at]
        if kind not in (EXTENSION, IMAGE):
            at += 1  # stray bytes between blocks are skipped, as in `engine.gif`
            continue
        first = at + 2 if kind == EXTENSION else _first_block(data, at)
        last, is_whole = _last_block(data, first)
        if not is_whole and whole:
            return SoundGif(join(file, [Span(0, whole), _END[1:]]), has_cut_frame=False)
        if not is_whole:
            return _cut_frame(file, last, len(data)) if kind == IMAGE and first < len(data) else None
        at = last + 1
        if kind == IMAGE:
            whole = at
    return None


def _first_block(data: bytes, image: int) -> int:
    """Return where the coded pixels of an image begin: behind its descriptor, colour table and code size."""
    flags = data[image + 9 : image + _IMAGE_BYTES]
    return image + _IMAGE_BYTES + 1 + (table_bytes(flags[0]) if flags else 0)


def _last_block(data: bytes, at: int) -> tuple[int, bool]:
    """Return where the last of a chain of sub-blocks begins, and whether it is the empty one that ends the chain."""
    while at < len(data) and data[at]:
        end = at + 1 + data[at]
        if end > len(data):
            return at, False
        at = end
    return at, at < len(data)


def _cut_frame(file: BinaryIO, last: int, end: int) -> SoundGif:
    """Return the first frame with the sub-blocks that are there. The last one, at `last`, may be cut."""
    pieces: list[Piece] = [Span(0, last)]
    if end > last + 1:
        pieces += [bytes([end - last - 1]), Span(last + 1, end)]
    return SoundGif(join(file, [*pieces, _END]), has_cut_frame=True)
