"""Both instances at once: what programs call, and what the network does, as records in order of
time.

Calls are filtered by thread, network events never: they run in whichever task the softirq meets.
Pages are taken as they are by a process of its own (`keeper`), which costs little, and taken apart
when there is time (`records`): who is behind loses nothing but memory.
"""

import os
import time
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

from fourtuple.source.trace.formats import Format, Value, parse_format, parse_layout
from fourtuple.source.trace.keeper import Keeper
from fourtuple.source.trace.pages import read_page
from fourtuple.system.tracefs import Instance, place

__all__ = ["CALLS", "NETWORK", "PROCESSES", "Batch", "Feed", "Record"]

#: system calls on sockets, and those on any descriptor that may be one
CALLS = (
    "socket", "bind", "listen", "accept", "accept4", "connect", "getsockname", "getpeername",
    "sendto", "recvfrom", "sendmsg", "recvmsg", "sendmmsg", "recvmmsg", "shutdown", "setsockopt",
    "getsockopt", "read", "write", "readv", "writev", "sendfile64", "splice", "close",
    "close_range", "dup", "dup2", "dup3", "fcntl", "poll", "ppoll", "select", "pselect6",
    "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "io_uring_setup",
    "setns", "unshare",
)  # fmt: skip
#: of those, what makes, moves or ends nothing: only a picture or a recording of calls has them
_TOLD_ONLY = frozenset(
    (
        "poll", "ppoll", "select", "pselect6", "epoll_ctl", "epoll_wait", "epoll_pwait",
        "epoll_pwait2", "setsockopt", "getsockopt", "getsockname", "getpeername",
    )
)  # fmt: skip
#: what else the calling thread does: bytes that a socket took or gave, ways that were looked for
#: (which say where a datagram goes), processes that it made
PROCESSES = (
    "sock/sock_send_length",
    "sock/sock_recv_length",
    "fib/fib_table_lookup",
    "fib6/fib6_table_lookup",
    "task/task_newtask",
    "sched/sched_process_exec",
    "sched/sched_process_exit",
)
NETWORK = (
    "sock/inet_sock_set_state",
    "tcp/tcp_send_reset",
    "tcp/tcp_receive_reset",
    "tcp/tcp_retransmit_skb",
    "tcp/tcp_retransmit_synack",
    "tcp/tcp_bad_csum",
    "sock/inet_sk_error_report",
    "skb/kfree_skb",
)
_WITH_PORTS = frozenset(
    (
        "sock/inet_sock_set_state",
        "tcp/tcp_receive_reset",
        "tcp/tcp_retransmit_skb",
        "tcp/tcp_retransmit_synack",
        "sock/inet_sk_error_report",
    )
)
#: what is of no use is not recorded: of drops those without a reason or a socket, of ways those of
#: TCP
_FILTERS = MappingProxyType(
    {
        "skb/kfree_skb": "reason > 3 && rx_sk != 0",
        "fib/fib_table_lookup": "proto == 17",
        "fib6/fib6_table_lookup": "proto == 17",
    }
)
#: of buffers: for each processor, and for all of them
_LEAST_KB, _MOST_KB, _ALL_KB = 1408, 16384, 131_072
# enum trace_flag_type, include/linux/trace_events.h
_HARDIRQ, _SOFTIRQ, _NMI = 0x08, 0x10, 0x40
_INTERRUPT = _HARDIRQ | _SOFTIRQ | _NMI


@dataclass(slots=True)
class Record:
    """An event: `task` is the thread that ran; `interrupted` where it had nothing to do with it."""

    t_ns: int
    name: str
    task: int
    interrupted: bool
    format: Format
    data: bytes

    def values(self) -> dict[str, Value]:
        """Every field."""
        return self.format.values(self.data)

    def number(self, field: str) -> int:
        """One field that is a C int."""
        return self.format.number(field, self.data)

    def numbers(self, names: tuple[str, ...]) -> Sequence[int]:
        """Some fields that are numbers; 0 where there is none of that name."""
        return self.format.numbers(names, self.data)

    def part(self, names: tuple[str, ...]) -> bytes:
        """The bytes in which these fields are."""
        return self.format.part(names, self.data)


@dataclass(frozen=True, slots=True)
class Batch:
    """Pages as they were read; the events of all processors are there up to `until_ns`."""

    until_ns: int
    pages: Sequence[bytes]


class Feed:
    """`with Feed(...) as feed: feed.start(); ...; while batch := feed.drain(): for record in
    feed.records(batch): ...`; after `feed.stop()`, until `feed.over`.

    threads    record the calls of these threads and of their children, None: of all
    ignored    and of these none
    buffer_kb  the memory for each processor's events, in each of the two instances; 0: as suits
    port       of the network only what concerns this port, as far as events say
    all_calls  record also calls that make, move or end nothing

    `lacking` names events that this kernel does not have, `lost` counts those that found no room,
    `damaged` pages that made no sense.
    """

    def __init__(
        self,
        threads: Iterable[int] | None,
        ignored: Iterable[int] = (),
        buffer_kb: int = 0,
        port: int | None = None,
        *,
        all_calls: bool = True,
    ) -> None:
        self._threads = None if threads is None else list(threads)
        self._ignored = list(ignored)
        self._port = port
        self._called = [name for name in CALLS if all_calls or name not in _TOLD_ONLY]
        kb = buffer_kb or max(_LEAST_KB, min(_MOST_KB, _ALL_KB // (os.cpu_count() or 1)))
        self._calls = Instance("calls", kb)
        self._network = Instance("network", kb)
        self._open = ExitStack()
        self._formats: dict[int, Format] = {}
        self._later: list[Record] = []
        with open(f"{place()}/events/header_page", encoding="ascii") as file:
            self._layout = parse_layout(file.read())
        self._keeper = Keeper((self._calls, self._network), self._layout)
        self._until_ns = 0
        self.damaged = 0

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for instance in (self._calls, self._network):
                stack.enter_context(instance)
            stack.enter_context(self._keeper)
            self._arm()
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _arm(self) -> None:
        if self._threads is not None:
            self._calls.follow(self._threads)
        if self._ignored:
            self._calls.ignore([*self._ignored, self._keeper.pid])
        for name in self._called:
            for side in ("enter", "exit"):
                self._enable(self._calls, f"syscalls/sys_{side}_{name}")
        for event in PROCESSES:
            self._enable(self._calls, event)
        for event in NETWORK:
            self._enable(self._network, event)

    def _enable(self, instance: Instance, event: str) -> None:
        filtered = _FILTERS.get(event, "")
        if self._port and event in _WITH_PORTS:
            filtered = f"sport == {self._port} || dport == {self._port}"
        if instance.enable(event, filtered):
            found = parse_format(instance.read(f"events/{event}/format"))
            self._formats[found.id] = found
            self._head = found.head  # all have the same (struct trace_entry)

    def start(self) -> None:
        """Begin to record."""
        self._keeper.start()
        self._network.start()
        self._calls.start()

    def stop(self) -> None:
        """Record no more; what was recorded is still to be drained."""
        self._calls.stop()
        self._network.stop()
        self._keeper.stop()

    def fileno(self) -> int:
        """What to wait on."""
        return self._keeper.fileno()

    @property
    def lacking(self) -> list[str]:
        return [*self._calls.lacking, *self._network.lacking]

    @property
    def over(self) -> bool:
        """Whether all that was recorded before `stop` has been drained."""
        return self._keeper.over

    @property
    def behind_bytes(self) -> int:
        """How much is kept, and not drained."""
        return self._keeper.behind_bytes

    @property
    def behind_ns(self) -> int:
        """How much older the last event that was drained is than the last one that is kept."""
        kept_ns = min(self._keeper.until_ns, time.monotonic_ns())
        return max(0, kept_ns - self._until_ns) if self._until_ns else 0

    def lost(self) -> int:
        """How many events found no room so far."""
        return self._calls.lost() + self._network.lost()

    def drain(self) -> Batch | None:
        """The next pages; None: there are none now. FourtupleError where nobody takes them from
        the kernel any more."""
        kept = self._keeper.take()
        if kept is None:
            return None
        self._until_ns, pages = kept
        return Batch(self._until_ns, pages)

    def records(self, batch: Batch) -> list[Record]:
        """The events of a batch in order of time, but for those so late that one of another
        processor may still come before them: they are of the next batch."""
        found = self._later
        for page in batch.pages:
            self._take_apart(page, found)
        found.sort(key=_time)
        if not found or found[-1].t_ns <= batch.until_ns:
            self._later = []
            return found
        ready = bisect_right(found, batch.until_ns, key=_time)
        self._later = found[ready:]
        return found[:ready]

    def _take_apart(self, page: bytes, found: list[Record]) -> None:
        read = read_page(page, self._layout)
        self.damaged += read.damaged
        formats, head, least = self._formats, self._head.unpack_from, self._head.size
        for t_ns, data in read.records:
            if len(data) >= least:
                number, flags, task = head(data)
                form = formats.get(number)
                if form is not None:
                    apart = flags & _INTERRUPT != 0
                    found.append(Record(t_ns, form.name, task, apart, form, data))


def _time(record: Record) -> int:
    return record.t_ns
