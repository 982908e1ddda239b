"""Heard, answered and sent in one go; and what becomes of a message that is not that simple."""

import socket
import struct
from collections.abc import Iterator
from contextlib import suppress

import pytest

from fourtuple.talk.apps.bytestream import Discard, Upper
from fourtuple.talk.codecs import Plain
from fourtuple.talk.hall import Hall, Seat
from fourtuple.talk.models.short_way import short_way

Pair = tuple[socket.socket, socket.socket]
WAIT_S = 90.0


@pytest.fixture
def pair() -> Iterator[Pair]:
    """The server's end, which never waits, and a client's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname(), timeout=WAIT_S)
        server, _ = listener.accept()
    server.setblocking(False)
    with server, client:
        yield server, client


def seat_of(hall: Hall) -> Seat:
    seat = hall.open("someone", "tcp", Plain())
    assert seat is not None
    return seat


def test_a_message_is_answered_and_its_bytes_are_counted_when_asked_for(pair: Pair) -> None:
    server, client = pair
    hall = Hall(Upper())
    seat = seat_of(hall)
    way = short_way(server, seat, hall)
    assert way is not None
    for message in (b"hello", b"again!"):
        client.sendall(message)
        assert way.answer()
        assert client.recv(100) == message.upper()
    assert not seat.waiting
    for _ in range(2):  # what was counted is not counted twice
        way.count()
        assert (seat.received_bytes, seat.sent_bytes) == (11, 11)


def test_an_application_that_is_more_than_its_answer_has_no_short_way(pair: Pair) -> None:
    hall = Hall(Discard())
    assert short_way(pair[0], seat_of(hall), hall) is None


def test_nothing_there_after_all_is_no_harm(pair: Pair) -> None:
    server, _ = pair
    hall = Hall(Upper())
    seat = seat_of(hall)
    way = short_way(server, seat, hall)
    assert way is not None
    assert not way.answer()
    assert not (seat.dropped or seat.ended or seat.waiting)


def test_what_the_kernel_does_not_take_waits_in_the_seat(pair: Pair) -> None:
    server, client = pair
    server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    hall = Hall(Upper())
    seat = seat_of(hall)
    way = short_way(server, seat, hall)
    assert way is not None
    told, said = bytes(range(256)) * 2000, 0
    client.setblocking(False)
    while not seat.waiting:
        with suppress(BlockingIOError):
            said += client.send(told[said % len(told) :])
        while not seat.waiting and way.answer():
            pass
    way.count()
    assert seat.sent_bytes + len(seat.waiting) == seat.received_bytes <= said
    client.settimeout(WAIT_S)
    back = b""
    while len(back) < seat.sent_bytes:
        back += client.recv(1 << 16)
    whole = (told.upper() * (said // len(told) + 1))[: seat.received_bytes]
    assert back + seat.waiting == whole


def test_an_end_is_the_halls_business(pair: Pair) -> None:
    server, client = pair
    hall = Hall(Upper())
    seat = seat_of(hall)
    way = short_way(server, seat, hall)
    client.shutdown(socket.SHUT_WR)
    assert way is not None
    assert not way.answer()
    assert seat.ended
    assert not seat.dropped


def test_a_reset_is_told_and_drops_the_client(pair: Pair) -> None:
    server, client = pair
    told: list[str] = []
    hall = Hall(Upper(), tell=lambda message: told.append(message.text.format_map(message.params)))
    seat = seat_of(hall)
    way = short_way(server, seat, hall)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    assert way is not None
    assert not way.answer()
    assert seat.dropped
    assert "dropped" in told[-1]
