"""Sizes and numbers: how a send becomes segments, and numbers that do not add up."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from fourtuple.analyze.model import Connection, SegmentFact
from fourtuple.event.model import Call
from fourtuple.event.timeline import Timeline
from fourtuple.explain.model import Finding, Rule
from fourtuple.explain.rules.making import finding, of_side
from fourtuple.explain.text import N_

__all__ = ["RULES", "TIMESTAMP_BYTES", "cut_up", "findings"]

SEGMENTED = Rule(
    code="segmented-send",
    severity="chat",
    title=N_("One send, several segments"),
    what=N_("{Side} sent {size} bytes with one call; they left in {count} segments: {lengths}."),
    why=N_(
        "{call}() was given {size} bytes, and {frames} carry exactly these. {Other} takes at most "
        "{mss} bytes a segment (the MSS of its SYN)."
    ),
    remedy=N_(
        "Nothing to do: TCP carries a stream of bytes. The receiver must not expect to get with "
        "one recv() what was given to one send()."
    ),
    reference=N_("RFC 9293, section 3.7.1; lab run segments"),
)
TIMESTAMPS = Rule(
    code="timestamps-take-12-bytes",
    severity="chat",
    title=N_("Timestamps take 12 bytes of every segment"),
    what=N_("Full segments of {side} carry {length} bytes, though the MSS is {mss}."),
    why=N_(
        "Each of them carries the timestamps option: 10 bytes and 2 of padding. {mss} - 12 = "
        "{length} ({frames})."
    ),
    remedy=N_(
        "Nothing to do. net.ipv4.tcp_timestamps turns the option off for new connections; it "
        "helps to measure round trips, and is needed to tell old segments from new ones where "
        "numbers wrap (PAWS)."
    ),
    reference=N_("RFC 7323, sections 3.2, 4 and 5 and appendix A; RFC 6691; lab run segments"),
)
TOO_LARGE = Rule(
    code="larger-than-mss",
    severity="note",
    title=N_("Segments larger than the MSS"),
    what=N_("Segments of {side} carry up to {length} bytes, though the MSS is {mss}."),
    why=N_(
        "No such segment crossed a wire ({frames}): cut to {room} bytes each, the largest goes as "
        "{pieces}. The capture was made where the sender's kernel had not cut it up yet (TSO, "
        "GSO), or where the receiver's had put it together already (GRO, LRO)."
    ),
    remedy=N_(
        "To see what the wire carries, switch offloading off (ethtool -K IFACE tso off gso off gro "
        "off lro off), or capture in between."
    ),
    reference=N_("Documentation/networking/segmentation-offloads.rst; lab run offload"),
)
WRONG_ACK = Rule(
    code="wrong-acknowledgment",
    severity="error",
    title=N_("An acknowledgment of what never arrived"),
    what=N_("{Side} acknowledged up to number {ack}, but not all of that had reached it."),
    why=N_("The wire saw every frame: what had arrived by {frames} does not add up to it."),
    remedy=N_(
        "A kernel does not do this: look for whatever else writes segments on this path, a "
        "middlebox or a test."
    ),
    reference=N_("RFC 9293, sections 3.4 and 3.10.7.4; RFC 5961, section 5"),
)
WRONG_SEQ = Rule(
    code="wrong-sequence-number",
    severity="error",
    title=N_("A sequence number that skips some"),
    what=N_("{Side} sent number {seq} where {expected} would have come next."),
    why=N_("The wire saw every frame, and none carried the numbers in between ({frames})."),
    remedy=N_(
        "A kernel does not do this: look for whatever else writes segments on this path, a "
        "middlebox or a test."
    ),
    reference=N_("RFC 9293, section 3.4"),
)
RULES = (SEGMENTED, TIMESTAMPS, TOO_LARGE, WRONG_ACK, WRONG_SEQ)

_SENDING = ("send", "sendall", "sendmsg", "write")
#: so many lengths are listed one by one
_FEW = 4
#: kind and length, two numbers of four bytes, and two NOPs to end on a word (RFC 7323, appendix A)
TIMESTAMP_BYTES = 12


def findings(connection: Connection, timeline: Timeline) -> list[Finding]:
    """What is worth saying about a connection's sizes and numbers."""
    if connection.protocol != "tcp":
        return []
    found = [*_wrong(connection)]
    for client in (True, False):
        found += [*_sizes(connection, client), *_segmented(connection, timeline, client)]
    return found


def _sizes(connection: Connection, client: bool) -> Iterator[Finding]:
    mss = connection.mss[1 if client else 0]
    carried = [s for s in connection.segments if s.from_client is client and s.length]
    if mss is None or not carried:
        return
    full = [s for s in carried if s.length == mss - TIMESTAMP_BYTES]
    larger = [s for s in carried if s.length > mss]
    if full and connection.timestamps:
        length = mss - TIMESTAMP_BYTES
        yield finding(TIMESTAMPS, connection, full, mss=mss, length=length, **of_side(client))
    if larger:
        length = max(s.length for s in larger)
        about = cut_up(length, mss, connection.timestamps) | of_side(client)
        yield finding(TOO_LARGE, connection, larger, **about)


def cut_up(length: int, mss: int, timestamps: bool) -> dict[str, Any]:
    """What a wire carries of a segment that is larger than the MSS: the parameters of TOO_LARGE."""
    room = max(mss - TIMESTAMP_BYTES * timestamps, 1)
    full, rest = divmod(length, room)
    if full <= 4:
        pieces = ", ".join(map(str, [room] * full + [rest] * (rest > 0)))
    else:
        pieces = f"{full} × {room}" + f" + {rest}" * (rest > 0)
    return {"length": length, "mss": mss, "room": room, "pieces": pieces}


def _segmented(connection: Connection, timeline: Timeline, client: bool) -> Iterator[Finding]:
    """Calls that gave more than a segment holds; the stream's numbers tell which are theirs."""
    mss = connection.mss[1 if client else 0]
    from fourtuple.analyze.evidence import end_of

    begin = 1
    for call in end_of(timeline, connection, client).calls:
        if call.name not in _SENDING or (size := _moved(call)) == 0:
            continue
        large = mss is not None and size > mss
        carriers = list(_carriers(connection, client, begin, begin + size)) if large else []
        if carriers:
            yield finding(
                SEGMENTED,
                connection,
                carriers,
                size=size,
                call=call.name,
                count=len(carriers),
                lengths=_drawn_together([s.length for s in carriers]),
                mss=mss,
                **of_side(client),
            )
        begin += size


def _drawn_together(lengths: list[int]) -> list[int | str]:
    """Lengths in order; of more than a few, equal ones in a row are counted: "24 × 1448", 32."""
    if len(lengths) <= _FEW:
        return [*lengths]
    runs = ((length, len(list(same))) for length, same in groupby(lengths))
    return [f"{count} × {length}" if count > 1 else length for length, count in runs]


def _moved(call: Call) -> int:
    """How many bytes the kernel took; sendall() returns nothing but has moved all."""
    if call.errno is not None or call.end_ns is None:
        return 0
    return call.result if isinstance(call.result, int) else call.size or 0


def _carriers(connection: Connection, client: bool, begin: int, end: int) -> Iterator[SegmentFact]:
    """The first transmissions of numbers from `begin` to `end`, if they carry exactly these."""
    fresh = [
        s
        for s in connection.segments
        if s.from_client is client
        and s.length
        and "retransmission" not in s.notes
        and begin <= s.seq < end
    ]
    if fresh and fresh[0].seq == begin and sum(s.length for s in fresh) == end - begin:
        yield from fresh


def _wrong(connection: Connection) -> Iterator[Finding]:
    for segment in connection.segments:
        about = of_side(segment.from_client)
        if "wrong_ack" in segment.notes:
            yield finding(WRONG_ACK, connection, [segment], ack=segment.ack, **about)
        expected = next((a.total for a in segment.arithmetic if a.kind == "seq"), None)
        if "wrong_seq" in segment.notes and expected is not None:
            params = {"seq": segment.seq, "expected": expected} | about
            yield finding(WRONG_SEQ, connection, [segment], **params)
