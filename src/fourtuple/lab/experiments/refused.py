"""A connection that nobody wants (row A10)."""

from fourtuple.errors import N_
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.hosts.gauges import counters
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
    lab.expect(
        [syn.from_client, reset.from_client], [True, False], "which of the two the client sent"
    )
    lab.expect(reset.raw_seq, 0, "the RST's sequence number: the server has none to use")
    lab.expect(reset.ack, syn.seq + 1, "it acknowledges the SYN")
    lab.expect(counters(server)["TcpOutRsts"] - before, 1, "RSTs that the server's kernel counts")
    lab.expect(lab.states(client), ["SYN_SENT", "CLOSED"], "states of the client's socket")
    lab.expect(lab.sockets(server), [], "sockets of the server")
    lab.claim(
        "the client's TCP sends the RST when the port is closed",
        False,
        "the server's kernel sent it, though no program of the server took part",
        source="A",
        evidence=[reset.frame],
    )
    lab.claim(
        "a RST needs no ACK",
        len(steps) == 2 and not lab.sockets(server),
        "nothing followed the RST: it acknowledges, and is not acknowledged",
        source="A",
        evidence=[reset.frame],
    )


@experiment(
    covers="A10 cause:firewall",
    question="Can a client tell a firewall that rejects from a port where nobody listens?",
    background=(
        "nftables' `reject with tcp reset` sends the RST that a closed port would send, in the "
        "server's name (nf_send_reset). TCP itself never saw the SYN, and counts no RST; the "
        "kernel's tcp_send_reset event, which names reasons, says nothing. To the client it is a "
        "closed port. Dropping instead is silence."
    ),
    try_next=(
        N_("Let the rule say `drop`, or `reject` alone: silence, or an ICMP error."),
        N_("Compare with a closed port, field by field: lab run closed-port"),
    ),
    tags="reset opening firewall",
    needs="nft",
    mutation=Mutation(N_("the firewall lets the SYN pass"), values={"verdict": "accept"}),
)
def firewall_rejects(lab: Lab) -> None:
    client, server = lab.pair()
    server.socket().listen(8888)
    verdict = lab.value("verdict", "reject with tcp reset")
    server.nft(f"""
        table inet guard {{
            chain input {{
                type filter hook input priority 0;
                tcp dport 8888 {verdict}
            }}
        }}
    """)
    before = counters(server)["TcpOutRsts"]
    sock = client.socket()
    lab.expect_error("ECONNREFUSED", lambda: sock.connect(server, 8888), "connect() at the client")
    lab.settle()
    guarded = lab.segments(port=8888)
    lab.expect(guarded.flags, ["SYN", "RST ACK"], "the two segments, as with a closed port")
    lab.expect(len(lab.sockets(server, listening=True)), 1, "listeners on that port, all the same")
    lab.expect(counters(server)["TcpOutRsts"] - before, 0, "RSTs that the server's TCP counts")

    other = client.socket()
    lab.expect_error("ECONNREFUSED", lambda: other.connect(server, 8889), "a port that is closed")
    lab.settle()
    closed = lab.segments(port=8889)
    lab.expect(counters(server)["TcpOutRsts"] - before, 1, "this RST is counted")
    for name in ("flags", "raw_seq", "length", "window"):
        lab.expect(getattr(guarded[1], name), getattr(closed[1], name), "both RSTs alike: {field}",
                   field=name)  # fmt: skip
    lab.claim(
        "a RST shows that no program listens on the port",
        False,
        "a program listened; the firewall of its host answered, just as a closed port does",
        source="A",
        evidence=[guarded[1].frame],
    )
