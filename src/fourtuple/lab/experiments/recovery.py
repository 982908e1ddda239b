"""How a sender finds out quickly what is lost, and what it does when it was wrong: SACK and RACK,
the tail loss probe, a time-out that was not needed, reordering."""

from collections.abc import Mapping

from fourtuple.errors import N_
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.hosts.baseline import LINUX_RTO_MIN, PATIENT
from fourtuple.lab.hosts.gauges import counters, grown, tcp_info
from fourtuple.lab.hosts.host import Host
from fourtuple.lab.script import Lab
from fourtuple.lab.wire.select import data, pure_ack


def _more(before: Mapping[str, int], host: Host, *names: str) -> list[int]:
    """By how much counters of a host have grown."""
    return [grown(before, host, f"TcpExt{name}") for name in names]


@experiment(
    covers="beyond:sack beyond:fast-retransmit",
    question="Why does one duplicate ACK suffice with SACK?",
    background=(
        "SACK names what has arrived beyond the gap (RFC 2018). Linux goes by time (RACK, RFC "
        "8985): what was sent before something that has arrived, and is late by more than a "
        "quarter of the round trip, is lost. It need not count to three."
    ),
    try_next=(
        N_("Turn RACK off as well: net.ipv4.tcp_recovery."),
        N_("Without SACK three duplicates are needed: lab run duplicate-acks."),
    ),
    tags="loss sack",
    mutation=Mutation(N_("SACK is off"), sysctls={"net.ipv4.tcp_sack": 0}),
)
def sack(lab: Lab) -> None:
    client, server = lab.pair(timestamps=False, congestion="reno", sysctls=PATIENT)
    sock, peer = lab.connected(client, server)
    full = lab.payload_per_segment
    message = lab.bytes(3 * full)
    before = counters(client)
    lab.wire.drop(data.sent_by(client).nth(2))
    sock.send(message)
    lab.settle()

    sent = lab.segments(sent_by=client, payload=True)
    numbers = [1, 1 + full, 1 + 2 * full]
    lab.expect(sent.every("seq"), [*numbers, numbers[1]], "what was sent: the second one twice")
    again = sent[-1]
    acks = [s for s in lab.segments(sent_by=server, payload=False) if s.frame < again.frame][1:]
    lab.expect([s.ack for s in acks], [numbers[1]] * 2, "acks before that: one is a duplicate")
    block = f"SLE={numbers[2]} SRE={numbers[2] + full}"
    lab.expect(acks[-1].options, block, "the duplicate's SACK block: the third segment has come")
    found = _more(before, client, "TCPFastRetrans", "TCPTimeouts")
    lab.expect(found, [1, 0], "fast retransmits, and time-outs")
    lab.expect(peer.recv_exactly(len(message)), message, "what the server's program reads")
    lab.claim(
        "three duplicate ACKs are needed for a fast retransmit",
        N_("SACK: with it Linux goes by time (RACK), and one suffices"),
        "one duplicate ACK, with the block {block}, had the lost segment sent again",
        source="A",
        evidence=[acks[-1].frame, again.frame],
        block=block,
    )


@experiment(
    covers="beyond:sack",
    question="What does SACK save when two segments are lost?",
    background=(
        "Without SACK a sender learns of one loss a round trip: the ACK of the first repaired "
        "segment points at the second (a partial ACK, RFC 6582). With SACK it sees both gaps at "
        "once (RFC 6675)."
    ),
    try_next=(N_("Lose three, and count the round trips."),),
    tags="loss sack",
    mutation=Mutation(N_("SACK is off in both cases"), sysctls={"net.ipv4.tcp_sack": 0}),
)
def two_losses(lab: Lab) -> None:
    client, server = lab.pair(timestamps=False, congestion="reno", sysctls=PATIENT)
    listener = server.socket().listen(8888)
    full = lab.payload_per_segment
    for sack_on, pointers in ((0, [1 + 3 * full]), (1, [])):
        client.sysctl("net.ipv4.tcp_sack", sack_on)
        sock = client.socket().connect(server, 8888)
        lab.settle()
        peer = listener.accept()
        begin, before = len(lab.segments()), counters(client)
        lost = lab.wire.drop(data.sent_by(client).nth(2, 4))
        message = lab.bytes(9 * full)
        sock.send(message)
        lab.settle()
        lost.stop()

        steps = lab.segments()[begin:]
        sent = [s for s in steps if s.from_client and s.length]
        second, fourth = sent[9:]
        lost_numbers = [1 + full, 1 + 3 * full]
        lab.expect([second.seq, fourth.seq], lost_numbers, "sent again: the second and the fourth")
        between = [s.ack for s in steps if second.frame < s.frame < fourth.frame and s.acked]
        what = "acks that came between the two, tcp_sack {value}"
        lab.expect(between, pointers, what, value=sack_on)
        found = _more(before, client, "TCPFastRetrans", "TCPTimeouts")
        lab.expect(found, [2, 0], "fast retransmits, and time-outs")
        lab.expect(peer.recv_exactly(len(message)), message, "what the server's program reads")
        if pointers:
            partial = [s.frame for s in steps if second.frame < s.frame <= fourth.frame]
    lab.claim(
        "a sender learns of one lost segment a round trip",
        N_("SACK: without it this is so, with it the sender sees every gap at once"),
        "without SACK the second retransmission waited for the ACK of the first; with SACK both "
        "left before any answer",
        source="A",
        evidence=[*partial, second.frame, fourth.frame],
    )


@experiment(
    covers="beyond:rto-back-off",
    question="What if the last segments of a message are lost?",
    background=(
        "Nothing follows them, so no duplicate ACK tells of it. Linux does not wait for the "
        "time-out: after two round trips without an ACK it sends the last segment once more (tail "
        "loss probe, RFC 8985, 7). The answer, with SACK, shows what else is missing."
    ),
    try_next=(N_("Turn it off (net.ipv4.tcp_early_retrans 0): the timer has to fire."),),
    tags="loss timer",
    mutation=Mutation(N_("there are no probes"), sysctls={"net.ipv4.tcp_early_retrans": 0}),
)
def tail_loss_probe(lab: Lab) -> None:
    client, server = lab.pair(
        timestamps=False, congestion="reno", sysctls={"net.ipv4.tcp_early_retrans": 3, **PATIENT}
    )
    sock, peer = lab.connected(client, server)
    full = lab.payload_per_segment
    message = lab.bytes(4 * full)
    before = counters(client)
    # RACK takes no time from an ACK that came sooner than any round trip before
    lab.wire.delay(pure_ack.sent_by(server), 0.05)
    third, fourth = 1 + 2 * full, 1 + 3 * full
    lost = [lab.wire.drop(data.matching(seq=number).first()) for number in (third, fourth)]
    sock.send(message)
    lab.settle()

    lab.expect([rule.count for rule in lost], [1, 1], "losses: the last two segments, once each")
    sent = lab.segments(sent_by=client, payload=True)
    lab.expect(sent.every("seq")[4:], [fourth, third], "sent again: the last, then the one before")
    found = _more(before, client, "TCPLossProbes", "TCPFastRetrans", "TCPTimeouts")
    lab.expect(found, [1, 1, 0], "probes, fast retransmits, and time-outs")
    lab.expect(peer.recv_exactly(len(message)), message, "what the server's program reads")
    lab.claim(
        "the loss of the last segments is found by the time-out",
        N_("tail loss probes: they are on unless net.ipv4.tcp_early_retrans is 0"),
        "the last segment was sent again as a probe, and its answer showed the gap before it; no "
        "time-out was counted",
        source="A",
        evidence=sent[4:].frames,
    )


@experiment(
    covers="beyond:spurious-retransmission",
    question="What does a sender do when its time-out was not needed?",
    background=(
        "Where ACKs come later than the timer, nothing was lost, but the sender has shrunk its "
        "congestion window to one segment. An ACK that echoes a timestamp from before the "
        "retransmission gives it away (Eifel, RFC 3522), or a DSACK for what came twice (RFC "
        "2883): Linux then takes the reduction back (tcp_try_undo_loss)."
    ),
    try_next=(
        N_("Turn SACK off as well: nothing tells, and the window grows anew from one segment."),
        N_("See a loss that was one: lab run lost-segment."),
    ),
    tags="loss timer",
    mutation=Mutation(N_("the ACKs are not held"), values={"hold": False}),
)
def spurious_time_out(lab: Lab) -> None:
    client, server = lab.pair(congestion="reno", sysctls=LINUX_RTO_MIN)
    listener = server.socket().listen(8888)
    for timestamps, undone_by, copies in ((1, "TCPLossUndo", 1), (0, "TCPDSACKUndo", 3)):
        client.sysctl("net.ipv4.tcp_timestamps", timestamps)
        sock = client.socket().connect(server, 8888)
        lab.settle()
        peer = listener.accept()
        begin = len(lab.segments(payload=True))
        window, before, there = tcp_info(sock).snd_cwnd, counters(client), counters(server)
        again = data.sent_by(client).matching(seq=1).nth(2)
        if lab.value("hold", True):
            lab.wire.hold(pure_ack.sent_by(server).times(3), until=again)
        message = lab.bytes(4000)
        sock.send(message)
        lab.settle()

        found = _more(before, client, "TCPTimeouts", undone_by)
        lab.expect(
            found,
            [1, 1],
            "time-outs, and reductions taken back; tcp_timestamps {value}",
            value=timestamps,
        )
        lab.expect(tcp_info(sock).snd_cwnd, window, "the congestion window, in segments, as before")
        sent = lab.segments(payload=True)[begin:]
        lab.expect(
            len(sent) - 3, copies, "segments sent again; tcp_timestamps {value}", value=timestamps
        )
        told = _more(there, server, "TCPDSACKOldSent")
        lab.expect(told, [copies], "DSACKs: the server had each of them already")
        read = peer.recv_exactly(len(message))
        lab.expect(read, message, "what the server's program reads, once")
    lab.claim(
        "a segment that is sent again was lost",
        False,
        "the server had frame {first} already; its ACK was late, and frame {again} came in vain",
        source="A",
        evidence=[sent[0].frame, sent[3].frame],
        first=sent[0].frame,
        again=sent[3].frame,
    )


@experiment(
    covers="beyond:spurious-retransmission A17",
    question="When is a segment that comes late taken for a lost one?",
    background=(
        "A receiver answers what comes out of order with duplicate ACKs, whether a segment was "
        "lost or overtaken. Three are the bound: up to two, the sender takes it for reordering "
        "(RFC 5681, 3.2; net.ipv4.tcp_reordering). The program at the receiver never sees any of "
        "it: it reads in order."
    ),
    try_next=(
        N_("Raise net.ipv4.tcp_reordering at the client."),
        N_("Leave SACK on: Linux then goes by time."),
    ),
    tags="loss",
    mutation=Mutation(N_("the sender bears only one"), sysctls={"net.ipv4.tcp_reordering": 1}),
)
def reordering(lab: Lab) -> None:
    client, server = lab.pair(
        timestamps=False, congestion="reno", sysctls={"net.ipv4.tcp_sack": 0, **PATIENT}
    )
    sock, peer = lab.connected(client, server)
    late, sent_again = [], []
    for behind, duplicates, needless in ((2, 2, 0), (4, 4, 1)):
        begin, before = len(lab.segments()), counters(client)
        rule = lab.wire.reorder(data.sent_by(client).nth(2), behind=behind)
        message = lab.bytes(7 * lab.payload_per_segment)
        sock.send(message)
        lab.settle()
        steps = lab.segments()[begin:]
        acks = [s for s in steps if not s.from_client]
        same = sum(s.ack == acks[0].ack for s in acks) - 1
        lab.expect(same, duplicates, "duplicate ACKs, {behind} segments late", behind=behind)
        recoveries = _more(before, client, "TCPRenoRecovery")
        lab.expect(recoveries, [needless], "recoveries, {behind} segments late", behind=behind)
        lab.expect(peer.recv_exactly(len(message)), message, "what the server reads: in order")
        late += rule.frames
        again = [s.frame for s in steps if "retransmission" in s.fact.notes]
        lab.expect(bool(again), bool(needless), "was anything sent again?")
        sent_again += again
    lab.claim(
        "a segment that is sent again was lost",
        False,
        "frame {late} was only overtaken by {behind} others, and what it carried was sent again",
        source="A",
        evidence=[late[-1], sent_again[0]],
        late=late[-1],
        behind=behind,
    )
