"""Work in processes of their own."""

import os
import signal
import subprocess
import sys
import time

import pytest

from fourtuple.lab.batch import LOST, work_through


def test_every_piece_is_done_once_and_told_with_its_number() -> None:
    assert sorted(work_through(7, lambda piece: piece * piece, 3)) == [
        (piece, piece * piece) for piece in range(7)
    ]


def test_more_workers_than_pieces_are_not_made() -> None:
    pids = {pid for _, pid in work_through(2, lambda _: os.getpid(), 8)}
    assert len(pids) <= 2
    assert os.getpid() not in pids


def test_pieces_are_done_side_by_side() -> None:
    """Each waits for the other: one after the other neither would end."""
    reader, writer = os.pipe()

    def meet(piece: int) -> int:
        os.write(writer, b"x")
        deadline_s = time.monotonic() + 60
        while piece == 0 and time.monotonic() < deadline_s:
            if os.read(reader, 1) and os.read(reader, 1):
                return 1
        return 0

    assert dict(work_through(2, meet, 2))[0] == 1


def test_a_worker_that_dies_costs_its_piece_and_no_other() -> None:
    def work(piece: int) -> int:
        if piece == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return piece

    assert dict(work_through(4, work, 1)) == {0: 0, 1: LOST, 2: 2, 3: 3}


def test_an_error_is_told_and_costs_its_piece(capfd: pytest.CaptureFixture[str]) -> None:
    def work(piece: int) -> int:
        return 1 // piece

    assert dict(work_through(2, work, 1)) == {0: LOST, 1: 1}
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_workers_end_with_their_parent() -> None:
    code = """
import os, time
from fourtuple.lab.batch import work_through
def work(piece):
    os.write(1, f"{os.getpid()}\\n".encode())
    time.sleep(100)
for _ in work_through(2, work, 2): pass
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pids = [int(parent.stdout.readline()) for _ in range(2)]
        parent.kill()
    deadline_s = time.monotonic() + 60
    while any(map(alive, pids)) and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert not any(map(alive, pids))


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
