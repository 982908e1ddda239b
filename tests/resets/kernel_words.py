"""The kernel's own word for every RST that it sends: the tracepoint tcp:tcp_send_reset.

Needs root and tracefs. A process of its own, in a mount namespace of its own, reads an instance of
the trace that ends with it; programs of other namespaces are in it too, and are told apart by
their ports.
"""

import os
import re
import select
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fourtuple.event.model import Endpoint
from fourtuple.system.namespaces import die_with_parent, unshare

__all__ = ["Word", "kernel_words"]

_CLONE_NEWNS = 0x20000
_TRACE = Path("/sys/kernel/tracing")
_LINE = re.compile(r"src=(\S+) dest=(\S+) state=\S+ reason=(\S+)")

#: who sent it, to whom (port 0 where a listener answered for itself), and why
Word = tuple[Endpoint, Endpoint, str]


@contextmanager
def kernel_words() -> Iterator[list[Word]]:
    """What the kernel says while the block runs; the list is filled when it ends."""
    ours, theirs = os.pipe()
    alive, end = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(ours)
        os.close(end)
        with suppress(BaseException):
            _collect(theirs, alive)
        os._exit(0)
    os.close(theirs)
    os.close(alive)
    words: list[Word] = []
    try:
        if os.read(ours, 1) != b"+":
            raise PermissionError("tracefs: root only")
        yield words
    finally:
        os.close(end)
        with os.fdopen(ours, encoding="ascii") as told:
            words += [word for line in told if (word := _word(line))]
        os.waitpid(pid, 0)


def _collect(told: int, alive: int) -> None:
    die_with_parent()
    unshare(_CLONE_NEWNS)
    os.system("mount --make-rprivate / && mount -t tracefs none /sys/kernel/tracing")
    instance = _TRACE / "instances" / f"fourtuple-{os.getpid()}"
    instance.mkdir()
    try:
        (instance / "events/tcp/tcp_send_reset/enable").write_text("1")
        pipe = os.open(instance / "trace_pipe", os.O_RDONLY | os.O_NONBLOCK)
        os.write(told, b"+")
        ended = False
        while not ended:
            ended = alive in select.select([alive], [], [], 0.05)[0]
            with suppress(BlockingIOError):
                while data := os.read(pipe, 1 << 16):
                    os.write(told, data)
        os.close(pipe)
    finally:
        instance.rmdir()


def _word(line: str) -> Word | None:
    found = _LINE.search(line)
    if found is None:
        return None
    return _endpoint(found[1]), _endpoint(found[2]), found[3]


def _endpoint(text: str) -> Endpoint:
    address, _, port = text.rpartition(":")
    return Endpoint(address.strip("[]"), int(port))
