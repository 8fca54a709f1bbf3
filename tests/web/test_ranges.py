"""Byte ranges: which part of a picture is sent, and when the whole is."""

import http.client
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from PIL import Image

from imgcdn.core.values import Effort, Variant
from imgcdn.errors import RangeNotSatisfiable
from imgcdn.web.conditions import asked_range
from imgcdn.web.request import Request
from tests.support import pictures, serving
from tests.support.serving import Service

#: Sun, 06 Nov 1994 08:49:37 GMT
MADE_AT = 784_111_777
VARIANT = Variant(bytes(100), "webp", (9, 9), 100, bytes(range(32)), MADE_AT, Effort.FAST)
TAG = '"000102030405060708090a0b0c0d0e0f"'


def asking(method: str = "GET", **headers: str) -> Request:
    named = {name.replace("_", "-").encode(): value.encode("latin-1") for name, value in headers.items()}
    return Request(method, "/img/photos/a.jpg", named)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("bytes=0-0", (0, 0), id="the first byte"),
        pytest.param("bytes=0-99", (0, 99), id="all bytes"),
        pytest.param("bytes=10-", (10, 99), id="from an offset on"),
        pytest.param("bytes=90-1000", (90, 99), id="an end behind the last byte"),
        pytest.param("bytes=-10", (90, 99), id="the last bytes"),
        pytest.param("bytes=-1000", (0, 99), id="more last bytes than there are"),
        pytest.param("Bytes=5-6", (5, 6), id="the unit in upper case"),
        pytest.param("bytes = 5 - 6", (5, 6), id="spaces"),
        pytest.param("bytes=99-99", (99, 99), id="the last byte"),
        pytest.param("bytes=0000000005-6", (5, 6), id="zeros before a number"),
        pytest.param("bytes=6-5", None, id="an end before the start"),
        pytest.param("bytes=-", None, id="no numbers"),
        pytest.param("bytes=", None, id="nothing"),
        pytest.param("bytes=a-b", None, id="letters"),
        pytest.param("bytes=1.5-2", None, id="a fraction"),
        pytest.param("bytes=--5", None, id="two signs"),
        pytest.param("bytes=0-1,5-6", None, id="several ranges"),
        pytest.param("bytes=0-1,", None, id="a comma"),
        pytest.param("lines=0-1", None, id="another unit"),
        pytest.param("bytes=" + "0" * 200 + "-1", None, id="too long to be read"),
        pytest.param("", None, id="empty"),
    ],
)
def test_a_range_names_these_bytes(value: str, expected: tuple[int, int] | None) -> None:
    assert asked_range(asking(range=value), VARIANT) == expected


@pytest.mark.parametrize("value", ["bytes=100-", "bytes=100-200", "bytes=9999999999999999999-", "bytes=-0"])
def test_a_range_behind_the_end_cannot_be_satisfied(value: str) -> None:
    with pytest.raises(RangeNotSatisfiable) as caught:
        asked_range(asking(range=value), VARIANT)
    assert caught.value.length == 100


@pytest.mark.parametrize(
    ("condition", "counts"),
    [
        pytest.param(TAG, True, id="its ETag"),
        pytest.param(f" {TAG} ", True, id="spaces around it"),
        pytest.param(f"W/{TAG}", False, id="its ETag as a weak one"),
        pytest.param('"else"', False, id="another ETag"),
        pytest.param("Sun, 06 Nov 1994 08:49:37 GMT", True, id="its date"),
        pytest.param("Sun, 06 Nov 1994 08:49:38 GMT", False, id="a later date"),
        pytest.param("Sun, 06 Nov 1994 08:49:36 GMT", False, id="an earlier date"),
        pytest.param("yesterday", False, id="no date"),
        pytest.param("", False, id="empty"),
        pytest.param('"' * 201, False, id="too long to be read"),
    ],
)
def test_a_range_counts_only_for_the_variant_that_if_range_names(condition: str, counts: bool) -> None:
    found = asked_range(asking(range="bytes=1-2", if_range=condition), VARIANT)

    assert found == ((1, 2) if counts else None)
    behind = asking(range="bytes=100-", if_range=condition)
    if not counts:
        assert asked_range(behind, VARIANT) is None, "the whole is sent, and no error"


@pytest.mark.parametrize("method", ["HEAD", "POST"])
def test_only_get_has_ranges(method: str) -> None:
    assert asked_range(asking(method, range="bytes=1-2"), VARIANT) is None


def test_a_header_that_was_read_alone_knows_its_length() -> None:
    assert asked_range(asking(range="bytes=90-"), replace(VARIANT, body=b"")) == (90, 99)


@pytest.fixture(scope="module", params=[pytest.param(serving.edge, id="edge"), pytest.param(serving.wsgi, id="wsgi")])
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    root = tmp_path_factory.mktemp("root")
    (root / "noise.png").write_bytes(pictures.png(Image.effect_noise((700, 600), 90)))
    with request.param(root, tmp_path_factory.mktemp("ranges"), workers=1) as running:
        yield running


@pytest.mark.parametrize(
    "target",
    [pytest.param("/img/noise.png?w=64&fm=png", id="from memory"), pytest.param("/img/noise.png?fm=png", id="a file")],
)
def test_parts_of_a_picture_are_those_of_the_whole(service: Service, target: str) -> None:
    whole = service.get(target)
    assert whole.headers["accept-ranges"] == "bytes"
    length = len(whole.body)
    for asked, first, last in (
        ("bytes=0-0", 0, 0),
        ("bytes=100-40000", 100, min(40_000, length - 1)),
        ("bytes=5-", 5, length - 1),
        ("bytes=-7", length - 7, length - 1),
    ):
        part = service.get(target, headers={"Range": asked, "If-Range": whole.headers["etag"]})
        assert (part.status, part.body) == (206, whole.body[first : last + 1])
        assert part.headers["content-range"] == f"bytes {first}-{last}/{length}"
        assert part.headers["content-length"] == str(last - first + 1)
        for name in ("etag", "content-type", "cache-control", "last-modified"):
            assert part.headers[name] == whole.headers[name]
    assert service.get(target, headers={"Range": "bytes=0-1", "If-Range": '"old"'}).body == whole.body
    assert service.get(target, headers={"Range": "bytes=0-1,3-4"}).body == whole.body
    unchanged = service.get(target, headers={"Range": "bytes=0-1", "If-None-Match": whole.headers["etag"]})
    assert (unchanged.status, unchanged.body) == (304, b"")
    head = service.get(target, method="HEAD", headers={"Range": "bytes=0-1"})
    assert (head.status, head.headers["content-length"]) == (200, str(length))


def test_a_range_behind_the_end_is_416(service: Service) -> None:
    length = len(service.get("/img/noise.png?w=64&fm=png").body)
    refused = service.get("/img/noise.png?w=64&fm=png", headers={"Range": f"bytes={length}-"})

    assert (refused.status, refused.headers["content-range"]) == (416, f"bytes */{length}")
    assert refused.headers["cache-control"] == "no-store"
    assert json.loads(refused.body)["type"] == "/-/problems/range-not-satisfiable"


def test_the_first_answer_to_a_new_picture_may_be_a_part(service: Service) -> None:
    part = service.get("/img/noise.png?w=65&fm=png", headers={"Range": "bytes=0-7"})

    assert (part.status, part.body) == (206, b"\x89PNG\r\n\x1a\n")
    assert part.headers["cache-status"].startswith("imgcdn; fwd=miss")


def test_a_connection_stays_in_step_after_a_part(service: Service) -> None:
    connection = http.client.HTTPConnection(service.host, service.port, timeout=30)
    sizes = []
    for asked in ("bytes=0-49999", "bytes=0-9", "bytes=-60000"):
        connection.request("GET", "/img/noise.png?fm=png", headers={"Range": asked})
        response = connection.getresponse()
        sizes.append((response.status, len(response.read())))
    connection.close()
    assert sizes == [(206, 50_000), (206, 10), (206, 60_000)]
