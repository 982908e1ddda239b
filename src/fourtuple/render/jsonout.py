"""The output contract: JSON Lines for machines. Field names never change; texts are English or the
language asked for, everything else is data."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from fourtuple.analyze.model import Connection, Reset, SegmentFact
from fourtuple.analyze.trace import trace
from fourtuple.event.model import Endpoint
from fourtuple.event.timeline import Timeline
from fourtuple.explain.model import Finding, Message
from fourtuple.explain.text import Translator
from fourtuple.render.verdicts import checks_of, claims_of, failures_of, passed
from fourtuple.render.view import Text
from fourtuple.render.wires import crossings
from fourtuple.wire import ACK, AE, CWR, ECE, FIN, PSH, RST, SYN, URG

__all__ = ["connection_objects", "experiment_object", "frame_objects", "json_lines"]

Object = dict[str, Any]

_LETTERS = (
    (SYN, "S"),
    (FIN, "F"),
    (RST, "R"),
    (PSH, "P"),
    (ACK, "A"),
    (URG, "U"),
    (ECE, "E"),
    (CWR, "C"),
    (AE, "N"),
)


def json_lines(objects: Iterable[Mapping[str, Any]]) -> str:
    """One object a line."""
    return "".join(msgspec.json.encode(item).decode() + "\n" for item in objects)


def connection_objects(
    timeline: Timeline,
    connections: Iterable[Connection],
    findings: Iterable[Finding],
    translator: Translator,
    file: str | None = None,
) -> Iterator[Object]:
    """An object for each connection. `file` is the name that the user gave."""
    name = timeline.meta.get("file") if file is None else file
    if isinstance(name, str):  # bytes of a file name that are no UTF-8 have no place in JSON
        name = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    own: dict[int, list[Finding]] = {}
    for finding in findings:
        own.setdefault(finding.connection, []).append(finding)
    for connection in connections:
        found = own.get(connection.index, [])
        yield _connection(timeline, connection, found, translator, name)


def _connection(
    timeline: Timeline,
    connection: Connection,
    findings: list[Finding],
    translator: Translator,
    file: str | None,
) -> Object:
    found: Object = {
        "kind": "connection",
        "connection": connection.index,
        "protocol": connection.protocol,
        "file": file,
        "client": _endpoint(connection.client),
        "server": _endpoint(connection.server),
        "client_known": connection.client_known,
        "start": _seconds(connection.start_ns + timeline.epoch_ns),
        "duration_s": _seconds(connection.end_ns - connection.start_ns),
        "packets": _pair(connection.packets),
        "payload_bytes": _pair(connection.payload_bytes),
    }
    if connection.protocol == "tcp":
        found |= {
            "handshake": connection.handshake,
            "close": connection.close,
            "completeness": connection.completeness,
            "counts": dict(connection.counts),
            "resets": [_reset(reset) for reset in connection.resets],
        }
    return found | {"findings": [_finding(finding, translator) for finding in findings]}


def _endpoint(endpoint: Endpoint) -> Object:
    return {"address": endpoint.address, "port": endpoint.port}


def _pair(values: tuple[int, int]) -> Object:
    return {"client": values[0], "server": values[1]}


def _seconds(t_ns: int) -> float:
    return round(t_ns / 1e9, 9)


def _reset(reset: Reset) -> Object:
    return {
        "frame": reset.frame,
        "from": reset.sender,
        "cause": reset.cause,
        "confidence": reset.confidence,
        "kernel_reason": reset.kernel_reason,
    }


def _finding(finding: Finding, translator: Translator) -> Object:
    return {
        "code": finding.code,
        "severity": finding.severity,
        "frames": list(finding.frames),
        "text": translator.text(Message(finding.rule.what, finding.params)),
    }


def frame_objects(timeline: Timeline, connections: Iterable[Connection]) -> Iterator[Object]:
    """An object for each frame, in order; one that is of no connection has nulls."""
    known: dict[int, Object] = {}
    for connection in connections:
        for segment in connection.segments:
            known[segment.frame] = _segment(connection, segment)
        if not connection.segments:
            known |= _datagrams(timeline, connection)
    for number, t_ns in enumerate(timeline.frames.t_ns.tolist(), 1):
        head = {"kind": "frame", "frame": number, "t": _seconds(t_ns + timeline.epoch_ns)}
        yield head | (known.get(number) or _NO_CONNECTION)


def _segment(connection: Connection, segment: SegmentFact) -> Object:
    return {
        "connection": connection.index,
        "from": "client" if segment.from_client else "server",
        "flags": "".join(letter for flag, letter in _LETTERS if segment.flags & flag),
        "seq": segment.seq,
        "ack": segment.ack,
        "len": segment.length,
        "raw_seq": segment.raw_seq,
        "raw_ack": segment.raw_ack,
        "window": segment.window,
        "notes": list(segment.notes),
        "client_state": segment.client_state,
        "server_state": segment.server_state,
        "verdict": segment.verdict,
    }


_NO_CONNECTION: Object = {
    "connection": None,
    "from": None,
    "flags": "",
    "seq": None,
    "ack": None,
    "len": None,
    "raw_seq": None,
    "raw_ack": None,
    "window": None,
    "notes": [],
    "client_state": "",
    "server_state": "",
}


def _datagrams(timeline: Timeline, connection: Connection) -> dict[int, Object]:
    return {
        crossing.cell.frame: _NO_CONNECTION
        | {
            "connection": connection.index,
            "from": "client" if crossing.cell.from_client else "server",
            "len": crossing.cell.length,
            "verdict": crossing.cell.verdict,
        }
        for crossing in crossings(timeline, connection)
    }


def experiment_object(
    timeline: Timeline, connections: Sequence[Connection], translator: Translator
) -> Object:
    """What a run of the lab proved."""
    meta = timeline.meta

    def say(text: Text) -> str:
        return translator.text(text) if isinstance(text, Message) else text

    return {
        "kind": "experiment",
        "experiment": meta.get("experiment"),
        "verdict": "pass" if passed(timeline, connections) else "fail",
        "seconds": meta.get("seconds"),
        "covers": list(meta.get("covers", ())),
        "checks": [
            {
                "what": say(check.what),
                "expected": check.expected,
                "actual": check.actual,
                "ok": check.ok,
                "evidence": list(check.frames),
            }
            for check in checks_of(timeline)
        ],
        "claims": [
            {
                "claim": say(claim.claim),
                "source": claim.source,
                "verdict": claim.verdict,
                "because": say(claim.because),
                "depends_on": say(claim.depends_on),
                "evidence": list(claim.frames),
            }
            for claim in claims_of(timeline)
        ],
        "failures": [say(failure) for failure in failures_of(timeline, connections)],
        "views": dict(meta.get("views", {})),
        "trace": trace(timeline, connections).digest,
    }
