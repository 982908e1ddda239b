"""The options of a socket (getsockopt(2)): what each means, and what setting it does (row C7).

A table of data. Left out are options that a reader changes by reading: SO_ERROR takes the pending
error away from its program, TCP_SAVED_SYN frees the SYN, and those that carry data or keys. Numbers
are those of x86 and ARM (asm-generic/socket.h); a default is not written here but asked of a new
socket on this machine (sockets.asking).
"""

from typing import NamedTuple

from fourtuple.errors import N_

__all__ = ["IP", "IPV6", "LEVELS", "OPTIONS", "SOCKET", "TCP", "UDP", "Option"]

SOCKET, IP, TCP, UDP, IPV6 = 1, 0, 6, 17, 41
#: what a level is called in socket.h
LEVELS = {SOCKET: "SOL_SOCKET", IP: "IPPROTO_IP", TCP: "IPPROTO_TCP", UDP: "IPPROTO_UDP",
          IPV6: "IPPROTO_IPV6"}  # fmt: skip


class Option(NamedTuple):
    """`kind` says how the value is read: int, text, linger, timeval, u64. `fixed`: it says what
    this socket is, so there is no default to compare with. `meaning` (what it is, what setting it
    does) is a message id; `setting` is the sysctl that gives a new socket its value, "" where the
    kernel's source does."""

    level: int
    number: int
    name: str
    meaning: str
    setting: str = ""
    kind: str = "int"
    fixed: bool = False


def _fixed(level: int, number: int, name: str, meaning: str, kind: str = "int") -> Option:
    return Option(level, number, name, meaning, "", kind, True)


OPTIONS: tuple[Option, ...] = (
    _fixed(SOCKET, 39, "SO_DOMAIN", N_("the address family: 2 IPv4, 10 IPv6, 1 UNIX")),
    _fixed(SOCKET, 3, "SO_TYPE", N_("1 stream, 2 datagram, 3 raw, 5 sequential packets")),
    _fixed(SOCKET, 38, "SO_PROTOCOL", N_("the IP protocol: 6 TCP, 17 UDP")),
    _fixed(SOCKET, 30, "SO_ACCEPTCONN", N_("1: it listens")),
    _fixed(SOCKET, 57, "SO_COOKIE", N_("the kernel's number for it, the one of sock_diag"), "u64"),
    _fixed(SOCKET, 56, "SO_INCOMING_NAPI_ID", N_("the receive queue that its packets came from")),
    _fixed(SOCKET, 49, "SO_INCOMING_CPU", N_("the processor that handled its last packet")),
    Option(
        SOCKET,
        2,
        "SO_REUSEADDR",
        N_(
            "1: bind() succeeds beside sockets of this port that have it too and do not "
            "listen, such as those in TIME_WAIT"
        ),
    ),
    Option(
        SOCKET,
        15,
        "SO_REUSEPORT",
        N_(
            "1: several sockets of one user may bind and listen on one port, if all of "
            "them have it; the kernel divides the connections among them"
        ),
    ),
    Option(
        SOCKET,
        9,
        "SO_KEEPALIVE",
        N_("1: an idle connection is probed (TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT)"),
    ),
    Option(
        SOCKET,
        13,
        "SO_LINGER",
        N_(
            "what close() does with data not sent: (0, any) the kernel goes on sending, "
            "(1, n) close() waits up to n seconds, (1, 0) it sends RST"
        ),
        kind="linger",
    ),
    Option(
        SOCKET,
        8,
        "SO_RCVBUF",
        N_(
            "the receive buffer in bytes, the kernel's book-keeping included; setting "
            "doubles the value and ends its growing by itself"
        ),
        "net.ipv4.tcp_rmem",
    ),
    Option(
        SOCKET,
        7,
        "SO_SNDBUF",
        N_(
            "the send buffer in bytes, the kernel's book-keeping included; setting "
            "doubles the value and ends its growing by itself"
        ),
        "net.ipv4.tcp_wmem",
    ),
    Option(
        SOCKET,
        18,
        "SO_RCVLOWAT",
        N_("poll() says readable, and recv() returns, when so many bytes are there"),
    ),
    Option(
        SOCKET,
        20,
        "SO_RCVTIMEO",
        N_("how long recv() and accept() wait; 0: for ever"),
        kind="timeval",
    ),
    Option(
        SOCKET,
        21,
        "SO_SNDTIMEO",
        N_("how long send() and connect() wait; 0: for ever"),
        kind="timeval",
    ),
    Option(
        SOCKET, 25, "SO_BINDTODEVICE", N_("only this interface's packets, in and out"), kind="text"
    ),
    Option(SOCKET, 62, "SO_BINDTOIFINDEX", N_("the same by the interface's number")),
    Option(SOCKET, 6, "SO_BROADCAST", N_("1: it may send to broadcast addresses")),
    Option(SOCKET, 5, "SO_DONTROUTE", N_("1: only to hosts of the same link, past the gateways")),
    Option(SOCKET, 10, "SO_OOBINLINE", N_("1: urgent data is read in its place in the stream")),
    Option(SOCKET, 12, "SO_PRIORITY", N_("which queue of the interface its packets take")),
    Option(SOCKET, 36, "SO_MARK", N_("a number that rules of routing and firewalls may look at")),
    Option(SOCKET, 29, "SO_TIMESTAMP", N_("1: recvmsg() tells when a packet came")),
    Option(SOCKET, 16, "SO_PASSCRED", N_("1: recvmsg() tells who sent (UNIX sockets)")),
    Option(SOCKET, 42, "SO_PEEK_OFF", N_("where MSG_PEEK begins to look; -1: at the front")),
    Option(SOCKET, 44, "SO_LOCK_FILTER", N_("1: the socket's filter can no longer be changed")),
    Option(
        SOCKET,
        46,
        "SO_BUSY_POLL",
        N_("microseconds to ask the card before sleeping in recv()"),
        "net.core.busy_read",
    ),
    Option(
        SOCKET,
        47,
        "SO_MAX_PACING_RATE",
        N_("the most bytes a second that it sends; 4294967295 or more: no limit"),
        kind="u64",
    ),
    Option(SOCKET, 60, "SO_ZEROCOPY", N_("1: send() with MSG_ZEROCOPY need not copy")),
    Option(
        SOCKET,
        72,
        "SO_BUF_LOCK",
        N_("which buffer sizes were set by the program and no longer grow: 1 send, 2 receive"),
    ),
    Option(
        SOCKET,
        74,
        "SO_TXREHASH",
        N_("1: another path is tried after a retransmission timeout"),
        "net.core.txrehash",
    ),
    Option(
        TCP, 1, "TCP_NODELAY", N_("1: small segments are sent at once (Nagle's algorithm is off)")
    ),
    Option(TCP, 3, "TCP_CORK", N_("1: only full segments are sent, for 200 ms at most")),
    Option(
        TCP,
        12,
        "TCP_QUICKACK",
        N_(
            "1: data is acknowledged at once; 0: an ACK may wait for data to go with. The "
            "kernel changes it by itself"
        ),
    ),
    Option(
        TCP,
        2,
        "TCP_MAXSEG",
        N_(
            "bytes of data in a segment at most; before the connection is made 536, or "
            "the limit that was set"
        ),
    ),
    Option(
        TCP,
        4,
        "TCP_KEEPIDLE",
        N_("seconds of silence before the first keepalive probe"),
        "net.ipv4.tcp_keepalive_time",
    ),
    Option(
        TCP,
        5,
        "TCP_KEEPINTVL",
        N_("seconds between keepalive probes"),
        "net.ipv4.tcp_keepalive_intvl",
    ),
    Option(
        TCP,
        6,
        "TCP_KEEPCNT",
        N_("probes without an answer that end the connection"),
        "net.ipv4.tcp_keepalive_probes",
    ),
    Option(
        TCP,
        18,
        "TCP_USER_TIMEOUT",
        N_(
            "milliseconds that sent data may stay unacknowledged before the connection is "
            "given up; 0: as tcp_retries2 says"
        ),
    ),
    Option(
        TCP,
        7,
        "TCP_SYNCNT",
        N_("how often a SYN is sent again before connect() gives up"),
        "net.ipv4.tcp_syn_retries",
    ),
    Option(
        TCP,
        8,
        "TCP_LINGER2",
        N_(
            "seconds that a closed socket waits in FIN_WAIT2 for the peer's FIN; below 0: "
            "not at all"
        ),
        "net.ipv4.tcp_fin_timeout",
    ),
    Option(
        TCP,
        9,
        "TCP_DEFER_ACCEPT",
        N_("seconds: accept() gets a connection only when data has come"),
    ),
    Option(TCP, 10, "TCP_WINDOW_CLAMP", N_("the most that the receive window may be")),
    Option(
        TCP,
        13,
        "TCP_CONGESTION",
        N_("the algorithm of congestion control"),
        "net.ipv4.tcp_congestion_control",
        "text",
    ),
    Option(
        TCP,
        31,
        "TCP_ULP",
        N_("what is layered over it, for example tls; empty: nothing"),
        kind="text",
    ),
    Option(
        TCP,
        23,
        "TCP_FASTOPEN",
        N_(
            "a listener: how many connections may wait that were opened with data in the SYN; "
            "0: off"
        ),
    ),
    Option(
        TCP, 30, "TCP_FASTOPEN_CONNECT", N_("1: connect() returns at once, data goes in the SYN")
    ),
    Option(TCP, 34, "TCP_FASTOPEN_NO_COOKIE", N_("1: data in a SYN is taken without a cookie")),
    Option(
        TCP,
        25,
        "TCP_NOTSENT_LOWAT",
        N_("poll() says writable only while fewer bytes than this are not sent yet"),
        "net.ipv4.tcp_notsent_lowat",
    ),
    Option(
        TCP,
        16,
        "TCP_THIN_LINEAR_TIMEOUTS",
        N_("1: with few segments under way the retransmission time is not doubled"),
        "net.ipv4.tcp_thin_linear_timeouts",
    ),
    Option(TCP, 19, "TCP_REPAIR", N_("1: it is being taken out or put back (checkpointing)")),
    Option(TCP, 27, "TCP_SAVE_SYN", N_("1: a listener keeps the SYNs of its connections")),
    Option(TCP, 36, "TCP_INQ", N_("1: recvmsg() tells how many bytes are left")),
    Option(TCP, 37, "TCP_TX_DELAY", N_("microseconds that each segment is held back")),
    Option(UDP, 1, "UDP_CORK", N_("1: what is sent is gathered into one datagram")),
    Option(UDP, 103, "UDP_SEGMENT", N_("bytes: one send() is divided into datagrams of this size")),
    Option(UDP, 104, "UDP_GRO", N_("1: recv() may give several datagrams at once")),
    Option(IP, 2, "IP_TTL", N_("how many hops a packet may take"), "net.ipv4.ip_default_ttl"),
    Option(IP, 1, "IP_TOS", N_("the type of service byte: DSCP and ECN")),
    Option(
        IP,
        10,
        "IP_MTU_DISCOVER",
        N_(
            "path MTU discovery: 0 packets may be fragmented, 1 it is used where "
            "possible, 2 always, 3 Don't Fragment is set but nothing is learnt"
        ),
        "net.ipv4.ip_no_pmtu_disc",
    ),
    Option(IP, 14, "IP_MTU", N_("the MTU of the path, of a connected socket"), fixed=True),
    Option(
        IP, 15, "IP_FREEBIND", N_("1: it may bind to an address that this machine does not have")
    ),
    Option(
        IP, 19, "IP_TRANSPARENT", N_("1: it may take connections for others' addresses (proxies)")
    ),
    Option(
        IP,
        24,
        "IP_BIND_ADDRESS_NO_PORT",
        N_("1: bind() to port 0 leaves the choice of a port to connect(), which can then share it"),
    ),
    Option(IP, 11, "IP_RECVERR", N_("1: ICMP errors are queued for the program to read")),
    Option(IP, 8, "IP_PKTINFO", N_("1: recvmsg() tells to which address a packet was sent")),
    Option(IP, 33, "IP_MULTICAST_TTL", N_("how many hops a multicast packet may take")),
    Option(IP, 34, "IP_MULTICAST_LOOP", N_("1: this machine hears its own multicast packets")),
    Option(
        IP,
        51,
        "IP_LOCAL_PORT_RANGE",
        N_(
            "the ports to choose from, first in the lower 16 bits, last in the upper; 0: "
            "as ip_local_port_range says"
        ),
    ),
    Option(
        IPV6,
        26,
        "IPV6_V6ONLY",
        N_("1: a listener at :: takes no IPv4 connections"),
        "net.ipv6.bindv6only",
    ),
    Option(IPV6, 16, "IPV6_UNICAST_HOPS", N_("how many hops a packet may take")),
    Option(IPV6, 67, "IPV6_TCLASS", N_("the traffic class: DSCP and ECN")),
    Option(IPV6, 23, "IPV6_MTU_DISCOVER", N_("path MTU discovery, as IP_MTU_DISCOVER")),
    Option(IPV6, 24, "IPV6_MTU", N_("the MTU of the path, of a connected socket"), fixed=True),
    Option(IPV6, 33, "IPV6_FLOWINFO_SEND", N_("1: the program chooses flow labels")),
    Option(
        IPV6,
        70,
        "IPV6_AUTOFLOWLABEL",
        N_("1: packets carry a flow label made from the four-tuple"),
        "net.ipv6.auto_flowlabels",
    ),
    Option(IPV6, 25, "IPV6_RECVERR", N_("1: ICMPv6 errors are queued for the program to read")),
    Option(
        IPV6, 49, "IPV6_RECVPKTINFO", N_("1: recvmsg() tells to which address a packet was sent")
    ),
)
