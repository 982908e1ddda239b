"""A port of this machine that answers a connect scan: a listener, or the scan itself?

With source port = destination port a socket connects to itself, and two of ours may meet in a
simultaneous open (RFC 9293, section 3.5). Such a port is asked once more when the scan holds no
other socket, from a source port that is not the port itself.
"""

import contextlib
import socket
import struct
import time

from fourtuple.scan.model import Reason, State

__all__ = ["LINGER_0", "Probe", "Verdict", "connects_alone", "ephemeral_ports", "with_ourselves"]

#: address and port
Probe = tuple[str, int]
#: address, port, state, reason, seconds until the answer
Verdict = tuple[str, int, str, str, float | None]

#: SO_LINGER that ends a connection with RST when it is closed
LINGER_0 = struct.pack("ii", 1, 0)


def ephemeral_ports() -> range:
    """The ports that the kernel chooses source ports from."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        first, last = map(int, file.read().split())
    return range(first, last + 1)


def with_ourselves(sock: socket.socket) -> bool:
    """Whether the connection is with this machine, at a port that the scan itself may hold."""
    try:
        own, peer = sock.getsockname(), sock.getpeername()
    except OSError:  # reset meanwhile: then a listener was there
        return False
    return bool(own[0] == peer[0]) and peer[1] in ephemeral_ports()


def connects_alone(probe: Probe, timeout_s: float) -> Verdict:
    """The verdict on a port of this machine, given while the scan holds no other socket: from
    another source port than the port itself, a connection can only be with a listener."""
    address, port = probe
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_0)
        sock.settimeout(timeout_s)
        _bind_elsewhere(sock, port)
        begin_s = time.perf_counter()
        try:
            sock.connect(probe)
        except ConnectionRefusedError:
            rtt_s = time.perf_counter() - begin_s
            return address, port, State.CLOSED, Reason.CONN_REFUSED, rtt_s
        except OSError:
            return address, port, State.FILTERED, Reason.NO_RESPONSE, None
        rtt_s = time.perf_counter() - begin_s
        return address, port, State.OPEN, Reason.SYN_ACK, rtt_s


def _bind_elsewhere(sock: socket.socket, port: int) -> None:
    for source in range(port + 1, port + 1000):
        with contextlib.suppress(OSError):
            sock.bind(("", 1024 + source % (65536 - 1024)))
            return
