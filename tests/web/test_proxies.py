"""Who asks, behind proxies: addresses and ids, without a server."""

import pytest

from imgcdn.web.proxies import MAX_FORWARDED_LENGTH, Peer, Proxies, RequestIds

TRUSTED = ("10.0.0.0/8", "2001:db8::/32", "unix:")


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        pytest.param("192.0.2.1", "203.0.113.9", "192.0.2.1", id="a stranger is not believed"),
        pytest.param("10.0.0.1", None, "10.0.0.1", id="no field"),
        pytest.param("10.0.0.1", "203.0.113.9", "203.0.113.9", id="one proxy"),
        pytest.param("10.0.0.1", "198.51.100.1, 203.0.113.9", "203.0.113.9", id="what the client wrote"),
        pytest.param("10.0.0.1", "203.0.113.9, 10.0.0.7", "203.0.113.9", id="two proxies"),
        pytest.param("10.0.0.1", "10.0.0.9", "10.0.0.9", id="proxies alone"),
        pytest.param("10.0.0.1", "203.0.113.9, nonsense", "10.0.0.1", id="an entry that is no address"),
        pytest.param("2001:db8::1", "2001:db9::9", "2001:db9::9", id="version 6"),
        pytest.param("::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9", id="version 4 within version 6"),
        pytest.param("fe80::1%eth0", "203.0.113.9", "fe80::1%eth0", id="an address with a zone"),
        pytest.param("", "203.0.113.9", "203.0.113.9", id="a Unix socket"),
        pytest.param("testclient", "203.0.113.9", "testclient", id="a name"),
    ],
)
def test_the_client_is_the_last_address_that_is_no_proxy(peer: str, forwarded: str | None, expected: str) -> None:
    proxies = Proxies(TRUSTED)
    headers = {} if forwarded is None else {b"x-forwarded-for": forwarded.encode()}

    assert proxies.client(proxies.peer(peer), headers) == expected


def test_of_a_long_field_only_whole_addresses_at_its_end_are_read() -> None:
    proxies = Proxies(TRUSTED)
    forwarded = b"10.0.0.100, " * 166 + b"10.0.0.10"

    assert forwarded[-MAX_FORWARDED_LENGTH:].startswith(b"0.0.0.100,")  # the rest of a proxy's address
    assert proxies.client(proxies.peer("10.0.0.1"), {b"x-forwarded-for": forwarded}) == "10.0.0.100"


def test_without_proxies_the_peer_is_the_client() -> None:
    assert Proxies(()).peer("10.0.0.1") == Peer("10.0.0.1", trusted=False)
    assert Proxies(()).peer("") == Peer("unix:", trusted=False)


@pytest.mark.parametrize(
    ("trusted", "given", "is_taken_over"),
    [
        pytest.param(True, b"0a1b-2c3d", True, id="of a proxy"),
        pytest.param(False, b"0a1b-2c3d", False, id="of a stranger"),
        pytest.param(True, b"a b", False, id="with a space"),
        pytest.param(True, b'a"b', False, id="with a quote"),
        pytest.param(True, b"x" * 129, False, id="too long"),
        pytest.param(True, b"", False, id="empty"),
    ],
)
def test_an_id_is_taken_over_from_a_trusted_proxy(trusted: bool, given: bytes, is_taken_over: bool) -> None:
    ids = RequestIds()
    found = ids.next(Peer("10.0.0.1", trusted), {b"x-request-id": given})

    assert (found == given.decode()) is is_taken_over
    assert found
    assert ids.next(Peer("10.0.0.1", trusted), {}) != ids.next(Peer("10.0.0.1", trusted), {})
