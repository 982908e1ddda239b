"""The command line: parse, call, print. `main` is the program's entry point.

`--version` is answered here, before anything heavy is imported: typer alone takes longer than the
answer may.
"""

import sys

from fourtuple import __version__

__all__ = ["main"]


def main() -> int:
    """Carry out the command line; the result is the exit status."""
    arguments = sys.argv[1:]
    if arguments in (["--version"], ["-V"]):
        print(f"fourtuple {__version__}")
        return 0
    from fourtuple.cli.app import run

    return run(arguments)
