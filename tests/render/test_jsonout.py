"""The output contract: names and kinds of every field."""

from typing import Any

import msgspec

from fourtuple.analyze import connections
from fourtuple.analyze.model import COUNT_NAMES
from fourtuple.analyze.truth import TRUTHS
from fourtuple.event.timeline import Timeline
from fourtuple.explain.catalog import findings
from fourtuple.explain.text import Translator
from fourtuple.render.jsonout import (
    connection_objects,
    experiment_object,
    frame_objects,
    json_lines,
)
from render.scene import Scene
from story import Story, exchange, refused


def connection(timeline: Timeline, language: str = "en", **how: Any) -> dict[str, Any]:
    found = connections(timeline)
    facts = findings(timeline, found)
    objects = connection_objects(timeline, found, facts, Translator(language), **how)
    (line,) = json_lines(objects).splitlines()
    return msgspec.json.decode(line, type=dict[str, Any])


def frames(timeline: Timeline) -> list[dict[str, Any]]:
    return list(frame_objects(timeline, connections(timeline)))


def test_a_connection_has_every_field_of_the_contract() -> None:
    found = connection(Scene().exchange(), file="x.pcapng")
    assert {key: found[key] for key in list(found)[:22]} == {
        "kind": "connection",
        "connection": 0,
        "protocol": "tcp",
        "file": "x.pcapng",
        "client": {"address": "10.77.0.1", "port": 40000},
        "server": {"address": "10.77.0.2", "port": 8888},
        "client_known": True,
        "tunnel": None,
        "start": 1700000000.00041,
        "duration_s": 0.04222,
        "packets": {"client": 6, "server": 5},
        "payload_bytes": {"client": 14, "server": 14},
        "handshake": "complete",
        "close": "four-segment",
        "first_closer": "client",
        "completeness": 31,
        "initial_seq": {"client": 1_000_000_000, "server": 2_000_000_000},
        "mss": {"client": None, "server": None},
        "window_scale": {"client": None, "server": None},
        "timestamps": False,
        "sack": False,
        "handshake_rtt_s": 0.00005,
    }
    assert found["bytes_in_flight_max"] == {"client": 14, "server": 14}
    assert set(found["rtt_s"]["client"]) == {"count", "min", "mean", "max"}
    assert tuple(found["repeats"]["server"]) == TRUTHS
    assert tuple(found["counts"]) == COUNT_NAMES
    assert found["resets"] == []
    assert {tuple(f) for f in found["findings"]} == {("code", "severity", "frames", "text")}


def test_a_reset_names_sender_cause_and_confidence() -> None:
    (reset,) = connection(refused().timeline())["resets"]
    assert reset == {
        "frame": 2,
        "from": "server",
        "cause": "port-closed",
        "confidence": "likely",
        "kernel_reason": None,
    }


def test_texts_are_in_the_language_and_everything_else_is_not() -> None:
    timeline = Scene().exchange()
    english, chinese = connection(timeline), connection(timeline, "zh")
    without = [f | {"text": ""} for f in english["findings"]]
    assert without == [f | {"text": ""} for f in chinese["findings"]]
    assert all(f["text"] for f in chinese["findings"])


def test_a_conversation_in_datagrams_has_no_tcp_fields() -> None:
    story = Story()
    story.datagram(story.client, 9)
    found = connection(story.timeline())
    assert found["protocol"] == "udp"
    assert "handshake" not in found


def test_a_frame_has_every_field_of_the_contract() -> None:
    first = frames(Scene().exchange())[0]
    assert first == {
        "kind": "frame",
        "frame": 1,
        "t": 1700000000.00041,
        "connection": 0,
        "from": "client",
        "flags": "S",
        "seq": 0,
        "ack": None,
        "len": 0,
        "raw_seq": 1_000_000_000,
        "raw_ack": 0,
        "window": 64240,
        "notes": [],
        "client_state": first["client_state"],
        "server_state": first["server_state"],
        "verdict": "delivered",
    }


def test_flags_are_letters_in_the_order_that_people_say_them() -> None:
    assert [frame["flags"] for frame in frames(exchange().timeline())] == [
        "S", "SA", "A", "PA", "A", "PA", "A", "FA", "A", "FA", "A",
    ]  # fmt: skip


def test_each_frame_has_the_same_fields_whatever_it_is() -> None:
    story = exchange()
    story.datagram(story.client, 9)
    kinds = {tuple(key for key in f if key != "verdict") for f in frames(story.timeline())}
    assert len(kinds) == 1


def test_a_frame_of_no_connection_has_nulls() -> None:
    scene = Scene()
    scene.frames.add(b"nonsense", 0)
    found = frames(scene.timeline())[0]
    assert (found["connection"], found["from"], found["seq"]) == (None, None, None)


def experiment(timeline: Timeline) -> dict[str, Any]:
    return experiment_object(timeline, connections(timeline), Translator())


def test_an_experiment_has_every_field_of_the_contract() -> None:
    found = experiment(Scene().exchange())
    assert experiment(Scene().exchange())["trace"] == found["trace"]  # the same digits each time
    assert len(found.pop("trace")) == 16
    assert found == {
        "kind": "experiment",
        "experiment": "exchange",
        "verdict": "pass",
        "seconds": 0.4,
        "covers": ["A4"],
        "checks": [
            {"what": "the ACK", "expected": "15", "actual": "15", "ok": True, "evidence": [5]}
        ],
        "claims": [
            {
                "claim": "SYN uses one number",
                "source": "A5",
                "verdict": "confirmed",
                "because": "ack 1 with no data sent",
                "depends_on": "",
                "evidence": [2],
            }
        ],
        "measured": [],
        "failures": [],
        "views": {"calls": "wrapped", "states": "sock_diag", "frames": "wire"},
    }


def test_what_a_run_measured_is_given_as_numbers() -> None:
    scene = Scene()
    rows = [["polling", [15.5, 1395]], ["WebSocket", [3, 335]]]
    scene.note(50_000, "measured", what="costs", columns=["segments", "bytes"], rows=rows)
    assert experiment(scene.exchange())["measured"] == [
        {
            "what": "costs",
            "columns": ["segments", "bytes"],
            "rows": [
                {"name": "polling", "values": [15.5, 1395]},
                {"name": "WebSocket", "values": [3, 335]},
            ],
            "evidence": [],
        }
    ]


def test_one_check_that_fails_fails_the_experiment() -> None:
    scene = Scene()
    scene.note(50_000, "check", what="x", expected="1", actual="2", ok=False)
    assert experiment(scene.exchange())["verdict"] == "fail"


def test_a_run_that_did_not_end_fails_although_all_its_checks_hold() -> None:
    scene = Scene()
    scene.note(50_000, "failure", "{text}", text="out of time")
    found = experiment(scene.exchange())
    assert (found["verdict"], found["failures"]) == ("fail", ["out of time"])


def test_a_hostile_recording_still_gives_strict_json() -> None:
    scene = Scene()
    scene.meta["covers"] = "not a list"
    scene.note(1, "check", what=["odd"], ok="yes", expected=None)
    scene.note(2, "claim", claim=7, values="x", verdict=None)
    msgspec.json.decode(json_lines([experiment(scene.timeline())]))
