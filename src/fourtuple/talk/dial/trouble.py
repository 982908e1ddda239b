"""What went wrong, in words: an error of a call, or an ICMP message, and what it stands for.

Rules: the first sentence says what is so, `why` what the kernel or the network did that makes it
known; where two causes look alike from here, both are named.
"""

import errno
import os
import socket
from dataclasses import dataclass

from fourtuple.errors import FourtupleError
from fourtuple.explain.model import Message
from fourtuple.explain.text import N_
from fourtuple.talk.dial.link import IcmpError
from fourtuple.talk.url import Url

__all__ = ["Trouble", "not_found", "of_connect", "of_datagram", "of_talk"]

NOT_FOUND = N_("The name {host} was not found: {reason}.")
NOT_FOUND_WHY = N_(
    "getaddrinfo() asked what /etc/nsswitch.conf names (files, then usually DNS), and none of them"
    " knows it; nothing was sent to the host itself."
)
REFUSED = N_(
    "Refused: nobody listens on port {port} of {address}, or a firewall refuses in its name."
)
REFUSED_WHY = N_(
    "connect() ended with ECONNREFUSED: the SYN was answered with RST, as the kernel of the other"
    " side does when no socket listens on the port. A firewall may do it in its name, or answer"
    " with ICMP."
)
UNIX_REFUSED = N_("Refused: nobody listens at {path}.")
UNIX_REFUSED_WHY = N_(
    "connect() ended with ECONNREFUSED: the file is a socket, but the program that made it has"
    " ended, or listens no more."
)
NO_FILE = N_("There is no socket at {path}.")
NOT_ALLOWED = N_("You may not connect to {path}: that needs the right to write to it.")
SILENT = N_("No answer from {address}, port {port}, within {seconds} s.")
SILENT_WHY = N_(
    "Neither SYN ACK nor RST nor ICMP came back: no such host is there, a firewall drops the"
    " segments in silence, or the way is too long for --timeout."
)
GAVE_UP = N_("No answer from {address}, port {port}: the kernel gave up.")
UNREACHABLE = N_("{address} cannot be reached: {reason}.")
UNREACHABLE_WHY = N_(
    "connect() ended with {symbol}: a router, or this machine's own routes or neighbour look-up,"
    " says that there is no way there."
)
FORBIDDEN = N_("A firewall forbids it, or the address does: {reason}.")
FORBIDDEN_WHY = N_(
    "connect() ended with {symbol}: a rule of this machine's firewall, an ICMPv6 message from"
    " another's, or a broadcast address."
)
NO_PORTS = N_("No port of this machine is left for {address}, port {port}, or no address fits it.")
NO_PORTS_WHY = N_(
    "connect() ended with EADDRNOTAVAIL: every port of net.ipv4.ip_local_port_range has a"
    " connection there (those in TIME_WAIT count), or no address of this machine may be used."
)
OTHER = N_("connect() to {where} failed: {reason}.")
RESET = N_("The other side broke the connection off: what was under way is lost.")
RESET_WHY = N_(
    "recv() or send() ended with ECONNRESET: an RST came. The other side's kernel sends it for a"
    " program that closed a socket with unread data, that had closed it before this data came, or"
    " that asked for it (SO_LINGER with 0)."
)
CLOSED_BEFORE = N_("The other side had closed the connection: what was sent since is lost.")
CLOSED_BEFORE_WHY = N_(
    "send() ended with EPIPE: an RST had answered what was sent after the other side's FIN, because"
    " no program there could read it any more."
)
UNANSWERED = N_("The other side no longer answers: the connection is given up.")
UNANSWERED_WHY = N_(
    "The call ended with ETIMEDOUT: segments were sent again and again, and nothing confirmed them."
)
BROKEN_OFF = N_("The connection failed: {reason}.")
PORT_UNREACHABLE = N_("Port unreachable: nobody has UDP port {port} of {address}.")
PROTOCOL_UNREACHABLE = N_(
    "Protocol unreachable: nobody at {address} takes packets of protocol {port}."
)
BY_ICMP = N_(
    "{offender} sent back ICMP type {type}, code {code}, which quotes the datagram; the kernel"
    " hands it over as {symbol}."
)
BY_KERNEL = N_("The call ended with {symbol}; no ICMP message is known to this socket.")
TOO_LARGE = N_("The datagram is too large: {reason}. UDP over IPv4 takes at most 65,507 bytes.")
HOST_UNREACHABLE = N_("The datagram did not arrive: {reason}.")

_UNREACHABLE = frozenset((errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN))


@dataclass(frozen=True, slots=True)
class Trouble:
    """`what` happened and `why` one knows; `number` is the errno, 0 where there is none."""

    what: Message
    why: Message | None = None
    number: int = 0

    def error(self) -> FourtupleError:
        return FourtupleError(self.what.text, self.what.params)


def not_found(url: Url, error: Exception) -> Trouble:
    """A name that has no address."""
    reason = getattr(error, "strerror", None) or str(error)
    why = Message(NOT_FOUND_WHY) if isinstance(error, socket.gaierror) else None
    return Trouble(Message(NOT_FOUND, {"host": url.host, "reason": reason}), why)


def of_connect(error: OSError, url: Url, address: str, timeout_s: float) -> Trouble:
    """connect() failed."""
    number = error.errno or 0
    if url.kind.transport == "unix":
        return _of_unix(number, url, error)
    about = {
        "address": address,
        "port": url.port,
        "seconds": f"{timeout_s:g}",
        "reason": _reason(error),
        "symbol": errno.errorcode.get(number, str(number)),
        "where": str(url),
    }
    what, why = _words_of_connect(number)
    return Trouble(Message(what, about), Message(why, about) if why else None, number)


def _words_of_connect(number: int) -> tuple[str, str]:
    if number in _UNREACHABLE:
        return UNREACHABLE, UNREACHABLE_WHY
    known = {
        0: (SILENT, SILENT_WHY),
        errno.ETIMEDOUT: (GAVE_UP, SILENT_WHY),
        errno.ECONNREFUSED: (REFUSED, REFUSED_WHY),
        errno.EACCES: (FORBIDDEN, FORBIDDEN_WHY),
        errno.EPERM: (FORBIDDEN, FORBIDDEN_WHY),
        errno.EADDRNOTAVAIL: (NO_PORTS, NO_PORTS_WHY),
    }
    return known.get(number, (OTHER, ""))


def _of_unix(number: int, url: Url, error: OSError) -> Trouble:
    about = {"path": url.path, "where": str(url), "reason": _reason(error)}
    if number == errno.ECONNREFUSED:
        return Trouble(Message(UNIX_REFUSED, about), Message(UNIX_REFUSED_WHY), number)
    words = {errno.ENOENT: NO_FILE, errno.EACCES: NOT_ALLOWED}.get(number, OTHER)
    return Trouble(Message(words, about), None, number)


def of_talk(error: OSError) -> Trouble:
    """A connection failed after it had come about."""
    number = error.errno or 0
    known = {
        errno.ECONNRESET: (RESET, RESET_WHY),
        errno.EPIPE: (CLOSED_BEFORE, CLOSED_BEFORE_WHY),
        errno.ETIMEDOUT: (UNANSWERED, UNANSWERED_WHY),
    }
    if number in known:
        what, why = known[number]
        return Trouble(Message(what), Message(why), number)
    return Trouble(Message(BROKEN_OFF, {"reason": _reason(error)}), None, number)


def of_datagram(refusal: IcmpError, url: Url, address: str) -> Trouble:
    """What became of a datagram."""
    number = refusal.number
    about = {
        "address": address,
        "port": url.port,
        "reason": _reason(OSError(number, "")),
        "offender": refusal.offender,
        "type": refusal.icmp_type,
        "code": refusal.code,
        "symbol": errno.errorcode.get(number, str(number)),
    }
    words = HOST_UNREACHABLE
    if number == errno.ECONNREFUSED:
        words = PORT_UNREACHABLE
    elif number == errno.ENOPROTOOPT:
        words = PROTOCOL_UNREACHABLE
    elif number == errno.EMSGSIZE:
        words = TOO_LARGE
    why = Message(BY_ICMP if refusal.offender else BY_KERNEL, about)
    return Trouble(Message(words, about), why, number)


def _reason(error: OSError) -> str:
    return error.strerror or (os.strerror(error.errno) if error.errno else str(error))
