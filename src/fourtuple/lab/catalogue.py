"""What the experiments have to cover: the rows of the teaching documents, the topics beyond them,
the causes of a reset, the kernel's own reset reasons; and the sentences that are to be judged.

An experiment names the keys that it covers (`covers="A17 cause:port-closed"`). A test fails while
a row that can be reached is covered by none. This module knows no experiment.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from fourtuple.errors import N_

__all__ = ["CLAIMS", "ROWS", "Row", "rows"]


@dataclass(frozen=True, slots=True)
class Row:
    """`key` is what an experiment's `covers` names; `title` and `why_not` are message ids. A row
    with `why_not` cannot be reached by any experiment, and says why."""

    key: str
    title: str
    why_not: str = ""


def _rows(table: str, titles: dict[str, str]) -> Iterator[Row]:
    for name, title in titles.items():
        yield Row(f"{table}{name}", title)


_DOCUMENTS = {
    "A1": N_("Port scan: connect, SYN, FIN"),
    "A2": N_("Programs over TCP, UDP and raw sockets"),
    "A3": N_("A server for many clients at once"),
    "A4": N_("One message each way, captured and explained"),
    "A5": N_("The three-way handshake"),
    "A6": N_("The four-way close"),
    "A7": N_("One send cut into segments"),
    "A8": N_("The same send captured as one segment: offload"),
    "A9": N_("The same size over UDP: fragments, loss, port unreachable"),
    "A10": N_("RST from a port where nobody listens"),
    "A11": N_("Nobody answers: connect() times out"),
    "A12": N_("RST after close: data for a socket that is gone"),
    "A13": N_("RST at close with unread data"),
    "A14": N_("A web server over plain sockets"),
    "A15": N_("WebSocket against HTTP polling"),
    "A16": N_("Port already in use: who holds it"),
    "A17": N_("Reliability: time-out, duplicate ACKs, cumulative ACK"),
    "A18": N_("The checksum: a corrupted segment"),
    "B1": N_("The smallest TCP server and client"),
    "B2": N_("The TCP header, every field"),
    "B3": N_("Why three segments and not two: a SYN that comes late"),
    "B4": N_("From an address typed to a page shown"),
    "C1": N_("The order of calls, next to states and segments"),
    "C2": N_("The layers: the same bytes at each"),
    "C3": N_("The SYN queue"),
    "C4": N_("The backlog, and three overflows"),
    "C5": N_("SYN ACK: how often, how far apart"),
    "C6": N_("How long a half-open entry lives"),
    "C7": N_("Socket options: defaults and effects"),
    "C8": N_("select, poll, epoll, non-blocking sockets, threads"),
    "C9": N_("Close in three segments; FIN with data; simultaneous close"),
    "D1": N_("The table of sockets: state, queues, process"),
    "D2": N_("A connection before accept()"),
    "D3": N_("LISTEN appears with listen()"),
    "D4": N_("The server needs no port for each client"),
    "D5": N_("Several clients of one server port"),
    "D6": N_("How a segment finds its socket"),
    "D7": N_("One client port to two servers; when ports run out"),
    "D8": N_("A second listener on the same port"),
    "D9": N_("Byte by byte: Nagle, TCP_NODELAY, SO_SNDBUF"),
    "D10": N_("A listener that is closed after the first accept"),
    "E1": N_("The flags, each in a real segment"),
    "E2": N_("The states of both ends at each step"),
    "E3": N_("TIME_WAIT, and a server that starts again"),
    "E4": N_("Half close: why there are four segments"),
    "E5": N_("Keepalive"),
    "E6": N_("An echo server in a loop"),
    "E7": N_("Empty input: both ends wait"),
    "E8": N_("A client gone without a word"),
    "E9": N_("One client at a time: the others wait in the backlog"),
    "E10": N_("send and recv copy: queues, short counts, sendall"),
    "E11": N_("Every socket call: its result and what follows"),
    "E12": N_("A stream of bytes: one send is not one recv"),
}

_BEYOND = {
    "syn-cookies": N_("SYN cookies"),
    "syn-flood": N_("A SYN flood of one's own server"),
    "fast-open": N_("TCP Fast Open"),
    "window-scaling": N_("Window scaling"),
    "zero-window": N_("Zero window"),
    "persist-timer": N_("The persist timer"),
    "sack": N_("Selective acknowledgment"),
    "fast-retransmit": N_("Fast retransmit"),
    "rto-back-off": N_("The retransmission time-out and its back-off"),
    "spurious-retransmission": N_("A retransmission that was not needed"),
    "delayed-ack-nagle": N_("Delayed ACK and Nagle together"),
    "slow-start": N_("Slow start"),
    "path-mtu-black-hole": N_("A black hole for large packets"),
    "half-open-data": N_("Half-open after a crash, found by data"),
    "half-open-keepalive": N_("Half-open after a crash, found by keepalive"),
    "half-open-user-timeout": N_("Half-open after a crash, found by TCP_USER_TIMEOUT"),
    "linger-zero": N_("SO_LINGER 0"),
    "simultaneous-open": N_("Simultaneous open"),
    "forged-rst": N_("A forged RST, and the challenge ACK"),
    "keep-alive-race": N_("HTTP keep-alive: a request crosses the server's close"),
    "accept-queue-at-syn": N_("Accept queue full when the SYN comes"),
    "accept-queue-at-ack": N_("Accept queue full when the last ACK comes"),
    "address-translation": N_("Address translation: one connection, two four-tuples"),
}

#: the causes that `fourtuple read` names
_CAUSES = {
    "port-closed": N_("Nobody listens on the port"),
    "unread-data": N_("Closed with unread data"),
    "linger-zero": N_("Closed with SO_LINGER 0"),
    "data-after-close": N_("Data for a socket that was closed"),
    "no-such-connection": N_("A segment for no connection: half-open, late SYN"),
    "backlog-overflow": N_("Accept queue full, tcp_abort_on_overflow on"),
    "listener-closed": N_("Listener closed with connections waiting"),
    "keepalive-timeout": N_("Keepalive probes unanswered"),
    "user-timeout": N_("TCP_USER_TIMEOUT passed"),
    "invalid-ack": N_("An ACK of what was never sent"),
    "time-wait": N_("A segment for a connection in TIME_WAIT"),
    "disconnected": N_("connect(AF_UNSPEC): disconnected"),
    "destroyed": N_("Socket destroyed by the administrator"),
    "firewall": N_("A firewall rejects"),
    "forged": N_("Neither end's kernel sent it"),
}

#: enum sk_rst_reason of Linux 6.18 (include/net/rstreason.h)
_REASONS = {
    "NOT_SPECIFIED": N_("the kernel names no reason"),
    "NO_SOCKET": N_("no socket for the segment"),
    "TCP_INVALID_ACK_SEQUENCE": N_("SYN_SENT: an ACK of what was not sent"),
    "TCP_RFC7323_PAWS": N_("a timestamp older than the last one"),
    "TCP_TOO_OLD_ACK": N_("an ACK older than a whole window"),
    "TCP_ACK_UNSENT_DATA": N_("an ACK of data that was not sent"),
    "TCP_FLAGS": N_("flags that the state does not allow"),
    "TCP_OLD_ACK": N_("SYN_RECV: an ACK that acknowledges nothing new"),
    "TCP_ABORT_ON_DATA": N_("data for a socket that is closed"),
    "TCP_TIMEWAIT_SOCKET": N_("a segment for a socket in TIME_WAIT"),
    "INVALID_SYN": N_("a request that cannot be completed"),
    "TCP_ABORT_ON_CLOSE": N_("close() with unread data"),
    "TCP_ABORT_ON_LINGER": N_("TCP_LINGER2 below 0 in FIN_WAIT2"),
    "TCP_ABORT_ON_MEMORY": N_("too many orphans, or no memory"),
    "TCP_STATE": N_("aborted in a state that owes the peer a RST"),
    "TCP_KEEPALIVE_TIMEOUT": N_("keepalive probes unanswered"),
    "TCP_DISCONNECT_WITH_DATA": N_("disconnected with data unsent"),
    "MPTCP_RST_EUNSPEC": N_("MPTCP: unspecified"),
    "MPTCP_RST_EMPTCP": N_("MPTCP: an MPTCP error"),
    "MPTCP_RST_ERESOURCE": N_("MPTCP: lack of resources"),
    "MPTCP_RST_EPROHIBIT": N_("MPTCP: prohibited"),
    "MPTCP_RST_EWQ2BIG": N_("MPTCP: too much outstanding data"),
    "MPTCP_RST_EBADPERF": N_("MPTCP: unacceptable performance"),
    "MPTCP_RST_EMIDDLEBOX": N_("MPTCP: a middlebox interfered"),
    "ERROR": N_("an error of the kernel"),
}

_OF_SUBFLOWS = N_("It is said of a subflow of Multipath TCP; the lab opens none.")

#: reasons that no experiment can bring about, and why not
_UNREACHABLE: dict[str, str] = {
    "NOT_SPECIFIED": N_(
        "It stands where the kernel has no word of its own; no way to it is known in plain TCP of "
        "Linux 6.18."
    ),
    "TCP_OLD_ACK": N_(
        "It needs a socket in SYN_RECV of which bytes have been acknowledged; there is none, so "
        "that an old ACK there is too old (tcp_ack)."
    ),
    "TCP_ABORT_ON_MEMORY": N_(
        "It takes more orphans, or more memory of sockets, than the whole machine may have: no "
        "setting of one namespace (tcp_max_orphans, tcp_mem)."
    ),
    "MPTCP_RST_EUNSPEC": _OF_SUBFLOWS,
    "MPTCP_RST_ERESOURCE": _OF_SUBFLOWS,
    "MPTCP_RST_EPROHIBIT": _OF_SUBFLOWS,
    "MPTCP_RST_EWQ2BIG": _OF_SUBFLOWS,
    "MPTCP_RST_EBADPERF": _OF_SUBFLOWS,
    "MPTCP_RST_EMIDDLEBOX": _OF_SUBFLOWS,
    "ERROR": N_(
        "It stands for a code of Multipath TCP that the kernel does not know; it uses no such."
    ),
}

ROWS: tuple[Row, ...] = (
    *_rows("", _DOCUMENTS),
    *_rows("beyond:", _BEYOND),
    *_rows("cause:", _CAUSES),
    *(Row(f"reason:{name}", title, _UNREACHABLE.get(name, "")) for name, title in _REASONS.items()),
)


def rows() -> dict[str, Row]:
    """The rows by their keys."""
    return {row.key: row for row in ROWS}


#: sentences of the documents; `lab.claim` judges them in just these words
CLAIMS: tuple[str, ...] = (
    N_("a SYN uses one sequence number, though it carries no data"),
    N_("a pure ACK uses no sequence number"),
    N_("the largest window is 65535 bytes"),
    N_("the victim of a SYN flood holds each entry for the sum of the waits"),
    N_("the backlog bounds the half-open connections"),
    N_("each retry waits longer than the one before"),
    N_("a FIN may carry data"),
    N_("close takes four segments"),
    N_("a RST needs no ACK"),
    N_("after a time-out a RST is sent"),
    N_("TIME_WAIT lasts 2 MSL"),
    N_("the end that closes first waits"),
    N_("keepalive probes after 2 hours, then 10 times 75 s apart"),
    N_("send loses data when the buffer is full"),
    N_("the client's port is picked at random"),
    N_("the server needs no further port for a connection"),
    N_("65535 ports limit a client's connections"),
    N_("the handshake needs accept()"),
    N_("TCP's default port is 80"),
    N_("UDP has no handshake and may lose data"),
    N_("replacing SOCK_STREAM by SOCK_DGRAM is enough to use UDP"),
    N_("WebSocket opens a TCP connection of its own"),
    N_("listen(20) means at most 20 clients"),
    N_("send() takes at most 8 kB at a time"),
    N_("both ends are ESTABLISHED when the third segment is sent"),
    N_("the initial sequence number is random"),
    N_("the third segment of the handshake may carry data"),
    N_("the third segment of the handshake may not carry data"),
    N_("PSH means that data was sent"),
    N_("TIME_WAIT forbids connecting again"),
    N_("ICMP is a transport protocol"),
    N_("a socket is its four-tuple"),
    N_("sockets are at the TCP layer"),
    N_("the server is CLOSED as soon as the last ACK arrives"),
)
