"""Less common ways to open a connection: the third segment lost or with data, simultaneous open,
Fast Open; and what the initial numbers are made of."""

import socket

from fourtuple.errors import N_
from fourtuple.event.model import Call
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.hosts.gauges import counters
from fourtuple.lab.hosts.sockets import HostSocket
from fourtuple.lab.script import Lab
from fourtuple.lab.wire.select import pure_ack, syn

MESSAGE = b"GET / HTTP/1.0\r\n\r\n"
REPLY = b"HTTP/1.0 200 OK\r\n\r\n"
#: include/uapi/linux/tcp.h; the socket module does not have it
TCP_FASTOPEN_CONNECT = 30
#: the clock of initial sequence numbers (net/core/secure_seq.c, seq_scale)
TICK_NS = 64
#: that clock may be adjusted while ours is not
TOLERANCE_NS = 1_000_000


@experiment(
    covers="A5 E2",
    question="The third segment of the handshake is lost: who believes what, and what repairs it?",
    background=(
        "The client is ESTABLISHED when the SYN ACK arrives, the server only when it learns that "
        "its SYN ACK did. Every later segment of the client carries the same acknowledgment: the "
        "first data completes the handshake (RFC 9293, 3.5; tcp_check_req)."
    ),
    try_next=(
        N_("Send nothing: after 1 s the server repeats its SYN ACK, and the client its ACK."),
        N_("Let the accept queue be full meanwhile: lab run overflow-at-ack"),
    ),
    tags="opening loss",
    mutation=Mutation(N_("the third segment is not lost"), values={"lose": False}),
)
def third_segment_lost(lab: Lab) -> None:
    client, server = lab.pair()
    listener = server.socket().listen(8888)
    if lab.value("lose", True):
        lab.wire.drop(pure_ack.sent_by(client).first())
    sock = client.socket().connect(server, 8888)
    lab.settle(unanswered=True)
    lab.expect(lab.state(client), "ESTABLISHED", "the client's state: connect() has returned")
    lab.expect(
        lab.state(server), "SYN_RECV", "the server's state: it has not heard from the client"
    )
    lab.expect(lab.sockets(server, listening=True)[0].recv_q, 0, "connections ready for accept()")

    sock.send(MESSAGE)
    lab.settle()
    first_data = lab.segments(sent_by=client, payload=True)[0]
    lab.expect([first_data.seq, first_data.ack], [1, 1], "seq and ack of the client's first data")
    lab.expect(lab.state(server), "ESTABLISHED", "the server's state after it")
    lab.expect(lab.states(server).frames[-1], first_data.frame, "the frame that completed it")
    lab.expect(listener.accept().recv(), MESSAGE, "what the server's program reads")
    lab.claim(
        "both ends are ESTABLISHED when the third segment is sent",
        False,
        "it was sent and lost: the client was ESTABLISHED, the server SYN_RECV until data came",
        source="A",
        evidence=[first_data.frame],
    )


@experiment(
    covers="A5",
    question="May the third segment of the handshake carry data?",
    background=(
        "RFC 9293, 3.4 and 3.5, allow data with the ACK that completes the handshake. Linux sends "
        "a bare ACK at once, for connect() returns before the program can send anything; with "
        "TCP_QUICKACK off it waits a little for data to take the ACK along "
        "(tcp_rcv_synsent_state_process)."
    ),
    try_next=(
        N_("Send nothing after connect(): the bare ACK leaves a little later."),
        N_("Send data with the first segment even: lab run fast-open"),
    ),
    tags="opening",
    mutation=Mutation(N_("TCP_QUICKACK is left on"), values={"quickack": 1}),
)
def third_segment_with_data(lab: Lab) -> None:
    client, server = lab.pair()
    listener = server.socket().listen(8888)
    client.socket().connect(server, 8888)
    lab.settle()
    plain = lab.segments()
    lab.expect(plain.lengths, [0, 0, 0], "payload of the three segments, by default")

    sock = client.socket()
    sock.set_option(socket.IPPROTO_TCP, socket.TCP_QUICKACK, lab.value("quickack", 0))
    sock.connect(server, 8888).send(MESSAGE)
    lab.settle()
    steps = lab.segments()[3:]
    lab.expect(
        steps.flags[:3], ["SYN", "SYN ACK", "PSH ACK"], "the first three with TCP_QUICKACK off"
    )
    lab.expect(steps[2].length, len(MESSAGE), "payload of the third")
    lab.expect(steps[2].ack, 1, "it acknowledges the server's SYN")
    lab.expect(len(lab.sockets(server, listening=True)), 1, "listeners")
    listener.accept()
    lab.expect(listener.accept().recv(), MESSAGE, "what the server's program reads")
    lab.claim(
        "the third segment of the handshake may carry data",
        True,
        "one carried {bytes} bytes, and the server's program read them",
        source="A",
        evidence=[steps[2].frame],
        bytes=len(MESSAGE),
    )
    lab.claim(
        "the third segment of the handshake may not carry data",
        False,
        "by default it carries none, but it may: the second did, and was taken",
        source="C",
        evidence=[plain[2].frame, steps[2].frame],
    )


@experiment(
    covers="A5 beyond:simultaneous-open",
    question="Both ends call connect() at the same time, and nobody listens: does it work?",
    background=(
        "Two SYNs that cross open one connection: each end goes from SYN_SENT to SYN_RECV and "
        "answers with a SYN ACK (RFC 9293, 3.5, figure 7). Both must know the other's port before, "
        "as when two hosts behind NAT meet. The wire holds both SYNs until both are under way."
    ),
    try_next=(
        N_("Let one SYN arrive before the other end calls connect(): it is answered with RST."),
        N_("Connect a socket to its own address and port: it opens with itself."),
    ),
    tags="opening",
    mutation=Mutation(N_("the SYNs do not cross"), values={"cross": False}, error="CallFailed"),
)
def simultaneous_open(lab: Lab) -> None:
    client, server = lab.pair()
    one, other = client.socket().bind(40000), server.socket().bind(40001)
    if not lab.value("cross", True):
        one.connect(server, 40001)
    crossing = lab.wire.hold(syn.times(2))
    first = one.begin.connect(server, 40001)
    crossing.wait(1)
    second = other.begin.connect(client, 40000)
    crossing.wait(2)
    crossing.release()
    first.result()
    second.result()
    lab.settle()

    steps = lab.segments()
    lab.expect(steps.flags[:2], ["SYN", "SYN"], "the first two segments: two SYNs that cross")
    lab.expect(steps.flags[2:4], ["SYN ACK", "SYN ACK"], "and two SYN ACKs")
    lab.expect(lab.states(client), ["SYN_SENT", "SYN_RECV", "ESTABLISHED"], "states at the client")
    lab.expect(lab.states(server), ["SYN_SENT", "SYN_RECV", "ESTABLISHED"], "states at the server")
    lab.expect(lab.sockets(server, listening=True), [], "listeners")
    one.send(MESSAGE)
    lab.expect(other.recv(), MESSAGE, "what one end sends, the other reads")
    lab.claim(
        "a connection needs a server that listens",
        False,
        "nobody listened: both called connect(), and one connection came of it",
        source="D",
        evidence=steps.frames[:4],
    )


@experiment(
    covers="beyond:fast-open",
    question="How can data travel with the SYN, before any handshake?",
    background=(
        "TCP Fast Open (RFC 7413): on the first visit the client asks for a cookie; with it, later "
        "SYNs may carry data, and the server's program may read it before the third segment comes. "
        "A duplicated SYN can then be read twice: only for requests that may be repeated."
    ),
    try_next=(
        N_("Let the network repeat such a SYN: lab run stale-syn-two-way"),
        N_("Set TCP_FASTOPEN on no listener: the data is sent again after the handshake."),
    ),
    tags="opening",
    mutation=Mutation(
        N_("the server does not speak Fast Open"), sysctls={"net.ipv4.tcp_fastopen": 1}
    ),
)
def fast_open(lab: Lab) -> None:
    client, server = lab.pair(sysctls={"net.ipv4.tcp_fastopen": 3})
    listener = server.socket().bind(8888)
    listener.set_option(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 5).listen()

    def visit() -> HostSocket:
        sock = client.socket().set_option(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
        sock.connect(server, 8888).send(MESSAGE)
        return listener.accept()

    lab.expect(visit().recv(), MESSAGE, "the first visit: what the server reads")
    lab.settle()
    syns = lab.segments(flags="SYN")
    lab.expect(syns[0].length, 0, "payload of the first SYN: it asks for a cookie")

    third = lab.wire.hold(pure_ack.sent_by(client).first())
    peer = visit()
    lab.expect(peer.recv(), MESSAGE, "the second visit: read while the third segment is held back")
    peer.send(REPLY)
    lab.settle(unanswered=True)
    quick = lab.segments(flags="SYN")[-1]
    answer = lab.segments(flags="SYN ACK")[-1]
    lab.expect(quick.length, len(MESSAGE), "payload of the second SYN")
    lab.expect(answer.ack, 1 + len(MESSAGE), "the SYN ACK acknowledges SYN and data")
    third.release()
    lab.settle()
    counted = counters(server)
    lab.expect(
        counted["TcpExtTCPFastOpenPassive"], 1, "connections opened so, by the server's count"
    )
    lab.claim(
        "a SYN carries no data",
        "TCP Fast Open: with a cookie it may",
        "this SYN carries {bytes} bytes, and the program had read them before the handshake was "
        "over",
        source="A",
        evidence=[quick.frame],
        bytes=len(MESSAGE),
    )


def milliseconds(t_ns: int) -> float:
    """Rounded to be read."""
    return round(t_ns / 1e6, 1)


@experiment(
    covers="A5",
    question="Are initial sequence numbers random?",
    background=(
        "RFC 9293, 3.4.1: a clock plus a secret hash of the four-tuple. On Linux the clock ticks "
        "every 64 ns (secure_tcp_seq). To strangers the numbers look random; for one four-tuple "
        "they only follow the clock, so that an old connection's numbers stay behind."
    ),
    try_next=(
        N_("See what this is good for, a SYN that comes late: lab run stale-syn-time-wait"),
        N_("Compare the numbers of two client ports: they have nothing in common."),
    ),
    tags="opening",
    mutation=Mutation(N_("the second comes from another port"), values={"port": 40001}),
)
def initial_numbers(lab: Lab) -> None:
    client, server = lab.pair()
    server.socket().listen(8888)
    for port in (40000, lab.value("port", 40000)):
        client.socket().bind(port).linger(0).connect(server, 8888).close()
        lab.settle()
    calls = [call for call in lab.timeline().of(Call) if call.name == "connect"]
    for flags, whose in (("SYN", N_("client")), ("SYN ACK", N_("server"))):
        first, second = lab.segments(flags=flags)
        # each number is made after the call of connect() and before its segment is sent
        least_ns, most_ns = calls[1].t_ns - first.t_ns, second.t_ns - calls[0].t_ns
        ticks = (second.raw_seq - first.raw_seq) % 2**32
        fits = least_ns - TOLERANCE_NS <= ticks * TICK_NS <= most_ns + TOLERANCE_NS
        lab.expect(
            fits,
            True,
            "{whose}: {ticks} ticks of 64 ns between the two numbers are {ms} ms; between the "
            "two segments passed {least} to {most} ms",
            evidence=[first.frame, second.frame],
            whose=whose,
            ticks=ticks,
            ms=milliseconds(ticks * TICK_NS),
            least=milliseconds(least_ns),
            most=milliseconds(most_ns),
        )
    syns = lab.segments(flags="SYN")
    apart_ns = int(syns[1].raw_seq - syns[0].raw_seq) % 2**32 * TICK_NS
    lab.expect(syns[0].raw_seq != first.raw_seq, True, "both ends begin with numbers of their own")
    lab.claim(
        "the initial sequence number is random",
        False,
        "two of one four-tuple are {ms} ms apart by a clock that ticks every 64 ns; only where "
        "that clock begins is a secret",
        source="A",
        evidence=syns.frames,
        ms=milliseconds(apart_ns),
    )
