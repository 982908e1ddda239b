"""The states inferred from frames, held against the kernel's own at every snapshot of the lab.

Rules: at a snapshot at time T of host H, the frames count that H had sent and that had reached H by
T. A kernel changes state before it sends: so the states that H's next own frames bring are right
too, up to the next frame that reaches it, and so is FIN_WAIT1 or LAST_ACK once the program has
called close() or shutdown(), however long the FIN must wait behind data. A snapshot that was not
settled may lag behind what was delivered. Rows in TIME_WAIT and FIN_WAIT2 go away after 60 s.
No row is CLOSED, or LISTEN where a listener's row covers the end. Segments that a program
made by hand (a scanner's probes) are no socket's: where their sender's host has a program whose
calls were not recorded, an end that never had a row is not compared.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fourtuple.analyze.evidence import End, end_of, rows_by_ends
from fourtuple.analyze.hosts import plain
from fourtuple.analyze.model import Connection, Disagreement, StateChange
from fourtuple.analyze.states import UNKNOWN, after
from fourtuple.event.model import Call, Endpoint, Note, Snapshot, SocketRow
from fourtuple.event.timeline import Timeline

__all__ = ["disagreements"]

#: TCP_TIMEWAIT_LEN and the default of net.ipv4.tcp_fin_timeout, less a tick of the slowest clock
_WAITING_NS = 60_000_000_000 - 10_000_000

#: a connection has no row in these: a listener's row is not its own
_ROWLESS = frozenset(("CLOSED", "LISTEN"))


@dataclass(frozen=True, slots=True)
class _Inferred:
    """One end of one life: its states over time."""

    connection: int
    end: End
    begin_ns: int
    initial: str
    changes: tuple[StateChange, ...]


def disagreements(
    timeline: Timeline, connections: Iterable[Connection]
) -> tuple[Disagreement, ...]:
    """Every snapshot row that no state inferred from the frames explains, in order of time."""
    snapshots = timeline.of(Snapshot)
    if not snapshots:
        return ()
    rows, silent = _rows_ever(snapshots), _unrecorded(timeline)
    both = (tuple(_both(timeline, c)) for c in connections if c.protocol == "tcp")
    ends = _by_host(end for pair in both for end in _with_sockets(pair, rows, silent))
    found: list[Disagreement] = []
    for snapshot in snapshots:
        table = _Table.of(snapshot)
        compared = (_compare(lives, table) for lives in ends.get(snapshot.host, ()))
        found += filter(None, compared)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Table:
    """A snapshot, with its rows by their endpoints, and its listeners."""

    snapshot: Snapshot
    rows: Mapping[tuple[Endpoint, Endpoint], SocketRow]
    listeners: tuple[SocketRow, ...]

    @classmethod
    def of(cls, snapshot: Snapshot) -> "_Table":
        listeners = tuple(row for row in snapshot.sockets if row.state == "LISTEN")
        return cls(snapshot, rows_by_ends(snapshot), listeners)


def _both(timeline: Timeline, connection: Connection) -> Iterator[_Inferred]:
    for client in (True, False):
        yield _Inferred(
            connection.index,
            end_of(timeline, connection, client),
            connection.start_ns,
            connection.initial_states[0 if client else 1],
            tuple(c for c in connection.changes if c.of_client is client),
        )


def _rows_ever(snapshots: Iterable[Snapshot]) -> set[tuple[str, Endpoint, Endpoint]]:
    """(host, local, remote) of every socket that any snapshot shows."""
    return {
        (snapshot.host, plain(row.local), plain(row.remote))
        for snapshot in snapshots
        for row in snapshot.sockets
    }


def _with_sockets(
    both: tuple[_Inferred, ...], rows: set[tuple[str, Endpoint, Endpoint]], silent: set[str]
) -> tuple[_Inferred, ...]:
    """The ends that can be compared: both, but where a program made the client's segments by hand,
    only those that had a socket."""
    had = [one for one in both if (one.end.host, one.end.local, one.end.remote) in rows]
    by_hand = both[0] not in had and both[0].end.host in silent
    return tuple(had) if by_hand else both


def _unrecorded(timeline: Timeline) -> set[str]:
    """The hosts with a program whose calls were not recorded: it may have made segments itself."""
    recorded = {call.pid for call in timeline.of(Call)}
    programs = (note for note in timeline.of(Note) if note.kind == "program")
    return {note.host for note in programs if note.params.get("pid") not in recorded}


def _by_host(ends: Iterable[_Inferred]) -> dict[str, list[list[_Inferred]]]:
    """Host -> the lives of each four-tuple that ends there, in order."""
    lives: dict[tuple[str, Endpoint, Endpoint], list[_Inferred]] = {}
    for one in ends:
        if one.end.host is not None:
            place = (one.end.host, one.end.local, one.end.remote)
            lives.setdefault(place, []).append(one)
    found: dict[str, list[list[_Inferred]]] = {}
    for (host, _, _), of_one in lives.items():
        found.setdefault(host, []).append(of_one)
    return found


def _compare(lives: list[_Inferred], table: _Table) -> Disagreement | None:
    snapshot = table.snapshot
    begun = [one for one in lives if one.begin_ns <= snapshot.t_ns]
    current = begun[-1] if begun else lives[0]
    allowed = _allowed(current, snapshot)
    if begun and len(begun) < len(lives):
        # the next life may have begun in the kernel, though not on the wire
        allowed += _ahead(lives[len(begun)], snapshot)[1:]
    if len(begun) > 1 and not any(_counts(change, snapshot) for change in current.changes):
        # the peer alone has begun anew: this end still has the socket of the life before
        allowed += _allowed(begun[-2], snapshot)
    kernel = _kernel_state(current.end, table)
    rowless = kernel in _ROWLESS and bool(_ROWLESS.intersection(allowed))
    if kernel in allowed or rowless or UNKNOWN in allowed:
        return None
    inferred = tuple(dict.fromkeys(allowed))
    return Disagreement(
        current.connection, snapshot.host, snapshot.t_ns, snapshot.frame, inferred, kernel
    )


def _kernel_state(end: End, table: _Table) -> str:
    row = table.rows.get((end.local, end.remote))
    if row is not None:
        return row.state
    return "LISTEN" if any(_listens(row, end.local) for row in table.listeners) else "CLOSED"


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
    if not snapshot.settled:
        lag = list(_trailing_arrivals(past))
        states += [change.old for change in lag]
    if one.end.called(("close", "shutdown"), snapshot.t_ns):
        states += [after(state, ("sent FIN",)) for state in states]
        if "SYN_SENT" in states:  # the attempt is forgotten, and nothing sent (RFC 9293, 3.10.4)
            states.append("CLOSED")
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
