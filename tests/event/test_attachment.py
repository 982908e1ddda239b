"""Attachments: cut into options and put together, in both byte orders; hostile ones are empty."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import octets
from fourtuple.event import attachment
from fourtuple.event.attachment import Attachment, FrameRecord, Head, pack, parts, unpack
from fourtuple.event.pcapng import options

PREFIX = b"\xd9\x7e\0\0fourtuple\x01"


def taken(data: bytes, order: str = "<") -> list[tuple[int, bytes]]:
    return parts(options(data, 0, len(data), order), order)


def test_it_is_a_map_that_any_reader_of_messagepack_understands() -> None:
    head = Head(meta={"seed": 7}, epoch_ns=5, complete=True, frames=2, events=1)
    event = msgspec.Raw(msgspec.msgpack.encode({"type": "note"}))
    data = pack(Attachment(head, FrameRecord(1, 10, 11, 2), (event,)))
    ((version, body),) = taken(data)
    assert version == 1
    assert msgspec.msgpack.decode(body) == {
        "head": {"meta": {"seed": 7}, "epoch_ns": 5, "complete": True, "frames": 2, "events": 1},
        "frame": [1, 10, 11, 2],
        "events": [{"type": "note"}],
    }


@given(st.integers(0, 200), st.integers(15, 40))
def test_whatever_the_size_of_a_chunk_it_comes_back_whole(size: int, chunk: int) -> None:
    whole = Attachment(head=Head({"pad": "x" * size}, 0, False, 0, 0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attachment, "_CHUNK", chunk)
        data = pack(whole)
    assert len(taken(data)) >= size // chunk
    assert unpack(taken(data)) == whole


def test_a_rewrite_on_a_big_endian_machine_turns_the_enterprise_number_only() -> None:
    data = pack(Attachment(frame=FrameRecord(3, 1, 2, 0)))
    ((_, value),) = options(data, 0, len(data), "<")
    turned = octets.option(2989, value[3::-1] + value[4:], ">")
    assert unpack(taken(turned, ">")).frame == FrameRecord(3, 1, 2, 0)


@pytest.mark.parametrize(
    "foreign",
    [
        octets.option(2989, b"\xd9\x7e\0\0somebody else"),
        octets.option(2989, b"\xd9\x7e\0\1fourtuple\x01\x80"),
        octets.option(2988, PREFIX + b"\x80"),
        octets.option(2989, PREFIX[:-1]),
        octets.option(1, PREFIX + b"\x80"),
    ],
)
def test_the_options_of_others_are_left_alone(foreign: bytes) -> None:
    assert taken(foreign) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",  # never used in MessagePack
        b"\x81\xa5frame",  # cut
        msgspec.msgpack.encode([1, 2]),
        msgspec.msgpack.encode({"frame": [1, 2**63, 0, 0]}),  # no int64
        msgspec.msgpack.encode({"frame": [1, 0, 0, 9]}),  # no verdict
        msgspec.msgpack.encode({"frame": [-1, 0, 0, 0]}),
        msgspec.msgpack.encode({"head": {"meta": {}}}),
        b"\x81\xa4head\x81\xa4meta\x81\xa1x" + b"\x91" * 100_000,  # too deep
        b"\x81\xa2\xff\xff\x01",  # no UTF-8
    ],
)
def test_what_is_no_attachment_is_an_empty_one(body: bytes) -> None:
    assert unpack([(1, body)]) == Attachment()


@given(st.binary(max_size=60))
def test_no_bytes_raise(body: bytes) -> None:
    unpack([(1, body)])


def test_keys_that_a_later_version_adds_are_passed_over() -> None:
    body = msgspec.msgpack.encode({"frame": [1, 2, 3, 0, "more"], "later": [1]})
    assert unpack([(1, body)]) == Attachment(frame=FrameRecord(1, 2, 3, 0))
