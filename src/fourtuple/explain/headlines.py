"""One line for a connection: who, how it opened, what it carried, how it closed."""

from fourtuple.analyze.model import Connection
from fourtuple.explain.model import Message
from fourtuple.explain.text import N_

__all__ = ["headline"]

_OPENINGS = {
    "complete": N_("three-way handshake"),
    "simultaneous": N_("simultaneous open"),
    "fast-open": N_("handshake with data in the SYN"),
    "syn-only": N_("no answer to the SYN"),
    "syn-ack-unanswered": N_("no answer to the SYN+ACK"),
    "refused": N_("refused"),
    "none": N_("beginning not captured"),
}
_CLOSINGS = {
    "four-segment": N_("closed with four segments"),
    "three-segment": N_("closed with three segments"),
    "simultaneous": N_("closed by both at once"),
    "half-closed": N_("closed in one direction"),
    "reset": N_("ended by RST"),
    "timed-out": N_("given up: no answer"),
    "open": N_("still open at the end"),
}


def headline(connection: Connection) -> Message:
    """The connection in one line."""
    ours, theirs = connection.payload_bytes
    params = {
        "client": str(connection.client),
        "server": str(connection.server),
        "ours": ours,
        "theirs": theirs,
    }
    if connection.protocol == "udp":
        there = Message("{ours} byte of UDP", params, "{ours} bytes of UDP", ours)
        return Message(
            "{client} → {server}: {there} there, {theirs} back", {**params, "there": there}
        )
    opening = Message(_OPENINGS[connection.handshake])
    if connection.segments and connection.segments[0].stray:
        return Message("{client} → {server}: a segment of no connection", params)
    if connection.handshake == "refused":
        return Message("{client} → {server}: refused", params)
    words = {
        "opening": opening,
        "there": Message("{ours} byte", params, "{ours} bytes", ours),
        "closing": Message(_CLOSINGS[connection.close]),
    }
    return Message(
        "{client} → {server}: {opening}, {there} there, {theirs} back, {closing}",
        params | words,
    )
