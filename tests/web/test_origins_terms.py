"""What clients are told about a picture follows from what its origin says: lifetimes, stale use and refusals."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.support import origin as at
from tests.support import serving
from tests.support.origin import Origin
from tests.support.serving import Service
from tests.web.test_remote import PHOTO, image, settings_for


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    with at.running() as running:
        yield running


@pytest.fixture(scope="module")
def shared(
    originals: Path, origin: Origin, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Service, Origin]]:
    """Run one service with the ordinary lifetimes; each test uses its own path."""
    with serving.edge(originals, tmp_path_factory.mktemp("terms"), workers=1, **settings_for(origin)) as service:
        yield service, origin


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        pytest.param("no-cache", "no-cache", id="no-cache"),
        pytest.param("max-age=0, must-revalidate", "no-cache", id="max-age=0"),
        pytest.param("max-age=0, s-maxage=600", "no-cache", id="max-age=0 for browsers"),
        pytest.param("max-age=600, must-revalidate", "public, max-age=N, must-revalidate", id="must-revalidate"),
        pytest.param("max-age=600, stale-while-revalidate=0", "public, max-age=N", id="no stale use"),
        pytest.param(
            "max-age=600, stale-while-revalidate=30",
            "public, max-age=N, stale-while-revalidate=30",
            id="short stale use",
        ),
        pytest.param("max-age=600", "public, max-age=N, stale-while-revalidate=86400", id="nothing about stale use"),
        pytest.param("s-maxage=600", "public, max-age=N, proxy-revalidate", id="s-maxage"),
    ],
)
def test_nothing_that_is_sent_is_laxer_than_what_the_origin_said(
    shared: tuple[Service, Origin], said: str, sent: str
) -> None:
    service, origin = shared
    path = f"/{quote(said, safe='')}/said"
    origin.scripts[path] = at.respond(PHOTO, cache_control=said)
    miss = service.get(image(origin, path))
    hit = service.get(image(origin, path))
    unchanged = service.get(image(origin, path), headers={"If-None-Match": hit.headers["etag"]})
    for response in (miss, hit, unchanged):
        assert re.sub("max-age=[56][0-9][0-9]", "max-age=N", response.headers["cache-control"]) == sent
    assert (hit.headers["cache-status"].partition(";")[2].strip()[:3], unchanged.status) == ("hit", 304)
    assert origin.count(path) == 1, "the minimum lifetime spares the origin"


def test_a_short_lifetime_of_the_origin_is_not_made_longer_for_browsers(shared: tuple[Service, Origin]) -> None:
    service, origin = shared
    origin.scripts["/short"] = at.respond(PHOTO, cache_control="max-age=50")
    for _ in range(2):
        max_age = service.get(image(origin, "/short")).headers["cache-control"].partition(",")[2]
        assert max_age.strip() in {f"max-age={left}, stale-while-revalidate=86400" for left in range(51)}
    assert origin.count("/short") == 1


def test_what_an_origin_withholds_is_a_404_that_the_log_explains(root: Path, tmp_path: Path, origin: Origin) -> None:
    missing = [404, 401, 403, 451]
    origin.scripts |= {f"/{status}": at.respond(b"secret words", status=status) for status in missing}
    origin.scripts["/429"] = at.respond(b"", status=429, retry_after="3600")
    with serving.edge(root, tmp_path, **settings_for(origin, log_format="json")) as service:
        responses = [service.get(image(origin, f"/{status}")) for status in missing]
        busy = service.get(image(origin, "/429"))
        service.stop()
        notes = [json.loads(line).get("note", "") for line in service.log.read_text().splitlines() if line[:1] == "{"]
    assert {(each.status, each.headers["cache-control"]) for each in responses} == {(404, "public, max-age=10")}
    texts = [{**json.loads(response.body), "request_id": ""} for response in responses]
    assert all(text == texts[0] for text in texts)
    assert (busy.status, busy.headers["retry-after"], busy.headers["cache-control"]) == (503, "60", "no-store")
    for status in (*missing, 429):
        assert any(f"answered {status}" in note for note in notes), status
