"""Namespaces, links, sysctls and packet sockets, in a session's own namespaces."""

import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from fourtuple.event.model import Note
from fourtuple.lab.log import Log
from fourtuple.lab.session import Session
from fourtuple.system.links import OFFLOADS, add_address, bring_up, make_veth, set_offloads
from fourtuple.system.namespaces import inside, new_network_namespace
from fourtuple.system.packet import PacketSocket, WallClock
from fourtuple.system.sysctl import read_sysctl, write_sysctl

pytestmark = pytest.mark.kernel

FRAME = b"\xff" * 6 + b"\x02" + b"\0" * 5 + b"\x88\xb5" + b"for experiments".ljust(46, b"\0")


def in_session(story: Callable[[], Any]) -> Any:
    """Run `story` in namespaces of its own and return its result."""
    log = Log()

    def main() -> None:
        log.write(Note(t_ns=0, kind="result", params={"value": story()}))

    assert Session(main, log).wait(60)
    notes = [record for record in log.news() if isinstance(record, Note)]
    failures = [note.params for note in notes if note.kind == "failure"]
    assert not failures, failures
    return notes[-1].params["value"]


def linked() -> tuple[int, PacketSocket, PacketSocket]:
    """A namespace whose eth0 is joined to our "wire", and a packet socket on each."""
    namespace = new_network_namespace()
    write_sysctl("net.ipv6.conf.default.disable_ipv6", 1)
    make_veth("wire", "eth0", namespace)
    with inside(namespace):
        write_sysctl("net.ipv6.conf.all.disable_ipv6", 1)
        bring_up("lo", "eth0")
        far = PacketSocket("eth0")
    bring_up("wire")
    return namespace, PacketSocket("wire"), far


def test_a_frame_crosses_and_its_sender_does_not_hear_it() -> None:
    def story() -> Any:
        _, near, far = linked()
        near.send(FRAME)
        received = far.receive()
        return received and received[0], near.receive(), near.drops(), far.drops()

    assert in_session(story) == [FRAME, None, 0, 0]


def test_the_kernel_stamps_a_frame_when_it_is_sent_not_when_it_is_read() -> None:
    def story() -> Any:
        _, near, far = linked()
        clock = WallClock()
        before_ns = time.monotonic_ns()
        near.send(FRAME)
        after_ns = time.monotonic_ns()
        time.sleep(0.05)
        received = far.receive()
        assert received is not None
        slack_ns = clock.error_ns + 1000
        stamp_ns = clock.monotonic(received[1])
        return before_ns - slack_ns <= stamp_ns <= after_ns + slack_ns

    assert in_session(story) is True


def test_settings_belong_to_the_namespace() -> None:
    def story() -> Any:
        namespace = new_network_namespace()
        with inside(namespace):
            write_sysctl("net.ipv4.ip_local_port_range", "40000 40100")
            there = read_sysctl("net.ipv4.ip_local_port_range")
        return there, read_sysctl("net.ipv4.ip_local_port_range")

    there, here = in_session(story)
    assert there == "40000 40100"
    assert here != there


def test_a_refused_setting_is_an_error_at_once() -> None:
    def story() -> Any:
        outcomes = []
        for name, value in (("net.ipv4.tcp_sack", "many"), ("net.ipv4.no_such_thing", "1")):
            try:
                write_sysctl(name, value)
            except OSError as error:
                outcomes.append(error.errno)
        return outcomes

    assert in_session(story) == [22, 2]


@pytest.mark.parametrize("address", ["10.9.8.7", "fd99::7"])
def test_an_address_serves_at_once(address: str) -> None:
    def story() -> Any:
        namespace = new_network_namespace()
        make_veth("wire", "eth0", namespace)
        bring_up("wire")
        with inside(namespace):
            bring_up("lo", "eth0")
            add_address("eth0", address, 24 if "." in address else 64)
            family = socket.AF_INET if "." in address else socket.AF_INET6
            with socket.socket(family) as listener:
                listener.bind((address, 8888))
                return listener.getsockname()[0]

    assert in_session(story) == address


def test_every_offload_can_be_switched_off() -> None:
    def story() -> Any:
        namespace, _, _ = linked()
        with inside(namespace):
            set_offloads("eth0", False)
            for feature in OFFLOADS:
                set_offloads("eth0", True, [feature])
        set_offloads("wire", False)
        return True

    assert in_session(story) is True


def test_a_clock_that_is_not_stepped_reports_no_step() -> None:
    clock = WallClock()
    assert [clock.sample() for _ in range(100)] == [0] * 100
    assert 0 <= clock.error_ns < 1_000_000_000
