"""Signed URLs over HTTP: required, rotated, expiring."""

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from imgcdn.core.request.signing import parse_signing_key, sign
from tests.support import serving
from tests.support.serving import CHROME, Service
from tests.web.conftest import Start

NEW = "2026:" + "a1" * 32
OLD = "2025:" + "b2" * 16
LOST = "2024:" + "c3" * 16

#: One URL of each dialect.
TARGETS = [
    pytest.param("/img/photo.jpg?w=300", id="native, path"),
    pytest.param("/img?url=/photo.jpg&w=300", id="native, query"),
    pytest.param("/.netlify/images?url=/photo.jpg&w=300", id="netlify"),
    pytest.param("/_image?href=/photo.jpg&w=300", id="astro"),
]


@pytest.fixture(scope="module", params=["edge", "wsgi"])
def closed(
    request: pytest.FixtureRequest, originals: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    start: Start = getattr(serving, request.param)
    folder = tmp_path_factory.mktemp(f"closed-{request.param}")
    settings = {"signing_keys": f"{NEW} {OLD}", "require_signature": "true", "access_log": "all", "log_format": "json"}
    with start(originals, folder, path_prefix="/pictures", **settings) as running:
        yield running


def signed(target: str, key: str = NEW, *, exp: int | None = None) -> str:
    return sign(target, parse_signing_key(key), exp=exp)


def note_of(service: Service, request_id: str) -> str:
    """Return the note in the access log of one request."""
    lines = [json.loads(line) for line in service.log.read_text().splitlines() if line.startswith("{")]
    [note] = [line["note"] for line in lines if line.get("request_id") == request_id and "status" in line]
    return str(note)


@pytest.mark.parametrize("target", TARGETS)
def test_a_url_needs_a_signature_in_every_dialect(closed: Service, target: str) -> None:
    unsigned, fine = closed.get(target, CHROME), closed.get(signed(target), CHROME)

    assert (unsigned.status, fine.status) == (403, 200)
    assert "immutable" not in fine.headers["cache-control"]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda url: url.replace("w=300", "w=301"), id="another value"),
        pytest.param(lambda url: url.replace("w=300", "w=300&h=9"), id="another parameter"),
        pytest.param(lambda url: f"{url}&w=9", id="a parameter twice"),
        pytest.param(lambda url: f"{url}&s=x", id="a signature twice"),
        pytest.param(lambda url: url.replace("photo", "alpha"), id="another source"),
        pytest.param(lambda url: url.replace("/img/", "/img//"), id="a slash more"),
        pytest.param(lambda url: url.replace("/img/", "/img/./"), id="a dot segment"),
        pytest.param(lambda url: url.replace("&s=", "&S="), id="the signature under another name"),
        pytest.param(lambda url: url.partition("&s=")[0], id="no signature"),
        pytest.param(lambda url: url[:-1], id="a character less"),
        pytest.param(lambda url: url.replace("kid=2026", "kid=2025"), id="another key"),
    ],
)
def test_a_changed_url_is_refused_like_any_other_that_is_forbidden(
    closed: Service, change: Callable[[str], str]
) -> None:
    url = change(signed("/img/photo.jpg?w=300"))
    refused = closed.get(url)
    remote = closed.get(signed("/img?url=https://elsewhere.test/a.jpg"))

    assert refused.status == 403
    texts = {each.body.replace(each.headers["x-request-id"].encode(), b"") for each in (refused, remote)}
    assert len(texts) == 1, "every cause has the same text"
    assert refused.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda url: url, id="as it was signed"),
        pytest.param(lambda url: f"/pictures{url}", id="beneath the path prefix"),
        pytest.param(lambda url: url.replace("photo", "%70hoto"), id="path encoded"),
        pytest.param(lambda url: url.replace("w=300", "w=%33%300"), id="query encoded"),
        pytest.param(lambda url: "/img/photo.jpg?" + "&".join(reversed(url.partition("?")[2].split("&"))), id="order"),
    ],
)
def test_another_spelling_is_accepted(closed: Service, write: Callable[[str], str]) -> None:
    assert closed.get(write(signed("/img/photo.jpg?w=300&q=60")), CHROME).status == 200


def test_a_target_with_a_host_needs_a_signature_too(closed: Service) -> None:
    statuses = []
    for target in ("/img/photo.jpg?w=300", signed("/img/photo.jpg?w=300")):
        head = f"GET http://other.test{target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        statuses.append(closed.raw(head.encode()).split(b" ", 2)[1])

    assert statuses[0] != b"200"
    assert statuses[1] in (b"200", b"404")  # some servers do not read this form


def test_signatures_of_all_keys_are_accepted_and_share_a_variant(closed: Service) -> None:
    first, second = (closed.get(signed("/img/photo.jpg?w=311", key), CHROME) for key in (NEW, OLD))

    assert (first.status, second.status, closed.get(signed("/img/photo.jpg?w=311", LOST)).status) == (200, 200, 403)
    assert second.headers["cache-status"].startswith("imgcdn; hit")
    assert second.headers["etag"] == first.headers["etag"]


def test_a_url_is_refused_once_it_has_expired_although_it_was_a_hit(closed: Service) -> None:
    target = "/img/photo.jpg?w=312"
    tag = closed.get(signed(target), CHROME).headers["etag"]  # rendered now, so that what follows is quick
    exp = int(time.time()) + 4
    url = signed(target, exp=exp)
    hits = [closed.get(url, CHROME), closed.get(url, CHROME), closed.get(url, CHROME, headers={"If-None-Match": tag})]

    assert [hit.status for hit in hits] == [200, 200, 304], f"{exp - time.time():.1f} s are left"
    for hit in hits:
        seconds = [int(number) for number in re.findall(r"=([0-9]+)", hit.headers["cache-control"])]
        assert hit.headers["cache-status"].startswith("imgcdn; hit")
        assert sum(seconds) <= 4

    while time.time() < exp:
        time.sleep(0.05)
    late = [closed.get(url, CHROME), closed.get(url, CHROME, headers={"If-None-Match": "*"})]
    late.append(closed.get(url, CHROME, method="HEAD"))
    assert [response.status for response in late] == [403, 403, 403]
    assert closed.get(signed(target), CHROME).headers["etag"] == tag


@pytest.mark.parametrize("v", ["", "&v=7"], ids=["without a version", "with a version"])
def test_max_age_ends_with_the_url(closed: Service, v: str) -> None:
    response = closed.get(signed(f"/img/photo.jpg?w=313{v}", exp=int(time.time()) + 100), CHROME)
    max_age = re.match(r"public, max-age=([0-9]+)", response.headers["cache-control"])

    assert max_age is not None
    assert 60 < int(max_age[1]) <= 100


@pytest.mark.parametrize("target", ["/img/none.jpg?w=80", "/img?url=/none.jpg", "/_image?href=/none.jpg&w=80"])
def test_a_404_is_kept_no_longer_than_its_url_is_valid(closed: Service, target: str) -> None:
    soon, later = (closed.get(signed(target, exp=int(time.time()) + seconds)) for seconds in (4, 1_000))
    without = closed.get(signed(target))

    assert [response.status for response in (soon, later, without)] == [404] * 3
    kept = [int(each.headers["cache-control"].removeprefix("public, max-age=")) for each in (soon, later, without)]
    assert kept[0] <= 4
    assert kept[1:] == [10, 10]


CAUSES = {
    "/img/photo.jpg?w=9": "the URL is not signed, and require_signature is on",
    signed("/img/photo.jpg?w=9") + "x": "the signature is wrong",
    signed("/img/photo.jpg?w=9", LOST): "the key '2024', which is not in signing_keys",
    signed("/img/photo.jpg?w=9", exp=99): "the signed URL has expired; its exp is 99",
}


def test_the_log_has_the_cause_and_no_key(originals: Path, tmp_path: Path) -> None:
    settings = {"signing_keys": f"{NEW} {OLD}", "require_signature": "true", "log_format": "json"}
    with serving.edge(originals, tmp_path, **settings) as service:
        responses = {target: service.get(target) for target in CAUSES}

    assert {response.status for response in responses.values()} == {403}
    for target, expected in CAUSES.items():
        note = note_of(service, responses[target].headers["x-request-id"])
        assert expected in note
        assert "&s=" not in note
    written = service.log.read_text()
    assert not [key for key in (NEW, OLD) if key.partition(":")[2] in written]


def test_the_welcome_page_has_no_pictures_and_says_how_to_sign(closed: Service) -> None:
    page = closed.get("/")

    assert page.status == 200
    assert b"imgcdn sign" in page.body
    assert b"/img/photo.jpg?w=" in page.body
    assert b"<img" not in page.body


def test_a_signature_that_is_given_is_checked_even_if_none_is_required(originals: Path, tmp_path: Path) -> None:
    with serving.edge(originals, tmp_path, signing_keys=NEW) as service:
        url = signed("/img/photo.jpg?w=300")
        statuses = [service.get(target).status for target in ("/img/photo.jpg?w=300", url, f"{url}x")]
        expired = service.get(signed("/img/photo.jpg?w=300", exp=99)).status
        unsigned = [service.get(f"/img/photo.jpg?w=300&{pair}").status for pair in ("exp=9", "kid=2026", "s=x")]

    assert (statuses, expired, unsigned) == ([200, 200, 403], 403, [400, 400, 403])
