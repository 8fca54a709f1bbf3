"""Originals for hostile load: real and drawn pictures, and damaged copies of them."""

import random
import zlib
from collections.abc import Iterator
from pathlib import Path

from bench.load.running import HERE
from tests.support import pictures

#: Real images beside the checkout, if they are there.
_CORPUS = HERE.parent / "shared" / "corpus"

#: Larger files are not damaged: two thousand small ones reach more of the decoders in the same time.
_SMALL_BYTES = 40_000

_SUPPORTED = (".jpg", ".jpeg", ".png", ".gif", ".webp", ".avif")

_PNG = b"\x89PNG\r\n\x1a\n"
_MAGIC_BYTES = 12

#: Share of the damaged PNGs whose checksums are right nevertheless.
_RESEALED = 0.8

#: Numbers that a length, a size or a count is likely to be mishandled at.
_NUMBERS = (
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\x80\0\0\0",
    b"\0\0\0\1",
    b"\1\0\0\0",
    b"\0",
    b"\xff",
)


def whole() -> list[Path]:
    """Return the files of the corpus, or of `sample_images` where there is none."""
    folder = _CORPUS if _CORPUS.is_dir() else HERE / "sample_images"
    return sorted(path for path in folder.rglob("*") if path.is_file())


def drawn() -> list[bytes]:
    """Return drawn pictures of every format, and of the kinds that have code of their own."""
    frames = [pictures.chart((60, 40)), pictures.with_hole(pictures.chart((60, 40)))]
    return [
        *(
            pictures.jpeg(),
            pictures.progressive_jpeg(),
            pictures.cmyk_jpeg(),
            pictures.oriented_jpeg(6),
            pictures.mpo(),
        ),
        *(pictures.png(), pictures.palette_png_with_transparency(), pictures.wide_grey_png(), pictures.keyed_png()),
        *(pictures.webp(), pictures.webp_with_hole(), pictures.animated_webp(frames, [100, 100])),
        *(pictures.gif(), pictures.gif_with_hole(), pictures.animated_gif(frames, [100, 100], disposal=2)),
        *(pictures.avif(), pictures.avif_with_hole(), pictures.oriented_avif(6)),
        *(pictures.apng(frames, [100, 100]), pictures.jpeg(pictures.photograph((200, 150)))),
    ]


def damaged(count: int, seed: int) -> Iterator[bytes]:
    """Yield damaged copies of small pictures. The same seed gives the same ones, from the same files."""
    dice = random.Random(seed)
    small = [path for path in whole() if path.suffix.lower() in _SUPPORTED and path.stat().st_size <= _SMALL_BYTES]
    files = [path.read_bytes() for path in small]
    originals = [*drawn(), *files]
    for _ in range(count):
        yield damage(dice.choice(originals), dice)


def damage(data: bytes, dice: random.Random) -> bytes:
    """Return a copy with one to three faults, most of them near the beginning, where the structure is."""
    for _ in range(dice.randint(1, 3)):
        data = _with_fault(data, dice)
    return _with_checksums(data) if dice.random() < _RESEALED and data.startswith(_PNG) else data


def _with_fault(data: bytes, dice: random.Random) -> bytes:
    # A few faults hit the first bytes, which say what kind of file it is. Behind these, decoders begin.
    first = 0 if dice.random() < 0.05 else _MAGIC_BYTES
    at = min(len(data), first + int(max(0, len(data) - first) * dice.random() ** 2))
    length = dice.choice((1, 1, 2, 4, 16, 200))
    match dice.randrange(6):
        case 0:
            return data[:at] + dice.randbytes(length) + data[at + length :]
        case 1:
            number = dice.choice(_NUMBERS)
            return data[:at] + number + data[at + len(number) :]
        case 2:
            return data[:at] + data[at + length :]
        case 3:
            return data[: at + length] + data[at:]
        case 4:
            return data[:at] + bytes(byte ^ 1 << dice.randrange(8) for byte in data[at : at + 1]) + data[at + 1 :]
        case _:
            return data[:at] if dice.random() < 0.2 else data


def _with_checksums(data: bytes) -> bytes:
    """Give the chunks of a PNG their right checksums, so that a decoder reads what is in them."""
    sealed, at = data[: len(_PNG)], len(_PNG)
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4])
        content = data[at + 4 : at + 8 + length]
        if len(content) < 4 + length:
            break
        sealed += data[at : at + 4] + content + zlib.crc32(content).to_bytes(4)
        at += 12 + length
    return sealed + data[at:]
