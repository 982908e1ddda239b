"""Object code put into memory, ready to be called.

LLVM's linker does this for every machine and every object, and takes 50 ms to load. What LLVM makes
of a kernel on x86-64 is plain: sections, in which addresses of other sections are to be filled in,
and nothing from elsewhere. Such an object is done here; LLVM's linker gets any other, and those
that the system does not let become executable. The bytes are trusted: they are code that will run.
"""

import ctypes
import mmap
import struct
from collections.abc import Iterator

import msgspec

__all__ = ["Linked", "linked"]

# System V ABI, "Linking"; AMD64 supplement, section 4.4
_MAGIC = b"\x7fELF\x02\x01\x01"  # 64 bits, little-endian
_RELOCATABLE, _X86_64 = 1, 62
_HEADER, _SECTION, _SYMBOL, _RELOCATION = map(
    struct.Struct, ("<16xHHI3QI6H", "<IIQQQQIIQQ", "<IBBHQQ", "<QQq")
)
_SYMBOLS, _RELOCATIONS = 2, 4
_WRITTEN, _IN_MEMORY = 1, 2  # SHF_WRITE, SHF_ALLOC
_ABSOLUTE_64 = 1  # R_X86_64_64


class _Section(msgspec.Struct):
    """A part of the object; `place` is where it is in memory, from the beginning, if it is."""

    kind: int
    data: bytes
    link: int
    info: int
    place: int | None = None


class Linked(msgspec.Struct, frozen=True):
    """Code in memory, for as long as its owner lives; `address` is where the symbol is."""

    owner: object
    address: int


class _Unknown(Exception):
    """The object has something that only a real linker knows."""


def linked(code: bytes, symbol: str) -> Linked:
    """Put an object into memory; `symbol` names the function that will be called."""
    try:
        return _placed(code, symbol)
    except (_Unknown, OSError):
        return _linked_by_llvm(code, symbol)


def _placed(code: bytes, symbol: str) -> Linked:
    sections, size = _laid_out(code)
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE)
    begin = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for section in sections:
        if section.place is not None:
            memory[section.place : section.place + len(section.data)] = section.data
    table = next(one for one in sections if one.kind == _SYMBOLS)
    symbols = list(_SYMBOL.iter_unpack(table.data))
    for where, value in _addresses(sections, symbols):
        struct.pack_into("<Q", memory, where, begin + value)
    names = sections[table.link].data
    entry = next(one for one in symbols if _named(names, one[0]) == symbol.encode())
    address = begin + _value(sections, entry)
    _make_executable(begin, size)
    return Linked(memory, address)


def _laid_out(code: bytes) -> tuple[list[_Section], int]:
    """The sections, those that belong in memory one after the other, and how much that takes."""
    kind, machine, _, _, _, begin, *_, count, _ = _HEADER.unpack_from(code)
    if code[: len(_MAGIC)] != _MAGIC or (kind, machine) != (_RELOCATABLE, _X86_64):
        raise _Unknown
    sections, size = [], 0
    for number in range(count):
        row = _SECTION.unpack_from(code, begin + number * _SECTION.size)
        _, kind, flags, _, at, length, link, info, alignment, _ = row
        section = _Section(kind, code[at : at + length], link, info)
        if flags & _IN_MEMORY:
            if flags & _WRITTEN:
                raise _Unknown
            size += -size % max(1, alignment)
            section.place = size
            size += length
        sections.append(section)
    return sections, max(1, size)


def _addresses(
    sections: list[_Section], symbols: list[tuple[int, ...]]
) -> Iterator[tuple[int, int]]:
    """Where an address is to be written, and which, both from the beginning."""
    for section in sections:
        if section.kind != _RELOCATIONS:
            continue
        target = sections[section.info].place
        for offset, info, addend in _RELOCATION.iter_unpack(section.data):
            if info & 0xFFFFFFFF != _ABSOLUTE_64 or target is None:
                raise _Unknown
            yield target + offset, _value(sections, symbols[info >> 32]) + addend


def _value(sections: list[_Section], symbol: tuple[int, ...]) -> int:
    """Where a symbol is, from the beginning."""
    _, _, _, section, value, _ = symbol
    place = sections[section].place if 0 < section < len(sections) else None
    if place is None:
        raise _Unknown
    return place + value


def _named(names: bytes, at: int) -> bytes:
    return names[at : names.index(b"\0", at)]


def _make_executable(address: int, size: int) -> None:
    """From now on the code can be run, and not be changed."""
    change = ctypes.CDLL(None, use_errno=True).mprotect
    change.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    if change(address, size, mmap.PROT_READ | mmap.PROT_EXEC):
        raise OSError(ctypes.get_errno(), "mprotect")


def _linked_by_llvm(code: bytes, symbol: str) -> Linked:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_triple(llvm.get_process_triple())
    machine = target.create_target_machine(jit=True)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    engine.add_object_file(llvm.object_file.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return Linked(engine, engine.get_function_address(symbol))
