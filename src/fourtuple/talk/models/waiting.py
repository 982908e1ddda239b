"""What a model waits in, noted where the calls on its sockets are.

select(), poll() and epoll_wait() are what tells the models apart. Whether somebody looks on is
asked here, so that neither the models nor the waiters need know of it.
"""

import selectors
import socket
from collections.abc import Iterable

from fourtuple.talk.journal import Journal
from fourtuple.talk.models.readiness import PollWaiter, Ready, SelectWaiter, Waiter
from fourtuple.talk.noted import journal_of

__all__ = ["noted_selector", "noted_waiter"]


def noted_selector(sockets: Iterable[socket.socket]) -> selectors.BaseSelector:
    """Python's selector for these sockets; its waits are noted if their calls are."""
    journal = journal_of(sockets)
    return _NotedSelector(journal) if journal else selectors.DefaultSelector()


class _NotedSelector(selectors.EpollSelector):
    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self._journal = journal

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return self._journal.wait(
            "epoll_wait",
            (),
            lambda: super(_NotedSelector, self).select(timeout),
            lambda ready: ready[0].fd,
        )


def noted_waiter(waiter: Waiter, sockets: Iterable[socket.socket]) -> Waiter:
    """The waiter, whose waits are noted if the calls of these sockets are."""
    journal = journal_of(sockets)
    return _NotedWaiter(waiter, journal) if journal else waiter


class _NotedWaiter:
    """A call is written with the number that select() and poll() are told each time: descriptors
    up to which to look, and how many are handed over."""

    def __init__(self, waiter: Waiter, journal: Journal) -> None:
        self._waiter = waiter
        self._journal = journal
        #: each descriptor, and whether it is waited for at all just now
        self._watched: dict[int, bool] = {}

    def watch(self, descriptor: int, read: bool, write: bool) -> None:
        self._waiter.watch(descriptor, read, write)
        self._watched[descriptor] = read or write

    def forget(self, descriptor: int) -> None:
        self._waiter.forget(descriptor)
        self._watched.pop(descriptor, None)

    def wait(self, seconds: float | None) -> list[Ready]:
        name, args = self._written()
        return self._journal.wait(
            name, args, lambda: self._waiter.wait(seconds), lambda ready: ready[0]
        )

    def _written(self) -> tuple[str, tuple[int, ...]]:
        match self._waiter:
            case SelectWaiter():
                wanted = (each for each, wanted in self._watched.items() if wanted)
                return "select", (1 + max(wanted),)
            case PollWaiter():
                return "poll", (len(self._watched),)
            case _:
                return "epoll_wait", ()

    def close(self) -> None:
        self._waiter.close()
