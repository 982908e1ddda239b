"""A timeline surveyed, and the facts of both ways as dictionaries that can be compared."""

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from fourtuple.analyze.model import Connection
from fourtuple.analyze.survey.passing import Survey, Surveyed
from fourtuple.analyze.survey.seen import FrameKnown, Roles
from fourtuple.analyze.survey.table import CLOSES, FACTS, HANDSHAKES
from fourtuple.analyze.truth import TRUTHS
from fourtuple.compiled import Kernel, interpreted, kernels
from fourtuple.event.timeline import Timeline

__all__ = ["facts_of", "frames_of", "survey", "surveyed_facts", "surveyed_frames"]

ROLES = ("client", "server")
#: facts that a `Connection` has under the same name
_SAME = ("index", "family", "completeness", "handshake", "close", "start_ns", "end_ns")


@cache
def _interpreted(module: str) -> Mapping[str, Kernel]:
    return interpreted(module)


def survey(
    timeline: Timeline,
    *,
    compiled: bool = False,
    capacity: int = 64,
    cuts: list[int] | None = None,
    every: bool = True,
) -> tuple[Surveyed, np.ndarray[Any, Any]]:
    """The survey of a timeline's frames, taken in between `cuts`, and what it knows of each: of
    none without `every`, and frames are tracked aside then."""
    load = kernels if compiled else _interpreted
    decode, track = load("fourtuple.wire._kernels"), load("fourtuple.analyze.survey._kernels")
    made = Survey(decode, track, capacity)
    frames = timeline.frames
    links = np.array([v.link_type for v in timeline.vantages])[frames.vantage]
    limits = cuts or [0, len(frames)]
    known = [np.zeros((0, 13), np.int64)]
    for begin, end in pairwise(limits):
        part = slice(begin, end)
        columns = (frames.start, frames.captured, frames.original, links, frames.t_ns)
        taken = [column[part].copy() for column in (*columns, frames.vantage)]
        known.append(made.step(frames.buffer, *taken, begin + 1, every=every))
        for column in taken:  # they are those of the next block then
            column[:] = -1
    return made.finish(), np.concatenate(known)


def surveyed_facts(found: Surveyed) -> list[dict[str, Any]]:
    """The rows of the tables, codes as words."""
    rows = []
    for table in found.tables():
        for row in range(len(table)):
            facts: dict[str, Any] = {name: int(table[name][row]) for name in FACTS}
            facts |= {"client": table.clients[row], "server": table.servers[row]}
            facts["handshake"] = HANDSHAKES[facts["handshake"]]
            facts["close"] = CLOSES[facts["close"]]
            rows.append(facts)
    return rows


def facts_of(connection: Connection) -> dict[str, Any]:
    """The same of the whole way, as far as both tell it."""
    tcp = connection.protocol == "tcp"
    facts = {name: getattr(connection, name) for name in _SAME if tcp or name not in _SAME[2:5]}
    facts |= {
        "protocol": 6 if tcp else 17,
        "client": connection.client,
        "server": connection.server,
        "client_known": int(connection.client_known),
        "first_frame": connection.frames[0],
        "last_frame": connection.frames[-1],
    }
    for role, name in enumerate(ROLES):
        facts[f"{name}_packets"] = connection.packets[role]
        facts[f"{name}_payload_bytes"] = connection.payload_bytes[role]
    return facts | dict(_of_tcp(connection)) if tcp else facts


def _of_tcp(connection: Connection) -> Iterator[tuple[str, Any]]:
    yield from connection.counts.items()
    yield "handshake_rtt_ns", connection.rtt_ns
    yield "timestamps", int(connection.timestamps)
    yield "sack", int(connection.sack)
    yield "first_closer", {None: -1, "client": 0, "server": 1}[connection.first_closer]
    waits = {change.of_client for change in connection.changes if change.new == "TIME_WAIT"}
    yield "time_wait", (True in waits) | (False in waits) << 1
    for role, name in enumerate(ROLES):
        sent = [s for s in connection.segments if s.from_client is (role == 0)]
        for column in ("initial_seq", "mss", "window_scale"):
            value = getattr(connection, column)[role]
            yield f"{name}_{column}", -1 if value is None else value
        trips = connection.round_trips[role]
        for column in ("count", "least_ns", "sum_ns", "most_ns"):
            yield f"{name}_rtt_{column}", getattr(trips, column)
        yield f"{name}_flight_bytes", connection.flight_bytes[role]
        yield f"{name}_fin_frame", next((s.frame for s in sent if s.flags & 1), 0)
        yield f"{name}_largest_bytes", max((s.length for s in sent), default=0)
        for note in (*TRUTHS, "zero_window"):
            yield f"{name}_{note}", sum(note in s.notes for s in sent)


def surveyed_frames(found: Surveyed, known: np.ndarray[Any, Any]) -> list[FrameKnown | None]:
    """What the survey knows of each frame."""
    number_of = found.number_of()
    mine = known[:, 0]
    known[:, 0] = np.where(mine < 0, -1, number_of[mine]) if len(number_of) else -1
    return list(Roles(found.tables()).told(known, 1))


def frames_of(connections: tuple[Connection, ...]) -> dict[int, FrameKnown]:
    """The same of the whole way: TCP's frames by their numbers."""
    return {
        s.frame: FrameKnown(
            connection=connection.index,
            from_client=s.from_client,
            tcp=True,
            flags=s.flags,
            seq=s.seq,
            ack=s.ack,
            length=s.length,
            raw_seq=s.raw_seq,
            raw_ack=s.raw_ack,
            window=s.window,
            notes=s.notes,
            states=(s.client_state, s.server_state),
        )
        for connection in connections
        for s in connection.segments
    }
