"""Where `lab run` keeps recordings: where --save says, and those of failed runs in any case."""

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from fourtuple.errors import UsageError
from fourtuple.explain.text import N_, Translator

if TYPE_CHECKING:
    from fourtuple.event.timeline import Timeline

__all__ = ["NOT_KEPT", "failed_folder", "recording_paths", "save_recording"]


def failed_folder() -> Path:
    """Where recordings of failed runs are kept: each name's latest."""
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    folder = Path(state) / "fourtuple" / "failed"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="fourtuple-failed-"))


_NO_NAME = N_("--save takes the name of a file, or of a directory; this one is empty.")
NOT_KEPT = N_("The recording cannot be kept in {file}: {reason}.")
_NO_STREAM = N_(
    "--save - would write the recording to standard output, where the report goes: name a file."
)
_NO_DIRECTORY = N_(
    "--save {name}: there is no directory {directory}. Make it: mkdir -p {directory}"
)
_NOT_ONE_FILE = N_(
    "--save {name}: several runs are kept in a directory, one file each. Make it "
    "(mkdir {directory}), then: --save {directory}"
)


def recording_paths(save: str | None, names: list[str]) -> list[Path | None]:
    """Where each run is kept. UsageError before anything is run, not after."""
    if save is None:
        return [None] * len(names)
    if save in ("", "-"):
        raise UsageError(_NO_STREAM if save else _NO_NAME)
    path = Path(save)
    if path.is_dir():
        return [path / f"{name}.pcapng" for name in names]
    directory = path if save.endswith("/") else path.parent
    if not directory.is_dir():
        raise UsageError(_NO_DIRECTORY, {"name": save, "directory": directory})
    if len(names) > 1:
        raise UsageError(_NOT_ONE_FILE, {"name": save, "directory": path.with_suffix("")})
    return [path]


def save_recording(
    timeline: "Timeline", path: Path, translator: Translator, *, explained: bool = True
) -> str:
    """Keep the recording, with a sentence beside each frame where it is `explained`; "", or why it
    could not be."""
    from fourtuple.event.recording import write_recording
    from fourtuple.explain.comments import comments

    said = comments(timeline, translator) if explained else {}
    try:
        with path.open("wb") as stream:
            write_recording(timeline, stream, said)
    except OSError as error:
        return str(error.strerror or error)
    return ""
