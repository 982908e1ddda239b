"""This process's own socket calls, each noted with its result, and what state each left behind.

Rules: a call is carried out whether or not it can be noted; only the first `MOST_CALLS` are kept
(and the end of each connection that is among them), the rest is counted, so memory is bounded.
States are looked up in the kernel's socket table after a call, and only where somebody wants them
(`watch`): those of the connection that the call was made on, at both ends if both are here, and of
some that were closed and have not come to rest. What comes and goes between two calls is not seen.
Calls may come from several threads. A wait for many sockets is noted if it reported one of those
whose calls are: what ended by its time-out concerns nobody.
"""

import errno
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from fourtuple.event.model import Call, Endpoint, State
from fourtuple.system.sock_diag import SockDiag, parse_row

__all__ = ["MOST_CALLS", "Ends", "Journal"]

T = TypeVar("T")
MOST_CALLS = 10_000
#: how many of the bytes that moved a Call keeps
_KEPT_BYTES = 64
_SETTLE_S, _PAUSE_S = 0.2, 0.005
#: closed connections that are looked at after each call of another
_RESTLESS_LOOKS = 2
_GONE = ("CLOSED", 0, 0)
_RESTING = frozenset(("TIME_WAIT", "CLOSED"))
_LAST_CALLS = frozenset(("shutdown", "close"))
_PEER = {"client": "server", "server": "client"}
_MAPPED = "::ffff:"

Ends = tuple[Endpoint, Endpoint]


class Journal:
    """`calls` and `states` in order of time; `left_out` is how many calls were not kept. `host` is
    the side that calls, client or server."""

    def __init__(self, watch: bool = False, host: str = "client", program: str = "talk") -> None:
        self.calls: list[Call] = []
        self.states: list[State] = []
        self.left_out = 0
        #: (local, remote) of each connection that came about
        self.ends: dict[Ends, None] = {}
        self._host = host
        self._program = program
        self._lock = threading.Lock()
        self._diag = SockDiag() if watch else None
        self._known: dict[Ends, str] = {}
        #: the sockets whose calls are noted, by inode, and what they connect
        self._sockets: dict[int, Ends | None] = {}
        self._restless: deque[Ends] = deque()

    def call(
        self,
        sock: socket.socket | None,
        name: str,
        args: tuple[str | int, ...],
        function: Callable[[], T],
        size: int | None = None,
    ) -> T:
        """Carry out `function`, which makes one system call on `sock`, and note it. A wait that
        ended by the socket's own time-out was no call: recv() was not reached."""
        if not self._keeps(sock, name):
            with self._lock:
                self.left_out += 1
            return function()
        before, who = _identity(sock), sock
        begin_ns = time.monotonic_ns()
        found: dict[str, Any] = {}
        reached = True
        try:
            result = function()
            found = _outcome(result)
            who = result if isinstance(result, socket.socket) else sock
            return result
        except OSError as error:
            found = {"errno": _symbol(error)}
            reached = error.errno is not None or name == "connect"
            raise
        finally:
            span_ns = begin_ns, time.monotonic_ns()
            named = {key: value for key, value in _identity(who).items() if value}
            if reached:
                self._keep(name, args, size, span_ns, {**before, **named, **found})

    def wait(
        self,
        name: str,
        args: tuple[int, ...],
        function: Callable[[], list[T]],
        descriptor: Callable[[T], int],
    ) -> list[T]:
        """Carry out `function`, which waits for any of many descriptors and gives what is ready, a
        `descriptor` each."""
        begin_ns = time.monotonic_ns()
        found = function()
        if found:
            span_ns = begin_ns, time.monotonic_ns()
            self._keep_wait(name, args, span_ns, list(map(descriptor, found)))
        return found

    def _keep_wait(
        self, name: str, args: tuple[int, ...], span_ns: tuple[int, int], descriptors: list[int]
    ) -> None:
        inodes = (os.fstat(each).st_ino for each in descriptors)
        ready = tuple(inode for inode in inodes if inode in self._sockets)
        if not ready:
            return
        with self._lock:
            if len(self.calls) >= MOST_CALLS:
                self.left_out += 1
                return
            known = {"result": len(descriptors), "ready": ready}
            self.calls.append(self._call(name, args, span_ns, known))
            for ends in map(self._sockets.get, ready):
                if ends is not None:
                    self._look_at(ends)

    def _keeps(self, sock: socket.socket | None, name: str) -> bool:
        if len(self.calls) < MOST_CALLS:
            return True
        known = _identity(sock) if name in _LAST_CALLS else {"local": None, "remote": None}
        return (known["local"], known["remote"]) in self.ends

    def _keep(
        self,
        name: str,
        args: tuple[str | int, ...],
        size: int | None,
        span_ns: tuple[int, int],
        known: dict[str, Any],
    ) -> None:
        call = self._call(name, args, span_ns, {"size": size, **known})
        with self._lock:
            self.calls.append(call)
            self._sockets.setdefault(call.inode)
            if call.local and call.remote and name != "recvfrom":
                self._meet(call.inode, (call.local, call.remote), ended=name == "close")
            if name == "listen" and call.local and call.errno is None:
                self._look_at_listener(call.local)
            self._look_at_restless()

    def _call(
        self,
        name: str,
        args: tuple[str | int, ...],
        span_ns: tuple[int, int],
        known: dict[str, Any],
    ) -> Call:
        return Call(
            t_ns=span_ns[0],
            end_ns=span_ns[1],
            host=self._host,
            program=self._program,
            pid=os.getpid(),
            thread=threading.get_native_id(),
            name=name,
            args=args,
            **known,
        )

    def meet(self, sock: socket.socket) -> None:
        """There is a connection that none of its own calls has told of yet: accept() made it."""
        known = _identity(sock)
        with self._lock:
            if len(self.calls) < MOST_CALLS:  # else its accept() was left out, too
                self._sockets.setdefault(known["inode"])
                if known["local"] and known["remote"]:
                    self._meet(known["inode"], (known["local"], known["remote"]))

    def _meet(self, inode: int, ends: Ends, *, ended: bool = False) -> None:
        self.ends.setdefault(ends)
        self._sockets[inode] = ends
        self._look_at(ends)
        if ended and self._diag is not None:
            self._restless.append(ends)

    def _look_at_restless(self) -> None:
        for _ in range(min(_RESTLESS_LOOKS, len(self._restless))):
            ends = self._restless.popleft()
            self._look_at(ends)
            if not self._rests(ends):
                self._restless.append(ends)

    def _rests(self, ends: Ends) -> bool:
        both = (ends, ends[::-1])
        return all(self._known.get(each, "CLOSED") in _RESTING for each in both)

    def _look_at(self, own: Ends) -> None:
        """Note what has become of a socket, and of the one at its other end, as far as this kernel
        has them."""
        if self._diag is None:
            return
        with suppress(OSError):  # a kernel without sock_diag: then frames must do
            for ends, host in ((own, self._host), (own[::-1], _PEER[self._host])):
                row = self._diag.one(_pair(ends[0]), _pair(ends[1]))
                found = (row.state, row.inode, row.cookie) if row else _GONE
                self._note(ends, host, *found)

    def _look_at_listener(self, local: Endpoint) -> None:
        """The very socket that a SYN to it would find."""
        family = socket.AF_INET6 if ":" in local.address else socket.AF_INET
        anywhere = Endpoint("::" if family == socket.AF_INET6 else "0.0.0.0", 0)
        if self._diag is None:
            return
        with suppress(OSError):
            message = self._diag.find(family, _pair(local), _pair(anywhere))
            row = parse_row(message) if message is not None else None
            if row is not None and row.state == "LISTEN":
                self._note((local, anywhere), self._host, row.state, row.inode, row.cookie)

    def _note(self, ends: Ends, host: str, state: str, inode: int, cookie: int) -> None:
        old = self._known.get(ends, "CLOSED")
        if state == old:
            return
        self._known[ends] = state
        self.states.append(
            State(
                t_ns=time.monotonic_ns(),
                host=host,
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
            with self._lock:
                for ends in self.ends:
                    if not self._rests(ends):
                        self._look_at(ends)
                if all(map(self._rests, self.ends)):
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
    """An end as frames show it: no zone, and IPv4 as such where a dual-stack socket maps it."""
    try:
        address = name()
    except OSError:
        return None
    if isinstance(address, tuple) and len(address) >= 2 and address[1]:
        host = address[0].partition("%")[0]
        return Endpoint(host.removeprefix(_MAPPED) if "." in host else host, address[1])
    return None


def _symbol(error: OSError) -> str:
    if error.errno is None:
        return "timeout"  # the socket's own time-out, no word of the kernel's
    return errno.errorcode.get(error.errno, str(error.errno))


def _outcome(result: Any) -> dict[str, Any]:
    if isinstance(result, tuple) and isinstance(result[0], int):  # accept()
        return {"result": result[0], "new_inode": os.fstat(result[0]).st_ino}
    if isinstance(result, tuple):  # recvfrom()
        data, address = result
        return {**_outcome(data), "remote": _endpoint(lambda: address)}
    if isinstance(result, bytes):
        return {"result": len(result), "data": result[:_KEPT_BYTES]}
    if isinstance(result, socket.socket):
        return {"result": result.fileno()}
    return {"result": result if isinstance(result, int) else 0}
