"""What the wire is made of: cables, each with two ends."""

from dataclasses import dataclass

from fourtuple.lab.hosts.observer import Observer
from fourtuple.system.packet import PacketSocket

__all__ = ["Cable", "End", "Side"]


@dataclass(frozen=True, slots=True)
class End:
    """One end of a cable: the host there, the socket to it, and the view of its table.

    A host that offloads leaves work to the wire: each frame has a virtio_net_hdr before it.
    """

    host: str
    packets: PacketSocket
    observer: Observer
    offloads: bool = False


@dataclass(frozen=True, slots=True)
class Cable:
    """Two ends, and the name of this vantage point in the recording."""

    name: str
    ends: tuple[End, End]


@dataclass(frozen=True, slots=True)
class Side:
    """One direction of a cable."""

    cable: str
    sender: End
    receiver: End
