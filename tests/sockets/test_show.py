"""The table for people, of rows that a kernel might give."""

import socket

import pytest

from fourtuple.explain.text import Translator
from fourtuple.render.text import width_of
from fourtuple.sockets.model import Listing, endpoint
from fourtuple.sockets.queues import listen_counters
from fourtuple.sockets.show import table, timer_text
from fourtuple.system.inet_dump import InetRow, UnixRow
from fourtuple.system.owners import Owner

EN = Translator("en")


def row(number: int, state: int = 1, timer: int = 0, inode: int = 7, family: int = 2) -> InetRow:
    local, remote = b"\x0a\0\0\x01".ljust(16, b"\0"), number.to_bytes(4, "big").ljust(16, b"\0")
    return InetRow(
        family, state, timer, 0, b"\x1f\x90", (number % 60000 + 1).to_bytes(2, "big"), local,
        remote, 0, number, 1234, 0, 0, 0, inode, b"",
    )  # fmt: skip


def lines(listing: Listing, width: int | None = None) -> list[str]:
    return list(table([listing], EN, width))


def test_very_many_rows_are_all_there_and_stand_in_columns() -> None:
    rows = [row(number) for number in range(5000)]
    owner = Owner(4711, 3, "nginx")
    head, *body = lines(Listing({"tcp": rows}, owners={7: (owner,)}))
    assert len(body) == 5000
    assert {line.index("nginx[4711]/3") for line in body} == {head.index("owners")}
    assert body[4999].split()[5] == "0.0.19.135:5000"


def test_a_line_for_a_program_is_the_same_as_one_for_a_wide_terminal() -> None:
    """They are made in two ways, one of them for 40,000 rows."""
    loopback = socket.if_nametoindex("lo")
    rows = []
    for n in range(500):
        one = row(n, state=n % 14, timer=n % 6, inode=n % 5, family=(2, 10)[n % 2])
        bound = loopback if n % 11 == 10 else 0
        rows.append(one._replace(recv_q=n % 7 * 1000, send_q=n % 3, interface=bound))
    one, other, third = Owner(1, 2, "a"), Owner(3, 4, "b"), Owner(5, 6, "守")
    unix = [UnixRow(b"/run/x", 1, 0, 5, None, 8)]
    listing = Listing({"tcp": rows, "udp": rows[:50]}, unix)
    listing.owners = {1: (one,), 2: (one, other), 3: (third,)}
    for listing.owners_asked in (True, False):
        assert lines(listing) == lines(listing, 10_000)


def test_every_number_of_the_kernel_s_has_a_name_or_is_shown() -> None:
    odd = [row(number, state=number, timer=number) for number in (0, 14, 99, 255)]
    text = "\n".join(lines(Listing({"tcp": odd, "udp": odd})))
    for number in (14, 99, 255):
        assert f"state {number}" in text
    assert timer_text(row(1, timer=9), EN) == "9 1234 ms"


def test_what_a_closed_socket_in_fin_wait2_waits_for_is_no_keepalive() -> None:
    assert timer_text(row(1, state=5, timer=2, inode=0), EN) == "fin-wait2 1234 ms"
    assert timer_text(row(1, state=5, timer=2), EN) == "keepalive 1234 ms"


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (1, "nobody has accepted it"), (8, "nobody has accepted it"), (3, "half-open"),
        (12, "half-open"), (4, "its program closed it"), (9, "its program closed it"),
        (6, "only the four-tuple is kept"),
    ],
)  # fmt: skip
def test_why_nobody_has_it(state: int, said: str) -> None:
    assert said in lines(Listing({"tcp": [row(1, state=state, inode=0)]}))[1]


def test_names_from_elsewhere_are_made_harmless() -> None:
    listing = Listing(
        {"tcp": [row(1)]},
        [UnixRow(b"/run/\x1b[31m\xff", 1, 0, 5, None, 8), UnixRow(b"", 5, 0, 5, 1 << 31, 9)],
        owners={7: (Owner(1, 2, ""), Owner(3, 4, "\x07bell")), 8: (Owner(5, 6, "守护"),)},
    )
    for width in (None, 40, 100):
        text = "\n".join(lines(listing, width))
        assert text.replace("\n", "").isprintable()
        assert "\\x07bell[3]/4" in text.replace("\n", "").replace("  ", "")
        assert "守护[5]/6" in text
        assert str(1 << 31) in text


def test_a_narrow_terminal_gets_paragraphs_and_nothing_is_cut() -> None:
    wide = InetRow(
        socket.AF_INET6, 1, 1, 3, b"\xff\xff", b"\xff\xff", b"\xfd" * 16, b"\xfe" * 16, 0, 1,
        119_999, 2**31, 2**31, 0, 7, b"",
    )  # fmt: skip
    owners = tuple(Owner(pid, 3, "worker") for pid in range(1000, 1020))
    found = lines(Listing({"tcp": [wide]}, owners={7: owners}), 60)
    assert max(map(width_of, found)) <= 60
    text = " ".join(" ".join(found).split())
    assert "[fefe:fefe:fefe:fefe:fefe:fefe:fefe:fefe]:65535" in text
    assert "retransmit 119999 ms (3)" in text
    assert text.count("worker[") == 20


def test_a_socket_that_is_bound_to_an_interface_names_it() -> None:
    loopback = socket.if_nametoindex("lo")
    plain, ours, gone = row(1), row(2)._replace(interface=loopback), row(3)._replace(interface=9**8)
    text = lines(Listing({"tcp": [plain, ours, gone]}))
    assert [line.split()[4] for line in text[1:4]] == [
        "10.0.0.1:8080", "10.0.0.1%lo:8080", f"10.0.0.1%{9**8}:8080",
    ]  # fmt: skip
    assert len({line.index("(not visible)") for line in text[1:4]}) == 1
    six = row(4, family=socket.AF_INET6)._replace(interface=loopback)
    assert endpoint(six) == "[a00:1::%lo]:8080"


def test_the_counters_of_listeners_are_numbers() -> None:
    assert all(count >= 0 for count in listen_counters().values())
    assert len(listen_counters()) == 4
