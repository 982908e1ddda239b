"""Which host of a lab run an address belongs to, as the recording says of itself."""

from collections.abc import Mapping

from fourtuple.event.model import Endpoint
from fourtuple.event.timeline import Timeline

__all__ = ["host_of", "plain"]

_MAPPED = "::ffff:"


def host_of(timeline: Timeline, address: str) -> str | None:
    """The name of the host with this address; None where the recording names none."""
    hosts = timeline.meta.get("hosts")
    if not isinstance(hosts, Mapping):
        return None
    for name, addresses in hosts.items():
        if isinstance(addresses, (list, tuple)) and _plain_address(address) in addresses:
            return str(name)
    return None


def _plain_address(address: str) -> str:
    """An IPv4 address mapped into IPv6 (a dual-stack socket's) as the IPv4 address it is."""
    return address[len(_MAPPED) :] if address.startswith(_MAPPED) and "." in address else address


def plain(endpoint: Endpoint) -> Endpoint:
    """The endpoint with its address as frames show it."""
    return Endpoint(_plain_address(endpoint.address), endpoint.port)
