"""A process of our own that takes pages from the kernel's ring buffers and keeps them in memory
that it shares with the process that works through them.

It does nothing else, so that nothing is lost while that one is busy, or waits for who reads its
output. Rules: pages of one buffer stay in order; where the memory is full, pages stay with the
kernel, which counts what it must drop; it ends with the process that it works for, and removes the
instances that this one could not remove any more.
"""

import gc
import mmap
import os
import select
import signal
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn, Self

from fourtuple.errors import N_, FourtupleError
from fourtuple.source.trace.formats import Layout
from fourtuple.source.trace.pages import page_time
from fourtuple.system.tracefs import Instance

__all__ = ["KEPT_BYTES", "Keeper"]

GONE = N_("The process that keeps the kernel's trace has ended (status {status}).")

#: so much may wait to be worked through
KEPT_BYTES, _LEAST_BYTES = 512 << 20, 16 << 20
#: pages of each buffer in a batch: so many are taken apart in a moment
_MOST_PAGES = 16
#: to wake for each event would cost more than it
_GATHER_S, _IDLE_MS = 0.02, 100
#: an event is stamped a little before it can be read
_COMMIT_NS = 1_000_000
#: its niceness: what it does takes little, and cannot wait for long
_NICE = -10
#: what it is told: record; no more is recorded; end
_GO, _STOP, _END = b"g", b"s", b"e"
#: what it tells: how many pages there were so far, and until when all events are on them
_WORD = struct.Struct("=qq")
#: memory that is not there yet is not promised either (mmap has a name for it since Python 3.13)
_MAP_NORESERVE = 0x4000
_SHARED = mmap.MAP_SHARED | mmap.MAP_ANONYMOUS | _MAP_NORESERVE


class _Memory:
    """Room for pages, each of which has a number: the process that takes them from the kernel
    writes them, the other reads them and gives their room back."""

    def __init__(self, page_bytes: int, most_bytes: int) -> None:
        # beside the pages only how many were given back: what else is to be known is sent
        self._shared = _mapped(mmap.PAGESIZE + most_bytes)
        self.page_bytes = page_bytes
        self._room = (len(self._shared) - mmap.PAGESIZE) // page_bytes
        self._view = memoryview(self._shared)
        self._back = self._view[:8].cast("q")

    def close(self) -> None:
        self._back.release()
        self._view.release()
        self._shared.close()

    @property
    def given_back(self) -> int:
        return self._back[0]

    def has_room(self, number: int) -> bool:
        """Whether there is room for this page."""
        return number - self._back[0] < self._room

    def fill(self, number: int, pipe: int) -> bool:
        """Have the next page of a buffer here; False where there is none."""
        place = self._view[self._at(number) :][: self.page_bytes]
        try:
            size = os.readv(pipe, [place])
        except BlockingIOError:
            return False
        if 0 < size < len(place):
            place[size:] = bytes(len(place) - size)
        return size > 0

    def page(self, number: int) -> bytes:
        """A copy of this page."""
        return self._shared[(at := self._at(number)) : at + self.page_bytes]

    def give_back(self, end: int) -> None:
        """Pages before this are not needed any more: what they take is the machine's again until
        others come there (madvise(2))."""
        first, count = self._back[0] % self._room, end - self._back[0]
        self._release(first, min(first + count, self._room))
        self._release(0, first + count - self._room)
        self._back[0] = end

    def _release(self, begin: int, end: int) -> None:
        if end > begin and not self.page_bytes % mmap.PAGESIZE:
            size = (end - begin) * self.page_bytes
            self._shared.madvise(mmap.MADV_REMOVE, self._at(begin), size)

    def _at(self, number: int) -> int:
        return mmap.PAGESIZE + number % self._room * self.page_bytes


def _mapped(size: int) -> mmap.mmap:
    """Memory to share; less of it where the machine promises none that it does not have."""
    try:
        return mmap.mmap(-1, size, _SHARED)
    except OSError:
        if size < _LEAST_BYTES:
            raise
        return _mapped(size // 2)


def _be_quick() -> None:
    """Go before others: of the session, and (sched(7), autogroup) as a session of its own."""
    with suppress(OSError):
        os.nice(_NICE)
    with suppress(OSError), open("/proc/self/autogroup", "w", encoding="ascii") as file:
        file.write(str(_NICE))


class Keeper:
    """`with Keeper(instances, layout) as keeper: keeper.start(); ...; keeper.take()`.

    `pid` is that of its process; `until_ns` says until when all events are kept.
    """

    def __init__(
        self, instances: Sequence[Instance], layout: Layout, most_bytes: int = KEPT_BYTES
    ) -> None:
        self._instances, self._layout = instances, layout
        self._memory = _Memory(layout.page_bytes, most_bytes)
        self._batches: deque[tuple[int, int]] = deque()
        self._end = 0
        self._silent = self._stopped = False
        self.until_ns = 0

    def __enter__(self) -> Self:
        """The process is made here: later somebody may be followed whose children are, too."""
        self._channel, its_channel = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid = os.fork()
        if not self.pid:
            self._channel.close()
            _Taking(its_channel, self._instances, self._layout, self._memory).run()
        its_channel.close()
        return self

    def __exit__(self, *_: object) -> None:
        self._order(_END)
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        self._channel.close()
        self._memory.close()

    def fileno(self) -> int:
        """What to wait on."""
        return self._channel.fileno()

    def start(self) -> None:
        """Take from now on what is recorded."""
        self._order(_GO)
        self._channel.setblocking(False)

    def stop(self) -> None:
        """No more is recorded: take the rest."""
        self._stopped = True
        self._order(_STOP)

    def _order(self, word: bytes) -> None:
        with suppress(OSError):  # it has ended, which `take` finds out
            self._channel.send(word)

    @property
    def over(self) -> bool:
        """Whether all that was recorded has been taken."""
        return self._silent and not self._batches

    @property
    def behind_bytes(self) -> int:
        """How much waits to be taken."""
        return (self._end - self._memory.given_back) * self._memory.page_bytes

    def take(self) -> tuple[int, list[bytes]] | None:
        """(until when all events are there, the pages that came since); None: nothing has come.
        FourtupleError where the process has ended before its time."""
        self._listen()
        if not self._batches:
            return None
        end, until_ns = self._batches.popleft()
        pages = [self._memory.page(number) for number in range(self._memory.given_back, end)]
        self._memory.give_back(end)
        return until_ns, pages

    def _listen(self) -> None:
        with suppress(BlockingIOError):
            while not self._silent:
                if word := self._heard():
                    self._end, self.until_ns = batch = _WORD.unpack(word)
                    self._batches.append(batch)
                    continue
                self._silent = True
                if not self._stopped:
                    _, status = os.waitpid(self.pid, 0)
                    raise FourtupleError(GONE, {"status": os.waitstatus_to_exitcode(status)})

    def _heard(self) -> bytes:
        with suppress(ConnectionResetError):  # it ended before it heard all that it was told
            return self._channel.recv(_WORD.size)
        return b""


class _Taking:
    """What the process does."""

    def __init__(
        self,
        channel: socket.socket,
        instances: Sequence[Instance],
        layout: Layout,
        memory: _Memory,
    ) -> None:
        self._channel, self._instances = channel, instances
        self._layout, self._memory = layout, memory
        self._pipes: list[int] = []
        self._end = self._until_ns = 0
        self._unsent: deque[tuple[int, int, int]] = deque()  # first page, and the word

    def run(self) -> NoReturn:
        """Until it is told to end, or nobody is there any more."""
        status = 1
        try:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)  # they are for the other process
            os.setsid()
            _be_quick()
            gc.disable()
            word = self._channel.recv(1)
            if word == _GO:
                word = self._take()
            if not word:
                self._remove()
            status = 0
        finally:
            os._exit(status)

    def _take(self) -> bytes:
        """Take pages until that is over; the last order, or none where nobody is left."""
        self._pipes = [pipe for instance in self._instances for pipe in instance.filenos()]
        self._channel.setblocking(False)
        poll = select.poll()
        for descriptor in (self._channel.fileno(), *self._pipes):
            poll.register(descriptor, select.POLLIN)
        order, more = _GO, False
        while True:
            if not more:
                if order == _GO:
                    poll.poll(_IDLE_MS)
                time.sleep(_GATHER_S)
            with suppress(BlockingIOError):
                order = self._channel.recv(1)
                if order in (_END, b""):
                    return order
            more = self._round(last=order == _STOP)
            self._tell()
            if self._until_ns == sys.maxsize and not self._unsent:
                return order

    def _round(self, *, last: bool) -> bool:
        """Some pages of each buffer, and until when all events are on them; whether there may be
        more."""
        began, more, full = self._end, False, False
        until_ns = sys.maxsize if last else time.monotonic_ns() - _COMMIT_NS
        for pipe in self._pipes:
            end = self._end + _MOST_PAGES
            while self._end < end and self._memory.has_room(self._end):
                if not self._memory.fill(self._end, pipe):
                    break
                self._end += 1
            else:
                full |= self._end < end
                more |= self._end == end
                if self._end == end:  # what comes after the last of them is not here
                    until_ns = min(until_ns, page_time(self._memory.page(end - 1), self._layout))
        self._until_ns = max(self._until_ns, 0 if full else until_ns)
        self._note(began)
        return more and not full

    def _note(self, began: int) -> None:
        """What is to be told: small batches become one where nobody listens."""
        if self._unsent and self._end - self._unsent[-1][0] <= _MOST_PAGES * len(self._pipes):
            began = self._unsent.pop()[0]
        self._unsent.append((began, self._end, self._until_ns))

    def _tell(self) -> None:
        with suppress(OSError):  # not now; or nobody is there, which the next order shows
            while self._unsent:
                self._channel.send(_WORD.pack(*self._unsent[0][1:]))
                self._unsent.popleft()

    def _remove(self) -> None:
        """The other process was killed."""
        for instance in self._instances:
            with suppress(OSError):
                instance.__exit__(None, None, None)
