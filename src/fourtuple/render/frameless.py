"""The picture of a connection of which no frame was recorded: calls and states alone.

`talk` and `serve` have such where they may not open a packet socket. Nothing is said about
segments: what the calls do not prove is left out.
"""

from collections.abc import Sequence

from fourtuple.analyze.model import Connection
from fourtuple.event.model import Call, Endpoint
from fourtuple.event.timeline import Timeline
from fourtuple.explain.model import Message
from fourtuple.explain.text import N_
from fourtuple.render.build import MOST_ROWS, STATES
from fourtuple.render.calls import own_calls
from fourtuple.render.life import Life, life_of
from fourtuple.render.rows import rows_of
from fourtuple.render.states import changes, kernel_source
from fourtuple.render.view import View

__all__ = ["frameless_connections", "frameless_view"]

NO_FRAMES = N_("frames: none recorded")


def frameless_connections(timeline: Timeline) -> list[Connection]:
    """The connections that calls were made on, in order of the first of them."""
    spans: dict[tuple[str, Endpoint, Endpoint], tuple[int, int]] = {}
    for call in timeline.of(Call):
        if call.local and call.remote:
            client, server = call.local, call.remote
            if call.host == "server":
                client, server = server, client
            ends = "udp" if call.name == "recvfrom" else "tcp", client, server
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
    life: Life = life_of(chosen, connections)
    own = own_calls(timeline, life)
    zero_ns, rows = rows_of(own, changes(timeline, life), (), (), MOST_ROWS)
    first_ns = timeline.of(Call)[0].t_ns
    source = kernel_source(timeline, life)
    return View(
        title=str(timeline.meta.get("file") or ""),
        question="",
        protocol=chosen.protocol,
        four_tuple=(str(chosen.client), str(chosen.server)),
        client_known=True,
        headline=None,
        evidence=(
            Message("calls: recorded in the programs"),
            *((Message(STATES[source]),) if source in STATES and source != "inferred" else ()),
            Message(NO_FRAMES),
        ),
        programs=True,
        offset_ns=zero_ns - first_ns,
        rows=rows,
    )
