"""What changed between two looks at the table."""

import socket

from fourtuple.sockets.changes import changes, snapshot
from fourtuple.sockets.model import Listing
from fourtuple.system.inet_dump import InetRow, UnixRow

LOOPBACK = b"\x7f\0\0\x01".ljust(16, b"\0")
ESTABLISHED, FIN_WAIT2, TIME_WAIT, LISTEN = 1, 5, 6, 10


def row(
    state: int, port: int = 40000, cookie: int = 1, recv_q: int = 0, send_q: int = 0
) -> InetRow:
    remote = b"\0\0" if state == LISTEN else b"\x22\xb8"
    return InetRow(
        socket.AF_INET, state, 0, 0, port.to_bytes(2, "big"), remote, LOOPBACK, LOOPBACK, 0, cookie,
        0, recv_q, send_q, 0, 7, b"",
    )  # fmt: skip


def between(before: list[InetRow], after: list[InetRow]) -> list[tuple[str, int, int]]:
    one, other = (snapshot(Listing({"tcp": rows})) for rows in (before, after))
    return [(change.what, change.before, change.after) for change in changes(one, other)]


def test_the_same_twice_is_no_change() -> None:
    rows = [row(ESTABLISHED), row(LISTEN, cookie=2)]
    assert between(rows, rows) == []


def test_opened_and_closed() -> None:
    assert between([], [row(ESTABLISHED)]) == [("opened", 0, 0)]
    assert between([row(ESTABLISHED)], []) == [("closed", 0, 0)]


def test_time_wait_is_the_same_connection_with_another_cookie() -> None:
    moved = between([row(FIN_WAIT2, cookie=1)], [row(TIME_WAIT, cookie=9)])
    assert moved == [("state", FIN_WAIT2, TIME_WAIT)]


def test_a_four_tuple_used_again_is_another_connection() -> None:
    again = between([row(TIME_WAIT, cookie=9)], [row(ESTABLISHED, cookie=12)])
    assert again == [("closed", 0, 0), ("opened", 0, 0)]
    assert len(between([row(TIME_WAIT, cookie=9)], [row(TIME_WAIT, cookie=12)])) == 2


def test_queues_are_told_when_they_grow_only() -> None:
    more = between([row(ESTABLISHED, recv_q=5)], [row(ESTABLISHED, recv_q=9, send_q=3)])
    assert more == [("recv_q", 5, 9), ("send_q", 0, 3)]
    assert between([row(ESTABLISHED, recv_q=5)], [row(ESTABLISHED, recv_q=1)]) == []


def test_a_listener_s_queue_grows_and_its_limit_is_no_queue() -> None:
    grown = between([row(LISTEN, recv_q=0, send_q=5)], [row(LISTEN, recv_q=2, send_q=9)])
    assert grown == [("recv_q", 0, 2)]


def test_unix_listeners_come_and_go() -> None:
    one = UnixRow(b"\0name", 1, 0, 5, 0, 99)
    here, gone = snapshot(Listing(unix=[one])), snapshot(Listing())
    assert [change.what for change in changes(gone, here)] == ["opened"]
    assert [change.what for change in changes(here, gone)] == ["closed"]
    busy = snapshot(Listing(unix=[one._replace(recv_q=2)]))
    assert [change.after for change in changes(here, busy)] == [2]
