"""Connections and frames as CSV."""

import csv
import io
from typing import Any

from fourtuple.analyze import connections
from fourtuple.explain.catalog import findings
from fourtuple.explain.text import Translator
from fourtuple.render.csvout import FRAME_COLUMNS, connections_csv, frames_csv
from fourtuple.render.flat import COLUMNS, flat
from fourtuple.render.jsonout import connection_objects, frame_objects
from story import exchange, refused


def records(file: str = "x.pcap") -> list[dict[str, Any]]:
    timeline = exchange().timeline()
    found = connections(timeline)
    return list(connection_objects(timeline, found, findings(timeline, found), Translator(), file))


def rows(texts: Any) -> list[list[str]]:
    return list(csv.reader(io.StringIO("".join(texts), newline="")))


def test_a_column_is_called_as_its_path_in_the_object() -> None:
    (record,) = records()
    row = flat(record)
    assert tuple(row) == tuple(COLUMNS)
    assert row["client_address"] == record["client"]["address"]
    assert row["packets_server"] == record["packets"]["server"]
    assert row["rtt_s_client_mean"] == record["rtt_s"]["client"]["mean"]
    assert row["counts_keep_alive"] == record["counts"]["keep_alive"]
    assert row["repeats_server_dsack"] == record["repeats"]["server"]["dsack"]


def test_nothing_of_an_object_is_left_out() -> None:
    (record,) = records()
    values: list[object] = []

    def gather(part: Any) -> None:
        for value in part.values() if isinstance(part, dict) else ():
            gather(value) if isinstance(value, dict) else values.append(value)

    gather({k: v for k, v in record.items() if k not in ("kind", "findings", "resets")})
    told = list(flat(record).values())
    for value in values:
        assert value in told


def test_the_first_reset_stands_for_all() -> None:
    timeline = refused().timeline()
    found = connections(timeline)
    said = findings(timeline, found)
    (record,) = connection_objects(timeline, found, said, Translator(), "x")
    row = flat(record)
    assert (row["reset_cause"], row["reset_from"], row["resets"]) == ("port-closed", "server", 1)
    assert row["findings"] == ["connection-refused"]


def test_a_datagram_has_no_handshake() -> None:
    row = flat({"protocol": "udp", "findings": []})
    assert row["handshake"] is None
    assert row["resets"] == 0


def test_lines_end_as_the_standard_wants_and_odd_names_are_quoted() -> None:
    texts = list(connections_csv(records('a,"b"\n.pcap')))
    assert "".join(texts).endswith("\r\n")
    head, row = rows(texts)
    assert row[head.index("file")] == 'a,"b"\n.pcap'
    assert row[head.index("sack")] == "true"


def test_no_spreadsheet_takes_a_name_for_a_formula() -> None:
    head, row = rows(connections_csv(records("=1+1")))
    assert row[head.index("file")] == "'=1+1"


def test_frames_have_their_columns_and_notes_are_parted_by_blanks() -> None:
    timeline = exchange().timeline()
    objects = list(frame_objects(timeline, connections(timeline)))
    objects[0]["notes"] = ["retransmission", "by_timer"]
    head, first, *rest = rows(frames_csv(objects))
    assert head == [*FRAME_COLUMNS]
    assert first[head.index("notes")] == "retransmission by_timer"
    assert first[head.index("ack")] == ""
    assert len(rest) == len(objects) - 1
    assert {name for item in objects for name in item} - {"kind"} <= set(head)


def test_no_rows_are_a_header_alone() -> None:
    assert rows(connections_csv([])) == [[*COLUMNS]]
