"""The address of the client behind trusted proxies, and the id of a request."""

import itertools
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

from imgcdn.web.settings import UNIX

#: Only the end of a longer `X-Forwarded-For` is read: 40 to 200 proxies.
MAX_FORWARDED_LENGTH = 2_000

_ID = re.compile(rb"[A-Za-z0-9._:+/=-]{1,128}")


@dataclass(frozen=True, slots=True)
class Peer:
    """
    The other end of a connection.

    Args:
        address: IP address; `unix:` for a Unix socket.
        trusted: Whether it is one of `trusted_proxies`, so that its `X-Forwarded-For` and `X-Request-Id` count.
    """

    address: str
    trusted: bool


class Proxies:
    """
    The proxies whose `X-Forwarded-For` and `X-Request-Id` are believed.

    Args:
        trusted: Networks, and `unix:` for Unix sockets.
    """

    def __init__(self, trusted: Iterable[str]) -> None:
        words = set(trusted)
        self._unix = UNIX in words
        self._networks = [ip_network(text) for text in words - {UNIX}]

    def peer(self, address: str) -> Peer:
        """Return the peer at an address; an empty address is that of a Unix socket."""
        return Peer(address or UNIX, self._trusts(address))

    def client(self, peer: Peer, headers: Mapping[bytes, bytes]) -> str:
        """
        Return the address of the client: the last one in `X-Forwarded-For` that is no trusted proxy.

        Only what a trusted proxy appended is believed; a client can write the rest of the field itself.
        """
        address = peer.address
        if not peer.trusted:
            return address
        for part in reversed(_last_parts(headers.get(b"x-forwarded-for", b""))):
            if not _is_address(part.strip()):
                break
            address = part.strip()
            if not self._trusts(address):
                break
        return address

    def client_network(self, peer: Peer, headers: Mapping[bytes, bytes]) -> str:
        """Return what counts as one client: the address, but of IPv6 the /64, which one customer has for himself."""
        address = self.client(peer, headers)
        if ":" not in address or address == UNIX:
            return address
        try:
            found = IPv6Address(address.partition("%")[0])
        except ValueError:  # some servers name a client that has no address
            return address
        return str(found.ipv4_mapped or ip_network((found, 64), strict=False))

    def _trusts(self, address: str) -> bool:
        if not address:
            return self._unix
        if not self._networks:
            return False
        try:
            found = ip_address(address.partition("%")[0])
        except ValueError:  # some servers name a client that has no address
            return False
        found = getattr(found, "ipv4_mapped", None) or found
        return any(found in network for network in self._networks)


def _last_parts(forwarded: bytes) -> list[str]:
    """Return the addresses at the end of an `X-Forwarded-For`; without the one that a limit cuts in two."""
    end = forwarded[-MAX_FORWARDED_LENGTH:]
    return end.decode("latin-1").split(",")[len(end) < len(forwarded) :]


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


class RequestIds:
    """Makes ids that are unique among all processes and restarts, at the cost of one addition."""

    def __init__(self) -> None:
        # Made by the first request, because a worker that forked earlier would share it with its siblings.
        self._process = ""
        self._count = itertools.count(1)

    def next(self, peer: Peer, headers: Mapping[bytes, bytes]) -> str:
        """Return the id of a new request: the one that a trusted proxy gave it, otherwise a new one."""
        if peer.trusted and b"x-request-id" in headers and _ID.fullmatch(headers[b"x-request-id"]):
            return headers[b"x-request-id"].decode()
        if not self._process:
            self._process = secrets.token_hex(6)
        return f"{self._process}-{next(self._count):x}"
