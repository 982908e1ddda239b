"""Why a capture may show one segment larger than the MTU: three causes, told apart (row A8)."""

from fourtuple.errors import N_
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.hosts.host import Host
from fourtuple.lab.hosts.sockets import HostSocket
from fourtuple.lab.script import Lab
from fourtuple.lab.wire.select import data
from fourtuple.wire import MaximumSegmentSize

SIZE = 2934
#: as large as that of the loopback interface, or nearly: a veth takes no 65536
LARGE_MTU = 65535


def send(lab: Lab, client: Host, server: Host) -> HostSocket:
    """Open a connection, send once, and have the server read it all; the client's socket."""
    sock, peer = lab.connected(client, server)
    message = lab.bytes(SIZE)
    lab.expect(sock.send(message), SIZE, "what send({size}) returns", size=SIZE)
    lab.expect(peer.recv_exactly(SIZE), message, "what the server's program reads")
    lab.settle()
    return sock


def cut(lab: Lab) -> list[int]:
    """How the wire must carry it."""
    full = lab.payload_per_segment
    return [full, full, SIZE - 2 * full]


@experiment(
    covers="A8",
    question="Why may a capture at the sender show one segment of 2934 bytes, twice the MSS?",
    background=(
        "A kernel may leave the cutting of segments and the checksums to the network card (TSO). "
        "It hands over one large segment, and that is what a capture on the sender shows; the card "
        "cuts it (Documentation/networking/segmentation-offloads.rst). Here the wire is the card: "
        "one run shows both sides of it."
    ),
    try_next=(
        N_(
            "Save the run (--save offload.pcapng) and open it in Wireshark: each frame's interface "
            "says where it was seen, at the client or on the wire."
        ),
        N_(
            "Switch offload off, with lab.pair(), and compare: the kernel cuts the segments itself."
        ),
    ),
    tags="segments offload",
    mutation=Mutation("the client's kernel cuts its segments itself", values={"offload": ()}),
)
def offload(lab: Lab) -> None:
    client, server = lab.pair(timestamps=False, offload=lab.value("offload", ("client",)))
    send(lab, client, server)
    there = lab.segments(seen_at=client, sent_by=client, payload=True)
    wire = lab.segments(sent_by=client, payload=True)
    lab.expect(wire.lengths, cut(lab), "payloads on the wire")
    lab.expect(there.lengths, [SIZE], "payloads in a capture at the client")
    lab.expect(there[0].seq, wire[0].seq, "both begin with the same byte")
    timeline = lab.timeline()
    sent_there = lab.segments(seen_at=client, sent_by=client)
    problems = [timeline.packet(number).problems() for number in sent_there.frames]
    wrong = problems.count(("bad-checksum",))
    lab.expect(wrong, len(sent_there), "segments whose checksum is wrong in that capture")
    whole = lab.segments(sent_by=client)
    problems = [timeline.packet(number).problems() for number in whole.frames]
    lab.expect(problems.count(()), len(whole), "segments whose checksum is right on the wire")
    frames = [*there.frames, *wire.frames]
    lab.claim(
        "a capture at the sender shows what the wire carries",
        "segmentation offload: with it (Linux's default) the capture is made before the cutting",
        "one segment of {size} bytes at the client was {lengths} on the wire",
        source="A",
        evidence=frames,
        size=SIZE,
        lengths=list(wire.lengths),
    )
    lab.claim(
        "a wrong checksum in a capture means a damaged segment",
        False,
        "all {count} segments of the client have a wrong one in the capture there and a right one "
        "on the wire: the network card fills it in",
        source="A",
        evidence=[sent_there.frames[0], whole.frames[0]],
        count=len(sent_there),
    )


@experiment(
    covers="A8",
    question="Can a capture at the receiver show one segment that nobody sent?",
    background=(
        "A network card that gathers frames for a moment, and the kernel behind it, put segments "
        "that follow one another into one before TCP sees them (GRO, LRO; tcp_gro_receive). A "
        "capture at the receiver shows the result. It saves work: one segment, one acknowledgment."
    ),
    try_next=(
        N_("Gather two frames instead of three: the last one then comes alone."),
        N_("Drop the second segment: what does not follow on is not put together."),
    ),
    tags="segments offload",
    mutation=Mutation("the server's network card hands over each frame", values={"gathered": 1}),
)
def receive_offload(lab: Lab) -> None:
    client, server = lab.pair(timestamps=False, offload=("server",))
    gathered = lab.wire.coalesce(data.to(server), frames=lab.value("gathered", 3))
    send(lab, client, server)
    wire = lab.segments(sent_by=client, payload=True)
    there = lab.segments(seen_at=server, sent_by=client, payload=True)
    lab.expect(gathered.count, 3, "segments that the network card gathered")
    lab.expect(wire.lengths, cut(lab), "payloads on the wire, as the client's kernel cut them")
    lab.expect(there.lengths, [SIZE], "payloads in a capture at the server")
    answers = lab.segments(sent_by=server, payload=False, flags="ACK")
    lab.expect(answers.every("ack"), [1 + SIZE], "acknowledgments of the server")
    lab.claim(
        "a capture at the receiver shows the segments as they were sent",
        "receive offload: with it (Linux's default) the capture is made when they are joined",
        "{lengths} on the wire became one of {size} bytes at the server",
        source="A",
        evidence=[*wire.frames, *there.frames],
        size=SIZE,
        lengths=list(wire.lengths),
    )


@experiment(
    covers="A8",
    question="When is one segment of 2934 bytes really one segment?",
    background=(
        "The MSS is the interface's MTU less the headers. The loopback interface has an MTU of "
        "65536, so 2934 bytes fit into one segment, and nothing is cut or put together. The MSS in "
        "the SYN tells this cause from offload: there it is 1460 (1440 over IPv6)."
    ),
    try_next=(N_("Compare: ip link show lo, and the MSS of a connection to 127.0.0.1 (ss -ti)."),),
    tags="segments offload",
    mutation=Mutation("the MTU is that of an Ethernet", values={"mtu": 1500}),
)
def large_mtu(lab: Lab) -> None:
    client, server = lab.pair(timestamps=False, mtu=lab.value("mtu", LARGE_MTU))
    send(lab, client, server)
    syn = lab.segments(sent_by=client, flags="SYN")[0]
    tcp = lab.timeline().packet(syn.frame).tcp
    option = tcp.option(MaximumSegmentSize) if tcp else None
    headers = 40 if lab.family == 4 else 60
    lab.expect(option and option.size, LARGE_MTU - headers, "the MSS in the SYN: MTU less headers")
    wire = lab.segments(sent_by=client, payload=True)
    lab.expect(wire.lengths, [SIZE], "payloads on the wire")
    lab.expect(lab.segments(sent_by=server)[-1].ack, 1 + SIZE, "the acknowledgment of all of it")
    lab.claim(
        "a segment larger than 1460 bytes was put together by offload",
        "the MTU: over the loopback interface such segments are real",
        "here nothing was offloaded; the MSS in the SYN is {mss}",
        source="A",
        evidence=[syn.frame, *wire.frames],
        mss=LARGE_MTU - headers,
    )
