"""Work done aside, in a thread of its own, one piece after another.

For machine code that runs without the interpreter lock: a second processor does it meanwhile.
Nothing here knows what the work is.
"""

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread

__all__ = ["Aside"]

Work = Callable[[], None]


class Aside:
    """`do` some work, and some more; `end` when there is no more. One piece is under way at most:
    who asks for the next, or waits, is told there what went wrong with the one before."""

    def __init__(self) -> None:
        self._asked: SimpleQueue[Work | None] = SimpleQueue()
        self._done: SimpleQueue[BaseException | None] = SimpleQueue()
        self._thread: Thread | None = None
        self._busy = False

    def do(self, work: Work) -> None:
        """Have it done, once what was asked for before is."""
        self.wait()
        if self._thread is None:
            # who gives up on the way, Ctrl-C for example, need not end it
            self._thread = Thread(target=self._work, daemon=True)
            self._thread.start()
        self._busy = True
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
        if not self._busy:
            return
        error = self._done.get()
        self._busy = False
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
