"""What happened: the events, frozen. No numpy here: each program of the lab imports this file.

Times are nanoseconds (`t_ns`) on the timeline's own clock: CLOCK_MONOTONIC for the lab, the
capture's clock for a file. Events are named in the past tense of what they record. Text in an
event is never translated: it is data, or a message id of the catalog.

Frames are not here: they are bytes in `event.frames`, and become `Segment`, `Datagram` or
`OtherFrame` at the edge (`event.timeline`).
"""

from typing import Any

import msgspec

__all__ = [
    "AS_LEFT",
    "WIRE",
    "Call",
    "Endpoint",
    "Event",
    "Note",
    "Snapshot",
    "SocketRow",
    "State",
    "Told",
    "Verdict",
    "at_host",
    "is_cable",
]


#: vantage points of the lab: the wire as frames enter it, and what left it where that differs
WIRE, AS_LEFT = "wire", "wire, as left"
_AT = "at "


def at_host(name: str) -> str:
    """The vantage point at a host that leaves work to its network card: what a capture made there
    would show."""
    return f"{_AT}{name}"


def is_cable(vantage: str) -> bool:
    """Whether a vantage point of the lab is a cable, where frames are as they cross."""
    return vantage != AS_LEFT and not vantage.startswith(_AT)


class Verdict:
    """What the wire did with a frame (a number in the frame table, a word for people)."""

    CAPTURED = 0  # seen by a capture: nobody decided anything
    DELIVERED = 1
    DROPPED = 2
    HELD = 3  # still held when the run ended
    DELAYED = 4  # delivered, later than it could have been
    DUPLICATED = 5  # delivered more than once
    REWRITTEN = 6  # delivered with other bytes than it entered with
    INJECTED = 7  # made by the wire; no host sent it
    CORRUPTED = 8  # delivered with a wrong checksum: the receiver's kernel discards it

    NAMES = (
        "captured",
        "delivered",
        "dropped",
        "held",
        "delayed",
        "duplicated",
        "rewritten",
        "injected",
        "corrupted",
    )
    #: verdicts with which the receiver's kernel has seen the frame
    ARRIVED = frozenset((CAPTURED, DELIVERED, DELAYED, DUPLICATED, REWRITTEN, INJECTED))


class Endpoint(msgspec.Struct, frozen=True, array_like=True, order=True):
    """An address (text, as inet_ntop writes it) and a port."""

    address: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"


class Call(msgspec.Struct, frozen=True, tag="call", kw_only=True):
    """A program called the kernel. `end_ns` is None where the call had not returned by the end.

    `args` are written as a reader of the program would: ``("10.77.0.2:8888",)``, ``(5,)``.
    `size` is how many bytes were offered or asked for, `data` the first bytes that moved.
    `result` is what the kernel answered (bytes moved, a new descriptor), None with an `errno`
    (its symbol, "ECONNREFUSED"). `inode` names the socket, `new_inode` the one accept() made:
    sock_diag's rows carry the same numbers. One below 0 stands for a socket whose inode nobody saw.
    A call that waits for many descriptors at once, as select() does, is on none of them: `ready`
    are the inodes of the sockets that it reported. Other calls are written without it.
    """

    t_ns: int
    end_ns: int | None
    host: str
    program: str
    pid: int
    thread: int
    name: str
    args: tuple[str | int, ...] = ()
    fd: int | None = None
    inode: int = 0
    new_inode: int = 0
    result: str | int | None = None
    errno: str | None = None
    size: int | None = None
    data: bytes = b""
    local: Endpoint | None = None
    remote: Endpoint | None = None
    ready: tuple[int, ...] | msgspec.UnsetType = msgspec.UNSET

    @property
    def reported(self) -> tuple[int, ...]:
        """The sockets that `ready` names; none where it names none."""
        return () if self.ready is msgspec.UNSET else self.ready


class SocketRow(msgspec.Struct, frozen=True, array_like=True):
    """One row of a host's socket table, in sock_diag's terms.

    `inode` is 0 while no program owns the socket. For a listener `recv_q` is the accept queue's
    length and `send_q` its limit. `timer` is "" or one of retransmit, keepalive, time-wait,
    probe; it fires `timer_ms` from then.
    """

    protocol: str
    local: Endpoint
    remote: Endpoint
    state: str
    recv_q: int
    send_q: int
    inode: int
    cookie: int
    uid: int
    timer: str = ""
    timer_ms: int = 0
    retransmits: int = 0
    backlog_bytes: int = 0


class Snapshot(msgspec.Struct, frozen=True, tag="snapshot", kw_only=True):
    """A host's whole TCP table, as a look from `t_ns` to `end_ns` saw it.

    A program may call while the kernel lists its sockets: what had happened before the look began
    is in the rows, what happened meanwhile may be.

    `cause` says when it was taken: "entered" (the host's frame number `frame` had just reached
    the wire), "delivered" (that frame had just been given to the host), "call" (a call of one of
    its programs had just returned) or "asked".

    With many sockets a look asks only for those that its frame or call is `about`, (local, remote),
    and for their listener: the other rows are those of the look before, and may be out of date.
    None: the whole table was read.

    A row in which only the time left on its timer has run down is that of the look before:
    `timer_ms` counts from the first look that had it so.
    """

    t_ns: int
    end_ns: int
    host: str
    cause: str
    frame: int = 0
    sockets: tuple[SocketRow, ...] = ()
    settled: bool = True
    about: tuple[Endpoint, Endpoint] | None = None


class State(msgspec.Struct, frozen=True, tag="state", kw_only=True):
    """A socket's state changed, as seen at `t_ns` ("CLOSED" where the table has no row for it).

    `source` is who says so: "sock_diag" or "trace". `frame` is the frame after which it was seen,
    0 where a call was the occasion.
    """

    t_ns: int
    host: str
    local: Endpoint
    remote: Endpoint
    old: str
    new: str
    source: str
    frame: int = 0
    inode: int = 0
    cookie: int = 0


class Told(msgspec.Struct, frozen=True, tag="told", kw_only=True):
    """The kernel's trace told of a connection, besides its states, `what` befell it at one end:

    reset-sent         an RST is about to be sent; `reason` is the kernel's own word
    reset-received     an RST closed the socket
    retransmitted      a segment is sent again
    syn-ack-retransmitted
    bad-checksum       a segment was discarded for its checksum
    error              the socket's program is to be told of `reason` ("ETIMEDOUT")
    dropped            a packet for the socket was discarded; `reason` is the kernel's word
    accept-inferred    which connection an accept() took was not seen, but follows from the order of
                       the accept queue

    `remote` is None where the trace does not name it. `inode` as in Call, 0 where no socket is
    known.
    """

    t_ns: int
    host: str
    what: str
    local: Endpoint
    remote: Endpoint | None
    reason: str = ""
    inode: int = 0


class Note(msgspec.Struct, frozen=True, tag="note", kw_only=True):
    """Anything else worth keeping, told apart by `kind`:

    program   a process began or ended: params pid, program, command, status
    check     an expectation: params what, expected, actual, ok
    claim     a textbook sentence and its verdict: params claim, source, verdict, because
    degraded  something could not be had, or was lost: its message says what
    clock     the wall clock stepped: params step_ns
    end       the script came to its end
    failure   the run did not come to its end: params error, text
    text      a sentence of the script: params of its message

    `message` is a message id (English); `params` fill its fields. `frames` is the evidence.
    """

    t_ns: int
    kind: str
    host: str = ""
    message: str = ""
    params: dict[str, Any] = {}
    frames: tuple[int, ...] = ()


Event = Call | State | Snapshot | Told | Note
