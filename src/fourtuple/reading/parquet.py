"""A directory of Parquet files: connections, resets, findings, packets (reading.tables).

A file is written beside its place and put there when it is complete, so that none is half there.
A row group has some ten thousand rows, which is what memory holds.
"""

import os
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fourtuple.errors import N_, FourtupleError
from fourtuple.reading.extras import extra
from fourtuple.reading.large import Large
from fourtuple.reading.tables import TABLES, arrow, packet_batches, record_batches, schema
from fourtuple.reading.whole import Whole

__all__ = ["NOT_WRITTEN", "write_parquet"]

_GROUP = 65_536
NOT_WRITTEN = N_("{path} cannot be written: {reason}.")


def write_parquet(reading: Whole | Large, directory: str) -> Mapping[str, int]:
    """Write what is asked for; files of the same names are replaced. How many rows each file has.

    CapabilityMissing without pyarrow, FourtupleError where the directory cannot be written.
    """
    parquet = extra("pyarrow.parquet", "parquet", "--parquet")
    try:
        os.makedirs(directory, exist_ok=True)
        with ExitStack() as stack:
            files = {
                name: stack.enter_context(_File(Path(directory, f"{name}.parquet"), name, parquet))
                for name in TABLES
            }
            for batches in record_batches(reading):
                for name, batch in batches.items():
                    files[name].add(batch)
            for batch in packet_batches(reading):
                files["packets"].add(batch)
            for file in files.values():
                file.complete()
            return {file.path.name: file.count for file in files.values()}
    except OSError as error:
        reason = error.strerror or str(error)
        raise FourtupleError(NOT_WRITTEN, {"path": directory, "reason": reason}) from None


@dataclass(slots=True)
class _File:
    """A table on its way to a file."""

    path: Path
    table: str
    parquet: Any
    count: int = 0
    _some: list[Any] = field(default_factory=list)
    _size: int = 0
    _writer: Any = None

    @property
    def _part(self) -> Path:
        return self.path.with_name(self.path.name + ".part")

    def __enter__(self) -> "_File":
        self._writer = self.parquet.ParquetWriter(self._part, schema(self.table))
        return self

    def add(self, batch: Any) -> None:
        self._some.append(batch)
        self._size += batch.num_rows
        if self._size >= _GROUP:
            self._flush()

    def _flush(self) -> None:
        made = arrow().Table.from_batches(self._some, schema(self.table))
        self._writer.write_table(made, row_group_size=max(1, made.num_rows))
        self.count += self._size
        self._some, self._size = [], 0

    def complete(self) -> None:
        """No more rows come: put the file where it belongs."""
        if self._some:
            self._flush()
        self._writer.close()
        self._part.replace(self.path)

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._writer.close()
        with suppress(OSError):
            self._part.unlink(missing_ok=True)
