"""Many runs at once, in processes of their own.

Each worker is forked before anything heavy is loaded, and takes one piece of work after the other:
so it loads numpy once. A worker that dies costs the piece that it had. Results come as they are
ready. The workers end with their parent, however it ends.
"""

import os
import select
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NoReturn

from fourtuple.errors import HostLost
from fourtuple.lab.channel import Channel, channel_pair
from fourtuple.system.namespaces import die_with_parent

__all__ = ["LOST", "work_through"]

#: the result of a piece whose worker died
LOST = None


def work_through(pieces: int, work: Callable[[int], Any], jobs: int) -> Iterator[tuple[int, Any]]:
    """(piece, what `work(piece)` returned) for each of so many pieces, in the order in which they
    are ready, by at most `jobs` processes. Results are what MessagePack holds; `LOST` where the
    process died."""
    waiting = list(range(pieces))
    workers = [_Worker(work) for _ in range(min(jobs, pieces))]
    try:
        for worker in workers:
            worker.give(waiting.pop(0))
        while busy := [worker for worker in workers if worker.piece is not None]:
            for worker in select.select(busy, [], [])[0]:
                yield worker.take()
                if waiting:
                    worker.give(waiting.pop(0))
    finally:
        for worker in workers:
            worker.end()


class _Worker:
    def __init__(self, work: Callable[[int], Any]) -> None:
        self.piece: int | None = None
        self._work = work
        self._start()

    def _start(self) -> None:
        self._channel, theirs = channel_pair()
        parent = os.getpid()
        # an interrupt that comes before the worker ignores it would be told with a traceback
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        self._pid = os.fork()
        if self._pid == 0:
            self._channel.close()
            _serve(theirs, self._work, parent)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        theirs.close()

    def fileno(self) -> int:
        return self._channel.fileno()

    def give(self, piece: int) -> None:
        self.piece = piece
        try:
            self._channel.send(piece)
        except HostLost:  # it died after its last piece
            self.end()
            self._start()
            self._channel.send(piece)

    def take(self) -> tuple[int, Any]:
        """Its piece, and the result."""
        piece, self.piece = self.piece, None
        assert piece is not None
        try:
            return piece, self._channel.receive()
        except HostLost:
            return piece, LOST

    def end(self) -> None:
        self._channel.close()
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)


def _serve(channel: Channel, work: Callable[[int], Any], parent: int) -> NoReturn:
    """The worker: until the other end is closed, or a signal ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it too, and ends us
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    try:
        die_with_parent(parent)
        with suppress(HostLost):
            while True:
                channel.send(work(channel.receive()))
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)
