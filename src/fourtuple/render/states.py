"""The kernel lanes: the state of each end's socket, as its kernel said or as frames imply.

Where the kernel was asked (State events), its word is shown for both ends; else what the frames
imply. It does not mix the two: a lane would not tell which is which.
"""

from collections.abc import Iterator

import msgspec

from fourtuple.analyze.model import Connection
from fourtuple.event.model import State
from fourtuple.event.timeline import Timeline
from fourtuple.render.life import Life

__all__ = ["Change", "changes", "kernel_source"]


class Change(msgspec.Struct, frozen=True):
    """A socket came to `state`: at the client's end or the server's, after `frame` (0: a call)."""

    t_ns: int
    of_client: bool
    state: str
    frame: int


def kernel_source(timeline: Timeline, life: Life) -> str:
    """Who says what the states are: "sock_diag", "trace", or "inferred" from frames."""
    return next((state.source for state, _ in _of_life(timeline, life)), "inferred")


def changes(timeline: Timeline, life: Life) -> list[Change]:
    """Every change of state of the two ends, in order of time."""
    told = [
        Change(state.t_ns, of_client, state.new, state.frame)
        for state, of_client in _of_life(timeline, life)
    ]
    return _listening(timeline, life) + told if told else _inferred(life.connection)


def _of_life(timeline: Timeline, life: Life) -> Iterator[tuple[State, bool]]:
    """The State events of the two sockets, each with whether it is the client's."""
    client, server = life.connection.client, life.connection.server
    sides = {(client, server): True, (server, client): False}
    for state in timeline.of(State):
        of_client = sides.get((state.local, state.remote))
        if of_client is not None and life.saw(state.t_ns, state.frame):
            yield state, of_client


def _listening(timeline: Timeline, life: Life) -> list[Change]:
    """The listener's state stands in the server's lane until there is a socket of its own."""
    server = life.connection.server
    listening = [
        Change(state.t_ns, False, state.new, state.frame)
        for state in timeline.of(State)
        if state.new == "LISTEN"
        and state.t_ns <= life.connection.start_ns
        and state.local.port == server.port
        and state.local.address in (server.address, "0.0.0.0", "::")
    ]
    return listening[-1:]


def _inferred(connection: Connection) -> list[Change]:
    """What the frames imply, from the states that the two ends had when the first one entered."""
    first = connection.frames[0] if connection.frames else 0
    begin = [
        Change(connection.start_ns, of_client, state, first)
        for of_client, state in zip((True, False), connection.initial_states, strict=True)
        if state
    ]
    return begin + [Change(c.t_ns, c.of_client, c.new, c.frame) for c in connection.changes]
