"""How single fields are shown."""

from fourtuple.wire import Ipv4View, TcpView
from fourtuple.wire.field import Number, bytes_text, hexadecimal


def test_bytes_are_shown_in_hexadecimal_the_first_sixteen() -> None:
    assert bytes_text(b"") == ""
    assert bytes_text(b"\x00\xff") == "00 ff"
    assert bytes_text(bytes(17)) == " ".join(["00"] * 16) + " ..."


def test_hexadecimal_numbers_have_at_least_their_digits() -> None:
    assert hexadecimal(4)(0x1F) == "0x001f"
    assert hexadecimal(1)(0x1F) == "0x1f"


def test_a_name_of_the_registry_stands_behind_its_number() -> None:
    named = Ipv4View(bytes(9) + b"\x06" + bytes(10))
    unnamed = Ipv4View(bytes(9) + b"\xfd" + bytes(10))
    texts = [{f.name: f.text for f in view.fields()}["protocol"] for view in (named, unnamed)]
    assert texts == ["6 (TCP)", "253"]


def test_read_on_the_class_a_field_is_the_row_of_its_table() -> None:
    row = TcpView.window
    assert isinstance(row, Number)
    assert (row.name, row.bit_offset, row.bits) == ("window", 112, 16)


def test_flags_have_a_child_for_each_bit() -> None:
    flags = {f.name: f for f in TcpView(bytes(12) + b"\x51\x12" + bytes(6)).fields()}["flags"]
    assert (flags.value, flags.text) == (0x112, "0x112 SYN ACK AE")
    set_bits = [child.name for child in flags.children if child.value]
    assert set_bits == ["ae", "ack", "syn"]
