"""The output contract: JSON Lines for machines. Field names never change; texts are English or the
language asked for, everything else is data."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from fourtuple.analyze.model import Connection, Reset, RoundTrips, SegmentFact
from fourtuple.analyze.truth import TRUTHS
from fourtuple.event.model import Endpoint
from fourtuple.event.timeline import Timeline
from fourtuple.explain.model import Finding, Message
from fourtuple.explain.text import Translator
from fourtuple.render.view import Text
from fourtuple.wire import ACK, AE, CWR, ECE, FIN, PSH, RST, SYN, URG

__all__ = [
    "NO_CONNECTION",
    "connection_objects",
    "experiment_object",
    "flag_letters",
    "frame_objects",
    "json_lines",
]

Object = dict[str, Any]

_ENCODER = msgspec.json.Encoder()
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


def json_lines(objects: Iterable[Mapping[str, Any]]) -> bytes:
    """One object a line, in UTF-8."""
    return _ENCODER.encode_lines(objects)


def connection_objects(
    timeline: Timeline,
    connections: Iterable[Connection],
    findings: Iterable[Finding],
    translator: Translator,
    file: str | Sequence[str] | None = None,
) -> Iterator[Object]:
    """An object for each connection. `file` is the name that the user gave, or several: a
    connection is of the file that its first frame is in."""
    own: dict[int, list[Finding]] = {}
    for finding in findings:
        own.setdefault(finding.connection, []).append(finding)
    told = list(connections)
    from fourtuple.explain.tunnels import tunnels_of

    tunnels = tunnels_of(timeline, told)
    for connection in told:
        found = own.get(connection.index, [])
        name = _file(timeline, connection.frames[0], file)
        head = {"file": name, "tunnel": tunnels.get(connection.frames[0])}
        yield _connection(timeline, connection, found, translator, head)


def _file(timeline: Timeline, frame: int, given: str | Sequence[str] | None) -> str | None:
    """The name of the file that a frame is from."""
    origin = timeline.frames.origin
    names = timeline.meta.get("file") if given is None else given
    index = int(origin.file[timeline.frames.row(frame)]) if origin else 0
    name = names if isinstance(names, str | None) else names[index]
    # Bytes of a file name that are no UTF-8 have no place in JSON.
    return name and str(name).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _connection(
    timeline: Timeline,
    connection: Connection,
    findings: list[Finding],
    translator: Translator,
    head: Mapping[str, str | None],
) -> Object:
    found: Object = {
        "kind": "connection",
        "connection": connection.index,
        "protocol": connection.protocol,
        "file": head["file"],
        "client": _endpoint(connection.client),
        "server": _endpoint(connection.server),
        "client_known": connection.client_known,
        "tunnel": head["tunnel"],
        "start": _seconds(connection.start_ns + timeline.epoch_ns),
        "duration_s": _seconds(connection.end_ns - connection.start_ns),
        "packets": _pair(connection.packets),
        "payload_bytes": _pair(connection.payload_bytes),
    }
    if connection.protocol == "tcp":
        found |= {
            "handshake": connection.handshake,
            "close": connection.close,
            "first_closer": connection.first_closer,
            "completeness": connection.completeness,
            "initial_seq": _pair(connection.initial_seq),
            "mss": _pair(connection.mss),
            "window_scale": _pair(connection.window_scale),
            "timestamps": connection.timestamps,
            "sack": connection.sack,
            "handshake_rtt_s": _seconds(connection.rtt_ns) if connection.rtt_ns else None,
            "rtt_s": _both(map(_round_trips, connection.round_trips)),
            "bytes_in_flight_max": _pair(connection.flight_bytes),
            "counts": dict(connection.counts),
            "repeats": _both(_repeats(connection, client) for client in (True, False)),
            "resets": [_reset(reset) for reset in connection.resets],
        }
    return found | {"findings": [_finding(finding, translator) for finding in findings]}


def _endpoint(endpoint: Endpoint) -> Object:
    return {"address": endpoint.address, "port": endpoint.port}


def _pair(values: tuple[int | None, int | None]) -> Object:
    return {"client": values[0], "server": values[1]}


def _both(values: Iterable[Object | None]) -> Object:
    return dict(zip(("client", "server"), values, strict=True))


def _round_trips(trips: RoundTrips) -> Object | None:
    if not trips.count:
        return None
    times = {"min": trips.least_ns, "mean": trips.mean_ns, "max": trips.most_ns}
    return {"count": trips.count} | {name: _seconds(t_ns) for name, t_ns in times.items()}


def _repeats(connection: Connection, client: bool) -> Object:
    """What is known of the segments of one end that came again: notes of analyze.truth."""
    sent = [segment.notes for segment in connection.segments if segment.from_client is client]
    return {name: sum(name in notes for notes in sent) for name in TRUTHS}


def _seconds(t_ns: int) -> float:
    return t_ns / 10**9


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
    for row, t_ns in enumerate(timeline.frames.t_ns.tolist()):
        number = timeline.frames.number(row)
        head = {"kind": "frame", "frame": number, "t": _seconds(t_ns + timeline.epoch_ns)}
        if "files" in timeline.meta:
            head["file"], head["file_frame"] = timeline.origin(number)
        yield head | (known.get(number) or NO_CONNECTION)


def flag_letters(flags: int) -> str:
    """TCP's flags in the contract's letters."""
    return "".join(letter for flag, letter in _LETTERS if flags & flag)


def _segment(connection: Connection, segment: SegmentFact) -> Object:
    return {
        "connection": connection.index,
        "from": "client" if segment.from_client else "server",
        "flags": flag_letters(segment.flags),
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


NO_CONNECTION: Object = {
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
    from fourtuple.render.wires import crossings

    return {
        crossing.cell.frame: NO_CONNECTION
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
    from fourtuple.analyze.trace import trace
    from fourtuple.render.verdicts import checks_of, claims_of, failures_of, measured_in, passed

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
        "measured": [
            {
                "what": say(each.what),
                "columns": [say(column) for column in each.columns],
                "rows": [{"name": say(name), "values": list(row)} for name, row in each.rows],
                "evidence": list(each.frames),
            }
            for each in measured_in(timeline)
        ],
        "failures": [say(failure) for failure in failures_of(timeline, connections)],
        "views": dict(meta.get("views", {})),
        "trace": trace(timeline, connections).digest,
    }
