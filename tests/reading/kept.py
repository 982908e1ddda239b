"""Timelines kept as capture files, and such a file read both ways."""

from pathlib import Path

from fourtuple.event.timeline import Timeline
from fourtuple.explain.text import Translator
from fourtuple.reading import Large, Whole
from fourtuple.source.blocks import Capture
from octets import PCAP_NANO, pcap, pcap_record

__all__ = ["both", "kept"]


def kept(timeline: Timeline, path: Path) -> Path:
    """The timeline's frames as a capture of another tool, to the nanosecond."""
    times = (timeline.frames.t_ns + timeline.epoch_ns).tolist()
    frames = zip(timeline.frames, times, timeline.frames.original.tolist(), strict=True)
    records = [
        pcap_record(data, t_ns // 10**9, t_ns % 10**9, original=size) for data, t_ns, size in frames
    ]
    path.write_bytes(pcap(magic=PCAP_NANO) + b"".join(records))
    return path


def both(*paths: Path) -> tuple[Whole, Large]:
    """The same capture read whole and surveyed."""
    files, translator = [*map(str, paths)], Translator()
    return (
        Whole.of(Capture.of([*files]), translator, files),
        Large.of(Capture.of([*files]), translator, files),
    )
