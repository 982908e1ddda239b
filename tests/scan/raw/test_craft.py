"""Probes made in columns are what one would have made one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourtuple.scan.payloads import PAYLOADS
from fourtuple.scan.raw.craft import Address, Crafter
from fourtuple.scan.strategy import PROBES
from fourtuple.wire import SYN, Packet, dissect
from fourtuple.wire.dissect import RAW

ports = st.integers(0, 65535)
rows = st.lists(
    st.tuples(st.integers(0, 2), ports, ports, st.integers(0, 2**32 - 1)), min_size=1, max_size=6
)
LINK = ("02:00:00:00:00:01", "02:00:00:00:00:02")
ADDRESSES = {
    4: [Address("10.0.0.1", f"10.0.0.{n}", LINK) for n in (2, 3, 254)],
    6: [Address("fd00::1", f"fd00::{n}", LINK) for n in (2, 3, "ffff:fffe")],
}


def craft(
    method: str, family: int, wanted: list[tuple[int, int, int, int]]
) -> list[tuple[Packet, Address, tuple[int, int, int]]]:
    payloads = PAYLOADS if method == "udp" else {}
    crafter = Crafter(PROBES[method], ADDRESSES[family], payloads)
    frames = crafter.frames(*np.array(wanted, dtype=np.int64).T)
    return [
        (dissect(frames.data(row)), ADDRESSES[family][target], (port, source, cookie))
        for row, (target, port, source, cookie) in enumerate(wanted)
    ]


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("method", PROBES)
@given(wanted=rows)
def test_every_probe_is_a_legal_frame_to_its_target(
    method: str, family: int, wanted: list[tuple[int, int, int, int]]
) -> None:
    for packet, address, (port, source, _) in craft(method, family, wanted):
        assert packet.problems() == ()  # checksums among them
        assert packet.ip is not None
        assert (packet.ip.source, packet.ip.destination) == (address.source, address.destination)
        transport = packet.tcp or packet.udp
        assert transport is not None
        assert (transport.source_port, transport.destination_port) == (source, port)


@pytest.mark.parametrize("method", [m for m in PROBES if m != "udp"])
@given(wanted=rows)
def test_a_segment_carries_its_cookie(method: str, wanted: list[tuple[int, int, int, int]]) -> None:
    for packet, _, (_, _, cookie) in craft(method, 4, wanted):
        assert packet.tcp is not None
        assert packet.tcp.flags == PROBES[method].flags
        assert packet.tcp.sequence == cookie
        acknowledged = cookie if PROBES[method].acknowledges else 0
        assert packet.tcp.acknowledgment == acknowledged


def test_a_syn_offers_a_segment_size_as_every_system_does() -> None:
    ((packet, _, _),) = craft("syn", 4, [(0, 80, 61000, 7)])
    assert packet.tcp is not None
    assert packet.tcp.flags == SYN
    assert packet.tcp.header_length == 24


@given(st.sampled_from([*PAYLOADS, 9]), ports)
def test_a_datagram_asks_what_the_service_of_its_port_answers(port: int, source: int) -> None:
    for packet, _, _ in craft("udp", 4, [(0, port, source, 0), (1, 9, source, 0)])[:1]:
        assert packet.payload == PAYLOADS.get(port, b"")


def test_without_a_link_a_probe_begins_with_its_ip_header() -> None:
    crafter = Crafter(PROBES["syn"], [Address("127.0.0.1", "127.0.0.1")])
    frames = crafter.frames(*np.array([[0, 80, 61000, 7]], dtype=np.int64).T)
    packet = dissect(frames.data(0), RAW)
    assert packet.tcp is not None
    assert packet.tcp.destination_port == 80
    assert packet.problems() == ()
