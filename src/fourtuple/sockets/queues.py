"""What a table's numbers mean, said below it: queues of listeners, drops, owners not visible.

Each remark names whose counter it rests on: a socket's own, or the whole network namespace's.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import takewhile

from fourtuple.errors import N_
from fourtuple.explain.message import Message
from fourtuple.sockets.model import Listing, endpoint
from fourtuple.system.inet_dump import LISTEN, InetRow, drops_of

__all__ = ["listen_counters", "remarks"]

_MOST = 20
_COUNTERS = ("ListenOverflows", "ListenDrops", "TCPReqQFullDrop", "TCPReqQFullDoCookies")
_NONE = N_("No socket matches.")
_LISTENERS = N_(
    "LISTEN: recv-q counts connections that wait for accept(), send-q is the limit; one more than "
    "that fits."
)
_FULL = N_(
    "{end}: the accept queue is full ({length} wait, the limit is {limit}): the kernel drops "
    "further SYNs until the program calls accept()."
)
_DROPPED = N_(
    "{end}: segments that this listener has dropped since it was made: {count}, SYNs and last "
    "ACKs of handshakes for the most part (its own counter, sk_drops)."
)
_UDP_DROPPED = N_(
    "{end}: datagrams that this socket has dropped since it was made: {count}. Its receive "
    "buffer was full, a checksum was wrong, or a filter refused them (its own counter, "
    "sk_drops)."
)
_OVERFLOWS = N_(
    "All listeners of this network namespace together, since it was made: accept queue full {over} "
    "times (ListenOverflows), {drops} dropped for any reason (ListenDrops), half-open queue full: "
    "{full} dropped (TCPReqQFullDrop), {cookies} answered with cookies (TCPReqQFullDoCookies)."
)
_HIDDEN = N_(
    "Sockets whose owners are not visible here: {count}; {refused} processes are another "
    "user's. As root the command shows them."
)
_UNKNOWN = N_(
    "Sockets without an owner that was found: {count}. It ended meanwhile, or /proc does not show "
    "it here (another pid namespace, hidepid), or it is the kernel itself, or the socket is on its "
    "way in a message (SCM_RIGHTS)."
)


def remarks(listing: Listing) -> Iterator[Message]:
    """The sentences below a table."""
    if not len(listing):
        yield Message(_NONE)
        return
    # they come first: sockets.listing asks for them first
    listeners = [*takewhile(lambda row: row.state == LISTEN, listing.inet.get("tcp", ()))]
    if listeners:
        yield Message(_LISTENERS)
        yield from _of_listeners(listeners)
        counted = listen_counters()
        # another namespace's counters are in another file
        if any(counted.values()) and listing.namespace == _here():
            yield Message(
                _OVERFLOWS,
                dict(zip(("over", "drops", "full", "cookies"), counted.values(), strict=True)),
            )
    yield from _of_dropped(listing.inet.get("udp", ()), _UDP_DROPPED)
    hidden = listing.hidden()
    if hidden:
        about = {"count": hidden, "refused": listing.refused}
        yield Message(_HIDDEN if listing.refused else _UNKNOWN, about)


def _of_listeners(listeners: list[InetRow]) -> Iterator[Message]:
    full = [row for row in listeners if row.recv_q > row.send_q]
    for row in full[:_MOST]:
        about = {"end": endpoint(row), "length": row.recv_q, "limit": row.send_q}
        yield Message(_FULL, about)
    yield from _of_dropped(listeners, _DROPPED)


def _of_dropped(rows: Iterable[InetRow], text: str) -> Iterator[Message]:
    dropped = [(row, count) for row in rows if (count := drops_of(row))]
    dropped.sort(key=lambda pair: -pair[1])
    for row, count in dropped[:_MOST]:
        yield Message(text, {"end": endpoint(row), "count": count})


def _here() -> int:
    return os.stat("/proc/thread-self/ns/net").st_ino


def listen_counters() -> Mapping[str, int]:
    """TcpExt's counters of listeners in the caller's network namespace (/proc/net/netstat)."""
    found = dict.fromkeys(_COUNTERS, 0)
    with suppress(OSError, ValueError), open("/proc/thread-self/net/netstat") as file:
        lines = [line.split() for line in file if line.startswith("TcpExt:")]
        for names, values in zip(lines[::2], lines[1::2], strict=True):
            named = dict(zip(names, values, strict=True))
            found.update({name: int(named[name]) for name in _COUNTERS if name in named})
    return found
