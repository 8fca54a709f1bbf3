"""No spelling of a path leads out of the root."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.support import pictures, serving
from tests.support.serving import Service
from tests.web.conftest import Start


@pytest.fixture(scope="module", params=["edge", "wsgi"])
def guarded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run a service; pictures of the same name lie beneath its root, beside it, above it, and where only links lead."""
    base = tmp_path_factory.mktemp("guarded")
    picture = pictures.jpeg(pictures.chart((300, 300)))
    for name in ("assets/in/a.jpg", "assets/.git/a.jpg", "assets-private/a.jpg", "a.jpg", "secret/a.jpg"):
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        (base / name).write_bytes(picture)
    root = base / "assets"
    (root / "inside.jpg").symlink_to(root / "in" / "a.jpg")
    (root / "outside.jpg").symlink_to(base / "a.jpg")
    (root / "neighbour").symlink_to(base / "assets-private")
    (root / "hidden.jpg").symlink_to(root / ".git" / "a.jpg")
    start: Start = getattr(serving, request.param)
    with start(root, tmp_path_factory.mktemp("run")) as service:
        yield service


@pytest.mark.parametrize("target", ["/img/in/a.jpg", "/img/inside.jpg", "/img?url=in/a.jpg", "/img/in%2Fa.jpg"])
def test_a_file_beneath_the_root_is_served(guarded: Service, target: str) -> None:
    assert guarded.get(target).status == 200


@pytest.mark.parametrize(
    "target",
    [
        "/img/../a.jpg",
        "/img/..%2Fa.jpg",
        "/img/%2e%2e/a.jpg",
        "/img/%2e%2e%2fa.jpg",
        "/img/%252e%252e%252fa.jpg",
        "/img/in/../../a.jpg",
        "/img/in/..%5c..%5ca.jpg",
        "/img?url=../a.jpg",
        "/img?url=%2F..%2Fa.jpg",
        "/img?url=in/../../a.jpg",
        "/img?url=./in/a.jpg",
        "/img?url=in/./a.jpg",
        "/img?url=..\\a.jpg",
        "/img?url=/in//a.jpg",
        "/img?url=.git/a.jpg",
        "/img?url=../assets-private/a.jpg",
        "/img?url=neighbour/a.jpg",
        "/img?url=outside.jpg",
        "/img?url=hidden.jpg",
        "/img?url=in",
        "/img?url=in/",
        "/img?url=" + "a" * 300 + ".jpg",
        "/img?url=" + "a/" * 2_000 + "a.jpg",
    ],
)
def test_a_path_that_is_not_beneath_the_root_is_404(guarded: Service, target: str) -> None:
    assert guarded.get(target).status == 404


@pytest.mark.parametrize(
    ("target", "status"),
    [
        pytest.param("/img?url=in/a.jpg%00.png", 400, id="NUL"),
        pytest.param("/img?url=in/a.jpg%0d%0aSet-Cookie:%20x", 400, id="CR LF"),
        pytest.param("/img?url=file:///etc/passwd", 403, id="file scheme"),
        pytest.param("/img?url=//localhost/a.jpg", 403, id="scheme-relative"),
        pytest.param("/img/http:%2F%2F127.0.0.1/a.jpg", 403, id="remote in the path"),
    ],
)
def test_an_invalid_path_is_refused(guarded: Service, target: str, status: int) -> None:
    response = guarded.get(target)
    assert response.status == status
    assert "set-cookie" not in response.headers


def test_a_link_that_is_swapped_after_a_hit_gives_a_404(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "a.jpg").write_bytes(pictures.jpeg())
    (tmp_path / "secret.jpg").write_bytes(pictures.jpeg(pictures.photograph()))
    with serving.edge(root, tmp_path) as service:
        assert service.get("/img/a.jpg").status == 200
        (root / "a.jpg").unlink()
        (root / "a.jpg").symlink_to(tmp_path / "secret.jpg")
        assert service.get("/img/a.jpg").status == 404


def test_a_release_that_is_switched_by_a_link_is_served_at_once_and_a_removed_one_is_still_shown(
    tmp_path: Path,
) -> None:
    for release, colour in (("first", pictures.RED), ("second", pictures.BLUE)):
        (tmp_path / release).mkdir()
        (tmp_path / release / "a.png").write_bytes(pictures.png(Image.new("RGB", (60, 40), colour)))
    link = tmp_path / "current"
    link.symlink_to("first")
    (tmp_path / "run").mkdir()

    with serving.edge(link, tmp_path / "run") as service:
        first = service.get("/img/a.png?fm=png&w=30")
        assert service.get("/img/a.png?fm=png&w=30").headers["cache-status"].startswith("imgcdn; hit")

        (tmp_path / "new").symlink_to("second")
        (tmp_path / "new").rename(link)
        second = service.get("/img/a.png?fm=png&w=30")

        (tmp_path / "second").rename(tmp_path / "removed")
        gone = service.get("/img/a.png?fm=png&w=30")

    assert (first.status, second.status, gone.status) == (200, 200, 200)
    assert first.body != second.body == gone.body
    assert gone.headers["cache-status"].endswith("; detail=origin-error")
