"""Where events come from. `read` makes the Timeline of a capture; `Capture` gives the frames of
one that may be larger than memory in blocks, and `Collected` keeps those that are chosen."""

from typing import TYPE_CHECKING

from fourtuple.lazy import export

if TYPE_CHECKING:
    from fourtuple.source.blocks import Capture, FrameBlock
    from fourtuple.source.capture import read
    from fourtuple.source.collect import Collected

__all__ = ["Capture", "Collected", "FrameBlock", "read"]

export(
    __name__,
    blocks="Capture FrameBlock",
    capture="read",
    collect="Collected",
)
