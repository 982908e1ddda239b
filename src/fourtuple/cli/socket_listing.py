"""What `fourtuple sockets` does, once its command line is understood."""

import gc
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from fourtuple.cli.output import terminal_for, translator_for, write
from fourtuple.cli.values import number_between, seconds
from fourtuple.errors import FourtupleError, UsageError
from fourtuple.explain.message import Message
from fourtuple.explain.text import N_, Translator
from fourtuple.sockets.choose import Wanted, wanted
from fourtuple.sockets.listing import every_namespace, list_sockets, namespace_file
from fourtuple.sockets.model import Listing

__all__ = ["show_sockets"]

_LAST_PORT, _LAST_PID = 65535, 2**31 - 1
_AT_ONCE = 1000
_ONE_OF = N_("{one} and {other} cannot go together.")
_NOT_EVERY = N_(
    "Network namespaces that could not be entered: {count}. It takes CAP_SYS_ADMIN (root)."
)


def show_sockets(
    tcp: bool = False,
    udp: bool = False,
    raw: bool = False,
    unix: bool = False,
    ipv4: bool = False,
    ipv6: bool = False,
    listening: bool = False,
    state: str | None = None,
    port: str | None = None,
    host: str | None = None,
    pid: str | None = None,
    process: str | None = None,
    netns: str | None = None,
    no_owners: bool = False,
    details: bool = False,
    options: str | None = None,
    who: str | None = None,
    watch: bool = False,
    every: str = "1",
    json: bool = False,
    csv: bool = False,
    parquet: str | None = None,
    width: str | None = None,
    lang: str = "",
    no_color: bool = False,
) -> None:
    """List sockets; the parameters are the command's, as they were written."""
    columns, translator = terminal_for(width, no_color).width, translator_for(lang)
    _one_of(
        ("--options", options), ("--who", who), ("--watch", watch), ("--csv", csv),
        ("--parquet", parquet), ("-o", details),
    )  # fmt: skip
    _one_of(("--json", json), ("--csv", csv), ("--parquet", parquet))
    if options is not None:
        _options(options, json, translator, columns)
        return
    if who is not None:
        chosen = ("udp",) if udp and not tcp else ("tcp",) if tcp and not udp else ("tcp", "udp")
        _who(number_between("--who", who, 1, _LAST_PORT), chosen, json, translator, columns)
        return
    protocols = [name for name, on in zip(("tcp", "udp", "raw", "unix"), (tcp, udp, raw, unix),
                                          strict=True) if on]  # fmt: skip
    families = [family for family, on in ((socket.AF_INET, ipv4), (socket.AF_INET6, ipv6)) if on]
    choice = wanted(
        protocols, families, state, listening, port, host,
        None if pid is None else number_between("--pid", pid, 1, _LAST_PID), process,
    )  # fmt: skip
    if watch:
        from fourtuple.cli.socket_watch import watch_sockets

        where = namespace_file(netns) if netns else ""
        watch_sockets(choice, seconds("--every", every), where, json, translator)
    gc.disable()  # tens of thousands of rows, none of which refers to another: looking is in vain
    listings = _listings(choice, netns, not no_owners, details, translator)
    if json or csv or parquet is not None:
        _for_machines(listings, json, csv, parquet, translator)
        return
    from fourtuple.sockets.show import table

    fits = width is not None or "COLUMNS" in os.environ or sys.stdout.isatty()
    if details:
        from fourtuple.sockets.detail import detailed

        write("".join(f"{line}\n" for line in detailed(listings, translator, columns)))
        return
    _write_lines(table(listings, translator, columns if fits else None))


def _one_of(*given: tuple[str, object]) -> None:
    names = [name for name, value in given if value not in (None, False)]
    if len(names) > 1:
        raise UsageError(_ONE_OF, {"one": names[0], "other": names[1]})


def _listings(
    choice: Wanted, netns: str | None, owners: bool, details: bool, translator: Translator
) -> list[Listing]:
    if netns != "all":
        where = namespace_file(netns) if netns else ""
        return [list_sockets(choice, owners=owners, details=details, namespace=where)]
    listings, refused = [], 0
    for file in every_namespace():
        try:
            listings.append(list_sockets(choice, owners=owners, details=details, namespace=file))
        except FourtupleError:
            refused += 1
    if refused:
        note = translator.text(Message(_NOT_EVERY, {"count": refused}))
        print(f"fourtuple: {note}", file=sys.stderr)
    return listings


def _for_machines(
    listings: Sequence[Listing], json: bool, csv: bool, parquet: str | None, translator: Translator
) -> None:
    from fourtuple.sockets.records import COLUMNS, flat_record, records

    found = list(records(listings))
    if json:
        _write_objects(found)
    elif csv:
        from fourtuple.render.csvout import rows_csv

        for text in rows_csv(COLUMNS, map(flat_record, found)):
            write(text)
    elif parquet is not None:
        from fourtuple.sockets.parquet import write_sockets

        values = {"name": "sockets.parquet", "count": write_sockets(found, parquet)}
        row = Message("{name}: {count} row", values, "{name}: {count} rows", values["count"])  # type: ignore[arg-type]
        write(translator.text(row) + "\n")


def _write_objects(objects: Sequence[Any]) -> None:
    import msgspec

    encode = msgspec.json.encode
    for begin in range(0, len(objects), _AT_ONCE):
        some = objects[begin : begin + _AT_ONCE]
        write("".join(encode(one).decode() + "\n" for one in some))


def _write_lines(lines: Iterator[str]) -> None:
    while some := [*islice(lines, _AT_ONCE)]:
        write("\n".join([*some, ""]))


def _options(text: str, json: bool, translator: Translator, width: int) -> None:
    from fourtuple.sockets.asking import ask, descriptor_of, taken
    from fourtuple.sockets.detail import asked_record, told

    pid, fd = descriptor_of(text)
    with taken(pid, fd) as sock:
        asked = ask(sock)
    if json:
        _write_objects([asked_record(asked, pid, fd)])
    else:
        _write_lines(told(asked, translator, width))


def _who(
    port: int, protocols: Sequence[str], json: bool, translator: Translator, width: int
) -> None:
    from fourtuple.render.text import clean, wrap
    from fourtuple.sockets.holders import answer, answer_record, sentences
    from fourtuple.sockets.records import inet_record

    for protocol in protocols:
        found = answer(port, protocol)
        texts = [clean(translator.text(one)) for one in sentences(found)]
        if json:
            english = Translator("en")
            said = " ".join(english.text(one) for one in sentences(found))
            rows = [inet_record(found.here, protocol, row) for row in found.rows]
            _write_objects([answer_record(found, said), *rows])
            continue
        lines = [line for text in texts for line in wrap(text, width - 2)]
        write(
            "".join(f"{line}\n" for line in (f"{protocol} {port}", *("  " + one for one in lines)))
        )
