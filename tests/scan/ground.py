"""Hosts of which the truth about every port is known, and what the scanners say of them.

A process of its own enters namespaces (a user namespace too, where it is not root), so that nothing
is left behind and no privilege is needed:

    scanner 10.90.0.1 ──── target 10.90.0.2, fd90::2      every kind of port; nft decides
            10.91.0.1 ──── router 10.91.0.2 ──── behind 10.92.0.2
            10.93.0.1 ──── cookies 10.93.0.2              answers every SYN with a SYN cookie
"""

import json
import os
import select
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from xml.etree import ElementTree

from fourtuple.system.links import add_address, bring_up, make_veth
from fourtuple.system.namespaces import (
    CLONE_NEWNET,
    inside,
    new_network_namespace,
    unshare,
    unshare_user,
)
from fourtuple.system.packet import PacketSocket
from fourtuple.system.sysctl import write_sysctl
from fourtuple.wire import ACK, SYN, Ethernet, Ipv4, Ipv6, Tcp, dissect, frame, mac_text

OPEN, CLOSED, DROPPED = 8001, 8002, 8003
REJECTED_RESET, REJECTED_PORT, REJECTED_ADMIN = 8004, 8005, 8006
QUEUE_FULL = 8007
LIMITED = list(range(8100, 8112))
TARPIT = list(range(8200, 8204))
UDP_OPEN, UDP_CLOSED, UDP_DROPPED, UDP_SILENT, UDP_ADMIN = 8301, 8302, 8303, 8304, 8305
UDP_LIMITED = list(range(8310, 8314))
TCP_PORTS = [*range(8001, 8008), *LIMITED, *TARPIT]
UDP_PORTS = [*range(8301, 8306), *UDP_LIMITED]

_RULES = f"""
table inet f {{
  chain input {{
    type filter hook input priority filter;
    tcp dport {DROPPED} drop
    tcp dport {REJECTED_RESET} reject with tcp reset
    tcp dport {REJECTED_PORT} reject with icmpx port-unreachable
    tcp dport {REJECTED_ADMIN} reject with icmpx admin-prohibited
    tcp dport {LIMITED[0]}-{LIMITED[-1]} limit rate 20/second burst 5 packets accept
    tcp dport {LIMITED[0]}-{LIMITED[-1]} drop
    udp dport {UDP_DROPPED} drop
    udp dport {UDP_ADMIN} reject with icmpx admin-prohibited
    tcp dport {TARPIT[0]}-{TARPIT[-1]} drop
  }}
}}
"""
_ROUTER_RULES = f"""
table inet f {{
  chain forward {{
    type filter hook forward priority filter;
    tcp dport {DROPPED} drop
    tcp dport {REJECTED_ADMIN} reject with icmpx admin-prohibited
  }}
}}
"""


class Ground:
    """Inside the scanner's namespace: the hosts are set up when it is made."""

    def __init__(self) -> None:
        self._held: list[socket.socket] = []
        bring_up("lo")
        self.target = self._host("target", "10.90.0.", "fd90::")
        self.router = self._host("router", "10.91.0.", "fd91::")
        self.cookies = self._host("cookies", "10.93.0.", "fd93::")
        self._equip_target()
        self._equip_router()
        with inside(self.cookies):
            write_sysctl("net.ipv4.tcp_syncookies", 2)
            self._listen("10.93.0.2", OPEN)

    def lift_icmp_limits(self) -> None:
        """Have the target send as many ICMP messages as are asked for."""
        with inside(self.target):
            write_sysctl("net.ipv4.icmp_ratelimit", 0)
            write_sysctl("net.ipv6.icmp.ratelimit", 0)

    def _host(self, name: str, prefix: str, prefix6: str) -> int:
        namespace = new_network_namespace()
        make_veth(name, "eth0", namespace)
        add_address(name, f"{prefix}1", 24)
        add_address(name, f"{prefix6}1", 64)
        with inside(namespace):
            add_address("eth0", f"{prefix}2", 24)
            add_address("eth0", f"{prefix6}2", 64)
            bring_up("lo", "eth0")
        bring_up(name)
        return namespace

    def _listen(self, address: str, port: int, backlog: int = 128) -> socket.socket:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock = socket.create_server((address, port), family=family, backlog=backlog)
        self._held.append(sock)
        return sock

    def _equip_target(self) -> None:
        with inside(self.target):
            subprocess.run(["nft", "-f", "-"], input=_RULES, text=True, check=True)
            for address in ("10.90.0.2", "fd90::2"):
                for port in (OPEN, DROPPED):
                    self._listen(address, port, 4000)
                self._fill(self._listen(address, QUEUE_FULL, 0))
                self._udp(address, UDP_OPEN, answer=True)
                self._udp(address, UDP_SILENT, answer=False)
            tarpit = PacketSocket("eth0")
        threading.Thread(target=_hold_whoever_connects, args=(tarpit,), daemon=True).start()

    def _fill(self, listener: socket.socket) -> None:
        """Two connections nobody accepts: a queue of backlog 0 holds one, and is full with it."""
        for _ in range(2):
            sock = socket.socket(listener.family)
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname()[:2])
            self._held.append(sock)
        assert select.select([listener], [], [], 60)[0]  # one is in the queue by now

    def _udp(self, address: str, port: int, answer: bool) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.bind((address, port))
        self._held.append(sock)

        def serve() -> None:
            while True:
                _, peer = sock.recvfrom(2048)
                sock.sendto(b"yes", peer)

        if answer:
            threading.Thread(target=serve, daemon=True).start()

    def _equip_router(self) -> None:
        behind = new_network_namespace()
        with inside(self.router):
            make_veth("inner", "eth0", behind)
            add_address("inner", "10.92.0.1", 24)
            bring_up("inner")
            write_sysctl("net.ipv4.ip_forward", 1)
            subprocess.run(["nft", "-f", "-"], input=_ROUTER_RULES, text=True, check=True)
        with inside(behind):
            add_address("eth0", "10.92.0.2", 24)
            bring_up("lo", "eth0")
            _route("default", "10.92.0.1")
            self._listen("10.92.0.2", OPEN)
        _route("10.92.0.0/24", "10.91.0.2")


def _hold_whoever_connects(packets: PacketSocket) -> None:
    """A tarpit at the ports that the kernel, by its rules, does not see: it agrees to every
    connection, offers a window of 0 for ever, and never closes."""
    while True:
        select.select([packets], [], [])
        while (received := packets.receive()) is not None:
            answer = _tarpits_answer(received[0])
            if answer:
                packets.send(answer)


def _tarpits_answer(data: bytes) -> bytes:
    packet = dissect(data)
    tcp, ip = packet.tcp, packet.ip
    if tcp is None or ip is None or tcp.destination_port not in TARPIT:
        return b""
    if tcp.flags & (SYN | ACK) == SYN:
        numbers = {"sequence": 1000, "acknowledgment": (tcp.sequence + 1) & 0xFFFFFFFF}
        flags = SYN | ACK
    elif packet.payload:
        numbers, flags = {"sequence": 1001, "acknowledgment": tcp.sequence}, ACK
    else:
        return b""
    return frame(
        Ethernet(mac_text(data[:6]), mac_text(data[6:12])),
        (Ipv6 if ":" in ip.source else Ipv4)(ip.destination, ip.source),
        Tcp(tcp.destination_port, tcp.source_port, flags=flags, window=0, **numbers),
    )


def _route(destination: str, gateway: str) -> None:
    subprocess.run(["ip", "route", "add", destination, "via", gateway], check=True)


def fourtuple(address: str, methods: str, ports: list[int], *more: str) -> list[Any]:
    """What `fourtuple scan` prints, as objects."""
    listed = ",".join(map(str, ports))
    command = [sys.executable, "-m", "fourtuple", "scan", address, "-p", listed, "--json"]
    done = subprocess.run(
        [*command, "--method", methods, *more], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def states(address: str, methods: str, ports: list[int], *more: str) -> dict[str, dict[str, Any]]:
    """method -> port -> [state, reason]"""
    found: dict[str, dict[str, Any]] = {}
    for one in fourtuple(address, methods, ports, *more):
        if one["kind"] == "port":
            found.setdefault(one["method"], {})[str(one["port"])] = [one["state"], one["reason"]]
    return found


#: our method -> nmap's option
NMAP = {
    "connect": "-sT", "syn": "-sS", "fin": "-sF", "null": "-sN", "xmas": "-sX", "ack": "-sA",
    "window": "-sW", "udp": "-sU",
}  # fmt: skip


def nmap(address: str, methods: list[str], ports: list[int]) -> dict[str, dict[str, Any]]:
    """What nmap says, all methods side by side: method -> port -> [state, reason]"""
    listed = ",".join(map(str, ports))
    base = ["nmap", "--privileged", "-n", "-Pn", "--reason", "-oX", "-", "-p", listed, address]
    if ":" in address:
        base.append("-6")
    running = {
        method: subprocess.Popen([*base, NMAP[method]], stdout=subprocess.PIPE)
        for method in methods
    }
    return {method: _nmap_states(one.communicate()[0]) for method, one in running.items()}


def _nmap_states(document: bytes) -> dict[str, Any]:
    found = {}
    for port in ElementTree.fromstring(document).iter("port"):
        state = port.find("state")
        assert state is not None
        found[port.get("portid", "")] = [state.get("state"), state.get("reason")]
    return found


@contextmanager
def _namespaces() -> Iterator[None]:
    try:
        unshare(CLONE_NEWNET)
    except PermissionError:
        unshare_user(CLONE_NEWNET)
    yield


def on_ground(work: Callable[[Ground], Any]) -> Any:
    """Carry out `work` where the hosts are; the result comes back as JSON has it."""
    return in_namespaces(lambda: work(Ground()))


def in_namespaces(work: Callable[[], Any]) -> Any:
    """Carry out `work` in a process with a network of its own."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.close(reading)
            with _namespaces():
                answer: Any = {"result": work()}
        except BaseException:
            answer = {"failure": traceback.format_exc()}
        with os.fdopen(writing, "w") as stream:
            json.dump(answer, stream)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as stream:
        answer = json.load(stream)
    os.waitpid(pid, 0)
    assert "failure" not in answer, answer["failure"]
    return answer["result"]
