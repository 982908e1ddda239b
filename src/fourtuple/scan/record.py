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
from fourtuple.wire import dissect

__all__ = ["timeline_of"]


def timeline_of(
    frames: Iterable[Sniffed],
    results: Iterable[PortResult],
    ports: Mapping[str, Iterable[int]],
    dropped: int = 0,
) -> Timeline:
    """What was sent to and came from the addresses, at the ports of each ("tcp" or "udp" -> port),
    ICMP included; verdicts as notes at its end. `dropped` frames were lost to the recording."""
    wanted = {protocol: frozenset(chosen) for protocol, chosen in ports.items()}
    kept_results = tuple(results)
    addresses = frozenset(result.address.partition("%")[0] for result in kept_results)
    builder = FrameTableBuilder()
    vantages: dict[tuple[str, int], int] = {}
    last_ns = 0
    for frame in sorted(frames, key=lambda one: one.t_ns):
        if _concerns(frame, addresses, wanted):
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


def _concerns(
    frame: Sniffed, addresses: frozenset[str], wanted: Mapping[str, frozenset[int]]
) -> bool:
    packet = dissect(frame.data, frame.link_type)
    packet = packet.quoted or packet  # an ICMP error concerns what it quotes
    if packet.ip is None or not {packet.ip.source, packet.ip.destination} & addresses:
        return False
    for protocol, view in (("tcp", packet.tcp), ("udp", packet.udp)):
        if view is not None:
            chosen = wanted.get(protocol, frozenset())
            return view.source_port in chosen or view.destination_port in chosen
    return False
