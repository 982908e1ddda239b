"""Object code in memory: done here or by LLVM's linker, it does the same."""

import os
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from fourtuple import compiled, objectcode
from fourtuple.compiled import available, interpreted

pytestmark = pytest.mark.skipif(not available(), reason="numba is not installed")

#: small, so that it is compiled in a moment
SMALL = "fourtuple.event._kernels"
RECORD = struct.pack("<IIII", 7, 9, 3, 3) + b"abc"
ours = pytest.mark.skipif(os.uname().machine != "x86_64", reason="LLVM links for this machine")


def walked(kernel: compiled.Kernel) -> tuple[list[int], list[list[int]]]:
    """Two records of a pcap file, and a part of a third."""
    data = np.frombuffer(RECORD * 2 + RECORD[:9], np.uint8)
    state, out = np.zeros(4, np.int64), np.zeros((9, 5), np.int64)
    found = kernel(data, len(data), 0, 16, 0, state, out, 5)
    return [found, *state.tolist()], out.tolist()


@pytest.fixture(scope="module")
def kept() -> compiled._Entry:
    interpreted(SMALL)
    return compiled._compiled(sys.modules[SMALL])["walk_pcap"]


def test_both_linkers_make_the_same_of_an_object(kept, monkeypatch):
    function = dict(compiled._public(sys.modules[SMALL]))["walk_pcap"]
    results = []
    for link in (objectcode.linked, objectcode._linked_by_llvm):
        monkeypatch.setattr(compiled, "linked", link)
        results.append(walked(compiled._linked(function, kept)))
    assert results[0] == results[1] == walked(interpreted(SMALL)["walk_pcap"])
    assert results[0][0][:3] == [0, 2 * len(RECORD), 2]


@ours
def test_it_can_be_run_and_not_be_written(kept):
    code = objectcode._placed(kept.code, kept.symbol)
    assert _rights(code.address) == "r-xp"


def _rights(address: int) -> str:
    for line in Path("/proc/self/maps").read_text().splitlines():
        place, rights, *_ = line.split()
        begin, end = (int(limit, 16) for limit in place.split("-"))
        if begin <= address < end:
            return rights
    return ""


@ours
@pytest.mark.parametrize(
    "what",
    [
        pytest.param((18, "<H", 183), id="another machine"),
        pytest.param((4, "<B", 1), id="32 bits"),
        pytest.param((16, "<H", 3), id="a shared object"),
    ],
)
def test_of_another_kind_it_is_left_to_llvm(kept, what):
    place, form, value = what
    code = bytearray(kept.code)
    struct.pack_into(form, code, place, value)
    with pytest.raises(objectcode._Unknown):
        objectcode._placed(bytes(code), kept.symbol)


@ours
def test_so_it_is_where_it_wants_more_than_addresses(kept, monkeypatch):
    monkeypatch.setattr(objectcode, "_ABSOLUTE_64", 2)
    with pytest.raises(objectcode._Unknown):
        objectcode._placed(kept.code, kept.symbol)
    assert objectcode.linked(kept.code, kept.symbol).address


@ours
def test_and_where_the_system_lets_nothing_become_executable(kept, monkeypatch):
    def refuse(address: int, size: int) -> None:
        raise PermissionError(13, "mprotect")

    monkeypatch.setattr(objectcode, "_make_executable", refuse)
    code = objectcode.linked(kept.code, kept.symbol)
    assert type(code.owner).__name__ == "ExecutionEngine"
