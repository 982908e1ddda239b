"""Sends rows of frames with one system call for many."""

import socket
import threading
import time
from queue import SimpleQueue
from typing import Protocol

import numpy as np
import numpy.typing as npt

from fourtuple.scan.craft import Frames
from fourtuple.system.batch import (
    IOVEC_WORDS,
    MMSGHDR_WORDS,
    raw_ip_socket,
    send_messages,
    sending_socket,
)

__all__ = ["KernelSender", "LinkSender", "Sender"]

Int64s = npt.NDArray[np.int64]
Uint64s = npt.NDArray[np.uint64]

#: fewer are not worth waking a second thread
_WORTH_TWO = 256
#: frames a system call. All count as sent when it began: a round trip measured is too long by what
#: sending so many takes, some 0.1 ms, and never too short
_AT_ONCE = 32


class Sender(Protocol):
    """Where frames go: an interface, or the kernel's own raw socket."""

    def send(self, frames: Frames) -> Int64s:
        """Send every frame; when each was sent at the earliest (CLOCK_REALTIME, ns)."""

    def close(self) -> None: ...


class LinkSender:
    """Whole Ethernet frames into one interface, by two threads where there are many.

    Through veth, and much the same on hardware, sending is what takes a scan's time, and it is the
    kernel's: two threads do it on two processors.
    """

    def __init__(self, interface: str) -> None:
        self._socket = sending_socket(interface)
        self._tasks: SimpleQueue[tuple[int, int] | None] = SimpleQueue()
        self._sent: SimpleQueue[Int64s] = SimpleQueue()
        self._helper: threading.Thread | None = None

    def send(self, frames: Frames) -> Int64s:
        headers, _vectors = _headers(frames)
        address, count = headers.ctypes.data, len(frames)
        if count < _WORTH_TWO:
            return self._send(address, count)
        if self._helper is None:
            self._helper = threading.Thread(target=self._help, daemon=True)
            self._helper.start()
        half = count // 2
        self._tasks.put((address + half * MMSGHDR_WORDS * 8, count - half))
        mine = self._send(address, half)
        return np.concatenate((mine, self._sent.get()))

    def _send(self, address: int, count: int) -> Int64s:
        return _stamped(self._socket, address, count)

    def _help(self) -> None:
        while (task := self._tasks.get()) is not None:
            self._sent.put(self._send(*task))

    def close(self) -> None:
        if self._helper is not None:
            self._tasks.put(None)
            self._helper.join()
        self._socket.close()


class KernelSender:
    """IP packets that the kernel routes by their destination."""

    def __init__(self, family: int) -> None:
        self._socket = raw_ip_socket(family)
        self._six = family == socket.AF_INET6

    def send(self, frames: Frames) -> Int64s:
        headers, _vectors = _headers(frames)
        names = self._names(frames)
        numbers = np.arange(len(frames), dtype=np.uint64)
        headers[:, 0] = names.ctypes.data + numbers * np.uint64(names.itemsize)
        headers[:, 1] = names.itemsize
        return _stamped(self._socket, headers.ctypes.data, len(frames))

    def _names(self, frames: Frames) -> npt.NDArray[np.void]:
        """struct sockaddr_in or sockaddr_in6 of each packet's own destination."""
        place, size = (24, 16) if self._six else (16, 4)
        fields = [("family", "=u2"), ("port", "u2")]
        fields += [("flow", "u4")] if self._six else []
        shape = [*fields, ("address", "u1", (size,)), ("rest", "u1", (4 if self._six else 8,))]
        names = np.zeros(len(frames), dtype=shape)
        names["family"] = socket.AF_INET6 if self._six else socket.AF_INET
        names["address"] = frames.rows[:, place : place + size]
        return names

    def close(self) -> None:
        self._socket.close()


def _stamped(through: socket.socket, address: int, count: int) -> Int64s:
    t_ns = np.empty(count, dtype=np.int64)
    for start in range(0, count, _AT_ONCE):
        some = min(_AT_ONCE, count - start)
        t_ns[start : start + some] = time.time_ns()
        send_messages(through.fileno(), address + start * MMSGHDR_WORDS * 8, some)
    return t_ns


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
