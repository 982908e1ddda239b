"""What greets who connects: the first bytes of an open port, unasked or after a plain request."""

import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

__all__ = ["banners"]

_AT_ONCE = 32
_MOST_BYTES = 256
#: HTTP answers it, and many a line protocol complains, which is a greeting too
_REQUEST = b"HEAD / HTTP/1.0\r\n\r\n"


def banners(probes: Iterable[tuple[str, int]], wait_s: float = 1.0) -> dict[tuple[str, int], str]:
    """(address, port) -> the first line that came; ports that stay silent are left out."""
    asked = list(probes)
    if not asked:
        return {}
    with ThreadPoolExecutor(min(_AT_ONCE, len(asked))) as pool:
        found = zip(asked, pool.map(lambda probe: _greet(probe, wait_s), asked), strict=True)
        return {probe: text for probe, text in found if text}


def _greet(probe: tuple[str, int], wait_s: float) -> str:
    try:
        with socket.create_connection(probe, wait_s) as sock:
            try:
                data = sock.recv(_MOST_BYTES)
            except TimeoutError:
                sock.sendall(_REQUEST)
                data = sock.recv(_MOST_BYTES)
    except OSError:
        return ""
    return data.decode("utf-8", "replace").strip().partition("\n")[0].strip()
