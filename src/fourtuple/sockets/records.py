"""Sockets as records for machines: JSON Lines, CSV, Parquet (docs/reference/output.md)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fourtuple.sockets.info import info_record
from fourtuple.sockets.model import (
    UNIX_KINDS,
    Listing,
    address_of,
    interface_of,
    port_of,
    state_of,
    timer_of,
    unix_name,
    why_nobody,
)
from fourtuple.sockets.show import user_name
from fourtuple.system.inet_dump import INFO, InetRow, UnixRow, attributes_of, drops_of
from fourtuple.system.owners import Owner

__all__ = ["COLUMNS", "flat_record", "inet_record", "records"]

#: a socket as a row of a table: column -> int, text or float
COLUMNS: Mapping[str, str] = {
    "protocol": "text", "state": "text",
    "local_address": "text", "local_port": "int", "remote_address": "text", "remote_port": "int",
    "recv_q": "int", "send_q": "int", "drops": "int", "interface": "text",
    "timer": "text", "timer_expires_s": "float", "timer_retransmits": "int",
    "inode": "int", "cookie": "int", "uid": "int", "user": "text", "network_namespace": "int",
    "owner_pid": "int", "owner_fd": "int", "owner_command": "text", "owners": "int",
    "without_owner": "text",
}  # fmt: skip


def records(listings: Sequence[Listing]) -> Iterator[dict[str, Any]]:
    """An object a socket, in the table's order."""
    for listing in listings:
        for protocol, row in listing.rows():
            yield inet_record(listing, protocol, row)
        for one in listing.unix:
            yield _unix_record(listing, one)


def inet_record(listing: Listing, protocol: str, row: InetRow) -> dict[str, Any]:
    """A TCP, UDP or RAW socket. Of a RAW one the local port is its protocol."""
    owners = listing.owners.get(row.inode, ())
    record = {
        "kind": "socket",
        "protocol": protocol,
        "local": {"address": address_of(row), "port": port_of(row)},
        "remote": {"address": address_of(row, remote=True), "port": port_of(row, remote=True)},
        "state": state_of(protocol, row.state),
        "recv_q": row.recv_q,
        "send_q": row.send_q,
        "inode": row.inode,
        "uid": row.uid,
        "user": user_name(row.uid),
        "owners": [_owner(one) for one in owners],
        "without_owner": None if owners or not listing.owners_asked else why_nobody(protocol, row),
        "interface": interface_of(row),
        "timer": _timer(row),
        "drops": drops_of(row),
        "cookie": row.cookie,
        "network_namespace": listing.namespace,
    }
    info = attributes_of(row.attributes).get(INFO) if row.attributes else None
    if info:
        record["tcp_info"] = info_record(info)
    return record


def _timer(row: InetRow) -> dict[str, Any] | None:
    if not row.timer:
        return None
    expires_s = row.expires_ms / 1000
    return {"kind": timer_of(row), "expires_s": expires_s, "retransmits": row.retransmits}


def _owner(owner: Owner) -> dict[str, Any]:
    return {"pid": owner.pid, "fd": owner.fd, "command": owner.command}


def _unix_record(listing: Listing, row: UnixRow) -> dict[str, Any]:
    owners = listing.owners.get(row.inode, ())
    return {
        "kind": "socket",
        "protocol": "unix",
        "local": {"path": unix_name(row.name)},
        "remote": None,
        "state": "LISTEN",
        "type": UNIX_KINDS.get(row.kind, str(row.kind)),
        "recv_q": row.recv_q,
        "send_q": row.limit,
        "inode": row.inode,
        "uid": row.uid,
        "user": None if row.uid is None else user_name(row.uid),
        "owners": [_owner(one) for one in owners],
        "without_owner": "hidden" if listing.owners_asked and not owners else None,
        "timer": None,
        "drops": None,
        "cookie": None,
        "network_namespace": listing.namespace,
    }


def flat_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record as a row of COLUMNS. Of several owners it has the first, and how many there are."""
    remote, timer = record["remote"] or {}, record["timer"] or {}
    owner: Mapping[str, Any] = next(iter(record["owners"]), {})
    return {name: record.get(name) for name in COLUMNS} | {
        "local_address": record["local"].get("address", record["local"].get("path")),
        "local_port": record["local"].get("port"),
        "remote_address": remote.get("address"),
        "remote_port": remote.get("port"),
        "timer": timer.get("kind"),
        "timer_expires_s": timer.get("expires_s"),
        "timer_retransmits": timer.get("retransmits"),
        "owner_pid": owner.get("pid"),
        "owner_fd": owner.get("fd"),
        "owner_command": owner.get("command"),
        "owners": len(record["owners"]),
    }
