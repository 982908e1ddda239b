"""This process's own socket calls, each noted with its result, and what state each left behind.

Rules: a call is carried out whether or not it can be noted; only the first `_MOST_CALLS` are kept,
the rest is counted. States are looked up in the kernel's socket table after a call, and only where
somebody wants them (`watch`): what comes and goes between two calls is not seen.
"""

import errno
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from fourtuple.event.model import Call, Endpoint, State
from fourtuple.system.sock_diag import SockDiag

__all__ = ["HOST", "PROGRAM", "Journal"]

T = TypeVar("T")
HOST, PROGRAM = "client", "talk"
_MOST_CALLS = 10_000
#: how many of the bytes that moved a Call keeps
_KEPT_BYTES = 64
_SETTLE_S, _PAUSE_S = 0.2, 0.005
_GONE = ("CLOSED", 0, 0)
_RESTING = frozenset(("TIME_WAIT", "CLOSED"))

Ends = tuple[Endpoint, Endpoint]


class Journal:
    """`calls` and `states` in order of time; `left_out` is how many calls were not kept."""

    def __init__(self, watch: bool = False) -> None:
        self.calls: list[Call] = []
        self.states: list[State] = []
        self.left_out = 0
        #: (local, remote) of each connection that came about
        self.ends: list[Ends] = []
        self._diag = SockDiag() if watch else None
        self._known: dict[Ends, str] = {}

    def call(
        self,
        sock: socket.socket | None,
        name: str,
        args: tuple[str | int, ...],
        function: Callable[[], T],
        size: int | None = None,
    ) -> T:
        """Carry out `function`, which makes one system call on `sock`, and note it."""
        before, who = _identity(sock), sock
        begin_ns = time.monotonic_ns()
        found: dict[str, Any] = {}
        try:
            result = function()
            found = _outcome(result)
            who = result if isinstance(result, socket.socket) else sock
            return result
        except OSError as error:
            found = {"errno": _symbol(error)}
            raise
        finally:
            end_ns = time.monotonic_ns()
            named = {key: value for key, value in _identity(who).items() if value}
            self._keep(name, args, size, begin_ns, end_ns, {**before, **named, **found})

    def _keep(
        self,
        name: str,
        args: tuple[str | int, ...],
        size: int | None,
        begin_ns: int,
        end_ns: int,
        known: dict[str, Any],
    ) -> None:
        local, remote = known.get("local"), known.get("remote")
        if local and remote and (local, remote) not in self.ends:
            self.ends.append((local, remote))
        if len(self.calls) >= _MOST_CALLS and name not in ("shutdown", "close"):
            self.left_out += 1
            return
        self.calls.append(
            Call(
                t_ns=begin_ns,
                end_ns=end_ns,
                host=HOST,
                program=PROGRAM,
                pid=os.getpid(),
                thread=threading.get_native_id(),
                name=name,
                args=args,
                size=size,
                **known,
            )
        )
        self.look()

    def look(self) -> None:
        """Note what has become of the sockets at both ends, as far as this kernel has them."""
        if self._diag is None or not self.ends:
            return
        with suppress(OSError):  # a kernel without sock_diag: then frames must do
            for local, remote in self.ends:
                for ends in ((local, remote), (remote, local)):
                    row = self._diag.one(_pair(ends[0]), _pair(ends[1]))
                    t_ns = time.monotonic_ns()
                    self._note(ends, t_ns, *((row.state, row.inode, row.cookie) if row else _GONE))

    def _note(self, ends: Ends, t_ns: int, state: str, inode: int, cookie: int) -> None:
        old = self._known.get(ends, "CLOSED")
        if state == old:
            return
        self._known[ends] = state
        own = ends in self.ends
        self.states.append(
            State(
                t_ns=t_ns,
                host=HOST if own else "server",
                local=ends[0],
                remote=ends[1],
                old=old,
                new=state,
                source="sock_diag",
                inode=inode,
                cookie=cookie,
            )
        )

    def settle(self) -> None:
        """Look on for a moment, until the closed sockets have come to rest."""
        until = time.monotonic() + _SETTLE_S
        while self._diag is not None and time.monotonic() < until:
            self.look()
            if all(self._known.get(ends, "CLOSED") in _RESTING for ends in self._known):
                return
            time.sleep(_PAUSE_S)


def _pair(end: Endpoint) -> tuple[str, int]:
    return end.address, end.port


def _identity(sock: socket.socket | None) -> dict[str, Any]:
    if sock is None or sock.fileno() < 0:
        return {"fd": None, "inode": 0, "local": None, "remote": None}
    return {
        "fd": sock.fileno(),
        "inode": os.fstat(sock.fileno()).st_ino,
        "local": _endpoint(sock.getsockname),
        "remote": _endpoint(sock.getpeername),
    }


def _endpoint(name: Callable[[], Any]) -> Endpoint | None:
    try:
        address = name()
    except OSError:
        return None
    if isinstance(address, tuple) and len(address) >= 2 and address[1]:
        return Endpoint(address[0].partition("%")[0], address[1])
    return None


def _symbol(error: OSError) -> str:
    if error.errno is None:
        return "timeout"  # the socket's own time-out, no word of the kernel's
    return errno.errorcode.get(error.errno, str(error.errno))


def _outcome(result: Any) -> dict[str, Any]:
    if isinstance(result, bytes):
        return {"result": len(result), "data": result[:_KEPT_BYTES]}
    if isinstance(result, socket.socket):
        return {"result": result.fileno()}
    return {"result": result if isinstance(result, int) else 0}
