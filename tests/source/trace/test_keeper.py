"""What is recorded is kept while nobody works through it: against the real kernel."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fourtuple.errors import FourtupleError
from fourtuple.source.trace.feed import Feed
from fourtuple.source.trace.formats import Layout, parse_layout
from fourtuple.source.trace.keeper import Keeper
from fourtuple.source.trace.pages import read_page
from fourtuple.system.tracefs import Instance, place

pytestmark = [pytest.mark.kernel, pytest.mark.root, pytest.mark.usefixtures("kernel_trace")]

#: a call that changes nothing, and is no other program's
CALL, NOTHING = "syscalls/sys_enter_close", 1 << 30


def calls(count: int) -> None:
    for _ in range(count):
        try:
            os.close(NOTHING)
        except OSError:
            continue


def layout() -> Layout:
    return parse_layout(Path(place(), "events/header_page").read_text())


@contextmanager
def keeping(most_bytes: int) -> Iterator[tuple[Instance, Keeper]]:
    """Of this process one kind of call is recorded, and kept."""
    instance = Instance("kept", buffer_kb=64)
    with instance, Keeper([instance], layout(), most_bytes) as keeper:
        instance.enable(CALL, f"fd == {NOTHING}")
        instance.follow([os.getpid()])
        keeper.start()
        instance.start()
        yield instance, keeper


def rest(instance: Instance, keeper: Keeper) -> int:
    """How many events there are, once no more are recorded."""
    instance.stop()
    keeper.stop()
    count = 0
    while not keeper.over:
        select.select([keeper], [], [])
        while kept := keeper.take():
            count += sum(len(read_page(page, layout()).records) for page in kept[1])
    return count


def test_what_finds_no_room_is_counted_and_the_rest_is_there() -> None:
    with keeping(most_bytes=64 << 10) as (instance, keeper):
        calls(20_000)
        found = rest(instance, keeper)
        assert found > 500
        assert instance.lost() > 0
        assert found + instance.lost() == 20_000
        assert keeper.behind_bytes == 0


def test_room_that_was_given_back_is_used_again() -> None:
    """Several times what there is room for, a part at a time."""
    with keeping(most_bytes=64 << 10) as (instance, keeper):
        found = 0
        for _ in range(20):
            calls(500)
            while unread(instance.path):
                select.select([keeper], [], [])
                while kept := keeper.take():
                    found += sum(len(read_page(page, layout()).records) for page in kept[1])
        found += rest(instance, keeper)
        assert (found, instance.lost()) == (10_000, 0)


def unread(path: str) -> int:
    """How many events wait in the kernel."""
    folder = Path(path, "per_cpu")
    lines = [line for one in folder.glob("cpu*/stats") for line in one.read_text().splitlines()]
    return sum(int(line.partition(":")[2]) for line in lines if line.startswith("entries:"))


def test_nothing_is_lost_while_nobody_works_through_it() -> None:
    """Several times what the kernel itself has room for."""
    with Feed([os.getpid()], buffer_kb=256) as feed:
        feed.start()
        (path,) = Path(place(), "instances").glob(f"fourtuple-{os.getpid()}-*-calls")
        for _ in range(40):
            calls(1000)
            while unread(str(path)) > 1000:  # the kernel's room is for bursts
                time.sleep(0.01)
        feed.stop()
        found = []
        while not feed.over:
            select.select([feed], [], [])
            while batch := feed.drain():
                found += feed.records(batch)
    closed = [record for record in found if record.name == "sys_enter_close"]
    assert sum(record.number("fd") == NOTHING for record in closed) == 40_000
    assert [record.t_ns for record in found] == sorted(record.t_ns for record in found)


def test_that_nobody_keeps_it_any_more_is_said() -> None:
    with keeping(most_bytes=64 << 10) as (_, keeper):
        os.kill(keeper.pid, signal.SIGKILL)
        with pytest.raises(FourtupleError, match="-9"):
            while True:
                select.select([keeper], [], [])
                keeper.take()


HELD = """
import os, sys, time
from fourtuple.source.trace.feed import Feed
with Feed([os.getpid()]) as feed:
    feed.start()
    print(flush=True)
    time.sleep(600)
"""


def test_nothing_stays_of_one_that_was_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", HELD], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        mine = f"fourtuple-{process.pid}-*"
        assert len(list(Path(place(), "instances").glob(mine))) == 2
        process.kill()
    while list(Path(place(), "instances").glob(mine)):
        time.sleep(0.01)
