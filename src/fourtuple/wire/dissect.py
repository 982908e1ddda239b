"""Frames taken apart: bytes and a link type -> the layers, outermost first. Never raises.

It stops, and calls the rest payload, at whatever it does not know, at a header that contradicts
itself, at a fragment that is not the first, at a tunnel within a fragment, and behind DEEPEST
headers. Of packets in packets - tunnels - the innermost one is the packet's own.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeVar

from fourtuple.wire._row import DEEPEST
from fourtuple.wire.arp import ArpView
from fourtuple.wire.ethernet import EthernetView, VlanView
from fourtuple.wire.gre import GreView
from fourtuple.wire.icmp import IcmpView
from fourtuple.wire.icmp6 import Icmp6View
from fourtuple.wire.ipv4 import Ipv4View
from fourtuple.wire.ipv6 import Ipv6View
from fourtuple.wire.ipv6_extensions import (
    AuthenticationView,
    DestinationOptionsView,
    HopByHopView,
    Ipv6FragmentView,
    RoutingView,
)
from fourtuple.wire.loopback import LoopView, NullView, Sll2View, SllView
from fourtuple.wire.ppp import CiscoHdlcView, PppView, is_cisco
from fourtuple.wire.tcp import TcpView
from fourtuple.wire.udp import UdpView
from fourtuple.wire.view import PayloadView, View
from fourtuple.wire.vxlan import VXLAN_PORT, VxlanView

__all__ = ["Packet", "dissect"]

ETHERNET, RAW, IPV4, IPV6, PPP, PPP_HDLC, CISCO_HDLC = 1, 101, 228, 229, 9, 50, 104
#: LINKTYPE_RAW, and the numbers that systems have written in its place
RAW_ALIKE = (RAW, 12, 14)
V = TypeVar("V", bound=View)

LINKS: dict[int, type[View]] = {
    0: NullView,
    ETHERNET: EthernetView,
    PPP: PppView,
    PPP_HDLC: PppView,
    CISCO_HDLC: CiscoHdlcView,
    108: LoopView,
    113: SllView,
    IPV4: Ipv4View,
    IPV6: Ipv6View,
    276: Sll2View,
}
#: what a header's `inner` names: registry and number -> the view of it
INNER: dict[str, dict[int, type[View]]] = {
    "ethertype": {
        0x0800: Ipv4View,
        0x0806: ArpView,
        0x6558: EthernetView,
        0x8100: VlanView,
        0x86DD: Ipv6View,
        0x88A8: VlanView,
        0x9100: VlanView,
    },
    "udp": {VXLAN_PORT: VxlanView},
    "ipv4": {
        1: IcmpView,
        4: Ipv4View,
        6: TcpView,
        17: UdpView,
        41: Ipv6View,
        47: GreView,
        51: AuthenticationView,
    },
    "ipv6": {
        0: HopByHopView,
        4: Ipv4View,
        6: TcpView,
        17: UdpView,
        41: Ipv6View,
        43: RoutingView,
        44: Ipv6FragmentView,
        47: GreView,
        51: AuthenticationView,
        58: Icmp6View,
        60: DestinationOptionsView,
    },
}


@dataclass(frozen=True, slots=True)
class Packet:
    """A frame's bytes and its layers, outermost first; what follows the last header that is known
    is a `PayloadView`. The layers follow from the rest, so packets are equal without them."""

    data: bytes
    link_type: int
    original_length: int
    layers: tuple[View, ...] = field(compare=False)

    def layer(self, kind: type[V]) -> V | None:
        """The first layer of a class."""
        return next((view for view in self.layers if isinstance(view, kind)), None)

    @property
    def ip(self) -> Ipv4View | Ipv6View | None:
        """The innermost IP header that is sound; where none is, the outermost."""
        found = [view for view in self.layers if isinstance(view, Ipv4View | Ipv6View)]
        return next((view for view in reversed(found) if view.sound), found[0] if found else None)

    @property
    def tcp(self) -> TcpView | None:
        return self._inside(TcpView)

    @property
    def udp(self) -> UdpView | None:
        return self._inside(UdpView)

    @property
    def icmp(self) -> IcmpView | Icmp6View | None:
        return self._inside(IcmpView) or self._inside(Icmp6View)

    def _inside(self, kind: type[V]) -> V | None:
        """The layer of a class that belongs to `ip`."""
        found = [view for view in self.layers if isinstance(view, kind)]
        ip = self.ip if found else None
        return next((view for view in found if ip and view.offset > ip.offset), None)

    @property
    def tunnels(self) -> tuple[View, ...]:
        """The headers of the tunnels that `ip` is in, outermost first: GRE's, VXLAN's, and of an
        IP packet directly in another the outer one's."""
        ip = self.ip
        until = [view for view in self.layers if ip and view.offset <= ip.offset]
        return tuple(
            view
            for view, following in pairwise(until)
            if isinstance(view, GreView | VxlanView)
            or (isinstance(following, Ipv4View | Ipv6View) and _nests(view, type(following)))
        )

    @property
    def arp(self) -> ArpView | None:
        return self.layer(ArpView)

    @property
    def payload(self) -> bytes:
        """The captured bytes after the last header that is known."""
        data = self.layer(PayloadView)
        return data.header if data else b""

    @property
    def trailer(self) -> bytes:
        """The captured bytes that no layer takes: Ethernet's padding after a short packet, or
        what a datagram's length leaves over."""
        last = self.layers[-1] if self.layers else None
        return self.data[last.offset + len(last.header) :] if last else b""

    @property
    def quoted(self) -> "Packet | None":
        """Of an ICMP error: the packet that it is about, as far as it is quoted."""
        data = self.icmp.quoted_bytes if self.icmp else b""
        if not data:
            return None
        return _dissect_quote(data, IPV6 if isinstance(self.icmp, Icmp6View) else IPV4)

    def problems(self) -> tuple[str, ...]:
        """The layers' problems, each once."""
        if _first(self.data, self.link_type) is None:
            return ("unknown-link-type",)
        found = [code for view in self.layers for code in view.problems()]
        headers = [view for view in self.layers if not isinstance(view, PayloadView)]
        if len(headers) == DEEPEST and _next(headers[-1]):
            found.append("too-deep")
        return tuple(dict.fromkeys(found))


def dissect(data: bytes, link_type: int = ETHERNET, original_length: int | None = None) -> Packet:
    """Take a frame apart. `link_type` is a LINKTYPE_ number of the capture formats;
    `original_length` is how long the frame was on the wire, None: as long as `data`."""
    original = max(len(data), original_length or 0)
    return Packet(data, link_type, original, tuple(_layers(data, link_type, original)))


def _layers(data: bytes, link_type: int, original: int) -> list[View]:
    layers: list[View] = []
    kind = _first(data, link_type)
    at, length, envelope = 0, original, None
    while kind is not None and len(layers) < DEEPEST:
        view = kind(data, at, length, envelope)
        layers.append(view)
        at, length = at + view.header_length, view.payload_length
        envelope = view.inner_envelope()
        kind = _next(view)
    if layers and layers[-1].payload:
        layers.append(PayloadView(data, at, length))
    return layers


def _first(data: bytes, link_type: int) -> type[View] | None:
    if link_type in (PPP, PPP_HDLC) and is_cisco(data):
        return CiscoHdlcView
    if link_type in RAW_ALIKE:
        return Ipv6View if data[:1] and data[0] >> 4 == 6 else Ipv4View
    return LINKS.get(link_type)


def _next(view: View) -> type[View] | None:
    if view.inner is None:
        return None
    registry, number = view.inner
    kind = INNER[registry].get(number)
    envelope = view.inner_envelope()
    cut_up = envelope is not None and not envelope.complete
    return None if cut_up and _nests(view, kind) else kind


def _nests(view: View, kind: type[View] | None) -> bool:
    """Whether a header of that kind behind `view` begins a packet within its packet."""
    in_ip = view.inner is not None and view.inner[0] in ("ipv4", "ipv6")
    return in_ip and kind in (Ipv4View, Ipv6View, GreView)


def _dissect_quote(data: bytes, link_type: int) -> Packet:
    """An IP packet of which only the beginning is there, as long as its header says."""
    view = Ipv6View(data) if link_type == IPV6 else Ipv4View(data)
    return dissect(data, link_type, view.extent)
