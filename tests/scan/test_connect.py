"""The connect engine on this machine's loopback. What firewalls and wires do is in
test_ground_truth."""

import os
import resource
import signal
import socket
import threading
from collections.abc import Iterator

import pytest

from fourtuple.scan.connect import scan
from fourtuple.scan.connector import connects_alone, ephemeral_ports
from fourtuple.scan.model import PortResult, Progress, ScanOptions

from .ground import in_namespaces

OPTIONS = ScanOptions("connect", workers=None)


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
    results: list[PortResult] = []
    ports = sorted({*listeners, *range(1, 200)})
    summary = scan(["127.0.0.1"], ports, OPTIONS, results.append)
    assert set(listeners) <= set(found_open(results))
    assert sorted(one.port for one in results) == ports
    for one in results:
        reason = "syn-ack" if one.state == "open" else "conn-refused"
        assert (one.protocol, one.reason, one.method) == ("tcp", reason, "connect")
        assert one.rtt_s is not None and 0 < one.rtt_s < 10
    assert sum(summary.counts.values()) == len(ports)
    assert not summary.left and not summary.interrupted


@pytest.mark.parametrize("workers", [1, 8])
def test_a_few_workers_find_the_same(workers: int, listeners: list[int]) -> None:
    results: list[PortResult] = []
    options = ScanOptions("connect", workers=workers)
    scan(["127.0.0.1"], listeners, options, results.append)
    assert found_open(results) == listeners


def test_what_is_done_is_not_probed_again(listeners: list[int]) -> None:
    results: list[PortResult] = []
    done = {("127.0.0.1", listeners[0])}
    scan(["127.0.0.1"], listeners, OPTIONS, results.append, done=done)
    assert found_open(results) == listeners[1:]


def test_states_that_nobody_wants_are_counted_only(listeners: list[int]) -> None:
    results: list[PortResult] = []
    options = ScanOptions("connect", workers=None, deliver=frozenset(("open",)))
    summary = scan(["127.0.0.1"], [*listeners, 1, 2], options, results.append)
    assert found_open(results) == listeners
    assert len(results) == 3
    assert summary.states() == {"open": 3, "closed": 2}


def test_the_server_sees_a_connection_that_was_reset(listeners: list[int]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        scan(["127.0.0.1"], [server.getsockname()[1]], OPTIONS, lambda result: None)
        peer, _ = server.accept()
        with peer, pytest.raises(ConnectionResetError):
            peer.recv(1)


@pytest.mark.kernel
def test_no_port_of_a_machine_without_listeners_is_ever_open() -> None:
    """A socket whose source port is its destination port connects to itself: 28,232 times a scan
    meets the chance of it, and is not taken in."""

    def work() -> int:
        from fourtuple.system.links import bring_up

        bring_up("lo")
        results: list[PortResult] = []
        for seed in range(3):
            options = ScanOptions("connect", workers=None, seed=seed, deliver=frozenset(("open",)))
            summary = scan(["127.0.0.1"], range(1, 65536), options, results.append)
            assert summary.states() == {"closed": 65535}, summary
        return len(results)

    assert in_namespaces(work) == 0


@pytest.mark.kernel
def test_a_port_that_can_only_reach_itself_is_closed() -> None:
    def work() -> str:
        from fourtuple.system.links import bring_up
        from fourtuple.system.sysctl import write_sysctl

        bring_up("lo")
        write_sysctl("net.ipv4.ip_local_port_range", "40000 40001")
        assert list(ephemeral_ports()) == [40000, 40001]
        return connects_alone(("127.0.0.1", 40000), 1)[2]

    assert in_namespaces(work) == "closed"


@pytest.mark.kernel
def test_the_limit_of_descriptors_is_kept_to() -> None:
    def work() -> list[int]:
        from fourtuple.system.links import bring_up

        bring_up("lo")
        resource.setrlimit(resource.RLIMIT_NOFILE, (90, 90))
        with socket.create_server(("127.0.0.1", 777)):
            results: list[PortResult] = []
            options = ScanOptions("connect", workers=None)
            scan(["127.0.0.1"], range(1, 2000), options, results.append)
        assert len(results) == 1999
        return found_open(results)

    assert in_namespaces(work) == [777]


@pytest.mark.kernel
def test_an_interrupt_leaves_only_what_has_no_verdict() -> None:
    """Nobody answers behind the blackhole of an address that no neighbour has."""

    def work() -> None:
        import subprocess

        from fourtuple.system.links import bring_up

        bring_up("lo")
        subprocess.run(
            ["ip", "link", "add", "dummy0", "type", "veth", "peer", "name", "dummy1"], check=True
        )
        subprocess.run(["ip", "addr", "add", "10.5.5.1/24", "dev", "dummy0"], check=True)
        bring_up("dummy0", "dummy1")
        socket_open = socket.create_server(("10.5.5.1", 80))
        results: list[PortResult] = []
        targets, ports = ["10.5.5.1", "10.5.5.2"], [80, 81, 82]
        stopper = threading.Timer(0.6, os.kill, (os.getpid(), signal.SIGINT))
        stopper.start()
        options = ScanOptions("connect", workers=None, timeout_s=30)
        summary = scan(targets, ports, options, results.append)
        socket_open.close()
        judged = {(one.address, one.port) for one in results}
        left = {(address, port) for address, some in summary.left.items() for port in some}
        assert summary.interrupted
        assert judged.isdisjoint(left)
        assert judged | left == {(t, p) for t in targets for p in ports}
        assert found_open(results) == [80]

    in_namespaces(work)


def test_progress_grows_to_all(listeners: list[int]) -> None:
    seen: list[Progress] = []
    scan(["127.0.0.1"], range(1, 30000), OPTIONS, lambda result: None, seen.append)
    assert all(one.finished <= one.total == 29999 for one in seen)
    assert [one.finished for one in seen] == sorted(one.finished for one in seen)
