"""The connect engine on this machine's loopback. What firewalls and wires do is in
test_ground_truth."""

import os
import resource
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from fourtuple.scan.connect import engine as connect
from fourtuple.scan.connect.ourselves import connects_alone, ephemeral_ports
from fourtuple.scan.model import PortResult, Progress, ScanOptions, ScanSummary
from fourtuple.system.links import bring_up
from scan.engines import done_mask, run_engine, states_of
from scan.ground import in_namespaces

OPTIONS = ScanOptions("connect", workers=None)


def scan(
    ports: Sequence[int], options: ScanOptions = OPTIONS, **more: Any
) -> tuple[list[PortResult], ScanSummary]:
    return run_engine(connect.scan, ["127.0.0.1"], ports, options, **more)


@pytest.fixture
def listeners() -> Iterator[list[int]]:
    """Three open ports on 127.0.0.1."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    yield sorted(sock.getsockname()[1] for sock in held)
    for sock in held:
        sock.close()


def found_open(results: list[PortResult]) -> list[int]:
    return sorted(one.port for one in results if one.state == "open")


def test_open_ports_are_found_and_closed_ones_refused(listeners: list[int]) -> None:
    ports = sorted({*listeners, *range(1, 200)})
    results, summary = scan(ports)
    assert set(listeners) <= set(found_open(results))
    assert sorted(one.port for one in results) == ports
    for one in results:
        reason = "syn-ack" if one.state == "open" else "conn-refused"
        assert (one.protocol, one.reason, one.method) == ("tcp", reason, "connect")
        assert one.rtt_s is not None and 0 < one.rtt_s < 10
    assert not summary.interrupted
    assert summary.received == len(ports)


@pytest.mark.parametrize("workers", [1, 8])
def test_a_few_workers_find_the_same(workers: int, listeners: list[int]) -> None:
    results, _ = scan(listeners, ScanOptions("connect", workers=workers))
    assert found_open(results) == listeners


def test_what_is_done_is_not_probed_again(listeners: list[int]) -> None:
    results, _ = scan(listeners, done=done_mask(3, 0))
    assert found_open(results) == listeners[1:]


@pytest.mark.kernel
@pytest.mark.oracle("nft")
def test_ports_that_are_still_silent_when_repeating_ends_are_filtered_and_not_forgotten() -> None:
    """One new answer each time, so that it is repeated as often as can be."""
    rules = (
        "table ip slow { chain input { type filter hook input priority 0;"
        " tcp dport 9000-9029 limit rate 4/second burst 1 packets reject with tcp reset;"
        " tcp dport 9000-9029 drop; }; }"
    )

    def work() -> list[int]:
        bring_up("lo")
        subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)
        options = ScanOptions("connect", workers=None, timeout_s=0.2)
        return sorted(one.port for one in scan(range(9000, 9030), options)[0])

    assert in_namespaces(work) == list(range(9000, 9030))


def test_the_server_sees_a_connection_that_was_reset(listeners: list[int]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        scan([server.getsockname()[1]])
        peer, _ = server.accept()
        with peer, pytest.raises(ConnectionResetError):
            peer.recv(1)


@pytest.mark.kernel
def test_no_port_of_a_machine_without_listeners_is_ever_open() -> None:
    """A socket whose source port is its destination port connects to itself: 28,232 times a scan
    meets the chance of it, and is not taken in."""

    def work() -> int:
        bring_up("lo")
        for seed in range(3):
            options = ScanOptions("connect", workers=None, seed=seed)
            results, summary = scan(range(1, 65536), options)
            assert states_of(results) == {"closed": 65535}, summary
        return len(results)

    assert in_namespaces(work) == 65535


@pytest.mark.kernel
def test_a_port_that_can_only_reach_itself_is_closed() -> None:
    def work() -> str:
        from fourtuple.system.sysctl import write_sysctl

        bring_up("lo")
        write_sysctl("net.ipv4.ip_local_port_range", "40000 40001")
        assert list(ephemeral_ports()) == [40000, 40001]
        return connects_alone(("127.0.0.1", 40000), 1)[2]

    assert in_namespaces(work) == "closed"


@pytest.mark.kernel
def test_the_limit_of_descriptors_is_kept_to() -> None:
    def work() -> list[int]:
        bring_up("lo")
        resource.setrlimit(resource.RLIMIT_NOFILE, (90, 90))
        with socket.create_server(("127.0.0.1", 777)):
            results, _ = scan(range(1, 2000))
        assert len(results) == 1999
        return found_open(results)

    assert in_namespaces(work) == [777]


@pytest.mark.kernel
def test_an_interrupt_leaves_only_what_has_no_verdict() -> None:
    """Nobody answers behind the blackhole of an address that no neighbour has."""

    def work() -> None:
        bring_up("lo")
        subprocess.run(
            ["ip", "link", "add", "dummy0", "type", "veth", "peer", "name", "dummy1"], check=True
        )
        subprocess.run(["ip", "addr", "add", "10.5.5.1/24", "dev", "dummy0"], check=True)
        bring_up("dummy0", "dummy1")
        socket_open = socket.create_server(("10.5.5.1", 80))
        targets, ports = ["10.5.5.1", "10.5.5.2"], [80, 81, 82]
        stopper = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
        told: list[PortResult] = []

        def stop_when_all_is_told(one: PortResult) -> None:
            told.append(one)
            if len(told) == len(ports):
                stopper.start()

        options = ScanOptions("connect", workers=None, timeout_s=100)
        results, summary = run_engine(
            connect.scan, targets, ports, options, on_result=stop_when_all_is_told
        )
        socket_open.close()
        assert summary.interrupted
        assert {(one.address, one.port) for one in results} == {("10.5.5.1", p) for p in ports}
        assert found_open(results) == [80]

    in_namespaces(work)


def test_progress_grows_to_all(listeners: list[int]) -> None:
    seen: list[Progress] = []
    scan(range(1, 30000), on_progress=seen.append)
    assert all(one.finished <= one.total == 29999 for one in seen)
    assert [one.finished for one in seen] == sorted(one.finished for one in seen)
