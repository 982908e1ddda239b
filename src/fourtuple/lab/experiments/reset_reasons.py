"""Less common ways to a RST: what the kernel tells apart, though the wire shows the same."""

import socket

from fourtuple.errors import N_
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.hosts.baseline import LINUX_RTO_MIN
from fourtuple.lab.hosts.gauges import counters
from fourtuple.lab.script import Lab
from fourtuple.lab.wire.select import rst, syn, synack
from fourtuple.wire import UnknownOption

MESSAGE = b"still there?"
TCP = socket.IPPROTO_TCP
#: include/uapi/linux/in.h; the socket module has no name for it
IPPROTO_MPTCP = 262
#: the kind of Multipath TCP's options (RFC 8684, 3)
MPTCP = 30

NAMED = N_(
    "Let the kernel name its reason, as root: the event tcp_send_reset in /sys/kernel/tracing."
)


@experiment(
    covers="A12 cause:data-after-close reason:TCP_ABORT_ON_DATA reason:NO_SOCKET",
    question="Data for a closed socket: is the RST the same whatever the kernel kept of it?",
    background=(
        "After close() the kernel keeps a whole socket in FIN_WAIT1, and in FIN_WAIT2 where it is "
        "to wait more than 60 s; else a small one; after that time none. Its own reasons differ: "
        "TCP_ABORT_ON_DATA, TCP_TIMEWAIT_SOCKET, NO_SOCKET. The RST on the wire is the same. "
        "TCP_LINGER2 sets the time."
    ),
    try_next=(NAMED, N_("See the usual case, a small socket: lab run data-after-close")),
    tags="reset closing timer",
    mutation=Mutation(N_("the first orphan is a small socket"), values={"first_s": 30}),
)
def what_an_orphan_answers(lab: Lab) -> None:
    client, server = lab.pair(
        sysctls={**LINUX_RTO_MIN, "net.ipv4.tcp_fin_timeout": lab.value("first_s", 61)}
    )
    listener = server.socket().listen(8888)
    resets = []
    for seconds, kept in ((0, "keepalive"), (1, "time-wait")):
        sock = client.socket().connect(server, 8888)
        lab.settle()
        peer = listener.accept()
        if seconds:
            sock.set_option(TCP, socket.TCP_LINGER2, seconds)
        sock.close()
        lab.settle()
        orphan = lab.connection(client)
        lab.expect(orphan.state, "FIN_WAIT2", "the client's state after close()")
        lab.expect(orphan.timer, kept, "its timer: {kept}", kept=kept)
        if seconds:
            lab.until(lambda: not lab.sockets(client), N_("The client's socket is still there."))
        peer.send(MESSAGE)
        lab.settle()
        resets.append(lab.segments()[-1])
        lab.expect(lab.state(server), "CLOSED", "the server's socket after the RST")
    whole, none = resets
    lab.expect([whole.flags, none.flags], ["RST"] * 2, "answers of a whole socket, of none")
    lab.expect(whole.seq, none.seq, "their numbers")
    lab.expect(counters(client)["TcpExtTCPAbortOnData"], 1, "TCPAbortOnData: the whole socket's")
    lab.claim(
        "a closed socket is gone",
        "TCP_LINGER2 and net.ipv4.tcp_fin_timeout: it waits for the peer's FIN so long",
        "one was still in FIN_WAIT2 when data came, the other gone after 1 s; both answers are RST",
        source="A",
        evidence=[whole.frame, none.frame],
    )


@experiment(
    covers="reason:TCP_ABORT_ON_LINGER reason:TCP_ABORT_ON_DATA",
    question="What does a TCP_LINGER2 below 0 do to a half-closed connection?",
    background=(
        "It says that nobody is to wait in FIN_WAIT2. close() in that state then gives the "
        "connection up with RST ACK (tcp_close); where the program has closed already, the RST "
        "goes out as soon as the ACK of the FIN comes (tcp_rcv_state_process)."
    ),
    try_next=(NAMED, N_("Leave TCP_LINGER2 alone: the client waits 60 s for the server's FIN.")),
    tags="reset closing",
    mutation=Mutation(N_("TCP_LINGER2 is 60"), values={"linger2": 60}),
)
def no_fin_wait2(lab: Lab) -> None:
    client, server = lab.pair()
    listener = server.socket().listen(8888)
    for half in (True, False):
        sock = client.socket().connect(server, 8888)
        lab.settle()
        peer = listener.accept()
        sock.set_option(TCP, socket.TCP_LINGER2, lab.value("linger2", -1))
        before = len(lab.segments())
        if half:
            sock.shutdown("write")
            lab.settle()
            lab.expect(lab.state(client), "FIN_WAIT2", "half closed: the client's state")
        sock.close()
        lab.settle()
        steps = lab.segments()[before:]
        last = "RST ACK" if half else "RST"
        lab.expect(steps.flags, ["FIN ACK", "ACK", last], "the FIN, its ACK, and the RST")
        lab.expect(steps[-1].from_client, True, "the RST is sent by the client")
        lab.expect(lab.sockets(client), [], "sockets of the client")
        lab.expect(peer.recv(), b"", "recv() at the server: the FIN came first")
        peer.close()
    lab.claim(
        "the end that closes first waits",
        "TCP_LINGER2 and SO_LINGER: below 0, or with 0 s, nobody does",
        "the client closed first, twice, and its kernel kept no socket",
        source="E",
        evidence=steps.frames,
    )


@experiment(
    covers="cause:disconnected reason:TCP_DISCONNECT_WITH_DATA",
    question="A program has said FIN, but data still waits before it: what if it disconnects?",
    background=(
        "shutdown(SHUT_WR) queues the FIN behind data that a closed window holds back. In LAST_ACK "
        "a disconnect sends a RST only if something was not sent yet (tcp_disconnect, "
        "TCP_DISCONNECT_WITH_DATA): the peer would take the end for an orderly one otherwise."
    ),
    try_next=(NAMED, N_("Read at the client first: all is sent, and the disconnect is silent.")),
    tags="reset closing",
    mutation=Mutation(N_("little is sent, and nothing waits"), values={"bytes": 100}),
)
def disconnected_with_data(lab: Lab) -> None:
    client, server = lab.pair()
    listener = server.socket().listen(8888)
    sock = client.socket().set_option(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(server, 8888)
    lab.settle()
    peer = listener.accept()
    sent = peer.set_timeout(0).send(lab.bytes(lab.value("bytes", 40_000)))
    sock.shutdown("write")
    lab.settle()  # the client's kernel delays its last ACK: let it leave first
    peer.shutdown("write")
    lab.settle()
    lab.expect(lab.state(server), "LAST_ACK", "the server's state")
    arrived = sum(lab.segments(sent_by=server, payload=True).lengths)
    lab.expect(sent > arrived, True, "of {sent} bytes that send() took, {arrived} have been sent",
               sent=sent, arrived=arrived)  # fmt: skip
    fins = [s for s in lab.segments(sent_by=server) if "FIN" in s.flags]
    lab.expect(fins, [], "FINs that the server has sent")
    peer.disconnect()
    lab.settle()
    # a probe of the closed window may have been under way: its answer then draws a RST, too
    resets = [s for s in lab.segments(sent_by=server) if "RST" in s.flags]
    lab.expect([s.flags for s in resets[:1]], ["RST ACK"], "what the disconnect sends")
    lab.expect(lab.sockets(server), [], "connections of the server")
    lab.claim(
        "shutdown(SHUT_WR) sends a FIN",
        "what waits before it: the FIN goes after all data, and with the data it was given up",
        "the server's table said LAST_ACK, but no FIN had been sent when the RST was",
        source="E",
        evidence=[resets[0].frame],
    )


@experiment(
    covers="reason:TCP_ACK_UNSENT_DATA reason:TCP_TOO_OLD_ACK cause:invalid-ack",
    question="In SYN_RECV a wrong acknowledgment comes: does the attempt survive?",
    background=(
        "RFC 9293, 3.10.7.4: in SYN-RECEIVED an unacceptable ACK is answered with RST, and "
        "nothing else changes. Linux keeps a whole socket in SYN_RECV only where both ends called "
        "connect() (or with Fast Open); it tells an ACK of what was not sent from one too old "
        "(tcp_ack)."
    ),
    try_next=(NAMED, N_("Let both ends open at once, undisturbed: lab run simultaneous-open")),
    tags="reset opening",
    mutation=Mutation(N_("the forged ACK is right"), values={"ack": 1}),
)
def wrong_ack_in_syn_recv(lab: Lab) -> None:
    client, server = lab.pair()
    one, other = client.socket().bind(40000), server.socket().bind(40001)
    crossing = lab.wire.hold(syn.times(2))
    answers = lab.wire.hold(synack.times(2))
    first = one.begin.connect(server, 40001)
    crossing.wait(1)
    second = other.begin.connect(client, 40000)
    crossing.wait(2)
    crossing.release()
    answers.wait(2)
    lab.settle(unanswered=True)
    lab.expect(lab.state(client), "SYN_RECV", "the client's state: both have called connect()")
    lost = lab.wire.drop(rst.sent_by(client))
    pattern = lab.segments(sent_by=server, flags="SYN ACK")[0]
    for wrong in (lab.value("ack", 1001), -1000):
        before = len(lab.segments())
        lab.wire.inject(like=pattern, flags="ACK", seq=1, ack=wrong)
        lab.settle(unanswered=True)
        steps = lab.segments()[before:]
        lab.expect(steps.flags, ["ACK", "RST"], "the forged ACK of {wrong}, and its answer",
                   wrong=wrong)  # fmt: skip
        lab.expect(steps[1].raw_seq, steps[0].raw_ack, "the RST's number: what was acknowledged")
        lab.expect(lab.state(client), "SYN_RECV", "the client's state afterwards")
    lab.expect(lost.count, 2, "RSTs, lost on the way to the server")
    answers.release()
    first.result()
    second.result()
    lab.settle()
    lab.expect(lab.state(client), "ESTABLISHED", "the client's state after the real answer")
    lab.claim(
        "a RST that is sent ends the sender's connection",
        False,
        "the client sent two for wrong acknowledgments, and its own attempt went on",
        source="A",
        evidence=lost.frames,
    )


def multipath_server(address: str) -> None:
    """Listens for Multipath TCP, and plain TCP too, until it is ended."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM, IPPROTO_MPTCP) as listener:
        listener.bind((address, 8888))
        listener.listen()
        listener.accept()[0].recv(1)


@experiment(
    covers="reason:MPTCP_RST_EMPTCP",
    question="A SYN wants to join a Multipath TCP connection that nobody has: what comes back?",
    background=(
        "Multipath TCP (RFC 8684) spreads one connection over several subflows. A SYN with the "
        "option MP_JOIN names the connection by a token; the kernel refuses one that it does not "
        "know with RST, reason MPTCP_RST_EMPTCP (subflow_check_req). The same SYN without the "
        "option is answered as any other."
    ),
    try_next=(
        NAMED,
        N_("Open a real one, with IPPROTO_MPTCP, and look at the options of its SYN."),
    ),
    tags="reset opening",
    needs="/proc/sys/net/mptcp/enabled",
    mutation=Mutation(N_("the SYN has no option MP_JOIN"), values={"kind": 253}),
)
def unknown_token(lab: Lab) -> None:
    client, server = lab.pair()
    serving = server.run(multipath_server, server.address)
    lab.settle()
    client.socket().connect(server, 8888)
    lab.settle()
    plain = lab.segments()
    lab.expect(plain.flags, ["SYN", "SYN ACK", "ACK"], "a plain connection to the same listener")
    token_and_number = bytes(range(8))
    join = UnknownOption(lab.value("kind", MPTCP), b"\x10\x01" + token_and_number)
    lab.wire.drop(rst.sent_by(client), optional=True)
    lab.wire.inject(like=plain[0], source_port=40000, options=(join,))
    lab.settle(unanswered=True)
    steps = lab.segments(port=40000)
    lab.expect(steps.flags, ["SYN", "RST ACK"], "the SYN that wants to join, and its answer")
    lab.expect(steps[1].ack, 1, "the RST acknowledges the SYN")
    lab.expect(len(lab.sockets(server)), 1, "connections of the server: the plain one")
    lab.expect(serving.running, True, "the server's program runs")
    lab.claim(
        "a RST shows that no program listens on the port",
        False,
        "a program listened, and had just been given a connection; only the join was refused",
        source="A",
        evidence=[steps[1].frame],
    )
