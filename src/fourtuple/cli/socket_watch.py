"""`fourtuple sockets --watch`: a line for each thing that changes, until Ctrl-C."""

import time
from datetime import datetime
from typing import Any, NoReturn

from fourtuple.cli.output import write
from fourtuple.errors import N_
from fourtuple.explain.model import Message
from fourtuple.explain.text import Translator
from fourtuple.render.text import clean
from fourtuple.sockets.changes import Change, Snapshot, changes, snapshot
from fourtuple.sockets.choose import Wanted
from fourtuple.sockets.listing import list_sockets
from fourtuple.sockets.model import Listing, state_of, unix_name
from fourtuple.sockets.records import records
from fourtuple.sockets.show import line_of, owner_text
from fourtuple.system.inet_dump import UnixRow

__all__ = ["watch_sockets"]

_BEGIN = N_(
    "Sockets: {count}. Looking again every {seconds} s; what comes and goes in between is not "
    "seen. Ctrl-C ends it."
)
_WORDS = {
    "opened": N_("opened"),
    "closed": N_("closed"),
    "state": N_("{before} to {after}"),
    "recv_q": N_("recv-q {before} to {after}"),
    "send_q": N_("send-q {before} to {after}"),
}


def watch_sockets(
    choice: Wanted, every_s: float, namespace: str, json: bool, translator: Translator
) -> NoReturn:
    """Print changes until interrupted."""
    last = snapshot(list_sockets(choice, namespace=namespace))
    if not json:
        begin = Message(_BEGIN, {"count": len(last.listing), "seconds": f"{every_s:g}"})
        write(translator.text(begin) + "\n")
    next_s = time.monotonic() + every_s
    while True:
        time.sleep(max(0.0, next_s - time.monotonic()))
        next_s = max(next_s + every_s, time.monotonic())
        now = snapshot(list_sockets(choice, namespace=namespace))
        _tell(last, now, json, translator)
        last = now


def _tell(last: Snapshot, now: Snapshot, json: bool, translator: Translator) -> None:
    moment = time.time()
    lines = []
    for change in changes(last, now):
        # who had a socket that is closed is known from before
        listing = last.listing if change.what == "closed" else now.listing
        if not listing.owners.get(change.row.inode):
            listing = last.listing if change.what != "closed" else now.listing
        if json:
            lines.append(_object(change, listing, moment))
        else:
            lines.append(_line(change, listing, moment, translator))
    if lines:
        write("\n".join([*lines, ""]))


def _line(change: Change, listing: Listing, moment: float, translator: Translator) -> str:
    clock = datetime.fromtimestamp(moment).strftime("%H:%M:%S.%f")[:-3]
    what = Message(_WORDS[change.what], {"before": _named(change, change.before),
                                         "after": _named(change, change.after)})  # fmt: skip
    row = change.row
    if isinstance(row, UnixRow):
        socket_text = f"unix LISTEN {clean(unix_name(row.name))}"
    else:
        socket_text = line_of(change.protocol, row)
    owners = (owner_text(one) for one in listing.owners.get(row.inode, ()))
    return " ".join((clock, f"{translator.text(what)}:", socket_text, *owners))


def _named(change: Change, value: int) -> object:
    return state_of(change.protocol, value) if change.what == "state" else value


def _object(change: Change, listing: Listing, moment: float) -> str:
    import msgspec

    row, about = change.row, (listing.namespace, listing.owners)
    if isinstance(row, UnixRow):
        one = Listing({}, [row], *about)
    else:
        one = Listing({change.protocol: [row]}, (), *about)
    (record,) = records([one])
    found: dict[str, Any] = {"kind": "change", "t": round(moment, 3), "change": change.what}
    if change.what not in ("opened", "closed"):
        found |= {"before": _named(change, change.before), "after": _named(change, change.after)}
    return msgspec.json.encode({**found, "socket": record}).decode()
