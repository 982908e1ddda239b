"""Command lines that need no parser mean what they mean to it; all others are left to it."""

import re
import socket
from typing import Any

import pytest
import typer

from fourtuple.cli.app import app_of, run
from fourtuple.cli.plain import OPTIONS, plainly


@pytest.mark.parametrize("command", sorted(OPTIONS))
def test_every_option_of_the_parser_is_known(command: str) -> None:
    group: Any = typer.main.get_command(app_of())
    options = [one for one in group.commands[command].params if one.param_type_name == "option"]
    repeated = {"--exclude"}
    known = {
        name: (one.name, not one.is_flag)
        for one in options
        for name in one.opts
        if name not in {"--help", "-h"} | repeated
    }
    assert known == OPTIONS[command]


@pytest.mark.parametrize(
    "line",
    [
        "sockets -tl", "sockets --port", "sockets --port -1", "sockets x", "sockets --help",
        "sockets --port=80", "read", "read x --port", "read x --connection=1", "scan",
        "scan --resume x", "scan 127.0.0.1 --exclude 127.0.0.1", "scan 127.0.0.1 -6p22",
        "scan 127.0.0.1 -p", "lab list", "", "--lang zh scan 127.0.0.1",
    ],
)  # fmt: skip
def test_what_is_not_plain_is_left_to_the_parser(line: str) -> None:
    assert plainly(line.split()) is None


def printed(capsys: pytest.CaptureFixture[str], status: int | None) -> tuple[int | None, str, str]:
    both = capsys.readouterr()
    return status, both.out, both.err


def test_sockets_prints_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = str(sock.getsockname()[1])
        words = ["sockets", "--port", port, "--state", "unconnected", "--lang", "en"]
        one, other = printed(capsys, plainly(words)), printed(capsys, run(words))
    assert one == other
    assert port in one[1]


@pytest.mark.parametrize(
    ("line", "status"), [("-p{port}", 0), ("-p70000", 2), ("-p {port} --shard 3", 2)]
)
def test_scan_prints_the_same(line: str, status: int, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        words = f"scan 127.0.0.1 {line}".format(port=listener.getsockname()[1]).split()
        one, other = printed(capsys, plainly(words)), printed(capsys, run(words))
    assert one[0] == other[0] == status
    assert without_times(one[1]) == without_times(other[1])
    assert one[2] == other[2]


def without_times(text: str) -> str:
    return re.sub(r" +[0-9.]+ [mu]?s\b", "", text)
