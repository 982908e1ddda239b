"""What each method sends, and what each answer means. Pure: no I/O, no clock, no numpy.

Why Linux answers as it does: RFC 9293, section 3.10.7.1, has a closed port answer anything but a
RST with a RST. Section 3.10.7.2 has a listener drop what carries neither SYN, ACK nor RST: so FIN,
NULL and XMAS are answered where a port is closed and not where it is open. An ACK draws a RST from
both, and its window is 0 from Linux either way: the window method tells them apart only where a
system fills in the window of an open port.
"""

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

from fourtuple.scan.model import Reason, State
from fourtuple.wire import ACK, FIN, PSH, RST, SYN, URG

__all__ = ["PROBES", "Probe", "Reply", "judge", "silence"]


class Probe(Struct, frozen=True):
    """A segment that asks. `flags` are TCP's, None for UDP.

    `consumed` is by how much a reply's acknowledgment exceeds the probe's sequence number: SYN and
    FIN count one (RFC 9293, section 3.4). `acknowledges`: the cookie is sent as acknowledgment
    too, and comes back as the RST's sequence number.
    """

    flags: int | None
    consumed: int = 0
    acknowledges: bool = False


PROBES: Mapping[str, Probe] = MappingProxyType(
    {
        "syn": Probe(SYN, consumed=1),
        "fin": Probe(FIN, consumed=1),
        "null": Probe(0),
        "xmas": Probe(FIN | PSH | URG, consumed=1),
        "ack": Probe(ACK, acknowledges=True),
        "window": Probe(ACK, acknowledges=True),
        "udp": Probe(None),
    }
)


class Reply(Struct, frozen=True):
    """An answer to a probe: `kind` is "tcp", "udp", "icmp" or "icmp6"."""

    kind: str
    flags: int = 0
    window: int = 0
    icmp_type: int = 0
    code: int = 0


#: ICMP destination unreachable, by code (RFC 792, RFC 1812 section 5.2.7.1)
_UNREACHABLE = MappingProxyType(
    {
        0: Reason.NET_UNREACH,
        1: Reason.HOST_UNREACH,
        2: Reason.PROTO_UNREACH,
        3: Reason.PORT_UNREACH,
        9: Reason.NET_PROHIBITED,
        10: Reason.HOST_PROHIBITED,
        13: Reason.ADMIN_PROHIBITED,
    }
)
#: ICMPv6 destination unreachable, by code (RFC 4443, section 3.1)
_UNREACHABLE6 = MappingProxyType(
    {
        0: Reason.NET_UNREACH,
        1: Reason.ADMIN_PROHIBITED,
        3: Reason.HOST_UNREACH,
        4: Reason.PORT_UNREACH,
        5: Reason.ADMIN_PROHIBITED,
        6: Reason.ADMIN_PROHIBITED,
    }
)
_SILENT_WHEN_OPEN = frozenset(("fin", "null", "xmas", "udp"))


def silence(method: str) -> tuple[str, str]:
    """(state, reason) of a port that answered no probe."""
    state = State.OPEN_FILTERED if method in _SILENT_WHEN_OPEN else State.FILTERED
    return state, Reason.NO_RESPONSE


def judge(method: str, reply: Reply) -> tuple[str, str] | None:
    """(state, reason) that a reply proves; None where it proves nothing about the port."""
    if reply.kind == "icmp":
        return _judge_icmp(method, reply)
    if reply.kind == "icmp6":
        return _judge_icmp6(method, reply)
    if method == "udp":
        return (State.OPEN, Reason.UDP_RESPONSE) if reply.kind == "udp" else None
    return _judge_segment(method, reply) if reply.kind == "tcp" else None


def _judge_segment(method: str, reply: Reply) -> tuple[str, str] | None:
    if reply.flags & RST:
        if method == "ack":
            return State.UNFILTERED, Reason.RESET
        open_window = method == "window" and reply.window > 0
        return (State.OPEN if open_window else State.CLOSED), Reason.RESET
    if method == "syn" and reply.flags & SYN and reply.flags & ACK:
        return State.OPEN, Reason.SYN_ACK
    return None


def _judge_icmp(method: str, reply: Reply) -> tuple[str, str] | None:
    if reply.icmp_type == 11:
        return State.FILTERED, Reason.TIME_EXCEEDED
    if reply.icmp_type != 3 or reply.code == 4:  # 4: fragmentation needed says nothing of a port
        return None
    return _unreachable(method, _UNREACHABLE.get(reply.code, Reason.UNREACHABLE))


def _judge_icmp6(method: str, reply: Reply) -> tuple[str, str] | None:
    if reply.icmp_type == 3:
        return State.FILTERED, Reason.TIME_EXCEEDED
    if reply.icmp_type != 1:
        return None
    return _unreachable(method, _UNREACHABLE6.get(reply.code, Reason.UNREACHABLE))


def _unreachable(method: str, reason: str) -> tuple[str, str]:
    """For UDP, port unreachable is the closed port's own answer (RFC 1122, section 4.1.3.1)."""
    closed = method == "udp" and reason == Reason.PORT_UNREACH
    return (State.CLOSED if closed else State.FILTERED), reason
