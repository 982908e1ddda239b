"""What is sent to UDP ports of well-known services: the smallest request that they answer.

An empty datagram draws an answer from few servers, and an open port then looks filtered.
"""

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["PAYLOADS"]

#: RFC 1035: a query, id 0x4654, recursion desired, for the servers of the root
_DNS = bytes.fromhex("465401000001000000000000 00 0002 0001")
#: RFC 6762: which services are there? with a unicast answer wanted
_MDNS = (
    bytes.fromhex("000000000001000000000000")
    + b"\x09_services\x07_dns-sd\x04_udp\x05local\x00"
    + bytes.fromhex("000c8001")
)
#: RFC 5905: version 4, mode 3 (client)
_NTP = b"\x23" + bytes(47)
#: RFC 5531: call of portmapper (100000) version 2, procedure 0
_RPC = bytes.fromhex("46545550 00000000 00000002 000186a0 00000002 00000000") + bytes(16)
#: RFC 1002: node status request for the name *
_NETBIOS = bytes.fromhex("465400000001000000000000 20") + b"CK" + b"A" * 30 + b"\0\0\x21\0\x01"
#: RFC 1901, RFC 3416: get sysDescr.0, community public
_SNMP = bytes.fromhex(
    "3027 020101 0406 7075626c6963a01a 02020001 020100 020100 300e 300c 0608 2b06010201010100 0500"
)
#: RFC 1350: read request for a file that is hardly there; its error is the answer
_TFTP = b"\0\x01fourtuple\0octet\0"
#: UPnP device architecture 1.1, section 1.3.2
_SSDP = (
    b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n"
    b'MAN: "ssdp:discover"\r\nMX: 1\r\nST: ssdp:all\r\n\r\n'
)
#: RFC 3261
_SIP = (
    b"OPTIONS sip:fourtuple SIP/2.0\r\nVia: SIP/2.0/UDP fourtuple;branch=z9hG4bK4;rport\r\n"
    b"From: <sip:scan@fourtuple>;tag=4\r\nTo: <sip:scan@fourtuple>\r\nCall-ID: 4\r\n"
    b"CSeq: 1 OPTIONS\r\nMax-Forwards: 0\r\nContent-Length: 0\r\n\r\n"
)
#: RFC 8489: binding request
_STUN = bytes.fromhex("00010000 2112a442") + b"fourtuple4tu"
#: memcached's protocol.txt: UDP frame header, then a command
_MEMCACHED = bytes.fromhex("0000000000010000") + b"version\r\n"
#: RFC 7252: an empty confirmable message, answered by a reset
_COAP = bytes.fromhex("40004654")
#: RFC 862, 864, 867, 868: anything
_ANYTHING = b"fourtuple\r\n"

PAYLOADS: Mapping[int, bytes] = MappingProxyType(
    {
        7: _ANYTHING,
        13: _ANYTHING,
        19: _ANYTHING,
        37: _ANYTHING,
        53: _DNS,
        69: _TFTP,
        111: _RPC,
        123: _NTP,
        137: _NETBIOS,
        161: _SNMP,
        1900: _SSDP,
        3478: _STUN,
        5060: _SIP,
        5353: _MDNS,
        5683: _COAP,
        11211: _MEMCACHED,
    }
)
