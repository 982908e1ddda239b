"""Sends rows of frames with one system call for many, by a second thread too where there are many.

Through veth, and much the same on hardware, sending is what takes a scan's time, and it is the
kernel's: two threads do it on two processors, and the scan goes on while the second one sends.
"""

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Iterator
from queue import Empty, SimpleQueue
from typing import Protocol

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from fourtuple.scan.raw.craft import Frames
from fourtuple.system.batch import (
    IOVEC_WORDS,
    MMSGHDR_WORDS,
    raw_ip_socket,
    send_messages,
    sending_socket,
)

__all__ = ["KernelSender", "LinkSender", "Sender", "quick_turns"]

Int64s = npt.NDArray[np.int64]
Uint64s = npt.NDArray[np.uint64]

#: fewer are not worth waking a second thread
_WORTH_TWO = 256
#: frames a system call. All count as sent when it began: a round trip measured is too long by what
#: sending so many takes, some 0.1 ms, and never too short
_AT_ONCE = 32
#: system calls that are left to the second thread when `send` returns: what it does in 5 ms
_LEFT_TO_SECOND = 32
#: how long a thread keeps the interpreter from the one that sends: a fraction of a system call
_TURN_S = 5e-5


class Sender(Protocol):
    """Where frames go: an interface, or the kernel's own raw socket."""

    def send(self, frames: Frames) -> Int64s:
        """Send every frame, or begin to; when each was sent at the earliest (CLOCK_REALTIME, ns):
        0 for those whose turn has not come, filled in later."""

    def finish(self) -> None:
        """Return when all is sent."""

    def close(self) -> None: ...


@contextlib.contextmanager
def quick_turns() -> Iterator[None]:
    """Have threads of the interpreter take turns often enough for one of them to send."""
    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(_TURN_S)
    try:
        yield
    finally:
        sys.setswitchinterval(usual_s)


class _Chunk(Struct, frozen=True):
    """Frames for one system call: `count` mmsghdr structures from `address` on, and where to write
    when they were sent. `memory` is what they point to."""

    address: int
    count: int
    t_ns: Int64s
    memory: tuple[object, ...]


class LinkSender:
    """Whole Ethernet frames into one interface."""

    def __init__(self, interface: str, recorded: bool = False) -> None:
        self._socket = sending_socket(interface, recorded)
        self._waiting: SimpleQueue[_Chunk | None] = SimpleQueue()
        self._second_did: SimpleQueue[OSError | None] = SimpleQueue()
        self._given = self._own = 0
        self._second: threading.Thread | None = None

    def send(self, frames: Frames) -> Int64s:
        t_ns = np.zeros(len(frames), dtype=np.int64)
        chunks = _chunks(frames, t_ns)
        if len(frames) < _WORTH_TWO:
            for chunk in chunks:
                _send(self._socket, chunk)
            return t_ns
        if self._second is None:
            self._second = threading.Thread(target=self._help, daemon=True)
            self._second.start()
        for chunk in chunks:
            self._given += 1
            self._waiting.put(chunk)
        self._work_off(_LEFT_TO_SECOND)
        return t_ns

    def finish(self) -> None:
        self._work_off(0)
        while self._given > self._own:
            self._own += 1
            error = self._second_did.get()
            if error is not None:
                raise error

    def _work_off(self, leave: int) -> None:
        while self._waiting.qsize() > leave:
            try:
                chunk = self._waiting.get_nowait()
            except Empty:
                return
            self._own += 1
            if chunk is not None:
                _send(self._socket, chunk)

    def _help(self) -> None:
        while (chunk := self._waiting.get()) is not None:
            try:
                _send(self._socket, chunk)
            except OSError as error:  # the link went down
                self._second_did.put(error)
            else:
                self._second_did.put(None)

    def close(self) -> None:
        if self._second is not None:
            self._waiting.put(None)
            self._second.join()
        self._socket.close()


class KernelSender:
    """IP packets that the kernel routes by their destination; link-local ones by the interface
    `scope`."""

    def __init__(self, family: int, scope: int = 0) -> None:
        self._scope = scope
        self._socket = raw_ip_socket(family)
        self._six = family == socket.AF_INET6

    def send(self, frames: Frames) -> Int64s:
        t_ns = np.zeros(len(frames), dtype=np.int64)
        for chunk in _chunks(frames, t_ns, self._names(frames)):
            _send(self._socket, chunk)
        return t_ns

    def finish(self) -> None:
        """All is."""

    def _names(self, frames: Frames) -> npt.NDArray[np.void]:
        """struct sockaddr_in or sockaddr_in6 of each packet's own destination."""
        place, size = (24, 16) if self._six else (16, 4)
        fields = [("family", "=u2"), ("port", "u2")]
        fields += [("flow", "u4")] if self._six else []
        rest = ("scope", "=u4") if self._six else ("rest", "u1", (8,))
        shape = [*fields, ("address", "u1", (size,)), rest]
        names = np.zeros(len(frames), dtype=shape)
        names["family"] = socket.AF_INET6 if self._six else socket.AF_INET
        if self._six:
            names["scope"] = self._scope
        names["address"] = frames.rows[:, place : place + size]
        return names

    def close(self) -> None:
        self._socket.close()


def _send(through: socket.socket, chunk: _Chunk) -> None:
    chunk.t_ns[:] = time.time_ns()
    send_messages(through.fileno(), chunk.address, chunk.count)


def _chunks(
    frames: Frames, t_ns: Int64s, names: npt.NDArray[np.void] | None = None
) -> Iterator[_Chunk]:
    """The frames, to the addresses `names` where there are any, `_AT_ONCE` at a time."""
    headers, vectors = _headers(frames)
    if names is not None:
        numbers = np.arange(len(frames), dtype=np.uint64)
        headers[:, 0] = names.ctypes.data + numbers * np.uint64(names.itemsize)
        headers[:, 1] = names.itemsize
    memory = (frames.rows, headers, vectors, names)
    for start in range(0, len(frames), _AT_ONCE):
        stamps = t_ns[start : start + _AT_ONCE]
        address = headers.ctypes.data + start * MMSGHDR_WORDS * 8
        yield _Chunk(address, len(stamps), stamps, memory)


def _headers(frames: Frames) -> tuple[Uint64s, Uint64s]:
    """struct mmsghdr[n], each with one struct iovec, over the rows of `frames`; and the iovecs, to
    which the headers only point."""
    count = len(frames)
    numbers = np.arange(count, dtype=np.uint64)
    vectors = np.empty((count, IOVEC_WORDS), dtype=np.uint64)
    vectors[:, 0] = frames.rows.ctypes.data + numbers * np.uint64(frames.rows.strides[0])
    vectors[:, 1] = frames.lengths
    headers = np.zeros((count, MMSGHDR_WORDS), dtype=np.uint64)
    headers[:, 2] = vectors.ctypes.data + numbers * np.uint64(IOVEC_WORDS * 8)
    headers[:, 3] = 1
    return headers, vectors
