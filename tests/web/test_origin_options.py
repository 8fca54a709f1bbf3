"""Options of the allowlist and of mounts, over HTTP, with a real origin behind a login."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.support import origin as at
from tests.support import pictures, serving
from tests.support.origin import NAME, Origin
from tests.support.serving import Service

PHOTO = pictures.jpeg()
TOKEN = "Bearer s3cret"


def private(exchange: at.Exchange) -> None:
    if exchange.request.headers.get("authorization") == TOKEN:
        exchange.respond(PHOTO, headers={"Cache-Control": "max-age=600"})
    else:
        exchange.respond(status=401)


def settings_for(origin: Origin, folder: Path) -> dict[str, object]:
    (folder / "token").write_text(f"{TOKEN}\n", encoding="ascii")
    options = {"headers": {"Authorization": {"file": str(folder / "token")}}, "query": "drop"}
    return {
        "allow": json.dumps([{"pattern": origin.url("/m/**"), **options}, origin.url("/**")]),
        "mounts": json.dumps(
            {
                "/cms": {"base": origin.url("/m"), **options},
                "/open": {"base": origin.url("/m"), "query": "drop"},
            }
        ),
        "allow_addresses": "127.0.0.0/8",
        "resolve": f"{NAME}:{origin.port}:127.0.0.1",
        "access_log": "all",
    }


@pytest.fixture(scope="module")
def members(originals: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Origin]]:
    """Run one service, and one origin with a login; each test uses its own path."""
    folder = tmp_path_factory.mktemp("members")
    with at.running() as origin, serving.edge(originals, folder, **settings_for(origin, folder)) as service:
        yield service, origin


@pytest.mark.parametrize("through", ["allowlist", "mount"])
def test_a_private_original_is_fetched_once_whatever_the_query(members: tuple[Service, Origin], through: str) -> None:
    service, origin = members
    name, before = f"{through}.jpg", len(service.variants())
    origin.scripts[f"/m/{name}"] = private
    place = origin.url(f"/m/{name}") if through == "allowlist" else f"/cms/{name}"
    targets = [f"/img?url={quote(place + query, safe='')}&w=40" for query in ("?utm=1", "?utm=2", "")]
    assert [service.get(target).status for target in targets] == [200] * 3
    assert [request.target for request in origin.requests if name in request.target] == [f"/m/{name}"]
    assert len(service.variants()) == before + 2  # one, and the original
    assert "s3cret" not in service.log.read_text()


def test_a_mount_without_the_header_gets_nothing_that_another_mount_was_sent(members: tuple[Service, Origin]) -> None:
    service, origin = members
    origin.scripts["/m/sent.jpg"] = private
    assert service.get("/img/cms/sent.jpg?w=40").status == 200
    assert service.get("/img/open/sent.jpg?w=40").status >= 400
    requests = [request for request in origin.requests if request.target == "/m/sent.jpg"]
    assert ["authorization" in request.headers for request in requests] == [True, False]
