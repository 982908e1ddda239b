"""Three ways to ask the kernel which sockets are ready; they answer the same question.

select()  takes whole sets each time and looks at each number up to the highest: 1024 at most
poll()    takes a list each time: no highest number, the same work
epoll     keeps the list in the kernel: the work grows with what is ready, not with what is watched
"""

import select
from typing import Protocol

__all__ = ["READABLE", "EpollWaiter", "PollWaiter", "Ready", "SelectWaiter", "Waiter"]

_FD_SETSIZE = 1024
#: a connection that has failed or ended is read from: recv() tells how. epoll has the same bits
READABLE = select.POLLIN | select.POLLERR | select.POLLHUP | select.POLLNVAL

#: a descriptor, and what it is ready for in poll()'s bits
Ready = tuple[int, int]


class Waiter(Protocol):
    """Watches descriptors, each for reading, writing, both or neither; waits for any of them, for
    ever if need be."""

    def watch(self, descriptor: int, read: bool, write: bool) -> None: ...

    def forget(self, descriptor: int) -> None: ...

    def wait(self, seconds: float | None) -> list[Ready]: ...

    def close(self) -> None: ...


class SelectWaiter:
    """select(2). ValueError for a descriptor of 1024 or more."""

    def __init__(self) -> None:
        self._readers: set[int] = set()
        self._writers: set[int] = set()

    def watch(self, descriptor: int, read: bool, write: bool) -> None:
        if descriptor >= _FD_SETSIZE:  # select() itself would refuse every wait from now on
            raise ValueError(_FD_SETSIZE)
        (self._readers.add if read else self._readers.discard)(descriptor)
        (self._writers.add if write else self._writers.discard)(descriptor)

    def forget(self, descriptor: int) -> None:
        self._readers.discard(descriptor)
        self._writers.discard(descriptor)

    def wait(self, seconds: float | None) -> list[Ready]:
        readable, writable, _ = select.select(self._readers, self._writers, (), seconds)
        found = dict.fromkeys(writable, select.POLLOUT)
        found.update(dict.fromkeys(readable, select.POLLIN))
        return list(found.items())

    def close(self) -> None:
        pass


class PollWaiter:
    """poll(2)."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._watched: dict[int, int] = {}

    def watch(self, descriptor: int, read: bool, write: bool) -> None:
        events = select.POLLIN * read | select.POLLOUT * write
        if self._watched.get(descriptor) != events:
            self._poll.register(descriptor, events)
            self._watched[descriptor] = events

    def forget(self, descriptor: int) -> None:
        del self._watched[descriptor]
        self._poll.unregister(descriptor)

    def wait(self, seconds: float | None) -> list[Ready]:
        return self._poll.poll(None if seconds is None else seconds * 1000)

    def close(self) -> None:
        pass


class EpollWaiter:
    """epoll(7), level-triggered: what was not read is told again."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watched: dict[int, int] = {}

    def watch(self, descriptor: int, read: bool, write: bool) -> None:
        events = select.EPOLLIN * read | select.EPOLLOUT * write
        before = self._watched.get(descriptor)
        if before == events:
            return
        if before is None:
            self._epoll.register(descriptor, events)
        else:
            self._epoll.modify(descriptor, events)
        self._watched[descriptor] = events

    def forget(self, descriptor: int) -> None:
        del self._watched[descriptor]
        self._epoll.unregister(descriptor)

    def wait(self, seconds: float | None) -> list[Ready]:
        return self._epoll.poll(seconds)

    def close(self) -> None:
        self._epoll.close()
