"""Kernels as machine code: that they are what the interpreter runs, are kept, and are not trusted
blindly."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fourtuple import compiled
from fourtuple.compiled import COMPILING, NOT_KEPT, available, interpreted, kernels
from fourtuple.wire._row import WIDTH

pytestmark = pytest.mark.skipif(not available(), reason="numba is not installed")

MODULE = "fourtuple.wire._kernels"
#: small, so that it is compiled in a moment
SMALL = "fourtuple.event._kernels"


@pytest.fixture(autouse=True)
def forget():
    """Each test finds its own way to the kernels."""
    compiled._kernels.cache_clear()
    yield
    compiled._kernels.cache_clear()


def test_compiled_and_interpreted_decode_nonsense_alike():
    """Also with numpy's warnings as errors: no arithmetic may depend on the width of a number."""
    random = np.random.default_rng(7)
    buffer = random.integers(0, 256, 40_000).astype(np.uint8)
    # half of the frames look like IPv4 with TCP, so that there is something to decode
    start = np.arange(0, 40_000, 100)
    buffer[start[::2] + 12], buffer[start[::2] + 13], buffer[start[::2] + 14] = 8, 0, 0x45
    buffer[start[::2] + 23] = 6
    captured = random.integers(0, 120, 400)
    columns = (start, captured, captured + random.integers(0, 9, 400), random.integers(0, 2, 400))
    tables = []
    with np.errstate(all="raise"):
        for load in (kernels, interpreted):
            table = np.zeros((400, WIDTH), np.int64)
            load(MODULE)["decode_rows"](buffer, *map(np.ascontiguousarray, columns), table)
            tables.append(table)
    assert (tables[0] == tables[1]).all()
    assert tables[0].any()


def test_what_was_compiled_is_kept_for_the_next_process(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    told = []
    kernels(SMALL, lambda text, params: told.append(text))
    assert told == [COMPILING]
    (kept,) = (tmp_path / "fourtuple").iterdir()
    assert kept.stat().st_mode & 0o077 == 0
    script = (
        f"import sys; from fourtuple.compiled import kernels; kernels({SMALL!r}, print)\n"
        "print('numba' in sys.modules, 'llvmlite' in sys.modules)"
    )
    printed = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout
    # on other processors LLVM's linker is needed
    assert printed == f"False {os.uname().machine != 'x86_64'}\n"


@pytest.mark.parametrize("harm", ["cut", "changed", "writable"])
def test_code_that_others_may_have_written_is_not_run(tmp_path, monkeypatch, harm):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    kernels(SMALL)
    (kept,) = (tmp_path / "fourtuple").iterdir()
    data = kept.read_bytes()
    if harm == "cut":
        kept.write_bytes(data[:-1])
    elif harm == "changed":
        kept.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    else:
        kept.chmod(0o666)
    compiled._kernels.cache_clear()
    told = []
    kernels(SMALL, lambda text, params: told.append(text))
    assert told == [COMPILING]


def test_where_nothing_can_be_kept_that_is_said_once(tmp_path, monkeypatch):
    place = tmp_path / "file"
    place.write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(place))
    told = []
    kernels(SMALL, lambda text, params: told.append((text, dict(params))))
    assert told == [(COMPILING, {}), (NOT_KEPT, {"directory": str(place / "fourtuple")})]


def test_another_source_is_another_file(tmp_path, monkeypatch):
    names = set()
    for source in ("x = 1", "x = 2"):
        monkeypatch.setattr(compiled, "_source", lambda module, text=source: text)
        names.add(compiled._hash(sys.modules[SMALL] if SMALL in sys.modules else _imported()))
    assert len(names) == 2


def _imported():
    interpreted(SMALL)
    return sys.modules[SMALL]


def test_the_hash_covers_every_module_that_a_kernel_takes_anything_from():
    interpreted("fourtuple.analyze.survey._kernels")
    found = set(compiled._sources(sys.modules["fourtuple.analyze.survey._kernels"]))
    package = Path(compiled.__file__).parent / "analyze"
    parts = {f"fourtuple.analyze.{path.stem}" for path in package.glob("_[a-z]*.py")}
    assert found >= parts | {"fourtuple.wire._row", "fourtuple.analyze.states"}


def test_a_kernel_refuses_what_it_cannot_take():
    decode = kernels(MODULE)["decode_rows"]
    one = np.zeros(1, np.int64)
    with pytest.raises(TypeError):
        decode(np.zeros(9, np.int64), one, one, one, one, np.zeros((1, WIDTH), np.int64))


def test_a_kernel_that_reaches_beyond_an_array_is_caught():
    decode = kernels(MODULE)["decode_rows"]
    one, data = np.zeros(1, np.int64), np.zeros(60, np.uint8)
    with pytest.raises(RuntimeError, match="beyond"):
        decode(data, one, one + 60, one + 60, one + 1, np.zeros((0, WIDTH), np.int64))


def test_without_numba_the_interpreter_does_it(monkeypatch):
    monkeypatch.setattr(compiled, "available", lambda: False)
    decode = kernels(MODULE)["decode_rows"]
    table = np.zeros((1, WIDTH), np.int64)
    one = np.zeros(1, np.int64)
    assert decode(np.zeros(0, np.uint8), one, one, one, one + 1, table) == 1  # it is too short


def test_the_directory_is_the_users_own(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert compiled._directory() == Path(os.path.expanduser("~/.cache/fourtuple"))
