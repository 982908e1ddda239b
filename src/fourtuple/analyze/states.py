"""TCP's states, inferred from frames alone: the tables, and nothing but the tables decides.

`TRANSITIONS` is RFC 9293's state diagram (section 3.3.2) seen from the wire: each end's state
follows from what it sent and what reached it. What is absent changes nothing, which is what makes
a retransmission harmless. Rules: the sender's state changes when its segment enters the wire, the
receiver's when it leaves the wire; a segment that was lost changes nothing at the receiver.
Which events a segment stands for, and whether its numbers are acceptable, analyze.life decides.
"""

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["EVENTS", "STATES", "TRANSITIONS", "UNKNOWN", "after"]

STATES = (
    "CLOSED",
    "LISTEN",
    "SYN_SENT",
    "SYN_RECV",
    "ESTABLISHED",
    "FIN_WAIT1",
    "FIN_WAIT2",
    "CLOSE_WAIT",
    "CLOSING",
    "LAST_ACK",
    "TIME_WAIT",
)

#: an end of which the frames tell nothing yet
UNKNOWN = ""

#: what can happen to an end, and what it means
EVENTS: Mapping[str, str] = MappingProxyType(
    {
        "sent SYN": "it sent a SYN without ACK",
        "sent SYN ACK": "it sent a SYN with ACK",
        "sent ACK": "it sent any other segment with ACK, no RST",
        "sent FIN": "it sent its FIN",
        "sent RST": "it sent an RST without ACK: an answer to a segment that fits no connection",
        "sent RST ACK": "it sent an RST with ACK: it gave the connection up, or refused it",
        "got SYN": "a SYN without ACK arrived",
        "got SYN ACK": "a SYN with ACK arrived that acknowledges our SYN",
        "got ACK of SYN": "our SYN was acknowledged",
        "got ACK of FIN": "our FIN was acknowledged",
        "got FIN": "the peer's FIN arrived, and everything before it",
        "got RST": "an RST arrived whose sequence number is the one expected",
        "got RST of SYN": "an RST arrived that acknowledges our SYN",
        "got RST of FIN": "an RST arrived that bears the number of the peer's FIN",
    }
)

_SYNCHRONIZED = STATES[STATES.index("ESTABLISHED") :]

TRANSITIONS: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        # opening
        ("CLOSED", "sent SYN"): "SYN_SENT",
        ("LISTEN", "sent SYN"): "SYN_SENT",
        ("LISTEN", "got SYN"): "SYN_RECV",
        ("SYN_SENT", "got SYN ACK"): "ESTABLISHED",
        ("SYN_RECV", "got ACK of SYN"): "ESTABLISHED",
        # simultaneous open: both sent a SYN, and each answers the other's
        ("SYN_SENT", "got SYN"): "SYN_RECV",
        # refused
        ("SYN_SENT", "got RST of SYN"): "CLOSED",
        # closing; "got ACK of FIN" comes before "got FIN" where one segment is both
        ("SYN_RECV", "sent FIN"): "FIN_WAIT1",
        ("ESTABLISHED", "sent FIN"): "FIN_WAIT1",
        ("ESTABLISHED", "got FIN"): "CLOSE_WAIT",
        ("FIN_WAIT1", "got ACK of FIN"): "FIN_WAIT2",
        ("FIN_WAIT1", "got FIN"): "CLOSING",
        ("FIN_WAIT2", "got FIN"): "TIME_WAIT",
        ("CLOSING", "got ACK of FIN"): "TIME_WAIT",
        ("CLOSE_WAIT", "sent FIN"): "LAST_ACK",
        ("LAST_ACK", "got ACK of FIN"): "CLOSED",
        # what a capture missed is made up for by what it shows: to send these, an end must
        # have got what let it
        ("CLOSED", "sent SYN ACK"): "SYN_RECV",
        ("LISTEN", "sent SYN ACK"): "SYN_RECV",
        ("SYN_SENT", "sent SYN ACK"): "SYN_RECV",
        ("SYN_SENT", "sent ACK"): "ESTABLISHED",
        ("LISTEN", "sent ACK"): "ESTABLISHED",
        # an end that let an earlier SYN go unanswered shows only by its answer what it is
        (UNKNOWN, "sent SYN ACK"): "SYN_RECV",
        (UNKNOWN, "sent RST ACK"): "CLOSED",
        # reset. An RST sent from SYN_SENT or SYN_RECV without ACK answers a wrong number, and the
        # handshake goes on (RFC 9293, section 3.10.7.3). On Linux a refused SYN_RECV
        # entry is removed; its listener never left LISTEN.
        ("SYN_RECV", "got RST"): "CLOSED",
        ("SYN_RECV", "sent RST ACK"): "CLOSED",
        ("LISTEN", "sent RST ACK"): "CLOSED",
        **{(state, "got RST"): "CLOSED" for state in _SYNCHRONIZED},
        # sent before its FIN had been acknowledged, it counts all the same (tcp_reset_check)
        ("CLOSE_WAIT", "got RST of FIN"): "CLOSED",
        ("CLOSING", "got RST of FIN"): "CLOSED",
        ("LAST_ACK", "got RST of FIN"): "CLOSED",
        **{(state, "sent RST"): "CLOSED" for state in _SYNCHRONIZED},
        **{(state, "sent RST ACK"): "CLOSED" for state in _SYNCHRONIZED},
    }
)


def after(state: str, events: tuple[str, ...]) -> str:
    """The state that these events lead to."""
    for event in events:
        state = TRANSITIONS.get((state, event), state)
    return state
