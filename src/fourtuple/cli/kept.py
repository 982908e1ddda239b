"""What --save keeps: a timeline in a file that Wireshark opens and `read` explains."""

from pathlib import Path
from typing import TYPE_CHECKING

from fourtuple.errors import FourtupleError
from fourtuple.explain.text import N_

if TYPE_CHECKING:
    from fourtuple.event.timeline import Timeline

__all__ = ["keep", "require_writable"]

NOT_SAVED = N_("{path} cannot be written: {reason}.")


def require_writable(path: Path) -> None:
    """Told before there is something to keep, not after it."""
    try:
        path.open("ab").close()
    except OSError as error:
        raise _not_saved(path, error) from error


def keep(path: Path, timeline: "Timeline") -> None:
    """Write it, or say why that cannot be."""
    from fourtuple.event.recording import encode_recording

    try:
        path.write_bytes(encode_recording(timeline))
    except OSError as error:
        raise _not_saved(path, error) from error


def _not_saved(path: Path, error: OSError) -> FourtupleError:
    return FourtupleError(NOT_SAVED, {"path": str(path), "reason": error.strerror})
