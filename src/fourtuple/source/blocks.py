"""Captures of any size, block by block: the frames that fit into a buffer which is used again.

`Capture` is one file or several, as paths or streams; `blocks` goes through it, as often as one
likes. Several files are one capture in order of time (`source.merge`). The bytes may be hostile:
what comes before a damage is given out, then CaptureDamaged is raised once.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Self

from fourtuple.event.blocks import BlockWalk
from fourtuple.event.frames import Vantage
from fourtuple.event.walk import PLAIN, Kernels
from fourtuple.source.merge import merged
from fourtuple.source.opening import Source, source_of
from fourtuple.source.passes import FrameBlock, Pass, damaged, glance

__all__ = ["Capture", "FrameBlock", "Input", "Progress"]

Input = str | os.PathLike[str] | BinaryIO
#: told how many bytes have been read, and how many there are: 0 where that is not known
Progress = Callable[[int, int], None]


@dataclass(slots=True)
class Capture:
    """One or more capture files, to be gone through frame by frame.

    `vantages` has an entry an interface of which frames have been given out. `kernels` are the
    walks of `event._kernels`, compiled where that is worth it. `progress` is told of every pass.
    """

    sources: Sequence[Source]
    progress: Progress | None = None
    kernels: Kernels = field(default_factory=lambda: PLAIN, repr=False)
    vantages: list[Vantage] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        files: Input | list[Input] | tuple[Input, ...],
        progress: Progress | None = None,
        kernels: Kernels = PLAIN,
    ) -> Self:
        """A capture of one path, "-" or stream, or of several of them."""
        several = files if isinstance(files, (list, tuple)) else (files,)
        return cls([source_of(each) for each in several], progress, kernels)

    @property
    def files(self) -> tuple[str, ...]:
        """What messages call the files, in the order in which they were given."""
        return tuple(source.name for source in self.sources)

    def is_recording(self) -> bool:
        """Whether fourtuple wrote what is read, one file: `source.read` then knows more of it."""
        if len(self.sources) != 1:
            return False
        _, walk = glance(Pass(self.sources[0], self.kernels, lambda *_: None))
        return isinstance(walk, BlockWalk) and walk.ours

    def exceeds(self, frames: int, octets: int) -> bool:
        """Whether it holds more frames or more bytes than that, once decompressed. No more of it
        is read than that takes. CaptureUnknown and InputError as with `blocks`."""
        for source in self.sources:
            if source.size > octets:
                return True
            one = Pass(source, self.kernels, lambda *_: None, most=max(1, octets))
            for block in one:
                if one.count + len(block) > frames:
                    return True
            if one.ended_early:
                return True
            frames, octets = frames - one.count, octets - one.walked
        return False

    def blocks(self) -> Iterator[FrameBlock]:
        """All frames, in blocks; anew with each call.

        CaptureUnknown where a file is no capture, InputError where it cannot be read;
        CaptureDamaged after the last good frame where one of them ends early or is corrupt.
        """
        told = _Told(self).told
        passes = [Pass(source, self.kernels, told) for source in self.sources]
        if len(passes) == 1:
            yield from self._alone(passes[0])
        else:
            yield from merged(passes, self.vantages)
        for one in passes:
            if one.flaw:
                raise damaged(one.flaw, one.source.name, one.count)

    def _alone(self, one: Pass) -> Iterator[FrameBlock]:
        for block in one:
            assert one.walk is not None
            self.vantages[:] = one.walk.vantages
            yield block

    def close(self) -> None:
        """Give up what was kept of pipes."""
        for source in self.sources:
            source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(slots=True)
class _Told:
    """Adds up what the passes over the files of a capture have read."""

    capture: Capture
    read: dict[int, int] = field(default_factory=dict)

    def told(self, one: Pass, taken: int) -> None:
        if self.capture.progress:
            self.read[id(one)] = taken
            sizes = [source.size for source in self.capture.sources]
            whole = sum(sizes) if all(sizes) else 0
            self.capture.progress(sum(self.read.values()), whole)
