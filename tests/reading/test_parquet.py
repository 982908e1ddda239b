"""Tables of Arrow and Parquet files."""

import math
import os
from pathlib import Path

import pytest

from analyze.crowds import crowd
from fourtuple.analyze.choice import Choice
from fourtuple.errors import CapabilityMissing, FourtupleError
from fourtuple.reading import extras, parquet, tables
from fourtuple.reading.parquet import write_parquet
from reading.kept import both, kept
from reading.test_ways import two

pyarrow = pytest.importorskip("pyarrow")
files = pytest.importorskip("pyarrow.parquet")
duckdb = pytest.importorskip("duckdb")

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "query-captures.md"


def table(way: object, name: str) -> object:
    batches = (
        tables.packet_batches(way)
        if name == "packets"
        else (found[name] for found in tables.record_batches(way))
    )
    return pyarrow.Table.from_batches(batches, tables.schema(name))


def rows(made: object) -> list[dict[str, object]]:
    """The rows; times as whole nanoseconds, for which Python's own have no room."""
    for number, field in enumerate(made.schema):
        if pyarrow.types.is_timestamp(field.type):
            made = made.set_column(number, field.name, made.column(number).cast("int64"))
    return made.to_pylist()


@pytest.mark.parametrize("name", tables.TABLES)
@pytest.mark.parametrize("seed", range(3))
def test_both_ways_give_the_same_tables(name: str, seed: int, tmp_path: Path) -> None:
    whole, large = both(kept(crowd(seed), tmp_path / "x.pcap"))
    for choice in (Choice(), Choice(ports=(40001,)), Choice(until_ns=3 * 10**9)):
        ours, theirs = (table(way.choosing(choice), name) for way in (whole, large))
        assert rows(ours) == rows(theirs)
        assert ours.schema == theirs.schema


def test_several_files_are_named_for_each_packet(tmp_path: Path) -> None:
    first, second = (kept(crowd(seed), tmp_path / f"{seed}.pcap") for seed in (1, 2))
    whole, large = both(first, second)
    ours, theirs = rows(table(whole, "packets")), rows(table(large, "packets"))
    assert ours == theirs
    assert {row["file"] for row in ours} == {"1.pcap", "2.pcap"}


def test_the_files_hold_what_the_tables_do_and_nothing_else_is_left(tmp_path: Path) -> None:
    whole, _ = both(kept(two(), tmp_path / "x.pcap"))
    counts = write_parquet(whole, str(tmp_path / "out"))
    assert sorted(os.listdir(tmp_path / "out")) == sorted(counts)
    for name, count in counts.items():
        read = files.read_table(tmp_path / "out" / name)
        assert read.num_rows == count
        assert rows(read) == rows(table(whole, name.removesuffix(".parquet")))
    assert counts["connections.parquet"] == 2
    assert counts["packets.parquet"] == whole.frames


def test_many_rows_are_several_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "_GROUP", 1)
    whole, _ = both(kept(crowd(1), tmp_path / "x.pcap"))
    monkeypatch.setattr(tables, "_ROWS", 10)
    write_parquet(whole, str(tmp_path))
    made = files.ParquetFile(tmp_path / "packets.parquet")
    assert made.num_row_groups == math.ceil(whole.frames / 10)


def test_the_documented_query_tells_which_server_resets_most_and_why(tmp_path: Path) -> None:
    whole, _ = both(kept(two(), tmp_path / "x.pcap"))
    write_parquet(whole, str(tmp_path / "tables"))
    _, _, rest = GUIDE.read_text("utf-8").partition("```sql\n")
    query = rest.partition("```")[0].replace("'tables/", f"'{tmp_path}/tables/")
    (row,) = duckdb.sql(query).fetchall()
    (reset,) = table(whole, "resets").to_pylist()
    assert row == ("10.77.0.2", 81, reset["cause"], 1, 1)


def test_a_directory_that_cannot_be_is_told_of(tmp_path: Path) -> None:
    path = kept(two(), tmp_path / "x.pcap")
    whole, _ = both(path)
    with pytest.raises(FourtupleError, match=r"x.pcap.* cannot be written: "):
        write_parquet(whole, str(path / "out"))


def test_what_was_begun_is_removed_where_writing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = both(kept(two(), tmp_path / "x.pcap"))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(parquet, "packet_batches", full)
    with pytest.raises(FourtupleError, match="No space left on device"):
        write_parquet(whole, str(tmp_path / "out"))
    assert os.listdir(tmp_path / "out") == []


def test_without_the_extra_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(extras, "import_module", missing)
    with pytest.raises(CapabilityMissing) as caught:
        tables.arrow()
    assert "pyarrow" in str(caught.value)
    assert "fourtuple[parquet]" in str(caught.value)
