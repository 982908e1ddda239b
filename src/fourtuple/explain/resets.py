"""The sentence of an RST, by the cause that was found and how certain that is."""

from collections.abc import Mapping
from types import MappingProxyType

from fourtuple.explain.about import About
from fourtuple.explain.model import Message
from fourtuple.explain.text import N_

__all__ = ["told"]

#: what an RST says, by cause; where the cause is not certain, by cause and "?"
_RESETS: Mapping[str, str] = MappingProxyType(
    {
        "port-closed": N_(
            "{Sender}'s kernel refuses: nothing accepts connections on port {port}. {sum} names "
            "the SYN that it refuses; connect() fails with ECONNREFUSED."
        ),
        "port-closed?": N_(
            "{Sender} refuses: most likely nothing accepts connections on port {port} (a firewall "
            "that rejects looks the same). {sum} names the SYN that is refused; connect() fails "
            "with ECONNREFUSED."
        ),
        "port-closed-stray": N_(
            "{Sender}'s kernel answers for port {port}, which no socket has: a closed port answers "
            "any segment but RST with RST. {sum}, the number after that segment."
        ),
        "unread-data": N_(
            "{Sender}'s program closed the socket with bytes in its own receive buffer that it had "
            "not read. They are lost, and its kernel says so: RST instead of FIN."
        ),
        "unread-data?": N_(
            "{Sender} breaks the connection off, most likely because its program closed the socket "
            "without having read all that had arrived."
        ),
        "linger-zero": N_(
            "{Sender}'s program closed the socket with SO_LINGER 0: its kernel breaks the "
            "connection off with RST instead of a FIN."
        ),
        "linger-zero?": N_(
            "{Sender} breaks the connection off though nothing lay unread: most likely SO_LINGER 0."
        ),
        "data-after-close": N_(
            "Data came for a socket that {sender}'s program had closed: nobody can read it any "
            "more, so its kernel answers with RST."
        ),
        "no-such-connection": N_(
            "{Sender}'s kernel has no socket for this connection and answers with RST; its number "
            "is the one that {receiver} acknowledged."
        ),
        "no-such-connection?": N_(
            "{Sender} answers as a kernel without a socket for this connection does: RST with the "
            "number that {receiver} acknowledged."
        ),
        "invalid-ack": N_(
            "What came as an answer does not fit {sender}'s SYN, by its acknowledgment or by the "
            "timestamp that it echoes: {sender} refuses it with RST."
        ),
        "time-wait": N_(
            "{Receiver} is in TIME_WAIT and had repeated its last ACK, which does not fit what "
            "came up here since: {sender} answers with RST."
        ),
        "backlog-overflow": N_(
            "{Sender}'s accept queue had no room for this connection: its kernel answers with RST."
        ),
        "backlog-overflow?": N_(
            "{Sender} answers with RST: most likely its accept queue had no room for this "
            "connection."
        ),
        "listener-closed": N_(
            "{Sender}'s listener was closed before a program had accepted this connection: its "
            "kernel resets it."
        ),
        "listener-closed?": N_(
            "{Sender} breaks off what no program had accepted: most likely its listener was closed."
        ),
        "keepalive-timeout": N_(
            "No keepalive probe was answered: {sender}'s kernel gives the connection up."
        ),
        "keepalive-timeout?": N_(
            "No keepalive probe was answered: most likely {sender}'s kernel gives the connection "
            "up."
        ),
        "user-timeout": N_(
            "{Receiver} has not answered for as long as TCP_USER_TIMEOUT allows: {sender}'s kernel "
            "gives the connection up."
        ),
        "destroyed": N_(
            "{Sender}'s socket was ended from outside, as ss -K does: its kernel sends RST."
        ),
        "disconnected": N_(
            "{Sender}'s program called connect() to AF_UNSPEC, which dissolves the connection: its "
            "kernel sends RST."
        ),
        "firewall": N_(
            "A firewall answers with RST in the name of {sender}; the kernel there did not send it."
        ),
        "firewall?": N_("Most likely a firewall answers with RST in the name of {sender}."),
        "forged": N_("{Sender}'s kernel did not send this RST: somebody else did, in its name."),
        "forged?": N_(
            "Most likely {sender}'s kernel did not send this RST, but somebody else in its name."
        ),
    }
)


def told(about: About) -> Message:
    """What an RST does, and why as far as that is known."""
    reset = about.reset
    doubt = "" if reset and reset.confidence == "certain" else "?"
    cause = reset.cause if reset else ""
    if cause == "port-closed" and about.connection.segments[0].stray:
        cause, doubt = "port-closed-stray", ""
    text = _RESETS.get(cause + doubt) or _RESETS.get(cause)
    if text is None:
        return about.says("{Sender} breaks the connection off; the frames do not tell why.")
    return about.says(text, port=about.connection.server.port)
