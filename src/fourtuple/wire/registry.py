"""Names that IANA and IEEE registries give to numbers, as far as a header view shows them.

Data only. These names are terms, not sentences: they are not translated.
"""

__all__ = ["ETHERTYPES", "HARDWARE", "PPP_PROTOCOLS", "PROTOCOLS"]

ETHERTYPES = {
    0x0800: "IPv4",
    0x0806: "ARP",
    0x6558: "Ethernet",
    0x8035: "RARP",
    0x8100: "802.1Q",
    0x86DD: "IPv6",
    0x8847: "MPLS",
    0x8863: "PPPoE discovery",
    0x8864: "PPPoE session",
    0x888E: "802.1X",
    0x88A8: "802.1ad",
    0x88CC: "LLDP",
    0x9100: "802.1Q, older",
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

PPP_PROTOCOLS = {
    0x0021: "IPv4",
    0x0057: "IPv6",
    0x8021: "IPCP",
    0x8057: "IPv6CP",
    0xC021: "LCP",
    0xC023: "PAP",
    0xC223: "CHAP",
}

HARDWARE = {1: "Ethernet", 772: "loopback", 65534: "none"}
