"""A connection that nobody wants (row A10)."""

from fourtuple.errors import N_
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.gauges import counters
from fourtuple.lab.script import Lab


@experiment(
    covers="A10 cause:port-closed reason:NO_SOCKET",
    question="Who answers a connect() to a port where nobody listens, and how?",
    background=(
        "A SYN that finds no socket is answered by the kernel it reached: RST with ACK, "
        "acknowledging the SYN, and sequence number 0 (RFC 9293, 3.10.7.1; tcp_v4_send_reset, "
        "reason NO_SOCKET). No program of the server takes part."
    ),
    try_next=(
        N_("Send the SYN to a port that a firewall guards: lab run firewall-rejects"),
        N_("Let nobody answer at all: lab run syn-retries"),
    ),
    tags="reset opening",
    mutation=Mutation(N_("a program listens on the port"), values={"listening": True}),
)
def closed_port(lab: Lab) -> None:
    client, server = lab.pair()
    if lab.value("listening", False):
        server.socket().listen(8888)
    before = counters(server)["TcpOutRsts"]
    sock = client.socket()
    lab.expect_error("ECONNREFUSED", lambda: sock.connect(server, 8888), "connect() at the client")
    lab.settle()

    steps = lab.segments()
    lab.expect(steps.flags, ["SYN", "RST ACK"], "the two segments")
    syn, reset = steps
    lab.expect([syn.from_client, reset.from_client], [True, False], "sent by the client, by it")
    lab.expect(reset.raw_seq, 0, "the RST's sequence number: the server has none to use")
    lab.expect(reset.ack, syn.seq + 1, "it acknowledges the SYN")
    lab.expect(counters(server)["TcpOutRsts"] - before, 1, "RSTs that the server's kernel counts")
    lab.expect(lab.states(client), ["SYN_SENT", "CLOSED"], "states of the client's socket")
    lab.expect(lab.sockets(server), [], "sockets of the server")

    again = client.socket()
    lab.expect_error("ECONNREFUSED", lambda: again.connect(server, 8888), "a second attempt")
    lab.claim(
        "the client's TCP sends the RST when the port is closed",
        False,
        "frame {frame} came from the server's kernel, though no program of the server listened",
        source="A",
        evidence=[reset.frame],
        frame=reset.frame,
    )
    lab.claim(
        "a RST needs no ACK",
        len(steps) == 2 and not lab.sockets(server),
        "nothing followed the RST: it acknowledges, and is not acknowledged",
        source="A",
        evidence=[reset.frame],
    )
