"""The whole error tree. Each class knows the exit status of the command that meets it.

    FourtupleError                 1
    ├── UsageError                 2   we erred: the command line or an argument is wrong
    │   └── ValueNotLegal          2   a header value that no protocol allows was asked for
    ├── InputError                 2   they erred: a file is not what it should be
    │   ├── CaptureDamaged         2   part of a capture was read, the rest cannot be
    │   └── CaptureUnknown         2   not a capture that we know
    ├── CapabilityMissing          3   this machine does not allow it; carries the remedy
    └── ExperimentError            1   a run did not do what its script says
        ├── ExpectationFailed      1   expected and actual differ
        ├── CallFailed             1   a call of a host's program raised an OSError
        ├── OutOfTime              1   the wall-clock limit was reached
        ├── HostLost               1   a process of the lab died
        └── RuleFailed             1   a rule of the wire never met a frame, or cannot be kept

A message says what is wrong, then what to do about it. It is a message id with {fields}, whose
values are `params`: who prints it can put it into another language. Text from elsewhere (names,
values, the kernel's words) is only ever a value.
"""

from collections.abc import Mapping
from typing import Any

__all__ = [
    "N_",
    "CallFailed",
    "CapabilityMissing",
    "CaptureDamaged",
    "CaptureUnknown",
    "ExpectationFailed",
    "ExperimentError",
    "FourtupleError",
    "HostLost",
    "InputError",
    "OutOfTime",
    "RuleFailed",
    "UsageError",
    "ValueNotLegal",
]


def N_(text: str) -> str:
    """Mark `text` as a message id, for the layers that lie below the catalog."""
    return text


class FourtupleError(Exception):
    """Anything that fourtuple raises on purpose.

    `message` is a message id; `params` are the values of its {fields}.
    """

    exit_status = 1

    def __init__(self, message: str = "", params: Mapping[str, object] | None = None) -> None:
        super().__init__(message.format_map(params) if params else message)
        self.message = message
        self.params = params or {}


class UsageError(FourtupleError):
    """The command line or an argument is wrong."""

    exit_status = 2


class ValueNotLegal(UsageError, ValueError):
    """A header value was asked for that its protocol does not allow."""


class InputError(FourtupleError):
    """A file or stream is not what it should be."""

    exit_status = 2


class CaptureDamaged(InputError):
    """A capture ends early or is corrupt; `timeline` (a Timeline) is what came before that."""

    def __init__(
        self, message: str, params: Mapping[str, object] | None = None, timeline: Any = None
    ) -> None:
        super().__init__(message, params)
        self.timeline = timeline


class CaptureUnknown(InputError):
    """The input is no capture that we know."""


class CapabilityMissing(FourtupleError):
    """This machine does not allow something: `what` is missing, `remedy` says how to get it.

    Both are message ids; `params` are the values of their {fields}.
    """

    exit_status = 3

    def __init__(self, what: str, remedy: str, params: Mapping[str, object] | None = None) -> None:
        super().__init__(f"{what}\n{remedy}" if remedy else what, params)
        self.what = what
        self.remedy = remedy


class ExperimentError(FourtupleError):
    """A run did not do what its script says."""


class ExpectationFailed(ExperimentError):
    """An expectation does not hold: the message names field, expected, actual and frames."""


class CallFailed(ExperimentError, OSError):
    """A call of a host's program raised an OSError: errno and strerror are the kernel's. Where
    Python itself refused the call, errno is 0 and the text is Python's."""

    def __init__(self, errno: int, text: str) -> None:
        OSError.__init__(self, errno, text)
        self.message, self.params = "{text}", {"text": str(self) if errno else text}


class OutOfTime(ExperimentError):
    """The wall-clock limit was reached."""


class RuleFailed(ExperimentError):
    """A rule of the wire never met a frame, or was to do what cannot be done."""


class HostLost(ExperimentError):
    """A process of the lab died before its time."""
