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
from typing import NamedTuple

from fourtuple.event.model import Endpoint
from fourtuple.system.namespaces import die_with_parent, unshare

__all__ = ["WORDS", "Word", "kernel_words", "reasons_of_this_kernel"]

_CLONE_NEWNS = 0x20000
_TRACE = Path("/sys/kernel/tracing")
_LINE = re.compile(r" (\d+)\.(\d{6}): .*src=(\S+) dest=(\S+) state=\S+ reason=(\S+)")

#: what the kernel may say of a cause; it says nothing of what it did not send itself
WORDS = {
    "port-closed": {"NO_SOCKET"},
    "unread-data": {"TCP_ABORT_ON_CLOSE"},
    "linger-zero": {"TCP_STATE"},
    # the first of it ends what was kept of the socket; the next meets nothing, or the port's
    # listener, to which an ACK has the wrong flags
    "data-after-close": {"TCP_ABORT_ON_DATA", "TCP_TIMEWAIT_SOCKET", "NO_SOCKET", "TCP_FLAGS"},
    # who was rebooted asks again, and answers the old connection's challenge from SYN_SENT
    "no-such-connection": {"NO_SOCKET", "TCP_FLAGS", "TCP_STATE", "TCP_INVALID_ACK_SEQUENCE"},
    "listener-closed": {"TCP_STATE", "NO_SOCKET"},
    "backlog-overflow": {"INVALID_SYN", "TCP_FLAGS"},
    "keepalive-timeout": {"TCP_KEEPALIVE_TIMEOUT"},
    "user-timeout": {"TCP_KEEPALIVE_TIMEOUT"},
    "invalid-ack": {"TCP_INVALID_ACK_SEQUENCE", "TCP_ACK_UNSENT_DATA", "TCP_TOO_OLD_ACK"},
    "time-wait": {"NO_SOCKET", "TCP_FLAGS", "TCP_INVALID_ACK_SEQUENCE"},
    "disconnected": {"TCP_STATE"},
    "destroyed": {"TCP_STATE"},
    "firewall": set[str](),
    "forged": set[str](),
}


class Word(NamedTuple):
    """Who sent it, to whom (port 0 where a listener answered for itself), why, and when
    (CLOCK_MONOTONIC)."""

    sender: Endpoint
    receiver: Endpoint
    reason: str
    t_ns: int


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


def reasons_of_this_kernel() -> list[str]:
    """Every word that the event can have, by its format file; root only."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if not pid:
        with suppress(BaseException):
            _mount()
            text = (_TRACE / "events/tcp/tcp_send_reset/format").read_text()
            os.write(theirs, text.rpartition("REC->reason")[2].encode())
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, encoding="ascii") as told:
        words = re.findall(r'\{ \d+, "(\w+)" \}', told.read())
    os.waitpid(pid, 0)
    return [word for word in words if word != "MAX"]


def _mount() -> None:
    """In a mount namespace of our own: nothing is left mounted."""
    unshare(_CLONE_NEWNS)
    os.system("mount --make-rprivate / && mount -t tracefs none /sys/kernel/tracing")


def _collect(told: int, alive: int) -> None:
    die_with_parent()
    _mount()
    instance = _TRACE / "instances" / f"fourtuple-{os.getpid()}"
    instance.mkdir()
    try:
        (instance / "trace_clock").write_text("mono")
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
    t_ns = int(found[1]) * 10**9 + int(found[2]) * 1000
    return Word(_endpoint(found[3]), _endpoint(found[4]), found[5], t_ns)


def _endpoint(text: str) -> Endpoint:
    address, _, port = text.rpartition(":")
    return Endpoint(address.strip("[]"), int(port))
