import json
from ipaddress import ip_network
from typing import Any

import pytest

from imgcdn.origins.addresses import AddressRule
from tests.support.paths import TABLES

TABLE = TABLES / "addresses.json"
ROWS: list[dict[str, Any]] = json.loads(TABLE.read_text(encoding="utf-8"))["rows"]


@pytest.mark.parametrize("row", [pytest.param(row, id=row["address"]) for row in ROWS])
def test_an_address_is_allowed_as_the_table_says(row: dict[str, Any]) -> None:
    assert (AddressRule().refusal(row["address"]) is None) is row["allowed"]


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        pytest.param("168.63.129.16", False, id="a cloud's host behind a public number"),
        pytest.param("192.88.99.1", False, id="a 6to4 relay"),
        pytest.param("100.100.100.200", False, id="metadata in a carrier's range"),
        pytest.param("::ffff:a9fe:a9fe", False, id="mapped, in hexadecimal"),
        pytest.param("::ffff:0:7f00:1", False, id="IPv4-translated"),
        pytest.param("::8.8.8.8", True, id="compatible and public"),
        pytest.param("2001:0:808:808:8000:63bf:f7f7:f7f7", True, id="Teredo between public addresses"),
        pytest.param("2001:0:7f00:1:8000:63bf:f7f7:f7f7", False, id="Teredo by a private server"),
        pytest.param("2002:808:808::5efe:a00:1", False, id="ISATAP within 6to4"),
        pytest.param("2001:470::200:5efe:a00:1", False, id="ISATAP with the universal bit"),
        pytest.param("2001:470::5efe:8.8.8.8", True, id="ISATAP and public"),
        pytest.param("2001:2::1", False, id="benchmarks"),
        pytest.param("2001:20::1", False, id="ORCHID"),
        pytest.param("3fff::1", False, id="documentation since 2024"),
        pytest.param("5f00::1", False, id="segment routing"),
        pytest.param("100::1", False, id="discard only"),
        pytest.param("4000::1", False, id="not given out"),
        pytest.param("ff0e::1", False, id="multicast of global scope"),
        pytest.param("fe80::1%eth0", False, id="a zone"),
        pytest.param("2606:4700::1111%1", False, id="a zone on a public address"),
        pytest.param("", False, id="nothing"),
        pytest.param("localhost", False, id="a name"),
        pytest.param("2130706433", False, id="a number"),
        pytest.param("010.0.0.1", False, id="a zero before a digit"),
    ],
)
def test_the_same_rule_covers_other_addresses(address: str, allowed: bool) -> None:
    assert (AddressRule().refusal(address) is None) is allowed


@pytest.mark.parametrize(
    ("allowed", "address", "admitted"),
    [
        pytest.param("10.1.0.0/16", "10.1.2.3", True, id="within"),
        pytest.param("10.1.0.0/16", "10.2.2.3", False, id="beside"),
        pytest.param("10.1.0.0/16", "::ffff:10.1.2.3", True, id="a mapped address is the same machine"),
        pytest.param("10.1.0.0/16", "2002:a01:203::", False, id="a tunnel to it is not the same machine"),
        pytest.param("10.1.0.0/16", "64:ff9b::10.1.2.3", False, id="a translator to it is not the same machine"),
        pytest.param("64:ff9b:1::/48", "64:ff9b:1::808:808", True, id="the network's own translator"),
        pytest.param("64:ff9b::/96", "64:ff9b::10.1.2.3", True, id="everything behind a translator"),
        pytest.param("fd00::/8", "fd12::1", True, id="unique local"),
        pytest.param("fe80::/10", "fe80::1%eth0", False, id="never a zone"),
    ],
)
def test_a_network_can_be_allowed(allowed: str, address: str, admitted: bool) -> None:
    assert (AddressRule([ip_network(allowed)]).refusal(address) is None) is admitted


def test_the_cause_names_the_address_and_the_network() -> None:
    rule = AddressRule()

    assert rule.refusal("::ffff:127.0.0.1") == "127.0.0.1 is in 127.0.0.0/8 (loopback)"
    assert (
        rule.refusal("2002:a01:203::") == "2002:a01:203::, which carries 10.1.2.3 is in 10.0.0.0/8 (a private network)"
    )
    assert rule.refusal("fd00::1") == "fd00::1 is not in 2000::/3 (global unicast)"
