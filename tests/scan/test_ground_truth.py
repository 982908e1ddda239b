"""Each method on hosts of which the truth is known, and nmap beside us on the same ones.

Where the truth is decidable every verdict is right. What differs from nmap is listed here, with the
reason.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from fourtuple.event.model import Note
from fourtuple.lab.experiment import Experiment
from fourtuple.lab.script import Lab
from fourtuple.lab.wire.select import segment
from fourtuple.system.namespaces import inside
from lab.running import ran

from .ground import (
    CLOSED,
    DROPPED,
    LIMITED,
    OPEN,
    QUEUE_FULL,
    REJECTED_ADMIN,
    REJECTED_PORT,
    REJECTED_RESET,
    TARPIT,
    TCP_PORTS,
    UDP_ADMIN,
    UDP_CLOSED,
    UDP_DROPPED,
    UDP_LIMITED,
    UDP_OPEN,
    UDP_PORTS,
    UDP_SILENT,
    Ground,
    fourtuple,
    nmap,
    on_ground,
    states,
)

pytestmark = [pytest.mark.kernel, pytest.mark.oracle("nft", "ip")]

ADDRESSES = ("10.90.0.2", "fd90::2")
#: a port's kind -> what a method must say
SYN_TRUTH = {
    OPEN: "open",
    CLOSED: "closed",
    DROPPED: "filtered",
    REJECTED_RESET: "closed",  # a firewall's RST cannot be told from the kernel's
    REJECTED_PORT: "filtered",
    REJECTED_ADMIN: "filtered",
    QUEUE_FULL: "filtered",  # Linux drops the SYN: so it looks to everybody
    **dict.fromkeys(LIMITED, "closed"),
    **dict.fromkeys(TARPIT, "open"),  # it agrees to every connection
}
SILENT_TRUTH = {
    **SYN_TRUTH,
    OPEN: "open|filtered",
    DROPPED: "open|filtered",
    QUEUE_FULL: "open|filtered",
    **dict.fromkeys(TARPIT, "open|filtered"),  # it answers nothing else
}
FILTERED = (DROPPED, REJECTED_PORT, REJECTED_ADMIN, *TARPIT)
ACK_TRUTH = {port: "filtered" if port in FILTERED else "unfiltered" for port in TCP_PORTS}
WINDOW_TRUTH = {
    port: "closed" if state == "unfiltered" else state for port, state in ACK_TRUTH.items()
}
TRUTH = {
    "connect": SYN_TRUTH, "syn": SYN_TRUTH, "fin": SILENT_TRUTH, "null": SILENT_TRUTH,
    "xmas": SILENT_TRUTH, "ack": ACK_TRUTH, "window": WINDOW_TRUTH,
}  # fmt: skip
UDP_TRUTH = {
    UDP_OPEN: "open",
    UDP_CLOSED: "closed",
    UDP_DROPPED: "open|filtered",
    UDP_SILENT: "open|filtered",
    UDP_ADMIN: "filtered",
    **dict.fromkeys(UDP_LIMITED, "closed"),
}


def verdicts(found: dict[str, Any]) -> dict[int, str]:
    return {int(port): state for port, (state, _) in found.items()}


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("methods", ["connect,syn", "fin,null,xmas", "ack,window"])
def test_every_tcp_method_is_right_about_every_kind_of_port(methods: str, address: str) -> None:
    def work(ground: Ground) -> Any:
        return states(address, methods, TCP_PORTS)

    found = on_ground(work)
    assert {method: verdicts(of_one) for method, of_one in found.items()} == {
        method: TRUTH[method] for method in methods.split(",")
    }


@pytest.mark.parametrize("address", ADDRESSES)
def test_udp_is_right_although_the_host_limits_its_icmp_messages(address: str) -> None:
    found = on_ground(lambda ground: states(address, "udp", UDP_PORTS))
    assert verdicts(found["udp"]) == UDP_TRUTH


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("method", ["connect", "syn"])
def test_the_reason_names_the_evidence(method: str, address: str) -> None:
    found = on_ground(lambda ground: states(address, method, TCP_PORTS[:7]))[method]
    reasons = {int(port): reason for port, (_, reason) in found.items()}
    refused = "conn-refused" if method == "connect" else "reset"
    assert reasons == {
        OPEN: "syn-ack",
        CLOSED: refused,
        DROPPED: "no-response",
        REJECTED_RESET: refused,
        REJECTED_PORT: "port-unreach",
        REJECTED_ADMIN: "admin-prohibited",
        QUEUE_FULL: "no-response",
    }


def test_a_host_behind_a_router_is_scanned_through_it() -> None:
    methods = "connect,syn,ack,fin"
    found = on_ground(lambda ground: states("10.92.0.2", methods, TCP_PORTS[:7]))
    refused = (CLOSED, REJECTED_RESET, REJECTED_PORT, QUEUE_FULL)  # the router lets these through
    passed = {OPEN: "open", **dict.fromkeys(refused, "closed")}
    stopped = {DROPPED: "filtered", REJECTED_ADMIN: "filtered"}
    assert verdicts(found["connect"]) == verdicts(found["syn"]) == {**passed, **stopped}
    assert verdicts(found["ack"]) == {**dict.fromkeys(passed, "unfiltered"), **stopped}
    silent = {OPEN: "open|filtered", DROPPED: "open|filtered"}
    assert verdicts(found["fin"]) == {**passed, **stopped, **silent}


def test_a_server_that_answers_with_syn_cookies_is_open() -> None:
    found = on_ground(lambda ground: states("10.93.0.2", "connect,syn", [OPEN, CLOSED]))
    for method in ("connect", "syn"):
        assert verdicts(found[method]) == {OPEN: "open", CLOSED: "closed"}


def test_a_tarpit_holds_no_scan_up() -> None:
    def work(ground: Ground) -> Any:
        found = fourtuple("10.90.0.2", "connect", [*TARPIT, OPEN], "--banner")
        return [one for one in found if one["kind"] != "summary"]

    found = on_ground(work)
    assert {one["port"] for one in found if one["kind"] == "port" and one["state"] == "open"} == {
        *TARPIT, OPEN,
    }  # fmt: skip
    assert not [one for one in found if one["kind"] == "banner"]


@pytest.mark.parametrize("method", ["connect", "syn"])
@pytest.mark.parametrize(
    ("what", "state"),
    [("reject with tcp reset", "closed"), ("reject with icmpx host-unreachable", "filtered")],
)
def test_answers_that_are_limited_to_five_a_second_are_waited_for(
    what: str, state: str, method: str
) -> None:
    """And ports that never answer are not taken for closed ones."""
    rules = (
        "table inet slow { chain input { type filter hook input priority -1;"
        f" tcp dport 9000-9019 limit rate 5/second burst 5 packets {what};"
        " tcp dport 9000-9049 drop; }; }"
    )

    def work(ground: Ground) -> Any:
        ground.lift_icmp_limits()
        with inside(ground.target):
            subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)
        return states("10.90.0.2", method, list(range(9000, 9050)))

    found = on_ground(work)[method]
    assert len(found) == 50
    answered = {int(port): said for port, said in found.items() if said[1] != "no-response"}
    assert set(answered) == set(range(9000, 9020))
    assert {said[0] for said in answered.values()} == {state}


# nmap beside us

#: (method, port) -> what nmap may say instead of what we say, and why
NMAP_DIFFERS = {
    # ICMP port unreachable becomes ECONNREFUSED, or, where it came while connect() was at work,
    # nothing until the next SYN; we read the ICMP message itself (IP_RECVERR)
    ("connect", REJECTED_PORT): {"closed", "filtered"},
}


@pytest.mark.oracle("nmap")
@pytest.mark.parametrize("address", ADDRESSES)
def test_nmap_agrees_or_the_difference_is_explained(address: str) -> None:
    ports = TCP_PORTS[:7]

    def work(ground: Ground) -> Any:
        ground.lift_icmp_limits()
        methods = list(TRUTH)
        return states(address, ",".join(methods), ports), nmap(address, methods, ports)

    ours, theirs = on_ground(work)
    for method in TRUTH:
        for port, state in verdicts(ours[method]).items():
            allowed = NMAP_DIFFERS.get((method, port), {state})
            assert verdicts(theirs[method])[port] in allowed, (method, port)


@pytest.mark.oracle("nmap")
@pytest.mark.parametrize("address", ADDRESSES)
def test_nmap_agrees_on_udp(address: str) -> None:
    ports = UDP_PORTS[:5]

    def work(ground: Ground) -> Any:
        ground.lift_icmp_limits()
        return states(address, "udp", ports), nmap(address, ["udp"], ports)

    ours, theirs = on_ground(work)
    assert verdicts(theirs["udp"]) == verdicts(ours["udp"])


# wires that lose and delay: the lab's own


def on_wire(
    rule: Callable[[Lab], object], ports: list[int], *more: str
) -> dict[str, dict[int, str]]:
    """What the lab's client says of its server, where 8001 and 8050 are open."""
    listed = ",".join(map(str, ports))

    def script(lab: Lab) -> None:
        client, server = lab.pair()
        rule(lab)
        server.socket().listen(8001)
        server.socket().listen(8050)
        command = [sys.executable, "-m", "fourtuple", "scan", server.address, "-p", listed]
        program = client.run([*command, "--json", "--method", "connect,syn", *more])
        status = program.wait()
        lab.expect(1, 1, "what the scan printed: {output}", output=program.output)
        lab.expect(status, 0, "the exit status of the scan")

    experiment = Experiment(name="scan", question="?", script=script)
    notes = ran(experiment).of(Note)
    printed = next(n.params["values"]["output"] for n in notes if n.kind == "check")
    found: dict[str, dict[int, str]] = {}
    for line in printed.splitlines():
        one = json.loads(line)
        if one["kind"] == "port":
            found.setdefault(one["method"], {})[one["port"]] = one["state"]
    return found


def late(lab: Lab) -> None:
    lab.wire.delay(segment.sent_by("server"), 0.7)


def truth_of(ports: list[int]) -> dict[int, str]:
    return {port: "open" if port in (8001, 8050) else "closed" for port in ports}


def test_a_wire_that_loses_5_percent_hides_no_port() -> None:
    # of the few that are asked again at most one is lost again, and never a third time in 20 frames
    ports, patience = list(range(8000, 8060)), ("--timeout", "3", "--retries", "2")
    found = on_wire(lambda lab: lab.wire.drop(segment.every(20)), ports, *patience)
    assert found == {"connect": truth_of(ports), "syn": truth_of(ports)}


def test_an_answer_that_is_late_counts_if_it_comes_within_the_time_out() -> None:
    ports = [8000, 8001, 8002, 8050]
    found = on_wire(late, ports, "--timeout", "20")
    assert found == {"connect": truth_of(ports), "syn": truth_of(ports)}


def test_an_answer_later_than_the_time_out_is_none() -> None:
    found = on_wire(late, [8001], "--timeout", "0.1", "--retries", "0")
    assert found["connect"] == {8001: "filtered"}
