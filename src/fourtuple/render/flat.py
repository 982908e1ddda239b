"""The output contract's connection objects as rows of one table: for spreadsheets and databases.

A column is called as its path in the object, joined by "_": `client_address`, `packets_server`,
`counts_retransmission`, `rtt_s_client_mean`. Of an RST - of several the first - there are three
columns, and the codes of the findings are one. Nothing is there (None) for what is not known or
does not apply, as a datagram's handshake.
"""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

from fourtuple.analyze.model import COUNT_NAMES
from fourtuple.analyze.truth import TRUTHS

__all__ = ["COLUMNS", "flat"]

_ROLES = ("client", "server")


def _columns() -> Iterator[tuple[str, str]]:
    yield from (("connection", "int"), ("protocol", "text"), ("file", "text"))
    for role in _ROLES:
        yield from ((f"{role}_address", "text"), (f"{role}_port", "int"))
    yield from (("client_known", "bool"), ("tunnel", "text"))
    yield from (("start", "float"), ("duration_s", "float"))
    for name, role in product(("packets", "payload_bytes"), _ROLES):
        yield f"{name}_{role}", "int"
    for name in ("handshake", "close", "first_closer"):
        yield name, "text"
    yield "completeness", "int"
    for name, role in product(("initial_seq", "mss", "window_scale"), _ROLES):
        yield f"{name}_{role}", "int"
    yield from (("timestamps", "bool"), ("sack", "bool"), ("handshake_rtt_s", "float"))
    for role in _ROLES:
        yield f"rtt_s_{role}_count", "int"
        yield from ((f"rtt_s_{role}_{part}", "float") for part in ("min", "mean", "max"))
    for role in _ROLES:
        yield f"bytes_in_flight_max_{role}", "int"
    yield from ((f"counts_{name}", "int") for name in COUNT_NAMES)
    for role, name in product(_ROLES, TRUTHS):
        yield f"repeats_{role}_{name}", "int"
    yield from ((f"reset_{name}", "text") for name in ("cause", "confidence", "from"))
    yield "resets", "int"
    yield "findings", "codes"


#: every column, and what it holds: int, float, bool, text, or "codes", a list of texts
COLUMNS: Mapping[str, str] = dict(_columns())


def flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """A connection object as a row: a value, or None, for each of COLUMNS."""
    found = dict(_paths(record, ""))
    resets = record.get("resets") or []
    for name in ("cause", "confidence", "from"):
        found[f"reset_{name}"] = resets[0][name] if resets else None
    found["resets"] = len(resets)
    found["findings"] = [*dict.fromkeys(finding["code"] for finding in record["findings"])]
    return {name: found.get(name) for name in COLUMNS}


def _paths(values: Mapping[str, Any], before: str) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _paths(value, f"{before}{name}_")
        else:
            yield before + name, value
