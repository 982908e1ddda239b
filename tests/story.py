"""Timelines told as stories: what each end says, line by line.

    story = Story()
    client, server = story.client, story.server
    client.syn()
    server.syn_ack()
    client.ack()
    client.send(14)
    server.ack()
    timeline = story.timeline()

The ends keep the numbers: each sends what would come next, and acknowledges what reached it. Any
number can be given instead (`seq`, `ack`: relative ones), and any segment lost, late, injected or
not captured. Segments are 1 ms apart and take 0.1 ms; `story.wait(ms)` makes a pause.
"""

from dataclasses import dataclass, field
from typing import Any

from fourtuple.event.frames import FrameTableBuilder, Vantage
from fourtuple.event.model import Call, Endpoint, Event, Note, Snapshot, SocketRow, Verdict
from fourtuple.event.timeline import Timeline
from fourtuple.wire import (
    ACK,
    FIN,
    PSH,
    RST,
    SYN,
    Ethernet,
    Icmp,
    Icmp6,
    Ipv4,
    Ipv6,
    MaximumSegmentSize,
    SackPermitted,
    Tcp,
    TcpOption,
    Udp,
    Value,
    WindowScale,
    frame,
)

__all__ = ["MS", "Party", "Story", "closed", "exchange", "opened", "refused", "unread"]

MS = 1_000_000
CLIENT_ISN, SERVER_ISN = 19_806_455, 4_294_967_000  # the server's wraps after 295 bytes


@dataclass
class Party:
    """One end: `name` ("client", "server"), its endpoint and the numbers it has reached."""

    story: "Story"
    name: str
    endpoint: Endpoint
    isn: int
    next: int = 0
    expects: int = 0
    coming: list[tuple[int, int, int]] = field(default_factory=list)
    window: int = 64240
    inode: int = 0
    peer: "Party" = field(init=False)

    def syn(self, **how: Any) -> int:
        """The first SYN; with the usual options unless `options` says otherwise."""
        return self.say(SYN, **self._greeting(how))

    def syn_ack(self, **how: Any) -> int:
        return self.say(SYN | ACK, **self._greeting(how))

    def ack(self, **how: Any) -> int:
        """A segment with nothing but an acknowledgment."""
        return self.say(ACK, **how)

    def send(self, size: int | bytes, **how: Any) -> int:
        """Data in one segment: so many bytes, or these."""
        data = size if isinstance(size, bytes) else b"x" * size
        return self.say(PSH | ACK, data=data, **how)

    def fin(self, **how: Any) -> int:
        return self.say(FIN | ACK, **how)

    def rst(self, **how: Any) -> int:
        """An RST that answers a segment: the number it acknowledged, no ACK flag, no window."""
        return self.say(RST, **{"window": 0} | how)

    def rst_ack(self, **how: Any) -> int:
        """An RST that gives the connection up, or refuses it."""
        return self.say(RST | ACK, **how)

    def say(
        self,
        flags: int,
        *,
        data: bytes = b"",
        seq: int | None = None,
        ack: int | None = None,
        window: int | None = None,
        options: tuple[TcpOption, ...] = (),
        lost: bool = False,
        late_ms: float = 0,
        verdict: int | None = None,
        raw_seq: int | None = None,
        raw_ack: int | None = None,
        hops: int = 64,
        ip_id: int = 0,
    ) -> int:
        """Any segment; returns its frame number (0 where the story is not captured just then)."""
        number = self.next if seq is None else seq
        end = number + len(data) + bool(flags & SYN) + bool(flags & FIN)
        injected = verdict == Verdict.INJECTED
        self.next = self.next if injected else max(self.next, end)
        acknowledged = self.hear() if ack is None else ack
        header = Tcp(
            self.endpoint.port,
            self.peer.endpoint.port,
            (self.isn + number) % 2**32 if raw_seq is None else raw_seq,
            raw_ack or ((self.peer.isn + acknowledged) % 2**32 if flags & ACK else 0),
            flags,
            self.window if window is None else window,
            options=options,
        )
        if not lost:
            self.peer.coming.append((self.story.now + int((1 + late_ms) * MS), number, end))
        return self.story.record(self, header, data, lost, late_ms, verdict, hops, ip_id)

    def hear(self) -> int:
        """What has arrived by the time of the next segment, counted as far as there is no gap."""
        arrived = [(begin, end) for at, begin, end in self.coming if at <= self.story.now]
        for begin, end in sorted(arrived):
            if begin <= self.expects:
                self.expects = max(self.expects, end)
        return self.expects

    def calls(self, name: str, *args: str | int, took_ms: float | None = 0.2, **facts: Any) -> None:
        """The end's program makes a call; `took_ms` None: it has not returned."""
        begin = self.story.now
        end = None if took_ms is None else begin + int(took_ms * MS)
        facts = {"fd": 3, "inode": self.inode, "result": None} | facts
        self.story.events.append(
            Call(
                t_ns=begin,
                end_ns=end,
                host=self.name,
                program=f"{self.name}.py",
                pid=100 if self.name == "client" else 200,
                thread=1,
                name=name,
                args=args,
                **facts,
            )
        )
        self.story.now += MS // 10

    def table(
        self, *rows: SocketRow, cause: str = "asked", frame: int = 0, settled: bool = True
    ) -> None:
        """The end's host is asked for its sockets."""
        self.story.events.append(
            Snapshot(
                t_ns=self.story.now,
                end_ns=self.story.now,
                host=self.name,
                cause=cause,
                frame=frame,
                sockets=rows,
                settled=settled,
            )
        )

    def row(self, state: str, **more: Any) -> SocketRow:
        """The connection's row in this end's table."""
        values = {"recv_q": 0, "send_q": 0, "inode": self.inode, "cookie": 7, "uid": 0} | more
        return SocketRow("tcp", self.endpoint, self.peer.endpoint, state, **values)

    def listener(self, queued: int = 0, limit: int = 5) -> SocketRow:
        """The row of the listener on this end's port."""
        anywhere = "0.0.0.0" if self.story.family == 4 else "::"
        return SocketRow(
            "tcp",
            Endpoint(anywhere, self.endpoint.port),
            Endpoint(anywhere, 0),
            "LISTEN",
            queued,
            limit,
            99,
            9,
            0,
        )

    def _greeting(self, how: dict[str, Any]) -> dict[str, Any]:
        return {"options": self.story.greeting} | how


class Story:
    """A client and a server, the wire between them, and what is recorded of it.

    `family` 4 or 6; `complete`: the lab's wire, which sees everything, else a capture; `begin_ns`
    when it begins.
    """

    def __init__(
        self,
        family: int = 4,
        *,
        complete: bool = True,
        mss: int = 1460,
        scale: int | None = 7,
        ports: tuple[int, int] = (40000, 8888),
        begin_ns: int = 1_000_000_000,
    ) -> None:
        addresses = ("10.77.0.1", "10.77.0.2") if family == 4 else ("fd77::1", "fd77::2")
        self.family, self.complete, self.now = family, complete, begin_ns
        self.client = Party(self, "client", Endpoint(addresses[0], ports[0]), CLIENT_ISN, inode=11)
        self.server = Party(self, "server", Endpoint(addresses[1], ports[1]), SERVER_ISN, inode=22)
        self.client.peer, self.server.peer = self.server, self.client
        scaling = () if scale is None else (WindowScale(scale),)
        self.greeting = (MaximumSegmentSize(mss), SackPermitted(), *scaling)
        self.captured = True
        self.events: list[Event] = []
        self._builder = FrameTableBuilder()

    def wait(self, ms: float) -> None:
        """Time passes."""
        self.now += int(ms * MS)

    def reborn(self, client_isn: int = 777_777, server_isn: int = 888_888) -> None:
        """Both ends forget the connection; the same four-tuple is used again."""
        for party, isn in ((self.client, client_isn), (self.server, server_isn)):
            party.isn, party.next, party.expects, party.coming = isn, 0, 0, []

    def datagram(self, sender: Party, size: int) -> int:
        """A UDP datagram."""
        layer = Udp(sender.endpoint.port, sender.peer.endpoint.port)
        return self._add(sender, (layer, b"u" * size), False, 0, None)

    def put(self, data: bytes) -> int:
        """Any frame, as it is."""
        self.now += MS
        return self._builder.add(data, self.now, left_ns=self.now, verdict=Verdict.DELIVERED)

    def icmp(self, sender: Party, message: Value, about: Value) -> int:
        """An ICMP error: a packet of the sender's peer with this header and 8 bytes of data is what
        it is about."""
        ours, theirs = sender.endpoint.address, sender.peer.endpoint.address
        ip = Ipv4 if self.family == 4 else Ipv6
        quoted = frame(ip(theirs, ours), about, bytes(8))
        return self.put(frame(Ethernet(), ip(ours, theirs), message, quoted))

    def unreachable(self, sender: Party, number: int) -> int:
        """The peer's host says that frame `number` of `sender` met no open port."""
        return self._told(sender, number, Icmp(3, 3) if self.family == 4 else Icmp6(1, 4))

    def too_big(self, sender: Party, number: int, mtu: int) -> int:
        """The peer's host says that frame `number` of `sender` is too large for the next link."""
        return self._told(sender, number, Icmp(3, 4, mtu) if self.family == 4 else Icmp6(2, 0, mtu))

    def _told(self, sender: Party, number: int, icmp: Value) -> int:
        quoted = bytes(self._builder.table().data(number - 1)[14:])
        return self._add(sender.peer, (icmp, quoted), False, 0, None)

    def note(self, kind: str, **facts: Any) -> None:
        self.events.append(Note(t_ns=self.now, kind=kind, **facts))

    def record(
        self,
        sender: Party,
        header: Tcp,
        data: bytes,
        lost: bool,
        late_ms: float,
        verdict: int | None,
        hops: int = 64,
        ip_id: int = 0,
    ) -> int:
        """Put a segment on the wire."""
        return self._add(sender, (header, data), lost, late_ms, verdict, hops, ip_id)

    def _add(
        self,
        sender: Party,
        layers: tuple[Any, ...],
        lost: bool,
        late_ms: float,
        verdict: int | None,
        hops: int = 64,
        ip_id: int = 0,
    ) -> int:
        self.now += MS
        if not self.captured:
            return 0
        source, destination = sender.endpoint.address, sender.peer.endpoint.address
        ends = source, destination
        if self.family == 4:
            ip: Ipv4 | Ipv6 = Ipv4(*ends, ttl=hops, identification=ip_id)
        else:
            ip = Ipv6(*ends, hop_limit=hops)
        usual = Verdict.DELIVERED if self.complete else Verdict.CAPTURED
        usual = Verdict.DROPPED if lost else Verdict.DELAYED if late_ms else usual
        left = self.now + int(late_ms * MS) + (MS // 10 if self.complete else 0)
        return self._builder.add(
            frame(Ethernet(), ip, *layers),
            self.now,
            left_ns=0 if lost else left,
            verdict=usual if verdict is None else verdict,
        )

    def timeline(self, **meta: Any) -> Timeline:
        """What has been recorded so far."""
        hosts = {p.name: [p.endpoint.address] for p in (self.client, self.server)}
        lab = {"hosts": hosts, "family": self.family} if self.complete else {"file": "story.pcap"}
        return Timeline(
            vantages=(Vantage("wire"),),
            frames=self._builder.table(),
            events=tuple(sorted(self.events, key=lambda event: event.t_ns)),
            meta=lab | meta,
            complete=self.complete,
        )


def opened(family: int = 4, **how: Any) -> Story:
    """A story that begins with a handshake."""
    story = Story(family, **how)
    story.client.syn()
    story.server.syn_ack()
    story.client.ack()
    return story


def exchange(family: int = 4, **how: Any) -> Story:
    """Fourteen bytes each way, then four segments close it: the document's numbers."""
    story = opened(family, **how)
    client, server = story.client, story.server
    client.send(14)
    server.ack()
    server.send(14)
    client.ack()
    return closed(story)


def closed(story: Story) -> Story:
    """The client closes first, the server a little later: four segments."""
    story.client.fin()
    story.server.ack()
    story.server.fin()
    story.client.ack()
    return story


def refused(family: int = 4, **how: Any) -> Story:
    """Nobody listens on the server's port."""
    story = Story(family, **how)
    story.client.syn()
    story.server.rst_ack(raw_seq=0)
    return story


def unread(family: int = 4, **how: Any) -> Story:
    """The server's program closes with 100 bytes unread; the lab saw its table and its call."""
    story = opened(family, **how)
    client, server = story.client, story.server
    client.send(100)
    server.ack()
    server.table(server.row("ESTABLISHED", recv_q=100), server.listener())
    server.calls("close", result=0)
    server.rst_ack()
    return story
