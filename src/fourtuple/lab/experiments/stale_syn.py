"""A SYN that comes late: why a handshake has three segments and not two (row B3).

The wire keeps a copy of the client's SYN and delivers it later, as a network may do that repeats or
delays packets. What happens then depends on what both ends still know.
"""

import socket

from fourtuple.errors import N_
from fourtuple.lab.evidence import Segments
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.hosts.gauges import counters
from fourtuple.lab.hosts.host import Host
from fourtuple.lab.hosts.sockets import HostSocket
from fourtuple.lab.script import Lab
from fourtuple.lab.wire.select import rst

TCP_FASTOPEN_CONNECT = 30
REQUEST = b"pay 100 to Bob\n"

TWO_WAY = N_("Have the server believe a SYN alone: lab run stale-syn-two-way")
NEVER = Mutation(N_("the late SYN never comes"), values={"late": False})


def opened(lab: Lab, client: Host, server: Host) -> tuple[HostSocket, HostSocket, HostSocket]:
    """A connection from port 40000: the client's socket, the server's, and the listener."""
    listener = server.socket().listen(8888)
    sock = client.socket().bind(40000).connect(server, 8888)
    lab.settle()
    return sock, listener.accept(), listener


def late_syn(lab: Lab, copies: int = 1) -> Segments:
    """The network delivers copies of the first SYN now; what crosses from then on."""
    before = len(lab.segments())
    first = lab.segments(flags="SYN")[0]
    for _ in range(copies if lab.value("late", True) else 0):
        lab.wire.inject(like=first)
    lab.settle(unanswered=True)
    steps: Segments = lab.segments()[before:]
    return steps


@experiment(
    covers="B3 cause:no-such-connection reason:NO_SOCKET",
    question="A SYN arrives after its connection is over and forgotten: what do both ends do?",
    background=(
        "To the server it is a new SYN: it answers, and waits for the third segment. The client "
        "knows of no such attempt, and its kernel sends RST instead (RFC 9293, 3.5, figure 8). "
        "No program of the server gets to see it."
    ),
    try_next=(TWO_WAY, N_("Let the client still be in TIME_WAIT: lab run stale-syn-time-wait")),
    tags="opening reset",
    mutation=NEVER,
)
def stale_syn(lab: Lab) -> None:
    client, server = lab.pair()
    sock, peer, _ = opened(lab, client, server)
    sock.linger(0).close()
    peer.close()
    lab.settle()
    lab.expect(lab.sockets(client) + lab.sockets(server), [], "what both ends still know")

    steps = late_syn(lab)
    lab.expect(steps.flags, ["SYN", "SYN ACK", "RST"], "what the late SYN brings about")
    _, answer, reset = steps
    lab.expect(
        [answer.from_client, reset.from_client], [False, True], "which of the two the client sent"
    )
    lab.expect(reset.raw_seq, answer.raw_ack, "the RST's number is the one that was acknowledged")
    lab.expect(lab.states(server)[-2:], ["SYN_RECV", "CLOSED"], "states of the server's entry")
    lab.expect(lab.sockets(server), [], "what is left at the server")
    lab.expect(lab.sockets(server, listening=True)[0].recv_q, 0, "connections for accept()")
    lab.claim(
        "a late SYN opens no connection, because the handshake has three segments",
        True,
        "the RST came in the place of the third, and the server forgot the attempt; after two it "
        "would have held a connection that nobody wanted",
        source="B",
        evidence=steps.frames,
    )


@experiment(
    covers="B3 cause:time-wait reason:TCP_FLAGS",
    question="A late SYN, and the client is in TIME_WAIT: does that protect it?",
    background=(
        "The client's TIME_WAIT answers the SYN ACK, which does not fit, with the ACK of its old "
        "connection. That acknowledges nothing of the server's new attempt: RST, and this RST has "
        "just the number that ends the client's TIME_WAIT (RFC 1337), unless "
        "net.ipv4.tcp_rfc1337 is 1."
    ),
    try_next=(
        N_("Set net.ipv4.tcp_rfc1337 to 1: the client stays in TIME_WAIT."),
        N_("Let the server be the one in TIME_WAIT: lab run stale-syn-server-waits"),
    ),
    tags="opening reset closing",
    mutation=Mutation(N_("net.ipv4.tcp_rfc1337 is 1"), sysctls={"net.ipv4.tcp_rfc1337": 1}),
)
def stale_syn_time_wait(lab: Lab) -> None:
    client, server = lab.pair()
    sock, peer, _ = opened(lab, client, server)
    sock.close()
    lab.settle()
    peer.close()
    lab.settle()
    lab.expect(lab.state(client), "TIME_WAIT", "the client closed first")

    steps = late_syn(lab)
    lab.expect(steps.flags, ["SYN", "SYN ACK", "ACK", "RST"], "what the late SYN brings about")
    _, answer, old_ack, reset = steps
    lab.expect(
        [s.from_client for s in steps[1:]],
        [False, True, False],
        "which of the three the client sent",
    )
    lab.expect(
        old_ack.raw_ack == (answer.raw_seq + 1) % 2**32, False, "the ACK confirms the SYN ACK"
    )
    lab.expect(reset.raw_seq, old_ack.raw_ack, "the RST's number is the one that ACK expected")
    lab.expect(lab.sockets(client), [], "what is left of the client's TIME_WAIT")
    lab.claim(
        "TIME_WAIT protects against segments of an old connection",
        "net.ipv4.tcp_rfc1337: with 0, the default, the RST ends it; with 1 it stays",
        "a late SYN and three segments later the client's TIME_WAIT was gone",
        source="B",
        evidence=steps.frames,
    )


@experiment(
    covers="B3",
    question="A late SYN, and the server is in TIME_WAIT: is it taken for a new connection?",
    background=(
        "TIME_WAIT takes a SYN for a new connection only if its number, or its timestamp, is later "
        "than all of the old one (RFC 9293, 3.10.7.4; tcp_timewait_state_process). A late one is "
        "answered with the old ACK. The client knows nothing and sends RST, which ends the "
        "server's TIME_WAIT."
    ),
    try_next=(
        N_("Connect anew from the same port instead: lab run time-wait-reconnect"),
        N_("Let the connection still be alive: lab run stale-syn-alive"),
    ),
    tags="opening reset closing",
    mutation=Mutation(N_("net.ipv4.tcp_rfc1337 is 1"), sysctls={"net.ipv4.tcp_rfc1337": 1}),
)
def stale_syn_server_waits(lab: Lab) -> None:
    client, server = lab.pair()
    sock, peer, _ = opened(lab, client, server)
    peer.close()
    lab.settle()
    sock.close()
    lab.settle()
    lab.expect(lab.state(server), "TIME_WAIT", "the server closed first")

    steps = late_syn(lab)
    lab.expect(steps.flags, ["SYN", "ACK", "RST"], "what the late SYN brings about")
    _, old_ack, reset = steps
    lab.expect(
        [old_ack.from_client, reset.from_client], [False, True], "which of the two the client sent"
    )
    lab.expect(reset.raw_seq, old_ack.raw_ack, "the RST's number is the one that ACK expected")
    lab.expect(lab.sockets(server), [], "what is left of the server's TIME_WAIT")
    lab.claim(
        "a server in TIME_WAIT takes a late SYN for a new connection",
        False,
        "it answered with the last ACK of the old connection",
        source="B",
        evidence=steps.frames[:2],
    )


@experiment(
    covers="E3 B3",
    question="May the same client port connect again while TIME_WAIT lasts?",
    background=(
        "A new SYN has a later number, or timestamp, than the old connection: TIME_WAIT at the "
        "server gives way to it at once (RFC 9293, 3.6.1; TCP_TW_SYN). Binding the port anew, "
        "without SO_REUSEADDR, is what TIME_WAIT forbids."
    ),
    try_next=(
        N_("Send an old SYN instead of a new one: lab run stale-syn-server-waits"),
        N_("Let the client be in TIME_WAIT: net.ipv4.tcp_tw_reuse decides."),
    ),
    tags="opening closing",
    mutation=Mutation(N_("the client uses another port"), values={"port": 40001}),
)
def time_wait_reconnect(lab: Lab) -> None:
    client, server = lab.pair()
    sock, peer, listener = opened(lab, client, server)
    peer.close()
    lab.settle()
    sock.close()
    lab.settle()
    lab.expect(lab.state(server), "TIME_WAIT", "the server closed first")

    before = len(lab.segments())
    again = client.socket().bind(lab.value("port", 40000)).connect(server, 8888)
    lab.settle()
    steps = lab.segments()[before:]
    lab.expect(steps.flags, ["SYN", "SYN ACK", "ACK"], "the same port connects again")
    rows = lab.sockets(server)
    lab.expect([row.state for row in rows], ["ESTABLISHED"], "what the server has: no TIME_WAIT")
    again.send(REQUEST)
    lab.expect(listener.accept().recv(), REQUEST, "what the server reads on it")
    lab.claim(
        "TIME_WAIT forbids connecting again",
        "which end is in it: the server's gives way to a later SYN; a client's port that is in it "
        "cannot be bound without SO_REUSEADDR",
        "the same four-tuple was open again after three segments",
        source="E",
        evidence=steps.frames,
    )


@experiment(
    covers="B3",
    question="A late SYN arrives at a connection that is alive: what does it do?",
    background=(
        "Any SYN in a connection is answered with an ACK of where it stands, a challenge ACK, and "
        "otherwise ignored: whoever forged it learns nothing, and a peer that has really begun "
        "anew would send RST (RFC 5961, 4). One connection sends one such ACK in half a second."
    ),
    try_next=(
        N_("Forge a RST instead: lab run forged-rst"),
        N_("Let the client crash and connect anew from the same port."),
    ),
    tags="opening",
    mutation=NEVER,
)
def stale_syn_alive(lab: Lab) -> None:
    client, server = lab.pair()
    sock, peer, _ = opened(lab, client, server)
    sock.send(REQUEST)
    lab.settle()
    steps = late_syn(lab, copies=2)
    lab.expect(steps.flags, ["SYN", "ACK", "SYN"], "two late SYNs: only the first is answered")
    lab.expect(steps[1].from_client, False, "sent by the server")
    lab.expect(steps[1].ack, 1 + len(REQUEST), "it tells where the connection stands")
    counted = counters(server)
    seen = [counted[f"TcpExt{name}"] for name in ("TCPSYNChallenge", "TCPChallengeACK")]
    lab.expect(seen, [2, 1], "SYNs that called for a challenge, and challenges sent")
    lab.expect(lab.state(server), "ESTABLISHED", "the server's state")
    sock.send(b"more")
    lab.expect(peer.recv_exactly(len(REQUEST) + 4), REQUEST + b"more", "the connection lives on")
    lab.claim(
        "a SYN that arrives at a connection resets it",
        False,
        "the server answered the first of two with a challenge ACK, and stayed ESTABLISHED",
        source="B",
        evidence=steps.frames,
    )


@experiment(
    covers="B3 beyond:fast-open",
    question="What would a late SYN leave behind if two segments opened a connection?",
    background=(
        "TCP Fast Open without a cookie lets a server's program have the connection, and the "
        "SYN's data, as soon as the SYN is there: a handshake of two. RFC 7413, 2.1, warns that a "
        "SYN which the network repeats is then served twice. The client's RST is lost here."
    ),
    try_next=(
        N_("See the same with three segments: lab run stale-syn"),
        N_("Let the RST through: the ghost ends, but the request has been served."),
    ),
    tags="opening",
    mutation=Mutation(
        N_("the server wants the handshake of three"), sysctls={"net.ipv4.tcp_fastopen": 1}
    ),
)
def stale_syn_two_way(lab: Lab) -> None:
    # 1 + 2: client and server; 4 and 0x200: neither asks for a cookie (ip-sysctl, tcp_fastopen)
    client, server = lab.pair(sysctls={"net.ipv4.tcp_fastopen": 0x207})
    listener = server.socket().bind(8888)
    listener.set_option(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 5).listen()
    sock = client.socket().bind(40000).set_option(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
    sock.connect(server, 8888).send(REQUEST)
    peer = listener.accept()
    lab.expect(peer.recv(), REQUEST, "what the server's program reads")
    lab.settle()
    first = lab.segments(flags="SYN")[0]
    lab.expect(first.length, len(REQUEST), "payload of the SYN, of which the network keeps a copy")
    sock.linger(0).close()
    peer.close()
    lab.settle()
    lab.expect(lab.sockets(client) + lab.sockets(server), [], "what both ends still know")

    lost = lab.wire.drop(rst.sent_by(client))
    late_syn(lab)
    ghost = listener.accept()
    lab.expect(ghost.recv(), REQUEST, "accept() and recv(): the same request a second time")
    lab.settle(unanswered=True)
    lab.expect(lab.sockets(client), [], "sockets of the client: it knows nothing of it")
    again = lab.segments(flags="SYN ACK")[-1]
    lab.expect(again.ack, 1 + len(REQUEST), "the late SYN and its data, acknowledged once more")
    lab.expect(lost.count >= 1, True, "RSTs of the client's kernel, lost on the way: {count}",
               count=int(lost.count))  # fmt: skip
    lab.claim(
        "with a handshake of two, a late SYN leaves a connection that nobody wanted",
        True,
        "the server's program accepted it and read the request again",
        source="B",
        evidence=[lab.segments(flags="SYN")[-1].frame],
    )
