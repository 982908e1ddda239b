"""A path that takes smaller packets than its ends: with word of it, and without (a black hole)."""

from fourtuple.errors import N_
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.hosts.baseline import LINUX_RTO_MIN
from fourtuple.lab.hosts.gauges import tcp_info
from fourtuple.lab.script import Lab
from fourtuple.lab.wire.select import data

#: less than Ethernet's 1500, more than the least that IPv6 allows (1280)
NARROW = 1300


@experiment(
    covers="beyond:path-mtu-black-hole",
    question="How does a sender learn that the path takes smaller packets?",
    background=(
        "TCP forbids routers to cut its packets (the DF bit; IPv6 never allows it). A router that "
        "cannot pass one on drops it and says so, with the size that it takes: fragmentation "
        "needed, packet too big. The sender keeps that as the path's MTU and cuts smaller segments "
        "(RFC 1191, RFC 8201)."
    ),
    try_next=(N_("Have the router say nothing: lab run path-mtu-black-hole."),),
    tags="mtu loss",
    mutation=Mutation(N_("the path takes 1500"), values={"mtu": 1500}),
)
def path_mtu(lab: Lab) -> None:
    client, server = lab.pair(timestamps=False)
    sock, peer = lab.connected(client, server)
    lab.wire.mtu(data.sent_by(client), lab.value("mtu", NARROW))
    before = tcp_info(sock)
    message = lab.bytes(2 * lab.payload_per_segment)
    sock.send(message)
    lab.settle()

    fits = lab.payload_per_segment - (1500 - NARROW)
    lab.expect(before.pmtu, 1500, "the path's MTU as the client had it: its link's")
    lab.expect(tcp_info(sock).pmtu, NARROW, "the path's MTU as the client has it now")
    words = [one for one in lab.packets() if one.packet.icmp is not None]
    told = [(one.packet.icmp.type, one.packet.icmp.code) for one in words if one.packet.icmp]
    kind = (3, 4) if lab.family == 4 else (2, 0)
    lab.expect(told[:1], [kind], "type and code of the ICMP message: the packet is too big")
    sent = lab.segments(sent_by=client, payload=True)
    passed = [int(s.length) for s in sent if s.arrived]
    lab.expect(max(passed), fits, "the largest segment that got through")
    lab.expect(sum(passed), len(message), "bytes that got through, each once")
    lab.expect(peer.recv_exactly(len(message)), message, "what the server's program reads")
    lab.claim(
        "a segment of an Ethernet carries 1460 bytes of data",
        N_("the narrowest link of the path"),
        "a router on the path took {mtu} bytes: the segments were cut to {size} bytes of data",
        source="A",
        evidence=[words[0].number, *[s.frame for s in sent if s.arrived]],
        mtu=NARROW,
        size=fits,
    )


@experiment(
    covers="beyond:path-mtu-black-hole",
    question="Why does a connection open, and then hang at the first large message?",
    background=(
        "Where a firewall drops the ICMP message, small segments pass, large ones vanish, and "
        "nobody says why: a black hole (RFC 2923, 2.1). Linux cures it by itself only if "
        "net.ipv4.tcp_mtu_probing is 1: after tcp_retries1 time-outs it tries smaller segments "
        "(RFC 4821)."
    ),
    try_next=(
        N_("Let the ICMP message pass: lab run path-mtu."),
        N_("Clamp the MSS on the way: lab.wire.rewrite(syn, mss=1200)."),
    ),
    tags="mtu loss timer",
    mutation=Mutation(N_("the path takes 1500"), values={"mtu": 1500}),
)
def path_mtu_black_hole(lab: Lab) -> None:
    client, server = lab.pair(
        timestamps=False, sysctls={**LINUX_RTO_MIN, "net.ipv4.tcp_retries1": 0}
    )
    lab.wire.mtu(client, lab.value("mtu", NARROW), icmp=False, optional=True)
    sock, peer = lab.connected(client, server)
    sock.send(b"a small one")
    lab.settle()
    lab.expect(peer.recv(), b"a small one", "the small message arrives")

    message = lab.bytes(2 * lab.payload_per_segment)
    sock.send(message)
    lab.until(
        lambda: lab.connection(client).retransmits or lab.connection(server).recv_q,
        "The large message has neither arrived nor been sent again.",
    )
    lab.expect(lab.connection(server).recv_q, 0, "bytes of the large message that have arrived")
    repeated = lab.connection(client).retransmits
    lab.expect(repeated >= 1, True, "it was sent again: {count}", count=repeated)
    lab.expect(lab.packets(sent_by=server)[-1].packet.icmp, None, "ICMP messages that tell of it")

    client.sysctl("net.ipv4.tcp_mtu_probing", 1)
    lab.settle()
    size = tcp_info(sock).snd_mss
    lab.expect(size < lab.payload_per_segment, True, "the cure: segments of {n} bytes", n=size)
    lab.expect(peer.recv_exactly(len(message)), message, "what the server's program reads, at last")
    sent = lab.segments(sent_by=client, payload=True)
    lab.claim(
        "a connection that opens can carry data",
        N_("the size: what is small passes, what is large may not"),
        "the handshake and a small message passed; frames of 1500 bytes were dropped silently, "
        "until the sender tried segments of {size} bytes by itself",
        source="A",
        evidence=[s.frame for s in sent if not s.arrived][:2],
        size=size,
    )
