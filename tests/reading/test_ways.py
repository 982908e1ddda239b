"""Both ways through a capture say the same, whatever is asked for."""

import json
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from analyze.crowds import crowd, merged
from fourtuple.analyze.choice import Choice
from fourtuple.event.frames import FrameTableBuilder
from fourtuple.event.timeline import Timeline
from fourtuple.reading import Large, Whole
from fourtuple.render.sums import Sums
from fourtuple.render.table import connection_table
from fourtuple.wire import Ethernet, Gre, Ipv4, Tcp, Udp, Vxlan, frame
from reading.kept import both, kept
from render.shown import painter
from story import exchange, refused

CHOICES = [
    Choice(),
    Choice(ports=(40001, 40002)),
    Choice(networks=(ip_network("10.77.0.0/24"),), indices=(0, 2, 3)),
    Choice(networks=(ip_network("192.0.2.1"),)),
    Choice(since_ns=1_900_000_000, until_ns=12_000_000_000),
]


def objects(reading: Whole | Large, frames: bool = False) -> list[dict[str, Any]]:
    lines = reading.frame_lines() if frames else reading.lines()
    return [json.loads(line) for text in lines for line in text.splitlines()]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("choice", CHOICES)
def test_what_is_asked_for_is_the_same_both_ways(seed: int, choice: Choice, tmp_path: Path) -> None:
    whole, large = both(kept(crowd(seed), tmp_path / "x.pcap"))
    ours, theirs = whole.choosing(choice), large.choosing(choice)
    assert objects(ours) == objects(theirs)
    assert objects(ours, frames=True) == objects(theirs, frames=True)
    assert len(ours.connections) == theirs.count()


@pytest.mark.parametrize("seed", range(4))
def test_so_are_tables_and_sums(seed: int, tmp_path: Path) -> None:
    whole, large = both(kept(crowd(seed), tmp_path / "x.pcap"))
    connections, findings = large.listed()
    ours = connection_table(whole.connections, whole.findings, painter(200))
    assert connection_table(connections, findings, painter(200)) == ours
    added, surveyed = Sums.of(whole.connections, whole.findings), Sums.surveyed(large.overview)
    for name in ("count", "handshakes", "closes", "servers", "resets", "octets", "talkers", "udp"):
        assert _filled(getattr(added, name)) == _filled(getattr(surveyed, name)), name
    assert added.lasted_ns == surveyed.lasted_ns


def _filled(value: Any) -> Any:
    return {key: n for key, n in value.items() if n} if isinstance(value, dict) else value


def test_a_finding_is_found_both_ways_also_where_only_segments_tell(tmp_path: Path) -> None:
    whole, large = both(kept(two(), tmp_path / "x.pcap"))
    codes = {finding.code for finding in whole.findings}
    assert {"connection-refused", "time-wait-at-client"} <= codes
    for code in codes:
        found = whole.with_findings([code])
        assert found
        assert large.with_findings([code]) == found


def two() -> Timeline:
    """An exchange, then a refused connection to port 81."""
    port_81 = refused(complete=False, ports=(40009, 81), begin_ns=3 * 10**9)
    return merged([exchange(complete=False).timeline(), port_81.timeline()])


def test_one_connection_alone_is_known_to_be_one(tmp_path: Path) -> None:
    _, large = both(kept(two(), tmp_path / "x.pcap"))
    assert large.only() is None
    assert large.choosing(Choice(ports=(81,))).only() == 1
    assert large.choosing(Choice(ports=(82,))).only() is None


def test_the_first_frame_counts_as_the_beginning(tmp_path: Path) -> None:
    whole, large = both(kept(exchange(complete=False).timeline(), tmp_path / "x.pcap"))
    assert whole.begin_ns == large.begin_ns == whole.timeline.frames.t_ns[0]


def test_a_tunnel_is_named_the_same_both_ways(tmp_path: Path) -> None:
    outer = Ipv4("192.0.2.2", "192.0.2.1")
    inner = Ipv4("10.0.0.1", "10.0.0.2"), Tcp(40000, 80, 1, 0, 2, 100)
    back = Ipv4("192.0.2.1", "192.0.2.2")
    answer = Ipv4("10.0.0.2", "10.0.0.1"), Tcp(80, 40000, 9, 2, 18, 100)
    builder = FrameTableBuilder()
    for layers in (
        (outer, Udp(5000, 4789), Vxlan(7), Ethernet(), *inner),
        (back, Udp(5001, 4789), Vxlan(7), Ethernet(), *answer),
        (outer, Gre(0x0800, key=5), *inner),
        (outer, Gre(0x0800), Ipv4("198.51.100.1", "198.51.100.9", 4), *inner),
        inner,
    ):
        builder.add(frame(Ethernet(), *layers), 10**9 + len(builder))
    whole, large = both(kept(Timeline(frames=builder.table()), tmp_path / "x.pcap"))
    named = [one["tunnel"] for one in objects(whole)]
    assert named == [
        "vxlan 7 192.0.2.1-192.0.2.2",
        "gre 5 192.0.2.1-192.0.2.2",
        "gre 192.0.2.1-192.0.2.2 > ip 198.51.100.1-198.51.100.9",
        None,
    ]
    assert [one["tunnel"] for one in objects(large)] == named
    assert [*large.tunnels().values()] == named[:3]
