"""fourtuple and tshark on one capture, connection by connection, and by what name they differ.

`compare` matches the connections of both and sorts out those that differ: each difference is of one
of the named classes of `EXPLAINED`, or it is not explained, which is a fault of one of the two.
docs/explanation/differences-from-tshark.md tells the same to readers.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fourtuple.explain.overview import Overview
from fourtuple.explain.text import Translator
from fourtuple.render.lines import connection_lines
from fourtuple.source import Capture
from oracle.tshark import LOSS_WORDS, Connection, differences, tshark_connections

__all__ = ["EXPLAINED", "Comparison", "compare", "surveyed"]

#: property -> our value and tshark's
Differing = dict[str, tuple[Any, Any]]
_TIMES = {"start", "duration_s"}
_AMOUNTS = {"packets", "payload_bytes", "resets", *_TIMES}


def surveyed(path: Path) -> list[Connection]:
    """What `fourtuple read --json` prints."""
    with Capture.of(str(path)) as capture:
        text = b"".join(connection_lines(Overview.of(capture), Translator("en"), ["x.pcap"]))
    return [json.loads(line) for line in text.splitlines()]


@dataclass(frozen=True, slots=True)
class Pair:
    """A connection as both see it; `lives` are how many each finds on its four-tuple."""

    ours: Connection | None
    theirs: Connection | None
    lives: tuple[int, int]
    differ: Differing

    @property
    def names(self) -> set[str]:
        return set(self.differ)

    @property
    def any(self) -> Connection:
        found = self.ours or self.theirs
        assert found is not None
        return found

    @property
    def lossy(self) -> bool:
        words = [one["counts"] for one in (self.ours, self.theirs) if one and "counts" in one]
        return any(counts[word] for counts in words for word in LOSS_WORDS)


def _one_segment(pair: Pair) -> bool:
    """Of a stream of one segment that is no SYN tshark's completeness is 0: it writes the field
    down before it takes the segment in. Ours has the bit."""
    assert pair.ours is not None
    alone = sum(pair.ours["packets"].values()) == 1
    return pair.names == {"completeness"} and alone and pair.differ["completeness"][1] == 0


def _stale_syn(pair: Pair) -> bool:
    """A server that has forgotten a connection answers a late copy of its SYN as a new one, with
    another number. Ours is then another life of the four-tuple; tshark's stream goes on."""
    mine, theirs = pair.lives
    told = {"connection", *_AMOUNTS, *LOSS_WORDS, "window_update", "reused_ports"}
    return mine > theirs and pair.names <= told


def _fragments(pair: Pair) -> bool:
    """A datagram in fragments: ours begins with the first fragment, and is there if the last one
    is not; tshark's is there when all are."""
    return pair.any["protocol"] == "udp" and pair.names <= _AMOUNTS


def _latest_offer(pair: Pair) -> bool:
    """The SYN+ACK was repeated with other options: ours go by the latest, tshark's first is what
    the oracle looks at."""
    offers = {"mss", "window_scale", "timestamps", "sack"}
    others = pair.names - offers
    return pair.names != others and others <= {"duplicate_ack"} and _counted(pair, "retransmission")


def _counts_anew(pair: Pair) -> bool:
    """After a SYN that is repeated behind a RST tshark calls equal ACKs duplicates, though the
    RST's number was higher; after any other SYN it does not."""
    return pair.names == {"duplicate_ack"} and _counted(pair, "retransmission") and _reset(pair)


def _counted(pair: Pair, word: str) -> bool:
    return pair.ours is not None and pair.ours["counts"][word] > 0


def _reset(pair: Pair) -> bool:
    return pair.ours is not None and bool(pair.ours["resets"])


#: the short list of explained differences
EXPLAINED: dict[str, Callable[[Pair], bool]] = {
    "another life": _stale_syn,
    "one segment": _one_segment,
    "fragments": _fragments,
    "latest offer": _latest_offer,
    "counted anew": _counts_anew,
}


@dataclass(slots=True)
class Comparison:
    """How many connections there were, and those that differ by the name of their class."""

    connections: int = 0
    lossy: int = 0
    explained: dict[str, list[Pair]] = field(default_factory=dict)
    unexplained: list[Pair] = field(default_factory=list)

    @property
    def differing(self) -> list[Pair]:
        return [*(pair for found in self.explained.values() for pair in found), *self.unexplained]

    @property
    def agreement(self) -> tuple[float, float]:
        """The share of all connections on which both agree, and of those with a word of loss."""
        lossy = sum(pair.lossy for pair in self.differing)
        return (
            1 - len(self.differing) / max(self.connections, 1),
            1 - lossy / max(self.lossy, 1),
        )

    def add(self, other: "Comparison") -> None:
        self.connections += other.connections
        self.lossy += other.lossy
        self.unexplained += other.unexplained
        for name, pairs in other.explained.items():
            self.explained.setdefault(name, []).extend(pairs)

    def table(self) -> str:
        every, lossy = self.agreement
        lines = [
            f"{self.connections:9,} connections: both say the same of {every:.2%}",
            f"{self.lossy:9,} of them with a word of loss: {lossy:.2%}",
        ]
        lines += [f"{len(pairs):9,} {name}" for name, pairs in sorted(self.explained.items())]
        lines += [f"{len(self.unexplained):9,} not explained"]
        return "\n".join(lines)


def compare(path: Path) -> Comparison:
    """Both on one capture."""
    found = Comparison()
    for pair in _pairs(surveyed(path), tshark_connections(path)):
        found.connections += 1
        found.lossy += pair.lossy
        if pair.differ:
            name = next((name for name, holds in EXPLAINED.items() if holds(pair)), None)
            kept = found.explained.setdefault(name, []) if name else found.unexplained
            kept.append(pair)
    return found


def _pairs(ours: Iterable[Connection], theirs: Iterable[Connection]) -> Iterator[Pair]:
    """The n-th connection of a four-tuple is matched with the other's n-th."""
    mine, other = _numbered(ours), _numbered(theirs)
    lives = [Counter(ends for ends, _ in found) for found in (mine, other)]
    for key in mine | other:
        one, two = mine.get(key), other.get(key)
        there = {"connection": (one is not None, two is not None)}
        differ = dict(differences(one, two)) if one and two else there
        yield Pair(one, two, (lives[0][key[0]], lives[1][key[0]]), differ)


def _numbered(found: Iterable[Connection]) -> dict[tuple[Any, int], Connection]:
    counted: Counter[Any] = Counter()
    numbered = {}
    for one in found:
        ends = frozenset((one[role]["address"], one[role]["port"]) for role in ("client", "server"))
        counted[one["protocol"], ends] += 1
        numbered[(one["protocol"], ends), counted[one["protocol"], ends]] = one
    return numbered
