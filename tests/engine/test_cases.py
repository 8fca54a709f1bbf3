"""Real files that were once refused or drawn wrongly, if they are present. The tests beside draw the like."""

import io
from pathlib import Path

import pytest
from PIL import Image

from imgcdn.core.request.params import Params
from imgcdn.engine.colour import expand
from imgcdn.engine.decode import decode
from imgcdn.errors import ImageError
from tests.support.paths import CASES
from tests.support.variants import make_plan, variant

_PNG = Params(format="png")

#: Folder and name -> whether the picture is partial, or the slug of its error. A name that is missing: the others.
_OUTCOMES: dict[str, dict[str, bool | str]] = {
    "ancillary-metadata": {"": False},
    "png-ancillary-compression": {"": False},
    "png-500": {"pal_noplte.png": "corrupt-image", "": False},
    "png-palette-without-plte": {"": "corrupt-image"},
    "png-trns-depth": {"": False},
    "grey-png-trns-2-4-bit": {"": False},
    "jpeg-no-eoi": {"": False},
    "truncated": {"": True},
    "avif-two-ipma": {"": False},
    "avif-other": {"17000x17000.avif": "image-too-large", "": False},
}

#: What pixels the key makes transparent: those of a colour at 8 bits a sample.
_KEYED = {
    "png-trns-depth/g2_t3.png": (255,),
    "png-trns-depth/g4_t15.png": (255,),
    "grey-png-trns-2-4-bit/trns_2_1.png": (85,),
    "grey-png-trns-2-4-bit/trns_4_15.png": (255,),
    "grey-png-trns-2-4-bit/trns_4_5.png": (85,),
    "png-trns-depth/rgb16_t.png": (18, 86, 154),
}


def _files() -> list[Path]:
    folders = (CASES / folder for folder in _OUTCOMES)
    return sorted(path for folder in folders for path in folder.glob("*") if path.name != "case.md")


def _outcome(original: bytes) -> bool | str:
    try:
        return variant(original, _PNG).partial
    except ImageError as error:
        return error.slug


def _decoded(original: bytes) -> Image.Image:
    plan = make_plan(original, _PNG)
    return expand(decode(io.BytesIO(original), plan), plan).image


@pytest.mark.parametrize("path", [pytest.param(path, id=f"{path.parent.name}/{path.name}") for path in _files()])
def test_a_file_is_a_picture_or_refused(path: Path) -> None:
    outcomes = _OUTCOMES[path.parent.name]
    assert _outcome(path.read_bytes()) == outcomes.get(path.name, outcomes[""])


@pytest.mark.parametrize("name", [name for name in _KEYED if (CASES / name).exists()])
def test_exactly_the_pixels_of_the_key_are_transparent(name: str) -> None:
    image = _decoded((CASES / name).read_bytes())
    colours = {colour for _, colour in image.getcolors(1 << 16) or [] if isinstance(colour, tuple)}
    assert {colour[:-1] for colour in colours if colour[-1] == 0} == {_KEYED[name]}
    if name != "png-trns-depth/rgb16_t.png":  # 16-bit colours that differ in their lower bytes alone look the same
        assert (*_KEYED[name], 255) not in colours
