"""What a script states: expectations, which end it where they do not hold, claims, figures."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fourtuple.errors import CallFailed, ExpectationFailed
from fourtuple.event.model import Note
from fourtuple.lab.evidence import difference, frames_of, observed, shown
from fourtuple.lab.hosts.recorded_socket import errno_symbol
from fourtuple.lab.log import Log

__all__ = ["Statements"]


class Statements:
    """The part of the Lab that notes them."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def expect(
        self, actual: Any, expected: Any, what: str, *, evidence: Sequence[int] = (), **params: Any
    ) -> None:
        """Check that `actual` equals `expected`; `what` (a message id) says what they are.

        ExpectationFailed otherwise, with the field, both values and the frames.
        """
        frames = tuple(evidence) or frames_of(actual)
        holds = bool(actual == expected)
        begin = difference(expected, actual)
        told = {"expected": shown(expected, begin), "actual": shown(actual, begin), "ok": holds}
        field = getattr(actual, "field", "")
        note = {"what": what, "field": field, "values": params, **told}
        self._note("check", note, frames)
        if not holds:
            text = _mismatch(what.format(**params), field, told, frames)
            raise ExpectationFailed("{text}", {"text": text})

    def expect_error(self, symbol: str, call: Callable[[], Any], what: str, **params: Any) -> None:
        """Check that a call fails with an errno ("ECONNREFUSED")."""
        try:
            call()
        except CallFailed as error:
            outcome = errno_symbol(error.errno or 0)
        else:
            outcome = "success"
        self.expect(observed(outcome, "errno"), symbol, what, **params)

    def claim(
        self,
        sentence: str,
        verdict: bool | str,
        because: str,
        *,
        source: str,
        evidence: Sequence[int] = (),
        **params: Any,
    ) -> None:
        """Judge a textbook sentence on this kernel.

        `verdict` is True (confirmed), False (differs), or a message id that says on what it
        depends. `because` is a message id with {fields} for `params`; `source` names the document.
        """
        word = "depends" if isinstance(verdict, str) else "confirmed" if verdict else "differs"
        note = {
            "claim": sentence,
            "source": source,
            "verdict": word,
            "depends_on": verdict if isinstance(verdict, str) else "",
            "because": because,
            "values": params,
        }
        self._note("claim", note, tuple(evidence))

    def measured(
        self,
        what: str,
        columns: Sequence[str],
        rows: Mapping[str, Sequence[float]],
        *,
        evidence: Sequence[int] = (),
        **params: Any,
    ) -> None:
        """Figures to compare: drawn as a table, with a bar for each, and given to machines.

        `what`, `columns` and the names of the `rows` are message ids, `params` are for `what`; a
        row has a number for each column.
        """
        told = [[name, list(numbers)] for name, numbers in rows.items()]
        note = {"what": what, "columns": list(columns), "rows": told, "values": params}
        self._note("measured", note, tuple(evidence))

    def _note(self, kind: str, params: dict[str, Any], frames: tuple[int, ...]) -> None:
        self._log.write(Note(t_ns=time.monotonic_ns(), kind=kind, params=params, frames=frames))


def _mismatch(what: str, field: str, told: Mapping[str, Any], frames: tuple[int, ...]) -> str:
    where = f" (frame {', '.join(map(str, frames))})" if frames else ""
    named = f" [{field}]" if field else ""
    return f"{what}{named}: expected {told['expected']}, actual {told['actual']}{where}"
