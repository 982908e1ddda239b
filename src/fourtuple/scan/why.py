"""Why a port is open, closed or filtered: a verdict in words, for each method."""

from fourtuple.explain.model import Message
from fourtuple.explain.text import N_
from fourtuple.scan.model import PortResult, Reason, State

__all__ = ["why"]

_SENT = {
    "connect": N_("connect() had this kernel send a SYN."),
    "syn": N_("A SYN was sent that belongs to no connection of this kernel's."),
    "fin": N_("A FIN was sent that belongs to no connection."),
    "null": N_("A segment without any flag was sent (NULL)."),
    "xmas": N_("A segment with FIN, PSH and URG was sent (XMAS)."),
    "ack": N_("An ACK was sent that belongs to no connection."),
    "window": N_("An ACK was sent that belongs to no connection; the RST's window is looked at."),
    "udp": N_(
        "A datagram was sent, with a request of the port's usual service where one is known."
    ),
}
_CONNECTED = N_(
    "SYN ACK came back and this kernel confirmed it: the handshake was complete, so a socket "
    "listens there. Whether its program is alive, or calls accept(), this does not say. The "
    "connection was then ended with RST (SO_LINGER 0): no TIME_WAIT stays here, and the server's "
    "program sees a connection that was reset."
)
_SYN_OPEN = N_(
    "SYN ACK came back: a socket listens there. No socket here asked for it, so this kernel "
    "answers the SYN ACK with RST, and the server's kernel forgets the half-open connection; its "
    "program never hears of it."
)
_REFUSED = N_(
    "RST ACK came back: no socket listens there, and a kernel says so at once (RFC 9293, section "
    "3.10.7.1). connect() fails with ECONNREFUSED. A firewall can send the same segment."
)
_RESET = N_(
    "RST came back: no socket listens there. A closed port answers any segment but RST with RST "
    "(RFC 9293, section 3.10.7.1)."
)
_SILENT = N_(
    "Nothing came back, however often it was asked: a firewall drops the probe or its answer, "
    "nobody has the address, or the accept queue of a listener is full: Linux drops SYNs then."
)
_SILENT_WHEN_OPEN = N_(
    "Nothing came back. A listener drops a segment that has neither SYN, ACK nor RST, without "
    "an answer (RFC 9293, section 3.10.7.2, and Linux: tcp_rcv_state_process), and so does a "
    "firewall: these two look alike."
)
_UDP_SILENT = N_(
    "Nothing came back. A UDP program need not answer what it does not understand, and a firewall "
    "drops datagrams too; Linux also limits how many ICMP messages it sends (icmp_ratelimit)."
)
_UDP_CLOSED = N_(
    "ICMP port unreachable came back: no socket has this UDP port (RFC 1122, section 4.1.3.1)."
)
_UDP_OPEN = N_("A datagram came back from the port: a program answers there.")
_UNFILTERED = N_(
    "RST came back, as it does from open and from closed ports alike: an ACK that belongs to no "
    "connection is answered with RST (RFC 9293, section 3.10.7). So no stateful firewall is in "
    "between; it does not say whether the port is open."
)
_WINDOW = N_(
    "RST came back. Its window is 0 with Linux whether the port is open or not, so that this "
    "method says closed even of open ports of Linux; some other systems fill it in."
)
_ICMP = N_(
    "An ICMP message came back ({reason}): a router or a firewall refuses, on the way or at the "
    "host itself. connect() alone cannot tell port-unreach from RST: both become ECONNREFUSED."
)


def why(result: PortResult) -> tuple[Message, ...]:
    """What was sent, and what the answer, or its absence, means."""
    return Message(_SENT[result.method]), Message(_meaning(result), {"reason": result.reason})


def _meaning(result: PortResult) -> str:
    method, reason = result.method, result.reason
    if reason == Reason.NO_RESPONSE:
        if method == "udp":
            return _UDP_SILENT
        return _SILENT_WHEN_OPEN if result.state == State.OPEN_FILTERED else _SILENT
    if reason == Reason.SYN_ACK:
        return _CONNECTED if method == "connect" else _SYN_OPEN
    answers = {
        Reason.CONN_REFUSED: _REFUSED,
        Reason.UDP_RESPONSE: _UDP_OPEN,
        Reason.RESET: {"ack": _UNFILTERED, "window": _WINDOW}.get(method, _RESET),
    }
    if reason == Reason.PORT_UNREACH and method == "udp":
        return _UDP_CLOSED
    return answers.get(reason, _ICMP)
