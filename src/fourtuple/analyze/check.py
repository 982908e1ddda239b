"""The states inferred from frames, held against the kernel's own at every snapshot of the lab.

Rules: at a snapshot at time T of host H, the frames count that H had sent and that had reached H by
T. A kernel changes state before it sends: so the states that H's next own frames bring are right
too, up to the next frame that reaches it, and so is FIN_WAIT1 or LAST_ACK once the program has
called close() or shutdown(), however long the FIN must wait behind data. If the peer's FIN comes
while it waits, both have closed at once (CLOSING, TIME_WAIT). A snapshot that was not settled may
lag behind what was delivered. Rows in TIME_WAIT and FIN_WAIT2 go away after 60 s.
No row is CLOSED, or LISTEN where a listener's row covers the end. Segments that a program
made by hand (a scanner's probes) are no socket's: where their sender's host has a program whose
calls were not recorded, an end that never had a row is not compared, and any may have been closed;
an end behind a router is not compared either. What a router carries on arrives later than it was
seen. No frame says that a host crashed and lost its sockets, that a timer ran out and the kernel
gave up, or that a listener's queue was full and it dropped what came. What a program does while the
kernel lists its sockets may be seen.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import msgspec

from fourtuple.analyze.evidence import End, Seen, end_of, rows_seen
from fourtuple.analyze.hosts import plain
from fourtuple.analyze.model import Connection, Disagreement, StateChange
from fourtuple.analyze.queues import first_full
from fourtuple.analyze.states import UNKNOWN, after
from fourtuple.event.model import Call, Endpoint, Note, Snapshot, SocketRow
from fourtuple.event.timeline import Timeline

__all__ = ["disagreements"]

#: TCP_TIMEWAIT_LEN and the default of net.ipv4.tcp_fin_timeout, less a tick of the slowest clock
_WAITING_NS = 60_000_000_000 - 10_000_000

#: calls that end a connection
_CLOSING = ("close", "shutdown")

#: what is inferred of an end whose FIN was sent after the peer's had come, and what it is if its
#: program had closed before
_CROSSED = MappingProxyType({"CLOSE_WAIT": "CLOSING", "LAST_ACK": "CLOSING", "CLOSED": "TIME_WAIT"})

#: timers whose last expiry ends a socket, and nothing is sent
_PATIENT = frozenset(("retransmit", "keepalive", "probe"))

#: a listener with a full queue stays in these, whatever arrives
_DECLINED = frozenset(("LISTEN", "SYN_RECV"))

#: a connection has no row in these: a listener's row is not its own
_ROWLESS = frozenset(("CLOSED", "LISTEN"))


class _Inferred(msgspec.Struct, frozen=True):
    """One end of one life: its states over time."""

    connection: int
    end: End
    begin_ns: int
    initial: str
    changes: tuple[StateChange, ...]
    crashes: tuple[int, ...] = ()
    far: bool = False
    silent: bool = False
    full_ns: int | None = None


def disagreements(
    timeline: Timeline, connections: Iterable[Connection]
) -> tuple[Disagreement, ...]:
    """Every row that no state inferred from the frames explains, in order of time: each at the
    first snapshot that shows it."""
    looks = _looks(timeline.of(Snapshot))
    if not looks:
        return ()
    evidence = _Evidence(timeline)
    lives = _by_place(end for c in connections if c.protocol == "tcp" for end in evidence.ends(c))
    found = (
        disagreement
        for (host, local, remote), of_one in lives.items()
        for about in (None, (local, remote))
        if (host, about) in looks
        for disagreement in _of_one(
            of_one, looks[host, about], rows_seen(timeline, host, local, remote)
        )
    )
    return tuple(sorted(found, key=lambda one: one.t_ns))


class _Looks(msgspec.Struct, frozen=True):
    """Snapshots of a host in order of time: those of the whole table, or of one connection. Where
    among them: the first settled one from each on, those taken for a frame."""

    snapshots: Sequence[Snapshot]
    times: Sequence[int]
    settled: Sequence[int]
    of_frame: Mapping[int, Sequence[int]]
    numbers: Sequence[int]
    order: Mapping[int, int]

    def place_of(self, snapshot: Snapshot) -> int:
        """Where among these a snapshot of the host is, or would be."""
        return bisect_left(self.numbers, self.order[id(snapshot)])

    @classmethod
    def of(cls, snapshots: Sequence[Snapshot], order: Mapping[int, int]) -> "_Looks":
        """`order` numbers all snapshots, by their identity."""
        settled = [len(snapshots)] * (len(snapshots) + 1)
        of_frame: dict[int, list[int]] = {}
        for place in range(len(snapshots) - 1, -1, -1):
            settled[place] = place if snapshots[place].settled else settled[place + 1]
            of_frame.setdefault(snapshots[place].frame, []).append(place)
        numbers = [order[id(snapshot)] for snapshot in snapshots]
        return cls(snapshots, [s.t_ns for s in snapshots], settled, of_frame, numbers, order)


#: a host, and the connection that a look is about; None: the whole table
_About = tuple[str, tuple[Endpoint, Endpoint] | None]


def _looks(snapshots: Sequence[Snapshot]) -> dict[_About, _Looks]:
    found: dict[_About, list[Snapshot]] = {}
    order = {id(snapshot): number for number, snapshot in enumerate(snapshots)}
    for snapshot in snapshots:
        about = snapshot.about and (plain(snapshot.about[0]), plain(snapshot.about[1]))
        found.setdefault((snapshot.host, about), []).append(snapshot)
    return {about: _Looks.of(of_one, order) for about, of_one in found.items()}


class _Evidence:
    """What a run says besides its frames, and which ends of a connection can be compared by it."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        notes = timeline.of(Note)
        self._crashes = [(note.host, note.t_ns) for note in notes if note.kind == "crash"]
        recorded = {call.pid for call in timeline.of(Call)}
        # a program whose calls were not recorded may have made segments itself
        self._silent = {
            note.host
            for note in notes
            if note.kind == "program" and note.params.get("pid") not in recorded
        }
        self._full = first_full(timeline)
        cables = timeline.meta.get("cables")
        self._cables: Mapping[str, Any] = cables if isinstance(cables, Mapping) else {}

    def ends(self, connection: Connection) -> tuple[_Inferred, ...]:
        """Both, but where one may have come about without a socket, only those that had one: a
        program made its segments, or a router put its own address into what it carries on."""
        both = tuple(self._end(connection, client) for client in (True, False))
        had = tuple(one for one in both if self._had_row(one.end))
        by_hand = both[0] not in had and both[0].end.host in self._silent
        return had if by_hand or self._cables else both

    def _end(self, connection: Connection, client: bool) -> _Inferred:
        end = end_of(self._timeline, connection, client)
        return _Inferred(
            connection.index,
            end,
            connection.start_ns,
            connection.initial_states[0 if client else 1],
            tuple(c for c in connection.changes if c.of_client is client),
            tuple(t_ns for host, t_ns in self._crashes if host == end.host),
            self._is_far(connection, end),
            end.host in self._silent,
            self._full.get((end.host or "", end.local.port)),
        )

    def _is_far(self, connection: Connection, end: End) -> bool:
        """Whether its host is not at the cable on which the connection was seen: a router carries
        the frames on to it."""
        timeline = self._timeline
        seen_at = timeline.vantages[
            int(timeline.frames.vantage[timeline.frames.row(connection.frames[0])])
        ].name
        at_it = self._cables.get(seen_at)
        return isinstance(at_it, (list, tuple)) and end.host not in at_it

    def _had_row(self, end: End) -> bool:
        return end.host is not None and bool(
            rows_seen(self._timeline, end.host, end.local, end.remote)
        )


def _by_place(ends: Iterable[_Inferred]) -> dict[tuple[str, Endpoint, Endpoint], list[_Inferred]]:
    """The lives of each four-tuple that ends at a host, in order."""
    lives: dict[tuple[str, Endpoint, Endpoint], list[_Inferred]] = {}
    for one in ends:
        if one.end.host is not None:
            lives.setdefault((one.end.host, one.end.local, one.end.remote), []).append(one)
    return lives


def _of_one(lives: list[_Inferred], looks: _Looks, seen: Sequence[Seen]) -> Iterator[Disagreement]:
    """The disagreements about one four-tuple's end. `seen` are its rows."""
    shown_at = [looks.place_of(snapshot) for snapshot, _ in seen]
    for place in sorted(_telling(lives, looks, shown_at)):
        known = bisect_right(shown_at, place)
        row = seen[known - 1][1] if known else None
        snapshot = looks.snapshots[place]
        disagreement = _compare(lives, snapshot, row, _timer_ran_out(seen[:known], snapshot))
        if disagreement is not None:
            yield disagreement


def _telling(lives: list[_Inferred], looks: _Looks, shown_at: Iterable[int]) -> set[int]:
    """The snapshots that can tell something new: between two occasions on which anything changed,
    in the table or in what is inferred, all say the same, and a settled one says it best."""
    cuts = {0, *shown_at}
    special: set[int] = set()
    for one in lives:
        times = [one.begin_ns, *one.crashes, *(change.t_ns for change in one.changes)]
        times += [call.t_ns for call in one.end.calls if call.name in _CLOSING]
        cuts.update(bisect_left(looks.times, t_ns) for t_ns in times)
        for change in one.changes:
            special.update(looks.of_frame.get(change.frame, ()))
    ordered = sorted(cut for cut in cuts if cut < len(looks.snapshots))
    for begin, end in pairwise([*ordered, len(looks.snapshots)]):
        settled = looks.settled[begin]
        special.add(settled if settled < end else begin)
    return special


def _timer_ran_out(seen: Sequence[Seen], snapshot: Snapshot) -> bool:
    """Whether the row is gone, and its timer was due before: the kernel may have given up."""
    if len(seen) < 2 or seen[-1][1] is not None or (last := seen[-2][1]) is None:
        return False
    due_ns = seen[-2][0].t_ns + last.timer_ms * 1_000_000
    return last.timer in _PATIENT and due_ns <= snapshot.end_ns


def _compare(
    lives: list[_Inferred], snapshot: Snapshot, row: SocketRow | None, given_up: bool
) -> Disagreement | None:
    begun = [one for one in lives if one.begin_ns <= snapshot.t_ns]
    current = begun[-1] if begun else lives[0]
    allowed = _allowed(current, snapshot)
    if begun and len(begun) < len(lives):
        # the next life may have begun in the kernel, though not on the wire
        allowed += _ahead(lives[len(begun)], snapshot)[1:]
    if len(begun) > 1 and not any(_counts(change, snapshot) for change in current.changes):
        # the peer alone has begun anew: this end still has the socket of the life before
        allowed += _allowed(begun[-2], snapshot)
    if given_up:
        allowed.append("CLOSED")
    kernel = row.state if row is not None else "CLOSED"
    rowless = kernel in _ROWLESS and bool(_ROWLESS.intersection(allowed))
    if kernel in allowed or rowless or UNKNOWN in allowed:
        return None
    if row is None and any(_listens(one, current.end.local) for one in snapshot.sockets):
        kernel = "LISTEN"
    inferred = tuple(dict.fromkeys(allowed))
    return Disagreement(
        current.connection, snapshot.host, snapshot.t_ns, snapshot.frame, inferred, kernel
    )


def _listens(row: SocketRow, local: Endpoint) -> bool:
    bound = plain(row.local)
    everywhere = bound.address in ("0.0.0.0", "::", "*")
    return (
        row.state == "LISTEN"
        and bound.port == local.port
        and (everywhere or bound.address == local.address)
    )


def _allowed(one: _Inferred, snapshot: Snapshot) -> list[str]:
    """Every state that the frames allow at the snapshot; the plainly inferred one comes first."""
    states = _ahead(one, snapshot)
    past = [c for c in one.changes if _counts(c, snapshot)]
    if not snapshot.settled or one.far:
        lag = list(_trailing_arrivals(past))
        states += [change.old for change in lag]
    if one.full_ns is not None and one.full_ns <= snapshot.end_ns:
        states += [c.old for c in _trailing_arrivals(past) if c.old in _DECLINED]
    if any(one.begin_ns <= t_ns <= snapshot.t_ns for t_ns in one.crashes):
        states.append("CLOSED")
    if one.silent or one.end.called(_CLOSING, snapshot.end_ns):
        states += [after(state, ("sent FIN",)) for state in states]
        if "SYN_SENT" in states:  # the attempt is forgotten, and nothing sent (RFC 9293, 3.10.4)
            states.append("CLOSED")
    if any(c.new == "CLOSE_WAIT" and one.end.called(_CLOSING, c.t_ns) for c in past):
        states += [_CROSSED[state] for state in states if state in _CROSSED]
    waits = past and past[-1].new in ("TIME_WAIT", "FIN_WAIT2")
    if waits and snapshot.t_ns - past[-1].t_ns >= _WAITING_NS:
        states.append("CLOSED")
    return states


def _ahead(one: _Inferred, snapshot: Snapshot) -> list[str]:
    """The state at the snapshot, then those that the host's own next frames lead to."""
    past = [c for c in one.changes if _counts(c, snapshot)]
    states = [past[-1].new if past else one.initial]
    for change in one.changes[len(past) :]:
        if change.arrived:
            break
        states.append(change.new)
    return states


def _counts(change: StateChange, snapshot: Snapshot) -> bool:
    """Whether a change was over when the snapshot was taken, which is right after its frame."""
    occasion = "delivered" if change.arrived else "entered"
    taken_after = snapshot.cause == occasion and snapshot.frame == change.frame
    return change.t_ns <= snapshot.t_ns or taken_after


def _trailing_arrivals(past: Sequence[StateChange]) -> Iterator[StateChange]:
    for change in reversed(past):
        if not change.arrived:
            return
        yield change
