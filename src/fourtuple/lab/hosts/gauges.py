"""What the kernel counts: a connection's own numbers (TCP_INFO) and a host's counters.

Read by the director or through the program that holds the socket; nothing here changes what is
measured. A field that this kernel does not know yet is 0.
"""

import os
import socket
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from fourtuple.lab.hosts.host import Host
from fourtuple.lab.hosts.sockets import HostSocket
from fourtuple.system.namespaces import inside, new_network_namespace
from fourtuple.system.sysctl import read_sysctl

__all__ = ["TcpInfo", "counters", "grown", "kernel_defaults", "tcp_info"]

#: struct tcp_info (include/uapi/linux/tcp.h) up to tcpi_snd_wnd; fields are only ever appended
_INFO = struct.Struct("=8B24I4Q6I4Q2I2Q4I")


class TcpInfo(NamedTuple):
    """struct tcp_info, in its order, its names without the prefix. Windows of congestion control
    are counted in segments (of `snd_mss` bytes), those of the receiver in bytes."""

    state: int
    ca_state: int
    retransmits: int
    probes: int
    backoff: int
    options: int
    window_scales: int
    app_limited: int
    rto_us: int
    ato_us: int
    snd_mss: int
    rcv_mss: int
    unacked: int
    sacked: int
    lost: int
    retrans: int
    fackets: int
    last_data_sent_ms: int
    last_ack_sent_ms: int
    last_data_recv_ms: int
    last_ack_recv_ms: int
    pmtu: int
    rcv_ssthresh: int
    rtt_us: int
    rttvar_us: int
    snd_ssthresh: int
    snd_cwnd: int
    advmss: int
    reordering: int
    rcv_rtt_us: int
    rcv_space: int
    total_retrans: int
    pacing_rate: int
    max_pacing_rate: int
    bytes_acked: int
    bytes_received: int
    segs_out: int
    segs_in: int
    notsent_bytes: int
    min_rtt_us: int
    data_segs_in: int
    data_segs_out: int
    delivery_rate: int
    busy_time_us: int
    rwnd_limited_us: int
    sndbuf_limited_us: int
    delivered: int
    delivered_ce: int
    bytes_sent: int
    bytes_retrans: int
    dsack_dups: int
    reord_seen: int
    rcv_ooopack: int
    snd_wnd: int

    @property
    def send_scale(self) -> int:
        """By how many bits the windows that the peer announces are shifted."""
        return self.window_scales & 0xF

    @property
    def receive_scale(self) -> int:
        """By how many bits the windows that this end announces are shifted."""
        return self.window_scales >> 4


def tcp_info(sock: HostSocket) -> TcpInfo:
    """What the kernel says of a connection now, asked by its program; CallFailed where it has
    no such answer."""
    asked = sock.call("getsockopt", socket.IPPROTO_TCP, socket.TCP_INFO, _INFO.size)
    return TcpInfo(*_INFO.unpack(bytes(asked.result()).ljust(_INFO.size, b"\0")))


def counters(host: Host) -> Mapping[str, int]:
    """The host's counters, as nstat(8) calls them: "TcpInCsumErrors", "TcpExtTCPTimeouts",
    "Ip6ReasmFails"."""
    with inside(host.namespace):
        here = Path("/proc/thread-self/net")
        tables = [(here / name).read_text() for name in ("snmp", "netstat")]
        pairs = (here / "snmp6").read_text() if (here / "snmp6").exists() else ""
    found: dict[str, int] = {}
    for table in tables:
        lines = table.splitlines()
        for names, values in zip(lines[::2], lines[1::2], strict=True):
            prefix, _, heads = names.partition(": ")
            numbers = values.partition(": ")[2].split()
            found |= {prefix + head: int(n) for head, n in zip(heads.split(), numbers, strict=True)}
    for line in pairs.splitlines():
        name, value = line.split()
        found[name] = int(value)
    return found


def grown(before: Mapping[str, int], host: Host, name: str) -> int:
    """By how much a counter of the host has grown since `before`."""
    return counters(host)[name] - before[name]


def kernel_defaults(*names: str) -> list[int]:
    """What settings that are numbers are in a new network namespace, before anybody sets them."""
    namespace = new_network_namespace()
    try:
        with inside(namespace):
            return [int(read_sysctl(name)) for name in names]
    finally:
        os.close(namespace)
