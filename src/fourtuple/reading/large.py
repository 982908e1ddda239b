"""A capture of any size: surveyed, never all in memory (explain.overview)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from fourtuple.analyze.choice import Choice
from fourtuple.analyze.model import Connection
from fourtuple.analyze.survey.table import CLOSES, HANDSHAKES, ConnectionTable
from fourtuple.errors import CaptureDamaged
from fourtuple.event.model import Endpoint
from fourtuple.event.timeline import Timeline
from fourtuple.explain.columns import spotted
from fourtuple.explain.model import Finding
from fourtuple.explain.overview import Overview
from fourtuple.explain.text import Translator
from fourtuple.source.blocks import Capture, FrameBlock

if TYPE_CHECKING:
    from fourtuple.analyze.survey.seen import FrameColumns
    from fourtuple.render.lines import Kept

__all__ = ["Large"]

Bools = npt.NDArray[np.bool_]
Int64s = npt.NDArray[np.int64]
Announce = Callable[[str, Mapping[str, object]], None]


@dataclass
class Large:
    """What `reading.Whole` is for captures of few frames; `choice` tells what is asked for."""

    overview: Overview
    translator: Translator
    files: Sequence[str]
    choice: Choice = field(default_factory=Choice)
    surveyed: Literal[True] = True

    def choosing(self, choice: Choice) -> "Large":
        """The same capture, of which something else is asked for."""
        return Large(
            replace(self.overview, chosen=None if choice.everything else choice.rows),
            self.translator,
            self.files,
            choice,
        )

    @classmethod
    def of(
        cls,
        capture: Capture,
        translator: Translator,
        files: Sequence[str],
        announce: Announce | None = None,
    ) -> "Large":
        """Survey a capture; `announce` is told when kernels must be compiled first."""
        return cls(Overview.of(capture, announce), translator, files)

    @property
    def damage(self) -> CaptureDamaged | None:
        return self.overview.damage

    def __len__(self) -> int:
        return len(self.overview)

    @property
    def frames(self) -> int:
        return self.overview.frames

    @property
    def begin_ns(self) -> int | None:
        """When the first frame was seen, nanoseconds since 1970; None where there is none."""
        for block in self.overview.capture.blocks():
            return int(block.t_ns[0])
        return None

    def count(self) -> int:
        """How many connections are asked for."""
        if self.overview.chosen is None:
            return len(self.overview)
        return sum(map(len, self.overview.wanted()))

    def only(self) -> int | None:
        """The index of the connection asked for, where it is one."""
        found: list[int] = []
        for table in self.overview.wanted():
            found += table["index"][:2].tolist()
            if len(found) > 1:
                return None
        return found[0] if found else None

    def tunnels(self) -> dict[int, str]:
        """The names of the tunnels that connections asked for are in, by first frame."""
        found: dict[int, str] = {}
        for table in self.overview.wanted():
            names = map(self.overview.tunnels.get, table["tunnel"].tolist())
            pairs = zip(table["first_frame"].tolist(), names, strict=True)
            found |= {frame: name for frame, name in pairs if name}
        return found

    def with_findings(self, codes: Sequence[str]) -> set[int]:
        """The indices of those of which one of these findings is said."""
        marks = [f'{{"code":"{code}"'.encode() for code in codes]
        return {
            msgspec.json.decode(line)["connection"]
            for text in self.lines()
            for line in text.splitlines()
            if any(mark in line for mark in marks)
        }

    def lines(self) -> Iterator[bytes]:
        """The contract's connection objects, as JSON Lines, some thousand at a time."""
        from fourtuple.render.lines import connection_lines

        return connection_lines(self.overview, self.translator, self.files)

    def frame_lines(self, frame: int | None = None) -> Iterator[bytes]:
        """The contract's frame objects: of the connections asked for, or one frame."""
        from fourtuple.render.lines import frame_lines

        return frame_lines(self.overview, self._kept(), frame)

    def packets(self) -> Iterator[tuple[FrameBlock, "FrameColumns", Bools]]:
        """All frames as columns, and which of them are asked for."""
        from fourtuple.analyze.survey.seen import Roles

        roles, kept = Roles(self.overview.tables()), self._kept()
        for block, known in self.overview.seen():
            told = roles.columns(known, block.first_number)
            yield block, told, kept(block, told.connection)

    def _kept(self) -> "Kept":
        choice = self.choice
        # a frame of no connection has the index -1: the last
        loose = np.array([not choice.names_connections])
        mine = np.concatenate([*map(choice.rows, self.overview.tables()), loose])
        since, until = choice.since_ns, choice.until_ns

        def kept(block: FrameBlock, index: Int64s) -> Bools:
            found: Bools = mine[index]
            if since is not None:
                found &= block.t_ns >= since
            if until is not None:
                found &= block.t_ns <= until
            return found

        return kept

    def listed(self) -> tuple[list[Connection], list[Finding]]:
        """The connections asked for, without their segments, and what is said of them: for tables,
        where they are few."""
        from fourtuple.explain.catalog import findings

        overview, told = self.overview, list[Connection]()
        said: list[Finding] = []
        for table in overview.wanted():
            told += _connections(table)
            said += _findings(table, overview)
        for detail in overview.undecided():
            said += findings(detail.timeline, detail.connections.values())
        return told, sorted(said, key=lambda one: (one.connection, one.frames[:1]))

    def ends(self, index: int) -> tuple[Endpoint, Endpoint]:
        """Client and server of a connection. IndexError where there is none of that index."""
        for table in self.overview.tables():
            chosen = table["index"] == index
            if chosen.any():
                one = table.only(chosen)
                return one.clients[0], one.servers[0]
        raise IndexError(index)

    def detail(self, index: int) -> tuple[Timeline, Connection, bool]:
        """One connection with its segments, the timeline that it is in, and whether all of its
        segments are there. IndexError where there is no connection of that index."""
        detail = self.overview.detail(index)
        return detail.timeline, detail.connections[index], index not in detail.shortened


def _connections(table: ConnectionTable) -> Iterator[Connection]:
    """What a table's rows tell of connections, as far as another table shows it."""
    names = "index protocol family client_known start_ns end_ns first_frame handshake close"
    columns = zip(*(table[name].tolist() for name in names.split()), strict=True)
    ends = zip(table.clients, table.servers, strict=True)
    packets, octets = _pairs(table, "packets"), _pairs(table, "payload_bytes")
    for row, (client, server), sent, size in zip(columns, ends, packets, octets, strict=True):
        index, protocol, family, known, start_ns, end_ns, first, opened, closed = row
        yield Connection(
            index=index,
            protocol="tcp" if protocol == 6 else "udp",
            family=family,
            client=client,
            server=server,
            client_known=bool(known),
            start_ns=start_ns,
            end_ns=end_ns,
            frames=(first,),
            packets=sent,
            payload_bytes=size,
            handshake=HANDSHAKES[opened],
            close=CLOSES[closed],
        )


def _pairs(table: ConnectionTable, name: str) -> Iterator[tuple[int, int]]:
    return zip(table[f"client_{name}"].tolist(), table[f"server_{name}"].tolist(), strict=True)


def _findings(table: ConnectionTable, overview: Overview) -> Iterator[Finding]:
    """What columns tell: rule and evidence, without the numbers that sentences need."""
    found, index = overview.found, table["index"]
    for one in spotted(table, found.evidence, found.quoted):
        frames = one.frames(found.evidence)
        for row, evidence in zip(one.rows.tolist(), frames, strict=True):
            yield Finding(one.rule, int(index[row]), tuple(evidence))
