"""A scan as a Timeline: the frames of the probed ports, and each verdict as a note."""

import os
import time
from collections.abc import Iterable, Mapping

from fourtuple import __version__
from fourtuple.errors import N_
from fourtuple.event.frames import FrameTableBuilder, Vantage
from fourtuple.event.model import Note
from fourtuple.event.timeline import Timeline
from fourtuple.scan.model import PortResult
from fourtuple.system.sniffer import Sniffed
from fourtuple.wire import dissect, ip_bytes

__all__ = ["timeline_of"]

_NUMBERS = {"tcp": 6, "udp": 17}


def timeline_of(
    frames: Iterable[Sniffed],
    results: Iterable[PortResult],
    ports: Mapping[str, Iterable[int]],
    dropped: int = 0,
) -> Timeline:
    """What was sent to and came from the addresses, at the ports of each ("tcp" or "udp" -> port),
    ICMP included; verdicts as notes at its end. `dropped` frames were lost to the recording."""
    kept_results = tuple(results)
    addresses = {result.address.partition("%")[0] for result in kept_results}
    chosen = _Chosen(addresses, ports)
    builder = FrameTableBuilder()
    vantages: dict[tuple[str, int], int] = {}
    last_ns = 0
    for frame in sorted(frames, key=lambda one: one.t_ns):
        if chosen.has(frame):
            place = vantages.setdefault((frame.interface, frame.link_type), len(vantages))
            builder.add(frame.data, frame.t_ns, vantage=place)
            last_ns = frame.t_ns
    end_ns = last_ns + 1 or time.time_ns()
    notes = [_note(result, end_ns) for result in kept_results]
    if dropped:
        message = N_("{count} frames were lost to the recording: there were too many at once")
        notes.append(Note(t_ns=end_ns, kind="degraded", message=message, params={"count": dropped}))
    seen = tuple(Vantage(name, link_type) for name, link_type in vantages)
    meta = {"kernel": os.uname().release, "version": __version__, "scan": True}
    return Timeline(seen or (Vantage("scan"),), builder.table(), tuple(notes), meta)


def _note(result: PortResult, t_ns: int) -> Note:
    params = {
        "method": result.method, "port": f"{result.port}/{result.protocol}",
        "address": result.address, "state": result.state, "reason": result.reason,
    }  # fmt: skip
    message = N_("{method} scan: port {port} of {address} is {state} ({reason})")
    return Note(t_ns=t_ns, kind="text", message=message, params=params)


class _Chosen:
    """Which frames belong to the scan: those of the addresses at the ports, by protocol."""

    def __init__(self, addresses: Iterable[str], ports: Mapping[str, Iterable[int]]) -> None:
        self._addresses = frozenset(addresses)
        self._packed = frozenset(ip_bytes(address) for address in self._addresses)
        self._ports = {_NUMBERS[name]: frozenset(chosen) for name, chosen in ports.items()}

    def has(self, frame: Sniffed) -> bool:
        """Nearly every frame is a plain one, which needs no dissection: that takes 50 times as
        long."""
        data = frame.data
        if frame.link_type == 1 and len(data) >= 58:
            if data[12:15] == b"\x08\x00\x45" and data[23] in (6, 17) and not data[20] & 0x1F:
                if data[21] == 0:
                    return self._plain(data[23], data[26:30], data[30:34], data[34:38])
            elif data[12:14] == b"\x86\xdd" and data[20] in (6, 17):
                return self._plain(data[20], data[22:38], data[38:54], data[54:58])
        return self._any(frame)

    def _plain(self, protocol: int, source: bytes, destination: bytes, ports: bytes) -> bool:
        if source not in self._packed and destination not in self._packed:
            return False
        chosen = self._ports.get(protocol, frozenset())
        return bool({int.from_bytes(ports[:2]), int.from_bytes(ports[2:])} & chosen)

    def _any(self, frame: Sniffed) -> bool:
        packet = dissect(frame.data, frame.link_type)
        packet = packet.quoted or packet  # an ICMP error concerns what it quotes
        view = packet.tcp or packet.udp
        if packet.ip is None or view is None:
            return False
        ends = {packet.ip.source, packet.ip.destination}
        chosen = self._ports.get(6 if packet.tcp is not None else 17, frozenset())
        return bool(ends & self._addresses and {view.source_port, view.destination_port} & chosen)
