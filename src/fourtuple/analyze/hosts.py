"""Which host of a lab run an address belongs to, as the recording says of itself."""

from collections.abc import Mapping

from fourtuple.event.model import Endpoint
from fourtuple.event.timeline import Timeline

__all__ = ["host_of", "plain"]

_MAPPED = "::ffff:"


def host_of(timeline: Timeline, address: str) -> str | None:
    """The name of the host with this address; None where the recording names none."""
    if "hosts" not in timeline.memo:
        timeline.memo["hosts"] = _by_address(timeline.meta.get("hosts"))
    found: dict[str, str] = timeline.memo["hosts"]
    return found.get(_plain_address(address))


def _by_address(hosts: object) -> dict[str, str]:
    """The first host that claims an address has it."""
    found: dict[str, str] = {}
    for name, addresses in hosts.items() if isinstance(hosts, Mapping) else ():
        for address in addresses if isinstance(addresses, (list, tuple)) else ():
            if isinstance(address, str):
                found.setdefault(address, str(name))
    return found


def _plain_address(address: str) -> str:
    """An IPv4 address mapped into IPv6 (a dual-stack socket's) as the IPv4 address it is."""
    return address[len(_MAPPED) :] if address.startswith(_MAPPED) and "." in address else address


def plain(endpoint: Endpoint) -> Endpoint:
    """The endpoint with its address as frames show it."""
    if not endpoint.address.startswith(_MAPPED):
        return endpoint
    return Endpoint(_plain_address(endpoint.address), endpoint.port)
