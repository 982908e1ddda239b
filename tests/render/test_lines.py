"""Connections and frames of a survey as JSON Lines: what the whole way says, byte by byte."""

import io
import json
from typing import Any

import numpy as np
import pytest

from analyze.crowds import babble, crowd, merged
from fourtuple import compiled
from fourtuple.analyze import connections
from fourtuple.event.timeline import Timeline
from fourtuple.explain.catalog import findings
from fourtuple.explain.overview import Overview
from fourtuple.explain.text import Translator
from fourtuple.render.jsonout import connection_objects, frame_objects, json_lines
from fourtuple.render.lines import connection_lines, frame_lines
from fourtuple.source import Capture, read
from fourtuple.wire import TcpOption, UnknownOption
from octets import PCAP_NANO, pcap, pcap_record
from story import Story

NAME = 'a "quoted" %s.pcap'


def captured(timeline: Timeline) -> bytes:
    times = timeline.frames.t_ns.tolist()
    records = [
        pcap_record(data, *divmod(t_ns + 10**11, 10**9))  # no file has a time before 1970
        for data, t_ns in zip(timeline.frames, times, strict=True)
    ]
    return pcap(magic=PCAP_NANO) + b"".join(records)


def decoded(lines: list[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines]


def whole(data: bytes, language: str = "en") -> list[bytes]:
    timeline = read(io.BytesIO(data))
    found = connections(timeline)
    said = findings(timeline, found)
    objects = connection_objects(timeline, found, said, Translator(language), NAME)
    return json_lines(objects).splitlines()


def surveyed(data: bytes, language: str = "en") -> list[bytes]:
    overview = Overview.of(Capture.of(io.BytesIO(data)))
    return b"".join(connection_lines(overview, Translator(language), [NAME])).splitlines()


@pytest.mark.parametrize("seed", range(12))
def test_both_ways_print_the_same_connections(seed: int) -> None:
    data = captured(crowd(seed, size=10))
    assert surveyed(data) == whole(data)


@pytest.mark.parametrize("seed", range(3))
def test_so_they_do_over_ipv6_and_in_chinese(seed: int) -> None:
    stories = [babble(seed * 9 + n, port=100 + n, family=6).timeline() for n in range(6)]
    data = captured(merged(stories))
    assert surveyed(data, "zh") == whole(data, "zh")


@pytest.mark.parametrize("seed", range(4))
def test_both_ways_print_the_same_frames(seed: int) -> None:
    data = captured(crowd(seed, size=10))
    timeline = read(io.BytesIO(data))
    expected = json_lines(frame_objects(timeline, connections(timeline)))
    assert b"".join(frame_lines(Overview.of(Capture.of(io.BytesIO(data))))) == expected


def test_a_full_buffer_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    data = captured(crowd(5, size=12))
    expected = surveyed(data)
    monkeypatch.setattr("fourtuple.render.printing._OUTPUT_BYTES", 300_000)
    assert surveyed(data) == expected


def test_the_interpreter_prints_what_the_compiled_kernel_prints(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = captured(crowd(7, size=6))
    expected = surveyed(data)
    monkeypatch.setattr(
        "fourtuple.render.printing.kernels", lambda module: compiled.interpreted(module)
    )
    with np.errstate(all="raise"):
        assert surveyed(data) == expected


def refusal(number: int, *, options: tuple[TcpOption, ...] = (), **how: int) -> Story:
    story = Story(4 + 2 * (number % 2), complete=False, ports=(40000, 100 + number))
    story.client.syn(options=options)
    story.server.rst_ack(**{"raw_seq": 0} | how)
    return story


def refusals() -> list[Story]:
    """Refused at once, three times; then each in some way that only the segments tell."""
    joins = UnknownOption(30, bytes([0x10]) + bytes(9))
    stories = [refusal(1), refusal(2), refusal(3, options=(UnknownOption(30, b"\0\x81"),))]
    stories += [refusal(4, options=(joins,)), refusal(5, raw_seq=7), refusal(6, raw_ack=99)]
    stories += [refusal(number) for number in range(7, 12)]
    stories[6].client.syn(seq=0)
    stories[7].server.rst_ack(raw_seq=0)
    stories[8].client.send(5, seq=1)
    stories[9].reborn()
    stories[9].client.syn()
    stories[9].server.rst_ack(raw_seq=0)
    stories[10].unreachable(stories[10].client, 1)
    stories.append(Story(complete=False, ports=(40000, 99)))
    stories[11].client.say(2, data=b"early")
    stories[11].server.rst_ack(raw_seq=0)
    return stories


def test_a_plain_refusal_is_told_without_a_second_look() -> None:
    data = captured(merged([story.timeline() for story in refusals()]))
    assert surveyed(data) == whole(data)
    assert surveyed(data, "zh") == whole(data, "zh")
    overview = Overview.of(Capture.of(io.BytesIO(data)))
    looked_at = {number for detail in overview.undecided() for number in detail.connections}
    decided = [one for one in decoded(whole(data)) if one["connection"] not in looked_at]
    # the fourth life of a port is refused like the others
    assert [one["server"]["port"] for one in decided] == [101, 102, 103, 110, 110]
    assert {reset["cause"] for one in decided for reset in one["resets"]} == {"port-closed"}
