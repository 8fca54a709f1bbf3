"""Purging over HTTP: what it answers, and that what was under way when it came does not come back."""

import http.client
import json
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from imgcdn.cli import main
from imgcdn.core.stale import NO_FILE
from imgcdn.core.values import SourceRecord
from imgcdn.store.files import unpack_record
from tests.support import origin as at
from tests.support import serving
from tests.support.origin import Origin
from tests.support.serving import Response, Service
from tests.web.conftest import Start
from tests.web.test_remote import FLAVOURS, OTHER, PHOTO, image, settings_for

TOKEN = "a token of 24 characters".replace(" ", "-")
FOREVER = "max-age=31536000"
NOTHING = {"sources": 0, "variants": 0, "bytes": 0}

#: Requests on new connections, so that each worker most likely gets some.
_MANY = 8


@pytest.fixture
def origin() -> Iterator[Origin]:
    with at.running({"/a.jpg": at.respond(PHOTO, cache_control=FOREVER, etag='"1"')}) as running:
        yield running


@pytest.fixture(scope="module", params=["edge", "wsgi"])
def guarded(
    request: pytest.FixtureRequest, originals: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A service with a token, whose pictures no test changes."""
    start: Start = getattr(serving, request.param)
    with start(originals, tmp_path_factory.mktemp("guarded"), admin_token=TOKEN) as running:
        yield running


def post(service: Service, body: bytes, *, token: str | None = TOKEN, path: str = "/-/purge") -> Response:
    connection = http.client.HTTPConnection(service.host, service.port, timeout=30)
    try:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        named = {name.lower(): value for name, value in response.getheaders()}
        return Response(response.status, named, response.read())
    finally:
        connection.close()


def purge(service: Service, **order: object) -> dict[str, Any]:
    response = post(service, json.dumps(order).encode())
    assert response.status == 200, response.body
    counts: dict[str, Any] = json.loads(response.body)
    return counts


def bodies(service: Service, target: str) -> set[bytes]:
    return {service.get(target).body for _ in range(_MANY)}


def wait_until(condition: Callable[[], object], what: str) -> None:
    ends = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < ends, what
        time.sleep(0.02)


def record(service: Service) -> SourceRecord:
    [name] = [each for each in service.files() if each.endswith("record")]
    found = unpack_record((service.cache / "current" / name).read_bytes())
    assert found is not None
    return found


class Held:
    """A script that sends its response when it is released."""

    def __init__(self, then: at.Script) -> None:
        self.asked, self.release = threading.Event(), threading.Event()
        self._then = then

    def __call__(self, exchange: at.Exchange) -> None:
        self.asked.set()
        assert self.release.wait(20)
        self._then(exchange)


# What a purge does.


@pytest.mark.parametrize("start", FLAVOURS)
def test_a_picture_that_its_origin_called_fresh_for_a_year_is_fetched_anew(
    root: Path, tmp_path: Path, origin: Origin, start: Start
) -> None:
    with start(root, tmp_path, admin_token=TOKEN, **settings_for(origin)) as service:
        before = [service.get(image(origin, query=f"w={width}")).body for width in (100, 120)]
        origin.scripts["/a.jpg"] = at.respond(OTHER, cache_control=FOREVER, etag='"2"')
        assert bodies(service, image(origin)) == {before[0]}
        purged = purge(service, source=origin.url())
        assert (purged["sources"], purged["variants"]) == (1, 2)
        assert purged["bytes"] > len(PHOTO)
        assert service.files() == []
        after = bodies(service, image(origin))
        assert len(after) == 1
        assert before[0] not in after
        assert purge(service, source="/nothing.jpg") == NOTHING
    assert [request.headers.get("if-none-match") for request in origin.requests] == [None, None]
    assert TOKEN not in service.log.read_text()


@pytest.mark.parametrize("start", FLAVOURS)
def test_a_soft_purge_shows_what_is_stored_while_the_origin_is_asked(
    root: Path, tmp_path: Path, origin: Origin, start: Start
) -> None:
    with start(root, tmp_path, admin_token=TOKEN, **settings_for(origin)) as service:
        before = service.get(image(origin)).body
        names = set(service.variants())
        held = Held(at.validated(PHOTO, etag='"1"'))
        origin.scripts["/a.jpg"] = held
        purged = purge(service, source=origin.url(), soft=True)
        assert (purged["sources"], purged["variants"]) == (1, 1)
        stale = service.get(image(origin))
        assert (stale.status, stale.body) == (200, before)
        assert re.fullmatch(r"imgcdn; hit; ttl=(-[0-9]+|0)", stale.headers["cache-status"])
        assert held.asked.wait(20)
        held.release.set()
        wait_until(lambda: ";" in fresh_status(service, image(origin)), "it is validated")
        assert set(service.variants()) == names, "equal bytes keep every variant"
        assert bodies(service, image(origin)) == {before}
    assert origin.count("/a.jpg") == 2


def fresh_status(service: Service, target: str) -> str:
    status = service.get(target).headers["cache-status"]
    return status if re.fullmatch(r"imgcdn; hit; ttl=[1-9][0-9]*", status) else ""


def test_after_a_soft_purge_a_new_v_asks_the_origin(root: Path, tmp_path: Path, origin: Origin) -> None:
    with serving.edge(root, tmp_path, admin_token=TOKEN, **settings_for(origin)) as service:
        before = service.get(image(origin)).body
        origin.scripts["/a.jpg"] = at.respond(OTHER, cache_control=FOREVER)
        purge(service, source=origin.url(), soft=True)
        assert service.get(image(origin, query="w=100&v=2")).body != before


@pytest.mark.parametrize("start", FLAVOURS)
def test_after_a_soft_purge_a_file_is_hashed_again(root: Path, tmp_path: Path, start: Start) -> None:
    with start(root, tmp_path, admin_token=TOKEN) as service:
        before = bodies(service, "/img/photo.jpg?w=100")
        known, names = record(service), service.variants()
        assert purge(service, source="photo.jpg", soft=True)["variants"] == 1
        assert record(service).stamp == NO_FILE
        assert bodies(service, "/img/photo.jpg?w=100") == before
        assert (record(service), service.variants()) == (known, names)


@pytest.mark.parametrize(
    "target",
    [
        "/img/photo.jpg?w=90",
        "/img?url=/photo.jpg&w=90",
        "/.netlify/images?url=/photo.jpg&w=90",
        "/_image?href=/photo.jpg&w=90",
    ],
)
def test_the_method_purge_removes_the_source_of_a_url(guarded: Service, target: str) -> None:
    with_token = {"Authorization": f"bearer {TOKEN}"}
    assert guarded.get(target).status == 200
    purged = guarded.get(target, method="PURGE", headers=with_token)
    assert (purged.status, json.loads(purged.body)["sources"]) == (200, 1)
    assert json.loads(guarded.get(target, method="PURGE", headers=with_token).body) == NOTHING
    assert guarded.get(target, method="PURGE").status == 401
    assert guarded.get(f"{target}&w=no&href=", method="PURGE", headers=with_token).status in (200, 400)


@pytest.mark.parametrize("soft", [False, True], ids=["hard", "soft"])
@pytest.mark.parametrize("start", FLAVOURS)
def test_everything_is_purged(root: Path, tmp_path: Path, origin: Origin, start: Start, soft: bool) -> None:
    with start(root, tmp_path, admin_token=TOKEN, **settings_for(origin)) as service:
        before = service.get(image(origin)).body
        service.get("/img/photo.jpg?w=100")
        service.get("/img/photo.jpg?w=120")
        tree = (service.cache / "current").resolve()
        origin.scripts["/a.jpg"] = at.respond(OTHER, cache_control=FOREVER)
        purged = purge(service, all=True, soft=soft)
        assert (purged["sources"], purged["variants"]) == (2, 3)
        assert ((service.cache / "current").resolve() == tree) is soft
        assert tree.exists() is soft
        assert len(service.variants()) == (4 if soft else 0)  # with the original
        wait_until(lambda: before not in bodies(service, image(origin)), "the new picture is shown")


@pytest.mark.parametrize("order", [{"source": None}, {"all": True}, {"source": None, "soft": True}], ids=str)
def test_a_purge_forgets_that_an_origin_failed(
    root: Path, tmp_path: Path, origin: Origin, order: dict[str, object]
) -> None:
    order = order | ({"source": origin.url()} if "source" in order else {})
    origin.scripts["/a.jpg"] = at.in_turn(at.respond(status=404), at.respond(PHOTO))
    with serving.edge(root, tmp_path, workers=1, admin_token=TOKEN, **settings_for(origin)) as service:
        assert [service.get(image(origin)).status for _ in range(2)] == [404, 404]
        assert origin.count("/a.jpg") == 1
        assert purge(service, **order) == NOTHING
        assert service.get(image(origin)).status == 200


def test_a_purge_that_the_disk_refuses_is_an_error(root: Path, tmp_path: Path) -> None:
    with serving.edge(root, tmp_path, admin_token=TOKEN) as service:
        assert service.get("/img/photo.jpg?w=100").status == 200
        (service.cache / "current").unlink()
        (service.cache / "current").mkdir()
        for _ in range(2):
            refused = post(service, b'{"all": true}')
            assert (refused.status, refused.headers["retry-after"]) == (503, "10")
        assert "a purge failed: everything" in service.log.read_text()
        assert service.get("/img/photo.jpg?w=100").status == 200


# Races: an origin holds its response until the purge has answered.


@pytest.mark.parametrize("swept", [False, True], ids=["trash", "swept"])
@pytest.mark.parametrize("order", [{"source": None}, {"all": True}], ids=["source", "all"])
@pytest.mark.parametrize("start", FLAVOURS)
def test_what_is_being_fetched_when_a_purge_comes_is_not_stored(
    root: Path, tmp_path: Path, origin: Origin, start: Start, order: dict[str, object], swept: bool
) -> None:
    held = Held(at.respond(PHOTO, cache_control=FOREVER))
    origin.scripts["/a.jpg"] = at.in_turn(held, at.respond(OTHER, cache_control=FOREVER))
    order = {"source": origin.url()} if "source" in order else order
    settings = settings_for(origin)
    with start(root, tmp_path, admin_token=TOKEN, **settings) as service, ThreadPoolExecutor(2) as pool:
        first = pool.submit(service.get, image(origin))
        assert held.asked.wait(20)
        assert purge(service, **order)["variants"] == 0
        if swept:
            for each in (service.cache / "trash").iterdir():
                shutil.rmtree(each)
        later = pool.submit(service.get, image(origin))  # it may join the fetch that is held
        time.sleep(0.1)
        held.release.set()
        after = {later.result().body, *bodies(service, image(origin))}
        assert first.result().status == 200
        assert len(after) == 1
        assert after == {service.get(image(origin, query="w=100&v=1")).body}
    with serving.edge(root, tmp_path / "root", **settings_for(origin)) as other:
        assert after == {other.get(image(origin)).body}, "the picture after the purge"


@pytest.mark.parametrize("order", [{"source": None}, {"all": True}], ids=["source", "all"])
@pytest.mark.parametrize("soft", [False, True], ids=["hard", "soft"])
@pytest.mark.parametrize("start", FLAVOURS)
def test_a_validation_that_is_under_way_when_a_purge_comes_makes_nothing_fresh(
    root: Path, tmp_path: Path, origin: Origin, start: Start, soft: bool, order: dict[str, object]
) -> None:
    order = {"source": origin.url()} if "source" in order else order
    with (
        start(root, tmp_path, admin_token=TOKEN, **settings_for(origin)) as service,
        ThreadPoolExecutor(1) as pool,
    ):
        before = service.get(image(origin)).body
        held = Held(at.respond(status=304, cache_control=FOREVER))
        origin.scripts["/a.jpg"] = at.in_turn(held, at.respond(OTHER, cache_control=FOREVER))
        purge(service, source=origin.url(), soft=True)
        asking = pool.submit(service.get, image(origin))  # stale: it is validated behind
        assert held.asked.wait(20)
        assert purge(service, **order, soft=soft)["sources"] == 1
        assert asking.result().body == before
        held.release.set()
        wait_until(lambda: before not in bodies(service, image(origin)), "the origin is asked again")
        assert before not in bodies(service, image(origin))


@pytest.mark.parametrize("order", [{"source": "/huge.png"}, {"all": True}], ids=["source", "all"])
@pytest.mark.parametrize("start", FLAVOURS)
def test_what_is_being_rendered_when_a_purge_comes_is_not_stored(
    huge: Path, tmp_path: Path, start: Start, order: dict[str, object]
) -> None:
    with start(huge.parent, tmp_path, admin_token=TOKEN) as service, ThreadPoolExecutor(1) as pool:
        assert service.get("/img/huge.png?fm=json").status == 200
        rendering = pool.submit(service.get, "/img/huge.png?w=700&fm=png")
        wait_until(lambda: list((service.cache / "tmp").iterdir()) or not rendering.done(), "it is rendered")
        time.sleep(0.2)
        purged = purge(service, **order)
        was_under_way = not rendering.done()
        assert (purged["sources"], purged["variants"]) == (1, 1)
        assert rendering.result().status == 200
        assert was_under_way
        assert service.files() == []


# What it refuses.


@pytest.mark.parametrize("token", [None, "", "wrong", TOKEN[:-1], f"{TOKEN}x", TOKEN.upper()], ids=str)
def test_a_purge_needs_the_token(guarded: Service, token: str | None) -> None:
    response = post(guarded, b'{"all": true}', token=token)
    assert response.status == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.headers["cache-control"] == "no-store"
    assert json.loads(response.body)["type"] == "/-/problems/unauthorized"
    assert guarded.get("/-/problems/unauthorized").status == 200
    assert TOKEN not in guarded.log.read_text()


@pytest.mark.parametrize("scheme", ["Basic", "Token", "Bearer:"])
def test_a_token_of_another_scheme_does_not_count(guarded: Service, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} {TOKEN}"}
    assert guarded.get("/img/photo.jpg", method="PURGE", headers=headers).status == 401


def test_without_a_token_in_the_settings_nothing_can_be_purged(service: Service) -> None:
    assert service.get("/img/photo.jpg?w=77").status == 200
    for path in ("/-/purge", "/-/nothing"):
        assert service.get(path).status == 404
    assert post(service, b'{"all": true}').status == 404
    refused = service.get("/img/photo.jpg?w=77", method="PURGE", headers={"Authorization": f"Bearer {TOKEN}"})
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert service.get("/img/photo.jpg?w=77").headers["cache-status"].startswith("imgcdn; hit")


def test_with_a_token_in_the_settings_the_methods_are_listed(guarded: Service) -> None:
    refused = guarded.get("/-/purge")
    assert (refused.status, refused.headers["allow"]) == (405, "POST")
    refused = guarded.get("/img/photo.jpg", method="DELETE")
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS, PURGE")


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        pytest.param(b"", 400, "not JSON", id="empty"),
        pytest.param(b"source=/photo.jpg", 400, "not JSON", id="a form"),
        pytest.param(b'{"source": "/photo.jpg"', 400, "not JSON", id="cut"),
        pytest.param(b'{"source": "\xff"}', 400, "not JSON", id="not UTF-8"),
        pytest.param(b"[" * 60_000, 400, "not JSON", id="deeply nested"),
        pytest.param(b"9" * 60_000, 400, "not JSON", id="a long number"),
        pytest.param(b"[]", 400, "not a JSON object", id="a list"),
        pytest.param(b"null", 400, "not a JSON object", id="null"),
        pytest.param(b"{}", 400, "either source or all", id="no target"),
        pytest.param(b'{"soft": true}', 400, "either source or all", id="soft alone"),
        pytest.param(b'{"all": false}', 400, "either source or all", id="not all"),
        pytest.param(b'{"all": true, "source": "/photo.jpg"}', 400, "either source or all", id="two targets"),
        pytest.param(b'{"source": "/a.jpg", "source": "/b.jpg"}', 400, "twice", id="a member twice"),
        pytest.param(b'{"all": "true"}', 400, "all must be true or false", id="all as text"),
        pytest.param(b'{"all": true, "soft": 1}', 400, "soft must be true or false", id="soft as a number"),
        pytest.param(b'{"prefix": "/a/"}', 400, "source, all, soft", id="a prefix"),
        pytest.param(b'{"tag": "a"}', 400, "source, all, soft", id="a tag"),
        pytest.param(b'{"host": "a.example"}', 400, "source, all, soft", id="a host"),
        pytest.param(b'{"source": ["/a.jpg"]}', 400, "source must be a path or a URL", id="a list of sources"),
        pytest.param(b'{"source": ""}', 400, "source must be a path or a URL", id="an empty source"),
        pytest.param(b'{"source": "/"}', 400, "source must name an image", id="no name"),
        pytest.param(b'{"source": "/%s"}' % (b"a" * 9_000), 400, "at most 8000 characters", id="a long source"),
        pytest.param(b'{"source": "/a\\u0000b"}', 400, "source must not contain control", id="a NUL"),
        pytest.param(b'{"source": "/\\ud800"}', 400, "halves of characters", id="half a character"),
        pytest.param(b'{"source": "https://nowhere.example/a.jpg"}', 403, "does not serve", id="not allowed"),
        pytest.param(b'{"all": true}' + b" " * 70_000, 413, "65536", id="more than 64 KB"),
    ],
)
def test_a_body_that_names_no_single_target_is_refused(guarded: Service, body: bytes, status: int, said: str) -> None:
    assert guarded.get("/img/photo.jpg?w=78").status == 200
    stored = guarded.files()
    response = post(guarded, body)
    assert response.status == status
    assert said in json.loads(response.body)["detail"]
    assert guarded.files() == stored


# The command.


def test_the_command_purges(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IMGCDN_ADMIN_TOKEN", TOKEN)
    with serving.edge(root, tmp_path, admin_token=TOKEN) as service:
        server = f"--server=http://{service.host}:{service.port}"
        for arguments, done in (
            (["/photo.jpg", "/none.jpg"], "removed"),
            (["--soft", "photo.jpg"], "marked as stale"),
            (["--all"], "marked as stale"),
            (["--all", "--hard"], "removed"),
        ):
            service.get("/img/photo.jpg?w=100")
            assert main(["purge", server, *arguments]) == 0
            first, *others = capsys.readouterr().out.splitlines()
            assert re.fullmatch(rf"(/?photo.jpg|everything): 1 sources, 1 variants, [1-9][0-9]* bytes {done}", first)
            assert others in ([], ["/none.jpg: 0 sources, 0 variants, 0 bytes removed"])
        for target, said in (("/", "answered 400: source must name an image"), ("http://a.test/b", "answered 403")):
            assert main(["purge", server, target, "/photo.jpg"]) == 1
            out, err = capsys.readouterr()
            assert out == ""
            assert said in err
        monkeypatch.setenv("IMGCDN_ADMIN_TOKEN", "of-another-service")
        assert main(["purge", server, "/photo.jpg"]) == 1
        assert "its admin_token is another one" in capsys.readouterr().err
    assert main(["purge", server, "/photo.jpg"]) == 1
    assert "nothing listens at http://127.0.0.1" in capsys.readouterr().err


def test_the_command_gives_the_token_to_no_other_host(
    origin: Origin, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IMGCDN_ADMIN_TOKEN", TOKEN)
    with at.running() as other:
        origin.scripts["/-/purge"] = at.redirect(f"http://127.0.0.1:{other.port}/-/purge", 302)
        assert main(["purge", "--server", f"http://127.0.0.1:{origin.port}", "/a.jpg"]) == 1
        assert other.requests == []
    assert "answered 302, and not as an imgcdn does" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        pytest.param([], 2, "needs the paths or URLs of originals, or --all", id="no target"),
        pytest.param(["--all", "/a.jpg"], 2, "and not both", id="two targets"),
        pytest.param(["--soft", "--hard", "/a.jpg"], 2, "not allowed with", id="soft and hard"),
        pytest.param(["/a.jpg", "--server", "localhost:8000"], 1, "--server must be a URL such as", id="no scheme"),
        pytest.param(["/a.jpg", "--server", "http://a:b"], 1, "was not purged", id="no port"),
    ],
)
def test_mistakes_of_the_command_are_explained(
    arguments: list[str],
    status: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMGCDN_ADMIN_TOKEN", TOKEN)
    try:
        found = main(["purge", *arguments])
    except SystemExit as exit_:  # argparse
        found = exit_.code  # type: ignore[assignment]  # a number

    assert found == status
    assert said in capsys.readouterr().err


def test_the_command_needs_a_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["purge", "/a.jpg"]) == 2
    assert "admin_token is empty; set IMGCDN_ADMIN_TOKEN" in capsys.readouterr().err
