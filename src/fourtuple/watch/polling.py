"""Watching without root: the socket table and procfs, looked at many times a second.

Only sockets of processes that one may look into have owners. What comes and goes between two looks
is not seen; whose end came first is seen where its states last long enough.
"""

import os
import select
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from fourtuple.event.model import Endpoint, Note
from fourtuple.event.timeline import Timeline
from fourtuple.source.trace.sockets import Holder, Sock, plain
from fourtuple.system.owners import owners_of, sockets_of
from fourtuple.system.sock_diag import DiagSocket, SockDiag
from fourtuple.system.tracefs import ending_in_order
from fourtuple.watch import looking
from fourtuple.watch.command import Command
from fourtuple.watch.pairs import News, Pair, Pairs
from fourtuple.watch.wish import Wish

__all__ = ["Poller"]

#: one's own end was first, or the peer's, by a state that is seen
_OWN = frozenset(("FIN_WAIT1", "FIN_WAIT2", "CLOSING", "TIME_WAIT"))
_PEER = frozenset(("CLOSE_WAIT", "LAST_ACK"))
_LAST_LOOKS = 3

Ends = tuple[Endpoint, Endpoint]


@dataclass
class Poller:
    """As `Session`, with what the socket table tells."""

    TIMES_A_SECOND = 50

    wish: Wish
    tell: Callable[[News], None]
    connections: int = 0
    status: int | None = None
    _socks: dict[Ends | Endpoint, Sock] = field(default_factory=dict)
    _owners: dict[int, list[Holder]] = field(default_factory=dict)
    _roots: set[int] = field(default_factory=set)
    _looked: bool = False

    def __post_init__(self) -> None:
        self.pairs = Pairs(self.wish.wants, self.wish.wants_listener)

    def run(self) -> None:
        """Watch. UsageError where there is no such process."""
        with ending_in_order():
            command = Command(self.wish.command, self.wish.output) if self.wish.command else None
            self._roots = {command.pid} if command else set(self.wish.family())
            self._diag = SockDiag()
            try:
                self._look()
                if command is not None:
                    command.go()
                self._watch(command)
            except KeyboardInterrupt:
                pass
            finally:
                if command is not None:
                    command.end()
                    self.status = command.reap()
                self._finish()
                self._diag.close()

    def _watch(self, command: Command | None) -> None:
        began_s = time.monotonic()
        watched = [command.ended] if command else []
        while not self._enough(began_s, command):
            self._look()
            select.select(watched, [], [], 1 / self.TIMES_A_SECOND)
        for _ in range(_LAST_LOOKS):
            self._look()
            time.sleep(1 / self.TIMES_A_SECOND)

    def _enough(self, began_s: float, command: Command | None) -> bool:
        enough = self.wish.enough(time.monotonic() - began_s, self.connections)
        if command is not None:
            return enough or command.reap() is not None
        gone = bool(self._roots) and not any(os.path.isdir(f"/proc/{p}") for p in self._roots)
        return enough or gone

    def _finish(self) -> None:
        self._news(self.pairs.settled(1 << 62))
        for pair in self.pairs:
            if self.wish.wants(pair):
                self.tell(News(time.monotonic_ns(), "open", pair))

    def _look(self) -> None:
        """One look at the table, and what it shows to be new."""
        now_ns = time.monotonic_ns()
        rows = self._diag.dump()
        listening = {row.local[1] for row in rows if row.state == "LISTEN"}
        holders = self._holders(rows)
        began_ns = now_ns if self._looked else 0
        self._looked = True
        fresh = [self._seen(row, (began_ns, now_ns), listening, holders) for row in rows]
        there = {_place(row) for row in rows}
        for place in [place for place in self._socks if place not in there]:
            fresh.append(_closed(self._socks.pop(place), now_ns))
        self._news(self.pairs.update(sock for sock in fresh if sock is not None))
        self._news(self.pairs.settled(now_ns))

    def _news(self, found: Iterable[News]) -> None:
        for news in found:
            self.connections += news.what == "ended"
            # it was seen at a look, whenever it happened
            self.tell(replace(news, t_ns=time.monotonic_ns()))

    def _holders(self, rows: Iterable[DiagSocket]) -> dict[int, list[Holder]]:
        """Socket -> who holds it, of what is watched."""
        if self.wish.port is not None:
            near = {row.inode for row in rows if self.wish.port in (row.local[1], row.remote[1])}
            fresh = near - self._owners.keys() - {0}
            for inode, owners in owners_of(fresh).items() if fresh else ():
                self._owners[inode] = [Holder(one.pid, one.fd, one.command) for one in owners]
            return self._owners
        found: dict[int, list[Holder]] = {}
        for pid in _family(self._roots):
            for fd, inode in sockets_of(pid):
                found.setdefault(inode, []).append(Holder(pid, fd, looking.command_of(pid)))
        return found

    def _seen(
        self,
        row: DiagSocket,
        times_ns: tuple[int, int],
        listening: set[int],
        holders: dict[int, list[Holder]],
    ) -> Sock | None:
        """The socket of a row, where it is new or has changed; when one that is new began, and
        when this look is."""
        place = _place(row)
        sock = self._socks.get(place)
        own = holders.get(row.inode, []) if row.inode else []
        if sock is None:
            if row.state == "TIME_WAIT":
                return None
            sock = self._socks[place] = _made(row, times_ns[0], listening)
        elif sock.ended_ns or (sock.state == row.state and len(own) <= len(sock.holders)):
            return None
        sock.state = row.state
        sock.established |= row.state not in ("SYN_SENT", "SYN_RECV", "LISTEN")
        if not sock.first_end:
            sock.first_end = "own" if row.state in _OWN else "peer" if row.state in _PEER else ""
        for holder in own:
            sock.held_by(holder, watched=self.wish.port is None)
        return _closed(sock, times_ns[1]) if row.state == "TIME_WAIT" else sock

    def queues(self, sock: Sock) -> tuple[str, int, int] | None:
        """State, what is unread, and what is not acknowledged, of a socket as it is now."""
        return looking.queues_of(self._diag, sock)

    def figures(self) -> dict[str, int]:
        """Nothing is counted."""
        return {}

    def notes(self) -> list[Note]:
        """What is missing was said at the start."""
        return []

    def timeline(self, pair: Pair) -> Timeline:
        """There are no frames to draw."""
        del pair
        return Timeline()

    def recording(self) -> Timeline:
        """Nothing was kept."""
        return Timeline()


def _place(row: DiagSocket) -> Ends | Endpoint:
    local = plain(Endpoint(*row.local))
    return local if row.state == "LISTEN" else (local, plain(Endpoint(*row.remote)))


def _made(row: DiagSocket, now_ns: int, listening: set[int]) -> Sock:
    local = plain(Endpoint(*row.local))
    if row.state == "LISTEN":
        return Sock(inode=row.inode, local=local, role="listener", begun_ns=now_ns)
    role = "server" if local.port in listening else "client"
    remote = plain(Endpoint(*row.remote))
    return Sock(inode=row.inode, local=local, remote=remote, role=role, begun_ns=now_ns)


def _closed(sock: Sock, now_ns: int) -> Sock:
    sock.ended_ns = sock.ended_ns or now_ns
    sock.state = "CLOSED"
    return sock


def _family(roots: Iterable[int]) -> list[int]:
    """Processes and their descendants, as far as the kernel lists children (CONFIG_PROC_CHILDREN);
    one whose parent has ended is not found any more."""
    found = list(roots)
    for pid in found:
        with suppress(OSError, ValueError):
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
                    found += [int(child) for child in file.read().split()]
    return found
