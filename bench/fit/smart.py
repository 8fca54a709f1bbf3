"""
Milliseconds in which `position=smart` finds the subject of a decoded picture, whatever its size: by the clock, and of
processor time, which a busy machine does not stretch.

    python -m bench.fit.smart [--rounds 31]

The rounds go through all sizes in turn, so that what slows the machine slows all alike.
"""

import argparse
import statistics
import time

from PIL import Image

from imgcdn.core.output.geometry import Box
from imgcdn.engine.smart import locate_subject

_SIZES = ((600, 400), (4000, 3000), (10_000, 6400), (16_000, 5000))
_MODES = ("L", "RGB", "RGBA", "CMYK")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=31)
    rounds = parser.parse_args().rounds
    images = [_noise(size).convert(mode) for size in _SIZES for mode in _MODES]
    times_ms: list[list[tuple[float, float]]] = [[] for _ in images]
    for _ in range(rounds):
        for image, times in zip(images, times_ms, strict=True):
            room, crop = _longest(image.size)
            began, began_cpu = time.perf_counter(), time.thread_time()
            locate_subject(image, room, crop)
            times.append(((time.perf_counter() - began) * 1000, (time.thread_time() - began_cpu) * 1000))
    for image, times in zip(images, times_ms, strict=True):
        width, height = image.size
        clock, cpu = (statistics.median(values) for values in zip(*times, strict=True))
        print(f"{width:5} x {height:4} {image.mode:4} median {clock:5.1f} ms, of the processor {cpu:5.1f} ms")


def _noise(size: tuple[int, int]) -> Image.Image:
    return Image.effect_noise((size[0] // 8, size[1] // 8), 80).resize(size).convert("RGB")


def _longest(size: tuple[int, int]) -> tuple[Box, Box]:
    """Return the room and the crop that takes longest: nearly as large."""
    return (0, 0, *size), (0, 0, size[0] * 0.95, size[1])


if __name__ == "__main__":
    main()
