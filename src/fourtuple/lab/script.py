"""What an experiment's script holds in its hands: the Lab.

It makes hosts, waits until nothing moves, reads what the wire carried and what the kernels hold,
and states expectations and claims (lab.statements). It runs in the director, on the real kernel.
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fourtuple.errors import N_, ExpectationFailed, OutOfTime, UsageError
from fourtuple.event.model import at_host
from fourtuple.lab.evidence import (
    ObservedSocket,
    Segments,
    observed,
)
from fourtuple.lab.experiment import Mutation
from fourtuple.lab.hosts.host import Host
from fourtuple.lab.hosts.sockets import HostSocket
from fourtuple.lab.log import FrameEntered, Log, Record
from fourtuple.lab.network import Network
from fourtuple.lab.statements import Statements
from fourtuple.lab.topology import Topology, topology
from fourtuple.lab.wire.parcel import Link
from fourtuple.lab.wire.rules import Wire
from fourtuple.system.namespaces import inside
from fourtuple.system.sock_diag import SockDiag
from fourtuple.wire import Icmp6View

if TYPE_CHECKING:
    from fourtuple.event.timeline import FrameSeen, Timeline
    from fourtuple.wire import Packet

__all__ = ["Lab"]

#: nothing moves: that many looks in a row, so far apart, saw the same
_LOOKS = 3
_BETWEEN_LOOKS_S = 0.003

#: what a kernel says of its own accord: Neighbor Discovery (RFC 4861, section 4) and multicast
#: listener reports (RFC 3810, section 5)
_DISCOVERY = frozenset((130, 131, 132, 133, 134, 135, 136, 137, 143))

STILL_CHANGING = N_("The lab did not come to rest in time: each look at it found something new.")
NO_FRAME = N_("There is no frame {frame}: {count} have been recorded so far.")
NOT_ONE = N_("{host} has {count} connections; one was expected.")


class Lab(Statements):
    """Given to an experiment's script. `family` is 4 or 6; `random` is seeded; `wire` takes rules
    (lab.wire.rules)."""

    def __init__(
        self, log: Log, network: Network, seed: int, mutation: Mutation | None = None
    ) -> None:
        super().__init__(log)
        self._network = network
        self._mutation = mutation or Mutation("")
        self._records: list[Record] = []
        self.random = random.Random(seed)
        self.wire = Wire(network, self._recorded)

    @property
    def family(self) -> int:
        """4 or 6."""
        return self._network.version

    @property
    def payload_per_segment(self) -> int:
        """How much one segment without options carries: the MTU less both headers."""
        return 1460 if self.family == 4 else 1440

    def pair(
        self,
        *,
        timestamps: bool = True,
        congestion: str | None = None,
        sysctls: Mapping[str, str | int] | None = None,
        mtu: int = 1500,
        link: Link | None = None,
        offload: bool | Sequence[str] = False,
    ) -> tuple[Host, Host]:
        """Two hosts, "client" and "server", joined by the wire.

        `sysctls` are set on both, after the baseline. OSError names one that the kernel refuses.
        `link` is a part of the wire (lab.wire.parcel.Link), before every rule of `lab.wire`. With
        `offload` the kernels of both, or of those named, leave checksums and the cutting of
        segments to the wire, and what a capture at these hosts would show is recorded too.
        """
        named = ("client", "server") if offload is True else offload or ()
        client, server = self._build(
            topology(("client", "server"), (), self.family),
            timestamps, congestion, sysctls, mtu, link, named,
        )  # fmt: skip
        return client, server

    def hosts(
        self,
        *names: str,
        links: Sequence[str] = (),
        timestamps: bool = True,
        congestion: str | None = None,
        sysctls: Mapping[str, str | int] | None = None,
        mtu: int = 1500,
    ) -> tuple[Host, ...]:
        """Hosts of these names, in a chain, or joined by `links` ("client router"), each of which
        is a network of its own. A host with several links forwards, as a router does.

        UsageError where a name or a link is odd; for the rest see `pair`.
        """
        joined = topology(names, links, self.family)
        return self._build(joined, timestamps, congestion, sysctls, mtu)

    def _build(
        self,
        joined: Topology,
        timestamps: bool,
        congestion: str | None,
        sysctls: Mapping[str, str | int] | None,
        mtu: int,
        link: Link | None = None,
        offload: Sequence[str] = (),
    ) -> tuple[Host, ...]:
        settings: dict[str, str | int] = {"net.ipv4.tcp_timestamps": int(timestamps)}
        if congestion:
            settings["net.ipv4.tcp_congestion_control"] = congestion
        settings |= dict(sysctls or {})
        hosts = self._network.build(joined, settings, mtu, link, offload)
        self._mutate_wire()
        return hosts

    def connected(
        self, client: Host, server: Host, port: int = 8888
    ) -> tuple[HostSocket, HostSocket]:
        """Open a connection and accept it: the client's socket and the server's, at rest."""
        listener = server.socket().listen(port)
        sock = client.socket().connect(server, port)
        self.settle()
        return sock, listener.accept()

    def value(self, name: str, usual: Any) -> Any:
        """A number or a word on which the experiment turns: `usual`, unless a mutation has
        another one of that name."""
        return self._mutation.values.get(name, usual)

    def _mutate_wire(self) -> None:
        if self._mutation.wire is not None:
            self._mutation.wire(self)

    def bytes(self, size: int) -> bytes:
        """Bytes to send: the same ones each time for the same seed."""
        return self.random.randbytes(size)

    # what moves

    def settle(self, *, unanswered: bool = False) -> None:
        """Wait until nothing moves: no frame is under way, every program sleeps, and no socket
        waits for an acknowledgment (unless some are to stay `unanswered`: a SYN that nobody hears,
        a segment that was lost). OutOfTime where that does not come about."""
        seen: list[Any] = []
        restless: OutOfTime | None = None
        while len(seen) < _LOOKS:
            try:
                restless, look = self._network.at_rest(unanswered)
            except OutOfTime as late:
                raise restless or late from None  # what moved when it was last asked
            if restless or (seen and look != seen[-1]):
                seen.clear()
            if not restless:
                seen.append(look)
            if time.monotonic() > self._network.deadline_s:
                raise restless or OutOfTime(STILL_CHANGING)
            time.sleep(_BETWEEN_LOOKS_S)

    def until(self, condition: Callable[[], object], what: str, **params: Any) -> None:
        """Wait until something holds that does not wait for rest: a timer of the kernel that
        is still to fire. OutOfTime, with `what` as its sentence (a message id: what has not come in
        time), where the run's time is up first."""
        while not condition():
            if time.monotonic() > self._network.deadline_s:
                raise OutOfTime(what, params)
            time.sleep(_BETWEEN_LOOKS_S)

    # what an administrator does

    def destroy(self, host: Host, sock: ObservedSocket) -> None:
        """Have the host's kernel abort a socket, as `ss --kill` does."""
        row = sock.row
        local, remote = ((end.address, end.port) for end in (row.local, row.remote))
        with inside(host.namespace):
            diag = SockDiag()
        diag.destroy(host.family, local, remote, row.cookie)
        diag.close()

    # what was seen

    def packets(self, *, sent_by: Host | None = None) -> list["FrameSeen"]:
        """The IP packets that entered the wire so far, in order: UDP, ICMP and fragments too, but
        not IPv6's Neighbor Discovery, which is to it what ARP is to IPv4, nor reports of groups."""
        timeline = self.timeline()
        seen = [timeline.frame(number) for number in range(1, len(timeline.frames) + 1)]
        return [one for one in seen if _counts(one.packet, sent_by)]

    def timeline(self) -> "Timeline":
        """Everything so far."""
        from fourtuple.lab.merge import merge  # numpy: only scripts that look pay for it

        self._records += self._log.news()
        return merge(self._records)

    def segments(
        self,
        *,
        sent_by: Host | None = None,
        payload: bool | None = None,
        flags: str | None = None,
        port: int | None = None,
        seen_at: Host | None = None,
    ) -> Segments:
        """The segments that entered the wire so far, in order; of all, those that fit:
        sent by a host, with payload (or, False, without), with just these flags ("FIN ACK"), of
        connections that have this port at either end. `seen_at` a host that offloads: as a capture
        there would show them."""
        from fourtuple.analyze import connections

        vantage = None if seen_at is None else at_host(seen_at.name)
        found = [
            segment
            for one in connections(self.timeline(), vantage=vantage)
            if port is None or port in (one.client.port, one.server.port)
            for segment in self._sent_by(sent_by, one)
        ]
        chosen = Segments(sorted(found, key=lambda fact: fact.frame))
        if payload is not None:
            chosen = Segments([s.fact for s in chosen if (s.fact.length > 0) == payload])
        if flags is not None:
            chosen = Segments([s.fact for s in chosen if s.flags == flags])
        return chosen

    def _recorded(self, number: int) -> FrameEntered:
        """The record of a frame; UsageError where there is none of that number."""
        self._records += self._log.news()
        frames = [record for record in self._records if isinstance(record, FrameEntered)]
        if not 1 <= number <= len(frames):
            raise UsageError(NO_FRAME, {"frame": number, "count": len(frames)})
        return frames[number - 1]

    def _sent_by(self, host: Host | None, connection: Any) -> list[Any]:
        if host is None:
            return list(connection.segments)
        return [
            segment
            for segment in connection.segments
            if (connection.client if segment.from_client else connection.server).address
            == host.address
        ]

    def sockets(self, host: Host, *, listening: bool = False) -> list[ObservedSocket]:
        """The host's sockets now: its connections, or its listeners."""
        rows = self._network.sockets(host)
        return [ObservedSocket(row) for row in rows if (row.state == "LISTEN") == listening]

    def connection(self, host: Host) -> ObservedSocket:
        """The host's one connection, as its socket table has it now. ExpectationFailed where it
        has none or several."""
        return _only(host, self.sockets(host))

    def state(self, host: Host) -> Any:
        """The state of the host's one connection now; "CLOSED" where it has none."""
        found = self.sockets(host)
        return observed(_only(host, found).state if found else "CLOSED", "state")

    def states(self, host: Host) -> Any:
        """The states that the host's connections went through, as its socket table showed them."""
        from fourtuple.event.model import State

        seen = [e for e in self.timeline().of(State) if e.host == host.name and e.remote.port]
        frames = tuple(e.frame for e in seen if e.frame)
        return observed([event.new for event in seen], "state", frames)


def _only(host: Host, found: list[ObservedSocket]) -> ObservedSocket:
    if len(found) != 1:
        raise ExpectationFailed(NOT_ONE, {"host": host.name, "count": len(found)})
    return found[0]


def _counts(packet: "Packet", sender: Host | None) -> bool:
    """Whether it is an IP packet, of that sender if one is given, and no Neighbor Discovery."""
    discovery = isinstance(packet.icmp, Icmp6View) and packet.icmp.type in _DISCOVERY
    if packet.ip is None or discovery:
        return False
    return sender is None or packet.ip.source in sender.addresses
