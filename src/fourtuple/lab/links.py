"""Wires that do more than carry: a firewall's silence, loss, lateness, an address that traps.

Each wraps another link (lab.carrier.Link). None of them uses chance: the n-th frame of a kind
meets the same fate in every run.
"""

import time
from collections.abc import Iterable

from fourtuple.lab.carrier import CarriedFrame, Link, StraightLink
from fourtuple.wire import Packet, dissect

__all__ = ["Late", "Lossy", "Silent"]

Deliveries = Iterable[tuple[int, bytes]]


def _destination_port(packet: Packet) -> int | None:
    view = packet.tcp or packet.udp
    return view.destination_port if view is not None else None


class Silent:
    """Drops what is sent to certain ports, as a firewall's DROP does."""

    def __init__(self, *ports: int, link: Link | None = None) -> None:
        self._ports = frozenset(ports)
        self._link = link or StraightLink()

    def carry(self, frame: CarriedFrame) -> Deliveries:
        if _destination_port(dissect(frame.data)) in self._ports:
            return ()
        return self._link.carry(frame)


class Lossy:
    """Drops every n-th TCP or UDP frame, of both directions together."""

    def __init__(self, every: int, link: Link | None = None) -> None:
        self._every = every
        self._count = 0
        self._link = link or StraightLink()

    def carry(self, frame: CarriedFrame) -> Deliveries:
        if _destination_port(dissect(frame.data)) is not None:
            self._count += 1
            if self._count % self._every == 0:
                return ()
        return self._link.carry(frame)


class Late:
    """Delivers TCP and UDP frames of one host `seconds` after they entered; holds up the others."""

    def __init__(self, sender: str, seconds: float, link: Link | None = None) -> None:
        self._sender = sender
        self._seconds = seconds
        self._link = link or StraightLink()

    def carry(self, frame: CarriedFrame) -> Deliveries:
        if frame.sender == self._sender and _destination_port(dissect(frame.data)) is not None:
            due_s = frame.t_ns / 1e9 + self._seconds
            time.sleep(max(0.0, due_s - time.monotonic()))
        return self._link.carry(frame)
