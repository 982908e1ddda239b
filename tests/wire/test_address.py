"""Addresses: the text that inet_ntop writes, and only real addresses read."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourtuple.errors import ValueNotLegal
from fourtuple.wire import ip_bytes, ip_text, ipv4_bytes, ipv6_bytes, ipv6_text, mac_bytes, mac_text

# RFC 5952, section 4, rule by rule; then section 5
RULES = [
    ("2001:db8:0:0:0:0:2:1", "2001:db8::2:1"),
    ("2001:0db8::0001", "2001:db8::1"),
    ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
    ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),
    ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
    ("2001:DB8::AB", "2001:db8::ab"),
    ("::", "::"),
    ("0:0:0:0:0:0:0:1", "::1"),
    ("1::", "1::"),
    ("::ffff:c000:221", "::ffff:192.0.2.33"),
]


@pytest.mark.parametrize(("written", "shown"), RULES)
def test_ipv6_text_follows_the_rfc(written: str, shown: str) -> None:
    assert ipv6_text(ip_bytes(written)) == shown


sparse = st.lists(st.sampled_from((0, 0, 0, 1, 0xFFFF)), min_size=8, max_size=8).map(
    lambda groups: b"".join(group.to_bytes(2, "big") for group in groups)
)


@given(st.one_of(st.binary(min_size=16, max_size=16), sparse))
def test_ipv6_text_is_what_the_system_prints(address: bytes) -> None:
    assert ip_text(address) == socket.inet_ntop(socket.AF_INET6, address)
    assert ipv6_bytes(ip_text(address)) == address


@given(st.binary(min_size=4, max_size=4))
def test_ipv4_text_is_what_the_system_prints(address: bytes) -> None:
    assert ip_text(address) == socket.inet_ntop(socket.AF_INET, address)
    assert ipv4_bytes(ip_text(address)) == address


@given(st.binary(min_size=6, max_size=6))
def test_ethernet_addresses_go_round(address: bytes) -> None:
    assert mac_bytes(mac_text(address)) == address


@pytest.mark.parametrize(
    "text", ["", "10.0.0", "10.0.0.256", "010.0.0.1", "fe80::1%eth0", "::1::", "localhost", "1:2"]
)
def test_what_is_no_ip_address_is_refused(text: str) -> None:
    with pytest.raises(ValueNotLegal, match=r"not an IPv[46] address"):
        ip_bytes(text)


@pytest.mark.parametrize(
    "text", ["", "02:00:00:00:00", "2:0:0:0:0:1", "02-00-00-00-00-01", "zz:00:00:00:00:01"]
)
def test_what_is_no_ethernet_address_is_refused(text: str) -> None:
    with pytest.raises(ValueNotLegal, match="not an Ethernet address"):
        mac_bytes(text)
