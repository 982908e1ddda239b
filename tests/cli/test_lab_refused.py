"""A machine that cannot have the lab: `lab run` names the cause and the remedy, with status 3."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.kernel

#: as another machine would be: a user namespace in which no network namespace may be made
REFUSING = """
import os, sys
from fourtuple.system.namespaces import unshare_user
from fourtuple.system.sysctl import write_sysctl

unshare_user()
write_sysctl("user.max_net_namespaces", 0)
sys.argv = ["fourtuple", *sys.argv[1:]]
from fourtuple.cli import main
sys.exit(main())
"""


def refused(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", REFUSING, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("format_", [(), ("--json",)])
def test_lab_run_says_what_is_missing_and_what_to_do(format_: tuple[str, ...]) -> None:
    done = refused("lab", "run", "handshake", *format_)
    assert done.returncode == 3
    assert done.stdout == ""
    cause, remedy = done.stderr.splitlines()
    expected = "Namespaces are switched off: user.max_net_namespaces is 0."
    assert cause == f"fourtuple: {expected}"
    assert remedy == "sudo sysctl -w user.max_net_namespaces=10000"


def test_it_says_so_in_chinese_too() -> None:
    done = refused("lab", "run", "handshake", "--lang", "zh")
    assert done.returncode == 3
    assert "user.max_net_namespaces" in done.stderr
    assert "Namespaces are" not in done.stderr


def test_what_needs_no_lab_works_there() -> None:
    assert refused("lab", "list").returncode == 0
    assert refused("doctor").returncode == 3
