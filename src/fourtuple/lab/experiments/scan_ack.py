"""What a segment learns that claims to belong to a connection: ACK and window scans (row A1)."""

from fourtuple.errors import N_
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.experiments.scan import CLOSED, FILTERED, OPEN, meet, scan
from fourtuple.lab.script import Lab
from fourtuple.lab.wire.select import segment


@experiment(
    covers="A1",
    question="What does an ACK scan find out, if not whether a port is open?",
    background=(
        "An ACK that belongs to no connection is answered with RST, by a closed port and by a "
        "listener alike (RFC 9293, 3.10.7.1 and 3.10.7.2). A firewall that keeps track of "
        "connections drops it. So an answer means that nothing filters; of the port it tells "
        "nothing."
    ),
    try_next=(
        N_("Let the firewall answer: server.nft() with a reject rule, instead of lab.wire.drop()."),
    ),
    tags="scan",
    mutation=Mutation(
        "the firewall drops what goes to the open port, too",
        wire=lambda lab: lab.wire.drop(segment.port(OPEN)),
    ),
)
def scan_ack(lab: Lab) -> None:
    client, server = lab.pair()
    lab.wire.drop(segment.to(server).port(FILTERED))  # as a firewall does
    listener = server.socket().listen(OPEN)
    states = scan(client, server, "ack")
    lab.settle()
    said = [states.get(("ack", port)) for port in (OPEN, CLOSED, FILTERED)]
    lab.expect(
        said,
        ["unfiltered", "unfiltered", "filtered"],
        "what the scan says of the open, the closed and the filtered port",
    )
    asked = lab.segments(port=OPEN)
    lab.expect(asked.flags, ["ACK", "RST"], "the open port: an ACK, then RST")
    asked = lab.segments(port=CLOSED)
    lab.expect(asked.flags, ["ACK", "RST"], "the closed port: an ACK, then RST")
    lab.expect(lab.segments(port=FILTERED).flags, ["ACK"], "the filtered port: an ACK, and silence")
    (waiting,) = lab.sockets(server, listening=True)
    lab.expect(waiting.recv_q, 0, "connections in the accept queue")
    answers = lab.segments(sent_by=server)
    lab.claim(
        "an ACK scan tells open ports from closed ones",
        False,
        "both answered with RST",
        source="A",
        evidence=answers.frames,
    )
    lab.claim(
        "an ACK scan tells whether a firewall is in between",
        True,
        "only the port whose segments are dropped stayed silent",
        source="A",
        evidence=lab.segments(port=FILTERED).frames,
    )
    meet(lab, client, server, listener)


@experiment(
    covers="A1",
    question="Can the window of a RST give an open port away?",
    background=(
        "A window scan sends the same ACK, and looks at the window of the RST that comes back: "
        "some systems fill it in where a socket listens. Linux makes a RST without looking at any "
        "socket's window (tcp_v4_send_reset), and leaves it 0."
    ),
    try_next=(
        N_("Look at the header of such a RST, field by field: fourtuple read FILE --frame N."),
    ),
    tags="scan",
    mutation=Mutation(
        "the firewall drops what goes to the open port, too",
        wire=lambda lab: lab.wire.drop(segment.port(OPEN)),
    ),
)
def scan_window(lab: Lab) -> None:
    client, server = lab.pair()
    lab.wire.drop(segment.to(server).port(FILTERED))  # as a firewall does
    listener = server.socket().listen(OPEN)
    states = scan(client, server, "window")
    lab.settle()
    said = [states.get(("window", port)) for port in (OPEN, CLOSED, FILTERED)]
    lab.expect(
        said,
        ["closed", "closed", "filtered"],
        "what the scan says of the open, the closed and the filtered port",
    )
    answers = lab.segments(sent_by=server)
    lab.expect(answers.flags, ["RST", "RST"], "all that the server sent")
    lab.expect(answers.every("window"), [0, 0], "the windows of both RST segments")
    lab.claim(
        "a window scan finds open ports",
        False,
        "the RST of the open port has window 0 too, so that it was taken for closed",
        source="A",
        evidence=answers.frames,
    )
    meet(lab, client, server, listener)
