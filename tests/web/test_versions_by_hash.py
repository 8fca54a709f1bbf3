"""A `v` that begins the SHA-256 of an original: it stands for those bytes, also after they were replaced."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from imgcdn.store.files import pack_record, unpack_record
from tests.support import origin as at
from tests.support import pictures, serving
from tests.web.test_remote import image, settings_for
from tests.web.test_stale_use import status_of, wait_for

OLD = pictures.jpeg(pictures.photograph((600, 400)))
NEW = pictures.jpeg(pictures.chart((600, 400)))
IMMUTABLE = "public, max-age=31536000, immutable"


def digits(data: bytes, count: int = 16) -> str:
    return hashlib.sha256(data).hexdigest()[:count]


def test_a_page_of_the_old_version_keeps_its_pictures(root: Path, tmp_path: Path) -> None:
    path = root / "cup.jpg"
    path.write_bytes(OLD)
    with serving.edge(root, tmp_path) as service:
        before = service.get(f"/img/cup.jpg?w=100&v={digits(OLD)}")
        assert before.headers["cache-control"] == IMMUTABLE
        path.write_bytes(NEW)
        present = service.get(f"/img/cup.jpg?w=100&v={digits(NEW)}")
        assert (present.body != before.body, present.headers["cache-control"]) == (True, IMMUTABLE)

        named = service.get(f"/img/cup.jpg?w=100&v={digits(OLD)}")
        assert (named.body, named.headers["cache-control"]) == (before.body, IMMUTABLE)
        assert status_of(named).endswith("; detail=previous")
        assert service.get("/img/cup.jpg?w=100").body == present.body, "a file is never shown as what it was"
        assert service.get("/img/cup.jpg?w=100&v=2026").body == present.body

        # Nothing is stored of the old version in this size.
        for _ in range(2):
            other = service.get(f"/img/cup.jpg?w=120&v={digits(OLD)}")
            assert other.headers["cache-control"] == "public, max-age=60, stale-while-revalidate=0"
        assert other.body == service.get("/img/cup.jpg?w=120").body


@pytest.mark.parametrize(
    ("count", "asks"), [pytest.param(12, 0, id="12 digits"), pytest.param(64, 0, id="64"), pytest.param(11, 1, id="11")]
)
def test_no_origin_is_asked_for_a_version_that_is_known(root: Path, tmp_path: Path, count: int, asks: int) -> None:
    with at.running({"/a.jpg": at.respond(OLD, cache_control="max-age=600")}) as origin:
        with serving.edge(root, tmp_path, workers=1, **settings_for(origin)) as service:
            assert service.get(image(origin)).status == 200
        # A service that starts later: by then, 10 seconds have passed, after which an unknown version is asked for.
        (record,) = (each for each in (tmp_path / "cache" / "current").rglob("*") if each.name.endswith("record"))
        _made_earlier(record)
        with serving.edge(root, tmp_path, workers=1, **settings_for(origin)) as service:
            named = service.get(image(origin, query=f"w=100&v={digits(OLD, count)}"))
            assert named.headers["cache-control"] == IMMUTABLE
        assert origin.count("/a.jpg") == 1 + asks


def test_a_remote_picture_of_the_version_before_is_shown_to_who_names_it(root: Path, tmp_path: Path) -> None:
    with (
        at.running({"/a.jpg": at.respond(OLD, cache_control="max-age=1")}) as origin,
        serving.edge(root, tmp_path, workers=1, **settings_for(origin, min_ttl=0)) as service,
    ):
        before = service.get(image(origin))
        origin.scripts["/a.jpg"] = at.respond(NEW, cache_control="max-age=600")
        wait_for(service, image(origin), r"imgcdn; hit; ttl=[1-9][0-9]+")
        named = service.get(image(origin, query=f"w=100&v={digits(OLD)}"))
        assert (named.body, named.headers["cache-control"]) == (before.body, IMMUTABLE)
        assert service.get(image(origin, query=f"w=100&v={digits(NEW)}")).body != before.body


def _made_earlier(record: Path) -> None:
    found = unpack_record(record.read_bytes())
    assert found is not None
    assert found.origin is not None
    origin = replace(found.origin, validated_at=found.origin.validated_at - 60)
    record.write_bytes(pack_record(replace(found, origin=origin)))
