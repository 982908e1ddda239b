"""A range of source ports that is ours while a scan lasts.

Bound, they are given to no other program of this machine. They are not listening, so the kernel
answers a SYN+ACK to them by RST: the target's half-open connection is closed at once, and the
program there never hears of it. For UDP, the bound sockets keep the kernel from answering replies
by port unreachable.
"""

import os
import socket
from contextlib import suppress

from fourtuple.errors import N_, CapabilityMissing
from fourtuple.scan.model import protocol_of

__all__ = ["OWN_PORTS", "OwnPorts"]

#: as many as a probe can be repeated: its source port tells which repetition was answered
OWN_PORTS = 16
#: above the range from which Linux gives ports to programs (ip_local_port_range)
_FIRST, _END = 61000, 65536


class OwnPorts:
    """Holds `ports`, a range of `OWN_PORTS`, for one method until closed."""

    def __init__(self, method: str) -> None:
        self._udp = protocol_of(method) == "udp"
        self._sockets: list[socket.socket] = []
        starts = range(_FIRST, _END - OWN_PORTS, OWN_PORTS)
        chance = int.from_bytes(os.urandom(4), "big") % len(starts)
        for start in (*starts[chance:], *starts[:chance]):
            if self._bind(start):
                self.ports = range(start, start + OWN_PORTS)
                return
        raise CapabilityMissing(
            N_("no {count} free ports in a row from {first} up to send probes from"),
            N_("End what holds them: fourtuple sockets -t -u shows it."),
            {"count": OWN_PORTS, "first": _FIRST},
        )

    def __enter__(self) -> "OwnPorts":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for held in self._sockets:
            held.close()
        self._sockets = []

    def _bind(self, start: int) -> bool:
        kind = socket.SOCK_DGRAM if self._udp else socket.SOCK_STREAM
        for port in range(start, start + OWN_PORTS):
            for family, anywhere in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
                try:
                    held = socket.socket(family, kind)
                except OSError:
                    continue  # a kernel without this family has no probes of it either
                self._sockets.append(held)
                with suppress(OSError):
                    if family == socket.AF_INET6:
                        held.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                    held.bind((anywhere, port))
                    continue
                self.close()
                return False
        return True
