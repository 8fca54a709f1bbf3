"""
Which network addresses may be connected to.

Only globally routable unicast addresses are allowed. The table is our own: `ipaddress.is_global` differs between
versions of Python and admits fec0::/10. Translators and tunnels use addresses that contain IPv4 addresses. Those are
judged in their place; for ISATAP, in addition.
"""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from imgcdn.core.memo import MIB, Memo, bytes_of

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: IANA's special-purpose addresses, multicast, and the reserved block.
_SPECIAL_V4 = tuple(
    (IPv4Network(network), meaning)
    for network, meaning in (
        ("0.0.0.0/8", "this host"),
        ("10.0.0.0/8", "a private network"),
        ("100.64.0.0/10", "shared by carriers"),
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "the host of an Azure machine"),  # public, and Azure answers each virtual machine at it
        ("169.254.0.0/16", "link-local, where clouds keep credentials"),
        ("172.16.0.0/12", "a private network"),
        ("192.0.0.0/24", "reserved for protocols"),
        ("192.0.2.0/24", "for documentation"),
        ("192.88.99.0/24", "6to4 relays"),
        ("192.168.0.0/16", "a private network"),
        ("198.18.0.0/15", "for benchmarks"),
        ("198.51.100.0/24", "for documentation"),
        ("203.0.113.0/24", "for documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
)
_SPECIAL_V6 = tuple(
    (IPv6Network(network), meaning)
    for network, meaning in (
        ("2001::/23", "reserved for protocols"),
        ("2001:db8::/32", "for documentation"),
        ("3fff::/20", "for documentation"),
    )
)
#: All global unicast addresses of IPv6 (RFC 4291, section 2.4, and IANA's registry).
_GLOBAL_V6 = IPv6Network("2000::/3")

_MAPPED = IPv6Network("::ffff:0:0/96")
_COMPATIBLE = IPv6Network("::/96")
_NAT64 = IPv6Network("64:ff9b::/96")
_SIX_TO_FOUR = IPv6Network("2002::/16")
_TEREDO = IPv6Network("2001::/32")
#: Interface identifiers of ISATAP (RFC 5214, section 6.1), the universal bit clear or set.
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)


class AddressRule:
    """
    The rule that every address of a host must pass before a connection is made.

    Args:
        allowed: Networks that are always allowed: the setting `allow_addresses`.
    """

    def __init__(self, allowed: Iterable[Network] = ()) -> None:
        self._allowed = tuple(allowed)
        self._admissions: Memo[str, bool] = Memo(MIB, bytes_of)

    def admits(self, address: str) -> bool:
        """Tell whether an address is allowed. The answer is remembered, because every hit of a remote source asks."""
        known = self._admissions.get(address)
        if known is None:
            known = self.refusal(address) is None
            self._admissions.put(address, known)
        return known

    def refusal(self, address: str) -> str | None:
        """
        Return why an address is refused, for the log; None if it is allowed.

        >>> AddressRule().refusal("10.1.2.3")
        '10.1.2.3 is in 10.0.0.0/8 (a private network)'
        >>> AddressRule([IPv4Network("10.1.0.0/16")]).refusal("10.1.2.3")
        """
        if "%" in address:
            return f"{address} has a zone"
        try:
            parsed = ip_address(address)
        except ValueError:
            return f"{address[:64]!r} is not an address"
        if isinstance(parsed, IPv6Address) and parsed in _MAPPED:
            parsed = _low_v4(parsed)  # the same machine as the IPv4 address, for the rule and for `allowed`
        if any(parsed in network for network in self._allowed):
            return None
        carried = list(_carried(parsed))
        for each in carried or [parsed]:
            reason = _special(each)
            if reason is not None:
                return f"{address}, which carries {reason}" if carried else reason
        return None


def _carried(address: Address) -> Iterator[Address]:
    """Yield the IPv4 addresses inside an IPv6 address. They are judged in its place."""
    if isinstance(address, IPv4Address):
        return
    number = int(address)
    if address in _COMPATIBLE or address in _NAT64:
        yield _low_v4(address)
    elif address in _SIX_TO_FOUR:
        yield IPv4Address(number >> 80 & 0xFFFF_FFFF)
    elif address in _TEREDO:
        yield IPv4Address(number >> 64 & 0xFFFF_FFFF)  # its server
        yield IPv4Address(number & 0xFFFF_FFFF ^ 0xFFFF_FFFF)  # its client, written inverted
    else:
        return
    yield from _isatap(address)


def _isatap(address: IPv6Address) -> Iterator[Address]:
    if int(address) >> 32 & 0xFFFF_FFFF in _ISATAP:
        yield _low_v4(address)


def _special(address: Address) -> str | None:
    special: tuple[tuple[Network, str], ...] = _SPECIAL_V4 if isinstance(address, IPv4Address) else _SPECIAL_V6
    for network, meaning in special:
        if address in network:
            return f"{address} is in {network} ({meaning})"
    if isinstance(address, IPv6Address):
        if address not in _GLOBAL_V6:
            return f"{address} is not in {_GLOBAL_V6} (global unicast)"
        return next(filter(None, (_special(inner) for inner in _isatap(address))), None)
    return None


def _low_v4(address: IPv6Address) -> IPv4Address:
    return IPv4Address(int(address) & 0xFFFF_FFFF)
