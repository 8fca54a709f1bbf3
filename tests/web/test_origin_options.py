"""Options of the allowlist and of mounts, over HTTP, with a real origin behind a login."""

import json
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.support import origin as at
from tests.support import pictures, serving
from tests.support.origin import NAME, Origin

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


@pytest.mark.parametrize("through", ["allowlist", "mount"])
def test_a_private_original_is_fetched_once_whatever_the_query(originals: Path, tmp_path: Path, through: str) -> None:
    with (
        at.running({"/m/a.jpg": private}) as origin,
        serving.edge(originals, tmp_path, **settings_for(origin, tmp_path)) as service,
    ):
        place = origin.url("/m/a.jpg") if through == "allowlist" else "/cms/a.jpg"
        targets = [f"/img?url={quote(place + query, safe='')}&w=40" for query in ("?utm=1", "?utm=2", "")]
        assert [service.get(target).status for target in targets] == [200] * 3
        assert [request.target for request in origin.requests] == ["/m/a.jpg"]
        assert len(service.variants()) == 2  # one, and the original
        assert "s3cret" not in service.log.read_text()


def test_a_mount_without_the_header_gets_nothing_that_another_mount_was_sent(originals: Path, tmp_path: Path) -> None:
    with (
        at.running({"/m/a.jpg": private}) as origin,
        serving.edge(originals, tmp_path, **settings_for(origin, tmp_path)) as service,
    ):
        assert service.get("/img/cms/a.jpg?w=40").status == 200
        assert service.get("/img/open/a.jpg?w=40").status >= 400
        assert ["authorization" in request.headers for request in origin.requests] == [True, False]
