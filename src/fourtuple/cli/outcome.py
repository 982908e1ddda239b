"""What a command comes to: its exit status, and one message where it failed."""

import sys
from collections.abc import Callable

from fourtuple.cli.output import error_line
from fourtuple.errors import FourtupleError
from fourtuple.explain.message import Message
from fourtuple.explain.text import N_, Translator
from fourtuple.render.text import clean

__all__ = ["outcome"]

_FAILED, _INTERRUPTED = 1, 130
_OUT_OF_MEMORY = N_("There is not enough memory for this.")
_REFUSED_BY_SYSTEM = N_("The operating system refused something: {reason}.")


def outcome(command: Callable[[], object], translator: Translator) -> int:
    """Carry out a command; a number that it returns is the exit status, else 0."""
    try:
        status = command()
    except FourtupleError as error:
        print(error_line(error, translator), file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        return _INTERRUPTED
    except (OSError, MemoryError) as error:
        print(f"fourtuple: {clean(translator.text(_of_system(error)))}", file=sys.stderr)
        return _FAILED
    return status if isinstance(status, int) else 0


def _of_system(error: OSError | MemoryError) -> Message:
    if isinstance(error, MemoryError):
        return Message(_OUT_OF_MEMORY)
    return Message(_REFUSED_BY_SYSTEM, {"reason": error.strerror or str(error)})
