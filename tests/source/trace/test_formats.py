"""The descriptions of trace events, as this kernel and others write them."""

import struct

import pytest

from fourtuple.source.trace.formats import parse_format, parse_layout

STATE = """name: inet_sock_set_state
ID: 2287
format:
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;

	field:const void * skaddr;	offset:8;	size:8;	signed:0;
	field:int newstate;	offset:16;	size:4;	signed:1;
	field:__u16 sport;	offset:20;	size:2;	signed:0;
	field:__u8 saddr[4];	offset:24;	size:4;	signed:0;

print fmt: "sport=%hu newstate=%s", REC->sport, __print_symbolic(REC->newstate, \
{ 1, "TCP_ESTABLISHED" }, { 0x2, "TCP_SYN_SENT" })
"""
PAGE = """	field: u64 timestamp;	offset:0;	size:8;	signed:0;
	field: local_t commit;	offset:8;	size:8;	signed:1;
	field: int overwrite;	offset:8;	size:1;	signed:1;
	field: char data;	offset:16;	size:4080;	signed:0;
"""


def record(newstate: int = 2) -> bytes:
    return struct.pack("=HHiQiHxx4s", 2287, 0, -1, 0xFFFF888100000000, newstate, 443, b"\n\0\0\1")


def test_fields_are_read_where_the_format_says() -> None:
    values = parse_format(STATE).values(record())
    assert values == {
        "common_type": 2287, "common_pid": -1, "skaddr": 0xFFFF888100000000, "newstate": 2,
        "sport": 443, "saddr": b"\n\0\0\1",
    }  # fmt: skip


def test_a_format_that_moved_its_fields_is_read_all_the_same() -> None:
    """The trap of offsets written into the program."""
    moved = STATE.replace("offset:20", "offset:30")
    data = record().ljust(30, b"\0") + struct.pack("=H", 80)
    assert parse_format(moved).values(data)["sport"] == 80


def test_numbers_have_the_names_of_the_event_s_own_text() -> None:
    found = parse_format(STATE)
    assert found.symbols == {"newstate": {1: "TCP_ESTABLISHED", 2: "TCP_SYN_SENT"}}


def test_a_record_that_ends_early_lacks_fields_and_raises_nothing() -> None:
    values = parse_format(STATE).values(record()[:18])
    assert (values["sport"], values["saddr"]) == (0, b"\0\0\0\0")


def test_text_lies_where_its_field_says() -> None:
    text = """name: sched_process_exec
ID: 9
format:
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:__data_loc char[] filename;	offset:4;	size:4;	signed:0;
	field:__rel_loc char[] other;	offset:8;	size:4;	signed:0;
	field:char comm[8];	offset:12;	size:8;	signed:0;
	field:unsigned long args[2];	offset:24;	size:16;	signed:0;

print fmt: ""
"""
    data = struct.pack("=HxxIII", 9, 40 | 9 << 16, 37 | 3 << 16, 0)[:12] + b"curl\0xyz"
    data = data.ljust(24, b"\0") + struct.pack("=QQ", 7, 8) + b"/bin/curl" + b"ok\0"
    values = parse_format(text).values(data)
    assert (values["filename"], values["comm"], values["args"]) == ("/bin/curl", "curl", (7, 8))
    assert values["other"] == "ok"


@pytest.mark.parametrize("where", [0xFFFFFFFF, 0xFFFF0000, 0x0000FFFF])
def test_text_that_lies_outside_of_its_record_is_what_there_is(where: int) -> None:
    text = "name: x\nID: 1\nformat:\n\tfield:__data_loc char[] f;\toffset:0;\tsize:4;\tsigned:0;\n"
    assert isinstance(parse_format(text).values(struct.pack("=I", where))["f"], str)


def test_what_is_no_format_is_refused() -> None:
    with pytest.raises(ValueError, match="not the format"):
        parse_format("once upon a time")
    with pytest.raises(ValueError, match="lacks"):
        parse_layout("\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n")


def test_a_page_s_layout_is_what_the_kernel_says() -> None:
    layout = parse_layout(PAGE)
    assert (layout.data, layout.page_bytes, layout.commit.offset) == (16, 4096, 8)
