"""Unrelated parameters in one request: the response is always a picture of the stated type."""

import io
import json
import random
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from PIL import Image

from tests.support import parameters, serving
from tests.support.paths import SAMPLES
from tests.support.serving import CHROME, Service

ACCEPTS = [CHROME, "image/webp,*/*;q=0.8", "image/avif,*/*;q=0.8", "*/*"]
# Thorough pictures take seconds, and longer beside other tests.
EVERYTHING = {
    "save_data": "true",
    "animation_formats": "avif webp",
    "thorough_s_per_megapixel": "2",
    "render_timeout_s": "30",
    "request_timeout_s": "60",
}

# The largest values of these ranges give pictures that take seconds.
QUICK = {
    "w": ["1", "50", "333", "900"],
    "h": ["1", "40", "500"],
    "dpr": ["2"],
    "blur": ["0.5", "20"],
}
VALUES = {**parameters.SAMPLES, **QUICK}


@pytest.fixture(scope="module", params=["fast", "thorough"])
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run the service on the sample images with all options switched on."""
    with serving.edge(SAMPLES, tmp_path_factory.mktemp("all"), effort=request.param, **EVERYTHING) as running:
        yield running


@pytest.mark.parametrize("seed", range(10))
def test_the_body_matches_the_content_type(service: Service, seed: int) -> None:
    chance = random.Random(seed)
    samples = sorted(path.name for path in SAMPLES.iterdir() if path.suffix != ".md")
    for _ in range(8):
        asked = {name: chance.choice(values) for name, values in VALUES.items() if chance.random() < 0.3}
        target = f"/img/{chance.choice(samples)}?{urlencode(asked)}"
        headers = {"Save-Data": "on"} if chance.random() < 0.5 else {}
        response = service.get(target, chance.choice(ACCEPTS), headers=headers)
        assert response.status == 200, (target, response.body)
        _check(response, target)


def _check(response: serving.Response, target: str) -> None:
    kind = response.headers["content-type"]
    if kind.startswith("image/"):
        image = Image.open(io.BytesIO(response.body))
        image.load()
        assert Image.MIME[image.format or ""] == kind, target
    elif kind == "application/json":
        assert json.loads(response.body)["width"] > 0, target
    else:
        assert kind == "text/plain; charset=utf-8", target
        assert 20 < len(response.body) < 400, target
