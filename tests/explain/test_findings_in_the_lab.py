"""Findings beyond resets, each from a run on this machine's kernel that brings it about."""

import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from fourtuple.analyze import connections
from fourtuple.explain.catalog import findings
from fourtuple.explain.model import Finding, Message
from fourtuple.explain.text import Translator
from fourtuple.lab.experiment import Experiment, all_experiments
from fourtuple.lab.hosts.baseline import PATIENT
from fourtuple.lab.hosts.host import Host, HostSocket
from fourtuple.lab.script import Lab
from fourtuple.lab.wire.parcel import Onward, Parcel
from fourtuple.lab.wire.select import segment
from fourtuple.render.leftover import leftover_of
from lab.running import ran
from resets.generator_a import Cutting, Stage, forgotten, stale_syn_and_waiting_server

pytestmark = pytest.mark.kernel

families = pytest.mark.parametrize("family", [4, 6])

PORT = 8888


def found(script: Callable[[Lab], None], family: int = 4) -> dict[str, Finding]:
    """The findings of a run by their codes."""
    experiment = Experiment(name=script.__name__, question="?", script=script)
    timeline = ran(experiment, family)
    return {one.code: one for one in findings(timeline, connections(timeline))}


def told(finding: Finding) -> str:
    """What a finding says."""
    return Translator("en").text(Message(finding.rule.what, finding.params))


def connected(lab: Lab, **how: Any) -> tuple[Host, HostSocket, HostSocket]:
    """The server, and both ends of a connection."""
    client, server = lab.pair(**how)
    listener = server.socket().listen(PORT)
    sock = client.socket().connect(server, PORT)
    return server, sock, listener.accept()


class Narrow:
    """A wire on which larger TCP segments are lost, and nobody says so."""

    def __init__(self, most: int) -> None:
        self._most = most

    def carry(self, parcel: Parcel, onward: Onward) -> None:
        if parcel.packet.tcp is None or len(parcel.data) <= self._most:
            onward(parcel)


@families
def test_a_wire_that_takes_its_time_makes_a_slow_handshake(family: int) -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair()
        lab.wire.delay(segment.sent_by(server), 0.5)
        server.socket().listen(PORT)
        client.socket().connect(server, PORT)

    slow = found(script, family)["slow-handshake"]
    assert slow.params["there_ms"] >= 500
    assert len(slow.frames) == 3


def test_a_listener_without_room_lets_the_third_step_go_unheard() -> None:
    def script(lab: Lab) -> None:
        # three handshakes end at once, where two wait already and there is room for one more
        client, server = lab.pair(link=Cutting(slow=PORT, mute=0))
        listener = server.socket().listen(PORT, backlog=2)
        waiting = [client.socket().connect(server, PORT) for _ in range(2)]
        asking = [client.socket() for _ in range(3)]
        for pending in [sock.begin.connect(server, PORT) for sock in asking]:
            pending.result()
        time.sleep(2.5)
        for sock in [*waiting, *asking]:
            sock.close()
        for _ in range(3):
            listener.accept()

    suspected = found(script)["accept-queue-suspected"]
    assert "as if unheard" in told(suspected)


@families
def test_an_end_that_forgot_leaves_the_other_half_open(family: int) -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair()
        forgotten(Stage(lab, client, server, PORT))

    assert told(found(script, family)["half-open"]) == (
        "The server still held a connection that the client had forgotten without a word."
    )


def test_a_request_may_cross_the_close_of_an_idle_connection() -> None:
    def script(lab: Lab) -> None:
        server, ours, theirs = connected(lab)
        lab.wire.delay(segment.sent_by(server), 0.2)
        theirs.close()
        ours.send(b"GET / again")  # the server's FIN is still on its way
        lab.settle()

    crossed = found(script)
    assert "while the server's FIN was on its way" in told(crossed["request-crossed-close"])
    assert "data-after-close" in crossed


def test_a_receiver_that_reads_nothing_stands_still() -> None:
    def script(lab: Lab) -> None:
        _, ours, theirs = connected(lab, sysctls={"net.ipv4.tcp_rmem": "4096 8192 8192"})
        sending = ours.begin.send(bytes(100_000))
        time.sleep(0.6)
        theirs.recv_exactly(100_000)
        sending.result()
        lab.settle()

    stalled = found(script)["receiver-stalled"]
    assert stalled.params["ms"] >= 200
    assert "zero-window" in found(script)


@families
def test_two_writes_before_a_read_wait_for_a_delayed_ack(family: int) -> None:
    def script(lab: Lab) -> None:
        _, ours, theirs = connected(lab, sysctls=PATIENT)
        for _ in range(4):
            ours.send(b"head")
            ours.send(b"body")
            theirs.recv_exactly(8)
            theirs.send(b"answer")
            ours.recv_exactly(6)

    held = found(script, family)["nagle-meets-delayed-ack"]
    assert "The client held back data" in told(held)
    assert held.params["ms"] >= 25


def test_with_tcp_nodelay_nothing_is_held_back() -> None:
    def script(lab: Lab) -> None:
        _, ours, theirs = connected(lab, sysctls=PATIENT)
        ours.set_option(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(4):
            ours.send(b"head")
            ours.send(b"body")
            theirs.recv_exactly(8)
            theirs.send(b"answer")
            ours.recv_exactly(6)

    assert "nagle-meets-delayed-ack" not in found(script)


@families
def test_what_is_too_large_for_the_way_vanishes_in_a_black_hole(family: int) -> None:
    def script(lab: Lab) -> None:
        _, ours, theirs = connected(lab, link=Narrow(1000))
        ours.send(b"a short greeting")
        theirs.recv_exactly(16)
        lab.settle()
        ours.send(bytes(1200))
        time.sleep(1.0)

    hole = found(script, family)["mtu-black-hole-suspected"]
    assert hole.params["length"] == 1200
    assert hole.params["count"] >= 3
    assert hole.params["passed"] == 16


@families
def test_icmp_is_tied_to_the_datagram_that_it_answers(family: int) -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair()
        sock = client.socket("datagram")
        sock.connect(server, 9999).send(b"anybody there?")
        lab.settle()

    errors = found(script, family)
    address = "10.77.0.2" if family == 4 else "fd77::2"
    assert told(errors["icmp-unreachable"]) == f"{address} told the client: port unreachable."
    assert "udp-unanswered" in errors


@families
def test_a_router_that_says_which_size_it_takes_is_no_unreachable_host(family: int) -> None:
    told_so = found(all_experiments()["path-mtu"].script, family)
    assert "a packet was too large for the next link" in told(told_so["packet-too-big"])
    assert "icmp-unreachable" not in told_so


def test_who_refuses_an_answer_and_asks_again_has_not_asked_in_vain() -> None:
    assert "syn-repeated" not in found(all_experiments()["wrong-syn-ack"].script)


@families
def test_a_capture_at_a_host_that_leaves_work_to_its_card_shows_what_no_wire_carries(
    family: int,
) -> None:
    timeline = ran(all_experiments()["offload"], family)
    at_client = findings(timeline, connections(timeline, vantage="at client"))
    assert "larger-than-mss" in {one.code for one in at_client}
    said = [Translator("en").text(message) for message in leftover_of(timeline)]
    assert "before their checksums were computed (offload)" in " ".join(said)
    segments = ran(all_experiments()["segments"], family)
    assert list(leftover_of(segments)) == []


def test_a_datagram_that_is_answered_leaves_nothing_to_say() -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair()
        listening = server.socket("datagram").bind(9999)
        listening.connect(client, 9998)
        sock = client.socket("datagram").bind(9998).connect(server, 9999)
        sock.send(b"anybody there?")
        listening.recv()
        listening.send(b"yes")
        sock.recv()

    assert found(script) == {}


def test_a_port_that_is_used_again_meets_the_other_s_time_wait() -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair()
        stale_syn_and_waiting_server(Stage(lab, client, server, PORT))

    assert "did not agree at once" in told(found(script)["port-reused-too-soon"])


def test_an_orderly_run_gives_no_warning() -> None:
    def script(lab: Lab) -> None:
        _, ours, theirs = connected(lab, sysctls=PATIENT)
        ours.send(b"hello")
        theirs.recv_exactly(5)
        theirs.send(b"hello")
        ours.recv_exactly(5)
        lab.settle()
        ours.close()
        lab.settle()
        theirs.close()
        lab.settle()

    warned = [one.code for one in found(script).values() if one.severity in ("warning", "error")]
    assert warned == []
