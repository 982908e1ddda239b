"""`fourtuple --version` answers before anything heavy is imported."""

import subprocess
import sys

import pytest

from fourtuple import __version__

PROBE = """
import sys
from fourtuple.cli import main
sys.argv = ["fourtuple", {option!r}]
status = main()
heavy = sorted({{"typer", "numpy", "rich", "msgspec"}} & set(sys.modules))
sys.exit(f"imported {{heavy}}" if heavy else status)
"""


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_the_version_is_told_without_importing_typer_or_numpy(option: str) -> None:
    command = [sys.executable, "-c", PROBE.format(option=option)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"fourtuple {__version__}\n"
