"""All that one socket says of itself: its options with meaning, default and effect, and tcp_info.

Options are asked through the descriptor of one of its owners (sockets.asking), where that is
allowed; tcp_info comes from sock_diag, which tells it to everybody.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from fourtuple.errors import N_, FourtupleError
from fourtuple.explain.message import Message
from fourtuple.explain.text import Translator
from fourtuple.render.text import clean, wrap
from fourtuple.sockets.asking import Answer, Asked, ask, taken
from fourtuple.sockets.info import FIELDS, info_record
from fourtuple.sockets.model import Listing
from fourtuple.sockets.options import LEVELS
from fourtuple.sockets.show import line_of, owner_text
from fourtuple.system.inet_dump import INFO, attributes_of

__all__ = ["asked_record", "detailed", "told"]

_DIFFERS, _SAME = "*", " "
_HEAD = N_(
    "{socket}: options; * marks what differs from a new socket of this kind,"
    " whose value stands in brackets."
)
_ELSEWHERE = N_(
    "It belongs to another network namespace, whose defaults may be others: compared is a new "
    "socket of this one."
)
_NOT_READ = N_("Not read, because reading changes them for its program: SO_ERROR, TCP_SAVED_SYN.")
_INFO = N_("tcp_info")
_NOT_ASKED = N_("Its options could not be asked: {reason}")
_NOBODY = N_("Nobody who can be asked holds it, so it has no options here.")
_DEFAULT = N_("default from {setting}")
_PROTOCOLS = {6: "tcp", 17: "udp", 1: "icmp", 58: "icmp6", 0: "unix"}


def told(asked: Asked, translator: Translator, width: int) -> Iterator[str]:
    """The options, one a line, then tcp_info."""
    name = _PROTOCOLS.get(asked.protocol, str(asked.protocol))
    about = clean(" ".join(filter(None, (name, asked.local, asked.remote))))
    yield from wrap(translator.text(Message(_HEAD, {"socket": about})), width)
    if asked.elsewhere:
        yield from wrap(translator.text(_ELSEWHERE), width)
    yield from _options(asked.answers, translator, width)
    yield from wrap(translator.text(_NOT_READ), width)
    if asked.tcp_info:
        yield from _info(asked.tcp_info, translator, width)


def _options(answers: Sequence[Answer], translator: Translator, width: int) -> Iterator[str]:
    rows = []
    for one in answers:
        value = clean(one.value) or '""'
        shown = f"{value} ({one.default})" if one.differs else value
        meaning = translator.text(one.option.meaning)
        if one.option.setting:
            setting = {"setting": one.option.setting}
            meaning += f" [{translator.text(Message(_DEFAULT, setting))}]"
        rows.append((_DIFFERS if one.differs else _SAME, one.option.name, shown, meaning))
    yield from _rows(rows, width)


def _info(data: bytes, translator: Translator, width: int) -> Iterator[str]:
    yield translator.text(_INFO)
    values = info_record(data)
    meanings = {field.name: translator.text(field.meaning) for field in FIELDS}
    rows = [(_SAME, name, _value(value), meanings[name]) for name, value in values.items()]
    yield from _rows(rows, width)


def _value(value: object) -> str:
    if value is None:
        return "-"
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _rows(rows: Sequence[tuple[str, str, str, str]], width: int) -> Iterator[str]:
    if not rows:
        return
    names = max(len(name) for _, name, _, _ in rows)
    values = min(24, max(len(value) for _, _, value, _ in rows))
    for mark, name, value, meaning in rows:
        head = f"{mark} {name:{names}}  {value:{values}}  "
        if len(head) + 20 > width:
            yield f"{mark} {name}  {value}"
            head = " " * 4
        for line in wrap(meaning, max(20, width - len(head))):
            yield (head + line).rstrip()
            head = " " * len(head)


def detailed(listings: Sequence[Listing], translator: Translator, width: int) -> Iterator[str]:
    """Each socket of the table with its options and tcp_info."""
    for listing in listings:
        for protocol, row in listing.rows():
            owners = listing.owners.get(row.inode, ())
            yield " ".join((line_of(protocol, row), *map(owner_text, owners)))
            info = attributes_of(row.attributes).get(INFO, b"")
            try:
                asked = None
                if owners:
                    with taken(owners[0].pid, owners[0].fd) as sock:
                        asked = ask(sock)
            except FourtupleError as error:
                reason = Message(error.message.partition("\n")[0], error.params)
                yield from wrap(translator.text(Message(_NOT_ASKED, {"reason": reason})), width)
            else:
                if asked is None:
                    yield from wrap(translator.text(_NOBODY), width)
                else:
                    yield from _options(asked.answers, translator, width)
            if info:
                yield from _info(info, translator, width)
            yield ""


def asked_record(asked: Asked, pid: int, fd: int) -> dict[str, Any]:
    """The same for machines: every option with its value and that of a new socket, as texts."""
    return {
        "kind": "options",
        "pid": pid,
        "fd": fd,
        "protocol": _PROTOCOLS.get(asked.protocol, str(asked.protocol)),
        "local": asked.local,
        "remote": asked.remote,
        "other_network_namespace": asked.elsewhere,
        "options": [
            {
                "level": LEVELS[one.option.level],
                "option": one.option.name,
                "value": one.value,
                "default": one.default,
                "differs": one.differs,
                "setting": one.option.setting or None,
            }
            for one in asked.answers
        ],
        "tcp_info": info_record(asked.tcp_info) if asked.tcp_info else None,
    }
