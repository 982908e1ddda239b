"""What a scan asks for and what it learns, the same for every engine. No I/O, no numpy.

States and reasons are nmap's words, so that both tools' results can be compared line by line.
"""

from array import array
from collections.abc import Callable

from msgspec import Struct

__all__ = [
    "METHODS",
    "OPEN_CODES",
    "RAW_METHODS",
    "Batch",
    "BatchSink",
    "PortResult",
    "Progress",
    "ProgressSink",
    "Reason",
    "ResultSink",
    "ScanOptions",
    "ScanSummary",
    "State",
    "protocol_of",
    "verdict_code",
    "verdict_of",
]

#: every way to ask a port; all but connect are raw: they need CAP_NET_RAW
METHODS = ("connect", "syn", "fin", "null", "xmas", "ack", "window", "udp")
RAW_METHODS = frozenset(METHODS) - {"connect"}


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


def _texts(words: type) -> tuple[str, ...]:
    return tuple(text for name, text in vars(words).items() if name.isupper())


_STATES, _REASONS = _texts(State), _texts(Reason)


def verdict_code(state: str, reason: str) -> int:
    """The number, 1 to 254, by which a verdict is kept: a byte a port. 0 is none yet."""
    return 1 + _STATES.index(state) * len(_REASONS) + _REASONS.index(reason)


def verdict_of(code: int) -> tuple[str, str]:
    """(state, reason) of a `verdict_code`."""
    state, reason = divmod(code - 1, len(_REASONS))
    return _STATES[state], _REASONS[reason]


#: the codes of all verdicts that say open
OPEN_CODES = bytes(verdict_code(State.OPEN, reason) for reason in _REASONS)


class PortResult(Struct, frozen=True):
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


class ScanOptions(Struct, frozen=True):
    """How to scan.

    workers    connect: how many connections are under way at once; None: as many as serve
    timeout_s  the longest wait for the answer to one probe; raw methods wait less once they
               have measured round-trip times (RFC 6298)
    retries    how often a probe without an answer is repeated at least
    rate       probes a second; None: adaptive
    seed       of the order of probes: the same seed, the same order
    shard      (k, n): the k-th of n equal parts of that order, k from 1
    recorded   probes pass where packet sockets of this machine see them, which takes longer
    """

    method: str
    workers: int | None = 8
    timeout_s: float = 0.5
    retries: int = 1
    rate: float | None = None
    seed: int = 0
    shard: tuple[int, int] = (1, 1)
    recorded: bool = False

    def positions(self, size: int) -> range:
        """The positions of its shard in the order of `size` probes. Each belongs to exactly one
        shard; the sizes of shards differ by one at most."""
        return range(self.shard[0] - 1, size, self.shard[1])


class Progress(Struct, frozen=True):
    """How far a scan is: probes are counted once, however often they were repeated."""

    finished: int
    total: int
    sent: int
    rate: float  # probes a second, lately
    remaining_s: float | None  # None: cannot tell yet


class ScanSummary(Struct, frozen=True):
    """What a scan came to.

    sent, received  probes (repetitions included) and answers that belong to one
    foreign         packets that reached us on our ports and answer no probe of ours
    late            answers that came after their port's verdict, or twice
    dropped         packets that the kernel had no room to give us
    interrupted     it was ended early: some ports have no verdict
    """

    method: str
    sent: int
    received: int
    seconds: float
    foreign: int = 0
    late: int = 0
    dropped: int = 0
    interrupted: bool = False


class Batch(Struct, frozen=True):
    """Verdicts that an engine has come to, n ports.

    cells   where each port stands: target's number * ports + port's place; array("q")
    codes   `verdict_code`s
    rtts_s  array("d"): seconds from the probe to its answer; below 0 without an answer
    """

    cells: "array[int]"
    codes: bytes
    rtts_s: "array[float]"


ResultSink = Callable[[PortResult], None]
BatchSink = Callable[[Batch], None]
ProgressSink = Callable[[Progress], None]
