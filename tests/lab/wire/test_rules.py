"""Each rule of the wire on the real kernel: what becomes of frames, what the kernels make of it.

Every run is also held against the kernels' own socket tables (running.held).
"""

from collections.abc import Callable
from typing import Any

import pytest

from fourtuple.analyze import connections
from fourtuple.errors import OutOfTime, RuleFailed, UsageError
from fourtuple.event.model import AS_LEFT
from fourtuple.explain.text import Translator
from fourtuple.lab.script import Lab
from fourtuple.lab.wire.parcel import Onward, Parcel
from fourtuple.lab.wire.select import (
    any_frame,
    data,
    datagram,
    fin,
    fragment,
    icmp,
    neighbor,
    packet,
    pure_ack,
    rst,
    segment,
    syn,
    synack,
)
from fourtuple.render.summary import report
from fourtuple.render.terminal import Terminal
from fourtuple.wire import RST, SYN, Ipv4, Ipv6, Tcp, Udp
from lab.running import failures, fates, held, run_script, talk

pytestmark = pytest.mark.kernel
both_families = pytest.mark.parametrize("family", [4, 6])


def far_address(lab: Lab, number: int = 9) -> str:
    """An address of the hosts' network that nobody has."""
    return f"10.77.0.{number}" if lab.family == 4 else f"fd77::{number}"


def connect_to(address: str) -> list[str]:
    return ["/bin/bash", "-c", f"exec 3<>/dev/tcp/{address}/80"]


# what rules do


@both_families
def test_the_second_data_segment_is_dropped_and_sent_again(family: int) -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair(timestamps=False)
        lost = lab.wire.drop(data.sent_by(client).nth(2))
        talk(lab, client, server, 10_000)
        sent = lab.segments(sent_by=client, payload=True)
        lab.expect(lost.count, 1, "dropped")
        lab.expect(lost.frames, [sent[1].frame], "which")
        lab.expect(sent.every("seq").count(sent[1].seq), 2, "times that it was sent")

    assert fates(held(run_script(script, family=family))) == ["dropped"]


@both_families
def test_a_fin_is_held_until_it_is_released(family: int) -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair()
        late = lab.wire.hold(fin.sent_by(client).first())
        sock, _ = lab.connected(client, server)
        sock.close()
        late.wait()
        lab.settle(unanswered=True)
        lab.expect(late.held, 1, "held")
        lab.expect(lab.state(server), "ESTABLISHED", "the server has seen no FIN")
        late.release()
        lab.settle()
        lab.expect(late.held, 0, "held after that")
        lab.expect(lab.state(server), "CLOSE_WAIT", "the server has")

    assert fates(held(run_script(script, family=family))) == ["delayed"]


def test_what_is_held_to_the_end_has_not_arrived() -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair()
        lab.wire.hold(fin.sent_by(client).first())
        sock, _ = lab.connected(client, server)
        sock.close()
        lab.settle(unanswered=True)

    assert fates(held(run_script(script))) == ["held"]


def test_a_segment_is_held_until_another_has_passed() -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair(timestamps=False)
        late = lab.wire.hold(data.sent_by(client).first(), until=data.sent_by(client).nth(3))
        talk(lab, client, server, 5000)
        frames = [s.fact for s in lab.segments(sent_by=client, payload=True)]
        order = sorted(frames, key=lambda fact: fact.left_ns)
        lab.expect([one.seq for one in order[:3]], [1461, 2921, 1], "the order of arrival")
        lab.expect(late.count, 1, "held")

    assert fates(held(run_script(script))) == ["delayed"]


def test_a_late_frame_does_not_hold_up_the_others() -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair(timestamps=False)
        lab.wire.delay(data.sent_by(client).first(), 0.05)
        talk(lab, client, server, 5000)
        facts = [s.fact for s in lab.segments(sent_by=client, payload=True)]
        lab.expect(facts[0].left_ns - facts[0].t_ns >= 50_000_000, True, "50 ms late")
        lab.expect(facts[1].left_ns < facts[0].left_ns, True, "the next one was not")

    held(run_script(script))


def test_frames_that_are_late_by_the_same_stay_in_order() -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair(timestamps=False)
        lab.wire.delay(data, 0.02)
        talk(lab, client, server, 14_600)
        facts = [s.fact for s in lab.segments(sent_by=client, payload=True)]
        left = [fact.left_ns for fact in facts]
        lab.expect(left == sorted(left), True, "in order")
        lab.expect(len(set(left)), len(left), "one at a time")

    held(run_script(script))


def test_a_copy_is_delivered_too() -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair(timestamps=False)
        lab.wire.duplicate(data.sent_by(client).first(), times=2)
        talk(lab, client, server, 100)
        answers = lab.segments(sent_by=server, payload=False, flags="ACK")
        lab.expect(answers.every("ack"), [101, 101, 101], "each copy is acknowledged")

    timeline = held(run_script(script))
    assert fates(timeline) == ["duplicated"]


def test_a_frame_is_overtaken_by_two() -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair(timestamps=False)
        lab.wire.reorder(data.sent_by(client).first(), behind=2)
        talk(lab, client, server, 4380)
        facts = [s.fact for s in lab.segments(sent_by=client, payload=True)][:3]
        order = sorted(range(3), key=lambda index: facts[index].left_ns)
        lab.expect(order, [1, 2, 0], "the order of arrival")

    held(run_script(script))


@both_families
def test_a_corrupted_segment_is_discarded_and_sent_again(family: int) -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair(timestamps=False)
        lab.wire.corrupt(data.sent_by(client).first())
        talk(lab, client, server, 100)
        lab.expect(lab.segments(sent_by=client, payload=True).lengths, [100, 100], "sent")

    timeline = held(run_script(script, family=family))
    assert fates(timeline) == ["corrupted"]
    row = next(
        row
        for row, vantage in enumerate(timeline.frames.vantage.tolist())
        if timeline.vantages[vantage].name == AS_LEFT
    )
    assert timeline.packet(row + 1).problems() == ("bad-checksum",)
    (connection,) = connections(timeline)
    told = report(timeline, Translator("en"), Terminal(120), connections=[connection])
    assert "checksum is wrong, and the kernel of the server discards it" in " ".join(told.split())


@both_families
def test_a_rewritten_field_is_what_the_receiver_sees(family: int) -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair(timestamps=False)
        lab.wire.rewrite(syn, mss=536)
        lab.wire.rewrite(synack, mss=536)
        talk(lab, client, server, 1200)
        lab.expect(lab.segments(payload=True).lengths, [536, 536, 128], "segments")

    timeline = held(run_script(script, family=family))
    assert fates(timeline) == ["rewritten", "rewritten"]
    (connection,) = connections(timeline)
    told = report(timeline, Translator("en"), Terminal(120), connections=[connection])
    size = 1460 if family == 4 else 1440
    assert f"The wire changed it, see frame {connection.segments[0].as_left}" in " ".join(
        told.split()
    )
    assert f"Maximum segment size {size} → 536" in " ".join(told.split())


def test_what_arrives_is_what_the_states_follow_from() -> None:
    """A FIN that the wire makes of a data segment closes the connection for the receiver alone."""

    def script(lab: Lab) -> None:
        client, server = lab.pair(timestamps=False)
        lab.wire.rewrite(data.sent_by(client).first(), flags="FIN ACK")
        sock, peer = lab.connected(client, server)
        sock.send(b"the end")
        lab.settle(unanswered=True)
        lab.expect(lab.state(server), "CLOSE_WAIT", "the server")
        lab.expect(lab.state(client), "ESTABLISHED", "the client")
        lab.expect([peer.recv(), peer.recv()], [b"the end", b""], "what the server reads")

    held(run_script(script))


def test_with_its_checksum_left_as_it_was_it_is_discarded() -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair(timestamps=False)
        lab.wire.rewrite(data.sent_by(client).first(), window=1, checksums=False)
        talk(lab, client, server, 100)

    assert fates(held(run_script(script))) == ["corrupted"]


def test_a_byte_that_a_frame_does_not_have_cannot_be_corrupted() -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair(timestamps=False)
        lab.wire.corrupt(data.sent_by(client).first(), offset=120)
        talk(lab, client, server, 100)

    assert failures(run_script(script)) == [
        "corrupt(offset=120): the frame that it met has 120 bytes from its transport header on."
    ]


def test_a_queue_that_is_full_drops_and_a_rate_spreads() -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair(timestamps=False)
        slow = lab.wire.limit(data.sent_by(client), bytes_per_s=150_000, queue_bytes=4600)
        sock, peer = lab.connected(client, server)
        message = lab.bytes(14_600)
        sock.send(message)
        lab.expect(peer.recv_exactly(14_600), message, "what the server reads in the end")
        lab.settle()
        facts = [s.fact for s in lab.segments(sent_by=client, payload=True)][:10]
        lab.expect(slow.count > 10, True, "what was dropped was sent again")
        lab.expect([fact.verdict == "dropped" for fact in facts], [False] * 3 + [True] * 7, "fate")
        waited_ns = [fact.left_ns - facts[0].t_ns for fact in facts[:3]]
        late = [ns >= frames * 10_000_000 for frames, ns in enumerate(waited_ns, 1)]
        lab.expect(late, [True] * 3, "each takes 10 ms: 1514 bytes at 150,000 a second")

    held(run_script(script))


@both_families
def test_a_smaller_mtu_on_the_path_is_told_to_the_sender(family: int) -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair(timestamps=False)
        lab.wire.mtu(server, 1300)
        told = lab.wire.watch(icmp.to(client), optional=True)
        talk(lab, client, server, 2000)
        sizes = lab.segments(sent_by=client, payload=True).lengths
        full, fits = lab.payload_per_segment, 1260 if lab.family == 4 else 1240
        lab.expect(sizes[:3], [full, 2000 - full, fits], "segments")
        lab.expect(max(sizes[2:]), fits, "the largest of those that follow")
        lab.expect(told.count, 0, "frames of the wire's own meet no rule")

    assert fates(held(run_script(script, family=family))) == ["dropped", "injected"]


def test_a_black_hole_tells_nobody() -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair(timestamps=False)
        hole = lab.wire.mtu(server, 1300, icmp=False)
        sock, _ = lab.connected(client, server)
        sock.send(bytes(1460))
        hole.wait(3)
        lab.expect(lab.connection(client).timer, "retransmit", "the client tries again")

    timeline = held(run_script(script))
    assert set(fates(timeline)) == {"dropped"}


def test_a_datagram_that_may_be_cut_is_cut() -> None:
    """UDP of Linux sets "don't fragment" where it discovers the MTU itself: here it does not."""

    def script(lab: Lab) -> None:
        client, server = lab.pair(sysctls={"net.ipv4.ip_no_pmtu_disc": 1})
        lab.wire.mtu(server, 1000)
        pieces = lab.wire.watch(fragment)
        receiver = server.socket("datagram").bind(9)
        receiver_got = receiver.begin.recv(2000)
        client.socket("datagram").call("sendto", lab.bytes(1400), [server.address, 9]).result()
        lab.expect(len(receiver_got.result(5)), 1400, "what the server reads")
        lab.expect(pieces.count, 2, "fragments")

    held(run_script(script))


@both_families
def test_an_absent_host_has_a_link_layer_address_and_no_answer(family: int) -> None:
    def script(lab: Lab) -> None:
        client, _ = lab.pair()
        away = lab.wire.absent(far_address(lab))
        asked = lab.wire.watch(syn)
        program = client.run(connect_to(far_address(lab)))
        away.wait(2)
        lab.settle(unanswered=True)
        lab.expect(program.running, True, "connect() waits: no host unreachable")
        lab.expect(asked.count, 0, "the rule before has taken it")

    told = failures(run_script(script, family=family))
    assert told == ["A rule of the wire never met a frame: watch(syn)"]


def test_a_path_is_cut_and_mended() -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair()
        sock, peer = lab.connected(client, server)
        cut = lab.wire.cut(server)
        sock.send(b"wait for me")
        cut.wait(2)
        lab.wire.restore()
        lab.expect(peer.recv(), b"wait for me", "what the server reads")
        lab.settle()

    assert set(fates(held(run_script(script)))) == {"dropped"}


@both_families
def test_a_forged_reset_in_the_window_is_challenged_and_an_exact_one_is_believed(
    family: int,
) -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair()
        talk(lab, client, server, 10)
        last = lab.segments(sent_by=server)[-1]
        lab.wire.inject(like=last, flags="RST", seq=100)
        lab.settle()
        lab.expect(lab.state(client), "ESTABLISHED", "after the wrong number")
        lab.expect(lab.segments(sent_by=client)[-1].flags, "ACK", "the challenge")
        lab.wire.inject(like=last, flags="RST", seq=1)
        lab.settle()
        lab.expect(lab.state(client), "CLOSED", "after the right one")

    assert fates(held(run_script(script, family=family))) == ["injected", "injected"]


def test_a_forged_segment_follows_another() -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair(timestamps=False)
        forged = lab.wire.inject_after(data.first(), flags="RST", payload=b"", seq=15)
        sock, _ = lab.connected(client, server)
        sock.send(bytes(14))
        lab.settle()
        lab.expect(forged.count, 1, "followed")
        lab.expect(lab.state(server), "CLOSED", "the server")

    held(run_script(script))


@both_families
def test_a_packet_from_nowhere_is_put_together(family: int) -> None:
    def script(lab: Lab) -> None:
        _, server = lab.pair()
        server.socket().listen(8888)
        lab.wire.absent(far_address(lab))
        nowhere, there = far_address(lab), server.address
        ip = Ipv4(nowhere, there) if lab.family == 4 else Ipv6(nowhere, there)
        number = lab.wire.inject((ip, Tcp(1, 8888, 7, flags=SYN)), to=server)
        lab.settle(unanswered=True)
        lab.expect(lab.connection(server).state, "SYN_RECV", "half a connection")
        lab.wire.inject(like=number, to=server, flags=RST, sequence=8)
        lab.settle()
        lab.expect(lab.sockets(server), [], "and none")

    assert failures(run_script(script, family=family)) == []


# which frames


SELECTORS: list[tuple[Callable[[Any, Any], Any], list[str]]] = [
    (lambda client, server: syn, ["SYN"]),
    (lambda client, server: synack, ["SYN ACK"]),
    (lambda client, server: segment.nth(2), ["SYN ACK"]),
    (lambda client, server: data.sent_by(server), ["PSH ACK"]),
    (lambda client, server: data.to(server), ["PSH ACK", "PSH ACK"]),
    (lambda client, server: fin, ["FIN ACK", "FIN ACK"]),
    (lambda client, server: fin.first(), ["FIN ACK"]),
    (lambda client, server: fin.sent_by("server"), ["FIN ACK"]),
    (lambda client, server: pure_ack.sent_by(client).times(2), ["ACK", "ACK"]),
    (lambda client, server: segment.port(8888).times(2), ["SYN", "SYN ACK"]),
    (lambda client, server: segment.at(server).nth(1, 3), ["SYN", "ACK"]),
    (lambda client, server: segment.after(synack).first(), ["ACK"]),
    (lambda client, server: data.after(data), ["PSH ACK", "PSH ACK"]),
    (lambda client, server: segment.matching(flags="SYN"), ["SYN"]),
    (lambda client, server: data.matching(len=14, seq=1).to(client), ["PSH ACK"]),
    (lambda client, server: segment.matching(len=range(1, 12)), ["PSH ACK"]),
    (lambda client, server: segment.where(client="SYN_SENT"), ["SYN", "SYN ACK"]),
    (lambda client, server: synack.where(server="SYN_RECV"), ["SYN ACK"]),
    (lambda client, server: syn.where(server="LISTEN"), ["SYN"]),
    (lambda client, server: segment.where(client="FIN_WAIT1"), ["FIN ACK", "ACK"]),
    (lambda client, server: fin.where(client="FIN_WAIT2", server="LAST_ACK"), ["FIN ACK"]),
    (lambda client, server: packet.every(4).times(2), ["PSH ACK", "PSH ACK"]),
]


@pytest.mark.parametrize("index", range(len(SELECTORS)))
@both_families
def test_a_selector_selects(index: int, family: int) -> None:
    select, flags = SELECTORS[index]

    def script(lab: Lab) -> None:
        client, server = lab.pair()
        rule = lab.wire.watch(select(client, server))
        sock, peer = lab.connected(client, server)
        for message in (b"from the client", b"and more"):
            sock.send(message)
            peer.recv_exactly(len(message))
            lab.settle()
        peer.send(b"from the other")
        sock.recv_exactly(14)
        lab.settle()
        sock.close()
        lab.settle()
        peer.close()
        lab.settle()
        numbers = list(rule.frames)
        seen = [s.flags for s in lab.segments() if s.frame in numbers]
        lab.expect(seen, flags, "the flags of what was met")

    held(run_script(script, family=family))


def test_datagrams_errors_and_neighbors_are_told_apart() -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair()
        rules = [lab.wire.watch(kind) for kind in (datagram, icmp, neighbor, packet, any_frame)]
        client.socket("datagram").call("sendto", b"hello", [server.address, 9]).result()
        lab.settle()
        lab.expect([rule.count for rule in rules], [1, 1, 2, 2, 4], "counted")

    held(run_script(script))


def test_chance_is_the_seeds() -> None:
    def lost(seed: int) -> tuple[int, ...]:
        def script(lab: Lab) -> None:
            client, server = lab.pair(timestamps=False)
            rule = lab.wire.watch(segment.chance(0.5))
            sock, peer = lab.connected(client, server)
            for _ in range(15):
                sock.send(b"x")
                peer.recv_exactly(1)
                lab.settle()
            lab.expect(list(rule.frames), [], "the frames that it met")

        (note, *_) = [
            n for n in run_script(script, seed=seed).events if getattr(n, "kind", "") == "check"
        ]
        return tuple(map(int, note.params["actual"].split(", ")))

    first = lost(1)
    assert lost(1) == first
    assert lost(2) != first
    assert 3 < len(first) < 30


# how rules work together


def test_each_rule_sees_what_the_ones_before_it_let_go_on() -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair(timestamps=False)
        lab.wire.drop(data.first())
        lab.wire.rewrite(data.first(), window=77)
        copies = lab.wire.duplicate(segment.matching(window=77))
        after = lab.wire.watch(segment.matching(window=77))
        talk(lab, client, server, 100)
        lab.expect(copies.count, 1, "duplicated")
        lab.expect(after.count, 2, "both copies go on to what comes after")

    assert sorted(fates(held(run_script(script)))) == ["dropped", "rewritten"]


def test_what_a_rule_kept_goes_on_to_those_behind_it() -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair(timestamps=False)
        late = lab.wire.hold(data.first())
        lost = lab.wire.drop(data.first())
        sock, peer = lab.connected(client, server)
        sock.send(b"twice")
        late.wait()
        late.release()
        lab.expect(lost.count, 1, "dropped when it was released")
        lab.expect(peer.recv_exactly(5), b"twice", "sent again")
        lab.settle()

    assert fates(held(run_script(script))) == ["dropped"]


def test_a_rule_that_is_stopped_meets_nothing_more_and_lets_go() -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair(timestamps=False)
        sock, peer = lab.connected(client, server)
        rule = lab.wire.hold(data)
        sock.send(b"one")
        rule.wait()
        rule.stop()
        sock.send(b"two")
        lab.expect(peer.recv_exactly(6), b"onetwo", "what the server reads")
        lab.settle()
        lab.expect((rule.count, rule.held), (1, 0), "met and held")

    held(run_script(script))


def test_a_part_of_ones_own_is_a_link_before_the_rules() -> None:
    class Upper:
        """Makes every byte of payload a capital letter."""

        def carry(self, parcel: Parcel, onward: Onward) -> None:
            from fourtuple.lab.wire.header_fields import changed, changes_of

            payload = parcel.packet.payload
            if payload:
                asked = changes_of({"payload": payload.upper()})
                parcel = parcel.with_data(changed(parcel.data, asked, (None, None)))
            onward(parcel)

    def script(lab: Lab) -> None:
        client, server = lab.pair(link=Upper())
        lab.wire.watch(data)
        sock, peer = lab.connected(client, server)
        sock.send(b"whisper")
        lab.expect(peer.recv(), b"WHISPER", "what the server reads")
        lab.settle()

    assert fates(held(run_script(script))) == ["rewritten"]


# misuse


def test_a_rule_that_never_met_a_frame_fails_the_run_and_is_named_as_it_was_written() -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair()
        lab.wire.drop(data.nth(2), optional=True)
        lab.wire.cut(server).stop()
        lab.wire.hold(data.sent_by(client).nth(2), until=rst.first())
        lab.connected(client, server)

    assert failures(run_script(script)) == [
        "A rule of the wire never met a frame: hold(data.sent_by(client).nth(2), until=rst.first())"
    ]


BAD: list[tuple[Callable[[Lab], object], str]] = [
    (lambda lab: lab.wire.drop("data"), "drop() takes a selector"),
    (lambda lab: lab.wire.hold(data, until=3), "hold() takes a selector"),
    (lambda lab: lab.wire.delay(data, -1), "delay(seconds=-1): it takes a number from 0 on."),
    (lambda lab: lab.wire.delay(data, float("nan")), "delay(seconds=nan)"),
    (lambda lab: lab.wire.duplicate(data, 0), "duplicate(times=0): it takes a number from 1"),
    (lambda lab: lab.wire.reorder(data, 0), "reorder(behind=0)"),
    (lambda lab: lab.wire.corrupt(data, -1), "corrupt(offset=-1)"),
    (lambda lab: lab.wire.limit(data, 0), "limit(bytes_per_s=0)"),
    (lambda lab: lab.wire.mtu(data, 10), "mtu(size=10): it takes a number from 68 on."),
    (lambda lab: lab.wire.mtu(7, 1000), "7 is no host"),
    (lambda lab: lab.wire.drop(data.sent_by("moon")), "No host is called moon."),
    (lambda lab: lab.wire.drop(data.after(syn.to("moon"))), "No host is called moon."),
    (lambda lab: lab.wire.watch(data.where(moon="LISTEN")), "No host is called moon."),
    (lambda lab: lab.wire.hold(data, until=data.at("moon")), "No host is called moon."),
    (lambda lab: lab.wire.rewrite(data, windw=1), "windw is no header field."),
    (lambda lab: lab.wire.absent("here"), "here is no address."),
    (lambda lab: lab.wire.inject(), "inject() takes a frame"),
    (lambda lab: lab.wire.inject(like=99), "There is no frame 99"),
    (lambda lab: lab.wire.inject((), to="server"), "inject() takes a frame"),
    (
        lambda lab: lab.wire.inject((Ipv4("1.1.1.1", "10.77.0.2"), Udp(1, 2)), to="moon"),
        "No host is called moon. There are client, server.",
    ),
    (lambda lab: lab.wire.inject(bytes(60), to="moon"), "No host is called moon."),
]


@pytest.mark.parametrize("index", range(len(BAD)))
def test_what_cannot_be_is_refused_at_once(index: int) -> None:
    attempt, told = BAD[index]

    def script(lab: Lab) -> None:
        lab.pair()
        with pytest.raises(UsageError) as refused:
            attempt(lab)
        lab.expect(told in str(refused.value), True, str(refused.value))

    assert failures(run_script(script)) == []


def test_a_rule_needs_a_wire() -> None:
    def script(lab: Lab) -> None:
        lab.wire.drop(data)

    assert failures(run_script(script)) == [
        "There is no wire yet: make hosts first, as lab.pair() does."
    ]


def test_a_field_that_a_frame_lacks_fails_the_run() -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair()
        lab.wire.rewrite(neighbor, window=1)
        lab.connected(client, server)

    assert failures(run_script(script)) == ["The frame that was to be changed has no field window."]


@pytest.mark.parametrize("size", [1, 13, 14, 15, 60, 1514])
def test_garbage_may_be_injected(size: int) -> None:
    """What no link carries is refused; anything else the kernel sees, and lives."""

    def script(lab: Lab) -> None:
        client, server = lab.pair()
        try:
            lab.wire.inject(lab.bytes(size), to=server)
        except RuleFailed as refused:
            lab.expect(f"A frame of {size} bytes" in str(refused), True, "refused")
        else:
            lab.expect(size >= 14, True, "taken")
        talk(lab, client, server, 10)

    held(run_script(script))


def test_a_frame_larger_than_the_link_is_refused_and_the_lab_goes_on() -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair()
        with pytest.raises(RuleFailed, match="A frame of 5000 bytes could not be given to server"):
            lab.wire.inject(bytes(5000), to=server)
        talk(lab, client, server, 10)

    held(run_script(script))


def test_a_link_that_raises_ends_the_run_and_says_where() -> None:
    class Broken:
        def carry(self, parcel: Parcel, onward: Onward) -> None:
            raise ZeroDivisionError("a mistake")

    def script(lab: Lab) -> None:
        client, server = lab.pair(link=Broken())
        lab.connected(client, server)

    told = "\n".join(failures(run_script(script)))
    assert "ZeroDivisionError: a mistake" in told
    assert "in carry" in told


def test_waiting_for_a_rule_ends_and_says_for_what() -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair()
        rule = lab.wire.watch(data.first(), optional=True)
        with pytest.raises(OutOfTime, match=r"watch\(data.first\(\)\) has met 0 frames in time, 1"):
            rule.wait(limit_s=0.05)
        talk(lab, client, server, 10)
        rule.wait()

    held(run_script(script))


def test_a_frame_on_its_way_is_no_rest_and_is_told_of() -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair()
        sock, _ = lab.connected(client, server)
        lab.wire.delay(data, 60)
        sock.send(b"x")
        lab.settle(unanswered=True)

    (told,) = failures(run_script(script, limit_s=5))
    assert "did not come to rest in time: frames that the wire delays are still to come" in told
