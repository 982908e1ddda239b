"""Several capture files as one, in order of time.

The frames of a file keep their order, whatever their times: a frame counts as seen no earlier than
the one before it. A file is opened when its first frame is due, so that thousands may follow each
other. An interface of a file that begins after another has ended is the same vantage point as one
of that file with the same description (tcpdump -C and -G cut captures so); of files that overlap
each interface is one of its own.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from fourtuple.event.frames import Vantage
from fourtuple.source.passes import FrameBlock, Pass, glance

__all__ = ["merged"]

Int64s = npt.NDArray[np.int64]
Octets = npt.NDArray[np.uint8]

#: a run of so many frames of one file is given out as it is; shorter ones are copied together
_RUN = 256
_BYTES = 1024 * 1024
_NEVER = 2**63 - 1
_COLUMNS = ("start", "captured", "original", "t_ns", "link_type", "vantage", "file", "place")


class _Feed(msgspec.Struct):
    """A file under way: its present block, of which `at` frames have been given out.

    `due_ns` are the times of the block's frames, each no earlier than the one before it.
    """

    index: int
    one: Pass
    begins_ns: int
    blocks: Iterator[FrameBlock] | None = None
    block: FrameBlock | None = None
    due_ns: Int64s = msgspec.field(default_factory=lambda: np.zeros(0, np.int64))
    at: int = 0
    known: list[int] = msgspec.field(default_factory=list)

    @property
    def key(self) -> tuple[int, int]:
        """When its next frame is due; the file given first goes first."""
        if self.block:
            return int(self.due_ns[min(self.at, len(self.due_ns) - 1)]), self.index
        return self.begins_ns, self.index

    def advance(self) -> bool:
        """Go on to the next block; False where the file has ended."""
        if self.blocks is None:
            self.blocks = iter(self.one)
        latest = int(self.due_ns[-1]) if self.block else -_NEVER
        self.block, self.at = next(self.blocks, None), 0
        if self.block:
            self.due_ns = np.maximum(np.maximum.accumulate(self.block.t_ns), latest)
        return self.block is not None

    @property
    def spent(self) -> bool:
        """Whether all frames of its block have been given out."""
        return self.block is None or self.at == len(self.block)

    def run(self, until: tuple[int, int]) -> int:
        """How many of its frames come before another file's next one."""
        due, index = until
        first = self.index < index
        return int(np.searchsorted(self.due_ns, due, "right" if first else "left")) - self.at


def merged(passes: list[Pass], vantages: list[Vantage]) -> Iterator[FrameBlock]:
    """The frames of all files, numbered anew; `vantages` takes in their interfaces."""
    feeds = [_Feed(index, one, _begins(one)) for index, one in enumerate(passes)]
    waiting = sorted(feeds, key=lambda feed: feed.key, reverse=True)
    points, together = _Points(vantages), _Together()
    active: list[_Feed] = []
    while waiting or active:
        active.sort(key=lambda feed: feed.key)
        if waiting and (not active or waiting[-1].key < active[0].key):
            active.insert(0, waiting.pop())
        feed = active[0]
        if feed.spent:
            # The next block takes this one's memory.
            yield from together.flush()
            if feed.advance():
                points.enter(feed)
            else:
                points.leave(feed)
                active.remove(feed)
            continue
        others = [other.key for other in (*active[1:2], *waiting[-1:])]
        yield from together.take(feed, min(others, default=(_NEVER, len(passes))))
    yield from together.flush()


def _begins(one: Pass) -> int:
    """The time of the file's first frame; the end of time where it has none."""
    first, _ = glance(one)
    return int(first.t_ns[0]) if first else _NEVER


def _part(feed: _Feed, count: int) -> FrameBlock:
    """The next frames of a file, with the capture's vantage points, and whose they are."""
    block, chosen = feed.block, slice(feed.at, feed.at + count)
    assert block is not None
    first = block.first_number + feed.at
    return FrameBlock(
        block.buffer,
        *(block.start[chosen], block.captured[chosen], block.original[chosen]),
        *(block.t_ns[chosen], block.link_type[chosen]),
        np.array(feed.known, np.int64)[block.vantage[chosen]],
        first,
        np.full(count, feed.index, np.int64),
        np.arange(first, first + count),
    )


class _Points(msgspec.Struct):
    """Which vantage point an interface of a file is. `free` are those of files that have ended."""

    vantages: list[Vantage]
    free: dict[Vantage, list[int]] = msgspec.field(default_factory=dict)

    def enter(self, feed: _Feed) -> None:
        """Know the interfaces that the file has described by now."""
        assert feed.one.walk is not None
        for vantage in feed.one.walk.vantages[len(feed.known) :]:
            ended = self.free.get(vantage)
            if ended:
                feed.known.append(ended.pop(0))
            else:
                feed.known.append(len(self.vantages))
                self.vantages.append(vantage)

    def leave(self, feed: _Feed) -> None:
        for point in feed.known:
            self.free.setdefault(self.vantages[point], []).append(point)


class _Together(msgspec.Struct):
    """Gives frames out: long runs as they are, short ones copied behind each other."""

    number: int = 1
    filled: int = 0
    buffer: npt.NDArray[np.uint8] = msgspec.field(
        default_factory=lambda: np.empty(_BYTES, np.uint8)
    )
    parts: list[FrameBlock] = msgspec.field(default_factory=list)

    def take(self, feed: _Feed, until: tuple[int, int]) -> Iterator[FrameBlock]:
        """The frames of a file that come before another file's next one."""
        count = feed.run(until)
        part = _part(feed, count)
        feed.at += count
        size = int(part.start[-1] + part.captured[-1] - part.start[0])
        if count >= _RUN or size > _BYTES:
            yield from self.flush()
            yield self._numbered(part)
            return
        if self.filled + size > _BYTES:
            yield from self.flush()
        self._copy(part, size)

    def _copy(self, part: FrameBlock, size: int) -> None:
        begin = int(part.start[0])
        self.buffer[self.filled : self.filled + size] = part.buffer[begin : begin + size]
        start = part.start - begin + self.filled
        self.parts.append(replace(part, buffer=self.buffer, start=start))
        self.filled += size

    def flush(self) -> Iterator[FrameBlock]:
        """Give out what has been copied."""
        if self.parts:
            columns: dict[str, Any] = {name: self._column(name) for name in _COLUMNS}
            whole = replace(self.parts[0], **columns)
            self.parts, self.filled = [], 0
            yield self._numbered(whole)

    def _column(self, name: str) -> Int64s:
        return np.concatenate([getattr(part, name) for part in self.parts])

    def _numbered(self, block: FrameBlock) -> FrameBlock:
        numbered = replace(block, first_number=self.number)
        self.number += len(block)
        return numbered
