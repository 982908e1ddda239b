"""Closing a socket that holds unread data (row A13)."""

from fourtuple.errors import N_
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.hosts.baseline import PATIENT
from fourtuple.lab.script import Lab

MESSAGE = b"nobody reads me"


@experiment(
    covers="A13 cause:unread-data reason:TCP_ABORT_ON_CLOSE",
    question="Who sends RST when a socket is closed before all data has been read?",
    background=(
        "A close() that throws away bytes which the peer believes delivered must not look like an "
        "orderly end: the closer's kernel sends RST instead of FIN (RFC 2525, 2.17; tcp_close). "
        "Only the closer's own receive buffer counts."
    ),
    try_next=(
        N_("Read first, then close: a FIN, and an orderly end: lab run close"),
        N_("Send after the other end has closed: lab run data-after-close"),
    ),
    tags="reset closing",
    mutation=Mutation(N_("the server reads before it closes"), values={"read": True}),
)
def unread_data(lab: Lab) -> None:
    client, server = lab.pair(sysctls=PATIENT)
    listener = server.socket().listen(8888)

    sock = client.socket().connect(server, 8888)
    lab.settle()
    peer = listener.accept()
    sock.send(MESSAGE)
    lab.settle()
    lab.expect(lab.connection(server).recv_q, len(MESSAGE), "bytes unread at the server")
    if lab.value("read", False):
        peer.recv()
    peer.close()
    lab.settle()
    reset = lab.segments(sent_by=server)[-1]
    lab.expect(reset.flags, "RST ACK", "what the server's kernel sends at close()")
    lab.expect(reset.ack, 1 + len(MESSAGE), "it had acknowledged every byte")
    lab.expect(lab.sockets(server), [], "the server's sockets afterwards: no state is kept")
    lab.expect(lab.state(client), "CLOSED", "the client's socket once the RST has arrived")
    lab.expect_error("ECONNRESET", sock.recv, "recv() at the client")
    sock.close()

    before = len(lab.segments())
    sock = client.socket().connect(server, 8888)
    lab.settle()
    peer = listener.accept()
    sock.send(MESSAGE)
    lab.settle()
    sock.close()
    lab.settle()
    lab.expect(
        lab.connection(server).recv_q, len(MESSAGE) + 1, "unread at the server: data and FIN"
    )
    lab.expect(peer.recv(), MESSAGE, "the server reads all of it after the client's close()")
    peer.close()
    lab.settle()
    second = lab.segments()[before:]
    lab.expect([s.flags for s in second if "RST" in s.flags], [], "RSTs when the peer has not read")

    lab.claim(
        "closing a socket with unread data in its own buffer sends RST",
        reset.flags == "RST ACK",
        "the server's program closed with {bytes} bytes unread",
        source="A",
        evidence=[reset.frame],
        bytes=len(MESSAGE),
    )
    lab.claim(
        "closing while the peer has not read all data sends RST",
        False,
        "the client closed while {bytes} bytes lay unread at the server: there is no RST, and the "
        "server could still read them",
        source="A",
        evidence=second.frames,
        bytes=len(MESSAGE),
    )
    lab.claim(
        "connecting again after that causes RST",
        False,
        "the same client connected to the same port again and was answered",
        source="A",
        evidence=second.frames[:3],
    )
