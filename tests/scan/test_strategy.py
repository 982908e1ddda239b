"""What each answer means, method by method, in nmap's words."""

import pytest

from fourtuple.scan.model import METHODS
from fourtuple.scan.strategy import PROBES, Reply, judge, silence
from fourtuple.wire import ACK, RST, SYN

SYN_ACK = Reply("tcp", flags=SYN | ACK)
RESET = Reply("tcp", flags=RST | ACK)


def unreachable(code: int, version: int = 4) -> Reply:
    return Reply("icmp", icmp_type=3, code=code) if version == 4 else Reply("icmp6", 0, 0, 1, code)


@pytest.mark.parametrize(
    ("method", "reply", "verdict"),
    [
        ("syn", SYN_ACK, ("open", "syn-ack")),
        ("syn", RESET, ("closed", "reset")),
        ("fin", RESET, ("closed", "reset")),
        ("null", RESET, ("closed", "reset")),
        ("xmas", RESET, ("closed", "reset")),
        ("ack", RESET, ("unfiltered", "reset")),
        ("window", RESET, ("closed", "reset")),
        ("window", Reply("tcp", flags=RST, window=512), ("open", "reset")),
        ("udp", Reply("udp"), ("open", "udp-response")),
        ("udp", unreachable(3), ("closed", "port-unreach")),
        ("udp", unreachable(4, 6), ("closed", "port-unreach")),
        ("udp", unreachable(1), ("filtered", "host-unreach")),
        ("syn", unreachable(3), ("filtered", "port-unreach")),
        ("syn", unreachable(0), ("filtered", "net-unreach")),
        ("syn", unreachable(2), ("filtered", "proto-unreach")),
        ("fin", unreachable(13), ("filtered", "admin-prohibited")),
        ("ack", unreachable(10), ("filtered", "host-prohibited")),
        ("syn", unreachable(1, 6), ("filtered", "admin-prohibited")),
        ("syn", Reply("icmp", icmp_type=11), ("filtered", "time-exceeded")),
        ("syn", Reply("icmp6", icmp_type=3), ("filtered", "time-exceeded")),
    ],
)
def test_an_answer_proves(method: str, reply: Reply, verdict: tuple[str, str]) -> None:
    assert judge(method, reply) == verdict


@pytest.mark.parametrize(
    ("method", "reply"),
    [
        ("syn", Reply("tcp", flags=ACK)),  # a challenge ACK says that a connection lives
        ("syn", Reply("tcp", flags=SYN)),
        ("fin", SYN_ACK),
        ("udp", RESET),
        ("syn", Reply("udp")),
        ("syn", unreachable(4)),  # fragmentation needed
        ("udp", Reply("icmp", icmp_type=8)),
        ("udp", Reply("icmp6", icmp_type=2)),
    ],
)
def test_an_answer_that_proves_nothing(method: str, reply: Reply) -> None:
    assert judge(method, reply) is None


@pytest.mark.parametrize("method", [method for method in METHODS if method != "connect"])
def test_silence_is_told_apart_by_whether_an_open_port_would_be_silent(method: str) -> None:
    silent_when_open = method in ("fin", "null", "xmas", "udp")
    state = "open|filtered" if silent_when_open else "filtered"
    assert silence(method) == (state, "no-response")
    assert method in PROBES
