"""What is sent to UDP services is what their servers can read."""

import pytest

from fourtuple.scan.payloads import PAYLOADS


@pytest.mark.parametrize("port", PAYLOADS)
def test_a_payload_fits_one_packet_of_any_network(port: int) -> None:
    assert 0 < len(PAYLOADS[port]) <= 512


def test_dns_asks_one_question() -> None:
    data = PAYLOADS[53]
    assert int.from_bytes(data[4:6], "big") == 1
    assert data[12:] == b"\0\0\x02\0\x01"  # the root, NS, IN


def test_snmp_nests_as_its_lengths_say() -> None:
    data = PAYLOADS[161]
    assert data[1] == len(data) - 2
    request = data.index(b"\xa0")
    assert data[request + 1] == len(data) - request - 2
    bindings = data.index(b"\x30", request)
    assert data[bindings + 1] == len(data) - bindings - 2


def test_ntp_and_stun_have_the_size_of_their_headers() -> None:
    assert (len(PAYLOADS[123]), len(PAYLOADS[3478])) == (48, 20)
    assert PAYLOADS[123][0] & 7 == 3  # a client
