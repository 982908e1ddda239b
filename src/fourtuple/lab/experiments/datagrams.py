"""The same over UDP: fragments instead of segments, and nobody who notices a loss (row A9)."""

from fourtuple.errors import N_
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.script import Lab
from fourtuple.lab.wire.select import fragment
from fourtuple.wire import Ipv6FragmentView, Packet

SIZE = 2934
PORT, UNUSED_PORT = 8888, 9999
#: what an MTU of 1500 leaves for the parts of 2934 + 8 bytes: IPv4 1480 and the rest; IPv6 has a
#: fragment header of 8 more, and every part but the last is a multiple of 8 (RFC 8200, 4.5)
PARTS = {4: [1480, 1462], 6: [1448, 1448, 46]}


def _carried(packet: Packet) -> int:
    """How many bytes of the IP packet are neither IP's header nor IPv6's fragment header."""
    head = packet.layer(Ipv6FragmentView) or packet.ip
    return head.payload_length if head else 0


@experiment(
    covers="A9",
    question="How do 2934 bytes cross the wire over UDP?",
    background=(
        "UDP makes one datagram of one send and cuts nothing. What does not fit the MTU, IP cuts: "
        "every fragment has an IP header, only the first has UDP's 8 bytes with the ports (RFC "
        "791, 2.3; RFC 8200, 4.5). There is no handshake, and no acknowledgment."
    ),
    try_next=(
        N_("Send the same with TCP: lab run segments."),
        N_("Lose one of the fragments: lab run udp-loss."),
    ),
    tags="udp",
    mutation=Mutation(N_("the message fits a single packet"), values={"size": 1000}),
)
def udp_fragments(lab: Lab) -> None:
    client, server = lab.pair()
    receiver = server.socket("datagram").bind(PORT)
    sender = client.socket("datagram")
    message = lab.bytes(lab.value("size", SIZE))
    lab.expect(sender.send_to(message, server, PORT), len(message), "what sendto() returns")
    lab.settle()

    packets = lab.packets()
    frames = [one.number for one in packets]
    parts = [_carried(one.packet) for one in packets]
    lab.expect(parts, PARTS[lab.family], "bytes of UDP in each fragment", evidence=frames)
    lab.expect(sum(parts), SIZE + 8, "their sum: the message and UDP's header")
    ports = [one.packet.udp is not None for one in packets]
    lab.expect(ports, [True, *[False] * (len(parts) - 1)], "which of them have a UDP header")
    lab.expect(receiver.recv_from(), message, "what one recvfrom() at the server returns: all")
    lab.claim(
        "UDP has no handshake and may lose data",
        True,
        "the first packet on the wire carried data, and nothing came back",
        source="A",
        evidence=frames,
    )


@experiment(
    covers="A9",
    question="Who notices that a datagram was lost?",
    background=(
        "UDP keeps no copy, no number and no timer (RFC 768). sendto() returns once the datagram "
        "is handed on. Where one fragment is missing, the receiver's kernel drops the others when "
        "the time to reassemble is over (net.ipv4.ipfrag_time, 30 s); its program hears nothing."
    ),
    try_next=(N_("Lose a segment of TCP instead: lab run lost-segment."),),
    tags="udp loss",
    mutation=Mutation(N_("the wire drops nothing"), values={"drop": False}),
)
def udp_loss(lab: Lab) -> None:
    client, server = lab.pair()
    receiver = server.socket("datagram").bind(PORT)
    sender = client.socket("datagram")
    if lab.value("drop", True):
        lab.wire.drop(fragment.sent_by(client).nth(2))
    message = lab.bytes(SIZE)
    lab.expect(sender.send_to(message, server, PORT), SIZE, "what sendto() returns, as ever")
    sender.send_to(b"the next", server, PORT)
    lab.settle()
    lab.expect(receiver.recv_from(), b"the next", "the first datagram that the server gets")
    receiver.set_timeout(0)
    lab.expect_error("EAGAIN", receiver.recv_from, "is there another one? recvfrom()")
    lab.expect(lab.packets(sent_by=server), [], "packets with which the server says so")
    lab.claim(
        "UDP has no handshake and may lose data",
        True,
        "one fragment was lost, and with it the whole datagram; sendto() had returned {size}, and "
        "nobody was told",
        source="A",
        evidence=[one.number for one in lab.packets(sent_by=client)],
        size=SIZE,
    )


@experiment(
    covers="A9",
    question="What does UDP do where nobody listens, and what has no sense there?",
    background=(
        "The kernel of a host without a socket for a datagram answers with ICMP: port unreachable "
        "(RFC 1122, 4.1.3.1). A sender hears of it at its next call, and only on a connected "
        "socket (__udp4_lib_err). A datagram socket has no listen() and no accept(): EOPNOTSUPP."
    ),
    try_next=(N_("Leave connect() out: the sender never hears of it."),),
    tags="udp",
    mutation=Mutation(N_("a program waits at that port"), values={"port": PORT}),
)
def udp_port_unreachable(lab: Lab) -> None:
    client, server = lab.pair()
    waiting = server.socket("datagram").bind(PORT)
    sender = client.socket("datagram").connect(server, lab.value("port", UNUSED_PORT))
    lab.expect(lab.packets(), [], "packets that connect() sent: it only notes the address")
    lab.expect(sender.send(b"anybody?"), 8, "what the first send() returns")
    lab.settle()
    answers = lab.packets(sent_by=server)
    icmp = [answer.packet.icmp is not None for answer in answers]
    lab.expect(icmp, [True], "the server's kernel answers with one ICMP message")
    (told,) = answers
    message = told.packet.icmp
    kind = (message.type, message.code) if message else None
    unreachable = (3, 3) if lab.family == 4 else (1, 4)
    lab.expect(kind, unreachable, "its type and code: port unreachable", evidence=[told.number])
    lab.expect_error("ECONNREFUSED", lambda: sender.send(b"hello?"), "the second send()")
    lab.expect_error("EOPNOTSUPP", waiting.listen, "listen() on a datagram socket")
    lab.claim(
        "replacing SOCK_STREAM by SOCK_DGRAM is enough to use UDP",
        False,
        "listen() on a datagram socket fails: EOPNOTSUPP; a server only binds and receives",
        source="A",
    )
