"""What a server's side of its conversations is seen by: its calls, its kernel's states, its frames.

`with Witness() as witness:` before the sockets are made by `witness.make`; `watch` once their ports
are known; `timeline()` when the server has ended. Rules: what is kept is the first of each view, so
memory is bounded however long the server runs; what was left out is counted and said.
"""

import socket
from collections.abc import Sequence
from contextlib import ExitStack

from fourtuple.event.timeline import Timeline
from fourtuple.explain.model import Message
from fourtuple.system.sniffer import Sniffer, may_sniff
from fourtuple.talk.filter import frame_filter
from fourtuple.talk.journal import Journal
from fourtuple.talk.noted import NotedSocket
from fourtuple.talk.packets import addresses_of_rest, ends_of, is_of_protocol
from fourtuple.talk.url import Url
from fourtuple.talk.views import LOCAL, MOST_FRAME_BYTES, NO_FRAMES, timeline_of
from fourtuple.wire import Packet

__all__ = ["Witness"]

_ANYWHERE = frozenset(("0.0.0.0", "::"))


class Witness:
    """Of one server."""

    def __init__(self) -> None:
        self.journal = Journal(watch=True, host="server", program="serve")
        self._stack = ExitStack()
        self._seen: Sniffer | None = None
        self._places: set[tuple[str, int]] = set()
        self._ports: set[int] = set()
        self._protocols: dict[int, set[str]] = {}
        self._missing = Message(NO_FRAMES)

    def __enter__(self) -> "Witness":
        if may_sniff():
            self._seen = Sniffer(most_bytes=MOST_FRAME_BYTES)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def make(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """A socket, as `socket.socket` makes it, whose calls are noted."""
        return NotedSocket(self.journal, family, kind, protocol)

    def watch(self, listening: Sequence[tuple[Url, Sequence[socket.socket]]]) -> None:
        """Gather the frames of these sockets from now on, as far as this machine allows."""
        for url, sockets in listening:
            for sock in sockets:
                self._expect(url, sock)
        if not (self._ports or self._protocols):
            self._missing = Message(LOCAL)
            self._seen = None
        if self._seen is not None:
            self._seen.narrow(frame_filter(self._ports, self._protocols))
            self._stack.enter_context(self._seen)

    def _expect(self, url: Url, sock: socket.socket) -> None:
        if url.kind.transport == "unix":
            return
        address, port = sock.getsockname()[:2]
        address = address.partition("%")[0]
        if url.kind.transport == "raw":
            self._protocols.setdefault(url.port, set()).add(address)
        else:
            self._ports.add(port)
            self._places.add((address, port))

    def timeline(self, name: str, notes: Sequence[Message] = ()) -> Timeline:
        """All of it; nothing is gathered any more. `name` is what it is to be called."""
        self.journal.settle()
        self._stack.close()
        return timeline_of(self.journal, self._seen, self._has, name, self._missing, notes)

    def _has(self, packet: Packet) -> bool:
        for protocol, addresses in self._protocols.items():
            if is_of_protocol(packet, protocol, addresses):
                return True
        if rest := addresses_of_rest(packet):
            here = {address for address, _ in self._places}
            return bool(rest & here or _ANYWHERE & here)
        return any(
            (address, end.port) in self._places
            for end in ends_of(packet)
            for address in (end.address, *_ANYWHERE)
        )
