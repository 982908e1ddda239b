"""/proc/net/raw, as the kernel writes it, and as nobody should."""

import socket
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourtuple.sockets.model import address_of, port_of
from fourtuple.system.raw_table import parse_raw

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid ...\n"
LINE = (
    " 175: 0100007F:0001 00000000:0000 07 00000010:00000020 00:00000000 00000000  1000        0 "
    "62448188 2 00000000e6e8bb4e 0\n"
)


@pytest.mark.skipif(sys.byteorder != "little", reason="the line is of such a machine")
def test_a_line_is_a_socket() -> None:
    (row,) = parse_raw(socket.AF_INET, HEAD + LINE)
    assert (address_of(row), port_of(row)) == ("127.0.0.1", 1)
    assert (row.send_q, row.recv_q, row.uid, row.inode) == (0x10, 0x20, 1000, 62448188)


@pytest.mark.parametrize("line", ["", "x", "1: 2 3", LINE.replace(":0001", ""), LINE[:60] + "\n"])
def test_what_is_no_line_is_left_out(line: str) -> None:
    assert len(list(parse_raw(socket.AF_INET, HEAD + line + "\n" + LINE))) == 1


@given(st.text())
def test_no_text_is_an_exception(text: str) -> None:
    list(parse_raw(socket.AF_INET6, text))
