"""What tshark says of each TCP connection, in the output contract's terms.

Packets, payloads, numbers and words are tshark's own fields. It has none for how a connection
opened and closed and who closed first: that is worked out here from its flags and relative numbers,
apart from the code that is tested. Its counts of a word are how many frames have the field.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fourtuple.analyze.model import COUNT_NAMES

__all__ = ["LOSS_WORDS", "differences", "tshark_connections"]

_FIELDS = (
    *("tcp.stream", "frame.number", "frame.time_epoch", "ip.src", "ipv6.src", "ip.dst", "ipv6.dst"),
    *("tcp.srcport", "tcp.dstport", "tcp.flags", "tcp.seq", "tcp.ack", "tcp.len"),
    *("tcp.completeness", "tcp.options.mss_val", "tcp.options.wscale.shift"),
    *("tcp.options.timestamp.tsval", "tcp.options.sack_perm", "tcp.analysis.initial_rtt"),
)
_FIN, _SYN, _RST, _ACK = 1, 2, 4, 16
#: words that tell of loss: where a connection has one, whichever it is, it is counted apart
LOSS_WORDS = frozenset(COUNT_NAMES[:7])


def tshark_connections(path: Path) -> list[dict[str, Any]]:
    """The connections of a capture by order of their first frame."""
    words = [f"tcp.analysis.{name}" for name in COUNT_NAMES]
    fields = [*_FIELDS, *words]
    command = ["tshark", "-n", "-2", "-r", str(path), "-Y", "tcp && !icmp && !icmpv6"]
    command += ["-T", "fields", "-E", "separator=|", "-E", "occurrence=f"]
    command += [part for name in fields for part in ("-e", name)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    streams: dict[str, list[dict[str, str]]] = {}
    for line in printed.splitlines():
        row = dict(zip(fields, line.split("|"), strict=True))
        streams.setdefault(row["tcp.stream"], []).append(row)
    return [_connection(rows) for rows in streams.values()]


def _connection(rows: list[dict[str, str]]) -> dict[str, Any]:
    segments = [_segment(row) for row in rows]
    client = _client(segments)
    sent = {role: [s for s in segments if (s["from"] == client) is role] for role in (True, False)}
    ends = (client, next((s["to"] for s in sent[True]), None) or sent[False][0]["from"])
    found = {
        "client": {"address": ends[0][0], "port": ends[0][1]},
        "server": {"address": ends[1][0], "port": ends[1][1]},
        "packets": {"client": len(sent[True]), "server": len(sent[False])},
        "payload_bytes": {
            "client": sum(s["length"] for s in sent[True]),
            "server": sum(s["length"] for s in sent[False]),
        },
        "completeness": int(rows[-1]["tcp.completeness"].split()[0], 0),
        "counts": {
            name: sum(bool(row[f"tcp.analysis.{name}"]) for row in rows) for name in COUNT_NAMES
        },
        "handshake": _handshake(segments, client),
        "close": _close(segments),
        "first_closer": _first_closer(segments, client),
        "first_frame": segments[0]["frame"],
        "start": float(rows[0]["frame.time_epoch"]),
        "mss": {"client": _option(sent[True], "mss"), "server": _option(sent[False], "mss")},
        "window_scale": {
            "client": _option(sent[True], "scale"),
            "server": _option(sent[False], "scale"),
        },
        "timestamps": all(any(s["stamped"] for s in sent[role]) for role in sent),
    }
    if found["handshake"] == "complete":  # tshark has one for a refused SYN, too
        found["handshake_rtt_s"] = _initial_rtt(rows)
    return found


def _initial_rtt(rows: list[dict[str, str]]) -> float | None:
    found = (row["tcp.analysis.initial_rtt"] for row in rows)
    return next((float(value) for value in found if value), None)


def _segment(row: dict[str, str]) -> dict[str, Any]:
    def number(name: str) -> int | None:
        return int(row[name], 0) if row[name] else None

    flags = number("tcp.flags") or 0
    return {
        "frame": int(row["frame.number"]),
        "from": (row["ip.src"] or row["ipv6.src"], int(row["tcp.srcport"])),
        "to": (row["ip.dst"] or row["ipv6.dst"], int(row["tcp.dstport"])),
        "flags": flags,
        "seq": number("tcp.seq") or 0,
        "ack": (number("tcp.ack") or 0) if flags & _ACK else None,
        "length": number("tcp.len") or 0,
        "mss": number("tcp.options.mss_val"),
        "scale": number("tcp.options.wscale.shift"),
        "stamped": bool(row["tcp.options.timestamp.tsval"]),
    }


def _client(segments: list[dict[str, Any]]) -> Any:
    for one in segments:
        if one["flags"] & (_SYN | _ACK) == _SYN:
            return one["from"]
    for one in segments:
        if one["flags"] & _SYN:
            return one["to"]
    first = segments[0]
    low, high = sorted((first["from"], first["to"]), key=lambda end: end[1])
    return high if low[1] < 1024 <= high[1] or low[1] < 32768 <= high[1] else first["from"]


def _option(sent: list[dict[str, Any]], name: str) -> int | None:
    return next((s[name] for s in sent if s["flags"] & _SYN), None)


def _handshake(segments: list[dict[str, Any]], client: Any) -> str:
    syns = [s for s in segments if s["flags"] & (_SYN | _ACK) == _SYN]
    agreed = [s for s in segments if s["flags"] & _SYN and s["flags"] & _ACK]
    if not syns and not agreed:
        return "none"
    if len({s["from"] for s in syns}) == 2:
        return "simultaneous"
    confirmed = [
        s for s in segments if s["from"] == client and s["ack"] and not s["flags"] & (_SYN | _RST)
    ]
    if confirmed:
        early = any(s["length"] for s in syns) and any(s["ack"] > 1 for s in agreed)
        return "fast-open" if early else "complete"
    if agreed:
        return "syn-ack-unanswered"
    refused = [s for s in segments if s["from"] != client and s["flags"] & _RST and s["ack"]]
    return "refused" if refused else "syn-only"


def _close(segments: list[dict[str, Any]]) -> str:
    """By FINs and their acknowledgments; "reset" where an RST came before both were closed."""
    fins = [s for s in segments if s["flags"] & _FIN]
    ends: list[dict[str, Any]] = []
    for fin in fins:
        if all(fin["from"] != one["from"] for one in ends):
            ends.append(fin)
    resets = [s for s in segments if s["flags"] & _RST]
    if resets and not _over_before(ends, segments, resets[0]):
        return "reset"
    if not ends:
        return "open"
    if len(ends) == 1:
        return "half-closed"
    first, second = ends
    beyond = first["seq"] + first["length"] + 1
    if (second["ack"] or 0) < beyond:
        return "simultaneous"
    between = [s for s in segments if s["from"] == second["from"] and s["frame"] < second["frame"]]
    return "four-segment" if any((s["ack"] or 0) >= beyond for s in between) else "three-segment"


def _over_before(
    ends: list[dict[str, Any]], segments: list[dict[str, Any]], reset: dict[str, Any]
) -> bool:
    """Whether both FINs had been acknowledged before the RST."""
    if len(ends) < 2:
        return False
    for fin in ends:
        beyond = fin["seq"] + fin["length"] + 1
        if not any(
            s["from"] != fin["from"] and (s["ack"] or 0) >= beyond and s["frame"] < reset["frame"]
            for s in segments
        ):
            return False
    return True


def _first_closer(segments: list[dict[str, Any]], client: Any) -> str | None:
    for one in segments:
        if one["flags"] & _FIN:
            return "client" if one["from"] == client else "server"
    return None


def differences(
    ours: dict[str, Any], theirs: dict[str, Any]
) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """The properties in which both differ, with both values; a word of `counts` by its own name."""
    pairs = {name: (ours[name], theirs[name]) for name in theirs if name in ours}
    counts = pairs.pop("counts")
    pairs |= {word: (counts[0][word], counts[1][word]) for word in COUNT_NAMES}
    for name, (one, other) in pairs.items():
        times = isinstance(one, float) and isinstance(other, float)
        if abs(one - other) > 1e-6 if times else one != other:
            yield name, (one, other)
