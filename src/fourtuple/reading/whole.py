"""A capture of which every frame is in memory: recordings, and captures of few frames."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from fourtuple.analyze import connections
from fourtuple.analyze.choice import Choice
from fourtuple.analyze.model import Connection
from fourtuple.errors import CaptureDamaged
from fourtuple.event.model import Endpoint, Verdict
from fourtuple.event.timeline import Timeline
from fourtuple.explain.catalog import findings
from fourtuple.explain.model import Finding
from fourtuple.explain.text import Translator
from fourtuple.source.blocks import Capture
from fourtuple.source.capture import whole

__all__ = ["Whole"]

Object = dict[str, Any]


@dataclass
class Whole:
    """What `reading.Large` is for captures of many frames; `choice` tells what is asked for."""

    timeline: Timeline
    damage: CaptureDamaged | None
    translator: Translator
    files: Sequence[str]
    choice: Choice = field(default_factory=Choice)
    surveyed: Literal[False] = False

    def choosing(self, choice: Choice) -> "Whole":
        """The same capture, of which something else is asked for."""
        found = Whole(self.timeline, self.damage, self.translator, self.files, choice)
        found.every = self.every
        return found

    @classmethod
    def of(cls, capture: Capture, translator: Translator, files: Sequence[str]) -> "Whole":
        """Read a capture that is open."""
        try:
            return cls(whole(capture), None, translator, files)
        except CaptureDamaged as error:
            if error.timeline is None:
                raise
            return cls(error.timeline, error, translator, files)

    @cached_property
    def every(self) -> tuple[Connection, ...]:
        """All connections, asked for or not."""
        return connections(self.timeline)

    def __len__(self) -> int:
        return len(self.every)

    @property
    def frames(self) -> int:
        return len(self.timeline.frames)

    @property
    def begin_ns(self) -> int | None:
        """When the first frame was seen, nanoseconds since 1970; None where there is none."""
        seen = self.timeline.frames.t_ns
        return int(seen[0]) + self.timeline.epoch_ns if len(seen) else None

    @property
    def connections(self) -> list[Connection]:
        """Those that are asked for."""
        return [one for one in self.every if self.choice.takes(one, self.timeline.epoch_ns)]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is said of them."""
        return findings(self.timeline, self.connections)

    def with_findings(self, codes: Sequence[str]) -> set[int]:
        """The indices of those of which one of these findings is said."""
        return {finding.connection for finding in self.findings if finding.code in codes}

    def lines(self) -> Iterator[bytes]:
        """The contract's connection objects, as JSON Lines."""
        from fourtuple.render.jsonout import connection_objects, json_lines

        yield json_lines(
            connection_objects(
                self.timeline, self.connections, self.findings, self.translator, self.files
            )
        )

    def frame_lines(self, frame: int | None = None) -> Iterator[bytes]:
        """The contract's frame objects: of the connections asked for, or one frame."""
        from fourtuple.render.jsonout import json_lines

        yield json_lines(item for _, item in self.packets() if frame in (None, item["frame"]))

    def packets(self) -> Iterator[tuple[int, Object]]:
        """When each frame was seen, nanoseconds since 1970, and the contract's object of it."""
        from fourtuple.render.jsonout import frame_objects

        chosen = {connection.index for connection in self.connections}
        times = (self.timeline.frames.t_ns + self.timeline.epoch_ns).tolist()
        objects = frame_objects(self.timeline, self.every)
        for t_ns, item in zip(times, objects, strict=True):
            loose = item["connection"] is None and not self.choice.names_connections
            if (item["connection"] in chosen or loose) and self.choice.covers(t_ns):
                yield t_ns, item

    def ends(self, index: int) -> tuple[Endpoint, Endpoint]:
        """Client and server of a connection."""
        return self.every[index].client, self.every[index].server

    def detail(self, index: int) -> tuple[Timeline, Connection, bool]:
        """One connection with its segments, the timeline that it is in, and whether all of its
        segments are there. IndexError where there is no connection of that index."""
        return self.timeline, self.every[index], True

    def verdict(self, frame: int) -> str:
        """What became of a frame on the wire."""
        frames = self.timeline.frames
        return Verdict.NAMES[int(frames.verdict[frames.row(frame)])]
