"""Looks at a host's socket table and notes what it saw."""

import os
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

#: a row, and when its timer is due
_Known = tuple[SocketRow, int]


class Observer:
    """One process's view of one host. Each process has its own: netlink answers whoever asks."""

    def __init__(self, log: Log, host: str, namespace: int) -> None:
        self._log = log
        self._host = host
        with inside(namespace):
            self._diag = SockDiag()
        # its looks follow each other, not those of others: no two sockets have one inode
        self._writer = LookWriter(series=os.fstat(self._diag.fileno()).st_ino)
        self._known: dict[bytes, _Known] = {}

    def look(self) -> list[DiagSocket]:
        """The host's TCP sockets now."""
        return self._diag.dump()

    def destroy_sockets(self) -> None:
        """Take every TCP socket of the host away, as `ss --kill` does."""
        for row in self._diag.dump():
            with suppress(FileNotFoundError):  # it has gone with another one
                self._diag.destroy(row.family, row.local, row.remote, row.cookie)

    def observe(self, cause: str, frame: int = 0, first: Callable[[], None] | None = None) -> None:
        """Note the host's TCP sockets, once no segment waits for a locked one.

        `first` is carried out in the same turn: nobody else notes what comes of it before this.
        """
        with self._log.turn():
            if first is not None:
                first()
            begin_ns, rows, settled = self._settled_rows()
            snapshot = Snapshot(
                t_ns=begin_ns,
                end_ns=time.monotonic_ns(),
                host=self._host,
                cause=cause,
                frame=frame,
                sockets=rows,
                settled=settled,
            )
            self._log.write(self._writer.look(snapshot))

    def _settled_rows(self) -> tuple[int, tuple[SocketRow, ...], bool]:
        """When the look began, what it saw, and whether no segment waited any more."""
        for _ in range(_REPEATS):
            begin_ns = time.monotonic_ns()
            rows = self._rows(begin_ns)
            if not any(row.backlog_bytes for row in rows if row.state != "LISTEN"):
                return begin_ns, rows, True
            time.sleep(_PAUSE_S)
        return begin_ns, rows, False

    def _rows(self, now_ns: int) -> tuple[SocketRow, ...]:
        """The rows now: those of the look before, as objects, where nothing but the time left on
        their timers is different."""
        found: dict[bytes, _Known] = {}
        rows: list[SocketRow] = []
        for message in self._diag.messages():
            content, left_ms = timer_apart(message)
            due_ms = now_ns // 1_000_000 + left_ms
            known = self._known.get(content)
            if known is None or abs(known[1] - due_ms) > _TIMER_SLACK_MS:
                known = socket_row(parse_row(message)), due_ms
            found[content] = known
            rows.append(known[0])
        self._known = found
        return tuple(rows)


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
