"""What tshark says of each TCP connection and UDP conversation, in the output contract's terms.

Packets, payloads, numbers and words are tshark's own fields. It has none for how a connection
opened and closed and who closed first: that is worked out here from its flags and relative numbers,
apart from the code that is tested. Its counts of a word are how many frames have the field.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fourtuple.analyze.model import COUNT_NAMES

__all__ = ["LOSS_WORDS", "Connection", "differences", "tshark_connections"]

#: as fourtuple prints it with --json
Connection = dict[str, Any]

_FIELDS = (
    *("tcp.stream", "frame.number", "frame.time_epoch", "ip.src", "ipv6.src", "ip.dst", "ipv6.dst"),
    *("tcp.srcport", "tcp.dstport", "tcp.flags", "tcp.seq", "tcp.ack", "tcp.len"),
    *("tcp.completeness", "tcp.options.mss_val", "tcp.options.wscale.shift"),
    *("tcp.options.timestamp.tsval", "tcp.options.sack_perm", "tcp.analysis.initial_rtt"),
    "tcp.seq_raw",
    *("udp.stream", "udp.srcport", "udp.dstport", "udp.length"),
)
_FIN, _SYN, _RST, _ACK = 1, 2, 4, 16
#: words that tell of loss: where a connection has one, whichever it is, it is counted apart
LOSS_WORDS = frozenset(COUNT_NAMES[:7])


def tshark_connections(path: Path) -> list[Connection]:
    """The connections and conversations of a capture by order of their first frame."""
    words = [f"tcp.analysis.{name}" for name in COUNT_NAMES]
    fields = [*_FIELDS, *words]
    command = ["tshark", "-n", "-2", "-r", str(path), "-Y", "(tcp || udp) && !icmp && !icmpv6"]
    command += ["-T", "fields", "-E", "separator=|", "-E", "occurrence=f"]
    command += [part for name in fields for part in ("-e", name)]
    streams: dict[tuple[str, str], list[dict[str, str]]] = {}
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=quiet, text=True) as running:
        for line in running.stdout or ():
            row = dict(zip(fields, line.rstrip("\n").split("|"), strict=True))
            streams.setdefault((row["tcp.stream"], row["udp.stream"]), []).append(row)
    assert running.returncode == 0
    return [_conversation(rows) if udp else _connection(rows) for (_, udp), rows in streams.items()]


def _conversation(rows: list[dict[str, str]]) -> Connection:
    """Of UDP: who spoke first is taken for the client, as fourtuple does but for well-known
    ports."""
    ends = [
        ((row["ip.src"] or row["ipv6.src"], int(row["udp.srcport"])), int(row["udp.length"]) - 8)
        for row in rows
    ]
    first = rows[0]
    client = ends[0][0]
    server = (first["ip.dst"] or first["ipv6.dst"], int(first["udp.dstport"]))
    if server[1] >= 32768 > client[1] or server[1] >= 1024 > client[1]:
        client, server = server, client
    sent = {role: [size for end, size in ends if (end == client) is role] for role in (True, False)}
    return _both_ends(client, server, sent[True], sent[False]) | _times(rows) | {"protocol": "udp"}


def _both_ends(client: Any, server: Any, asked: list[int], told: list[int]) -> Connection:
    return {
        "client": {"address": client[0], "port": client[1]},
        "server": {"address": server[0], "port": server[1]},
        "packets": {"client": len(asked), "server": len(told)},
        "payload_bytes": {"client": sum(asked), "server": sum(told)},
    }


def _times(rows: list[dict[str, str]]) -> Connection:
    times = [float(row["frame.time_epoch"]) for row in rows]
    return {"start": min(times), "duration_s": max(times) - min(times)}


def _connection(rows: list[dict[str, str]]) -> Connection:
    segments = [_segment(row) for row in rows]
    client = _client(segments)
    sent = {role: [s for s in segments if (s["from"] == client) is role] for role in (True, False)}
    server = next((s["to"] for s in sent[True]), None) or sent[False][0]["from"]
    lengths = {role: [s["length"] for s in sent[role]] for role in sent}
    found = _both_ends(client, server, lengths[True], lengths[False]) | _times(rows)
    found |= {
        "protocol": "tcp",
        "completeness": int(rows[-1]["tcp.completeness"].split()[0], 0),
        "counts": {
            name: sum(bool(row[f"tcp.analysis.{name}"]) for row in rows) for name in COUNT_NAMES
        },
        "handshake": _handshake(segments, client),
        "close": _close(segments),
        "first_closer": _first_closer(segments, client),
        "initial_seq": _of_syns(sent, "raw"),
        "mss": _of_syns(sent, "mss"),
        "window_scale": _of_syns(sent, "scale"),
        "timestamps": all(any(s["stamped"] for s in sent[role]) for role in sent),
        "sack": all(any(s["sack"] for s in sent[role]) for role in sent),
        "resets": [
            {"frame": s["frame"], "from": "client" if s["from"] == client else "server"}
            for s in segments
            if s["flags"] & _RST
        ],
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
        "sack": bool(row["tcp.options.sack_perm"]),
        "raw": number("tcp.seq_raw"),
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


def _of_syns(sent: dict[bool, list[dict[str, Any]]], name: str) -> dict[str, int | None]:
    """What the first SYN of each end says."""
    values = (next((s[name] for s in sent[role] if s["flags"] & _SYN), None) for role in sent)
    return dict(zip(("client", "server"), values, strict=True))


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


def differences(ours: Connection, theirs: Connection) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """The properties in which both differ, with both values; a word of `counts` by its own name."""
    pairs = {name: (ours[name], theirs[name]) for name in theirs}
    if "counts" in pairs:
        counts = pairs.pop("counts")
        pairs |= {word: (counts[0][word], counts[1][word]) for word in COUNT_NAMES}
        told = [{name: one[name] for name in ("frame", "from")} for one in ours["resets"]]
        pairs["resets"] = (told, theirs["resets"])
    for name, (one, other) in pairs.items():
        times = isinstance(one, float) and isinstance(other, float)
        if abs(one - other) > 1e-6 if times else one != other:
            yield name, (one, other)
