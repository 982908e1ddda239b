"""Looks at a host's socket table and notes what it saw."""

import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress

from fourtuple.event.looks import LookWriter
from fourtuple.event.model import Endpoint, Snapshot, SocketRow
from fourtuple.lab.log import Log
from fourtuple.system.namespaces import inside
from fourtuple.system.sock_diag import DiagSocket, SockDiag, parse_row, timer_apart

__all__ = ["Observer", "socket_row"]

#: a look is repeated while a segment waits for a socket that a program had locked
_REPEATS = 40
_PAUSE_S = 50e-6
#: a timer that is due at the same time as before, give or take two ticks of the slowest clock, was
#: not started anew
_TIMER_SLACK_MS = 20
_FEW = 64
#: with so many sockets a look asks only for those concerned
_MANY = 64

#: (local, remote)
Ends = tuple[Endpoint, Endpoint]


class Observer:
    """One process's view of one host. Each process has its own: netlink answers whoever asks."""

    def __init__(self, log: Log, host: str, namespace: int) -> None:
        self._log = log
        self._host = host
        with inside(namespace):
            self._diag = SockDiag()
        # its looks follow each other, not those of others: no two sockets have one inode
        self._writer = LookWriter(series=os.fstat(self._diag.fileno()).st_ino)
        # rows by their messages: those without a timer, and by what else is in them those with one
        self._idle: dict[bytes, SocketRow] = {}
        self._timed: dict[bytes, tuple[SocketRow, int]] = {}
        self._count = 0

    def look(self) -> list[DiagSocket]:
        """The host's TCP sockets now."""
        return self._diag.dump()

    def destroy_sockets(self) -> None:
        """Take every TCP socket of the host away, as `ss --kill` does."""
        for row in self._diag.dump():
            with suppress(FileNotFoundError):  # it has gone with another one
                self._diag.destroy(row.family, row.local, row.remote, row.cookie)

    def observe(
        self,
        cause: str,
        frame: int = 0,
        first: Callable[[], None] | None = None,
        about: Ends | None = None,
    ) -> None:
        """Note the host's TCP sockets, once no segment waits for a locked one; where there are
        many, only the one that the frame or the call is `about`, where that is known.

        `first` is carried out in the same turn: nobody else notes what comes of it before this.
        """
        if about is not None and (self._count < _MANY or not about[1].port):
            about = None
        with self._log.turn():
            if first is not None:
                first()
            begin_ns, rows, settled = self._settled_rows(about)
            snapshot = Snapshot(
                t_ns=begin_ns,
                end_ns=time.monotonic_ns(),
                host=self._host,
                cause=cause,
                frame=frame,
                sockets=rows,
                settled=settled,
                about=about,
            )
            # what is left out of a part only the log of all observers together knows
            self._log.write(snapshot if about else self._writer.look(snapshot))

    def _settled_rows(self, about: Ends | None) -> tuple[int, tuple[SocketRow, ...], bool]:
        """When the look began, what it saw, and whether no segment waited any more."""
        for _ in range(_REPEATS):
            begin_ns = time.monotonic_ns()
            rows, settled = self._part(about) if about else self._rows(begin_ns)
            if settled:
                break
            time.sleep(_PAUSE_S)
        return begin_ns, rows, settled

    def _part(self, about: Ends) -> tuple[tuple[SocketRow, ...], bool]:
        """The row of one connection, if there is one, and that of the listener on its port."""
        local, remote = about
        family = socket.AF_INET6 if ":" in local.address else socket.AF_INET
        nowhere = ("::" if family == socket.AF_INET6 else "0.0.0.0", 0)
        found: dict[bytes, SocketRow] = {}
        for peer in ((remote.address, remote.port), nowhere):
            message = self._diag.find(family, (local.address, local.port), peer)
            if message is not None:
                found[message] = socket_row(parse_row(message))
        return tuple(found.values()), all(map(_is_settled, found.values()))

    def _rows(self, now_ns: int) -> tuple[tuple[SocketRow, ...], bool]:
        """The rows now: those of the look before, as objects, where nothing but the time left on
        their timers is different. And whether no segment waits for any of them.

        With hundreds of sockets nearly all are as they were: of those nothing is looked at.
        """
        messages = self._diag.messages()
        found = list(map(self._idle.get, messages))
        settled, timed = True, {}
        for place, row in enumerate(found):
            if row is None:
                content, left_ms = timer_apart(messages[place])
                row, due_ms = self._row(messages[place], content, left_ms, now_ns)
                settled = settled and _is_settled(row)
                found[place] = row
                if row.timer:
                    timed[content] = row, due_ms
                elif not row.backlog_bytes:
                    self._idle[messages[place]] = row
        self._timed = timed
        rows = tuple(filter(None, found))
        self._count = len(rows)
        if len(self._idle) > 2 * len(rows) + _FEW:  # mostly of sockets that are gone
            self._idle = {m: r for m, r in zip(messages, rows, strict=True) if m in self._idle}
        return rows, settled

    def _row(
        self, message: bytes, content: bytes, left_ms: int, now_ns: int
    ) -> tuple[SocketRow, int]:
        """The row of a message, and when its timer is due: the one that there was, unless that has
        been started anew."""
        due_ms = now_ns // 1_000_000 + left_ms
        known = self._timed.get(content)
        if known is not None and abs(known[1] - due_ms) <= _TIMER_SLACK_MS:
            return known
        return socket_row(parse_row(message)), due_ms


def _is_settled(row: SocketRow) -> bool:
    """Whether no segment waits for it because a program has it locked."""
    return not row.backlog_bytes or row.state == "LISTEN"


def socket_row(row: DiagSocket) -> SocketRow:
    """A row of the kernel's table as an event has it."""
    return SocketRow(
        protocol="tcp",
        local=Endpoint(*row.local),
        remote=Endpoint(*row.remote),
        state=row.state,
        recv_q=row.recv_q,
        send_q=row.send_q,
        inode=row.inode,
        cookie=row.cookie,
        uid=row.uid,
        timer=row.timer,
        timer_ms=row.timer_ms,
        retransmits=row.retransmits,
        backlog_bytes=row.backlog_bytes,
    )
