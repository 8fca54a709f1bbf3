import pytest

from imgcdn.core.request.routes import Mount, Routes
from imgcdn.core.request.url import parse_remote
from imgcdn.core.values import Source
from imgcdn.errors import Forbidden, SourceNotFound

ROUTES = Routes(
    [
        Mount("cms", parse_remote("https://cms.test/media")),
        Mount("cms/old", parse_remote("http://old.test")),
        Mount("zoo", parse_remote("https://cms.test/media-zoo")),
    ],
    ["https://images.test/**"],
)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param(Source("local", "a.jpg"), Source("local", "a.jpg"), id="a file"),
        pytest.param(Source("local", "a.jpg", query="1"), Source("local", "a.jpg"), id="a file has no query"),
        pytest.param(
            Source("local", "cms/2024/a b.jpg"),
            Source("mounted", "https://cms.test/media/2024/a%20b.jpg"),
            id="a path below a mount",
        ),
        pytest.param(
            Source("local", "cms/a.jpg", query="v=1"),
            Source("mounted", "https://cms.test/media/a.jpg?v=1"),
            id="a mount gets the query",
        ),
        pytest.param(
            Source("local", "cms/old/a.jpg"), Source("mounted", "http://old.test/a.jpg"), id="the longest prefix counts"
        ),
        pytest.param(Source("local", "cms"), Source("local", "cms"), id="the prefix alone is a file"),
        pytest.param(Source("local", "cms2/a.jpg"), Source("local", "cms2/a.jpg"), id="a folder of a similar name"),
        pytest.param(
            Source("remote", "https://images.test/a.jpg"),
            Source("remote", "https://images.test/a.jpg"),
            id="a URL on the allowlist",
        ),
    ],
)
def test_a_source_leads_to_a_file_a_mount_or_an_admitted_url(source: Source, expected: Source) -> None:
    assert ROUTES.route(source) == expected


def test_a_url_that_no_pattern_admits_is_forbidden() -> None:
    for routes, location in ((ROUTES, "https://other.test/a.jpg"), (Routes([], []), "https://images.test/a.jpg")):
        assert not routes.admits(parse_remote(location))
        with pytest.raises(Forbidden) as caught:
            routes.route(Source("remote", location))
        assert location in caught.value.log


def test_a_path_that_could_leave_its_mount_is_not_found() -> None:
    with pytest.raises(SourceNotFound):
        ROUTES.route(Source("local", "cms/../secret.jpg"))


@pytest.mark.parametrize(
    ("source", "base"),
    [
        pytest.param(Source("mounted", "https://cms.test/media/a.jpg"), "https://cms.test/media", id="a mount"),
        pytest.param(Source("mounted", "http://old.test/a.jpg"), "http://old.test/", id="another mount"),
        pytest.param(
            Source("mounted", "https://cms.test/media-zoo/a.jpg"),
            "https://cms.test/media-zoo",
            id="a base that begins like another",
        ),
        pytest.param(Source("remote", "https://cms.test/media/a.jpg"), None, id="a remote URL at the same place"),
        pytest.param(Source("local", "cms/a.jpg"), None, id="a file"),
    ],
)
def test_only_a_mounted_source_has_a_base(source: Source, base: str | None) -> None:
    found = ROUTES.base_of(source)

    assert (None if found is None else found.url) == base
