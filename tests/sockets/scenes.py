"""Sockets of this process in states that tests look for in the table."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

__all__ = ["Queue", "full_accept_queue", "time_wait_at"]


class Queue(NamedTuple):
    """A listener of which `waiting` connections have not been accepted, one more than its limit."""

    listener: socket.socket
    port: int
    waiting: int


@contextmanager
def full_accept_queue(family: int = socket.AF_INET, limit: int = 1) -> Iterator[Queue]:
    """Its accept queue has no room; a further SYN has been dropped."""
    address = "::1" if family == socket.AF_INET6 else "127.0.0.1"
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket(family))
        listener.bind((address, 0))
        listener.listen(limit)
        where = listener.getsockname()[:2]
        for _ in range(limit + 1):
            stack.enter_context(socket.create_connection(where))
        late = stack.enter_context(socket.socket(family))
        late.setblocking(False)
        late.connect_ex(where)
        yield Queue(listener, where[1], limit + 1)


def time_wait_at(reuse: bool) -> int:
    """A port of which nothing is left but a connection in TIME_WAIT."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client = socket.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
        accepted.close()
        assert client.recv(1) == b""
        client.close()
        return int(listener.getsockname()[1])
