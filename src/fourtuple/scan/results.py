"""The results of a scan brought together, host by host; which ports to list and which to count."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from msgspec import Struct

from fourtuple.scan.model import PortResult, ScanSummary, State, verdict_of
from fourtuple.scan.services import service_name
from fourtuple.scan.targets import Target
from fourtuple.scan.verdicts import Table

__all__ = ["LISTED_AT_MOST", "HostResults", "Results", "Row", "Verdicts"]

#: more ports than this with the same verdict are counted, not listed; open ones always are
LISTED_AT_MOST = 20

#: (state, reason) by method; a method that did not ask is not in it
Verdicts = Mapping[str, tuple[str, str]]


class Row(Struct, frozen=True):
    """A port and what each method said of it."""

    port: int
    protocol: str
    verdicts: Verdicts
    rtt_s: float | None

    @property
    def service(self) -> str:
        """What the port is usually for."""
        return service_name(self.port, self.protocol)

    @property
    def is_open(self) -> bool:
        """Whether any method found it open."""
        return any(state == State.OPEN for state, _ in self.verdicts.values())


class HostResults(Struct, frozen=True):
    """What is known of one target: rows by port, and how many were only counted, by verdicts."""

    target: Target
    rows: list[Row]
    counted: list[tuple[int, str, Verdicts]]


class Results:
    """What is known: a table of verdicts and a summary of each method."""

    def __init__(self, targets: Iterable[Target], ports: Mapping[str, list[int]]) -> None:
        self.targets = list(targets)
        self.ports = ports  # method -> ports asked for
        self.summaries: dict[str, ScanSummary] = {}
        addresses = [one.address for one in self.targets]
        self.tables = {method: Table(method, addresses, asked) for method, asked in ports.items()}

    def all(self) -> Iterator[PortResult]:
        """Every result, method by method."""
        return chain.from_iterable(table.all() for table in self.tables.values())

    def open_ports(self, address: str, protocol: str = "tcp") -> list[int]:
        """The ports of a target that some method found open."""
        found: set[int] = set()
        for table in self.tables.values():
            if table.protocol == protocol:
                for (known, _), ports in table.ports_of(address).items():
                    found.update(ports if known == State.OPEN else ())
        return sorted(found)

    def judged(self, method: str, address: str) -> list[int]:
        """The ports of a target that a method has a verdict on."""
        return sorted(chain.from_iterable(self.tables[method].ports_of(address).values()))

    def hosts(self) -> Iterator[HostResults]:
        """Each target: the rows worth a line, and the rest counted."""
        by_ports: dict[str, list[Table]] = {}
        for table in self.tables.values():
            by_ports.setdefault(table.protocol, []).append(table)
        for number, target in enumerate(self.targets):
            host = HostResults(target, [], [])
            for tables in by_ports.values():
                _sort_out(tables, number, host)
            host.rows.sort(key=lambda row: (row.protocol, row.port))
            host.counted.sort(key=lambda one: -one[0])
            yield host


def _sort_out(tables: list[Table], number: int, host: HostResults) -> None:
    """Divide one target's ports of one protocol, which all methods ask the same of, into rows and
    counts."""
    columns = [table.of_target(number) for table in tables]
    # what was said of each port: one method's code, or a tuple of them
    said: Sequence[Any] = columns[0] if len(tables) == 1 else list(zip(*columns, strict=True))
    protocol = tables[0].protocol
    listed = {}
    for codes, count in Counter(said).items():
        verdicts = _verdicts(tables, codes)
        if count <= LISTED_AT_MOST or any(state == State.OPEN for state, _ in verdicts.values()):
            listed[codes] = verdicts
        elif verdicts:
            host.counted.append((count, protocol, verdicts))
    for place, codes in enumerate(said):
        if listed.get(codes):
            cell = number * len(said) + place
            times = [table.result(cell).rtt_s for table in tables if table.codes[cell]]
            rtt_s = min((time for time in times if time is not None), default=None)
            host.rows.append(Row(tables[0].ports[place], protocol, listed[codes], rtt_s))


def _verdicts(tables: list[Table], codes: int | tuple[int, ...]) -> Verdicts:
    several = (codes,) if isinstance(codes, int) else codes
    return {
        table.method: verdict_of(code) for table, code in zip(tables, several, strict=True) if code
    }
