"""Dissecting: any bytes give layers, and every byte belongs somewhere."""

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from fourtuple.wire import Ethernet, Ipv4, Packet, PayloadView, Tcp, dissect, frame

from .strategies import captures, sound_captures

HELLO = frame(Ethernet(), Ipv4("10.0.0.1", "10.0.0.2"), Tcp(1, 2), b"hello")


@given(captures, st.integers(0, 100))
def test_any_bytes_can_be_dissected(capture: tuple[bytes, int], missing: int) -> None:
    data, link_type = capture
    packet = dissect(data, link_type, len(data) + missing)
    for view in packet.layers:
        view.fields()
    assert all(isinstance(code, str) for code in packet.problems())
    assert packet.quoted is None or isinstance(packet.quoted, Packet)


@given(captures)
def test_every_byte_belongs_to_one_layer_or_the_trailer(capture: tuple[bytes, int]) -> None:
    data, link_type = capture
    packet = dissect(data, link_type)
    if packet.layers:
        assert b"".join(view.header for view in packet.layers) + packet.trailer == data


@given(sound_captures())
def test_sound_frames_have_no_problems(capture: tuple[bytes, int]) -> None:
    assert dissect(*capture).problems() == ()


@given(sound_captures(), st.data())
def test_a_cut_frame_shows_the_same_as_far_as_it_goes(
    capture: tuple[bytes, int], data: st.DataObject
) -> None:
    whole, link_type = capture
    kept = data.draw(st.integers(0, len(whole)))
    full, cut = dissect(whole, link_type), dissect(whole[:kept], link_type, len(whole))
    for before, after in zip(full.layers, cut.layers, strict=False):
        if type(before) is type(after) and not isinstance(after, PayloadView):
            seen = [field for field in after.fields() if field.value is not None]
            assert seen == [f for f in before.fields() if f in seen]
    assert set(cut.problems()) <= {"cut"}


def test_bytes_after_the_packet_are_the_trailer() -> None:
    packet = dissect(HELLO + bytes(6))
    assert (packet.payload, packet.trailer) == (b"hello", bytes(6))
    assert dissect(HELLO).trailer == b""
    assert dissect(HELLO) == dissect(HELLO) != packet


def test_an_unknown_link_type_has_no_layers() -> None:
    packet = dissect(HELLO, 147)
    assert packet.layers == ()
    assert packet.problems() == ("unknown-link-type",)


def test_an_unknown_protocol_is_payload() -> None:
    packet = dissect(frame(Ethernet(), Ipv4("10.0.0.1", "10.0.0.2", protocol=89), b"OSPF"))
    assert (packet.payload, packet.tcp, packet.problems()) == (b"OSPF", None, ())


def test_an_original_length_below_the_captured_one_is_not_believed() -> None:
    packet = dissect(HELLO, original_length=3)
    assert (packet.original_length, packet.problems()) == (len(HELLO), ())


def test_the_programs_of_the_lab_need_no_numpy_for_it() -> None:
    program = "import sys, fourtuple.wire; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
