"""The operator's headers: which requests carry them, and where their values are not to be found."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from imgcdn.core.request.allowlist import Pattern, parse_pattern
from imgcdn.core.request.origin_options import OriginHeader, OriginOptions
from imgcdn.core.request.url import parse_remote
from imgcdn.errors import Forbidden, OriginError, SourceWithheld
from imgcdn.origins.http import USER_AGENT
from tests.support import origin as at
from tests.support.fetching import BODY, Make, fetch_error, get
from tests.support.origin import NAME, OTHER_NAME, Origin, Request, running

SECRET = "Bearer s3cret"
REFERER = "https://www.example.com/"
OPTIONS = OriginOptions((OriginHeader("Authorization", SECRET), OriginHeader("Referer", REFERER)))
CLOSED = at.respond(status=403)


def behind_a_login(exchange: at.Exchange) -> None:
    """Send the picture to those who have the token, and come from the right page."""
    given = exchange.request.headers
    is_allowed = (given.get("authorization"), given.get("referer")) == (SECRET, REFERER)
    exchange.respond(BODY if is_allowed else b"", status=200 if is_allowed else 401)


def pattern(origin: Origin, path: str = "/**", host: str = NAME, *, options: OriginOptions = OPTIONS) -> Pattern:
    return replace(parse_pattern(f"http://{host}:{origin.port}{path}"), options=options)


def secrets(requests: list[Request]) -> Mapping[str, bool]:
    """Tell for each target whether it was requested with the secret."""
    return {request.target: "s3cret" in str(request.headers) for request in requests}


def test_an_origin_behind_a_login_is_reached_with_the_headers_of_its_pattern(make: Make) -> None:
    with running({"/a.jpg": behind_a_login}) as origin:
        assert get(make(admits=[pattern(origin)]), origin.url())[1] == BODY
        fetch_error(make(admits=[pattern(origin, options=OriginOptions())]), origin.url(), SourceWithheld)


def test_an_origin_behind_a_login_is_reached_with_the_headers_of_its_mount(make: Make) -> None:
    with running({"/media/a.jpg": behind_a_login}) as origin:
        fetcher = make(base=parse_remote(origin.url("/media")), options=OPTIONS, admits=[], allow_addresses=())
        assert get(fetcher, origin.url("/media/a.jpg"), mounted=True)[1] == BODY


def test_a_user_agent_replaces_ours_and_no_other_header_changes(make: Make) -> None:
    options = OriginOptions((OriginHeader("User-Agent", "Mozilla/5.0"), OriginHeader("X-Key", "1")))
    with running({"/a.jpg": at.respond(BODY)}) as origin:
        get(make(), origin.url())
        get(make(admits=[pattern(origin, options=options)]), origin.url())
        before, after = (request.headers for request in origin.requests)

    assert before["user-agent"] == USER_AGENT
    assert after == {**before, "user-agent": "Mozilla/5.0", "x-key": "1"}


@pytest.mark.parametrize(
    ("location", "carries"),
    [
        pytest.param("/m/b.jpg", True, id="beneath the pattern"),
        pytest.param("/b.jpg", False, id="beside the pattern"),
        pytest.param("http://{other}:{port}/m/b.jpg", False, id="another host"),
        pytest.param("http://{other}:{port}/a/b.jpg", None, id="another host that has a header of its own"),
    ],
)
def test_a_redirect_gets_only_the_headers_of_its_own_pattern(make: Make, location: str, carries: bool | None) -> None:
    with running({"/b.jpg": at.respond(BODY), "/m/b.jpg": at.respond(BODY), "/a/b.jpg": at.respond(BODY)}) as origin:
        origin.scripts["/m/a.jpg"] = at.redirect(location.format(port=origin.port, other=OTHER_NAME))
        its_own = OriginOptions((OriginHeader("Authorization", "its own"),))
        plain = OriginOptions()
        patterns = [
            pattern(origin, "/m/**"),
            pattern(origin, "/**", options=plain),
            pattern(origin, "/a/**", OTHER_NAME, options=its_own),
            pattern(origin, "/**", OTHER_NAME, options=plain),
        ]
        assert get(make(admits=patterns), origin.url("/m/a.jpg"))[1] == BODY
        first, second = origin.requests

    assert first.headers["authorization"] == SECRET
    assert second.headers.get("authorization") == {True: SECRET, False: None, None: "its own"}[carries]
    assert ("referer" in second.headers) is bool(carries)


def test_a_redirect_that_leaves_tls_loses_the_headers(make: Make, certificate: tuple[Path, Path]) -> None:
    with running({"/b.jpg": at.respond(BODY)}) as plain, running(tls=certificate) as secure:
        secure.scripts["/a.jpg"] = at.redirect(plain.url("/b.jpg"))
        private = replace(parse_pattern(f"{NAME}:{secure.port}"), options=OPTIONS)
        admits = [private, parse_pattern(f"http://{NAME}:{plain.port}")]
        get(make(admits=admits, ca_bundle=str(certificate[0])), secure.url())

    assert secrets(secure.requests) == {"/a.jpg": True}
    assert secrets(plain.requests) == {"/b.jpg": False}


def test_the_headers_of_a_mount_stay_beneath_its_base(make: Make) -> None:
    with running({"/media/b.jpg": at.redirect("/c.jpg"), "/c.jpg": at.respond(BODY)}) as origin:
        origin.scripts["/media/a.jpg"] = at.redirect("/media/b.jpg")
        base = parse_remote(origin.url("/media"))
        fetcher = make(base=base, options=OPTIONS)
        get(fetcher, origin.url("/media/a.jpg"), mounted=True)
        assert secrets(origin.requests) == {"/media/a.jpg": True, "/media/b.jpg": True, "/c.jpg": False}
        origin.requests.clear()
        get(fetcher, origin.url("/media/a.jpg"))
        assert secrets(origin.requests) == {"/media/a.jpg": False, "/media/b.jpg": False, "/c.jpg": False}


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(CLOSED, id="an error"),
        pytest.param(at.dropped, id="a closed connection"),
        pytest.param(at.raw(b"SSH-2.0\r\n"), id="another protocol"),
        pytest.param(at.redirect("http://evil.test/"), id="a redirect that is refused"),
        pytest.param(at.redirect("http://"), id="a redirect to nowhere"),
    ],
)
def test_no_error_and_no_log_line_has_the_value(
    make: Make, script: at.Script, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with running({"/a.jpg": script}) as origin:
        fetcher = make(admits=[pattern(origin)])
        with pytest.raises((OriginError, SourceWithheld, Forbidden)) as caught:
            get(fetcher, origin.url())
        assert secrets(origin.requests)["/a.jpg"]

    error: BaseException | None = caught.value
    while error is not None:
        assert "s3cret" not in f"{error!r} {error} {getattr(error, 'log', '')}"
        error = error.__cause__ or error.__context__
    assert "s3cret" not in caplog.text
