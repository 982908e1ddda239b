"""The log is one file that many processes append to."""

import os
import time

from fourtuple.event.model import Note
from fourtuple.lab.log import UNREADABLE, FrameEntered, FrameLeft, Log


def test_records_come_back_in_the_order_in_which_they_were_written() -> None:
    log = Log()
    written = [
        FrameEntered(1, 10, "client", b"\x00\xff"),
        FrameLeft(1, 20, 1),
        Note(t_ns=3, kind="x"),
    ]
    for record in written:
        log.write(record)
    assert log.news() == written
    assert log.news() == []
    log.write(written[0])
    assert log.news() == [written[0]]


def test_what_several_processes_write_is_never_torn() -> None:
    log = Log()
    children = []
    for number in range(4):
        pid = os.fork()
        if pid == 0:
            for count in range(200):
                log.write(FrameEntered(count, number, "host", bytes([number]) * (count + 1)))
            os._exit(0)
        children.append(pid)
    for pid in children:
        assert os.waitpid(pid, 0)[1] == 0

    records = log.news()
    assert len(records) == 800
    for number in range(4):
        own = [r for r in records if isinstance(r, FrameEntered) and r.t_ns == number]
        assert [r.number for r in own] == list(range(200))
        assert all(r.data == bytes([number]) * (r.number + 1) for r in own)


def test_half_a_record_costs_only_itself() -> None:
    """A process may be killed in the middle of its write, and others write on."""
    log = Log()
    note = Note(t_ns=3, kind="x", params={"text": "whole"})
    os.ftruncate(log._descriptor, 0)
    log.write(note)
    size = os.fstat(log._descriptor).st_size
    log.write(note)
    os.ftruncate(log._descriptor, size + size // 2)
    log.write(note)
    first, torn, third = log.news()
    assert first == third == note
    assert isinstance(torn, Note)
    assert (torn.kind, torn.message) == ("failure", UNREADABLE)
    assert log.news(last=True) == []


def test_a_write_that_goes_on_is_waited_for_until_the_last_reading() -> None:
    log = Log()
    log.write(Note(t_ns=3, kind="x"))
    whole = os.pread(log._descriptor, 1 << 16, 0)
    os.ftruncate(log._descriptor, len(whole) - 3)
    assert log.news() == []
    os.write(log._descriptor, whole[-3:])
    assert log.news() == [Note(t_ns=3, kind="x")]
    os.write(log._descriptor, whole[:-3])
    assert [record.message for record in log.news(last=True)] == [UNREADABLE]


def test_a_turn_excludes_other_processes() -> None:
    log = Log()
    reader, writer = os.pipe()
    begun, begin = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.read(begun, 1)
        with log.turn():
            os.write(writer, b"child")
        os._exit(0)
    with log.turn():
        os.write(begin, b"!")
        time.sleep(0.05)
        os.write(writer, b"parent ")
    assert os.waitpid(pid, 0)[1] == 0
    assert os.read(reader, 100) == b"parent child"
