"""The kernel's own word for every RST that it sends: the tracepoint tcp:tcp_send_reset.

Needs root. Programs of other namespaces are in it too, and are told apart by their ports.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from fourtuple.event.model import Endpoint
from fourtuple.system.tracefs import Instance, place

__all__ = ["WORDS", "Word", "kernel_words", "reasons_of_this_kernel"]

_EVENT = "tcp/tcp_send_reset"
_BUFFER_KB = 32_768
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
    """What the kernel says while the block runs; the list is filled when it ends.
    CapabilityMissing where its trace may not be read."""
    words: list[Word] = []
    with Instance("words", _BUFFER_KB) as instance:
        instance.enable(_EVENT)
        instance.start()
        try:
            yield words
        finally:
            instance.stop()
            words += filter(None, map(_word, instance.read("trace").splitlines()))
        assert instance.lost() == 0


def reasons_of_this_kernel() -> list[str]:
    """Every word that the event can have, by its format file; root only."""
    text = Path(place(), "events", _EVENT, "format").read_text().rpartition("REC->reason")[2]
    words = re.findall(r'\{ \d+, "(\w+)" \}', text)
    return [word for word in words if word != "MAX"]


def _word(line: str) -> Word | None:
    found = _LINE.search(line)
    if found is None:
        return None
    t_ns = int(found[1]) * 10**9 + int(found[2]) * 1000
    return Word(_endpoint(found[3]), _endpoint(found[4]), found[5], t_ns)


def _endpoint(text: str) -> Endpoint:
    address, _, port = text.rpartition(":")
    return Endpoint(address.strip("[]"), int(port))
