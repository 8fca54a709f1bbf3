from collections.abc import Sequence
from pathlib import Path

import pytest

from imgcdn.core.request.allowlist import parse_pattern
from imgcdn.core.request.url import RemoteUrl, join_base, parse_remote
from imgcdn.core.values import Visit
from imgcdn.errors import (
    Forbidden,
    ImgcdnError,
    OriginError,
)
from tests.support import origin as at
from tests.support.fetching import BODY, Make, fetch_error, get
from tests.support.origin import NAME, Origin, running


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed(make: Make, status: int) -> None:
    with running({"/a.jpg": at.redirect("b.jpg#x", status), "/b.jpg": at.respond(BODY)}) as origin:
        fetched, body = get(make(), origin.url())

    assert body == BODY
    assert fetched.way == tuple(Visit(origin.url(path), "127.0.0.1") for path in ("/a.jpg", "/b.jpg"))


@pytest.mark.parametrize(
    ("settings", "limit"),
    [
        pytest.param({}, 5, id="five by default"),
        pytest.param({"max_redirects": 0}, 0, id="none"),
        pytest.param({"max_redirects": 7}, 7, id="seven"),
    ],
)
def test_redirects_are_followed_up_to_a_limit(make: Make, settings: dict[str, int], limit: int) -> None:
    scripts = {f"/{step}": at.redirect(f"/{step - 1}") for step in range(1, limit + 2)}
    with running({**scripts, "/0": at.respond(BODY)}) as origin:
        assert get(make(**settings), origin.url(f"/{limit}"))[1] == BODY
        error = fetch_error(make(**settings), origin.url(f"/{limit + 1}"), OriginError)
        assert "max_redirects" in error.log
        assert origin.count("/0") == 1


def test_a_redirect_in_a_circle_ends(make: Make) -> None:
    with running({"/a.jpg": at.redirect("/a.jpg")}) as origin:
        fetch_error(make(), origin.url(), OriginError)
        assert len(origin.requests) == 6


@pytest.mark.parametrize(
    ("location", "error"),
    [
        pytest.param("http://other.origin.test:{port}/m/a.jpg", Forbidden, id="a host that is not allowed"),
        pytest.param("http://origin.test:1/m/a.jpg", Forbidden, id="a port that is not allowed"),
        pytest.param("https://origin.test:{port}/m/a.jpg", Forbidden, id="a scheme that is not allowed"),
        pytest.param("/secret", Forbidden, id="a path that is not allowed"),
        pytest.param("/m/%2e%2e/secret", Forbidden, id="an encoded parent"),
        pytest.param("/m/..%c0%afsecret", Forbidden, id="an escape that is not UTF-8"),
        pytest.param("//evil.test/m/a.jpg", Forbidden, id="another host without a scheme"),
        pytest.param("http://origin.test:{port}@evil.test/m/a.jpg", Forbidden, id="a host as a user"),
        pytest.param("file:///etc/passwd", Forbidden, id="a file"),
        pytest.param("http://127.0.0.1:{port}/m/a.jpg", Forbidden, id="an address"),
        pytest.param("/m/%u002e%u002e/secret", Forbidden, id="a parent as IIS encodes it"),
        pytest.param("https:/m/a.jpg", Forbidden, id="one slash after another scheme"),
        pytest.param("http:/secret", Forbidden, id="a path after the scheme that is not allowed"),
        pytest.param("//origin.te st/m/a.jpg", OriginError, id="a space in the host"),
        pytest.param("/m/\\evil.test", OriginError, id="a backslash"),
        pytest.param("http://", OriginError, id="no host"),
        pytest.param("", OriginError, id="no location"),
    ],
)
def test_each_redirect_is_checked_like_the_first_url(make: Make, location: str, error: type[ImgcdnError]) -> None:
    with running() as origin:
        fetcher = make(admits=[parse_pattern(f"http://{NAME}:{origin.port}/m/**")])
        origin.scripts["/m/a"] = at.redirect(location.format(port=origin.port))
        fetch_error(fetcher, origin.url("/m/a"), error)
        assert [request.target for request in origin.requests] == ["/m/a"]


def test_a_redirect_without_a_location_is_an_origin_error(make: Make) -> None:
    with running({"/a.jpg": at.respond(status=302)}) as origin:
        fetch_error(make(), origin.url(), OriginError)


def test_a_redirect_may_leave_tls_only_if_the_allowlist_allows_it(make: Make, certificate: tuple[Path, Path]) -> None:
    with running({"/b.jpg": at.respond(BODY)}) as plain, running(tls=certificate) as secure:
        secure.scripts["/a.jpg"] = at.redirect(plain.url("/b.jpg"))
        only_tls = [parse_pattern(f"{NAME}:{secure.port}")]
        both = [*only_tls, parse_pattern(f"http://{NAME}:{plain.port}")]
        ca_bundle = str(certificate[0])
        fetch_error(make(admits=only_tls, ca_bundle=ca_bundle), secure.url(), Forbidden)
        assert plain.connections == 0
        assert get(make(admits=both, ca_bundle=ca_bundle), secure.url())[1] == BODY


def test_the_body_of_a_redirect_is_read_only_up_to_a_limit(make: Make) -> None:
    def endless_redirect(exchange: at.Exchange) -> None:
        exchange.head(302, {"Location": "/b.jpg"})
        while True:
            exchange.send(b"x" * 65_536)

    with running({"/a.jpg": endless_redirect, "/b.jpg": at.respond(BODY)}) as origin:
        assert get(make(), origin.url())[1] == BODY
        assert origin.connections == 2


def mount(origin: Origin, segments: Sequence[str]) -> tuple[RemoteUrl, RemoteUrl]:
    base = parse_remote(origin.url("/media"))
    return base, join_base(base, segments)


def test_a_mount_needs_no_allowlist_and_no_public_address(make: Make) -> None:
    with running({"/media/a%20b.jpg": at.respond(BODY)}) as origin:
        base, url = mount(origin, ["a b.jpg"])
        fetcher = make(base=base, admits=[], allow_addresses=())
        assert get(fetcher, url.url, mounted=True)[1] == BODY


@pytest.mark.parametrize(
    ("location", "allowed"),
    [
        pytest.param("/media/b.jpg", True, id="beneath the base"),
        pytest.param("/media-evil/b.jpg", False, id="beside it"),
        pytest.param("/b.jpg", False, id="above it"),
        pytest.param("/media/..%c0%afb.jpg", False, id="an escape that is not UTF-8"),
        pytest.param("http://other.origin.test:{port}/media/b.jpg", False, id="another host"),
        pytest.param("http://origin.test:1/media/b.jpg", False, id="another port"),
    ],
)
def test_a_redirect_of_a_mount_stays_beneath_it_or_is_checked_as_an_ordinary_url(
    make: Make, location: str, allowed: bool
) -> None:
    with running({"/media/b.jpg": at.respond(BODY)}) as origin:
        base, url = mount(origin, ["a.jpg"])
        origin.scripts["/media/a.jpg"] = at.redirect(location.format(port=origin.port))
        fetcher = make(base=base, admits=[], allow_addresses=())
        if allowed:
            assert get(fetcher, url.url, mounted=True)[1] == BODY
        else:
            fetch_error(fetcher, url.url, Forbidden, mounted=True)


def test_a_connection_of_a_mount_is_not_used_for_an_ordinary_url_of_its_host(make: Make) -> None:
    with running({"/media/a.jpg": at.respond(BODY), "/a.jpg": at.respond(BODY)}) as origin:
        base, url = mount(origin, ["a.jpg"])
        fetcher = make(base=base, allow_addresses=())
        get(fetcher, url.url, mounted=True)
        fetch_error(fetcher, origin.url("/a.jpg"), Forbidden)
        fetch_error(fetcher, url.url, Forbidden)
        assert (origin.connections, origin.count("/a.jpg")) == (1, 0)


def test_a_mount_exempts_no_other_base(make: Make) -> None:
    with running({"/a.jpg": at.respond(BODY)}) as origin:
        base, _ = mount(origin, ["a.jpg"])
        fetch_error(make(base=base, allow_addresses=()), origin.url("/a.jpg"), Forbidden, mounted=True)
