"""Many small writes: Nagle, delayed acknowledgments, both together, and what turns them off (row
D9)."""

import socket

from fourtuple.errors import N_
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.hosts.baseline import PATIENT
from fourtuple.lab.hosts.gauges import counters
from fourtuple.lab.hosts.host import Host
from fourtuple.lab.script import Lab
from fourtuple.lab.wire.select import pure_ack

BYTES = b"abcdefghijklmnopqrst"
TCP = socket.IPPROTO_TCP
#: Linux's least delay of an acknowledgment (TCP_DELACK_MIN), less a tick of its slowest clock
DELAYED_NS = 30_000_000


@experiment(
    covers="D9 C7",
    question="How many segments do 20 writes of one byte make?",
    background=(
        "Nagle's algorithm: while sent data is not acknowledged, less than a full segment waits "
        "(RFC 9293, 3.7.4); TCP_NODELAY turns it off. SO_SNDBUF limits what waits in the kernel, "
        "not a segment, and 20 is raised to its least (SOCK_MIN_SNDBUF). With Nagle, the wire "
        "holds the ACK of the first byte until all is written."
    ),
    try_next=(
        N_("Write all 20 bytes with one send(): one segment, with either setting."),
        N_("Let the ACK pass, and count how many segments there are then."),
    ),
    tags="nagle",
    mutation=Mutation(N_("TCP_NODELAY is set on both sockets"), values={"nagle": False}),
)
def byte_by_byte(lab: Lab) -> None:
    client, server = lab.pair(sysctls=PATIENT)
    listener = server.socket().listen(8888)
    lengths = {}
    for nodelay in (True, not lab.value("nagle", True)):
        sock = client.socket().set_option(TCP, socket.TCP_NODELAY, int(nodelay))
        sock.set_option(socket.SOL_SOCKET, socket.SO_SNDBUF, 20)
        size = sock.option(socket.SOL_SOCKET, socket.SO_SNDBUF)
        lab.expect(size > 20, True, "SO_SNDBUF 20 is raised: it is {size}", size=size)
        sock.connect(server, 8888)
        lab.settle()
        peer = listener.accept()
        before = len(lab.segments(payload=True))
        held = None if nodelay else lab.wire.hold(pure_ack.sent_by(server))
        for byte in BYTES:
            sock.send(bytes([byte]))
            if nodelay:
                lab.settle()
        if held:
            held.stop()
        lab.expect(peer.recv_exactly(20), BYTES, "what the server reads, in either case")
        lab.settle()
        sent = lab.segments(payload=True)[before:]
        lengths[nodelay] = sent.lengths
    lab.expect(lengths[True], [1] * 20, "payloads with TCP_NODELAY")
    lab.expect(lengths.get(False), [1, 19], "payloads with Nagle: what waited leaves together")
    lab.claim(
        "SO_SNDBUF decides how many bytes a segment carries",
        False,
        "20 bytes became {without} segments with TCP_NODELAY and {with_nagle} with Nagle; "
        "SO_SNDBUF was {size} both times",
        source="D",
        evidence=sent.frames,
        without=len(lengths[True]),
        with_nagle=len(lengths[False]),
        size=size,
    )


@experiment(
    covers="beyond:delayed-ack-nagle",
    question="When does a kernel acknowledge at once, and when does it wait?",
    background=(
        "Two full segments are acknowledged at once (RFC 9293, 3.8.6.3). For less, Linux waits "
        "in a dialogue: 40 ms, so that the answer of the program can take the ACK along "
        "(tcp_send_delayed_ack, TCP_DELACK_MIN). A new connection begins in quick-ack mode; the "
        "first answer ends it, and so does TCP_QUICKACK 0."
    ),
    try_next=(
        N_("Have the server answer at once: then no ACK leaves alone."),
        N_("Let the client write twice before it reads: lab run write-write-read."),
    ),
    tags="nagle ack",
    mutation=Mutation(N_("TCP_QUICKACK is 1 instead of 0"), values={"quick": True}),
)
def delayed_ack(lab: Lab) -> None:
    client, server = lab.pair(timestamps=False, sysctls=PATIENT)
    sock, peer = lab.connected(client, server)
    sock.send(b"first")
    lab.settle()
    first, ack = lab.segments()[-2:]
    lab.expect(ack.ack, first.next_seq, "the first data of the connection is acknowledged alone")
    lab.expect(_delayed(server), 0, "acknowledgments that the server has delayed: none yet")

    # an answer within 40 ms makes it a dialogue, too, but a busy machine may not be that quick
    peer.set_option(TCP, socket.TCP_QUICKACK, int(lab.value("quick", False)))
    sock.send(b"second")
    lab.settle()
    second, late = lab.segments()[-2:]
    lab.expect(_delayed(server), 1, "acknowledgments delayed, after the next message")
    lab.expect(late.ack, second.next_seq, "the delayed one acknowledges it")
    waited_ns = late.t_ns - second.fact.left_ns
    lab.expect(waited_ns >= DELAYED_NS, True, "it waited: {ms} ms", ms=waited_ns // 1_000_000)

    full = lab.payload_per_segment
    sock.send(lab.bytes(2 * full))
    lab.settle()
    prompt = lab.segments()[-1]
    lab.expect(prompt.ack, second.next_seq + 2 * full, "two full segments: the last ack")
    lab.expect(_delayed(server), 1, "acknowledgments delayed: no more, so these came at once")
    lab.claim(
        "every segment with data is acknowledged at once",
        N_("how much came, and whether the connection is a dialogue by now"),
        "the first message was; a later one only after {ms} ms; two full segments at once",
        source="A",
        evidence=[ack.frame, late.frame, prompt.frame],
        ms=waited_ns // 1_000_000,
    )


def _delayed(host: Host) -> int:
    """How many delayed acknowledgments the host has sent."""
    return counters(host)["TcpExtDelayedACKs"]


@experiment(
    covers="beyond:delayed-ack-nagle D9",
    question="Why does writing twice before reading cost 40 ms?",
    background=(
        "The second small write waits for the ACK of the first (Nagle), and the peer's kernel "
        "delays that ACK, for its program cannot answer half a request. Both wait, until the timer "
        "of the delayed ACK fires: 40 ms. One write, or TCP_NODELAY, ends it (RFC 9293, 3.7.4)."
    ),
    try_next=(
        N_("Set TCP_NODELAY at the client: the second segment does not wait."),
        N_("Set TCP_QUICKACK to 1 at the server before each recv()."),
    ),
    tags="nagle ack",
    mutation=Mutation(N_("TCP_NODELAY is set at the client"), values={"nodelay": 1}),
)
def write_write_read(lab: Lab) -> None:
    client, server = lab.pair()
    sock, peer = lab.connected(client, server)
    sock.set_option(TCP, socket.TCP_NODELAY, lab.value("nodelay", 0))
    peer.set_option(TCP, socket.TCP_QUICKACK, 0)  # a dialogue, as after the first answer

    before, delayed = len(lab.segments()), _delayed(server)
    sock.send(b"head ")
    sock.send(b"body")
    lab.expect(peer.recv_exactly(9), b"head body", "the request, as the server reads it")
    peer.send(b"done")
    lab.expect(sock.recv(), b"done", "the answer")
    lab.settle()
    head, ack, body = lab.segments()[before : before + 3]
    lab.expect(
        [head.length, ack.length, body.length], [5, 0, 4], "head, an ACK from the server, then body"
    )
    lab.expect(ack.ack, head.next_seq, "what the ACK acknowledges: the head")
    lab.expect(_delayed(server) - delayed, 1, "delayed acknowledgments meanwhile")
    waited_ns = body.t_ns - head.t_ns
    lab.expect(waited_ns >= DELAYED_NS, True, "the body waited {ms} ms", ms=waited_ns // 1_000_000)

    sock.send(b"head body")
    lab.expect(peer.recv(), b"head body", "the cure: the same request with one write")
    peer.send(b"done")
    sock.recv()
    lab.settle()
    cured = lab.segments(sent_by=client, payload=True)[-1]
    lab.expect(cured.length, 9, "the cured request is one segment")
    lab.claim(
        "small writes are sent as soon as they are made",
        N_("Nagle's algorithm: it is on unless TCP_NODELAY is set"),
        "the second write left {ms} ms later, once the ACK of the first had come",
        source="D",
        evidence=[head.frame, ack.frame, body.frame],
        ms=waited_ns // 1_000_000,
    )


@experiment(
    covers="D9",
    question="How does a program tell the kernel that more is to come?",
    background=(
        "TCP_CORK keeps back what does not fill a segment until the cork is pulled, or for 200 ms "
        "(tcp(7)); MSG_MORE does so for one send(). Web servers use it to put head and file into "
        "the same segments."
    ),
    try_next=(N_("Leave the cork in: what waits leaves after 200 ms."),),
    tags="nagle",
    mutation=Mutation(N_("the cork is never put in"), values={"cork": 0}),
)
def cork(lab: Lab) -> None:
    client, server = lab.pair(timestamps=False)
    sock, peer = lab.connected(client, server)
    full = lab.payload_per_segment
    parts = [b"head ", lab.bytes(full), b"tail"]
    sock.set_option(TCP, socket.TCP_CORK, lab.value("cork", 1))
    for part in parts:
        sock.send(part)
    sock.set_option(TCP, socket.TCP_CORK, 0)
    lab.settle()
    sent = lab.segments(payload=True)
    lab.expect(sent.lengths, [full, 9], "payloads: a full segment, and the rest at the end")
    lab.expect(peer.recv_exactly(full + 9), b"".join(parts), "what the server reads")

    sock.call("send", parts[0], int(socket.MSG_MORE)).result()
    sock.send(parts[2])
    lab.settle()
    more = lab.segments(payload=True)[2:]
    lab.expect(more.lengths, [9], "payloads: one send() with MSG_MORE, and one without")
    lab.claim(
        "every send() makes a segment",
        False,
        "{sends} calls of send() became {segments} segments",
        source="E",
        evidence=sent.frames,
        sends=len(parts),
        segments=len(sent),
    )
