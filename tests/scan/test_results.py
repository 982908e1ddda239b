"""Verdicts kept and shown: which ports get a line, which are counted."""

from array import array

from hypothesis import given
from hypothesis import strategies as st

from fourtuple.scan import model
from fourtuple.scan.model import Batch, verdict_code, verdict_of
from fourtuple.scan.results import LISTED_AT_MOST, Results
from fourtuple.scan.targets import Target

STATES = [text for name, text in vars(model.State).items() if name.isupper()]
REASONS = [text for name, text in vars(model.Reason).items() if name.isupper()]


def test_every_verdict_has_a_code_of_one_byte_that_is_not_0_nor_255() -> None:
    pairs = [(state, reason) for state in STATES for reason in REASONS]
    codes = [verdict_code(*pair) for pair in pairs]
    assert [verdict_of(code) for code in codes] == pairs
    assert len(set(codes)) == len(codes)
    assert 0 < min(codes) <= max(codes) < 255


def results(ports: int = 200, methods: tuple[str, ...] = ("syn",)) -> Results:
    targets = [Target("10.0.0.1"), Target("10.0.0.2")]
    return Results(targets, {method: list(range(1, ports + 1)) for method in methods})


def test_many_ports_of_one_verdict_are_counted_and_open_ones_always_listed() -> None:
    found = results()
    table = found.tables["syn"]
    table.know("10.0.0.1", range(1, 101), verdict_code("filtered", "no-response"))
    table.know("10.0.0.1", range(101, 131), verdict_code("open", "syn-ack"))
    table.know("10.0.0.1", range(131, 131 + LISTED_AT_MOST), verdict_code("closed", "reset"))
    first, second = found.hosts()
    assert [row.port for row in first.rows] == list(range(101, 131 + LISTED_AT_MOST))
    assert first.counted == [(100, "tcp", {"syn": ("filtered", "no-response")})]
    assert (second.rows, second.counted) == ([], [])  # nothing is known of it
    assert found.open_ports("10.0.0.1") == list(range(101, 131))
    assert found.open_ports("10.0.0.1", "udp") == []


def test_methods_are_compared_port_by_port() -> None:
    found = results(2, ("syn", "fin", "udp"))
    found.tables["syn"].know("10.0.0.2", [2], verdict_code("open", "syn-ack"))
    found.tables["fin"].know("10.0.0.2", [2], verdict_code("open|filtered", "no-response"))
    found.tables["udp"].know("10.0.0.2", [2], verdict_code("closed", "port-unreach"))
    tcp, udp = list(found.hosts())[1].rows
    assert tcp.verdicts == {"syn": ("open", "syn-ack"), "fin": ("open|filtered", "no-response")}
    assert (udp.protocol, udp.verdicts) == ("udp", {"udp": ("closed", "port-unreach")})
    assert tcp.is_open
    assert not udp.is_open


def batch(*verdicts: tuple[int, str, str, float]) -> Batch:
    codes = bytes(verdict_code(state, reason) for _, state, reason, _ in verdicts)
    cells, rtts_s = [cell for cell, *_ in verdicts], [one[3] for one in verdicts]
    return Batch(array("q", cells), codes, array("d", rtts_s))


def test_whoever_wants_open_ports_alone_is_told_no_other() -> None:
    table = results().tables["syn"]
    found = batch((0, "closed", "reset", 0.001), (201, "open", "syn-ack", 0.25))
    table.take(found)
    (told,) = table.told(found, complete=False)
    assert (told.address, told.port, told.state, told.rtt_s) == ("10.0.0.2", 2, "open", 0.25)
    assert [one.port for one in table.told(found, complete=True)] == [1, 2]


def test_silence_took_no_time() -> None:
    table = results().tables["syn"]
    table.take(batch((7, "filtered", "no-response", -1.0)))
    assert table.result(7).rtt_s is None


@given(st.dictionaries(st.integers(0, 399), st.sampled_from(STATES)))
def test_all_that_was_taken_is_there(verdicts: dict[int, str]) -> None:
    found = results()
    table = found.tables["syn"]
    table.take(batch(*((cell, state, "reset", 0.5) for cell, state in verdicts.items())))
    kept = {(one.address, one.port): one.state for one in found.all()}
    assert kept == {
        (f"10.0.0.{cell // 200 + 1}", cell % 200 + 1): state for cell, state in verdicts.items()
    }
    assert sum(table.states().values()) == len(verdicts)
    listed = sum(len(host.rows) for host in found.hosts())
    counted = sum(count for host in found.hosts() for count, *_ in host.counted)
    assert listed + counted == len(verdicts)
