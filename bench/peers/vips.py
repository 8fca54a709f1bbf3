"""
Pillow beside libvips: the same files, decoded, resized to 800 pixels wide, and encoded with equal settings.

    python -m bench.peers.vips PICTURES [--width 800] [--rounds 5]

`service` decodes and resamples as the service does. `pillow` decodes and shrinks by the steps of libvips: a JPEG at a
half, a quarter or an eighth, but at least twice as wide as the output; then by averaging, to twice the output; then
Lanczos.

Every measurement is a fresh process with one thread, and the three alternate. The first job of a process gives its
peak memory (Linux), the second its CPU time.
"""

import argparse
import io
import os
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

#: Original, output. Each gives one line of the table for each contender.
JOBS = ((".jpg", "jpeg"), (".jpg", "webp"), (".jpg", "avif"), (".png", "webp"))
_QUALITY = {"jpeg": 75, "webp": 75, "avif": 60}
_WEBP_METHOD = 2
_AOM_SPEED = 9

Job = Callable[[Path, int, str], bytes]


class Cost(NamedTuple):
    """What one picture took."""

    cpu_ms: float
    peak_mib: float
    size: int


def by_pillow(*, as_service: bool) -> Job:
    """
    Load Pillow; return its job.

    Args:
        as_service: Whether drafts and resampling are the service's own.
    """
    import pillow_avif  # noqa: F401, PLC0415  # a process loads one of the libraries
    from PIL import Image  # noqa: PLC0415

    from imgcdn.core.output.draft import draft_factor  # noqa: PLC0415
    from imgcdn.core.output.plan import Plan  # noqa: PLC0415
    from imgcdn.engine.resample import resize  # noqa: PLC0415

    options: dict[str, dict[str, Any]] = {
        "jpeg": {"subsampling": "4:2:0", "optimize": True},
        "webp": {"method": _WEBP_METHOD},
        "avif": {"codec": "aom", "speed": _AOM_SPEED, "subsampling": "4:4:4", "max_threads": 1},
    }

    def job(path: Path, width: int, fmt: str) -> bytes:
        with Image.open(path) as image:
            size = width, round(width * image.height / image.width)
            out = io.BytesIO()
            if as_service:
                factor = draft_factor(image.size, Plan(size=size, format=fmt))
                image.draft(None, (image.width // factor, image.height // factor))
                small = resize(image, size, (0.0, 0.0, float(image.width), float(image.height)))
            else:
                image.draft(None, (2 * size[0], 2 * size[1]))
                small = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
            small.info = {}
            small.save(out, fmt, quality=_QUALITY[fmt], **options[fmt])
        return out.getvalue()

    return job


def by_vips() -> Job:
    """Load libvips; return its job."""
    import pyvips  # noqa: PLC0415

    pyvips.cache_set_max(0)
    options: dict[str, dict[str, Any]] = {
        "jpeg": {"subsample_mode": "on", "optimize_coding": True},
        "webp": {"effort": _WEBP_METHOD},
        "avif": {"compression": "av1", "effort": 9 - _AOM_SPEED, "subsample_mode": "off"},
    }
    savers = {"jpeg": "jpegsave_buffer", "webp": "webpsave_buffer", "avif": "heifsave_buffer"}

    def job(path: Path, width: int, fmt: str) -> bytes:
        image = pyvips.Image.thumbnail(str(path), width, height=10_000_000, no_rotate=True)
        body: bytes = getattr(image, savers[fmt])(Q=_QUALITY[fmt], keep="none", **options[fmt])
        return body

    return job


CONTENDERS: dict[str, Callable[[], Job]] = {
    "service": partial(by_pillow, as_service=True),
    "pillow": partial(by_pillow, as_service=False),
    "libvips": by_vips,
}


def measured(name: str, path: Path, width: int, fmt: str) -> Cost:
    """Do a job twice, in a process that has done nothing before."""
    job = CONTENDERS[name]()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak counts from here: proc(5)
    idle = _memory_mib("VmRSS")
    body = job(path, width, fmt)
    peak = _memory_mib("VmHWM") - idle
    began = time.process_time()
    job(path, width, fmt)
    return Cost((time.process_time() - began) * 1000, peak, len(body))


def _memory_mib(name: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


def alternating(path: Path, width: int, fmt: str, *, rounds: int) -> dict[str, Cost]:
    """Return the medians of each contender's costs for one picture."""
    costs: dict[str, list[Cost]] = {name: [] for name in CONTENDERS}
    for _ in range(rounds):
        for name, found in costs.items():
            with ProcessPoolExecutor(1, get_context("spawn")) as child:
                found.append(child.submit(measured, name, path, width, fmt).result())
    return {name: Cost(*map(statistics.median, zip(*found, strict=True))) for name, found in costs.items()}


def rows(job: str, pictures: list[dict[str, Cost]]) -> Iterator[str]:
    """Yield lines of the table: medians over the pictures, and medians of each picture's ratio to libvips."""
    for name in CONTENDERS:
        costs = [picture[name] for picture in pictures]
        ratios = [
            [mine / theirs for mine, theirs in zip(picture[name], picture["libvips"], strict=True)]
            for picture in pictures
        ]
        cpu, peak, size = (statistics.median(values) for values in zip(*costs, strict=True))
        times, peaks, sizes = (f"{statistics.median(values):.2f}" for values in zip(*ratios, strict=True))
        yield f"| {job} | {name} | {cpu:.0f} | {times} | {peak:.0f} | {peaks} | {size / 1000:.1f} | {sizes} |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path, nargs="+", help="JPEG and PNG files wider than the output")
    parser.add_argument("--width", type=int, default=800)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    os.environ["VIPS_CONCURRENCY"] = "1"
    print("| job | by | CPU ms | / libvips | peak MiB | / libvips | KB | / libvips |")
    print("| --- | --- |" + " ---: |" * 6)
    for suffix, fmt in JOBS:
        paths = [path for path in arguments.pictures if path.suffix == suffix]
        if paths:
            each = [alternating(path, arguments.width, fmt, rounds=arguments.rounds) for path in paths]
            print(*rows(f"{suffix[1:]} to {fmt}, {len(paths)}", each), sep="\n", flush=True)


if __name__ == "__main__":
    main()
