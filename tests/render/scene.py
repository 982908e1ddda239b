"""A hand-made exchange, as the lab records one: 14 bytes each way, both ends' calls, states and
socket tables. Every number in it is fixed, so its picture is too.

    Scene().exchange()      the timeline
    Scene(verdicts={4: DROPPED})...
"""

from dataclasses import dataclass, field
from typing import Any

from fourtuple.event.frames import FrameTableBuilder, Vantage
from fourtuple.event.model import Call, Endpoint, Event, Note, Snapshot, SocketRow, State, Verdict
from fourtuple.event.timeline import Timeline
from fourtuple.wire import ACK, FIN, PSH, SYN, Ethernet, Ipv4, Tcp, frame

CLIENT = Endpoint("10.77.0.1", 40000)
SERVER = Endpoint("10.77.0.2", 8888)
ANY = Endpoint("0.0.0.0", 8888)
NOBODY = Endpoint("0.0.0.0", 0)
CLIENT_INODE, LISTENER_INODE, SERVER_INODE = 501, 601, 602
CLIENT_ISN, SERVER_ISN = 1_000_000_000, 2_000_000_000
ORIGIN_NS = 5_000_000_000
GREETING, REPLY = b"client: hello\n", b"server: hello\n"


def us(microseconds: float) -> int:
    """A moment of the scene."""
    return ORIGIN_NS + int(microseconds * 1000)


@dataclass
class Scene:
    """Collects frames and events; `timeline()` puts them together."""

    verdicts: dict[int, int] = field(default_factory=dict)
    left: dict[int, float] = field(default_factory=dict)
    frames: FrameTableBuilder = field(default_factory=FrameTableBuilder)
    events: list[Event] = field(default_factory=list)
    meta: dict[str, Any] = field(default_factory=dict)

    def segment(
        self, at: float, of_client: bool, flags: int, seq: int, ack: int = 0, data: bytes = b""
    ) -> None:
        """A segment enters the wire; numbers are relative."""
        source, destination = (CLIENT, SERVER) if of_client else (SERVER, CLIENT)
        bases = (CLIENT_ISN, SERVER_ISN) if of_client else (SERVER_ISN, CLIENT_ISN)
        tcp = Tcp(
            source.port,
            destination.port,
            sequence=bases[0] + seq,
            acknowledgment=bases[1] + ack if flags & ACK else 0,
            flags=flags,
            window=64240,
        )
        ip = Ipv4(source.address, destination.address, identification=len(self.frames) + 1)
        layers = (Ethernet("02:00:00:00:00:02", "02:00:00:00:00:01"), ip, tcp)
        number = len(self.frames) + 1
        verdict = self.verdicts.get(number, Verdict.DELIVERED)
        arrives = verdict in Verdict.ARRIVED
        left_ns = us(self.left.get(number, at + 10)) if arrives else 0
        self.frames.add(
            frame(*layers, data) if data else frame(*layers),
            us(at),
            left_ns=left_ns,
            verdict=verdict,
        )

    def call(
        self, begin: float, end: float | None, of_client: bool, name: str, *args: Any, **known: Any
    ) -> None:
        """A program's call, from `begin` to `end` microseconds."""
        host = "client" if of_client else "server"
        self.events.append(
            Call(
                t_ns=us(begin),
                end_ns=None if end is None else us(end),
                host=host,
                program=host,
                pid=11 if of_client else 12,
                thread=11 if of_client else 12,
                name=name,
                args=args,
                **{"inode": CLIENT_INODE if of_client else SERVER_INODE, **known},
            )
        )

    def state(self, at: float, of_client: bool, old: str, new: str, frame: int = 0) -> None:
        """A socket's state changed, as sock_diag saw it."""
        ends = (CLIENT, SERVER) if of_client else (SERVER, CLIENT)
        if new == "LISTEN":
            ends = (ANY, NOBODY)
        host = "client" if of_client else "server"
        self.events.append(
            State(
                t_ns=us(at),
                host=host,
                local=ends[0],
                remote=ends[1],
                old=old,
                new=new,
                source="sock_diag",
                frame=frame,
            )
        )

    def server_table(self, at: float, frame: int, queued: int, waiting: int, inode: int) -> None:
        """The server's sockets: the listener, and the connection with or without an owner."""
        listener = SocketRow("tcp", ANY, NOBODY, "LISTEN", queued, 5, LISTENER_INODE, 1, 0)
        own = SocketRow("tcp", SERVER, CLIENT, "ESTABLISHED", waiting, 0, inode, 2, 0)
        self.events.append(
            Snapshot(
                t_ns=us(at),
                end_ns=us(at),
                host="server",
                cause="delivered",
                frame=frame,
                sockets=(listener, own),
            )
        )

    def note(self, at: float, kind: str, message: str = "", *frames: int, **params: Any) -> None:
        self.events.append(
            Note(t_ns=us(at), kind=kind, message=message, params=params, frames=frames)
        )

    def timeline(self) -> Timeline:
        return Timeline(
            (Vantage("wire"),),
            self.frames.table(),
            tuple(sorted(self.events, key=lambda event: event.t_ns)),
            self.meta,
            epoch_ns=1_700_000_000_000_000_000 - ORIGIN_NS,
            complete=True,
        )

    # --- the story

    def exchange(self) -> Timeline:
        """From listen() to the last ACK."""
        self.meta = {
            "experiment": "exchange",
            "question": "What does one message each way look like?",
            "covers": ["A4"],
            "hosts": {"client": [CLIENT.address], "server": [SERVER.address]},
            "views": {"calls": "wrapped", "states": "sock_diag", "frames": "wire"},
            "seconds": 0.4,
        }
        self._handshake()
        self._data()
        self._close()
        self._verdict()
        return self.timeline()

    def capture(self) -> Timeline:
        """The same frames, as somebody else's capture: no calls, no states, no word on verdicts."""
        self.exchange()
        frames = self.frames.table()
        frames.verdict[:] = Verdict.CAPTURED
        frames.left_ns[:] = frames.t_ns
        meta = {"file": "exchange.pcap"}
        return Timeline((Vantage("eth0"),), frames.shifted(10**18), (), meta)

    def _handshake(self) -> None:
        self.call(0, 20, False, "listen", 5, inode=LISTENER_INODE, local=ANY, result=0)
        self.state(30, False, "CLOSED", "LISTEN")
        self.call(400, 470, True, "connect", str(SERVER), local=CLIENT, remote=SERVER, result=0)
        self.segment(410, True, SYN, 0)
        self.state(412, True, "CLOSED", "SYN_SENT", 1)
        self.segment(440, False, SYN | ACK, 0, 1)
        self.state(431, False, "LISTEN", "SYN_RECV", 1)
        self.segment(460, True, ACK, 1, 1)
        self.state(455, True, "SYN_SENT", "ESTABLISHED", 2)
        self.state(475, False, "SYN_RECV", "ESTABLISHED", 3)
        self.server_table(476, 3, 1, 0, 0)
        self.call(
            900,
            915,
            False,
            "accept",
            inode=LISTENER_INODE,
            new_inode=SERVER_INODE,
            local=ANY,
            result=9,
        )
        self.server_table(920, 0, 0, 0, SERVER_INODE)

    def _data(self) -> None:
        self.call(1010, 1040, True, "send", 14, size=14, result=14, data=GREETING)
        self.segment(1020, True, PSH | ACK, 1, 1, GREETING)
        self.segment(1035, False, ACK, 1, 15)
        self.call(1060, 1070, False, "recv", 4096, size=4096, result=14, data=GREETING)
        self.call(1200, 1340, True, "recv", 4096, size=4096, result=14, data=REPLY)
        self.call(1300, 1330, False, "send", 14, size=14, result=14, data=REPLY)
        self.segment(1310, False, PSH | ACK, 1, 15, REPLY)
        self.segment(1325, True, ACK, 15, 15)

    def _close(self) -> None:
        self.call(1500, 42_140, False, "recv", 4096, size=4096, result=0)
        self.call(2000, 2020, True, "close", result=0)
        self.segment(2010, True, FIN | ACK, 15, 15)
        self.state(2012, True, "ESTABLISHED", "FIN_WAIT1", 8)
        self.state(2030, False, "ESTABLISHED", "CLOSE_WAIT", 8)
        self.segment(42_100, False, ACK, 15, 16)
        self.state(42_120, True, "FIN_WAIT1", "FIN_WAIT2", 9)
        self.call(42_600, 42_660, False, "close", result=0)
        self.segment(42_610, False, FIN | ACK, 15, 16)
        self.state(42_612, False, "CLOSE_WAIT", "LAST_ACK", 10)
        self.state(42_625, True, "FIN_WAIT2", "TIME_WAIT", 10)
        self.segment(42_630, True, ACK, 16, 16)
        self.state(42_650, False, "LAST_ACK", "CLOSED", 11)

    def _verdict(self) -> None:
        self.note(
            43_000,
            "claim",
            "",
            2,
            claim="SYN uses one number",
            source="A5",
            verdict="confirmed",
            because="ack 1 with no data sent",
        )
        self.note(43_001, "check", "", 5, what="the ACK", expected="15", actual="15", ok=True)
