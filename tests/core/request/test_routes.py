from dataclasses import replace

import pytest

from imgcdn.core.request.allowlist import parse_pattern
from imgcdn.core.request.origin_options import OriginHeader, OriginOptions
from imgcdn.core.request.routes import Hop, Mount, Routes
from imgcdn.core.request.url import parse_remote
from imgcdn.core.values import Source
from imgcdn.errors import Forbidden, SourceNotFound

CMS, OLD, IMAGES = (OriginHeader("Authorization", text) for text in ("cms", "old", "images"))
DROP = OriginOptions(keeps_query=False)

ROUTES = Routes(
    [
        Mount("cms", parse_remote("https://cms.test/media"), OriginOptions((CMS,))),
        Mount("cms/old", parse_remote("http://old.test"), OriginOptions((OLD,), keeps_query=False)),
        Mount("zoo", parse_remote("https://cms.test/media-zoo")),
        Mount("again", parse_remote("https://cms.test/media")),
    ],
    [
        parse_pattern("https://images.test/**"),
        replace(parse_pattern("https://private.test/**"), options=OriginOptions((IMAGES,))),
        replace(parse_pattern("https://tracked.test/**"), options=DROP),
        parse_pattern("https://*.test/x?id=1"),
        replace(parse_pattern("https://*.test/x"), options=DROP),
    ],
)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param(Source("local", "a.jpg"), Source("local", "a.jpg"), id="a file"),
        pytest.param(Source("local", "a.jpg", query="1"), Source("local", "a.jpg"), id="a file has no query"),
        pytest.param(
            Source("local", "cms/2024/a b.jpg"),
            Source("mounted", "https://cms.test/media/2024/a%20b.jpg", mount="cms"),
            id="a path below a mount",
        ),
        pytest.param(
            Source("local", "cms/a.jpg", query="v=1"),
            Source("mounted", "https://cms.test/media/a.jpg?v=1", mount="cms"),
            id="a mount gets the query",
        ),
        pytest.param(
            Source("local", "cms/old/a.jpg"),
            Source("mounted", "http://old.test/a.jpg", mount="cms/old"),
            id="the longest prefix counts",
        ),
        pytest.param(
            Source("local", "cms/old/a.jpg", query="v=1"),
            Source("mounted", "http://old.test/a.jpg", mount="cms/old"),
            id="a mount that drops the query",
        ),
        pytest.param(
            Source("local", "again/a.jpg"),
            Source("mounted", "https://cms.test/media/a.jpg", mount="again"),
            id="another mount with the same base",
        ),
        pytest.param(Source("local", "cms"), Source("local", "cms"), id="the prefix alone is a file"),
        pytest.param(Source("local", "cms2/a.jpg"), Source("local", "cms2/a.jpg"), id="a folder of a similar name"),
        pytest.param(
            Source("remote", "https://images.test/a.jpg"),
            Source("remote", "https://images.test/a.jpg"),
            id="a URL on the allowlist",
        ),
        pytest.param(
            Source("remote", "https://images.test/a.jpg?utm=1"),
            Source("remote", "https://images.test/a.jpg?utm=1"),
            id="a URL on the allowlist keeps its query",
        ),
        pytest.param(
            Source("remote", "https://tracked.test/a.jpg?utm=1"),
            Source("remote", "https://tracked.test/a.jpg"),
            id="a pattern that drops the query",
        ),
        pytest.param(
            Source("remote", "https://y.test/x?id=1"),
            Source("remote", "https://y.test/x?id=1"),
            id="the first pattern counts: one that needs the query",
        ),
        pytest.param(
            Source("remote", "https://y.test/x?id=2"),
            Source("remote", "https://y.test/x"),
            id="the second pattern counts for another query",
        ),
    ],
)
def test_a_source_leads_to_a_file_a_mount_or_an_admitted_url(source: Source, expected: Source) -> None:
    assert ROUTES.route(source) == expected


def test_a_url_that_no_pattern_admits_is_forbidden() -> None:
    for routes, location in ((ROUTES, "https://other.test/a.jpg"), (Routes([], []), "https://images.test/a.jpg")):
        assert routes.judge(Source("remote", location), parse_remote(location)) is None
        with pytest.raises(Forbidden) as caught:
            routes.route(Source("remote", location))
        assert location in caught.value.log


def test_a_path_that_could_leave_its_mount_is_not_found() -> None:
    with pytest.raises(SourceNotFound):
        ROUTES.route(Source("local", "cms/../secret.jpg"))


CMS_SOURCE = Source("mounted", "https://cms.test/media/a.jpg", mount="cms")
REMOTE = Source("remote", "https://images.test/a.jpg")


@pytest.mark.parametrize(
    ("source", "url", "hop"),
    [
        pytest.param(CMS_SOURCE, "https://cms.test/media/a.jpg", Hop((CMS,), is_exempt=True), id="a mount"),
        pytest.param(CMS_SOURCE, "https://cms.test/media/b?c=d", Hop((CMS,), is_exempt=True), id="beneath its base"),
        pytest.param(CMS_SOURCE, "https://cms.test/media-zoo/a.jpg", None, id="a base that begins like another"),
        pytest.param(CMS_SOURCE, "https://cms.test/a.jpg", None, id="above its base"),
        pytest.param(CMS_SOURCE, "http://cms.test/media/a.jpg", None, id="without TLS"),
        pytest.param(CMS_SOURCE, "https://cms.test:8443/media/a.jpg", None, id="another port"),
        pytest.param(CMS_SOURCE, "http://old.test/a.jpg", None, id="the base of another mount"),
        pytest.param(CMS_SOURCE, "https://images.test/a.jpg", Hop(), id="from a mount to an allowed URL"),
        pytest.param(CMS_SOURCE, "https://private.test/a.jpg", Hop((IMAGES,)), id="to one that has headers"),
        pytest.param(
            replace(CMS_SOURCE, mount="again"),
            "https://cms.test/media/a.jpg",
            Hop(is_exempt=True),
            id="another mount with the same base",
        ),
        pytest.param(replace(CMS_SOURCE, mount="gone"), "https://cms.test/media/a.jpg", None, id="no such mount"),
        pytest.param(REMOTE, "https://images.test/a.jpg", Hop(), id="a URL on the allowlist"),
        pytest.param(REMOTE, "https://private.test/a.jpg", Hop((IMAGES,)), id="to a pattern with headers"),
        pytest.param(REMOTE, "http://private.test/a.jpg", None, id="to that pattern's host without TLS"),
        pytest.param(REMOTE, "https://cms.test/media/a.jpg", None, id="to a mount's base"),
    ],
)
def test_each_hop_has_only_the_headers_of_its_own_url(source: Source, url: str, hop: Hop | None) -> None:
    assert ROUTES.judge(source, parse_remote(url)) == hop


def test_the_value_of_a_header_is_in_no_repr() -> None:
    mount = Mount("cms", parse_remote("https://cms.test"), OriginOptions((OriginHeader("Authorization", "s3cret"),)))

    assert "s3cret" not in repr(mount)
    assert "s3cret" not in repr(Routes([mount], []).judge(CMS_SOURCE, parse_remote("https://cms.test/a")))
    assert "s3cret" not in str(mount.written)


@pytest.mark.parametrize(
    ("url", "group"),
    [
        pytest.param("https://a.b.test/x", "**.b.test", id="admitted by a wildcard alone"),
        pytest.param("https://c.a.b.test/x", "**.b.test", id="another name under it"),
        pytest.param("https://own.b.test/y", "", id="a name that a later pattern has"),
        pytest.param("https://a.one.test/x", "*.one.test", id="a wildcard for one label"),
        pytest.param("https://one.test/x", "", id="the domain itself is not a name under it"),
    ],
)
def test_names_that_only_a_wildcard_admits_count_as_one_host(url: str, group: str) -> None:
    texts = ("https://**.b.test/**", "https://own.b.test/x", "https://*.one.test/**", "https://one.test/**")
    hop = Routes([], map(parse_pattern, texts)).judge(Source("remote", url), parse_remote(url))
    assert hop is not None
    assert hop.group == group
