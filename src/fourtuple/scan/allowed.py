"""Whom one may scan without saying more: oneself, private networks (the lab's hosts are there).

Anything else is somebody's machine on the Internet, or whoever answers on this link (link-local
addresses; in a cloud that is the provider): `--authorized` says that its owner agreed.
"""

import ipaddress
from collections.abc import Iterable

from fourtuple.errors import N_

__all__ = ["WHY_AUTHORIZED", "is_allowed", "not_allowed"]

_ALLOWED = tuple(
    ipaddress.ip_network(text)
    for text in (
        "127.0.0.0/8",  # RFC 1122, section 3.2.1.3
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",  # RFC 1918
        "::1/128",  # RFC 4291, section 2.5.3
        "fc00::/7",  # RFC 4193; the lab's fd77::/64 is of them
    )
)  # fmt: skip

WHY_AUTHORIZED = N_(
    "{address} is neither loopback nor private: its owner must have agreed to the scan, which in "
    "many countries is an offence otherwise; say so with --authorized."
)


def is_allowed(address: str) -> bool:
    """Whether an address may be scanned without `--authorized`."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    parsed = getattr(parsed, "ipv4_mapped", None) or parsed
    return any(parsed in network for network in _ALLOWED if network.version == parsed.version)


def not_allowed(addresses: Iterable[str]) -> str:
    """The first address that needs `--authorized`; "" where none does."""
    return next((address for address in addresses if not is_allowed(address)), "")
