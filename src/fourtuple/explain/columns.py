"""The rules of the catalog over columns: what can be said of thousands of connections at once.

A rule is looked for in columns where it is met often; the others need the segments. `undecided`
tells which connections must be looked at one by one for their sake: these are all that could meet
one. Rules: what is said here is what the families in `rules/` say, of the same frames; a test holds
that of every connection.
"""

from collections.abc import Iterator, Mapping
from itertools import repeat

import msgspec
import numpy as np
import numpy.typing as npt

from fourtuple.analyze.survey import _layout as at
from fourtuple.analyze.survey.table import CLOSES, HANDSHAKES, ConnectionTable, Evidence, among
from fourtuple.explain.model import Message, Rule
from fourtuple.explain.rules import close, handshake, loss, numbers, pace, paths
from fourtuple.explain.rules.making import EVIDENCE, of_side

__all__ = ["Spotted", "spotted", "undecided"]

Bools = npt.NDArray[np.bool_]
Int64s = npt.NDArray[np.int64]
#: what a field of a rule's text is: words, or a number for each row of the table
Params = Mapping[str, Message | Int64s]

_OPENED = {name: code for code, name in enumerate(HANDSHAKES)}
_CLOSED = {name: code for code, name in enumerate(CLOSES)}
_BITS = at.S_ODD | at.S_BOTH_SYN | at.S_STRAY | at.S_FORGOT
_KINDS_A_WORD, _FIVE_BITS = 12, 31
#: later than any frame
_NEVER = (1 << 63) - 1


class Spotted(msgspec.Struct, frozen=True):
    """A rule that `rows` of a table meet.

    The evidence of a row are the frame numbers in the columns `firsts` (0: none), and those that
    the survey has under its key in `keys`, as far as they come before the one in `before`.
    """

    rule: Rule
    rows: Int64s
    firsts: tuple[Int64s, ...]
    keys: Int64s | None = None
    before: Int64s | None = None
    params: Params = msgspec.field(default_factory=dict)

    def frames(self, evidence: Evidence) -> Iterator[list[int]]:
        """The evidence of each row."""
        columns = zip(*(column[self.rows].tolist() for column in self.firsts), strict=True)
        if self.keys is None:
            yield from (sorted({*firsts} - {0}) for firsts in columns)
            return
        keys = self.keys[self.rows]
        begins = np.searchsorted(evidence.keys, keys, "left").tolist()
        ends = np.searchsorted(evidence.keys, keys, "right").tolist()
        limits = repeat(_NEVER) if self.before is None else self.before[self.rows].tolist()
        for firsts, begin, end, limit in zip(columns, begins, ends, limits, strict=False):
            kept = [frame for frame in evidence.frames[begin:end].tolist() if frame < limit]
            yield sorted({*firsts, *kept} - {0})[:EVIDENCE]


def undecided(table: ConnectionTable, quoted: npt.NDArray[np.uint64] | None = None) -> Bools:
    """The connections whose findings, or whose resets, the columns do not tell. `quoted` are the
    marks of those that ICMP errors are about."""
    opened = table["handshake"]
    rare = (opened == _OPENED["simultaneous"]) | (opened == _OPENED["fast-open"])
    rare |= _logged(table, at.E_SYN) == at.EVIDENCE
    rare |= _logged(table, at.E_SYN_ACK) == at.EVIDENCE
    rare |= table["handshake_rtt_ns"] >= handshake.SLOW_NS
    lasted = table["end_ns"] - table["start_ns"] >= pace.STALL_NS
    rare |= table.flagged(at.S_SHUT) & lasted
    way = table["handshake_rtt_ns"]
    near = (way > 0) & (way <= pace.NEAR_NS)
    for role in ("client", "server"):
        octets, largest = table[f"{role}_payload_bytes"], table[f"{role}_largest_bytes"]
        # who sent one segment of payload held back none
        small = (octets > largest) & (octets <= table[f"{role}_packets"] * pace.SMALL_BYTES)
        rare |= near & small & (table[f"{role}_rtt_most_ns"] - way >= pace.DELAYED_NS)
        again = table[f"{role}_sent_again"] + table[f"{role}_captured_twice"]
        large = largest > paths.ALWAYS_PASSES
        rare |= (table[f"{role}_open_bytes"] > 0) & (again >= paths.TIMES - 1) & large
    reset = table.flagged(at.S_RST) & ~table.flagged(at.S_REFUSED)
    found: Bools = (table["protocol"] == 6) & (rare | reset | table.flagged(_BITS))
    if quoted is not None and len(quoted):
        found |= among(table.quotable(), quoted)
    return found


def _logged(table: ConnectionTable, kind: int) -> Int64s:
    """How many frames of a kind of evidence are kept."""
    word = table["logged"] if kind < _KINDS_A_WORD else table["logged_more"]
    found: Int64s = word >> kind % _KINDS_A_WORD * 5 & _FIVE_BITS
    return found


def spotted(
    table: ConnectionTable, evidence: Evidence, quoted: npt.NDArray[np.uint64] | None = None
) -> Iterator[Spotted]:
    """Every rule that connections of the table meet, in the order of the catalog."""
    decided = ~undecided(table, quoted)
    look = _Look(table, evidence)
    tcp = decided & (table["protocol"] == 6)
    for rule, mask, (firsts, keys, before), params in look.everything():
        rows = np.flatnonzero(mask & tcp)
        if len(rows):
            yield Spotted(rule, rows, firsts, keys, before, params)
    unanswered = look.unanswered(decided)
    if unanswered:
        yield unanswered


#: columns of frames; the key of a row's evidence, and the frame before which it counts
_Proof = tuple[tuple[Int64s, ...], Int64s | None, Int64s | None]
_Found = tuple[Rule, Bools, _Proof, Params]
_ROLES = ((0, "client"), (1, "server"))


class _Look:
    def __init__(self, table: ConnectionTable, evidence: Evidence) -> None:
        self.table, self.evidence = table, evidence
        self.none = np.zeros(len(table), np.int64)

    def everything(self) -> Iterator[_Found]:
        yield from self._opening()
        for role, name in _ROLES:
            yield from self._sizes(role, name)
        for role, name in _ROLES:
            yield from self._losses(role, name)
        yield loss.GAP, self._noted(at.E_GAP), self._kept(at.E_GAP), {}
        yield from self._closing()

    def unanswered(self, decided: Bools) -> Spotted | None:
        table = self.table
        silent = (table["protocol"] == 17) & (table["server_packets"] == 0) & decided
        rows = np.flatnonzero(silent)
        heard = [row for row in rows.tolist() if not paths.to_many(table.server(row).address)]
        proof = self._only(table["first_frame"], table["last_frame"])
        params = {"count": table["client_packets"]}
        chosen = np.array(heard, np.int64)
        return Spotted(paths.UDP_UNANSWERED, chosen, *proof, params) if heard else None

    def _opening(self) -> Iterator[_Found]:
        table, opened = self.table, self.table["handshake"]
        syns = self._kept(at.E_SYN, table["syn_frame"])
        agreed = self._kept(at.E_SYN_ACK, table["syn_ack_frame"])
        refused = opened == _OPENED["refused"]
        yield handshake.REFUSED, refused, self._only(table["syn_frame"], table["last_frame"]), {}
        unanswered, half = opened == _OPENED["syn-only"], opened == _OPENED["syn-ack-unanswered"]
        yield handshake.SYN_UNANSWERED, unanswered, syns, {}
        yield handshake.SYN_ACK_UNANSWERED, half, agreed, {}
        late = opened == _OPENED["none"]
        yield handshake.STARTS_LATE, late, self._only(table["first_frame"]), {}
        reused = table["reused_ports"] > 0
        yield handshake.REUSED, reused, self._only(table["syn_frame"]), {}
        yield from self._too_soon(reused & ~refused, syns)
        counted = {"count": 1 + _logged(table, at.E_SYN)}
        yield handshake.SYN_AGAIN, self._noted(at.E_SYN) & ~unanswered, syns, counted
        counted = {"count": 1 + _logged(table, at.E_SYN_ACK)}
        yield handshake.SYN_ACK_AGAIN, self._noted(at.E_SYN_ACK) & ~half, agreed, counted

    def _too_soon(self, reused: Bools, syns: _Proof) -> Iterator[_Found]:
        """SYNs before the server agreed, if that was never, or they were several."""
        firsts, keys, _ = syns
        agreed = self.table["syn_ack_frame"]
        limit = np.where(agreed > 0, agreed, _NEVER)
        soon = reused & (agreed == 0)
        again = np.flatnonzero(reused & (agreed > 0) & self._noted(at.E_SYN))
        asked = Spotted(handshake.REUSED_SOON, again, firsts, keys, limit)
        soon[again] = [len(frames) > 1 for frames in asked.frames(self.evidence)]
        yield handshake.REUSED_SOON, soon, (firsts, keys, limit), {}

    def _sizes(self, role: int, name: str) -> Iterator[_Found]:
        mss, largest = self.table[f"{name}_mss"], self.table[f"{name}_largest_bytes"]
        words = of_side(role == 0)
        full = self._noted_by(at.E_FULL_SIZE, role) & (self.table["timestamps"] > 0)
        room = {"mss": mss, "length": mss - numbers.TIMESTAMP_BYTES} | words
        yield numbers.TIMESTAMPS, full, self._kept_by(at.E_FULL_SIZE, role), room
        proof = self._kept_by(at.E_TOO_LARGE, role)
        size = {"length": largest, "mss": mss} | words
        yield numbers.TOO_LARGE, self._noted_by(at.E_TOO_LARGE, role), proof, size

    def _losses(self, role: int, name: str) -> Iterator[_Found]:
        groups = (
            (loss.AGAIN, "sent_again", at.E_AGAIN),
            (loss.SPURIOUS, "needless", at.E_NEEDLESS),
            (loss.REORDERED, "reordered", at.E_REORDERED),
            (loss.TWICE, "captured_twice", at.E_TWICE),
            (loss.RECEIVED_TWICE, "dsack", at.E_DSACK),
            (loss.ZERO_WINDOW, "zero_window", at.E_ZERO),
            (loss.KEEPALIVE, "keepalive", at.E_KEEPALIVE),
        )
        for rule, column, kind in groups:
            count = self.table[f"{name}_{column}"]
            params = {"count": count} | of_side(role == 0)
            yield rule, count > 0, self._kept_by(kind, role), params

    def _closing(self) -> Iterator[_Found]:
        table, closed = self.table, self.table["close"]
        both = closed == _CLOSED["simultaneous"]
        fins = self._kept(at.E_FIN, table["client_fin_frame"], table["server_fin_frame"])
        yield close.BOTH_WAIT, both, fins, {}
        # the families say the server's first, where both wait
        for bit, name, rule in (
            (1, "server", close.SERVER_WAITS),
            (0, "client", close.CLIENT_WAITS),
        ):
            waiting = (table["time_wait"] >> bit & 1 > 0) & ~both
            yield rule, waiting, self._only(table[f"{name}_fin_frame"], table["last_frame"]), {}
        three, half = closed == _CLOSED["three-segment"], closed == _CLOSED["half-closed"]
        for first in (0, 1):
            mine = table["first_closer"] == first
            yield close.THREE, three & mine, fins, of_side(first != 0)
            yield close.HALF_CLOSED, half & mine, fins, of_side(first == 0)

    def _side(self, role: int) -> Int64s:
        """Of each row the side that plays the role."""
        return self.table["client_side"] ^ role

    def _noted(self, kind: int) -> Bools:
        return _logged(self.table, kind) > 0

    def _noted_by(self, kind: int, role: int) -> Bools:
        found: Bools = np.where(self._side(role) == 1, self._noted(kind + 1), self._noted(kind))
        return found

    def _only(self, *firsts: Int64s) -> _Proof:
        return firsts, None, None

    def _kept(self, kind: int | Int64s, *firsts: Int64s) -> _Proof:
        return firsts or (self.none,), self.table["index"] << at.KIND_BITS | kind, None

    def _kept_by(self, kind: int, role: int) -> _Proof:
        return self._kept(kind + self._side(role))
