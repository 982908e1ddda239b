"""How one send is cut into segments (row A7), without timestamps and with them."""

from fourtuple.errors import N_
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.script import Lab


@experiment(
    covers="A7",
    question="How does one send of 2950 bytes cross the wire, and one of 2934?",
    background=(
        "A segment carries at most MSS bytes: the MTU of 1500 less 20 bytes of IPv4 header (40 of "
        "IPv6) and 20 of TCP header. Timestamps are switched off here, so all of it is payload. "
        "What does not fill a segment is the last one: over IPv4, 30 bytes of 2950 and 14 of 2934."
    ),
    try_next=(
        N_("Leave timestamps on: lab run segments-timestamps."),
        N_("Send the same with UDP: lab run udp-fragments."),
    ),
    tags="data",
    mutation=Mutation(N_("timestamps are on"), sysctls={"net.ipv4.tcp_timestamps": 1}),
)
def segments(lab: Lab) -> None:
    client, server = lab.pair(timestamps=False)
    listener = server.socket().listen(8888)
    sock = client.socket().connect(server, 8888)
    lab.settle()
    peer = listener.accept()
    full = lab.payload_per_segment

    for size in (2950, 2934):
        before = len(lab.segments(payload=True))
        message = lab.bytes(size)
        lab.expect(sock.send(message), size, "what send({size}) returns", size=size)
        lab.settle()
        data = lab.segments(sent_by=client, payload=True)[before:]
        lab.expect(data.lengths, [full, full, size - 2 * full], "payloads on the wire")
        last = lab.segments(sent_by=server)[-1]
        lab.expect(last.ack, data[0].seq + size, "the acknowledgment that covers all of it")
        lab.expect(peer.recv_exactly(size), message, "what the server's program reads")
        lab.settle()
    lab.claim(
        "a send is cut into segments of at most MSS bytes",
        max(data.lengths) == full,
        "one send became segments of {lengths} bytes; the MSS is {mss}",
        source="A",
        evidence=data.frames,
        lengths=list(data.lengths),
        mss=full,
    )


@experiment(
    covers="A7",
    question="Where do 12 bytes of each segment go when timestamps are on?",
    background=(
        "With timestamps (RFC 7323), Linux's default, every segment carries 10 bytes of option and "
        "2 of padding. They come out of the MSS, which counts no options: 1460 - 12 = 1448."
    ),
    try_next=(N_("Count what other options take: SACK blocks 8 bytes each, and 2."),),
    tags="data header",
    mutation=Mutation(N_("timestamps are off"), sysctls={"net.ipv4.tcp_timestamps": 0}),
)
def segments_timestamps(lab: Lab) -> None:
    client, server = lab.pair(timestamps=True)
    listener = server.socket().listen(8888)
    sock = client.socket().connect(server, 8888)
    lab.settle()
    peer = listener.accept()
    full = lab.payload_per_segment - 12

    message = lab.bytes(2950)
    sock.send(message)
    lab.settle()
    data = lab.segments(sent_by=client, payload=True)
    lab.expect(data.lengths, [full, full, 2950 - 2 * full], "payloads on the wire")
    lab.expect(lab.segments(sent_by=server)[-1].ack, 1 + 2950, "the acknowledgment of it all")
    lab.expect(peer.recv_exactly(2950), message, "what the server's program reads")
    lab.claim(
        "a segment of an Ethernet carries 1460 bytes of data",
        "the options in use: timestamps take 12 bytes of each segment",
        "this one carries {bytes} bytes and 12 of timestamp option and padding",
        source="A",
        evidence=[data[0].frame],
        bytes=data[0].length,
    )
