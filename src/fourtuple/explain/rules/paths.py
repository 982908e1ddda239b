"""What the way between two hosts does: drops what is large, says no, or lets nothing come back."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import numpy as np

from fourtuple.analyze.model import Connection, SegmentFact
from fourtuple.event.model import Endpoint
from fourtuple.event.timeline import Timeline
from fourtuple.explain.model import Finding, Message, Rule
from fourtuple.explain.rules.making import finding, of_side
from fourtuple.explain.text import N_
from fourtuple.wire._row import ICMP, ICMP6

__all__ = ["ALWAYS_PASSES", "RULES", "TIMES", "findings", "to_many"]

BLACK_HOLE = Rule(
    code="mtu-black-hole-suspected",
    severity="error",
    title=N_("Large segments never arrive"),
    what=N_(
        "{Side} sent a segment of {length} bytes {count} times, and it was never acknowledged, "
        "though smaller packets got through."
    ),
    why=N_(
        "The handshake got through, and up to {passed} bytes of data in a segment; this one did "
        "not ({frames}), and no ICMP error says that it is too large. So it is where a link takes "
        "only smaller packets and a firewall drops the ICMP that would tell."
    ),
    remedy=N_(
        "Find the size that passes (ping -M do -s SIZE). Let ICMP type 3 code 4, for IPv6 type 2, "
        "through; or clamp the MSS to the path MTU on the router; net.ipv4.tcp_mtu_probing=1 makes "
        "Linux find out by itself. If small segments stopped getting through as well, {other} is "
        "gone."
    ),
    reference=N_("RFC 2923, section 2.1; RFC 4821; net/ipv4/tcp_timer.c, tcp_mtu_probing"),
)
ICMP_ERROR = Rule(
    code="icmp-unreachable",
    severity="warning",
    title=N_("An ICMP error for this connection"),
    what=N_("{router} told {side}: {meaning}."),
    why=N_(
        "The ICMP message quotes a packet of {side} with these very addresses and ports ({frames})."
    ),
    remedy=N_(
        "An address or port that cannot be reached shows as ECONNREFUSED, EHOSTUNREACH or "
        "ENETUNREACH at the program that sent: on a connected UDP socket with its next call, in "
        "TCP once the connection attempt ends. Look at routes and firewalls from {router} on."
    ),
    reference=N_("RFC 1122, sections 3.2.2.1 and 4.2.3.9; RFC 4443, section 3; RFC 5927"),
)
TOO_BIG = Rule(
    code="packet-too-big",
    severity="note",
    title=N_("A packet too large for the path"),
    what=N_("{router} told {side} that a packet was too large for the next link."),
    why=N_(
        "The ICMP message quotes a packet of {side} with these very addresses and ports, and says "
        "which size is taken ({frames})."
    ),
    remedy=N_(
        "Nothing to do: {side}'s kernel remembers the size for this destination (ip route get "
        "shows it; net.ipv4.route.mtu_expires), and TCP sends the bytes again in smaller segments. "
        "UDP does not: that datagram is lost. Where it costs every connection a round trip, clamp "
        "the MSS on the router."
    ),
    reference=N_("RFC 1191; RFC 8201; RFC 9293, section 3.7.5; lab run path-mtu"),
)
UDP_UNANSWERED = Rule(
    code="udp-unanswered",
    severity="note",
    title=N_("UDP without an answer"),
    what=N_("{client} sent {server} UDP datagrams, and none came back."),
    why=N_("Datagrams of {client}: {count}; of {server}: none (first and last: {frames})."),
    remedy=N_(
        "Some protocols never answer. Else: UDP has no handshake, so nobody says whether the "
        "datagrams arrived. Capture at {server}; see whether a program has the port (ss -lun), and "
        "whether a firewall drops the datagrams or the ICMP port unreachable."
    ),
    reference=N_("RFC 8085, section 3; udp(7)"),
)
RULES = (BLACK_HOLE, ICMP_ERROR, TOO_BIG, UDP_UNANSWERED)

#: ICMP and ICMPv6: type and code -> what it means
_MEANINGS: Mapping[tuple[int, int, int], str] = MappingProxyType(
    {
        (4, 3, 0): N_("network unreachable"),
        (4, 3, 1): N_("host unreachable"),
        (4, 3, 2): N_("protocol unreachable"),
        (4, 3, 3): N_("port unreachable"),
        (4, 3, 9): N_("the network is administratively prohibited"),
        (4, 3, 10): N_("the host is administratively prohibited"),
        (4, 3, 13): N_("a filter forbids it"),
        (4, 11, 0): N_("its time to live ran out on the way"),
        (4, 11, 1): N_("its fragments did not all come in time"),
        (6, 1, 0): N_("no route to the destination"),
        (6, 1, 1): N_("a filter forbids it"),
        (6, 1, 3): N_("host unreachable"),
        (6, 1, 4): N_("port unreachable"),
        (6, 1, 5): N_("the source address is not allowed"),
        (6, 1, 6): N_("the route to the destination rejects it"),
        (6, 3, 0): N_("its time to live ran out on the way"),
        (6, 3, 1): N_("its fragments did not all come in time"),
    }
)

#: those that say that a packet was too large
_TOO_BIG = frozenset(((4, 3, 4), (6, 2, 0)))
_PROTOCOLS = {"tcp": 6, "udp": 17}
#: an error that quotes no number belongs to what ended that shortly before
_LATE_NS = 10_000_000_000
#: so often sent in vain, a segment is no victim of chance
TIMES = 3
#: bytes that every link takes: IPv6's take packets of 1280, and IPv4's of less than 576 are gone
ALWAYS_PASSES = 500

#: who is quoted: protocol, source, destination
_Quote = tuple[int, Endpoint, Endpoint]


def findings(connection: Connection, timeline: Timeline) -> list[Finding]:
    """What is worth saying about the way between both ends."""
    told = list(_icmp(connection, timeline))
    if connection.protocol == "udp":
        return [*told, *_unanswered(connection)]
    silent = [] if told else [*_black_hole(connection, True), *_black_hole(connection, False)]
    return [*told, *silent]


def _icmp(connection: Connection, timeline: Timeline) -> Iterator[Finding]:
    """ICMP errors that quote a packet of this connection, one finding a meaning and router."""
    index = _quotes(timeline)
    ends = connection.client, connection.server
    for client in (True, False):
        source, destination = ends if client else ends[::-1]
        rows = index.get((_PROTOCOLS[connection.protocol], source, destination), [])
        said: dict[tuple[str, int, int], list[int]] = {}
        for row in rows:
            if _is_about(connection, timeline, row, client):
                columns = timeline.columns
                error = int(columns.icmp_type[row]), int(columns.icmp_code[row])
                said.setdefault((columns.source(row)[0], *error), []).append(
                    timeline.frames.number(row)
                )
        for (router, kind, code), frames in said.items():
            yield _error(connection, router, (kind, code), frames, client)


def _error(
    connection: Connection, router: str, kind: tuple[int, int], frames: list[int], client: bool
) -> Finding:
    if (connection.family, *kind) in _TOO_BIG:
        return finding(TOO_BIG, connection, frames, router=router, **of_side(client))
    text = _MEANINGS.get((connection.family, *kind))
    words = {"type": kind[0], "code": kind[1]}
    meaning = Message(text) if text else Message("ICMP type {type}, code {code}", words)
    return finding(
        ICMP_ERROR, connection, frames, router=router, meaning=meaning, **of_side(client)
    )


def _quotes(timeline: Timeline) -> dict[_Quote, list[int]]:
    """The rows of ICMP errors by what they quote; made once a timeline."""
    if "quotes" not in timeline.memo:
        found: dict[_Quote, list[int]] = {}
        columns = timeline.columns
        for row in np.flatnonzero((columns.kind == ICMP) | (columns.kind == ICMP6)).tolist():
            quoted = columns.quoted(row)
            if quoted is not None:
                key = quoted.protocol, Endpoint(*quoted.source), Endpoint(*quoted.destination)
                found.setdefault(key, []).append(row)
        timeline.memo["quotes"] = found
    kept: dict[_Quote, list[int]] = timeline.memo["quotes"]
    return kept


def _is_about(connection: Connection, timeline: Timeline, row: int, client: bool) -> bool:
    """Whether it is this life of the four-tuple: by the number that is quoted, else by the time."""
    quoted = timeline.columns.quoted(row)
    if quoted is not None and quoted.sequence is not None:
        own = (s for s in connection.segments if s.from_client is client)
        return any(s.raw_seq == quoted.sequence for s in own)
    late_ns = int(timeline.frames.t_ns[row]) - connection.end_ns
    return late_ns <= _LATE_NS and int(timeline.frames.t_ns[row]) >= connection.start_ns


def _unanswered(connection: Connection) -> Iterator[Finding]:
    if connection.packets[1] or to_many(connection.server.address):
        return
    ends = {connection.frames[0], connection.frames[-1]}
    yield finding(UDP_UNANSWERED, connection, ends, count=connection.packets[0])


def to_many(address: str) -> bool:
    """Multicast and broadcast, which nobody need answer."""
    if ":" in address:
        return address.startswith("ff")
    return int(address.split(".")[0]) >= 224 or address.endswith(".255")


def _black_hole(connection: Connection, client: bool) -> Iterator[Finding]:
    """The first segment that was sent again and again, larger than all that got through."""
    carried = [s for s in connection.segments if s.from_client is client and s.length]
    confirmed = [s.ack or 0 for s in connection.segments if s.from_client is not client]
    reached = max(confirmed, default=0)
    if not confirmed or not carried:
        return
    stuck = [s for s in carried if s.seq == reached and s.length]
    passed = max((s.length for s in carried if s.next_seq <= reached), default=0)
    if len(stuck) >= TIMES and min(s.length for s in stuck) > passed and _large(stuck):
        length = max(s.length for s in stuck)
        params = {"length": length, "count": len(stuck), "passed": passed}
        yield finding(BLACK_HOLE, connection, stuck, **params, **of_side(client))


def _large(segments: list[SegmentFact]) -> bool:
    """Whether a link could find it too large."""
    return min(s.length for s in segments) > ALWAYS_PASSES
