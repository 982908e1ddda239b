"""What a client is to say: from a descriptor, from the command line, or from someone who types.

A source is asked for messages when its descriptor is readable or its time has come. `take` gives
them; None says that there will be no more.
"""

import os
from collections import deque
from collections.abc import Sequence
from threading import Lock
from typing import Protocol

__all__ = ["Nothing", "Prepared", "Reader", "Source", "Typed"]

_READ_BYTES = 1 << 16


class Source(Protocol):
    """`quits`: the end of it is the end of the conversation, not just of this side's part."""

    quits: bool

    def fileno(self) -> int | None:
        """Readable when there is something to take; None where time alone decides."""
        ...

    def due_s(self, now_s: float) -> float | None:
        """In how many seconds there is something to take; None where the descriptor tells."""
        ...

    def take(self, now_s: float) -> list[bytes] | None:
        """What there is to say now; None at the end."""
        ...


class Nothing:
    """Only listens."""

    quits = False

    def fileno(self) -> int | None:
        return None

    def due_s(self, now_s: float) -> float | None:
        return None

    def take(self, now_s: float) -> list[bytes] | None:
        return []


class Reader:
    """A descriptor, as it comes; `by_lines`: each line is a message, without its end."""

    quits = False

    def __init__(self, descriptor: int, *, by_lines: bool = False, most: int = _READ_BYTES) -> None:
        self._descriptor = descriptor
        self._by_lines = by_lines
        self._most = most
        self._rest = b""
        self._ended = False

    def fileno(self) -> int | None:
        return None if self._ended else self._descriptor

    def due_s(self, now_s: float) -> float | None:
        return 0.0 if self._ended else None

    def take(self, now_s: float) -> list[bytes] | None:
        if self._ended:
            return None
        data = os.read(self._descriptor, self._most)
        if not self._by_lines:
            return [data] if data else None
        if not data:
            self._ended = True
            return [self._rest] if self._rest else None
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [line.removesuffix(b"\r") for line in lines]


class Prepared:
    """The same messages `count` times, `interval_s` apart."""

    quits = False

    def __init__(self, messages: Sequence[bytes], count: int, interval_s: float) -> None:
        self._messages = list(messages)
        self._left = count
        self._interval_s = interval_s
        self._next_s = 0.0

    def fileno(self) -> int | None:
        return None

    def due_s(self, now_s: float) -> float | None:
        return max(0.0, self._next_s - now_s) if self._left else 0.0

    def take(self, now_s: float) -> list[bytes] | None:
        if not self._left:
            return None
        self._left -= 1
        # from the plan, not from now: a late one does not make all others late
        self._next_s = max(self._next_s or now_s, now_s - self._interval_s) + self._interval_s
        return self._messages


class Typed:
    """Lines that another thread puts in; `end` says that there will be no more."""

    def __init__(self) -> None:
        self._lines: deque[bytes] = deque()
        self._lock = Lock()
        self._over = False
        self._readable, self._wake = os.pipe()
        self.quits = True

    def put(self, message: bytes) -> None:
        with self._lock:
            self._lines.append(message)
        os.write(self._wake, b".")

    def end(self, *, quits: bool) -> None:
        self.quits = quits
        with self._lock:
            self._over = True
        os.write(self._wake, b".")

    def fileno(self) -> int | None:
        return self._readable

    def due_s(self, now_s: float) -> float | None:
        return None

    def take(self, now_s: float) -> list[bytes] | None:
        os.read(self._readable, _READ_BYTES)
        with self._lock:
            lines = list(self._lines)
            self._lines.clear()
            if self._over and lines:
                os.write(self._wake, b".")  # the end is told next time
            return None if self._over and not lines else lines

    def close(self) -> None:
        os.close(self._readable)
        os.close(self._wake)
