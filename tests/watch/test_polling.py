"""Watching without root: the socket table and procfs."""

import os
import subprocess
import time

import pytest

from fourtuple.errors import UsageError
from fourtuple.system.owners import sockets_of
from fourtuple.watch.pairs import News
from fourtuple.watch.polling import Poller
from fourtuple.watch.wish import Wish
from watch.programs import ended, script

pytestmark = pytest.mark.kernel

#: each step waits for a line, so that no look can miss it
STEPS = """
import socket, sys
listener = socket.create_server(("127.0.0.1", 0)); sys.stdin.readline()
client = socket.create_connection(listener.getsockname()); sys.stdin.readline()
server, _ = listener.accept(); sys.stdin.readline()
client.close(); sys.stdin.readline()
server.close(); sys.stdin.readline()
"""


def test_a_process_of_one_s_own_is_seen_step_by_step() -> None:
    read, write = os.pipe()
    news: list[News] = []

    def tell(one: News) -> None:
        news.append(one)
        os.write(write, b"\n\n" if one.what == "accepted" else b"\n")

    with os.fdopen(read) as stdin, subprocess.Popen(script(STEPS), stdin=stdin) as process:
        while not list(sockets_of(process.pid)):
            time.sleep(0.02)
        os.write(write, b"\n")  # what listens already is no news
        Poller(Wish(pids=[process.pid], count=1), tell).run()
        process.kill()
    os.close(write)
    assert [one.what for one in news][1:] == ["accepted", "ended"]
    assert news[0].what in ("present", "opened")  # it may have come before the first look
    (end,) = ended(news)
    assert end.pair is not None
    assert [sock.owner.pid for sock in end.pair.socks if sock.owner] == [process.pid] * 2
    assert end.pair.sent() is None
    assert end.pair.cause().code == "closed"


def test_a_command_s_exit_status_is_known() -> None:
    poller = Poller(Wish(script("raise SystemExit(7)")), lambda news: None)
    poller.run()
    assert poller.status == 7


def test_a_process_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match="no process"):
        Poller(Wish(pids=[2**22 - 5]), lambda news: None).run()
