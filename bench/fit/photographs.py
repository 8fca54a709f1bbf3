"""Photographs to measure encoders on, resized by the service's own pipeline."""

import io
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from imgcdn.core.output.plan import plan_for
from imgcdn.core.request.params import Params
from imgcdn.engine.probe import probe
from imgcdn.engine.render import render
from tests.support.planning import FAST, LIMITS

_MAX_PIXELS = 10**9


def files(paths: Iterable[Path]) -> list[Path]:
    """Return the photographs among files and folders, in order of their names."""
    found = [file for path in paths for file in (path.iterdir() if path.is_dir() else [path])]
    return sorted((file for file in found if file.suffix in (".jpg", ".png", ".avif")), key=lambda file: file.name)


def resized(path: Path, width: int) -> Image.Image:
    """Return the photograph's pixels as the encoders get them: mode RGB, at most `width` wide."""
    with path.open("rb") as file:
        facts = probe(file, max_pixels=_MAX_PIXELS)
        file.seek(0)
        plan = plan_for(facts, Params(width=width, format="png"), (), LIMITS)
        body = render(file, plan, FAST).body
    image = Image.open(io.BytesIO(body)).convert("RGB")
    image.info = {}
    return image
