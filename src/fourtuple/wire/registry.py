"""Names that IANA and IEEE registries give to numbers, as far as a header view shows them.

Data only. These names are terms, not sentences: they are not translated.
"""

__all__ = ["ETHERTYPES", "HARDWARE", "PROTOCOLS"]

ETHERTYPES = {
    0x0800: "IPv4",
    0x0806: "ARP",
    0x8035: "RARP",
    0x8100: "802.1Q",
    0x86DD: "IPv6",
    0x8847: "MPLS",
    0x8863: "PPPoE discovery",
    0x8864: "PPPoE session",
    0x888E: "802.1X",
    0x88A8: "802.1ad",
    0x88CC: "LLDP",
}

PROTOCOLS = {
    0: "hop-by-hop options",
    1: "ICMP",
    2: "IGMP",
    4: "IPv4",
    6: "TCP",
    17: "UDP",
    33: "DCCP",
    41: "IPv6",
    43: "routing",
    44: "fragment",
    47: "GRE",
    50: "ESP",
    51: "AH",
    58: "ICMPv6",
    59: "no next header",
    60: "destination options",
    89: "OSPF",
    103: "PIM",
    112: "VRRP",
    132: "SCTP",
    135: "mobility",
    136: "UDP-Lite",
}

HARDWARE = {1: "Ethernet", 772: "loopback", 65534: "none"}
