"""`fourtuple watch` as its user meets it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from watch.programs import SERVER, running, script
from watch.test_session import CLIENT


def watch(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "fourtuple", "watch", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Say what to watch"),
        (["--all", "--pid", "1"], "Say what to watch"),
        (["--port", "70000"], "--port takes a whole number from 1 to 65535"),
        (["--pid", "x"], "--pid takes a whole number"),
        (["--seconds", "0", "--all"], "--seconds takes a number of seconds above 0"),
        (["--save", "/no/such/place/x.pcapng", "--all"], "there is no directory"),
    ],
)
def test_a_wrong_command_line_says_what_is_wrong(words: list[str], said: str) -> None:
    done = watch("--lang", "en", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


@pytest.mark.kernel
@pytest.mark.root
@pytest.mark.usefixtures("kernel_trace")
class TestByTheTrace:
    def test_a_ladder_has_both_owners_and_their_calls(self, tmp_path: Path) -> None:
        kept = str(tmp_path / "kept.pcapng")
        with running(SERVER) as (server, port):
            done = watch("--lang", "en", "--width", "160", "--ladder", "--save", kept, "--",
                         *script(CLIENT + "print('my own words')", port))  # fmt: skip
        assert (done.returncode, done.stdout) == (0, "my own words\n")
        told = " ".join(done.stderr.split())
        assert "calls: the kernel's trace" in told and "states: the kernel's trace" in told
        assert f"(process {server}, descriptor " in told
        for part in ("connect(:", "accept()", "send(14)", "close()", "SYN_SENT", "TIME_WAIT",
                     "the client closed first"):  # fmt: skip
            assert part in told, part
        again = subprocess.run(
            [sys.executable, "-m", "fourtuple", "read", kept, "--lang", "en", "--width", "160"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert "calls: the kernel's trace" in again.stdout and "accept()" in again.stdout

    def test_machines_get_an_object_a_line_and_the_command_s_words_elsewhere(self) -> None:
        with running(SERVER) as (server, port):
            done = watch("--json", "--", *script(CLIENT + "print('my own words')", port))
        told = [json.loads(line) for line in done.stdout.splitlines()]
        assert [one["kind"] for one in told if one["kind"] != "accepted"] == [
            "opened", "ended", "summary",
        ]  # fmt: skip
        ended, summary = told[-2:]
        assert ended["server"]["owners"][0]["pid"] == server
        assert (ended["cause"], ended["by"], ended["kernel_reason"]) == ("closed", "client", None)
        assert ended["payload_bytes"] == {"client": 14, "server": 14}
        assert (summary["connections"], summary["status"], summary["lost"]) == (1, 0, 0)
        assert "my own words" in done.stderr

    def test_a_command_that_is_not_there(self) -> None:
        done = watch("--lang", "en", "/no/such/program")
        assert done.returncode == 2
        assert "cannot be run: No such file or directory" in done.stderr

    def test_in_chinese(self) -> None:
        with running(SERVER) as (_, port):
            done = watch("--lang", "zh", "--", *script(CLIENT, port))
        assert "客户端先关闭" in done.stderr
