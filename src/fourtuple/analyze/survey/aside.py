"""Work done aside, in a thread of its own, one piece after another.

For machine code that runs without the interpreter lock: a second processor does it meanwhile.
Nothing here knows what the work is.
"""

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread

__all__ = ["AHEAD", "Aside"]

Work = Callable[[], None]

#: pieces that may be under way: while one is done, the next is at hand already
AHEAD = 2


class Aside:
    """`do` some work, and some more; `end` when there is no more. Who asks while `AHEAD` pieces are
    under way waits for the first of them. What goes wrong is told to who waits."""

    def __init__(self) -> None:
        self._asked: SimpleQueue[Work | None] = SimpleQueue()
        self._done: SimpleQueue[BaseException | None] = SimpleQueue()
        self._thread: Thread | None = None
        self._under_way = 0

    def do(self, work: Work) -> None:
        """Have it done, once what was asked for before is."""
        if self._under_way == AHEAD:
            self._wait_for_one()
        if self._thread is None:
            # who gives up on the way, Ctrl-C for example, need not end it
            self._thread = Thread(target=self._work, daemon=True)
            self._thread.start()
        self._under_way += 1
        self._asked.put(work)

    def end(self) -> None:
        """No more is asked for."""
        self.wait()
        if self._thread is not None:
            self._asked.put(None)
            self._thread.join()
            self._thread = None

    def wait(self) -> None:
        """All that was asked for is done."""
        while self._under_way:
            self._wait_for_one()

    def _wait_for_one(self) -> None:
        error = self._done.get()
        self._under_way -= 1
        if error is not None:
            raise error

    def _work(self) -> None:
        while self._work_on():
            pass

    def _work_on(self) -> bool:
        """The next piece, kept no longer than it takes; False where there is no more."""
        work = self._asked.get()
        if work is None:
            return False
        try:
            work()
        except BaseException as error:
            self._done.put(error)
        else:
            self._done.put(None)
        return True
