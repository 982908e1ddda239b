"""Socket options: what they are on a new socket, and what setting them does (row C7)."""

import socket

from fourtuple.errors import N_
from fourtuple.lab.evidence import ObservedSegment
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.hosts.sockets import HostSocket
from fourtuple.lab.script import Lab
from fourtuple.wire import Ipv4View

#: name -> on a new socket, a value to set, what is read back then
SOCKET_LEVEL = {
    "SO_REUSEADDR": (0, 1, 1),
    "SO_REUSEPORT": (0, 1, 1),
    "SO_KEEPALIVE": (0, 1, 1),
    "SO_BROADCAST": (0, 1, 1),
    "SO_OOBINLINE": (0, 1, 1),
    "SO_PRIORITY": (0, 5, 5),
    "SO_RCVLOWAT": (1, 10, 10),
    "SO_RCVBUF": (131072, 8192, 16384),
    "SO_SNDBUF": (16384, 8192, 16384),
}
TCP_LEVEL = {
    "TCP_NODELAY": (0, 1, 1),
    "TCP_CORK": (0, 1, 1),
    "TCP_QUICKACK": (1, 0, 0),
    "TCP_KEEPIDLE": (7200, 60, 60),
    "TCP_KEEPINTVL": (75, 10, 10),
    "TCP_KEEPCNT": (9, 3, 3),
    "TCP_SYNCNT": (6, 2, 2),
    "TCP_LINGER2": (60, 10, 10),
    "TCP_USER_TIMEOUT": (0, 5000, 5000),
}
READ_ONLY = ("SO_TYPE", "SO_DOMAIN", "SO_PROTOCOL", "SO_ERROR", "SO_ACCEPTCONN")
FEW_HOPS = 7


@experiment(
    covers="C7",
    question="Which options does a socket have, what are they at first, and what does setting do?",
    background=(
        "getsockopt() and setsockopt() take a level (socket, IP, TCP), an option and a value. "
        "Defaults come from sysctls and from the kernel's source. Linux doubles SO_RCVBUF and "
        "SO_SNDBUF, to have room for its own book-keeping (socket(7), tcp(7), ip(7))."
    ),
    try_next=(
        N_("Ask for a buffer of 20 bytes: lab run byte-by-byte"),
        N_("Set them on a listener: which of them does an accepted socket inherit?"),
    ),
    tags="programs",
    mutation=Mutation(N_("a smaller send buffer by default"),
                      sysctls={"net.ipv4.tcp_wmem": "4096 8192 4194304"}),
)  # fmt: skip
def socket_options(lab: Lab) -> None:
    client, server = lab.pair(timestamps=False)
    sock = client.socket()
    _table(lab, sock, socket.SOL_SOCKET, SOCKET_LEVEL)
    _table(lab, sock, socket.IPPROTO_TCP, TCP_LEVEL)
    listener = server.socket().listen(8888)
    told = [listener.option(socket.SOL_SOCKET, getattr(socket, name)) for name in READ_ONLY]
    expected = [int(socket.SOCK_STREAM), int(server.family), int(socket.IPPROTO_TCP), 0, 1]
    lab.expect(told, expected, "type, domain, protocol, error and listening: to be read only")
    lab.expect_error(
        "ENOPROTOOPT",
        lambda: sock.set_option(socket.SOL_SOCKET, socket.SO_TYPE, int(socket.SOCK_DGRAM)),
        "setsockopt() of SO_TYPE",
    )

    hops = (
        (socket.IPPROTO_IP, socket.IP_TTL)
        if lab.family == 4
        else (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS)
    )
    sock.set_option(*hops, FEW_HOPS)
    sock.set_option(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1000)
    for one in (client.socket(), sock):
        one.connect(server, 8888)
    lab.settle()
    plain, chosen = lab.segments(flags="SYN")
    hops_left = [_hops(lab, plain), _hops(lab, chosen)]
    lab.expect(
        hops_left,
        [64, FEW_HOPS],
        "hops left in the SYN: of a new socket, and where they were set",
        evidence=[chosen.frame],
    )
    lab.expect("MSS=1000" in chosen.options, True, "TCP_MAXSEG 1000: the SYN says so",
               evidence=[chosen.frame])  # fmt: skip
    lab.expect(plain.window > 4 * chosen.window, True,
               "SO_RCVBUF: the first window is {small} bytes, of a new socket {usual}",
               evidence=[chosen.frame], small=chosen.window, usual=plain.window)  # fmt: skip
    timers = sorted(row.timer for row in lab.sockets(client))
    lab.expect(timers, ["", "keepalive"], "SO_KEEPALIVE: one of the two has that timer")
    lab.claim(
        "SO_RCVBUF is the size that setsockopt() sets",
        False,
        "after 8192 was set, getsockopt() gave 16384",
        source="C",
        evidence=[chosen.frame],
    )


def _table(
    lab: Lab, sock: HostSocket, level: int, options: dict[str, tuple[int, int, int]]
) -> None:
    for name, (default, value, then) in options.items():
        number = getattr(socket, name)
        lab.expect(sock.option(level, number), default, "{option} of a new socket", option=name)
        sock.set_option(level, number, value)
        lab.expect(sock.option(level, number), then, "{option} after it was set to {value}",
                   option=name, value=value)  # fmt: skip


def _hops(lab: Lab, segment: ObservedSegment) -> int:
    ip = lab.timeline().packet(segment.frame).ip
    assert ip is not None
    return ip.ttl if isinstance(ip, Ipv4View) else ip.hop_limit
