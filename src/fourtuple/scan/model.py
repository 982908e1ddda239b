"""What a scan asks for and what it learns, the same for every engine. No I/O, no numpy.

States and reasons are nmap's words, so that both tools' results can be compared line by line.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

__all__ = [
    "METHODS",
    "PortResult",
    "Progress",
    "ProgressSink",
    "Reason",
    "ResultSink",
    "ScanOptions",
    "ScanSummary",
    "State",
    "protocol_of",
]

#: every way to ask a port; all but connect need raw sockets
METHODS = ("connect", "syn", "fin", "null", "xmas", "ack", "window", "udp")


class State:
    """What is said of a port."""

    OPEN = "open"
    CLOSED = "closed"
    FILTERED = "filtered"
    UNFILTERED = "unfiltered"
    OPEN_FILTERED = "open|filtered"


class Reason:
    """The answer, or its absence, from which a state follows."""

    SYN_ACK = "syn-ack"
    CONN_REFUSED = "conn-refused"
    RESET = "reset"
    NO_RESPONSE = "no-response"
    UDP_RESPONSE = "udp-response"
    PORT_UNREACH = "port-unreach"
    HOST_UNREACH = "host-unreach"
    NET_UNREACH = "net-unreach"
    PROTO_UNREACH = "proto-unreach"
    ADMIN_PROHIBITED = "admin-prohibited"
    HOST_PROHIBITED = "host-prohibited"
    NET_PROHIBITED = "net-prohibited"
    TIME_EXCEEDED = "time-exceeded"
    UNREACHABLE = "unreachable"  # any other ICMP destination unreachable


def protocol_of(method: str) -> str:
    """The transport protocol that a method speaks: "tcp" or "udp"."""
    return "udp" if method == "udp" else "tcp"


@dataclass(frozen=True, slots=True)
class PortResult:
    """The verdict on one port, and the evidence in a word.

    `rtt_s` is the time from the probe that was answered to its answer; None without an answer.
    """

    address: str
    port: int
    protocol: str
    state: str
    reason: str
    rtt_s: float | None
    method: str
    service: str = ""


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """How to scan.

    workers    connect: how many connections are under way at once; None: as many as serve
    timeout_s  the longest wait for the answer to one probe; raw methods wait less once they
               have measured round-trip times (RFC 6298)
    retries    how often a probe without an answer is repeated at least
    rate       probes a second; None: adaptive
    seed       of the order of probes: the same seed, the same order
    shard      (k, n): the k-th of n equal parts of that order, k from 1
    deliver    states of which each port is handed to the result sink; None: all. The others are
               only counted, which saves making 65,000 objects nobody looks at
    """

    method: str
    workers: int | None = 8
    timeout_s: float = 0.5
    retries: int = 1
    rate: float | None = None
    seed: int = 0
    shard: tuple[int, int] = (1, 1)
    deliver: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a scan is: probes are counted once, however often they were repeated."""

    finished: int
    total: int
    sent: int
    rate: float  # probes a second, lately
    remaining_s: float | None  # None: cannot tell yet


@dataclass(frozen=True, slots=True)
class ScanSummary:
    """What a scan came to.

    sent, received  probes (repetitions included) and answers that belong to one
    foreign         packets that reached us on our ports and answer no probe of ours
    late            answers that came after their port's verdict, or twice
    dropped         packets that the kernel had no room to give us
    counts          (state, reason) -> ports
    left            address -> ports without a verdict, where the scan was interrupted
    """

    method: str
    sent: int
    received: int
    seconds: float
    foreign: int = 0
    late: int = 0
    dropped: int = 0
    counts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    left: Mapping[str, Sequence[int]] = field(default_factory=dict)
    interrupted: bool = False

    def states(self) -> dict[str, int]:
        """state -> ports"""
        result: dict[str, int] = {}
        for (state, _), count in self.counts.items():
            result[state] = result.get(state, 0) + count
        return result


ResultSink = Callable[[PortResult], None]
ProgressSink = Callable[[Progress], None]
