"""Every verdict of one method: a byte a port, and how long the answer took. No I/O, no numpy.

A cell stands for one port of one target: target's number * ports + port's place. Objects are made
only for the ports that somebody looks at.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from fourtuple.scan.model import OPEN_CODES, Batch, PortResult, protocol_of, verdict_of

__all__ = ["Table"]


class Table:
    """`codes` has a `verdict_code` a cell, 0 where there is none."""

    def __init__(self, method: str, addresses: Sequence[str], ports: Sequence[int]) -> None:
        self.method = method
        self.protocol = protocol_of(method)
        self.addresses, self.ports = addresses, ports
        self.codes = bytearray(len(addresses) * len(ports))
        self._rtts_s = array("f", [-1.0]) * len(self.codes)

    def take(self, batch: Batch) -> None:
        """Keep what an engine tells. A later verdict on the same port takes the earlier one's
        place."""
        codes, rtts_s = self.codes, self._rtts_s
        for cell, code, rtt_s in zip(batch.cells, batch.codes, batch.rtts_s, strict=True):
            codes[cell] = code
            rtts_s[cell] = rtt_s

    def know(self, address: str, ports: Iterable[int], code: int) -> None:
        """Keep a verdict that an earlier scan gave. KeyError where it is of no cell of this one."""
        first = self._numbers[address] * len(self.ports)
        for port in ports:
            self.codes[first + self._places[port]] = code

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {address: number for number, address in enumerate(self.addresses)}

    @cached_property
    def _places(self) -> dict[int, int]:
        return {port: place for place, port in enumerate(self.ports)}

    def result(self, cell: int, rtt_s: float | None = None) -> PortResult:
        """What is known of a cell that has a verdict; `rtt_s` where it is known more exactly."""
        target, place = divmod(cell, len(self.ports))
        state, reason = verdict_of(self.codes[cell])
        known_s = self._rtts_s[cell] if rtt_s is None else rtt_s
        return PortResult(
            self.addresses[target], self.ports[place], self.protocol, state, reason,
            known_s if known_s >= 0 else None, self.method,
        )  # fmt: skip

    def told(self, batch: Batch, complete: bool) -> Iterator[PortResult]:
        """The results of a batch that was taken: all, or only those of open ports."""
        if not complete and not any(code in batch.codes for code in OPEN_CODES):
            return
        for cell, code, rtt_s in zip(batch.cells, batch.codes, batch.rtts_s, strict=True):
            if complete or code in OPEN_CODES:
                yield self.result(cell, rtt_s)

    def of_target(self, number: int) -> bytes:
        """The codes of the n-th target's ports, in their order."""
        width = len(self.ports)
        return bytes(self.codes[number * width : (number + 1) * width])

    def ports_of(self, address: str) -> dict[tuple[str, str], list[int]]:
        """(state, reason) -> the ports of a target that have that verdict."""
        found: dict[tuple[str, str], list[int]] = {}
        codes = self.of_target(self._numbers[address])
        for code in sorted(set(codes) - {0}):
            found[verdict_of(code)] = [
                port for port, one in zip(self.ports, codes, strict=True) if one == code
            ]
        return found

    def all(self) -> Iterator[PortResult]:
        """Every result, target by target and port by port."""
        return (self.result(cell) for cell, code in enumerate(self.codes) if code)

    def states(self) -> dict[str, int]:
        """state -> ports"""
        found: dict[str, int] = {}
        for code in set(self.codes) - {0}:
            state = verdict_of(code)[0]
            found[state] = found.get(state, 0) + self.codes.count(code)
        return found
