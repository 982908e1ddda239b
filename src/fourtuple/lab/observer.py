"""Looks at a host's socket table and notes what it saw."""

import time
from collections.abc import Callable
from contextlib import suppress

from fourtuple.event.model import Endpoint, Snapshot, SocketRow
from fourtuple.lab.log import Log
from fourtuple.system.namespaces import inside
from fourtuple.system.sock_diag import DiagSocket, SockDiag

__all__ = ["Observer", "socket_row"]

#: a look is repeated while a segment waits for a socket that a program had locked
_REPEATS = 40
_PAUSE_S = 50e-6


class Observer:
    """One process's view of one host. Each process has its own: netlink answers whoever asks."""

    def __init__(self, log: Log, host: str, namespace: int) -> None:
        self._log = log
        self._host = host
        with inside(namespace):
            self._diag = SockDiag()

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
                sockets=tuple(map(socket_row, rows)),
                settled=settled,
            )
            self._log.write(snapshot)

    def _settled_rows(self) -> tuple[int, list[DiagSocket], bool]:
        """When the look began, what it saw, and whether no segment waited any more."""
        for _ in range(_REPEATS):
            begin_ns = time.monotonic_ns()
            rows = self._diag.dump()
            if not any(row.backlog_bytes for row in rows if row.state != "LISTEN"):
                return begin_ns, rows, True
            time.sleep(_PAUSE_S)
        return begin_ns, rows, False


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
