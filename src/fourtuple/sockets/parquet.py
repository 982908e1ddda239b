"""Sockets as a Parquet file, a row a socket, with the columns of CSV."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fourtuple.errors import FourtupleError
from fourtuple.reading.extras import extra
from fourtuple.reading.parquet import NOT_WRITTEN
from fourtuple.sockets.records import COLUMNS, flat_record

__all__ = ["write_sockets"]


def write_sockets(records: Sequence[Mapping[str, Any]], directory: str) -> int:
    """Write DIRECTORY/sockets.parquet, put in its place when it is complete; how many rows it has.

    CapabilityMissing without pyarrow, FourtupleError where the directory cannot be written.
    """
    arrow = extra("pyarrow", "parquet", "--parquet")
    parquet = extra("pyarrow.parquet", "parquet", "--parquet")
    kinds = {"int": arrow.uint64(), "float": arrow.float64(), "text": arrow.string()}
    schema = arrow.schema([(name, kinds[kind]) for name, kind in COLUMNS.items()])
    table = arrow.Table.from_pylist([flat_record(one) for one in records], schema)
    path = Path(directory, "sockets.parquet")
    part = path.with_name(path.name + ".part")
    try:
        os.makedirs(directory, exist_ok=True)
        try:
            parquet.write_table(table, part)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise FourtupleError(NOT_WRITTEN, {"path": directory, "reason": reason}) from None
    return len(records)
