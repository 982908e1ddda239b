"""The raw engine on hosts of which the truth is known: what it sends, what it leaves, how it ends.

What it says of every kind of port is in test_ground_truth.
"""

import ctypes
import os
import signal
import socket
import subprocess
import threading
import time
from typing import Any

import pytest
from msgspec.structs import replace

from fourtuple.errors import CapabilityMissing
from fourtuple.scan.model import Batch, PortResult, Progress, ScanOptions, ScanSummary
from fourtuple.scan.raw import engine as raw
from fourtuple.scan.raw.own_ports import OwnPorts
from fourtuple.scan.raw.receiver import Received, Receiver
from fourtuple.scan.raw.timer import FLOOR_S
from fourtuple.system.namespaces import enter, inside
from fourtuple.wire import ACK, RST, Ipv4, Tcp
from scan.engines import done_mask, ignore, run_engine, states_of
from scan.ground import CLOSED, DROPPED, OPEN, REJECTED_RESET, Ground, in_namespaces, on_ground

pytestmark = [pytest.mark.kernel, pytest.mark.oracle("nft", "ip")]

TARGET = "10.90.0.2"
SYN_SCAN = ScanOptions("syn")


def scanned(
    options: ScanOptions = SYN_SCAN,
    targets: tuple[str, ...] = (TARGET,),
    ports: Any = (OPEN, CLOSED, DROPPED, REJECTED_RESET),
    **more: Any,
) -> tuple[list[PortResult], ScanSummary]:
    return run_engine(raw.scan, targets, ports, options, **more)


def give_up_capabilities() -> None:
    """As an ordinary program has it (capset(2), version 3: two words of each set, all 0)."""
    header, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert ctypes.CDLL(None).capset(header, none) == 0


def words(results: list[PortResult]) -> dict[str, str]:
    return {str(one.port): one.state for one in results}


def test_our_own_kernel_resets_what_a_syn_scan_half_opened() -> None:
    """So no half-open connection stays behind at the target, and its program never sees one."""

    def work(ground: Ground) -> Any:
        scanned(ports=(OPEN,))
        with inside(ground.target):
            table = subprocess.run(
                ["ss", "-Htan", "state", "syn-recv"], capture_output=True, text=True, check=True
            )
        return table.stdout

    assert on_ground(work) == ""


@pytest.mark.parametrize("method", ["syn", "udp"])
def test_the_ports_that_probes_come_from_are_given_to_nobody_else(method: str) -> None:
    kind = socket.SOCK_DGRAM if method == "udp" else socket.SOCK_STREAM
    with OwnPorts(method) as own:
        for port in own.ports:
            with socket.socket(socket.AF_INET, kind) as other, pytest.raises(OSError):
                other.bind(("127.0.0.1", port))
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", own.ports[0]))


def test_shards_together_are_the_whole_scan() -> None:
    def work(ground: Ground) -> Any:
        ports = range(7900, 8003)
        return [
            [one.port for one in scanned(replace(SYN_SCAN, shard=(k, 3)), ports=ports)[0]]
            for k in (1, 2, 3)
        ]

    parts = on_ground(work)
    assert sorted(port for part in parts for port in part) == list(range(7900, 8003))


def test_what_was_finished_before_is_not_asked_again() -> None:
    def work(ground: Ground) -> Any:
        results, summary = scanned(ports=(OPEN, CLOSED), done=done_mask(2, 0))
        return [words(results), summary.sent]

    assert on_ground(work) == [{str(CLOSED): "closed"}, 1]


def test_an_interrupt_delivers_what_is_known_and_says_what_is_left() -> None:
    def work(ground: Ground) -> Any:
        known: list[PortResult] = []

        def stop_after_two(result: PortResult) -> None:
            known.append(result)
            if len(known) == 2:
                os.kill(os.getpid(), signal.SIGINT)

        ports = (OPEN, CLOSED, DROPPED, REJECTED_RESET)
        options = replace(SYN_SCAN, rate=20, retries=5)
        results, summary = scanned(options, ports=ports, on_result=stop_after_two)
        return [words(known), words(results), summary.interrupted]

    known, told, interrupted = on_ground(work)
    assert interrupted
    assert known == told
    assert 2 <= len(known) < 4
    assert str(DROPPED) not in known


def test_who_does_not_answer_arp_is_unreachable_and_holds_nobody_else_up() -> None:
    def work(ground: Ground) -> Any:
        results, _ = scanned(targets=("10.90.0.77", TARGET, "203.0.113.1"), ports=(OPEN,))
        return {one.address: [one.state, one.reason] for one in results}

    assert on_ground(work) == {
        TARGET: ["open", "syn-ack"],
        "10.90.0.77": ["filtered", "host-unreach"],
        "203.0.113.1": ["filtered", "net-unreach"],
    }


def test_many_targets_of_both_families_on_several_links_are_one_scan() -> None:
    def work(ground: Ground) -> Any:
        targets = (TARGET, "fd90::2", "10.92.0.2", "10.93.0.2", "10.90.0.1", "127.0.0.1", "::1")
        results, _ = scanned(targets=targets, ports=(OPEN, CLOSED))
        return sorted([one.address, one.port, one.state] for one in results)

    found = on_ground(work)
    with_server = (TARGET, "fd90::2", "10.92.0.2", "10.93.0.2")
    states = {
        (address, port): "open" if port == OPEN and address in with_server else "closed"
        for address in (*with_server, "10.90.0.1", "127.0.0.1", "::1")
        for port in (OPEN, CLOSED)
    }
    assert {(address, port): state for address, port, state in found} == states


def test_link_local_targets_are_scanned_through_their_interface() -> None:
    """The neighbour's address, and our own, which the kernel itself answers for."""

    def give(name: str, address: str) -> None:
        subprocess.run(["ip", "addr", "add", f"{address}/64", "dev", name, "nodad"], check=True)

    def work(ground: Ground) -> Any:
        give("target", "fe80::aa")
        with inside(ground.target):
            give("eth0", "fe80::bb")
            held = socket.create_server(("::", 8080), family=socket.AF_INET6)
        targets = ("fe80::bb%target", "fe80::aa%target", "fe80::bb%nowhere")
        results, _ = scanned(targets=targets, ports=(8080,))
        held.close()
        return [[one.address.partition("%")[2], one.state, one.reason] for one in results]

    assert sorted(on_ground(work)) == [
        ["nowhere", "filtered", "net-unreach"],
        ["target", "closed", "reset"],
        ["target", "open", "syn-ack"],
    ]


def test_a_target_that_limits_its_resets_is_asked_as_slowly_as_it_answers() -> None:
    rules = (
        "table inet slow { chain input { type filter hook input priority -1;"
        " tcp dport 9000-9059 limit rate 40/second burst 5 packets reject with tcp reset;"
        " tcp dport 9000-9059 drop; }; }"
    )

    def work(ground: Ground) -> Any:
        with inside(ground.target):
            subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)
        return states_of(scanned(ports=range(9000, 9060))[0])

    assert on_ground(work) == {"closed": 60}


def test_65535_ports_are_asked_once_where_all_of_them_answer() -> None:
    def work(ground: Ground) -> Any:
        targets = ("10.93.0.2",)
        results, summary = scanned(targets=targets, ports=range(1, 65536))
        found = [one.port for one in results if one.state == "open"]
        return [found, states_of(results), summary.sent, summary.foreign]

    found, states, sent, foreign = on_ground(work)
    assert found == [OPEN]
    assert states == {"open": 1, "closed": 65534}
    assert foreign == 0
    # a kernel that gets no processor keeps what it has not dealt with, or drops it: of each
    # processor at most 1000 packets (net.core.netdev_max_backlog), probes and answers alike
    assert 65535 <= sent <= 65535 + 1000 * (os.cpu_count() or 1)


def test_answers_that_wait_to_be_read_cost_no_second_probe(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on a busy machine: answers are there in time, but only few are read at once, and until
    the next are, the time to wait for answers is over."""

    class Sparing(Receiver):
        def __init__(self, protocol: int, ports: range) -> None:
            super().__init__(protocol, ports)
            self.unread: list[Received] = []

        def wait(self, seconds: float) -> None:
            super().wait(0 if self.unread else seconds)

        def read(self) -> Received | None:
            while (received := super().read()) is not None:
                self.unread += parts_of(received, 200)
            return self.unread.pop(0) if self.unread else None

    def slowly(batch: Batch) -> None:
        time.sleep(1.5 * FLOOR_S)

    def work(ground: Ground) -> Any:
        summary = raw.scan(("10.93.0.2",), range(1, 4001), SYN_SCAN, slowly, ignore)
        return [summary.sent, summary.received, summary.late]

    monkeypatch.setattr(raw, "Receiver", Sparing)
    assert on_ground(work) == [4000, 4000, 0]


def parts_of(received: Received, size: int) -> list[Received]:
    columns = (received.data, received.captured, received.t_ns)
    starts = range(0, len(received.data), size)
    return [Received(*(one[at : at + size] for one in columns)) for at in starts]


def test_noise_on_our_ports_is_told_apart_from_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that sends a RST without having seen the probe that it answers closes nothing."""

    namespaces: list[int] = []

    class Sprayed(OwnPorts):
        def __init__(self, method: str) -> None:
            super().__init__(method)
            threading.Thread(target=spray, args=(self.ports,), daemon=True).start()

    def spray(ports: range) -> None:
        enter(namespaces[0])  # of this thread alone
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP) as forger:
            for port in [*ports] * 20:
                reset = Tcp(DROPPED, port, 1, 1, flags=RST | ACK)
                forger.sendto(reset.emit(b"", Ipv4(TARGET, "10.90.0.1")), ("10.90.0.1", 0))
                time.sleep(0.001)

    def work(ground: Ground) -> Any:
        namespaces.append(ground.target)
        results, summary = scanned(ports=(DROPPED,))
        return [words(results), summary.foreign]

    monkeypatch.setattr(raw, "OwnPorts", Sprayed)
    states, foreign = on_ground(work)
    assert states == {str(DROPPED): "filtered"}
    assert foreign > 0


def test_progress_is_told_while_a_scan_waits() -> None:
    def work(ground: Ground) -> Any:
        told: list[Progress] = []
        scanned(replace(SYN_SCAN, rate=20), ports=range(8000, 8020), on_progress=told.append)
        return [(one.finished, one.total, one.sent) for one in told]

    told = on_ground(work)
    assert told
    assert {total for _, total, _ in told} == {20}
    assert [sent for *_, sent in told] == sorted(sent for *_, sent in told)


def test_without_the_privilege_it_says_what_does_work() -> None:
    def work() -> Any:
        give_up_capabilities()
        try:
            scanned(targets=("127.0.0.1",))
        except CapabilityMissing as missing:
            return str(missing)
        return "scanned"

    assert "--method connect" in in_namespaces(work)


def test_a_rate_is_kept() -> None:
    def work(ground: Ground) -> Any:
        begin_s = time.monotonic()
        scanned(replace(SYN_SCAN, rate=100), ports=range(9000, 9050))
        return time.monotonic() - begin_s

    assert on_ground(work) >= 49 / 100
