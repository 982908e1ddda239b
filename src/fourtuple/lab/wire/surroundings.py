"""What a rule at work may ask of the wire that it is a part of."""

from collections.abc import Callable, Sequence
from typing import Protocol

from fourtuple.lab.wire.header_fields import Numbers
from fourtuple.lab.wire.parcel import Parcel
from fourtuple.wire import Packet

__all__ = ["Surroundings", "Timer", "WireProcess"]

#: when, which of those at that time, what
Timer = tuple[int, int, Callable[[], None]]


class Surroundings(Protocol):
    """What the wire knows beyond a frame."""

    def numbers(self, packet: Packet) -> Numbers:
        """The initial sequence numbers of the packet's connection, as seen from its sender."""

    def socket_state(self, host: str, packet: Packet, sent: bool) -> str:
        """The state of the host's socket of the packet's connection; `sent`: the host sent it."""


class WireProcess(Surroundings, Protocol):
    """What a rule asks of the wire that it is a part of."""

    def now_ns(self) -> int:
        """CLOCK_MONOTONIC."""

    def at(self, due_ns: int, deed: Callable[[], None]) -> Timer:
        """Do something when its time has come."""

    def cancel(self, timer: Timer) -> None:
        """Do it never, if it is still to be done."""

    def drop(self, parcel: Parcel) -> None:
        """The parcel goes no further."""

    def deliver_together(self, parcels: Sequence[Parcel]) -> None:
        """Give the receiver frames that came together; no other rule meets them."""

    def inject(self, to: str, data: bytes, cable: str = "") -> int:
        """Give a host a frame that no host has sent, by one of its cables; its number."""
