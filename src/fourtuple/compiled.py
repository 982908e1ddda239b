"""Kernels as machine code: the plain functions of `_kernels` modules, compiled once, then kept.

A kernel is a function over arrays without Python objects (see wire._kernels). `kernels` gives those
of one module, ready to be called with numpy arrays: compiled by numba with bounds checks, running
without the interpreter lock. What was compiled is kept as object code in a directory of ours, by
a hash of all sources that went into it, of the versions and of the processor; the next process
puts it into memory in a few thousandths of a second (objectcode) and does not import numba, which
alone would cost a quarter of one. `interpreted` gives the same functions as Python runs them: for
small inputs, where that costs less, and where numba is not installed.

Rules: what Python sees of a kernel is its public functions, whose parameters are annotated Bytes
(uint8[n]), Column (int64[n]), Table (int64[n, m]), Rows (the same, taken row by row) or int, all
C-contiguous, and which return an int or None. A kernel that reaches beyond an array is our mistake:
RuntimeError. Only in a helper called `_unchecked...` nobody looks: its caller has made sure.
Nothing here knows what the kernels do.
"""

import ctypes
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import FunctionType, MappingProxyType, ModuleType
from typing import Any

import msgspec

from fourtuple.errors import N_
from fourtuple.objectcode import linked

__all__ = ["COMPILING", "NOT_KEPT", "Kernel", "available", "interpreted", "kernels"]

#: what `announce` is told, as message ids
COMPILING = N_("Compiling what reads large captures; this happens once and takes some 15 seconds.")
NOT_KEPT = N_(
    "What was compiled cannot be kept in {directory}, so each run compiles it anew: make that "
    "directory writable, or set XDG_CACHE_HOME."
)

Kernel = Callable[..., int]
Announce = Callable[[str, Mapping[str, object]], None]

_OPTIONS = MappingProxyType(
    {
        "nogil": True,
        "error_model": "numpy",
        # nothing is allocated, so nothing is counted: views of rows would cost half of the time
        "_nrt": False,
        "no_cpython_wrapper": True,
        "no_cfunc_wrapper": True,
    }
)
_IMPORT = re.compile(r"^from (fourtuple[\w.]*) import (\w*)", re.MULTILINE)
#: in /proc/cpuinfo: how much tells of one processor, its lines that do not change, and those of
#: its instructions (x86, ARM)
_ONE_PROCESSOR = 16_384
_ABLE = ("flags", "Features")
_TELLING = ("vendor_id", "cpu family", "model", "stepping", "CPU ", *_ABLE)
_DIMENSIONS = MappingProxyType({"Bytes": 1, "Column": 1, "Table": 2, "Rows": 2, "int": 0})


class _Entry(msgspec.Struct, array_like=True):
    """A kernel as object code: the name of its symbol, and the code."""

    symbol: str
    code: bytes


def available() -> bool:
    """Whether kernels can be compiled here."""
    return find_spec("numba") is not None


def interpreted(module: str) -> Mapping[str, Kernel]:
    """The kernels of a module by name, run by the interpreter."""
    return {name: _over_memory(function) for name, function in _public(import_module(module))}


def kernels(module: str, announce: Announce | None = None) -> Mapping[str, Kernel]:
    """The kernels of a module by name, compiled; interpreted where numba is not installed.

    `announce` is told COMPILING before that begins, and NOT_KEPT where it was in vain.
    """
    return _kernels(module, announce or _silent)


def _silent(text: str, params: Mapping[str, object]) -> None:
    """Nobody is told."""


@cache
def _kernels(module: str, announce: Announce) -> Mapping[str, Kernel]:
    if not available():
        return interpreted(module)
    home = import_module(module)
    kept = _directory() / f"{module}-{_hash(home)}.kernels"
    entries = _read(kept)
    if entries is None:
        announce(COMPILING, {})
        entries = _compiled(home)
        if not _write(kept, entries):
            announce(NOT_KEPT, {"directory": str(kept.parent)})
    functions = dict(_public(home))
    return {name: _linked(functions[name], entry) for name, entry in entries.items()}


def _public(module: ModuleType) -> Iterator[tuple[str, FunctionType]]:
    for name, value in vars(module).items():
        own = isinstance(value, FunctionType) and value.__module__ == module.__name__
        if own and not name.startswith("_"):
            yield name, value


def _over_memory(function: FunctionType) -> Kernel:
    """Memoryviews instead of arrays: their items are Python's own integers."""
    kinds = _kinds(function)

    def call(*arguments: Any) -> int:
        found = function(*map(_view, kinds, arguments))
        return 0 if found is None else found

    return call


def _view(kind: str, argument: Any) -> Any:
    if kind == "Rows":
        return [row.data for row in argument]
    return getattr(argument, "data", argument)


def _sources(module: ModuleType) -> dict[str, str]:
    """The source of a kernel module and of those of ours that it imports from, by name."""
    found = {module.__name__: _source(module)}
    for home, name in _IMPORT.findall(found[module.__name__]):
        other = sys.modules.get(f"{home}.{name}") or sys.modules[home]
        if other.__name__ not in found:
            found |= _sources(other)
    return found


def _source(module: ModuleType) -> str:
    return Path(module.__file__ or "").read_text("utf-8")


def _hash(module: ModuleType) -> str:
    seen = [*_sources(module).values(), _source(sys.modules[__name__])]
    seen += [_version("numba"), _version("llvmlite"), sys.version, os.uname().machine, _processor()]
    return _digest("\0".join(seen).encode()).hex()[:32]


def _digest(data: bytes) -> bytes:
    from hashlib import sha256  # loads a library that those do not need who compile nothing

    return sha256(data).digest()


def _processor() -> str:
    """Which processor this is and what it can do, as the kernel or else LLVM says."""
    with suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as file:
        first = file.read(_ONE_PROCESSOR).partition("\n\n")[0].splitlines()
        lines = [line for line in first if line.startswith(_TELLING)]
        if any(line.startswith(_ABLE) for line in lines):
            return "\n".join(lines)
    import llvmlite.binding as llvm

    return f"{llvm.get_host_cpu_name()} {llvm.get_host_cpu_features().flatten()}"


def _version(package: str) -> str:
    """What the package says of its version. (importlib.metadata takes ten times as long.)"""
    spec = find_spec(package)
    places = spec.submodule_search_locations if spec else None
    return (Path(places[0]) / "_version.py").read_text("utf-8") if places else ""


def _directory() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "fourtuple"


def _read(path: Path) -> dict[str, _Entry] | None:
    """What is kept there; None where nothing is that may be trusted: it is code that will run."""
    with suppress(OSError, msgspec.MsgspecError, ValueError):
        with path.open("rb") as file:
            kept = os.fstat(file.fileno())
            if kept.st_uid != os.geteuid() or kept.st_mode & 0o022:
                return None
            data = file.read()
        if _digest(data[32:]) == data[:32]:
            return msgspec.msgpack.decode(data[32:], type=dict[str, _Entry])
    return None


def _write(path: Path, entries: Mapping[str, _Entry]) -> bool:
    """Keep them, all at once or not at all; whether that went well."""
    import tempfile

    data = msgspec.msgpack.encode(entries)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(_digest(data) + data)
        os.replace(file.name, path)
    except OSError:
        return False
    return True


def _compiled(module: ModuleType) -> dict[str, _Entry]:
    """Every public function as object code; helpers go into it, from other modules too."""
    jitted = _jitted(module, {})
    found = {}
    for name, function in _public(module):
        jitted[name].compile(_signature(function))
        (result,) = jitted[name].overloads.values()
        code = result.library._get_compiled_object()
        found[name] = _Entry(result.fndesc.llvm_func_name, code)
    return found


def _jitted(module: ModuleType, done: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The module's names, with functions that numba will compile when one calls them."""
    from numba import njit

    names: dict[str, Any] = {"__builtins__": __builtins__, "__name__": module.__name__}
    done[module.__name__] = names
    for name, value in vars(module).items():
        if isinstance(value, FunctionType):
            home = value.__module__
            if home != module.__name__:
                others = done.get(home) or _jitted(sys.modules[home], done)
                names[name] = others[value.__name__]
            else:
                copy = FunctionType(value.__code__, names, name, value.__defaults__)
                checked = not name.startswith("_unchecked")
                names[name] = njit(**_OPTIONS, boundscheck=checked, forceinline=True)(copy)
        elif not name.startswith("__"):
            names[name] = value
    return names


def _kinds(function: FunctionType) -> list[str]:
    """The annotation of each parameter, as the source has it (kernel modules postpone them)."""
    kinds = function.__annotations__
    return [str(kind) for name, kind in kinds.items() if name != "return"]


def _signature(function: FunctionType) -> tuple[Any, ...]:
    from numba import types

    known = {
        "Bytes": types.Array(types.uint8, 1, "C"),
        "Column": types.Array(types.int64, 1, "C"),
        "Table": types.Array(types.int64, 2, "C"),
        "Rows": types.Array(types.int64, 2, "C"),
        "int": types.int64,
    }
    return tuple(known[kind] for kind in _kinds(function))


def _linked(function: FunctionType, entry: _Entry) -> Kernel:
    """The object code as a function of numpy arrays.

    numba's convention for compiled functions: where to put the result, where to put a pointer to
    an exception, then each argument; of an array its owner (none), its parent (none), how many
    items of how many bytes, where, and its shape and strides. The result is 0 where all went well.
    """
    code = linked(entry.code, entry.symbol)
    kinds = _kinds(function)
    count = sum(5 + 2 * _DIMENSIONS[kind] if _DIMENSIONS[kind] else 1 for kind in kinds)
    prototype = ctypes.CFUNCTYPE(ctypes.c_int32, *[ctypes.c_void_p] * 2, *[ctypes.c_int64] * count)
    native = prototype(code.address)

    def call(*arguments: Any) -> int:
        assert code is not None  # lives as long as this function
        result, error = ctypes.c_int64(), ctypes.c_void_p()
        words = [
            word for kind, one in zip(kinds, arguments, strict=True) for word in _words(kind, one)
        ]
        if native(ctypes.addressof(result), ctypes.addressof(error), *words):
            raise RuntimeError(f"{function.__name__} reached beyond an array")
        return result.value

    return call


def _words(kind: str, argument: Any) -> tuple[int, ...]:
    """An argument as numba passes it."""
    dimensions = _DIMENSIONS[kind]
    if not dimensions:
        return (int(argument),)
    width = 1 if kind == "Bytes" else 8
    fits = argument.ndim == dimensions and argument.itemsize == width
    if not fits or not argument.flags.c_contiguous:
        raise TypeError(f"a kernel wants {kind}")
    return (0, 0, argument.size, width, _address(argument), *argument.shape, *argument.strides)


def _address(array: Any) -> int:
    """Where an array is. (numpy's own answer takes three times as long.)"""
    if array.size and array.flags.writeable:
        return ctypes.addressof(ctypes.c_char.from_buffer(array))
    return int(array.ctypes.data)
