"""The results of a scan brought together, host by host; which ports to list and which to count."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from fourtuple.scan.model import PortResult, ScanSummary, State, protocol_of
from fourtuple.scan.services import service_name
from fourtuple.scan.targets import Target

__all__ = ["DELIVERED", "LISTED_AT_MOST", "HostResults", "Results", "Row"]

#: more ports than this with the same verdict are counted, not listed; open ones always are
LISTED_AT_MOST = 20
#: in a large scan, the states of which each port is kept; closed ones are counted
DELIVERED = frozenset((State.OPEN, State.FILTERED, State.UNFILTERED, State.OPEN_FILTERED))

#: (state, reason) by method; a method that did not ask is not in it
Verdicts = Mapping[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Row:
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


@dataclass(frozen=True, slots=True)
class HostResults:
    """What is known of one target: rows by port, and how many were only counted, by verdicts."""

    target: Target
    rows: list[Row]
    counted: list[tuple[int, str, Verdicts]]


class Results:
    """Collects results; a method's summary tells what was only counted."""

    def __init__(self, targets: Iterable[Target], ports: Mapping[str, list[int]]) -> None:
        self.targets = list(targets)
        self.ports = ports  # method -> ports asked for
        self.summaries: dict[str, ScanSummary] = {}
        self._found: dict[str, dict[tuple[str, int], dict[str, PortResult]]] = {
            one.address: {} for one in self.targets
        }

    def add(self, result: PortResult) -> None:
        """Keep a result. A later one of the same method and port takes its place."""
        ports = self._found.setdefault(result.address, {})
        ports.setdefault((result.protocol, result.port), {})[result.method] = result

    def all(self) -> Iterator[PortResult]:
        """Every result kept, host by host and port by port."""
        for ports in self._found.values():
            for key in sorted(ports):
                yield from ports[key].values()

    def open_ports(self, address: str, protocol: str = "tcp") -> list[int]:
        """The ports of a target that some method found open."""
        return sorted(
            port
            for (kind, port), by_method in self._found.get(address, {}).items()
            if kind == protocol and any(r.state == State.OPEN for r in by_method.values())
        )

    def hosts(self) -> Iterator[HostResults]:
        """Each target: the rows worth a line, and the rest counted."""
        for target in self.targets:
            ports = self._found[target.address]
            rows = [_row(port, kind, ports[kind, port]) for kind, port in sorted(ports)]
            sizes = Counter(_key(row) for row in rows)
            listed = [row for row in rows if row.is_open or sizes[_key(row)] <= LISTED_AT_MOST]
            rest = Counter(
                _key(row) for row in rows if not row.is_open and sizes[_key(row)] > LISTED_AT_MOST
            )
            counted = [(n, kind, dict(verdicts)) for (kind, verdicts), n in rest.most_common()]
            yield HostResults(target, listed, [*counted, *self._undelivered(target.address)])

    def _undelivered(self, address: str) -> Iterator[tuple[int, str, Verdicts]]:
        """Closed ports of a large scan: those asked for that are in no row."""
        ports = self._found[address]
        for method, summary in self.summaries.items():
            if not self._counted_only(method):
                continue
            protocol = protocol_of(method)
            known = sum(method in by for (kind, _), by in ports.items() if kind == protocol)
            missing = len(summary.left.get(address, ())) + known
            reasons = [reason for state, reason in summary.counts if state == State.CLOSED]
            shard = self._not_ours(method)
            rest = len(self.ports[method]) - missing - shard
            if rest > 0 and reasons:
                yield rest, protocol, {method: (State.CLOSED, reasons[0])}

    def _counted_only(self, method: str) -> int:
        """How many closed ports, of all targets together, were counted and not kept."""
        kept = sum(one.method == method and one.state == State.CLOSED for one in self.all())
        return self.summaries[method].states().get(State.CLOSED, 0) - kept

    def _not_ours(self, method: str) -> int:
        """How many of a target's ports other shards have; known for a single target only."""
        summary = self.summaries[method]
        judged = sum(summary.counts.values()) + sum(map(len, summary.left.values()))
        return len(self.ports[method]) - judged if len(self.targets) == 1 else 0


def _key(row: Row) -> tuple[str, tuple[tuple[str, tuple[str, str]], ...]]:
    return row.protocol, tuple(sorted(row.verdicts.items()))


def _row(port: int, protocol: str, by_method: Mapping[str, PortResult]) -> Row:
    verdicts = {method: (one.state, one.reason) for method, one in by_method.items()}
    times = [one.rtt_s for one in by_method.values() if one.rtt_s is not None]
    return Row(port, protocol, verdicts, min(times, default=None))
