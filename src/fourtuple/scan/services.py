"""Names of services: the machine's own list (/etc/services), over a short one that is always there.

A name says what a port is usually for, never what answers at it.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

__all__ = ["service_name", "services"]

_FILE = Path("/etc/services")
_COMMON = {
    "tcp": {
        "ftp": 21, "ssh": 22, "telnet": 23, "smtp": 25, "domain": 53, "http": 80, "pop3": 110,
        "sunrpc": 111, "ident": 113, "nntp": 119, "netbios-ssn": 139, "imap": 143, "bgp": 179,
        "ldap": 389, "https": 443, "microsoft-ds": 445, "submission": 587, "ipp": 631,
        "ldaps": 636, "rsync": 873, "imaps": 993, "pop3s": 995, "socks": 1080, "ms-sql-s": 1433,
        "nfs": 2049, "mysql": 3306, "ms-wbt-server": 3389, "postgresql": 5432, "vnc": 5900,
        "redis": 6379, "http-proxy": 8080, "https-alt": 8443, "mongodb": 27017,
    },
    "udp": {
        "domain": 53, "bootps": 67, "bootpc": 68, "tftp": 69, "sunrpc": 111, "ntp": 123,
        "netbios-ns": 137, "snmp": 161, "snmptrap": 162, "ldap": 389, "isakmp": 500,
        "syslog": 514, "nfs": 2049, "ssdp": 1900, "sip": 5060, "mdns": 5353,
    },
}  # fmt: skip


@cache
def services(protocol: str) -> Mapping[str, int]:
    """name -> port of "tcp" or "udp"; aliases too."""
    found = dict(_COMMON[protocol])
    try:
        text = _FILE.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return found
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        port, _, kind = words[1].partition("/") if len(words) > 1 else ("", "", "")
        if kind == protocol and port.isascii() and port.isdecimal():
            found |= {name: int(port) for name in (words[0], *words[2:])}
    return found


@cache
def _names(protocol: str) -> Mapping[int, str]:
    names: dict[int, str] = {}
    for name, port in services(protocol).items():
        names.setdefault(port, name)
    return names


def service_name(port: int, protocol: str) -> str:
    """What a port is usually for; "" where no list says so."""
    return _names(protocol).get(port, "")
