"""connect() to many ports from one epoll loop. No privilege is needed; the kernel sends the SYNs.

How a port is judged: connect() returned (open), ECONNREFUSED (closed), an ICMP error that the
kernel kept for us (IP_RECVERR; filtered, and the message says how), or nothing came in time.

- A socket whose connection was refused can connect again: two calls a port, no new descriptor.
- Where the answer comes while connect() still runs (loopback, veth) a second connect() at once
  gives the verdict; epoll is asked only for connections that are under way.
- SO_LINGER 0: an open port's connection ends with RST, so that we keep no TIME_WAIT; its server
  sees a connection that was reset.
- A connection with this very machine may have met no listener but the scan itself (`ourselves`):
  such ports are `doubtful`.
"""

import contextlib
import os
import select
import socket
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from errno import EADDRNOTAVAIL, EALREADY, ECONNREFUSED, EINPROGRESS, EISCONN, EMFILE, ENFILE

from msgspec import Struct

from fourtuple.scan.connect.ourselves import LINGER_0, Probe, Verdict, with_ourselves
from fourtuple.scan.model import Reason, ScanOptions, State

__all__ = ["Connector", "Probe", "Verdict"]

_IP_RECVERR, _IPV6_RECVERR = 11, 25
_EXTENDED_ERROR = struct.Struct("=IBBBxII")  # sock_extended_err, include/uapi/linux/errqueue.h
_ICMP = {2: "icmp", 3: "icmp6"}  # SO_EE_ORIGIN_*
_EVENTS = select.EPOLLIN | select.EPOLLOUT | select.EPOLLERR | select.EPOLLET
#: connections under way at first; grows with every answer, halves where probes were lost
_FIRST_WINDOW, _LEAST_WINDOW = 2000, 32
#: as nmap: no port is asked more often than this
_MOST_ATTEMPTS = 11
_TICK_S = 0.05
#: as nmap: a target that answers repetitions may rest a second at most. Where more are left to
#: ask, asking takes as long
_MOST_REST_S, _FEW = 1.0, 2048


class _UnderWay(Struct):
    sock: socket.socket
    probe: Probe
    begin_s: float


class Connector:
    """Gives each probe a verdict, in one process.

    `judged` gets each verdict, `tick` is called some twenty times a second, `stopped` says when to
    leave off.
    """

    def __init__(
        self,
        options: ScanOptions,
        most_sockets: int,
        judged: Callable[[Verdict], None],
        tick: Callable[[], None],
        stopped: Callable[[], bool],
    ) -> None:
        self._options = options
        self._judged, self._tick, self._stopped = judged, tick, stopped
        self._most = max(1, min(most_sockets, options.workers or most_sockets))
        self._window = float(options.workers or _FIRST_WINDOW)
        self._epoll = select.epoll()
        self._free: dict[bool, list[socket.socket]] = {False: [], True: []}
        self._under_way: dict[int, _UnderWay] = {}
        self._silent: list[Probe] = []
        self._postponed: list[Probe] = []
        self._prompt = 1
        self._next_s = self._next_tick_s = time.perf_counter()
        self._answered_again = False
        self._again = False
        self.sent = self.received = 0
        self.doubtful: list[Probe] = []

    def run(self, probes: Iterable[Probe]) -> None:
        """Probe all; those that stay silent again, `retries` times and then as long as asking
        again still brings answers: then something loses or limits them."""
        rest = iter(probes)
        for attempt in range(_MOST_ATTEMPTS):
            self._answered_again = False
            self._again = attempt > 0
            self._pass(rest)
            if self._stopped():
                self._silent = []
                break
            if not self._silent or not self._worth_repeating(attempt):
                break
            if self._answered_again and len(self._silent) <= _FEW:
                self._rest(min(_MOST_REST_S, 0.2 * attempt))
            rest, self._silent = iter(self._silent), []
        for address, port in self._silent:
            self._judged((address, port, State.FILTERED, Reason.NO_RESPONSE, None))
        self._close()

    def _rest(self, seconds: float) -> None:
        """Let a target recover that may limit its answers."""
        end_s = time.perf_counter() + seconds
        while not self._stopped() and (left_s := end_s - time.perf_counter()) > 0:
            self._wait(min(_TICK_S, left_s))

    def _worth_repeating(self, attempt: int) -> bool:
        if attempt + 1 == _MOST_ATTEMPTS:
            return False
        return attempt < self._options.retries or (attempt > 0 and self._answered_again)

    def _pass(self, probes: Iterator[Probe]) -> None:
        while not self._stopped():
            if len(self._under_way) >= min(self._window, self._most):
                self._wait(_TICK_S)
                continue
            probe = self._postponed.pop() if self._postponed else next(probes, None)
            if probe is not None:
                self._keep_rate()
                self._begin(probe)
            elif not self._under_way:
                break
            if probe is None or time.perf_counter() > self._next_tick_s:
                self._wait(_TICK_S if probe is None else 0)
        if self._answered_again and self._options.workers is None:
            self._window = max(_LEAST_WINDOW, self._window / 2)

    def _keep_rate(self) -> None:
        if self._options.rate is None:
            return
        while (now_s := time.perf_counter()) < self._next_s and not self._stopped():
            self._wait(min(_TICK_S, self._next_s - now_s))
        self._next_s = max(self._next_s, now_s - _TICK_S) + 1 / self._options.rate

    def _begin(self, probe: Probe) -> None:
        free = self._free[":" in probe[0]]
        sock = free.pop() if free else _open(":" in probe[0])
        if sock is None:  # no descriptor left: what ends gives one back
            if not self._under_way:
                raise OSError(EMFILE, os.strerror(EMFILE))
            self._most = max(1, len(self._under_way))
            self._postponed.append(probe)
            self._wait(_TICK_S)
            return
        begin_s = time.perf_counter()
        number = sock.connect_ex(probe)
        self.sent += 1
        if number == EINPROGRESS and (self._prompt > 0 or self.sent % 16 == 0):
            number = sock.connect_ex(probe)
            self._prompt += -1 if number == EALREADY else 1
            self._prompt = max(-8, min(8, self._prompt))
        if number in (EINPROGRESS, EALREADY):
            self._under_way[sock.fileno()] = _UnderWay(sock, probe, begin_s)
            self._watch(sock)
        else:
            self._judge(sock, probe, number, begin_s)

    def _watch(self, sock: socket.socket) -> None:
        try:
            self._epoll.register(sock, _EVENTS)
        except FileExistsError:
            # registered for an earlier port: look once more, what came since gave its event then
            self._epoll.modify(sock, _EVENTS)

    def _wait(self, seconds: float) -> None:
        for fd, _ in self._epoll.poll(seconds):
            one = self._under_way.get(fd)
            if one is not None:
                self._look(fd, one)
        now_s = time.perf_counter()
        self._expire(now_s - self._options.timeout_s)
        if now_s > self._next_tick_s:
            self._next_tick_s = now_s + _TICK_S
            self._tick()

    def _look(self, fd: int, one: _UnderWay) -> None:
        number = one.sock.connect_ex(one.probe)
        if number == EALREADY:
            if reason := _icmp_reason(one.sock):
                del self._under_way[fd]
                self._filtered(one.probe, reason, one.begin_s)
                one.sock.close()
            return
        del self._under_way[fd]
        self._judge(one.sock, one.probe, number, one.begin_s)

    def _expire(self, latest_s: float) -> None:
        while self._under_way:
            fd, one = next(iter(self._under_way.items()))
            if one.begin_s > latest_s:
                return
            self._look(fd, one)  # an answer that waits counts, however late we are to look
            if self._under_way.pop(fd, None):
                one.sock.close()
                self._silent.append(one.probe)

    def _judge(self, sock: socket.socket, probe: Probe, number: int, begin_s: float) -> None:
        address, port = probe
        if number in (0, EISCONN):
            self._answer()
            if with_ourselves(sock):
                self.doubtful.append(probe)
            else:
                rtt_s = time.perf_counter() - begin_s
                self._judged((address, port, State.OPEN, Reason.SYN_ACK, rtt_s))
            sock.close()
        elif reason := _icmp_reason(sock):
            self._filtered(probe, reason, begin_s)
            sock.close()
        elif number == ECONNREFUSED:
            self._answer()
            rtt_s = time.perf_counter() - begin_s
            self._judged((address, port, State.CLOSED, Reason.CONN_REFUSED, rtt_s))
            self._free[":" in address].append(sock)
        elif number == EADDRNOTAVAIL:  # the four-tuple is in use: another source port, later
            self._postponed.append(probe)
            sock.close()
            self._wait(_TICK_S)
        else:
            self._judged((address, port, State.FILTERED, _LOCAL.get(number, "unreachable"), None))
            sock.close()

    def _filtered(self, probe: Probe, reason: str, begin_s: float) -> None:
        self._answer()
        rtt_s = time.perf_counter() - begin_s
        self._judged((*probe, State.FILTERED, reason, rtt_s))

    def _answer(self) -> None:
        self.received += 1
        self._answered_again |= self._again
        if self._options.workers is None and not self._again:
            self._window += 1

    def _close(self) -> None:
        for one in self._under_way.values():
            one.sock.close()
        for sock in (*self._free[False], *self._free[True]):
            sock.close()
        self._epoll.close()


#: what the kernel says at once, without any packet: its own routes and rules
_LOCAL = {
    101: Reason.NET_UNREACH,  # ENETUNREACH
    113: Reason.HOST_UNREACH,  # EHOSTUNREACH
    110: Reason.NO_RESPONSE,  # ETIMEDOUT
    13: Reason.ADMIN_PROHIBITED,  # EACCES
    1: Reason.ADMIN_PROHIBITED,  # EPERM
}


def _open(ipv6: bool) -> socket.socket | None:
    """A socket that keeps ICMP errors for us; None where no descriptor is left."""
    kind = socket.SOCK_STREAM | socket.SOCK_NONBLOCK
    try:
        sock = socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET, kind)
    except OSError as error:
        if error.errno in (EMFILE, ENFILE):
            return None
        raise
    # bound once, the kernel need not choose a source port for every connection, which is work that
    # two cores cannot share
    with contextlib.suppress(OSError):
        sock.bind(("", 0))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_0)
    if ipv6:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
    return sock


def _icmp_reason(sock: socket.socket) -> str:
    """The ICMP message that came for a socket, in nmap's word; "" where none came."""
    try:
        _, ancillary, _, _ = sock.recvmsg(0, 512, socket.MSG_ERRQUEUE)
    except OSError:
        return ""
    from fourtuple.scan.strategy import Reply, judge  # with the protocols, which few scans need

    for _, _, value in ancillary:
        if len(value) >= _EXTENDED_ERROR.size:
            _, origin, kind, code, _, _ = _EXTENDED_ERROR.unpack_from(value)
            verdict = judge("connect", Reply(_ICMP.get(origin, ""), icmp_type=kind, code=code))
            if verdict is not None:
                return verdict[1]
    return ""
