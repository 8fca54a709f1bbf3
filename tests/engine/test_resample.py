"""The one function that resizes: the same pixels with the SIMD filter and with Pillow's."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image

from imgcdn.engine import resample
from imgcdn.engine.resample import difference, resize
from tests.support.paths import ROOT

SIZE = (300, 200)
WHOLE = (0.0, 0.0, 300.0, 200.0)

#: Runs with PYTHONPATH at a folder with another `cykooz_resizer`.
RESIZE_WITH_A_STRANGE_LIBRARY = """
from PIL import Image
from imgcdn.engine import resample
assert resample.simd.__file__.startswith({folder!r})
assert resample.resize(Image.new("L", (50, 50), 99), (20, 20), (0, 0, 50, 50)).getextrema() == (99, 99)
print(resample.simd_works())
"""
STRANGE_LIBRARIES = {
    "it crashes": "os.abort()",
    "it never returns": "time.sleep(60)",
    "it gives other pixels": "pass",
    "it raises": "raise ValueError",
}


def _picture(mode: str) -> Image.Image:
    noise = Image.effect_noise((30, 20), 80).resize(SIZE, Image.Resampling.BICUBIC)
    bands = (Image.linear_gradient("L").resize(SIZE), noise, Image.radial_gradient("L").resize(SIZE))
    picture = Image.merge("RGB", bands).convert(mode)
    if mode in ("LA", "RGBA"):
        picture.putalpha(bands[2])
    return picture


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "CMYK"])
@pytest.mark.parametrize(
    ("size", "box"),
    [
        pytest.param((120, 80), WHOLE, id="smaller"),
        pytest.param((60, 40), WHOLE, id="a fifth"),
        pytest.param((299, 200), WHOLE, id="one column less"),
        pytest.param((450, 320), WHOLE, id="larger"),
        pytest.param((120, 80), (0.5, 10.25, 200.125, 199.999), id="a part between pixels"),
        pytest.param((100, 80), (100.0, 50.0, 200.0, 130.0), id="a part at its own size"),
        pytest.param((40, 30), (10.2, 10.2, 10.9, 10.7), id="a part of less than a pixel"),
        pytest.param(SIZE, WHOLE, id="nothing to do"),
    ],
)
def test_the_pixels_are_those_of_pillow(
    mode: str, size: tuple[int, int], box: tuple[float, float, float, float]
) -> None:
    picture = _picture(mode)
    resized, expected = resize(picture, size, box), picture.resize(size, Image.Resampling.LANCZOS, box=box)
    assert (resized.mode, resized.size) == (mode, size)
    if mode == "LA":
        resized, expected = resized.convert("RGBA"), expected.convert("RGBA")
    assert difference(resized, expected) <= 4


def test_the_simd_filter_is_used_where_it_is_installed() -> None:
    assert resample.simd_works() == (find_spec("cykooz_resizer") is not None)


def test_the_colour_of_clear_pixels_makes_no_halo() -> None:
    picture = Image.new("RGBA", (100, 100), (255, 0, 0, 0))
    picture.paste((0, 0, 255, 255), (50, 0, 100, 100))
    pixels = resize(picture, (33, 33), (0.0, 0.0, 100.0, 100.0)).get_flattened_data()
    assert all(red <= 2 for red, _, _, alpha in pixels if alpha > 2)  # type: ignore[misc]


@pytest.mark.parametrize(
    "box",
    [(0.0, 0.0, 0.0, 200.0), (0.0, 0.0, 300.0001, 200.0), (-1.0, 0.0, 300.0, 200.0)],
)
def test_a_part_without_area_or_beyond_the_picture_is_an_error(box: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match=r"[Bb]ox"):
        resize(_picture("RGB"), (10, 10), box)


def test_missing_memory_is_an_error_and_not_the_end_of_the_process() -> None:
    program = (
        "import resource\n"
        "from PIL import Image\n"
        "from imgcdn.engine.resample import resize, simd_works\n"
        "simd_works()\n"
        "picture = Image.new('RGB', (10_000, 1_000))\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 40 * 2**20,) * 2)\n"
        "try:\n"
        "    resize(picture, (10_000, 2_000), (0.0, 0.0, 10_000.0, 1_000.0))\n"
        "except MemoryError:\n"
        "    print('too little memory')\n"
    )
    tried = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (tried.returncode, tried.stdout) == (0, "too little memory\n"), tried.stderr


@pytest.mark.parametrize("action", STRANGE_LIBRARIES.values(), ids=STRANGE_LIBRARIES.keys())
def test_a_library_that_does_not_fit_is_not_used(tmp_path: Path, action: str) -> None:
    (tmp_path / "cykooz_resizer.py").write_text(
        "import os, time\n"
        "class FilterType: lanczos3 = 5\n"
        "class ResizeAlg:\n"
        "    def convolution(filter): pass\n"
        "class CropBox:\n"
        "    def __init__(self, *edges): pass\n"
        "class ResizeOptions:\n"
        "    def __init__(self, **options): pass\n"
        "class Resizer:\n"
        f"    def resize_pil(self, image, resized, options): {action}\n",
        encoding="ascii",
    )
    program = RESIZE_WITH_A_STRANGE_LIBRARY.format(folder=str(tmp_path))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    tried = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert tried.stdout == "False\n", tried.stderr
