"""The picture of what has no segments: calls, and states where there are.

`talk` and `serve` have such where they may not open a packet socket, where no connection came
about, and of unix sockets and raw IP. What the calls do not prove is left out.
"""

from collections.abc import Sequence

from fourtuple.analyze.model import Connection
from fourtuple.event.model import Call, Endpoint
from fourtuple.event.timeline import Timeline
from fourtuple.explain.model import Message
from fourtuple.explain.text import N_
from fourtuple.render.build import MOST_ROWS, STATES
from fourtuple.render.calls import OwnCalls, own_calls
from fourtuple.render.life import life_of
from fourtuple.render.rows import rows_of
from fourtuple.render.states import changes, kernel_source
from fourtuple.render.view import Row, View

__all__ = ["calls_view", "frameless_connections", "frameless_view"]

NO_FRAMES = N_("frames: none recorded")
OTHER_FRAMES = N_("frames: {count} in the recording, none of TCP or UDP")


def frameless_connections(timeline: Timeline) -> list[Connection]:
    """The connections that calls were made on, in order of the first of them."""
    spans: dict[tuple[str, Endpoint, Endpoint], tuple[int, int]] = {}
    made = (call for call in timeline.of(Call) if call.name == "socket")
    of_datagrams = {call.inode for call in made if "SOCK_DGRAM" in call.args}
    for call in timeline.of(Call):
        if call.local and call.remote:
            client, server = call.local, call.remote
            if call.host == "server":
                client, server = server, client
            ends = "udp" if call.inode in of_datagrams else "tcp", client, server
            begin_ns, _ = spans.get(ends, (call.t_ns, 0))
            spans[ends] = begin_ns, call.end_ns or call.t_ns
    return [
        Connection(
            index=index,
            protocol=protocol,
            family=6 if ":" in server.address else 4,
            client=client,
            server=server,
            client_known=True,
            start_ns=begin_ns,
            end_ns=end_ns,
            frames=(),
            packets=(0, 0),
            payload_bytes=(0, 0),
        )
        for index, ((protocol, client, server), (begin_ns, end_ns)) in enumerate(spans.items())
    ]


def frameless_view(timeline: Timeline, connections: Sequence[Connection], index: int) -> View:
    """The picture of one of them."""
    chosen = connections[index]
    life = life_of(chosen, connections)
    source = kernel_source(timeline, life)
    own = own_calls(timeline, life)
    rows = rows_of(own, changes(timeline, life), (), (), MOST_ROWS)
    ends = str(chosen.client), str(chosen.server)
    return _view(timeline, chosen.protocol, ends, source, rows)


def calls_view(timeline: Timeline) -> View:
    """The picture of all calls, where none was made on a connection: nobody came, nobody answered,
    or a unix socket has no addresses."""
    calls = timeline.of(Call)
    own = OwnCalls(
        tuple(call for call in calls if call.host == "client"),
        tuple(call for call in calls if call.host == "server"),
    )
    name = str(timeline.meta.get("file") or "")
    rows = rows_of(own, (), (), (), MOST_ROWS)
    return _view(timeline, name.partition(":")[0], ("?", name), "", rows)


def _view(
    timeline: Timeline,
    protocol: str,
    ends: tuple[str, str],
    source: str,
    drawn: tuple[int, tuple[Row, ...]],
) -> View:
    zero_ns, rows = drawn
    count = len(timeline.frames)
    frames = Message(OTHER_FRAMES, {"count": count}) if count else Message(NO_FRAMES)
    states = [Message(STATES[source])] if source in STATES and source != "inferred" else []
    return View(
        title=str(timeline.meta.get("file") or ""),
        question="",
        protocol=protocol,
        four_tuple=ends,
        client_known=True,
        headline=None,
        evidence=(Message("calls: recorded in the programs"), *states, frames),
        programs=True,
        offset_ns=zero_ns - timeline.of(Call)[0].t_ns,
        rows=rows,
    )
