"""The table for people: one socket a line, what explains the numbers below it.

Made for tens of thousands of rows: what repeats (an address, a user's name) becomes text once, and
a row is one formatting. Where a terminal is too narrow, a socket is a paragraph; nothing is cut.
"""

import pwd
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cache
from operator import itemgetter

from fourtuple.errors import N_
from fourtuple.explain.message import Message
from fourtuple.explain.text import Translator
from fourtuple.render.text import clean, width_of, wrap
from fourtuple.sockets.model import (
    UNIX_KINDS,
    Hosts,
    Listing,
    endpoint,
    state_of,
    unix_name,
    why_nobody,
)
from fourtuple.sockets.queues import remarks
from fourtuple.system.inet_dump import InetRow, InetRows, UnixRow
from fourtuple.system.owners import Owner, Owners
from fourtuple.system.sock_diag import TIMERS

__all__ = ["line_of", "owner_text", "table", "timer_text", "user_name"]

_HEADS = (
    N_("protocol"), N_("state"), "recv-q", "send-q", N_("local"), N_("remote"), N_("timer"),
    N_("user"), N_("owners"),
)  # fmt: skip
_NUMBERS = (2, 3)
_GAP = 2
#: why no process is named, see model.why_nobody
_NOBODY = {
    "hidden": N_("(not visible)"),
    "time-wait": N_("(none: only the four-tuple is kept)"),
    "half-open": N_("(none: half-open)"),
    "closed": N_("(none: its program closed it)"),
    "accept-queue": N_("(none: nobody has accepted it)"),
    "kernel": N_("(the kernel)"),
}
_TIMERS = {
    "retransmit": N_("retransmit"),
    "keepalive": N_("keepalive"),
    "time-wait": N_("time-wait"),
    "probe": N_("probe"),
}
#: of these the kernel keeps no user
_NO_USER = frozenset((3, 6, 12))
_FIN_WAIT2, _LISTEN = 5, 10
_AF_INET6 = 10
#: with more rows than this, widths are what they may be, and not looked for
_MANY = 2000
_WIDEST_IPV4, _WIDEST_IPV6 = len("255.255.255.255:65535"), len("[::ffff:255.255.255.255]:65535")
_DESCRIPTOR = (1 << Owners.SHIFT) - 1
_STATE, _UID = itemgetter(1), itemgetter(13)

Cells = tuple[str | int, ...]


def table(
    listings: Sequence[Listing], translator: Translator, width: int | None = None
) -> Iterator[str]:
    """The lines, the first is the head. `width` None: lines are as long as they are, for a program
    that reads them. With several namespaces each has a table of its own."""
    for number, listing in enumerate(listings):
        if len(listings) > 1:
            about = {"namespace": listing.namespace, "count": len(listing)}
            yield translator.text(
                Message(
                    "network namespace {namespace}: {count} socket", about,
                    "network namespace {namespace}: {count} sockets", len(listing),
                )
            )  # fmt: skip
        yield from _one_table(listing, translator, width)
        if number < len(listings) - 1:
            yield ""


def _one_table(listing: Listing, translator: Translator, width: int | None) -> Iterator[str]:
    if len(listing):
        words = _Words(listing, translator)
        head = [translator.text(one) for one in _HEADS]
        if not listing.owners_asked:
            head[-1] = ""
        yield from _lines(head, words, width)
    for message in remarks(listing):
        text = translator.text(message)
        yield from wrap(text, width) if width else [text]


class _Users(dict[int, str]):
    """User's number -> name, looked up once."""

    def __missing__(self, uid: int) -> str:
        name = self[uid] = clean(user_name(uid))
        return name


def _is_ipv6(rows: Collection[InetRow]) -> bool:
    if isinstance(rows, InetRows):
        return _AF_INET6 in rows.families
    return any(row.family == _AF_INET6 for row in rows)


class _Words:
    """Makes the cells of rows; remembers what it has put into words."""

    def __init__(self, listing: Listing, translator: Translator) -> None:
        self.listing, self._translator = listing, translator
        self._nobody = {why: translator.text(text) for why, text in _NOBODY.items()}
        self._hosts = {family: Hosts(family) for family in (2, 10)}
        self._commands: dict[str, str] = {}
        self._users = _Users()

    def cells(self) -> Iterator[Cells]:
        """Every socket's."""
        for protocol, rows in self.listing.inet.items():
            yield from self._inet(protocol, rows)
        yield from map(self._unix, self.listing.unix)

    def widths(self) -> list[int]:
        """No cell of a column but the last is wider. Where there are very many, lines are printed
        as they come: then a rare one may be wider."""
        if len(self.listing) > _MANY:
            widest = (
                _WIDEST_IPV6 if any(map(_is_ipv6, self.listing.inet.values())) else _WIDEST_IPV4
            )
            return [len("proto"), len("ESTABLISHED"), 6, 6, widest, widest, 18, 8]
        rows = [row for some in self.listing.inet.values() for row in some]
        unix = self.listing.unix
        queues = [max(map(itemgetter(field), rows), default=0) for field in (11, 12)]
        queues = [max(queues[0], *(one.recv_q for one in unix), 0),
                  max(queues[1], *(one.limit for one in unix), 0)]  # fmt: skip
        bound = [len(endpoint(row)) for row in rows if row.interface]
        paths = [width_of(clean(unix_name(one.name))) for one in unix]
        return [
            max(map(len, self.listing.inet), default=4),
            max((len(state_of(*one)) for one in self._states()), default=0),
            *(len(str(most)) for most in queues),
            max(self._widest_end(rows, remote=False), *paths, *bound, 0),
            max(self._widest_end(rows, remote=True), len("seqpacket") if unix else 0),
            max((width_of(self._timer(row)) for row in rows if row.timer), default=0),
            max((width_of(self._users[uid]) for uid in self._uids()), default=0),
        ]

    def _uids(self) -> set[int]:
        found = {uid for rows in self.listing.inet.values() for uid in set(map(_UID, rows))}
        return found | {row.uid for row in self.listing.unix if row.uid is not None}

    def _states(self) -> set[tuple[str, int]]:
        inet = self.listing.inet.items()
        found = {(protocol, state) for protocol, rows in inet for state in set(map(_STATE, rows))}
        return found | ({("unix", _LISTEN)} if self.listing.unix else set())

    def _widest_end(self, rows: Sequence[InetRow], *, remote: bool) -> int:
        hosts = {
            self._hosts[row.family][row.remote_address if remote else row.local_address]
            for row in rows
        }
        return max(map(len, hosts), default=0) + len(":65535")

    def _timer(self, row: InetRow) -> str:
        return timer_text(row, self._translator)

    def _inet(self, protocol: str, rows: Iterable[InetRow]) -> Iterator[Cells]:
        hosts, users, held = self._hosts, self._users, self.listing.owners
        asked = self.listing.owners_asked
        states = [state_of(protocol, number) for number in range(256)]
        for row in rows:
            (
                family, state, timer, _, local_port, remote_port, local, remote, interface, _, _,
                recv_q, send_q, uid, inode, _,
            ) = row  # fmt: skip
            texts = hosts[family]
            owners = ""
            if asked:
                found = held.get(inode)
                owners = self._all(found) if found else self._nobody[why_nobody(protocol, row)]
            yield (
                protocol,
                states[state],
                recv_q,
                send_q,
                # as model.endpoint, 40,000 times
                endpoint(row)
                if interface
                else f"{texts[local]}:{local_port[0] << 8 | local_port[1] or '*'}",
                f"{texts[remote]}:{remote_port[0] << 8 | remote_port[1] or '*'}",
                self._timer(row) if timer else "",
                "" if state in _NO_USER else users[uid],
                owners,
            )

    def lines(self, widths: Sequence[int]) -> Iterator[str]:
        """Every socket's cells in columns of these widths."""
        for protocol, rows in self.listing.inet.items():
            yield from self._inet_lines(protocol, rows, widths)
        yield from map(_template(widths).__mod__, map(self._unix, self.listing.unix))

    def _inet_lines(
        self, protocol: str, rows: Collection[InetRow], widths: Sequence[int]
    ) -> Iterator[str]:
        """As `_inet`, 40,000 times: what repeats is padded once."""
        first, second, recv, send, here, there, timed, named = (
            size + _GAP if size else 0 for size in widths
        )
        heads = [f"{protocol:<{first}}{state_of(protocol, n):<{second}}" for n in range(256)]
        gap, still = " " * _GAP, " " * timed
        idle = f"{0:>{recv - _GAP}}{gap}{0:>{send - _GAP}}{gap}"
        users = dict[int, str]()
        nobody: dict[tuple[int, bool], str] = {}
        hosts, asked, held = self._hosts, self.listing.owners_asked, self.listing.owners
        known = held if isinstance(held, Owners) else Owners()
        only, holders = known.only, [self._holder(*one) for one in known.processes]
        owners = ""
        for row in rows.plain() if isinstance(rows, InetRows) else rows:
            (
                family, state, timer, _, local_port, remote_port, local, remote, interface, _, _,
                recv_q, send_q, uid, inode, _,
            ) = row  # fmt: skip
            texts = hosts[family]
            queues = idle
            if recv_q or send_q:
                queues = f"{recv_q:>{recv - _GAP}}{gap}{send_q:>{send - _GAP}}{gap}"
            end = f"{texts[local]}:{local_port[0] << 8 | local_port[1] or '*'}"
            if interface:
                end = endpoint(InetRow._make(row))
            other = f"{texts[remote]}:{remote_port[0] << 8 | remote_port[1] or '*'}"
            timer_cell = f"{self._timer(InetRow._make(row)):<{timed}}" if timer else still
            key = -1 if state in _NO_USER else uid
            user = users.get(key)
            if user is None:
                user = users[key] = f"{'' if key < 0 else self._users[uid]:<{named}}"
            if asked:
                one = only.get(inode)
                if one is not None:
                    owners = f"{holders[one >> Owners.SHIFT]}{one & _DESCRIPTOR}"
                elif found := held.get(inode):
                    owners = self._all(found)
                else:
                    why = state, inode == 0
                    if why not in nobody:
                        nobody[why] = self._nobody[why_nobody(protocol, InetRow._make(row))]
                    owners = nobody[why]
            yield f"{heads[state]}{queues}{end:<{here}}{other:<{there}}{timer_cell}{user}{owners}"

    def _unix(self, row: UnixRow) -> Cells:
        owners = ""
        if self.listing.owners_asked:
            found = self.listing.owners.get(row.inode)
            owners = self._all(found) if found else self._nobody["hidden"]
        return (
            "unix", "LISTEN", row.recv_q, row.limit, clean(unix_name(row.name)),
            UNIX_KINDS.get(row.kind, str(row.kind)), "",
            "" if row.uid is None else self._users[row.uid], owners,
        )  # fmt: skip

    def _all(self, owners: Sequence[Owner]) -> str:
        return " ".join(f"{self._holder(pid, command)}{fd}" for pid, fd, command in owners)

    def _holder(self, pid: int, command: str) -> str:
        shown = self._commands.get(command)
        if shown is None:
            shown = self._commands[command] = clean(command)
        return f"{shown}[{pid}]/"


def owner_text(owner: Owner) -> str:
    """name[pid]/descriptor."""
    return f"{clean(owner.command)}[{owner.pid}]/{owner.fd}"


@cache
def user_name(uid: int) -> str:
    """The user's name, else the number."""
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return str(uid)


def timer_text(row: InetRow, translator: Translator) -> str:
    """What runs out, in how many milliseconds, and how often it has done so already."""
    name = TIMERS[row.timer] if row.timer < len(TIMERS) else str(row.timer)
    if row.state == _FIN_WAIT2 and not row.inode and name == "keepalive":
        # the same kernel timer (sk_timer) ends the wait of a closed socket for the peer's FIN
        text = translator.text(N_("fin-wait2"))
    else:
        text = translator.text(_TIMERS[name]) if name in _TIMERS else name
    often = f" ({row.retransmits})" if row.retransmits else ""
    return f"{text} {row.expires_ms} ms{often}"


def line_of(protocol: str, row: InetRow) -> str:
    """A socket in a sentence: its protocol, state and ends."""
    return (
        f"{protocol} {state_of(protocol, row.state)} {endpoint(row)} {endpoint(row, remote=True)}"
    )


def _lines(head: Sequence[str], words: _Words, width: int | None) -> Iterator[str]:
    widths = words.widths()
    # a column that is empty is left out
    widths = [
        max(size, width_of(text)) if size else 0 for size, text in zip(widths, head, strict=False)
    ]
    if width is not None and sum(widths) + _GAP * len(widths) > width:
        for row in words.cells():
            yield from _paragraph(head, row, width)
        return
    yield _head(head, widths)
    if width is None:
        lines = words.lines(widths)
        yield from lines if words.listing.owners_asked else map(str.rstrip, lines)
        return
    template = _template(widths)
    for row in words.cells():
        yield from _folded(template % row, str(row[-1]), width)


def _template(widths: Sequence[int]) -> str:
    columns = (
        f"%{'' if column in _NUMBERS else '-'}{size}s{' ' * _GAP}" if size else "%s"
        for column, size in enumerate(widths)
    )
    return "".join(columns) + "%s"


def _head(head: Sequence[str], widths: Sequence[int]) -> str:
    cells = []
    for column, (text, size) in enumerate(zip(head, widths, strict=False)):
        blanks = " " * (size - width_of(text))
        if size:
            cells.append(blanks + text if column in _NUMBERS else text + blanks)
    return (" " * _GAP).join([*cells, head[-1]]).rstrip()


def _folded(line: str, owners: str, width: int) -> Iterator[str]:
    """The owners below, where they do not fit beside the rest."""
    if width_of(line.rstrip()) <= width:
        yield line.rstrip()
        return
    yield line[: len(line) - len(owners)].rstrip()
    for more in wrap(owners, width - 4 * _GAP):
        yield " " * (4 * _GAP) + more


def _paragraph(head: Sequence[str], row: Cells, width: int) -> Iterator[str]:
    protocol, state, recv_q, send_q, local, remote, timer, user, owners = row
    facts = [f"recv-q {recv_q}", f"send-q {send_q}", timer, f"{head[7]} {user}" if user else ""]
    for number, text in enumerate(
        (
            f"{protocol} {state} {local} {remote}",
            ", ".join(str(one) for one in facts if one),
            owners,
        )
    ):
        if text:
            indent = " " * _GAP if number else ""
            yield from (indent + line for line in wrap(str(text), width - len(indent)))
