"""Generator A: resets provoked call by call, for tuning and for measuring what each looks like.

Every scenario has a server port of its own and runs on the lab's puppets; what no program can
bring about is sent through a packet socket. Those that take their time are begun first.
"""

import ctypes
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from fourtuple.analyze import connections
from fourtuple.errors import CallFailed
from fourtuple.event.timeline import Timeline
from fourtuple.lab.experiment import Experiment
from fourtuple.lab.hosts.host import Host, HostSocket
from fourtuple.lab.runner import Options, run
from fourtuple.lab.script import Lab
from fourtuple.lab.wire.parcel import Onward, Parcel
from fourtuple.system.sysctl import write_sysctl
from fourtuple.wire import (
    ACK,
    PSH,
    RST,
    SYN,
    Ethernet,
    EthernetView,
    Ipv4,
    Ipv6,
    MaximumSegmentSize,
    Tcp,
    frame,
)
from resets.case import Truth

__all__ = ["TRUTHS", "provoke"]

BASE = 21000
LINGER_0 = struct.pack("ii", 1, 0)
SO_LINGER, TCP_REPAIR, TCP_USER_TIMEOUT = socket.SO_LINGER, 19, 18
SILENCE = b"now the wire is cut"


class Cutting:
    """A wire that loses every further segment of a connection once a payload that asks for it has
    been acknowledged, the first SYN+ACK of each connection to `slow`, and every SYN to `mute`."""

    def __init__(self, slow: int, mute: int) -> None:
        self._slow, self._mute = slow, mute
        self._asked: set[tuple[int, int]] = set()
        self._cut: set[tuple[int, int]] = set()
        self._agreed: set[int] = set()

    def carry(self, parcel: Parcel, onward: Onward) -> None:
        if not self._loses(parcel):
            onward(parcel)

    def _loses(self, parcel: Parcel) -> bool:
        tcp = parcel.packet.tcp
        if tcp is None:
            return False
        ports = tcp.source_port, tcp.destination_port
        pair = min(ports), max(ports)
        cut = pair in self._cut
        if SILENCE in parcel.data:
            self._asked.add(pair)
        elif pair in self._asked:
            self._cut.add(pair)
        first = ports[0] == self._slow and tcp.has(SYN | ACK) and ports[1] not in self._agreed
        if first:
            self._agreed.add(ports[1])
            first = len(self._agreed) > 2
        mute = ports[1] == self._mute and tcp.has(SYN)
        return cut or first or mute


@dataclass
class Stage:
    """What a scenario has in its hands."""

    lab: Lab
    client: Host
    server: Host
    port: int

    def listening(self, backlog: int = 5) -> HostSocket:
        return self.server.socket().listen(self.port, backlog)

    def calling(self) -> HostSocket:
        return self.client.socket().connect(self.server, self.port)

    def pair(self) -> tuple[HostSocket, HostSocket]:
        """A connection: the client's socket and the server's, at rest."""
        listener = self.listening()
        ours = self.calling()
        theirs = listener.accept()
        self.lab.settle()
        return ours, theirs

    def greeted(self) -> tuple[HostSocket, HostSocket]:
        """A connection on which each has sent and read some bytes."""
        ours, theirs = self.pair()
        for sender, receiver in ((ours, theirs), (theirs, ours)):
            sender.send(b"hello, hello")
            receiver.recv_exactly(12)
        self.lab.settle()
        return ours, theirs

    def client_port(self) -> int:
        """The client's port of the latest connection."""
        found = [c for c in connections(self.lab.timeline()) if c.server.port == self.port]
        return int(found[-1].client.port)

    def rule(self, text: str) -> None:
        """A firewall rule on the server, for what comes to this port."""
        family = "ip" if self.lab.family == 4 else "ip6"
        table = f"{family} of_{self.port}"
        rule = text.format(port=self.port)
        chain = f"chain input {{\ntype filter hook input priority 0;\n{rule}\n}}"
        script = f"table {table} {{\n{chain}\n}}"
        program = self.server.run(["/usr/sbin/nft", script])
        assert program.wait() == 0, program.output

    def segments(self, host: Host | None = None) -> Any:
        return self.lab.segments(sent_by=host, port=self.port)

    def wire_send(
        self, sender: Host, flags: int, seq: int, ack: int = 0, settle: bool = True, **how: Any
    ) -> None:
        """Have a host send a segment that none of its sockets knows of. Raw numbers."""
        program = sender.run(_emit, self._made(sender, flags, seq, ack, **how))
        assert program.wait() == 0, program.output
        if settle:
            self.lab.settle()

    def _made(
        self,
        sender: Host,
        flags: int,
        seq: int,
        ack: int,
        *,
        port: int = 40001,
        hops: int = 64,
        data: bytes = b"",
        window: int = 502,
    ) -> bytes:
        ours = sender is self.client
        other = self.server if ours else self.client
        ports = (port, self.port) if ours else (self.port, port)
        if self.lab.family == 4:
            ip: Any = Ipv4(sender.address, other.address, ttl=hops, identification=7)
        else:
            ip = Ipv6(sender.address, other.address, hop_limit=hops)
        options = (MaximumSegmentSize(1400),) if flags & SYN else ()
        macs = self._hardware_addresses()
        ethernet = Ethernet(*(macs if ours else macs[::-1]))
        tcp = Tcp(*ports, seq % 2**32, ack % 2**32, flags, window, options=options)
        return frame(ethernet, ip, tcp, data)

    def _hardware_addresses(self) -> tuple[str, str]:
        """The client's and the server's, as the first segment shows them."""
        timeline = self.lab.timeline()
        packet = timeline.packet(connections(timeline)[0].frames[0])
        ethernet = packet.layer(EthernetView)
        assert ethernet is not None
        return ethernet.source, ethernet.destination


def _emit(data: bytes) -> None:
    """In a host's own process: send a frame."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
        socket.socket.bind(sock, ("eth0", 0))
        sock.send(data)


def _write(name: str, value: str) -> None:
    """In a host's own process: set a sysctl of its network namespace."""
    write_sysctl(name, value)


def _disconnect(address: str, port: int) -> None:
    """connect(), talk, and connect() to AF_UNSPEC: the socket lives on, its connection does not."""
    sock = socket.create_connection((address, port))
    sock.sendall(b"hello, hello")
    sock.recv(12)
    time.sleep(0.05)
    unspecified = struct.pack("=H14x", socket.AF_UNSPEC)
    ctypes.CDLL(None).connect(sock.fileno(), unspecified, len(unspecified))
    time.sleep(0.05)
    sock.close()


def _expect_reset(sock: HostSocket) -> None:
    """Wait until the peer's RST has ended a socket."""
    with suppress(CallFailed):
        while sock.recv():
            pass


# who does not wait for anything


def port_closed(stage: Stage) -> None:
    with suppress(CallFailed):
        stage.calling()


def server_unread(stage: Stage) -> None:
    ours, theirs = stage.pair()
    ours.send(b"nobody reads me")
    stage.lab.settle()
    theirs.close()
    _expect_reset(ours)


def client_unread(stage: Stage) -> None:
    ours, theirs = stage.greeted()
    theirs.send(bytes(4000))
    stage.lab.settle()
    ours.recv_exactly(100)
    ours.close()
    _expect_reset(theirs)


def unread_and_more(stage: Stage) -> None:
    """The client goes on sending before it can know."""
    ours, theirs = stage.greeted()
    ours.send(b"nobody reads me")
    stage.lab.settle()
    late = stage.segments(stage.client)[-1]
    theirs.close()
    _expect_reset(ours)
    end = late.raw_seq + late.length
    port = stage.client_port()
    stage.wire_send(stage.client, PSH | ACK, end, late.raw_ack, port=port, data=b"more")


def answered_and_unread(stage: Stage) -> None:
    """The server answers before it has read all, and closes as HTTP servers do: shutdown first."""
    ours, theirs = stage.pair()
    ours.send(bytes(20_000))
    stage.lab.settle()
    theirs.recv_exactly(100)
    theirs.send(b"too long")
    theirs.shutdown("write")
    stage.lab.settle()
    theirs.close()
    stage.lab.settle()


def client_lingers(stage: Stage) -> None:
    ours, theirs = stage.greeted()
    ours.call("setsockopt", socket.SOL_SOCKET, SO_LINGER, LINGER_0).result()
    ours.close()
    _expect_reset(theirs)


def server_lingers(stage: Stage) -> None:
    ours, theirs = stage.greeted()
    theirs.call("setsockopt", socket.SOL_SOCKET, SO_LINGER, LINGER_0).result()
    theirs.close()
    _expect_reset(ours)


def health_check(stage: Stage) -> None:
    """Connect and break off at once: what load balancers do to see whether a server lives."""
    ours, theirs = stage.pair()
    ours.call("setsockopt", socket.SOL_SOCKET, SO_LINGER, LINGER_0).result()
    ours.close()
    _expect_reset(theirs)


def answer_to_one_who_left(stage: Stage) -> None:
    ours, theirs = stage.greeted()
    ours.close()
    stage.lab.settle()
    theirs.send(b"too late")
    stage.lab.settle()


def three_answers(stage: Stage) -> None:
    ours, theirs = stage.greeted()
    theirs.close()
    stage.lab.settle()
    ours.send(bytes(3 * stage.lab.payload_per_segment))
    stage.lab.settle()


def shut_both_ways(stage: Stage) -> None:
    ours, theirs = stage.greeted()
    ours.shutdown("both")
    stage.lab.settle()
    theirs.send(b"too late")
    stage.lab.settle()


def forgotten(stage: Stage) -> None:
    """The client's kernel forgets the socket without a word, as a crash would make it."""
    ours, theirs = stage.greeted()
    ours.set_option(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    ours.close()
    theirs.send(b"are you there?")
    _expect_reset(theirs)


def half_scan(stage: Stage) -> None:
    """A SYN of no socket: the kernel knows nothing of the SYN+ACK that comes."""
    stage.listening()
    stage.wire_send(stage.client, SYN, 1_000_000)


def ack_scan(stage: Stage) -> None:
    stage.listening()
    stage.wire_send(stage.client, ACK, 1_000_000, 2_000_000)


def old_segment(stage: Stage) -> None:
    """Both have closed; a segment comes once more to the one that does not wait."""
    ours, theirs = stage.greeted()
    ours.close()
    stage.lab.settle()
    theirs.close()
    stage.lab.settle()
    data = next(s for s in stage.segments(stage.client) if s.length)
    port = stage.client_port()
    stage.wire_send(
        stage.client, PSH | ACK, data.raw_seq, data.raw_ack, port=port, data=bytes(data.length)
    )


def listener_closed(stage: Stage) -> None:
    listener = stage.listening()
    ours = stage.calling()
    stage.lab.settle()
    listener.close()
    _expect_reset(ours)


def listener_closed_on_two(stage: Stage) -> None:
    listener = stage.listening()
    ours = [stage.calling(), stage.calling()]
    stage.lab.settle()
    listener.close()
    for sock in ours:
        _expect_reset(sock)
    with suppress(CallFailed):
        stage.calling()


def destroyed(stage: Stage) -> None:
    ours, theirs = stage.greeted()
    program = stage.client.run(["ss", "-K", "-n", "dport", "=", str(stage.port)])
    assert program.wait() == 0, program.output
    _expect_reset(theirs)
    with suppress(CallFailed):
        ours.send(b"whose socket is this?")


def disconnected(stage: Stage) -> None:
    listener = stage.listening()
    accepting = listener.begin.accept()
    program = stage.client.run(_disconnect, stage.server.address, stage.port)
    theirs = accepting.result()
    theirs.recv_exactly(12)
    theirs.send(b"hello, hello")
    _expect_reset(theirs)
    program.wait()


def invalid_ack(stage: Stage) -> None:
    """The wire loses the SYN; what answers it acknowledges another number."""
    asking = stage.client.socket()
    pending = asking.begin.connect(stage.server, stage.port)
    while not (syns := stage.segments(stage.client)):
        pass
    port = stage.client_port()
    stage.wire_send(
        stage.server, SYN | ACK, 5_000_000, syns[0].raw_seq + 500, port=port, settle=False
    )
    time.sleep(0.1)
    del pending


def firewall_refuses(stage: Stage) -> None:
    stage.listening()
    stage.rule("tcp dport {port} reject with tcp reset")
    with suppress(CallFailed):
        stage.calling()


def firewall_rejects_acknowledgments(stage: Stage) -> None:
    """What the rule answers carries nothing but an ACK."""
    ours, theirs = stage.greeted()
    stage.rule("tcp dport {port} tcp flags & rst == 0 reject with tcp reset")
    theirs.send(b"I know of nothing")
    _expect_reset(ours)
    _expect_reset(theirs)


def firewall_breaks_off(stage: Stage) -> None:
    """A rule that comes into being while the connection is alive."""
    ours, theirs = stage.greeted()
    stage.rule("tcp dport {port} tcp flags & rst == 0 reject with tcp reset")
    ours.send(b"does this arrive?")
    _expect_reset(ours)
    pending = theirs.begin.send(b"I know of nothing")
    pending.result()
    stage.lab.settle()


def forged(stage: Stage) -> None:
    """Somebody between the two tells the client that the server gave up; the server did not."""
    _, theirs = stage.greeted()
    data = stage.segments(stage.server)[-1]
    end = data.raw_seq + data.length
    port = stage.client_port()
    stage.wire_send(stage.server, RST, end, port=port, hops=49, window=8192)
    theirs.send(b"I know of nothing")
    stage.lab.settle()


def forged_well(stage: Stage) -> None:
    """RST with ACK, the right numbers and hop limit; the server has nothing to say afterwards."""
    stage.greeted()
    data = stage.segments(stage.server)[-1]
    end = data.raw_seq + data.length
    stage.wire_send(stage.server, RST | ACK, end, data.raw_ack, port=stage.client_port(), window=0)


def forged_in_vain(stage: Stage) -> None:
    """The number is in the window, but not the one that comes next: the client asks back."""
    ours, theirs = stage.greeted()
    data = stage.segments(stage.server)[-1]
    port = stage.client_port()
    stage.wire_send(stage.server, RST, data.raw_seq + data.length + 1000, port=port, hops=49)
    theirs.send(b"I know of nothing")
    ours.recv_exactly(17)
    stage.lab.settle()


def stale_syn_and_waiting_client(stage: Stage) -> None:
    """A SYN of before reaches the server, whose answer meets the client's TIME_WAIT."""
    ours, theirs = stage.greeted()
    ours.close()
    stage.lab.settle()
    theirs.close()
    stage.lab.settle()
    syn = stage.segments(stage.client)[0]
    stage.wire_send(stage.client, SYN, syn.raw_seq - 70_000, port=stage.client_port())


def stale_syn_and_waiting_server(stage: Stage) -> None:
    """The server's TIME_WAIT answers a SYN of before, which the client's kernel never sent."""
    ours, theirs = stage.greeted()
    theirs.close()
    stage.lab.settle()
    ours.close()
    stage.lab.settle()
    syn = stage.segments(stage.client)[0]
    stage.wire_send(stage.client, SYN, syn.raw_seq - 70_000, port=stage.client_port())


def copied_syn_and_waiting_client(stage: Stage) -> None:
    """The very SYN that had opened the connection comes once more."""
    ours, theirs = stage.greeted()
    ours.close()
    stage.lab.settle()
    theirs.close()
    stage.lab.settle()
    timeline = stage.lab.timeline()
    syn = timeline.packet(int(stage.segments(stage.client)[0].frame))
    assert stage.client.run(_emit, syn.data).wait() == 0
    stage.lab.settle()


# who takes his time: begun first, awaited last


def keepalive(stage: Stage) -> Callable[[], None]:
    ours, _ = stage.greeted()
    _keep_alive(ours, socket.TCP_KEEPCNT, 3)
    return lambda: _expect_reset(ours)


def user_timeout(stage: Stage) -> Callable[[], None]:
    ours, _ = stage.greeted()
    _keep_alive(ours, TCP_USER_TIMEOUT, 2500)
    return lambda: _expect_reset(ours)


def _keep_alive(sock: HostSocket, option: int, value: int) -> None:
    """A probe a second; `option` says when to give up. From now on nobody answers."""
    for name, setting in ((socket.TCP_KEEPIDLE, 1), (socket.TCP_KEEPINTVL, 1), (option, value)):
        sock.set_option(socket.IPPROTO_TCP, name, setting)
    sock.set_option(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.send(SILENCE)


def backlog_overflow(stage: Stage) -> None:
    """Two connections wait to be accepted, and three handshakes end at once, when the server
    repeats its SYN+ACKs; there is room for one more."""
    program = stage.server.run(_write, "net.ipv4.tcp_abort_on_overflow", "1")
    assert program.wait() == 0, program.output
    stage.listening(backlog=2)
    waiting = [stage.calling(), stage.calling()]
    asking = [stage.client.socket() for _ in range(3)]
    for one in [sock.begin.connect(stage.server, stage.port) for sock in asking]:
        with suppress(CallFailed):
            one.result()
    for sock in [*waiting, *asking]:
        sock.close()
    stage.lab.settle()


SLOW: tuple[tuple[Callable[[Stage], Callable[[], None]], str, str, str], ...] = (
    (keepalive, "client", "keepalive-timeout", ""),
    (user_timeout, "client", "user-timeout", ""),
)
QUICK: tuple[tuple[Callable[[Stage], None], str, str, str], ...] = (
    (backlog_overflow, "server", "backlog-overflow", "backlog-overflow"),
    (port_closed, "server", "port-closed", ""),
    (server_unread, "server", "unread-data", ""),
    (client_unread, "client", "unread-data", ""),
    (unread_and_more, "server", "unread-data", "no-such-connection"),
    (answered_and_unread, "server", "unread-data", "no-such-connection"),
    (client_lingers, "client", "linger-zero", ""),
    (server_lingers, "server", "linger-zero", ""),
    (health_check, "client", "linger-zero", ""),
    (answer_to_one_who_left, "client", "data-after-close", "data-after-close"),
    (three_answers, "server", "data-after-close", "data-after-close"),
    (shut_both_ways, "client", "data-after-close", "data-after-close"),
    (forgotten, "client", "no-such-connection", ""),
    (half_scan, "client", "no-such-connection", ""),
    (ack_scan, "server", "no-such-connection", ""),
    (old_segment, "server", "no-such-connection", ""),
    (listener_closed, "server", "listener-closed", ""),
    (listener_closed_on_two, "server", "listener-closed", ""),
    (destroyed, "client", "destroyed", ""),
    (disconnected, "client", "disconnected", ""),
    (firewall_refuses, "server", "firewall", ""),
    (firewall_breaks_off, "server", "firewall", "firewall"),
    (firewall_rejects_acknowledgments, "server", "firewall", "firewall"),
    (forged, "server", "forged", ""),
    (forged_well, "server", "forged", ""),
    (forged_in_vain, "server", "forged", ""),
    (stale_syn_and_waiting_client, "server", "time-wait", ""),
    (stale_syn_and_waiting_server, "client", "time-wait", ""),
    (copied_syn_and_waiting_client, "server", "time-wait", ""),
    (
        invalid_ack,
        "client",
        "invalid-ack",
        "",
    ),  # leaves a SYN that is repeated: the lab never rests
)
_AT_THE_CLIENT = (forged, forged_well, forged_in_vain, invalid_ack)

TRUTHS = tuple(
    Truth(
        BASE + number,
        scenario.__name__,
        sender,
        cause,
        later,
        ("client",) if scenario in _AT_THE_CLIENT else ("client", "server"),
        once=cause == "time-wait",
    )
    for number, (scenario, sender, cause, later) in enumerate((*SLOW, *QUICK))
)
_PORTS = {truth.name: truth.port for truth in TRUTHS}


def script(lab: Lab) -> None:
    """All scenarios, one after another, but for the slow ones, which go on meanwhile."""
    link = Cutting(slow=_PORTS["backlog_overflow"], mute=_PORTS["invalid_ack"])
    client, server = lab.pair(link=link)
    awaited = [
        scenario(Stage(lab, client, server, _PORTS[scenario.__name__])) for scenario, *_ in SLOW
    ]
    for scenario, *_ in QUICK:
        scenario(Stage(lab, client, server, _PORTS[scenario.__name__]))
    for wait in awaited:
        wait()
    time.sleep(0.1)


def provoke(family: int) -> Timeline:
    """A run of all scenarios."""
    return run(
        Experiment(name="resets-a", question="?", script=script), Options(family, limit_s=100)
    )
