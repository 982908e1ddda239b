"""The check that TCP, UDP and ICMPv6 share: a checksum over pseudo header, header and payload."""

from fourtuple.wire.checksum import checksum, pseudo_header
from fourtuple.wire.view import View

__all__ = ["checksum_holds"]


def checksum_holds(view: View, protocol: int) -> bool | None:
    """Whether a transport checksum is right; None where that cannot be told, because bytes or the
    IP header are missing, or because the rest is in other fragments."""
    envelope = view.envelope
    if envelope is None or not envelope.complete or not view.readable or not view.whole:
        return None
    covered = view.header + view.payload
    pseudo = pseudo_header(envelope.source, envelope.destination, protocol, len(covered))
    return checksum(pseudo + covered) == 0
