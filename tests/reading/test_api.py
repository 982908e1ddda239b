"""`fourtuple.read`: captures for Python programs."""

import doctest
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest

import fourtuple
from analyze.crowds import crowd
from fourtuple.analyze.survey.table import FACTS
from fourtuple.errors import InputError
from fourtuple.event.recording import encode_recording
from fourtuple.reading import Reading, opening
from reading.kept import kept
from reading.test_ways import two
from render.scene import Scene

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "use-from-python.md"


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return kept(two(), tmp_path / "page.pcap")


@pytest.fixture(params=["whole", "surveyed"])
def reading(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, page: Path) -> Reading:
    """The same capture both ways: a survey is made of what has more than so many frames."""
    monkeypatch.setattr(opening, "_FEW_FRAMES", 0 if request.param == "surveyed" else 100)
    return fourtuple.read(page)


def test_importing_the_package_loads_no_numpy() -> None:
    code = "import sys, fourtuple; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_connections_are_a_sequence(reading: Reading) -> None:
    connections = reading.connections
    assert len(connections) == 2
    assert [one.index for one in connections] == [0, 1]
    assert connections[-1].record == connections[1].record
    assert [one.record for one in connections[:]] == [one.record for one in connections]
    with pytest.raises(IndexError):
        connections[2]


def test_a_connection_tells_what_the_contract_tells(reading: Reading) -> None:
    exchange, refused = reading.connections
    assert (exchange.protocol, exchange.handshake, exchange.close) == (
        "tcp",
        "complete",
        "four-segment",
    )
    assert (str(refused.client), str(refused.server)) == ("10.77.0.1:40009", "10.77.0.2:81")
    assert [reset["cause"] for reset in refused.resets] == ["port-closed"]
    assert "connection-refused" in refused.codes
    assert refused.findings[0]["frames"]


def test_its_segments_come_when_asked_for(reading: Reading) -> None:
    exchange = reading.connections[0]
    assert len(exchange.segments) == 11
    assert exchange.segments[0].flags == 2
    assert exchange.facts.close == exchange.close
    text = exchange.explain(width=120)
    assert "four-tuple  TCP 10.77.0.1:40000 → 10.77.0.2:8888" in text


def test_what_is_shown_in_a_notebook_is_harmless(tmp_path: Path) -> None:
    path = kept(two(), tmp_path / "<script>.pcap")
    reading = fourtuple.read(path)
    html = reading._repr_html_()
    assert "<script>" not in html
    assert html.count("<tr>") == 3
    assert reading.connections[0]._repr_html_().startswith("<pre>")
    assert "2 connections, 13 frames" in repr(reading)


def test_damage_is_told_and_what_came_before_is_there(page: Path) -> None:
    page.write_bytes(page.read_bytes()[:-3])
    reading = fourtuple.read(page)
    assert reading.damage is not None
    assert len(reading.connections) == 2
    assert "damaged" in repr(reading)
    assert reading.frames == 12


def test_what_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        fourtuple.read(tmp_path / "none.pcap")


def test_a_stream_is_read_too_and_a_recording(page: Path) -> None:
    with fourtuple.read(io.BytesIO(page.read_bytes())) as reading:
        assert len(reading.connections) == 2
    recording = fourtuple.read(io.BytesIO(encode_recording(Scene().exchange())))
    assert "handshake" in recording.connections[0].explain() or recording.frames == 11


def test_tables_are_made_of_arrow(reading: Reading) -> None:
    pytest.importorskip("pyarrow")
    assert reading.to_arrow()["close"].to_pylist() == ["four-segment", "reset"]
    assert reading.to_arrow("packets").num_rows == reading.frames
    assert reading.to_arrow("resets")["cause"].to_pylist() == ["port-closed"]
    assert "connection-refused" in reading.to_arrow("findings")["code"].to_pylist()
    with pytest.raises(KeyError):
        reading.to_arrow("cars")


def test_facts_are_the_columns_of_the_survey_themselves(reading: Reading) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    facts = reading.to_arrow("facts")
    assert tuple(facts.column_names) == FACTS
    assert facts["client_packets"].to_pylist() == [6, 1]
    before = pyarrow.total_allocated_bytes()
    again = reading.to_arrow("facts")
    assert again.num_rows == 2
    assert pyarrow.total_allocated_bytes() == before


def test_the_guide_runs_as_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyarrow")
    pytest.importorskip("matplotlib")
    kept(two(), tmp_path / "page.pcap")
    monkeypatch.chdir(tmp_path)
    tests = doctest.DocTestParser().get_doctest(
        GUIDE.read_text("utf-8"), {}, "use-from-python.md", str(GUIDE), 0
    )
    assert len(tests.examples) > 10
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    output = io.StringIO()
    assert runner.run(tests, out=output.write).failed == 0, output.getvalue()


def test_the_number_of_connections_is_that_of_the_survey(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = kept(crowd(3), tmp_path / "crowd.pcap")
    whole = fourtuple.read(path)
    monkeypatch.setattr(opening, "_FEW_FRAMES", 0)
    large = fourtuple.read(path)
    assert re.sub("<Reading .*: ", "", repr(whole)) == re.sub("<Reading .*: ", "", repr(large))
    assert [one.record for one in whole.connections] == [one.record for one in large.connections]
