"""The command line: parse, call, print. `main` is the program's entry point.

`--version` is answered here, before anything heavy is imported: typer alone takes longer than the
answer may.
"""

import gc
import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress

from fourtuple import __version__

__all__ = ["main"]


_INTERRUPTED = 130


def main() -> int:
    """Carry out the command line; the result is the exit status."""
    _occupy_standard_streams()
    arguments = sys.argv[1:]
    if arguments in (["--version"], ["-V"]):
        print(f"fourtuple {__version__}")
        return 0
    try:
        with _what_takes_long_to_load(arguments):
            from fourtuple.cli.plain import plainly

            status = plainly(arguments)
            if status is not None:
                return status
            from fourtuple.cli.app import run

            return run(arguments)
    except KeyboardInterrupt:
        return _INTERRUPTED
    finally:
        gc.freeze()  # else the interpreter looks through all that is loaded, for 20 ms, at its end


def _what_takes_long_to_load(arguments: Sequence[str]) -> AbstractContextManager[None]:
    """A scan's engine loads beside the rest, on another processor."""
    if arguments[:1] != ["scan"]:
        return nullcontext()
    from fourtuple.scan.raw.ahead import starting_ahead

    return starting_ahead(arguments)


def _occupy_standard_streams() -> None:
    """Put something in the place of standard streams that were closed (`<&-`, `>&-`).

    Else the next file opened gets their numbers, and Python has None for them. What stands in for
    input cannot be read and what stands in for output cannot be written, which is then said.
    """
    for number, (name, mode, access) in enumerate(
        (("stdin", "r", os.O_WRONLY), ("stdout", "w", os.O_RDONLY), ("stderr", "w", os.O_WRONLY))
    ):
        if getattr(sys, name) is None:
            with suppress(OSError):  # no /dev/null
                descriptor = os.open(os.devnull, access)
                if descriptor != number:
                    os.dup2(descriptor, number)
                    os.close(descriptor)
                setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115
