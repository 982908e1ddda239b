"""tshark beside us on transfers that lose and reorder, and where its words are not the truth."""

import json
from pathlib import Path
from typing import Any

import pytest

from fourtuple.analyze import connections
from fourtuple.event.timeline import Timeline
from fourtuple.explain.catalog import findings
from fourtuple.explain.text import Translator
from fourtuple.lab.script import Lab
from fourtuple.lab.wire.select import data, segment
from fourtuple.render.jsonout import connection_objects, json_lines
from fourtuple.source import read
from fourtuple.wire import Timestamps
from oracle.captures import as_arrived, as_sent, made, transfer, written
from oracle.comparison import compare, surveyed
from story import closed, opened

pytestmark = [pytest.mark.kernel, pytest.mark.oracle("tshark")]

ENGLISH = Translator("en")


def whole(path: Path) -> list[dict[str, Any]]:
    timeline = read(path)
    found = connections(timeline)
    said = findings(timeline, found)
    text = json_lines(connection_objects(timeline, found, said, ENGLISH, "x.pcap"))
    return [json.loads(line) for line in text.splitlines()]


def compared(path: Path) -> list[dict[str, Any]]:
    """The capture's connections, after both ways and tshark have agreed on them."""
    ours = whole(path)
    assert surveyed(path) == ours
    found = compare(path)
    assert found.differing == []
    assert found.connections == len(ours)
    return ours


def both_ends(timeline: Timeline, tmp_path: Path) -> list[list[dict[str, Any]]]:
    places = (("sent", as_sent(timeline)), ("arrived", as_arrived(timeline)))
    return [compared(written(frames, tmp_path / f"{name}.pcap")) for name, frames in places]


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("every", [5, 9, 23])
def test_of_transfers_with_loss_tshark_says_the_same(
    every: int, family: int, tmp_path: Path
) -> None:
    def lossy(lab: Lab) -> object:
        return lab.wire.drop(segment.every(every))

    timeline = made(lambda lab: transfer(lab, 200_000, lossy), family)
    sent, _ = both_ends(timeline, tmp_path)
    assert sum(sent[0]["counts"].values()) > 0


@pytest.mark.parametrize("behind", [1, 2])
def test_of_transfers_with_reordering_tshark_says_the_same(behind: int, tmp_path: Path) -> None:
    def swapped(lab: Lab) -> object:
        return lab.wire.reorder(data.nth(12), behind=behind)

    _, arrived = both_ends(made(lambda lab: transfer(lab, 60_000, swapped)), tmp_path)
    assert arrived[0]["repeats"]["client"]["reordered"] == 1


# Where tshark's words are not the truth: docs/explanation/differences-from-tshark.md


def test_what_was_overtaken_was_sent_once_though_tshark_calls_it_a_fast_retransmission(
    tmp_path: Path,
) -> None:
    story = opened(complete=False)
    for number, stamp in ((1, 7), (201, 9), (301, 9), (401, 9)):
        story.client.send(100, seq=number, options=(Timestamps(stamp, 1),))
        story.server.ack(ack=101)
    story.client.send(100, seq=101, options=(Timestamps(8, 1),))
    frames = as_sent(closed(story).timeline())
    (ours,) = compared(written(frames, tmp_path / "overtaken.pcap"))
    assert ours["counts"]["fast_retransmission"] == 1
    assert ours["repeats"]["client"] == {
        **dict.fromkeys(ours["repeats"]["client"], 0),
        "reordered": 1,
    }
    codes = {one["code"] for one in ours["findings"]}
    assert "reordering" in codes and "retransmission" not in codes


def test_what_the_capture_has_twice_was_sent_once_though_tshark_calls_it_a_retransmission(
    tmp_path: Path,
) -> None:
    frames = as_sent(made(lambda lab: transfer(lab, 20_000)))
    twice = [(t_ns + late, data) for t_ns, data in frames for late in (0, 1000)]
    (ours,) = compared(written(twice, tmp_path / "twice.pcap"))
    assert ours["counts"]["retransmission"] > 10
    assert ours["repeats"]["client"]["captured_twice"] > 10
    assert ours["repeats"]["client"]["by_timer"] == 0
    assert "retransmission" not in {one["code"] for one in ours["findings"]}


def test_a_lone_byte_sent_again_is_no_keepalive_though_tshark_says_so(tmp_path: Path) -> None:
    def deaf(lab: Lab) -> object:
        return lab.wire.drop(data.first())

    (ours,), _ = both_ends(made(lambda lab: transfer(lab, 1, deaf)), tmp_path)
    assert ours["counts"]["keep_alive"] == 1
    assert ours["repeats"]["client"]["by_timer"] == 1
    codes = {one["code"] for one in ours["findings"]}
    assert "retransmission" in codes and "keepalive-probes" not in codes
