"""How TCP makes a path that loses and damages segments reliable (rows A17, A18)."""

from itertools import pairwise

from fourtuple.errors import N_
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.hosts.baseline import LINUX_RTO_MIN, PATIENT
from fourtuple.lab.hosts.gauges import counters, grown, tcp_info
from fourtuple.lab.script import Lab
from fourtuple.lab.wire.select import data, pure_ack

LETTER = b"one segment of data"


@experiment(
    covers="A17",
    question="What repairs a lost segment that nothing follows?",
    background=(
        "A sender keeps what it has sent until it is acknowledged, and runs one timer for the "
        "oldest of it. When the timer fires, that segment is sent again (RFC 6298, 5). Linux waits "
        "200 ms beyond the smoothed round trip at least (TCP_RTO_MIN)."
    ),
    try_next=(
        N_("Lose it once more: lab run rto-back-off."),
        N_("Let more segments follow the lost one: lab run duplicate-acks."),
    ),
    tags="loss",
    mutation=Mutation(N_("the wire loses nothing"), values={"lose": False}),
)
def lost_segment(lab: Lab) -> None:
    client, server = lab.pair(sysctls=LINUX_RTO_MIN)
    sock, peer = lab.connected(client, server)
    before, rto_ns = counters(client), tcp_info(sock).rto_us * 1000
    if lab.value("lose", True):
        lab.wire.drop(data.sent_by(client).first())
    sock.send(LETTER)
    lab.expect(lab.connection(client).timer, "retransmit", "the timer that runs at the client")
    lab.settle()

    sent = lab.segments(sent_by=client, payload=True)
    lab.expect(sent.every("seq"), [1, 1], "sequence numbers: the same segment twice")
    lab.expect(grown(before, client, "TcpExtTCPTimeouts"), 1, "time-outs that the client counted")
    first, again = sent
    waited_ns = again.t_ns - first.t_ns
    # a timer of the kernel may be a tick early, at most 10 ms
    lab.expect(
        waited_ns >= rto_ns - 10_000_000,
        True,
        "it was sent again after {ms} ms; the time-out was {rto} ms",
        ms=waited_ns // 1_000_000,
        rto=rto_ns // 1_000_000,
    )
    lab.expect(lab.segments(sent_by=server)[-1].ack, 1 + len(LETTER), "the server's ack, at last")
    lab.expect(peer.recv(), LETTER, "what the server's program reads, once")
    lab.claim(
        "a lost segment is sent again when its timer fires",
        True,
        "nothing came back, and after {ms} ms the client's kernel sent the same bytes again",
        source="A",
        evidence=sent.frames,
        ms=waited_ns // 1_000_000,
    )


@experiment(
    covers="A17 beyond:fast-retransmit",
    question="How does a sender learn of a loss before its timer fires?",
    background=(
        "A segment that comes out of order is answered at once with the number that is missing. "
        "Three such duplicates in a row mean that segments arrive, but not that one: it is sent "
        "again without waiting (RFC 5681, 3.2). SACK is off here, so there is only the count."
    ),
    try_next=(
        N_("Send only four segments: two duplicates do not suffice, and the timer has to."),
        N_("Leave SACK on: lab run sack."),
    ),
    tags="loss",
    mutation=Mutation(N_("ten duplicates are asked for"), sysctls={"net.ipv4.tcp_reordering": 10}),
)
def duplicate_acks(lab: Lab) -> None:
    client, server = lab.pair(
        timestamps=False, congestion="reno", sysctls={"net.ipv4.tcp_sack": 0, **PATIENT}
    )
    sock, peer = lab.connected(client, server)
    full = lab.payload_per_segment
    message = lab.bytes(5 * full)
    before = counters(client)
    lost = lab.wire.drop(data.sent_by(client).nth(2))
    sock.send(message)
    lab.settle()

    lab.expect(lost.count, 1, "segments that the wire lost")
    sent = lab.segments(sent_by=client, payload=True)
    numbers = [1 + full * n for n in range(5)]
    lab.expect(sent.every("seq"), [*numbers, numbers[1]], "what was sent: the second one twice")
    again = sent[-1]
    acks = [s for s in lab.segments(sent_by=server, payload=False) if s.ack > 1]
    told = [s.ack for s in acks if s.frame < again.frame]
    lab.expect(told, [numbers[1]] * 4, "acks before that: the number missing, and 3 duplicates")
    lab.expect(grown(before, client, "TcpExtTCPFastRetrans"), 1, "fast retransmits")
    lab.expect(grown(before, client, "TcpExtTCPTimeouts"), 0, "time-outs")
    lab.expect(acks[-1].ack, 1 + len(message), "one ACK covers the repaired segment and the rest")
    lab.expect(peer.recv_exactly(len(message)), message, "what the server's program reads")
    lab.claim(
        "three duplicate ACKs have a lost segment sent again",
        True,
        "the third duplicate of ack {ack} was followed by that segment; no timer had fired",
        source="A",
        evidence=[*[s.frame for s in acks[1:4]], again.frame],
        ack=numbers[1],
    )


@experiment(
    covers="A17",
    question="What if an acknowledgment is lost?",
    background=(
        "An ACK names the next byte expected, so it speaks for all before it. Segments leave one "
        "after another without waiting for their ACKs (pipelining), and a lost ACK is made up for "
        "by a later one (RFC 9293, 3.4)."
    ),
    try_next=(N_("Lose the last ACK too: the timer fires, and data is sent a second time."),),
    tags="loss ack",
    mutation=Mutation(N_("the last ACK is lost too"), values={"lost": 3}),
)
def cumulative_ack(lab: Lab) -> None:
    client, server = lab.pair(timestamps=False)
    sock, peer = lab.connected(client, server)
    lost = lab.wire.drop(pure_ack.sent_by(server).times(lab.value("lost", 2)))
    message = lab.bytes(3 * lab.payload_per_segment)
    sock.send(message)
    lab.settle()

    sent = lab.segments(sent_by=client, payload=True)
    acks = lab.segments(sent_by=server, payload=False)[1:]
    lab.expect(len(sent), 3, "segments with data: none was sent again")
    ends = sent.every("next_seq")
    lab.expect(acks.every("ack"), ends, "acks of the server: one for each segment")
    lab.expect(lost.count, 2, "ACKs that the wire lost")
    lab.expect(lab.connection(client).send_q, 0, "bytes at the client that wait for an ACK")
    lab.expect(peer.recv_exactly(len(message)), message, "what the server's program reads")
    lab.claim(
        "one ACK covers many segments",
        True,
        "two ACKs were lost; the third, {ack}, spoke for all three segments, and none was sent "
        "again",
        source="A",
        evidence=[*sent.frames, acks[-1].frame],
        ack=acks[-1].ack,
    )


@experiment(
    covers="A18",
    question="What becomes of a segment with a wrong bit?",
    background=(
        "The checksum covers the segment and a pseudo header with both addresses (RFC 9293, 3.1). "
        "Where it is wrong nothing in the segment can be trusted, so it is dropped without a word "
        "and counted (InCsumErrors). To its sender it is as if it had been lost."
    ),
    try_next=(
        N_("Turn a bit over in the header instead: lab.wire.corrupt(..., offset=4)."),
        N_("Turn over two bits that even out in the sum: the data is wrong, and nobody sees."),
    ),
    tags="loss header",
    mutation=Mutation(N_("the wire leaves the bits alone"), values={"damage": False}),
)
def corrupted_segment(lab: Lab) -> None:
    client, server = lab.pair(sysctls=LINUX_RTO_MIN)
    sock, peer = lab.connected(client, server)
    before = counters(server)
    if lab.value("damage", True):
        lab.wire.corrupt(data.sent_by(client).first())
    waiting = peer.begin.recv(100)
    sock.send(LETTER)
    lab.expect(waiting.result(), LETTER, "what the server's program reads")
    lab.settle()

    sent = lab.segments(sent_by=client, payload=True)
    lab.expect(sent.every("seq"), [1, 1], "sequence numbers: the same segment twice")
    lab.expect(grown(before, server, "TcpInCsumErrors"), 1, "checksum errors at the server")
    between = [
        s.flags for s in lab.segments(sent_by=server) if sent[0].frame < s.frame < sent[1].frame
    ]
    lab.expect(between, [], "what the server says of it")
    lab.claim(
        "a segment with a wrong checksum is dropped silently",
        True,
        "the server counted it, sent nothing, and its program read only the bytes sent again",
        source="A",
        evidence=sent.frames,
    )


@experiment(
    covers="A17 beyond:rto-back-off",
    question="How long does a sender wait when nothing comes back?",
    background=(
        "Each time the timer fires, the wait is doubled: so that a path which is only slow or "
        "crowded is not filled with copies (RFC 6298, 5.5). Linux goes on up to 120 s a wait and "
        "gives up after net.ipv4.tcp_retries2 of them, some 15 minutes."
    ),
    try_next=(
        N_("Set TCP_USER_TIMEOUT: how long the sender tries at most."),
        N_("Read the timer of a connection of yours: ss -tno."),
    ),
    tags="loss timer",
    mutation=Mutation(N_("the path is not cut"), values={"cut": False}),
)
def rto_back_off(lab: Lab) -> None:
    client, server = lab.pair(sysctls=LINUX_RTO_MIN)
    sock, peer = lab.connected(client, server)
    looks = [tcp_info(sock)]
    copies = lab.wire.watch(data.sent_by(client))
    if lab.value("cut", True):
        lab.wire.cut()
    sock.send(LETTER)
    for count in (2, 3):
        if lab.value("cut", True):
            copies.wait(count)
        looks.append(tcp_info(sock))
    factors = [round(look.rto_us / looks[0].rto_us) for look in looks]
    # a busy machine may look late: after one more
    doubled = [2**look.backoff for look in looks]
    lab.expect(factors, doubled, "the time-out, as a multiple of the first one")
    retransmits = lab.connection(client).retransmits
    lab.expect(retransmits >= 2, True, "the socket counts 2 retransmissions by now, or more")
    lab.wire.restore()
    lab.settle()
    sent = lab.segments(sent_by=client, payload=True)
    lab.expect(sent.every("seq"), [1] * len(sent), "what was sent: the same segment every time")
    waits_ns = [b.t_ns - a.t_ns for a, b in pairwise(sent)]
    growing = all(1.5 * a < b for a, b in pairwise(waits_ns))
    shown = ", ".join(str(wait // 1_000_000) for wait in waits_ns)
    lab.expect(growing, True, "each wait is longer than the one before: {waits} ms", waits=shown)
    lab.expect(peer.recv(), LETTER, "what the server's program reads in the end")
    lab.expect(tcp_info(sock).backoff, 0, "the back-off after the ACK: it is forgotten")
    lab.claim(
        "the time-out is doubled at each retransmission",
        True,
        "the waits were {waits} ms",
        source="A",
        evidence=sent.frames,
        waits=shown,
    )
