"""`fourtuple read` for people, of a capture that was read whole."""

from typing import TYPE_CHECKING

from fourtuple.reading.whole import Whole
from fourtuple.render.terminal import Terminal

if TYPE_CHECKING:
    from fourtuple.cli.asked import Asked

__all__ = ["told"]


def told(reading: Whole, asked: "Asked", terminal: Terminal) -> str:
    """The report, the list of frames, or one frame."""
    timeline, translator = reading.timeline, reading.translator
    if asked.frame is not None:
        from fourtuple.render.header import frame_report

        return frame_report(timeline, reading.every, asked.frame, translator, terminal)
    if asked.frames:
        from fourtuple.render.framelist import frame_list

        numbers = {item["frame"] for _, item in reading.packets()}
        return frame_list(
            timeline, reading.every, translator, terminal, numbers=numbers, raw=asked.raw
        )
    from fourtuple.render.summary import report

    return report(
        timeline,
        translator,
        terminal,
        connections=reading.connections,
        every=len(reading) if asked.chooses else None,
        raw=asked.raw,
    )
