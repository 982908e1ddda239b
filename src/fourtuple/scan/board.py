"""What is known of every (target, port): one cell each, in arrays. No I/O, no clock.

A cell's number is target * ports + port's place. Verdict 0 means none yet.
"""

import os
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from fourtuple.scan.model import ScanOptions, verdict_code
from fourtuple.scan.raw.answers import ICMP, ICMP6, NOTHING, TCP, UDP, Answers
from fourtuple.scan.raw.cookie import cookies, siphash
from fourtuple.scan.raw.permutation import Permutation
from fourtuple.scan.strategy import PROBES, Reply, judge
from fourtuple.wire import ip_bytes

__all__ = ["Board", "Matched"]

Int64s = npt.NDArray[np.int64]
Uint64s = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]

_CHUNK = 1 << 16
#: the verdict of what an earlier scan has finished
_DONE = 255
_KINDS = {TCP: "tcp", UDP: "udp", ICMP: "icmp", ICMP6: "icmp6"}


class Matched(Struct, frozen=True):
    """Answers that belong to a probe and say something of it; int64[n]. `codes` are
    `verdict_code`s, `attempts` which repetition of the probe was answered; a round trip is -1
    where it is not known."""

    cells: Int64s
    codes: Int64s
    attempts: Int64s
    rtts_ns: Int64s


class Board:
    """The cells of one scan, their verdicts, and when each was asked."""

    def __init__(
        self,
        options: ScanOptions,
        targets: Sequence[str],
        ports: Sequence[int],
        own_ports: range,
        done: bytes = b"",
    ) -> None:
        """`done`: a byte a cell, other than 0 where an earlier scan gave a verdict."""
        self.method = options.method
        self.targets = targets
        self.ports = np.array(ports, dtype=np.int64)
        self.verdicts = np.zeros(len(targets) * len(ports), dtype=np.uint8)
        self._probe = PROBES[options.method]
        self.own_ports = own_ports
        self._order = Permutation(len(self.verdicts), options.seed)
        self._shard = options.positions(len(self.verdicts))
        self._key = _random_key()
        self._know_addresses()
        self._place_of_port = np.full(65536, -1, dtype=np.int64)
        self._place_of_port[self.ports] = np.arange(len(ports))
        self._sent_ns: dict[int, Int64s] = {}
        self._being_sent: list[tuple[Int64s, int, Int64s]] = []
        self._codes: dict[int, int] = {}
        self.total = len(self._shard)
        if done:
            self.verdicts[np.frombuffer(done, dtype=np.uint8) != 0] = _DONE
            self.total = sum(len(cells) for cells in self.cells())
        self.answered = 0

    def _know_addresses(self) -> None:
        plain = [target.partition("%")[0] for target in self.targets]
        packed = [ip_bytes(target).rjust(16, b"\0") for target in plain]
        halves = np.frombuffer(b"".join(packed), dtype=">u8").reshape(-1, 2).astype(np.uint64)
        self._high, self._low = np.ascontiguousarray(halves.T)
        self._hashes = siphash(self._key, self._high, self._low)
        spread = self._spread(self._high, self._low)
        self._by_spread = np.argsort(spread)
        self._spreads = spread[self._by_spread]

    def _spread(self, high: Uint64s, low: Uint64s) -> Uint64s:
        """One number an address, under our key: two addresses hardly ever share one."""
        odd = np.uint64(self._key[0] | 1)
        return (high * odd ^ high >> np.uint64(32) ^ low) * odd

    # asking

    def cells(self) -> Iterator[Int64s]:
        """The cells of this shard that have no verdict, in random order, in chunks."""
        for start in range(0, len(self._shard), _CHUNK):
            chunk = self._shard[start : start + _CHUNK]
            cells = self._order.at(np.arange(chunk.start, chunk.stop, chunk.step, dtype=np.int64))
            yield cells[self.verdicts[cells] == 0]

    def split(self, cells: Int64s) -> tuple[Int64s, Int64s]:
        """(target, port) of each cell."""
        targets, places = np.divmod(cells, len(self.ports))
        return targets, self.ports[places]

    def cookies(self, targets: Int64s, ports: Int64s, source_ports: Int64s) -> Int64s:
        """The sequence number of each probe."""
        words = (ports.astype(np.uint64), source_ports.astype(np.uint64))
        return cookies(self._key, self._hashes[targets], *words).astype(np.int64)

    def asked(self, cells: Int64s, attempt: int, t_ns: Int64s) -> None:
        """Note when the probes of an attempt are sent: `t_ns` is looked at when it is needed, 0 is
        not yet."""
        if attempt not in self._sent_ns:
            self._sent_ns[attempt] = np.zeros(len(self.verdicts), dtype=np.int64)
        self._being_sent.append((cells, attempt, t_ns))

    def _note_what_was_sent(self) -> None:
        under_way = []
        for cells, attempt, t_ns in self._being_sent:
            whole = bool(t_ns.all())
            self._sent_ns[attempt][cells] = t_ns
            if not whole:
                under_way.append((cells, attempt, t_ns))
        self._being_sent = under_way

    # learning

    def match(self, answers: Answers, t_ns: Int64s) -> tuple[Matched, int]:
        """The answers that belong to a probe, and how many packets belong to none."""
        targets = self._targets_of(answers)
        places = self._place_of_port[answers.port]
        attempts = answers.own_port - self.own_ports[0]
        ours = (targets >= 0) & (places >= 0) & (answers.kind != NOTHING)
        ours &= (attempts >= 0) & (attempts < len(self.own_ports))
        ours &= answers.protocol == (17 if self._probe.flags is None else 6)
        ours[ours] = self._proven(answers, targets, ours)
        codes = self._judged(answers, ours)
        ours &= codes > 0
        cells = (targets * len(self.ports) + places)[ours]
        rtts_ns = self._round_trips(cells, attempts[ours], t_ns[ours])
        return Matched(cells, codes[ours], attempts[ours], rtts_ns), int((~ours).sum())

    def _targets_of(self, answers: Answers) -> Int64s:
        at = np.searchsorted(self._spreads, self._spread(answers.high, answers.low))
        targets = self._by_spread[np.minimum(at, len(self._by_spread) - 1)]
        same = (self._high[targets] == answers.high) & (self._low[targets] == answers.low)
        return np.where(same, targets, -1)

    def _proven(self, answers: Answers, targets: Int64s, ours: Bools) -> Bools:
        """Whether each of `ours` carries the cookie of its probe. UDP has no place for one."""
        if self._probe.flags is None:
            return np.ones(int(ours.sum()), dtype=np.bool_)
        ports, own_ports = answers.port[ours], answers.own_port[ours]
        cookie = self.cookies(targets[ours], ports, own_ports)
        error = answers.kind[ours] >= ICMP
        if self._probe.acknowledges:
            returned = answers.sequence[ours]
        else:
            returned = np.where(error, answers.sequence[ours], answers.acknowledgment[ours])
        beyond = (returned - cookie) & 0xFFFFFFFF
        # a RST may acknowledge the FIN (RFC 9293, section 3.10.7.1), and some leave it out
        proven: Bools = (beyond == 0) | (~error & (beyond == self._probe.consumed))
        return proven

    def _judged(self, answers: Answers, ours: Bools) -> Int64s:
        """The verdict code of each answer; 0 where it says nothing."""
        shapes = (
            answers.kind
            | answers.flags << 3
            | answers.window << 11
            | answers.icmp_type << 27
            | answers.code << 35
        )
        error = answers.kind >= ICMP
        shapes = np.where(error, shapes & ~(0xFFFFFF << 3), shapes & 0x7FFFFFF)
        codes = np.zeros(len(shapes), dtype=np.int64)
        distinct, which = np.unique(shapes[ours], return_inverse=True)
        known = [self._code(int(shape)) for shape in distinct]
        codes[ours] = np.array(known, dtype=np.int64)[which] if known else 0
        return codes

    def _code(self, shape: int) -> int:
        if shape not in self._codes:
            reply = Reply(
                kind=_KINDS[shape & 7],
                flags=shape >> 3 & 0xFF,
                window=shape >> 11 & 0xFFFF,
                icmp_type=shape >> 27 & 0xFF,
                code=shape >> 35 & 0xFF,
            )
            verdict = judge(self.method, reply)
            self._codes[shape] = verdict_code(*verdict) if verdict else 0
        return self._codes[shape]

    def _round_trips(self, cells: Int64s, attempts: Int64s, t_ns: Int64s) -> Int64s:
        self._note_what_was_sent()
        trips = np.full(len(cells), -1, dtype=np.int64)
        for attempt, sent in self._sent_ns.items():
            rows = np.flatnonzero((attempts == attempt) & (sent[cells] > 0))
            trips[rows] = np.maximum(0, t_ns[rows] - sent[cells[rows]])  # 0: the clock was set
        return trips

    def settle(self, cells: Int64s, codes: Int64s) -> Int64s:
        """Give cells their verdict; the first one counts. The rows that were news."""
        rows = np.unique(cells, return_index=True)[1]
        news: Int64s = rows[self.verdicts[cells[rows]] == 0]
        self.verdicts[cells[news]] = codes[news]
        self.answered += len(news)
        return news


def _random_key() -> tuple[int, int]:
    return int.from_bytes(os.urandom(8), "big"), int.from_bytes(os.urandom(8), "big")
