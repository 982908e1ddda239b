"""Which way a capture is read: a recording and a few frames whole, any other is surveyed."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from fourtuple.explain.text import Translator
from fourtuple.reading.whole import Whole
from fourtuple.source.blocks import Capture

if TYPE_CHECKING:
    from fourtuple.reading.large import Large

__all__ = ["opened"]

Announce = Callable[[str, Mapping[str, object]], None]

#: up to so many frames are read whole: loading what is compiled would take longer
_FEW_FRAMES = 20_000
#: a file with more bytes than this is not counted first
_SURELY_LARGE = 64 * 1024 * 1024


def opened(
    capture: Capture,
    translator: Translator,
    files: Sequence[str],
    announce: Announce | None = None,
) -> "Whole | Large":
    """Read a capture, or survey it; `files` are the names that the user gave. CaptureUnknown and
    InputError as with `Capture.blocks`; of a damaged file what could be read."""
    if not capture.is_recording() and capture.exceeds(_FEW_FRAMES, _SURELY_LARGE):
        from fourtuple.reading.large import Large

        return Large.of(capture, translator, files, announce)
    return Whole.of(capture, translator, files)
