"""Tracing instances of our own on the real kernel: made, read, and gone afterwards."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest

from fourtuple.errors import CapabilityMissing
from fourtuple.source.trace.formats import Format, parse_format, parse_layout
from fourtuple.source.trace.pages import read_page
from fourtuple.system import tracefs
from fourtuple.system.tracefs import Instance, clear_stale, ending_in_order, instance_name, place

pytestmark = [pytest.mark.kernel, pytest.mark.root]

EVENTS = (
    "sock/inet_sock_set_state",
    "syscalls/sys_enter_connect",
    "syscalls/sys_exit_connect",
    "syscalls/sys_enter_close",
    "syscalls/sys_exit_close",
    "task/task_newtask",
)
#: the head of a line of the text trace: which task, processor, when, which event
LINE = re.compile(r"-(\d+)\s+\[(\d+)\]\s+\S+\s+(\d+)\.(\d{6}): (\w+)(?:\(|: | -> )(.*)$")


@pytest.fixture(autouse=True)
def trace() -> str:
    try:
        return place()
    except CapabilityMissing as missing:
        pytest.skip(str(missing))


def instances() -> list[str]:
    return [name for name in os.listdir(f"{place()}/instances") if f"-{os.getpid()}-" in name]


def a_refused_connection() -> None:
    with socket.socket() as sock:
        assert sock.connect_ex(("127.0.0.1", 1)) != 0


def test_binary_pages_and_the_text_trace_tell_the_same() -> None:
    formats: dict[int, Format] = {}
    with Instance("compare") as instance:
        for event in EVENTS:
            assert instance.enable(event)
            found = parse_format(instance.read(f"events/{event}/format"))
            formats[found.id] = found
        instance.follow([os.getpid()])
        instance.start()
        for _ in range(50):
            a_refused_connection()
        threading.Thread(target=a_refused_connection).start()
        instance.stop()
        text = [line for line in map(LINE.search, instance.read("trace").splitlines()) if line]
        with open(f"{place()}/events/header_page", encoding="ascii") as file:
            layout = parse_layout(file.read())
        records = [
            (t_ns, cpu, formats[int.from_bytes(record[:2], sys.byteorder)], record)
            for cpu, page in instance.pages(layout.page_bytes)
            for t_ns, record in read_page(page, layout).records
        ]
        assert instance.lost() == 0
    records.sort(key=lambda one: one[0])
    assert len(records) == len(text) > 300
    for (t_ns, cpu, found, record), line in zip(records, text, strict=True):
        values = found.values(record)
        task, shown_cpu, seconds, microseconds, _, rest = line.groups()
        assert (values["common_pid"], cpu) == (int(task), int(shown_cpu))
        assert abs(t_ns - int(seconds) * 10**9 - int(microseconds) * 1000) <= 1000  # rounded
        if found.name == "inet_sock_set_state":
            shown = dict(re.findall(r"(\w+)=(\S+)", rest))
            assert str(values["sport"]) == shown["sport"]
            assert found.symbols["newstate"][int(str(values["newstate"]))] == shown["newstate"]
            assert socket.inet_ntoa(bytes(values["daddr"])) == shown["daddr"]  # type: ignore[arg-type]
        elif found.name == "sys_enter_connect":
            assert int(str(values["fd"])) == int(rest.partition("fd: ")[2].split(",")[0], 16)


def test_only_what_the_followed_thread_and_its_children_do_is_recorded() -> None:
    """The threads of a process are followed one by one: a filter of a process id would not do."""
    go, done = threading.Event(), threading.Event()

    def other() -> None:
        go.wait()
        a_refused_connection()
        done.set()

    threading.Thread(target=other).start()
    with Instance("follow") as instance:
        instance.enable("syscalls/sys_enter_connect")
        instance.follow([threading.get_native_id(), 2**22 - 3])  # the second is no thread
        instance.start()
        go.set()
        done.wait()
        child = subprocess.run(
            [sys.executable, "-c", "import socket; socket.socket().connect_ex(('127.0.0.1', 1))"],
            check=True,
        )
        assert child.returncode == 0
        instance.stop()
        tasks = {int(line[1]) for line in map(LINE.search, instance.read("trace").splitlines())
                 if line}  # fmt: skip
    assert len(tasks) == 1
    assert tasks.isdisjoint({os.getpid()})


def test_an_event_that_this_kernel_lacks_is_named() -> None:
    with Instance("lacking") as instance:
        assert not instance.enable("tcp/tcp_no_such_event")
        assert instance.enable("tcp/tcp_send_reset")
        assert instance.lacking == ["tcp/tcp_no_such_event"]


def test_what_finds_no_room_is_counted() -> None:
    with Instance("small", buffer_kb=8) as instance:
        instance.enable("syscalls/sys_enter_close")
        instance.start()
        for _ in range(5000):
            with suppress(OSError):
                os.close(-1)
        assert instance.lost() > 0


def test_the_instance_goes_whatever_happens() -> None:
    with pytest.raises(ZeroDivisionError), Instance("error") as instance:
        instance.start()
        assert len(instances()) == 1
        raise ZeroDivisionError
    assert instances() == []


HELD = """
import sys, time
from fourtuple.system.tracefs import Instance, ending_in_order
with ending_in_order(), Instance("held") as instance:
    instance.enable("syscalls/sys_enter_connect")
    instance.start()
    print(instance.path.rpartition("/")[2], flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_instance_goes_with_a_process_that_is_told_to_end(number: signal.Signals) -> None:
    name, process = holder()
    process.send_signal(number)
    process.wait()
    assert name not in os.listdir(f"{place()}/instances")


def holder() -> tuple[str, subprocess.Popen[str]]:
    """A process that traces, and the name of its instance."""
    process = subprocess.Popen(
        [sys.executable, "-c", HELD], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout
    return process.stdout.readline().strip(), process


def test_what_a_killed_process_left_is_cleared_by_the_next() -> None:
    name, process = holder()
    assert name not in clear_stale()  # its maker lives
    process.kill()
    process.wait()
    assert name in os.listdir(f"{place()}/instances")
    with Instance("next"):
        assert name not in os.listdir(f"{place()}/instances")


def test_another_s_instance_is_left_alone() -> None:
    path = f"{place()}/instances/somebody-{os.getpid()}"
    os.mkdir(path)
    try:
        assert clear_stale() == [] or os.path.isdir(path)
        assert os.path.isdir(path)
    finally:
        os.rmdir(path)


def test_a_later_process_of_the_same_number_does_not_keep_an_instance() -> None:
    path = f"{place()}/instances/fourtuple-{os.getpid()}-1-old"
    os.mkdir(path)
    assert os.path.basename(path) in clear_stale()
    assert instance_name("x").count("-") == 3


def test_without_a_right_to_it_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(tracefs, "_PLACES", ("/nonexistent",))
    place.cache_clear()
    try:
        with pytest.raises(CapabilityMissing, match="root"):
            place()
    finally:
        place.cache_clear()


def test_signals_have_their_old_meaning_afterwards() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with ending_in_order(), pytest.raises(SystemExit) as stopped:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1)
    assert stopped.value.code == 143
    assert signal.getsignal(signal.SIGTERM) is before
