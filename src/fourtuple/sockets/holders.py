"""Who holds a port, and the way out of it (row A16).

What may be bound is not argued but tried: a socket is bound to the port for a moment, without and
with SO_REUSEADDR, and the kernel's answer is the answer. It never listens, so nobody can connect to
it. The table then says who is in the way; where no table has the socket, that is said.
"""

import errno
import os
import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from fourtuple.errors import N_, FourtupleError
from fourtuple.explain.message import Message
from fourtuple.sockets.choose import Wanted
from fourtuple.sockets.listing import every_namespace, list_sockets
from fourtuple.sockets.model import Listing, endpoint, port_of, state_of
from fourtuple.sockets.show import owner_text, user_name
from fourtuple.system.inet_dump import EVERY_STATE, LISTEN, InetRow
from fourtuple.system.owners import Owner, command_of, look_for_owners, processes, sockets_of

__all__ = ["Answer", "Trial", "answer", "answer_record", "sentences", "untold_sockets"]

_TIME_WAIT, _CLOSED = 6, 7
_ENDING = frozenset((4, 5, 9, 11))
_HALF_OPEN = frozenset((3, 12))
_MOST = 10
_KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
_ANYWHERE = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}


@dataclass(frozen=True, slots=True)
class Trial:
    """What bind() to a port of every address said: 0 or an errno, without and with SO_REUSEADDR."""

    family: int
    plain: int
    reusing: int


@dataclass(frozen=True, slots=True)
class Answer:
    """Everything that was found out about one protocol's port. `here` are its sockets in this
    network namespace, `elsewhere` those in others that may be looked into; `untold` are processes
    with a TCP or UDP socket that no table has (before Linux 6.8, one that is bound and no more)."""

    protocol: str
    port: int
    here: Listing
    elsewhere: tuple[Listing, ...]
    trials: tuple[Trial, ...]
    untold: tuple[Owner, ...]

    @property
    def rows(self) -> list[InetRow]:
        return list(self.here.inet.get(self.protocol, ()))

    @property
    def in_use(self) -> bool:
        return any(trial.plain == errno.EADDRINUSE for trial in self.trials)


def answer(port: int, protocol: str) -> Answer:
    """Find it out, for tcp or udp."""
    wanted = Wanted(protocols=(protocol,), states=EVERY_STATE, ports=(range(port, port + 1),))
    here = _local(list_sockets(wanted), port)
    trials = tuple(
        Trial(family, _try(family, protocol, port, False), _try(family, protocol, port, True))
        for family in _ANYWHERE
    )
    elsewhere = []
    for file in every_namespace():
        with suppress(FourtupleError, OSError):
            listing = _local(list_sockets(wanted, owners=False, namespace=file), port)
            if listing.namespace != here.namespace and len(listing):
                inodes = {row.inode for _, row in listing.rows()}
                listing.owners = look_for_owners(inodes - {0}).owners
                elsewhere.append(listing)
    found = Answer(protocol, port, here, tuple(elsewhere), trials, ())
    if found.in_use and not found.rows:
        untold = tuple(untold_sockets(here.namespace))
        return Answer(protocol, port, here, tuple(elsewhere), trials, untold)
    return found


def _local(listing: Listing, port: int) -> Listing:
    """Without sockets that only talk to that port."""
    for protocol, rows in listing.inet.items():
        listing.inet[protocol] = [row for row in rows if port_of(row) == port]
    return listing


def _try(family: int, protocol: str, port: int, reusing: bool) -> int:
    try:
        with socket.socket(family, _KINDS[protocol]) as sock:
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reusing)
            sock.bind((_ANYWHERE[socket.AddressFamily(family)], port))
    except OSError as error:
        return error.errno or errno.EIO
    return 0


def untold_sockets(namespace: int) -> Iterator[Owner]:
    """Descriptors of this namespace's processes whose socket is in no table of the kernel's."""
    told: set[int] = set()
    listing = list_sockets(Wanted(), owners=False)
    told.update(row.inode for _, row in listing.rows())
    for name in ("unix", "netlink", "packet"):
        told.update(_inodes(name))
    for pid in processes():
        with suppress(OSError):
            if os.stat(f"/proc/{pid}/ns/net").st_ino == namespace:
                held = [(fd, inode) for fd, inode in sockets_of(pid) if inode not in told]
                yield from (Owner(pid, fd, command_of(pid)) for fd, _ in held)


def _inodes(name: str) -> Iterator[int]:
    """Those of /proc/net/NAME: the last number of a line, but for unix, where a path may follow."""
    with suppress(OSError), open(f"/proc/thread-self/net/{name}", errors="replace") as file:
        for line in file.readlines()[1:]:
            words = line.split()
            with suppress(ValueError, IndexError):
                yield int(words[6 if name == "unix" else -1])


# in words

_FREE = N_("Nobody holds {protocol} port {port} here: bind() to it works.")
_PRIVILEGED = N_(
    "No socket of this network namespace has {protocol} port {port}. Whether bind() works only "
    "root can try: an ordinary user may not bind ports below {first}."
)
_REFUSED = N_("bind() to it fails: {reason}.")
_HOLDS = N_("{owner} (user {user}) {does}: {end}, socket {inode}.")
_HIDDEN = N_(
    "A process of user {user} {does}: {end}, socket {inode}. Which one it is, only that user and "
    "root may see: sudo fourtuple sockets --who {port}"
)
_DOES = {
    "listens": N_("listens"),
    "bound": N_("has bound the port, and neither listens nor is connected"),
    "connected": N_("has a connection from this port, in state {state}"),
    "receives": N_("receives datagrams at this port"),
}
_NOT_ACCEPTED = N_(
    "Connections at this port that have been made and wait for accept(): {count}. They are reset "
    "when their listener is closed."
)
_ORPHANS = N_(
    "Connections at this port that their program has closed and the kernel is still ending: "
    "{count} (one is in {example}). No process can be ended for that: it takes the peer's answer, "
    "or time."
)
_WAITING = N_(
    "Connections at this port in TIME_WAIT: {count}. No process holds them; each is gone after "
    "60 s, the last of them {seconds} s from now."
)
_HALF = N_("Connections at this port that are half-open (SYN_RECV): {count}.")
_MORE = N_("... and {count} more.")
_WITH_REUSE = N_(
    "A new server can have the port now if it sets SO_REUSEADDR before bind(): tried a moment ago, "
    "that works, and without it bind() fails with EADDRINUSE."
)
_NO_REUSE = N_(
    "SO_REUSEADDR does not help: tried a moment ago, bind() fails with EADDRINUSE with it as "
    "without. It helps against sockets that have it too and do not listen."
)
_KILL = N_(
    "End it: kill {pid}. Where something starts it again (systemd, a container), stop it there."
)
_CLOSE = N_("Or have the program choose another port; 0 lets the kernel choose a free one.")
_PORT_SHARED = N_(
    "Or let both share the port: SO_REUSEPORT, set before bind() on every socket of it, all of "
    "them the same user's."
)
_UNTOLD = N_(
    "The kernel's tables do not have the socket that is in the way: it is bound, but neither "
    "listens nor is connected, which Linux lists from 6.8 on. Such a socket may be one of "
    "these: {owners}."
)
_UNSEEN = N_(
    "The kernel's tables do not have the socket that is in the way, and no process that may be "
    "looked into here has one that is missing in them. As root the command sees every process."
)
_ELSEWHERE = N_(
    "In another network namespace ({namespace}) {owner} has {protocol} port {port}. That does not "
    "keep anybody here from it: each namespace has ports of its own."
)
_ELSEWHERE_HIDDEN = N_(
    "Other network namespaces (containers) have ports of their own, and only root may look into "
    "them. What holds the port there does not hold it here."
)


def sentences(found: Answer) -> Iterator[Message]:
    """Who holds it, then the way out."""
    about: dict[str, Any] = {"protocol": found.protocol, "port": found.port}
    yield from _holding(found)
    if not found.rows:
        yield from _without_rows(found, about)
    yield from _way_out(found)
    for listing in found.elsewhere[:_MOST]:
        row = next(iter(listing.inet[found.protocol]))
        owners = listing.owners.get(row.inode)
        owner: object = owner_text(owners[0]) if owners else Message("a process")
        where = {**about, "namespace": listing.namespace, "owner": owner}
        yield Message(_ELSEWHERE, where)
    if not found.rows and not found.elsewhere and os.geteuid() != 0:
        yield Message(_ELSEWHERE_HIDDEN)


def _without_rows(found: Answer, about: dict[str, Any]) -> Iterator[Message]:
    errors = {trial.plain for trial in found.trials} - {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}
    if errors == {0}:
        yield Message(_FREE, about)
    elif errno.EADDRINUSE in errors:
        owners = [owner_text(one) for one in found.untold[:_MOST]]
        yield Message(_UNTOLD, {"owners": owners}) if owners else Message(_UNSEEN)
    elif errno.EACCES in errors:
        yield Message(_PRIVILEGED, {**about, "first": _first_free()})
    else:
        yield Message(_REFUSED, {"reason": os.strerror(max(errors))})


def _first_free() -> int:
    with suppress(OSError, ValueError), open("/proc/sys/net/ipv4/ip_unprivileged_port_start") as f:
        return int(f.read())
    return 1024


def _holding(found: Answer) -> Iterator[Message]:
    rows = found.rows
    held = [row for row in rows if row.inode]
    held.sort(key=lambda row: (row.state != LISTEN, row.inode))
    for row in held[:_MOST]:
        yield from _of_one(found, row)
    if len(held) > _MOST:
        yield Message(_MORE, {"count": len(held) - _MOST})
    if found.protocol != "tcp":
        return
    nobody = [row for row in rows if not row.inode]
    ending = [row for row in nobody if row.state in _ENDING]
    waiting = [row for row in nobody if row.state == _TIME_WAIT]
    half = [row for row in nobody if row.state in _HALF_OPEN]
    queued = len(nobody) - len(ending) - len(waiting) - len(half)
    if queued:
        yield Message(_NOT_ACCEPTED, {"count": queued})
    if half:
        yield Message(_HALF, {"count": len(half)})
    if ending:
        yield Message(_ORPHANS, {"count": len(ending), "example": state_of("tcp", ending[0].state)})
    if waiting:
        seconds = max(row.expires_ms for row in waiting) // 1000 + 1
        yield Message(_WAITING, {"count": len(waiting), "seconds": seconds})


def _of_one(found: Answer, row: InetRow) -> Iterator[Message]:
    """A sentence a holder."""
    about = {
        "does": _does(found.protocol, row),
        "end": endpoint(row),
        "inode": row.inode,
        "user": user_name(row.uid),
        "port": found.port,
    }
    owners = found.here.owners.get(row.inode, ())
    if not owners:
        yield Message(_HIDDEN, about)
    for owner in owners[:_MOST]:
        yield Message(_HOLDS, {**about, "owner": owner_text(owner)})


def _does(protocol: str, row: InetRow) -> Message:
    state = state_of(protocol, row.state)
    if protocol == "udp":
        return Message(_DOES["receives"])
    if row.state == LISTEN:
        return Message(_DOES["listens"])
    if row.state == _CLOSED:
        return Message(_DOES["bound"])
    return Message(_DOES["connected"], {"state": state})


def _way_out(found: Answer) -> Iterator[Message]:
    refused = [trial for trial in found.trials if trial.plain == errno.EADDRINUSE]
    if not refused:
        return
    pids = _pids(found)
    if 0 < len(pids) <= _MOST:
        yield Message(_KILL, {"pid": " ".join(map(str, pids))})
    if all(trial.reusing == 0 for trial in refused):
        yield Message(_WITH_REUSE)
    elif not any(trial.reusing == 0 for trial in refused) and _others_than_listeners(found):
        yield Message(_NO_REUSE)
    if any(row.state == LISTEN or found.protocol == "udp" for row in found.rows):
        yield Message(_PORT_SHARED)
    yield Message(_CLOSE)


def _others_than_listeners(found: Answer) -> bool:
    return found.protocol == "tcp" and any(row.state != LISTEN for row in found.rows)


def _pids(found: Answer) -> Sequence[int]:
    """The processes in the way; a listener's, where there is one."""
    rows: Iterable[InetRow] = found.rows
    listeners = [row for row in rows if row.state == LISTEN]
    inodes = [row.inode for row in listeners or rows]
    owners = [one for inode in inodes for one in found.here.owners.get(inode, ())]
    return list(dict.fromkeys(one.pid for one in owners))


def answer_record(found: Answer, text: str) -> dict[str, Any]:
    """The answer for machines. `holders` has the sockets' inodes; the sockets are records of their
    own."""
    names = {0: "works"}
    return {
        "kind": "port",
        "protocol": found.protocol,
        "port": found.port,
        "in_use": found.in_use,
        "bind": [
            {
                "family": 6 if trial.family == socket.AF_INET6 else 4,
                "plain": names.get(trial.plain) or errno.errorcode.get(trial.plain, ""),
                "reuseaddr": names.get(trial.reusing) or errno.errorcode.get(trial.reusing, ""),
            }
            for trial in found.trials
        ],
        "holders": [row.inode for row in found.rows if row.inode],
        "other_namespaces": [one.namespace for one in found.elsewhere],
        "text": text,
    }
