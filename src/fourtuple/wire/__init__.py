"""Bytes <-> headers. No I/O, no clock, no numpy (`wire.columns`, for many frames, has it).

Each protocol has a view, which reads bytes that may be anything and never raises, and a value,
which can only be legal. `dissect` turns a frame into views, `frame` values into a frame:

    packet = dissect(data)
    packet.tcp.sequence, packet.tcp.fields(), packet.problems()
    frame(Ethernet(), Ipv4("10.0.0.1", "10.0.0.2"), Tcp(40000, 80, flags=SYN))
"""

from typing import TYPE_CHECKING

from fourtuple.lazy import export

if TYPE_CHECKING:
    from fourtuple.wire.address import (
        ip_bytes,
        ip_text,
        ipv4_bytes,
        ipv4_text,
        ipv6_bytes,
        ipv6_text,
        mac_bytes,
        mac_text,
    )
    from fourtuple.wire.arp import Arp, ArpView
    from fourtuple.wire.checksum import checksum, pseudo_header
    from fourtuple.wire.dissect import Packet, dissect
    from fourtuple.wire.ethernet import Ethernet, EthernetView, Vlan, VlanView
    from fourtuple.wire.field import Field, FieldValue
    from fourtuple.wire.gre import Gre, GreView
    from fourtuple.wire.icmp import Icmp, IcmpView
    from fourtuple.wire.icmp6 import Icmp6, Icmp6View
    from fourtuple.wire.ipv4 import Ipv4, Ipv4View
    from fourtuple.wire.ipv6 import Ipv6, Ipv6View
    from fourtuple.wire.ipv6_extensions import (
        AuthenticationView,
        DestinationOptionsView,
        ExtensionView,
        HopByHopView,
        Ipv6Fragment,
        Ipv6FragmentView,
        RoutingView,
    )
    from fourtuple.wire.labels import labels
    from fourtuple.wire.loopback import LoopView, NullView, Sll2View, SllView
    from fourtuple.wire.ppp import CiscoHdlc, CiscoHdlcView, Ppp, PppView
    from fourtuple.wire.tcp import (
        ACK,
        AE,
        CWR,
        ECE,
        FIN,
        PSH,
        RST,
        SYN,
        URG,
        Tcp,
        TcpView,
        flag_names,
    )
    from fourtuple.wire.tcp_options import (
        FastOpen,
        MaximumSegmentSize,
        NoOperation,
        Sack,
        SackPermitted,
        TcpOption,
        Timestamps,
        UnknownOption,
        WindowScale,
    )
    from fourtuple.wire.udp import Udp, UdpView
    from fourtuple.wire.value import IpValue, Value, frame
    from fourtuple.wire.view import Envelope, PayloadView, View
    from fourtuple.wire.vxlan import VXLAN_PORT, Vxlan, VxlanView

__all__ = [
    "ACK",
    "AE",
    "CWR",
    "ECE",
    "FIN",
    "PSH",
    "RST",
    "SYN",
    "URG",
    "VXLAN_PORT",
    "Arp",
    "ArpView",
    "AuthenticationView",
    "CiscoHdlc",
    "CiscoHdlcView",
    "DestinationOptionsView",
    "Envelope",
    "Ethernet",
    "EthernetView",
    "ExtensionView",
    "FastOpen",
    "Field",
    "FieldValue",
    "Gre",
    "GreView",
    "HopByHopView",
    "Icmp",
    "Icmp6",
    "Icmp6View",
    "IcmpView",
    "IpValue",
    "Ipv4",
    "Ipv4View",
    "Ipv6",
    "Ipv6Fragment",
    "Ipv6FragmentView",
    "Ipv6View",
    "LoopView",
    "MaximumSegmentSize",
    "NoOperation",
    "NullView",
    "Packet",
    "PayloadView",
    "Ppp",
    "PppView",
    "RoutingView",
    "Sack",
    "SackPermitted",
    "Sll2View",
    "SllView",
    "Tcp",
    "TcpOption",
    "TcpView",
    "Timestamps",
    "Udp",
    "UdpView",
    "UnknownOption",
    "Value",
    "View",
    "Vlan",
    "VlanView",
    "Vxlan",
    "VxlanView",
    "WindowScale",
    "checksum",
    "dissect",
    "flag_names",
    "frame",
    "ip_bytes",
    "ip_text",
    "ipv4_bytes",
    "ipv4_text",
    "ipv6_bytes",
    "ipv6_text",
    "labels",
    "mac_bytes",
    "mac_text",
    "pseudo_header",
]

export(
    __name__,
    address="ip_bytes ip_text ipv4_bytes ipv4_text ipv6_bytes ipv6_text mac_bytes mac_text",
    arp="Arp ArpView",
    checksum="checksum pseudo_header",
    dissect="Packet dissect",
    ethernet="Ethernet EthernetView Vlan VlanView",
    field="Field FieldValue",
    gre="Gre GreView",
    icmp="Icmp IcmpView",
    icmp6="Icmp6 Icmp6View",
    ipv4="Ipv4 Ipv4View",
    ipv6="Ipv6 Ipv6View",
    ipv6_extensions=(
        "AuthenticationView DestinationOptionsView ExtensionView HopByHopView Ipv6Fragment "
        "Ipv6FragmentView RoutingView"
    ),
    labels="labels",
    loopback="LoopView NullView Sll2View SllView",
    ppp="CiscoHdlc CiscoHdlcView Ppp PppView",
    tcp="ACK AE CWR ECE FIN PSH RST SYN URG Tcp TcpView flag_names",
    tcp_options=(
        "FastOpen MaximumSegmentSize NoOperation Sack SackPermitted TcpOption Timestamps "
        "UnknownOption WindowScale"
    ),
    udp="Udp UdpView",
    value="IpValue Value frame",
    view="Envelope PayloadView View",
    vxlan="VXLAN_PORT Vxlan VxlanView",
)
