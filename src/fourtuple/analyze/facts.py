"""A finished life as a `Connection`: who is client, both ends' states, every segment's facts.

Rules: the client is who sent the first SYN. With none captured it is who received a SYN+ACK, else
who has the higher port where the other's is a service's, else who spoke first: a guess, and
marked as one. The roles turn sides into pairs (client, server): role 0 is the client.
"""

from fourtuple.analyze import shape
from fourtuple.analyze.draft import Draft
from fourtuple.analyze.life import MAX_SCALE, Life
from fourtuple.analyze.model import COUNT_NAMES, Connection, RoundTrips, SegmentFact, StateChange
from fourtuple.analyze.states import UNKNOWN, after
from fourtuple.event.model import Endpoint, Verdict
from fourtuple.wire import ACK, RST, SYN

__all__ = ["connection_of", "likely_client"]

Pair = tuple[str, str]

#: RFC 6335's system ports end below 1024; Linux gives clients ports from 32768 on
#: (net.ipv4.ip_local_port_range)
_SYSTEM, _EPHEMERAL = 1024, 32768


def likely_client(source: Endpoint, destination: Endpoint) -> bool:
    """Whether the sender of the first frame is likely the client, going by the ports."""
    ours, theirs = source.port, destination.port
    for bound in (_SYSTEM, _EPHEMERAL):
        if (ours < bound) != (theirs < bound):
            return ours >= bound
    return True


def connection_of(life: Life, index: int) -> Connection:
    """The facts of a finished life, from its frames alone."""
    client, known = _client(life)
    roles = (client, 1 - client)
    sides = [life.sides[side] for side in roles]
    initial = _initial_states(life, client)
    changes, reached = _states(life, client, initial)
    stray = not life.drafts[0].raw.flags & (SYN | ACK | RST)
    if stray:  # no end has a state in what is no connection
        reached = dict.fromkeys(reached, ("", ""))
    segments = tuple(_fact(draft, client, reached[draft.frame]) for draft in life.drafts)
    trips = [RoundTrips(*life.trails[side].rtts) for side in roles]
    ours, theirs = ([s for s in segments if s.from_client is ours] for ours in (True, False))
    return Connection(
        index=index,
        protocol="tcp",
        family=life.drafts[0].raw.key[1],
        client=life.ends[roles[0]],
        server=life.ends[roles[1]],
        client_known=known,
        start_ns=min(s.t_ns for s in segments),
        end_ns=max(s.t_ns for s in segments),
        frames=tuple(s.frame for s in segments),
        packets=(len(ours), len(theirs)),
        payload_bytes=(sum(s.length for s in ours), sum(s.length for s in theirs)),
        segments=segments,
        handshake=shape.handshake(segments),
        close=shape.close(segments, changes),
        first_closer=shape.first_closer(segments),
        completeness=shape.completeness(segments),
        initial_seq=(sides[0].isn, sides[1].isn),
        mss=(sides[0].mss, sides[1].mss),
        window_scale=(sides[0].scale, sides[1].scale),
        timestamps=all(side.timestamps for side in sides),
        sack=all(side.sack for side in sides),
        counts={name: sum(name in s.notes for s in segments) for name in COUNT_NAMES},
        rtt_ns=life.rtt_ns,
        round_trips=(trips[0], trips[1]),
        flight_bytes=(life.trails[roles[0]].flight, life.trails[roles[1]].flight),
        initial_states=("", "") if stray else initial,
        changes=() if stray else changes,
    )


def _client(life: Life) -> tuple[int, bool]:
    """Which side is client, and whether that is certain."""
    for draft in life.drafts:
        if draft.raw.flags & (SYN | ACK) == SYN:
            return draft.side, True
    for draft in life.drafts:
        if draft.raw.flags & SYN:
            return 1 - draft.side, False
    first = life.drafts[0].side
    source, destination = life.ends[first], life.ends[1 - first]
    return (first if likely_client(source, destination) else 1 - first), False


def _initial_states(life: Life, client: int) -> Pair:
    """(client, server) before the first segment, by what the later ones show."""
    flags: list[set[int]] = [set(), set()]
    for draft in life.drafts:
        if not draft.injected:
            flags[draft.side ^ client].add(draft.raw.flags)
    ours, theirs = flags
    if any(f & (SYN | ACK) == SYN for f in ours):
        answered = any(f & ACK and not f & (SYN | RST) for f in ours)
        if _asked_in_vain(life, client):
            return "CLOSED", UNKNOWN
        return "CLOSED", "LISTEN" if answered and not theirs else _passive(theirs)
    if any(f & SYN for f in theirs):
        # where every frame was seen, a SYN that no client sent was none: the wire made it
        return "CLOSED" if life.complete else "SYN_SENT", "LISTEN"
    if any(draft.injected and draft.raw.flags & (SYN | ACK) == SYN for draft in life.drafts):
        return "CLOSED", _passive(theirs)  # the wire asked, and was refused or heard nothing
    return _midway(ours), _midway(theirs)


def _asked_in_vain(life: Life, client: int) -> bool:
    """Whether a SYN arrived and got no answer, though a later one did.

    Both a closed port and a listener answer at once: so till then it was neither, or the listener
    dropped the SYN, as Linux does where the accept queue is full.
    """
    asked = 0
    for draft in life.drafts:
        flags = draft.raw.flags
        if draft.side != client:
            return asked > 1 and bool(flags & ACK and flags & (SYN | RST))
        asked += flags & (SYN | ACK) == SYN and draft.arrives
    return False


def _passive(flags: set[int]) -> str:
    """How the end that a SYN went to began: "" where it never answered."""
    if any(f & (SYN | ACK) == SYN for f in flags):
        return "CLOSED"
    if any(f & SYN or not f & RST for f in flags):
        return "LISTEN"
    return "CLOSED" if flags else ""


def _midway(flags: set[int]) -> str:
    """How an end began whose beginning was not captured."""
    only_resets = bool(flags) and all(f & RST and not f & ACK for f in flags)
    return "CLOSED" if only_resets else "ESTABLISHED"


def _states(
    life: Life, client: int, initial: Pair
) -> tuple[tuple[StateChange, ...], dict[int, Pair]]:
    """Every change of state in order, and both states when a frame was through with the wire."""
    now = list(initial)
    changes: list[StateChange] = []
    reached: dict[int, Pair] = {}
    for moment in life.moments:
        role, frame = moment.side ^ client, moment.draft.frame
        old, new = now[role], after(now[role], moment.events)
        if old != new:
            changes.append(StateChange(moment.t_ns, frame, role == 0, moment.arrived, old, new))
            now[role] = new
        reached[frame] = (now[0], now[1])
    return tuple(changes), reached


def _fact(draft: Draft, client: int, states: Pair) -> SegmentFact:
    raw = draft.raw
    return SegmentFact(
        frame=draft.frame,
        t_ns=raw.t_ns,
        left_ns=raw.left_ns,
        from_client=draft.side == client,
        arrived=draft.arrives,
        verdict=Verdict.NAMES[raw.verdict],
        flags=raw.flags,
        seq=draft.seq,
        ack=draft.ack,
        raw_seq=raw.seq,
        raw_ack=raw.ack,
        length=raw.length,
        window=draft.window,
        acked=draft.acked,
        client_state=states[0],
        server_state=states[1],
        arithmetic=draft.arithmetic,
        notes=draft.notes,
        options=_options(draft),
        as_left=raw.as_left.number if raw.as_left else None,
    )


def _options(draft: Draft) -> str:
    """The options that matter to a connection, as Wireshark's summary column writes them."""
    raw, parts = draft.raw, []
    if raw.mss >= 0:
        parts.append(f"MSS={raw.mss}")
    if raw.sack_permitted:
        parts.append("SACK_PERM")
    if raw.ts_value >= 0:
        parts.append(f"TSval={raw.ts_value} TSecr={raw.ts_echo}")
    if raw.scale >= 0:
        parts.append(f"WS={1 << min(raw.scale, MAX_SCALE)}")
    if raw.fast_open >= 0:
        parts.append(f"TFO={raw.fast_open}")
    parts += [f"SLE={left} SRE={right}" for left, right in draft.sack]
    return " ".join(parts)
