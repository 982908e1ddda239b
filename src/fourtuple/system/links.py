"""veth pairs and addresses, through netlink (pyroute2), and offloads, through the ethtool ioctl."""

import array
import fcntl
import socket
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = [
    "OFFLOADS",
    "add_address",
    "add_route",
    "bring_up",
    "hardware_address",
    "make_veth",
    "multicast_reports",
    "remove_addresses",
    "set_down",
    "set_offloads",
    "tentative_addresses",
]

_SIOCETHTOOL = 0x8946
_IFA_F_TENTATIVE = 0x40
_SIOCGIFHWADDR = 0x8927
#: feature -> its ETHTOOL_S* command (include/uapi/linux/ethtool.h)
OFFLOADS = {
    "rx-checksum": 0x15,
    "tx-checksum": 0x17,
    "scatter-gather": 0x19,
    "tso": 0x1F,
    "gso": 0x24,
    "gro": 0x2C,
}


def _netlink() -> Any:
    from pyroute2 import IPRoute  # heavy; not needed by those who only list sockets

    return IPRoute()


def make_veth(name: str, peer: str, peer_namespace: int, mtu: int = 1500) -> None:
    """Make a veth pair: `name` here, `peer` in the namespace of a descriptor. Both are down."""
    with _netlink() as netlink:
        netlink.link(
            "add",
            ifname=name,
            kind="veth",
            mtu=mtu,
            peer={"ifname": peer, "net_ns_fd": peer_namespace, "mtu": mtu},
        )


def bring_up(*names: str) -> None:
    """Set interfaces of the caller's namespace up."""
    with _netlink() as netlink:
        for name in names:
            netlink.link("set", index=socket.if_nametoindex(name), state="up")


def set_down(name: str) -> None:
    """Set an interface of the caller's namespace down: nothing enters or leaves by it."""
    with _netlink() as netlink:
        netlink.link("set", index=socket.if_nametoindex(name), state="down")


def hardware_address(name: str) -> str:
    """The link-layer address of an interface of the caller's namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16s24x", name.encode())
        answer = fcntl.ioctl(control, _SIOCGIFHWADDR, request)
    return answer[18:24].hex(":")


def add_address(name: str, address: str, prefix_length: int) -> None:
    """Give an interface an address; an IPv6 one without duplicate address detection."""
    nodad = 0x02  # IFA_F_NODAD: the address serves at once
    with _netlink() as netlink:
        netlink.addr(
            "add",
            index=socket.if_nametoindex(name),
            address=address,
            prefixlen=prefix_length,
            **({"flags": nodad} if ":" in address else {}),
        )


def multicast_reports() -> int:
    """How often the kernel has told its neighbours which multicast groups it has joined (MLDv2,
    RFC 3810), in the caller's namespace."""
    text = Path("/proc/thread-self/net/snmp6").read_text()
    counters = dict(line.split() for line in text.splitlines())
    return int(counters.get("Icmp6OutMLDv2Reports", 0))


def tentative_addresses() -> bool:
    """Whether the caller's namespace has an IPv6 address that cannot be used yet: the kernel makes
    them usable in a process of its own, also those that it need not ask its neighbours about."""
    path = Path("/proc/thread-self/net/if_inet6")
    lines = path.read_text().splitlines() if path.exists() else ()
    return any(int(line.split()[4], 16) & _IFA_F_TENTATIVE for line in lines)


def remove_addresses(name: str) -> None:
    """Take all of an interface's addresses away, and with them its routes."""
    with _netlink() as netlink:
        netlink.flush_addr(index=socket.if_nametoindex(name))


def add_route(destination: str, gateway: str) -> None:
    """Have packets to a network ("10.77.1.0/24") leave by a gateway."""
    with _netlink() as netlink:
        netlink.route("add", dst=destination, gateway=gateway)


def set_offloads(name: str, enabled: bool, features: Sequence[str] = tuple(OFFLOADS)) -> None:
    """Switch offload features of an interface on or off; OSError where the device refuses."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for feature in features:
            value = array.array("B", struct.pack("=II", OFFLOADS[feature], int(enabled)))
            request = struct.pack("16sP", name.encode(), value.buffer_info()[0])
            fcntl.ioctl(control, _SIOCETHTOOL, request)
