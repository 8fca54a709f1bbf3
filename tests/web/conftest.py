"""A service of each kind for a whole run, and a folder of drawn originals."""

import json
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from PIL import Image

from tests.support import drawings, pictures, serving
from tests.support.paths import TABLES
from tests.support.serving import Service

Start = Callable[..., AbstractContextManager[Service]]


def accept_rows() -> list[dict[str, str | None]]:
    rows: list[dict[str, str | None]] = json.loads((TABLES / "accept.json").read_text())["rows"]
    return rows


def draw_originals(root: Path) -> Path:
    """Fill a folder with photographs above avif_min_pixels and one original for each kind of error."""
    root.mkdir(parents=True, exist_ok=True)
    photo = pictures.photograph((600, 400))
    frames = [Image.new("RGB", (300, 240), colour) for colour in (pictures.RED, pictures.GREEN, pictures.BLUE)]
    spot = Image.new("RGB", (900, 300), (128, 128, 128))
    spot.paste(pictures.RED, (750, 120, 810, 180))
    originals = {
        "photo.jpg": pictures.jpeg(photo),
        "spot.jpg": pictures.jpeg(spot),
        "alpha.png": pictures.png(pictures.with_hole(photo)),
        "animation.gif": pictures.animated_gif(frames, [100, 200, 100]),
        "noise.png": pictures.png(Image.frombytes("RGB", (500, 400), random.Random(7).randbytes(600_000))),
        "upright.jpg": pictures.oriented_jpeg(6, (600, 400)),
        "truncated.jpg": pictures.jpeg(photo)[:9_000],
        "damaged.png": pictures.png_without_pixels(),
        "garbage.jpg": b"this is not a picture",
        "drawing.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "huge.png": pictures.png_header((30_000, 30_000)),
        "a folder/ünï cödé.jpg": pictures.jpeg(photo),
        "screenshot.png": pictures.png(drawings.screenshot()),
        "small.jpg": pictures.jpeg(photo, quality=20, exif=pictures.exif_block(1)),
    }
    for name, data in originals.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(data)
    (root / "heavy.jpg").write_bytes(pictures.jpeg(photo) + bytes(33_000_000))
    return root


@pytest.fixture(scope="session")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_originals(tmp_path_factory.mktemp("originals"))


@pytest.fixture(scope="session", params=["edge", "wsgi"])
def service(
    request: pytest.FixtureRequest, originals: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """The service, with a welcome page: `imgcdn serve`, then `create_app()` under a plain WSGI server."""
    start: Start = getattr(serving, request.param)
    with start(originals, tmp_path_factory.mktemp(request.param), welcome="true") as running:
        yield running


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder of originals that one test may change."""
    folder = tmp_path / "root"
    folder.mkdir()
    (folder / "photo.jpg").write_bytes(pictures.jpeg(pictures.photograph((600, 400))))
    return folder
