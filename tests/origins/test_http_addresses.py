import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from imgcdn.core.request.allowlist import parse_pattern
from imgcdn.errors import (
    ConfigError,
    Forbidden,
    OriginError,
    OriginTimeout,
)
from imgcdn.origins.http import HttpFetcher
from tests.support import origin as at
from tests.support.fetching import (
    BODY,
    FORBIDDEN_ADDRESS,
    HEAD_OF_TEN,
    LOOP_ID,
    LOOPBACK,
    ORIGIN,
    SLACK_S,
    Make,
    Names,
    admit_everything,
    fetch_error,
    get,
)
from tests.support.origin import NAME, OTHER_NAME, Origin, running


def test_only_urls_on_the_allowlist_are_fetched(make: Make) -> None:
    with running({"/m/a.jpg": at.respond(BODY), "/a.jpg": at.respond(BODY)}) as origin:
        fetcher = make(admits=[parse_pattern(f"http://{NAME}:{origin.port}/m/**")])
        assert get(fetcher, origin.url("/m/a.jpg"))[1] == BODY
        error = fetch_error(fetcher, origin.url("/a.jpg"), Forbidden)
        assert len(origin.requests) == 1

    assert "allowlist" in error.log


@pytest.mark.parametrize(
    "host",
    ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "127.0.0.1", "0", "0x0", "localhost", "[::1]", "[::]"],
)
def test_no_spelling_of_a_loopback_address_is_fetched_through_the_system_resolver(host: str) -> None:
    with running({"/a.jpg": at.respond(BODY)}) as origin:
        fetcher = HttpFetcher(replace(ORIGIN, allow_addresses=()), judge=admit_everything, loop_id=LOOP_ID)
        fetch_error(fetcher, origin.url(host=host), Forbidden)
        fetcher.close()
        assert origin.connections == 0


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param([FORBIDDEN_ADDRESS], id="alone"),
        pytest.param([LOOPBACK, FORBIDDEN_ADDRESS], id="after an allowed one"),
        pytest.param([FORBIDDEN_ADDRESS, LOOPBACK], id="before an allowed one"),
        pytest.param([LOOPBACK] * 10 + ["fe80::1%lo"], id="last of many"),
        pytest.param([LOOPBACK, "not an address"], id="an invalid address"),
    ],
)
def test_one_forbidden_address_of_a_name_forbids_the_name(make: Make, answers: list[str]) -> None:
    with running({"/a.jpg": at.respond(BODY)}) as origin:
        error = fetch_error(make(Names({NAME: [answers]})), origin.url(), Forbidden)
        assert origin.connections == 0

    assert NAME in error.log
    assert "allow_addresses" in error.log
    assert next(address for address in answers if address != LOOPBACK) in error.log


@pytest.fixture
def pair() -> Iterator[tuple[Origin, Origin]]:
    """Run an origin, and another one at the same port of a forbidden address."""
    with running() as good, running(host=FORBIDDEN_ADDRESS, port=good.port) as bad:
        good.scripts["/a.jpg"] = bad.scripts["/a.jpg"] = at.respond(BODY)
        yield good, bad


REBOUND = [[LOOPBACK], [FORBIDDEN_ADDRESS]]


def test_a_name_is_resolved_only_once_so_it_cannot_change_after_the_check(
    make: Make, pair: tuple[Origin, Origin]
) -> None:
    good, bad = pair
    names = Names({NAME: REBOUND})
    assert get(make(names), good.url())[1] == BODY

    assert names.looked_up == [NAME]
    assert (good.connections, bad.connections) == (1, 0)


def test_a_kept_alive_connection_stays_with_its_address(make: Make, pair: tuple[Origin, Origin]) -> None:
    good, bad = pair
    fetcher = make(Names({NAME: REBOUND}))
    for _ in range(3):
        assert get(fetcher, good.url())[1] == BODY

    assert (good.connections, bad.connections) == (1, 0)


def test_a_new_connection_after_a_closed_one_goes_to_a_checked_address(make: Make, pair: tuple[Origin, Origin]) -> None:
    good, bad = pair
    good.scripts["/a.jpg"] = at.raw(HEAD_OF_TEN + b"0123456789")
    fetcher = make(Names({NAME: REBOUND}))
    get(fetcher, good.url())
    fetch_error(fetcher, good.url(), Forbidden)

    assert bad.connections == 0


def test_a_retry_goes_to_a_checked_address(make: Make, pair: tuple[Origin, Origin]) -> None:
    good, bad = pair
    good.scripts["/b.jpg"] = at.dropped
    fetcher = make(Names({NAME: REBOUND}))
    get(fetcher, good.url("/a.jpg"))
    fetch_error(fetcher, good.url("/b.jpg"), Forbidden)

    assert (good.connections, good.count("/b.jpg"), bad.connections) == (1, 1, 0)


def test_a_redirect_goes_to_a_checked_address(make: Make, pair: tuple[Origin, Origin]) -> None:
    good, bad = pair
    good.scripts["/b.jpg"] = at.in_turn(at.redirect(good.url(host=OTHER_NAME)))
    fetcher = make(Names({NAME: [[LOOPBACK]], OTHER_NAME: [[FORBIDDEN_ADDRESS]]}))
    fetch_error(fetcher, good.url("/b.jpg"), Forbidden)

    assert (good.connections, bad.connections) == (1, 0)


def test_the_address_of_an_override_is_checked_like_any_other(make: Make, pair: tuple[Origin, Origin]) -> None:
    good, bad = pair
    names = Names({})
    at_good = [f"{NAME}:{good.port}:{LOOPBACK}"]
    at_bad = [f"{NAME}:{good.port}:{FORBIDDEN_ADDRESS}"]
    assert get(make(names, resolve=at_good), good.url())[1] == BODY
    fetch_error(make(names, resolve=at_bad), good.url(), Forbidden)
    assert bad.connections == 0
    assert get(make(names, resolve=at_bad, allow_addresses=["127.0.0.0/8"]), good.url())[1] == BODY

    assert (bad.connections, names.looked_up) == (1, [])


def test_the_next_address_is_tried_when_one_does_not_accept_connections(make: Make) -> None:
    with running({"/a.jpg": at.respond(BODY)}) as origin:
        names = Names({NAME: [["127.0.0.3", "127.0.0.4", LOOPBACK]]})
        assert get(make(names, allow_addresses=["127.0.0.0/8"]), origin.url())[1] == BODY


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        pytest.param({NAME: [["127.0.0.3"]]}, "did not connect", id="no listener"),
        pytest.param({NAME: [[]]}, "no addresses", id="no addresses"),
        pytest.param({}, "no such name", id="no such name"),
    ],
)
def test_an_unreachable_origin_is_an_origin_error(
    make: Make, answers: Mapping[str, Sequence[Sequence[str]]], why: str
) -> None:
    error = fetch_error(make(Names(answers), allow_addresses=["127.0.0.0/8"]), f"http://{NAME}:9/", OriginError)

    assert why in error.log


def test_a_deadline_does_not_close_a_connection_that_another_fetch_uses_now(make: Make) -> None:
    """After a redirect its connection returns to the pool. Another fetch takes it, then the first fetch times out."""
    over = threading.Event()

    def long(exchange: at.Exchange) -> None:
        exchange.send(HEAD_OF_TEN + b"01234")
        over.wait()
        exchange.send(b"56789")

    with running({"/slow": at.silent}) as elsewhere, running({"/long": long}) as origin:
        origin.scripts["/a.jpg"] = at.redirect(elsewhere.url("/slow"))
        fetcher = make(fetch_timeout_s=SLACK_S)
        first = threading.Thread(target=lambda: fetch_error(fetcher, origin.url("/a.jpg"), OriginTimeout))
        first.start()
        while not elsewhere.requests:
            time.sleep(0.01)
        time.sleep(SLACK_S / 2)
        bodies: list[bytes] = []
        second = threading.Thread(target=lambda: bodies.append(get(fetcher, origin.url("/long"))[1]))
        second.start()
        first.join()
        over.set()
        second.join()
        assert origin.connections == 1

    assert bodies == [b"0123456789"]


def test_the_certificate_is_checked_against_the_name(make: Make, certificate: tuple[Path, Path]) -> None:
    names = {NAME: [[LOOPBACK]], "elsewhere.test": [[LOOPBACK]]}
    with running({"/a.jpg": at.respond(BODY)}, tls=certificate) as origin:
        fetcher = make(Names(names), ca_bundle=str(certificate[0]))
        assert get(fetcher, origin.url())[1] == BODY
        error = fetch_error(fetcher, origin.url(host="elsewhere.test"), OriginError)
        assert origin.requests[0].headers["host"] == f"{NAME}:{origin.port}"

    assert "certificate" in error.log.lower()


def test_a_certificate_of_an_unknown_authority_is_refused(
    make: Make, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(certificate[0]))
    with running({"/a.jpg": at.respond(BODY)}, tls=certificate) as origin:
        fetch_error(make(), origin.url(), OriginError)
        assert origin.requests == []


def test_an_invalid_ca_bundle_is_a_config_error(make: Make, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing")
    for name in ("empty.pem", "missing.pem"):
        with pytest.raises(ConfigError, match="ca_bundle"):
            make(ca_bundle=str(tmp_path / name))
