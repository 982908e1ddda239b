"""What a command line of `fourtuple read` asks for, with every value judged.

Times are counted from the first frame ("2.5", "90s", "250ms", "5m", "1h") or are moments: of ISO
8601 ("2026-05-01T12:00:00", with a zone or in that of this machine) or seconds since 1970 ("@...").
"""

import difflib
import ipaddress
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

import msgspec

from fourtuple.cli.values import number
from fourtuple.errors import UsageError
from fourtuple.explain.text import N_

if TYPE_CHECKING:  # it has numpy, and every command would wait for that
    from fourtuple.analyze.choice import Choice, Network

__all__ = ["Asked", "Moment"]

_UNITS = {"": 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "m": 60 * 10**9, "h": 3600 * 10**9}
_AFTER = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(us|ms|s|m|h|)")
_LARGEST = 1 << 62

NO_FILE = N_("The name of the file is empty; - is standard input.")
NO_ADDRESS = N_("{option} takes addresses and networks (10.0.0.1, 10.0.0.0/8); {value} is neither.")
NO_PORT = N_("{option} takes port numbers from 0 to 65535; {value} is none.")
NO_TIME = N_(
    "{option} takes a time after the first frame (2.5, 250ms, 5m), a date and time "
    "(2026-05-01T12:00:00), or seconds since 1970 (@1767225600); {value} is none of them."
)
NO_CODE = N_("There is no finding {value}: docs/reference/findings.md lists them all.")
NO_CODE_CLOSE = N_("There is no finding {value}. Did you mean {close}?")
NO_NAME = N_("{option} needs a name: what it is given is empty.")
ONE_FORM = N_("{one} and {other} cannot both be asked for.")


class Moment(msgspec.Struct, frozen=True):
    """A time: nanoseconds since 1970, or after the first frame."""

    t_ns: int
    after_first: bool

    def since_1970(self, begin_ns: int | None) -> int:
        """Where the first frame was seen then."""
        return self.t_ns + (begin_ns or 0) * self.after_first


class Asked(msgspec.Struct, frozen=True):
    """What to show (`connection` to `codes`), and as what."""

    files: list[str]
    connection: int | None = None
    frame: int | None = None
    frames: bool = False
    networks: tuple["Network", ...] = ()
    ports: tuple[int, ...] = ()
    since: Moment | None = None
    until: Moment | None = None
    codes: tuple[str, ...] = ()
    json: bool = False
    csv: bool = False
    parquet: str | None = None
    plot: str | None = None
    raw: bool = False

    @classmethod
    def of(
        cls,
        files: list[str],
        *,
        connection: str | None,
        frame: str | None,
        frames: bool,
        host: str | None,
        port: str | None,
        since: str | None,
        until: str | None,
        findings: str | None,
        json: bool,
        csv: bool,
        parquet: str | None,
        plot: str | None,
        raw: bool,
    ) -> "Asked":
        """The command line's values as they were written; UsageError for one that is wrong."""
        if "" in files:
            raise UsageError(NO_FILE)
        forms = {"--json": json, "--csv": csv, "--parquet": parquet, "--plot": plot}
        _require_one([name for name, value in forms.items() if value not in (None, False)])
        _require_names(forms)
        return cls(
            files,
            None if connection is None else number("--connection", connection),
            None if frame is None else number("--frame", frame),
            frames,
            tuple(_network(one) for one in _several(host)),
            tuple(_port(one) for one in _several(port)),
            None if since is None else _moment("--since", since),
            None if until is None else _moment("--until", until),
            tuple(_code(one) for one in _several(findings)),
            json,
            csv,
            parquet,
            plot,
            raw,
        )

    @property
    def chooses(self) -> bool:
        """Whether not all connections are asked for."""
        one = self.connection is not None
        return one or bool(self.codes) or not self.choice(0).everything

    def choice(self, begin_ns: int | None) -> "Choice":
        """Which connections are asked for, but for their findings; `begin_ns` is when the first
        frame was seen."""
        from fourtuple.analyze.choice import Choice

        return Choice(
            self.networks,
            self.ports,
            self.since.since_1970(begin_ns) if self.since else None,
            self.until.since_1970(begin_ns) if self.until else None,
            None if self.connection is None else (self.connection,),
        )


def _require_one(forms: list[str]) -> None:
    if len(forms) > 1:
        raise UsageError(ONE_FORM, {"one": forms[0], "other": forms[1]})


def _require_names(forms: Mapping[str, str | bool | None]) -> None:
    for option, value in forms.items():
        if value == "":
            raise UsageError(NO_NAME, {"option": option})


def _several(text: str | None) -> Iterator[str]:
    """What commas part."""
    return (one.strip() for one in text.split(",")) if text is not None else iter(())


def _network(text: str) -> "Network":
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise UsageError(NO_ADDRESS, {"option": "--host", "value": repr(text)}) from None


def _port(text: str) -> int:
    if not re.fullmatch("[0-9]{1,5}", text) or int(text) > 65535:
        raise UsageError(NO_PORT, {"option": "--port", "value": repr(text)})
    return int(text)


def _code(text: str) -> str:
    from fourtuple.explain.catalog import RULES

    if text in RULES:
        return text
    if close := difflib.get_close_matches(text, RULES, 1):
        raise UsageError(NO_CODE_CLOSE, {"value": repr(text), "close": close[0]})
    raise UsageError(NO_CODE, {"value": repr(text)})


def _moment(option: str, text: str) -> Moment:
    t_ns: int | None = None
    after = _AFTER.fullmatch(text) if len(text) < 40 else None
    if after:
        t_ns = int(Decimal(after[1]) * _UNITS[after[2]])
    elif text.startswith("@"):
        t_ns = _epoch(text[1:])
    else:
        t_ns = _dated(text)
    if t_ns is None or abs(t_ns) > _LARGEST:
        raise UsageError(NO_TIME, {"option": option, "value": repr(text)})
    return Moment(t_ns, bool(after))


def _epoch(text: str) -> int | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return int(value * 10**9) if value.is_finite() and abs(value) < _LARGEST else None


def _dated(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError, OSError):
        return None
    whole = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
    passed = moment - whole
    return ((passed.days * 86400 + passed.seconds) * 10**6 + passed.microseconds) * 1000
