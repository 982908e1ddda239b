"""The kernel's reason for each reset beside what a capture alone says: docs, reset-truth.md.

    python scripts/reset_truth.py             provoke them anew (root only), then write the page
    python scripts/reset_truth.py --page      write the page from what was seen before
    python scripts/reset_truth.py --check     only say whether the page is stale

What was seen is kept in tests/resets/truth.json. Ends with status 1 if a verdict that was called
certain contradicts the kernel, or the page is stale.
"""

import argparse
import json
import os
import platform
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from fourtuple.explain.text import Translator  # noqa: E402
from fourtuple.lab import catalogue  # noqa: E402
from fourtuple.lab.experiment import Experiment, all_experiments  # noqa: E402
from fourtuple.lab.needs import lacking  # noqa: E402
from fourtuple.lab.runner import Options, run  # noqa: E402
from resets.kernel_words import kernel_words, reasons_of_this_kernel  # noqa: E402
from resets.truth import contradicts, seen  # noqa: E402

PAGE = ROOT / "docs" / "explanation" / "reset-truth.md"
DATA = ROOT / "tests" / "resets" / "truth.json"
NO_WORD = "(none)"
CONFIDENCES = ("certain", "likely", "undetermined")


class Case(NamedTuple):
    """Equal for RSTs that tell nothing new. `scene` is an experiment of the lab, or a scenario of
    the generators in tests/resets ("a: port_closed")."""

    scene: str
    sender: str
    reason: str | None
    at: str
    cause: str
    confidence: str
    family: int


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--page", action="store_true", help="do not provoke anything")
    parser.add_argument("--check", action="store_true", help="write nothing")
    asked = parser.parse_args()
    if not (asked.page or asked.check):
        if os.geteuid() != 0:
            print("the kernel's reasons are for root to read", file=sys.stderr)
            return 3
        _keep({*_of_experiments(), *_of_generators()})
    text = page()
    stale = not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text
    if asked.check:
        print(f"{PAGE.name} is stale: make resets" if stale else f"{PAGE.name} is as it should be")
        return int(stale)
    PAGE.write_text(text, encoding="utf-8")
    wrong = [one for one in cases() if one.confidence == "certain" and _wrong(one)]
    for one in wrong:
        print(f"certain, and wrong: {one}")
    return int(bool(wrong))


# what is seen


def chosen() -> list[Experiment]:
    """The experiments that cover a cause of resets, or a reason."""
    named = ("reason:", "cause:")
    every = all_experiments().values()
    return [one for one in every if any(row.startswith(named) for row in one.covers)]


def of_experiment(experiment: Experiment, family: int) -> Iterator[Case]:
    """Run it, and say of each RST what the kernel and a capture say."""
    with kernel_words() as words:
        timeline = run(experiment, Options(family=family))
    for one in seen(timeline, words):
        yield Case(experiment.name, *one[1:], family)


def _of_experiments() -> Iterator[Case]:
    for experiment in chosen():
        if not list(lacking(experiment)) and not experiment.slow:
            for family in experiment.families:
                print(experiment.name, family, flush=True)
                yield from of_experiment(experiment, family)


def _of_generators() -> Iterator[Case]:
    for letter in "ab":
        generator = import_module(f"resets.generator_{letter}")
        names = {truth.port: truth.name for truth in generator.TRUTHS}
        for family in (4, 6):
            print(f"generator {letter}", family, flush=True)
            with kernel_words() as words:
                timeline = generator.provoke(family)
            for one in seen(timeline, words):
                if one.port in names:
                    yield Case(f"{letter}: {names[one.port]}", *one[1:], family)


def _keep(found: Iterable[Case]) -> None:
    rows = sorted(found, key=lambda one: (one.reason or "", *map(str, one)))
    lines = ",\n".join(json.dumps(one) for one in rows)
    head = {"kernel": platform.release().split("-")[0], "reasons": reasons_of_this_kernel()}
    DATA.write_text(f'{json.dumps(head)[:-1]}, "cases": [\n{lines}\n]}}\n', encoding="utf-8")


# the page


def kept() -> dict[str, object]:
    """What was seen when it was last provoked."""
    found: dict[str, object] = json.loads(DATA.read_text(encoding="utf-8"))
    return found


def cases() -> list[Case]:
    """Every case of it."""
    return [Case(*one) for one in kept()["cases"]]  # type: ignore[attr-defined]


def _wrong(one: Case) -> bool:
    return contradicts(one.cause, one.reason)


def page() -> str:
    """The page's text."""
    return "\n".join(_lines(cases())) + "\n"


def _lines(found: list[Case]) -> Iterator[str]:
    certain = [one for one in found if one.confidence == "certain"]
    likely = [one for one in found if one.confidence == "likely"]
    yield _HEAD.format(
        kernel=kept()["kernel"],
        certain=len(certain), certain_wrong=_count(certain),
        likely=len(likely), likely_wrong=_count(likely),
    )  # fmt: skip
    for reason in kept()["reasons"]:  # type: ignore[attr-defined]
        yield _reason_row(str(reason), [one for one in found if one.reason == reason])
    nothing = [one for one in found if one.reason is None]
    when = "a firewall or a forger made the segment: no TCP was asked"
    yield f"| {NO_WORD} | {when} | {_scenes(nothing)} | {_verdicts(nothing)} |"
    yield _REST
    yield from _matrix(found)


_HEAD = """\
# The kernel's word for each reset

Written by `make resets` from runs on Linux {kernel}: it provokes resets, hears the reason that the
kernel gives for each (`tcp:tcp_send_reset`, as root), and asks the classifier of
[Who sent this RST, and why](resets.md) about the same segment, from a capture at either host:
frames alone. The reasons are those of `enum sk_rst_reason` (include/net/rstreason.h).

Of {certain} cases called *certain* {certain_wrong} contradict the kernel; of {likely} called
*likely* {likely_wrong} do. A case is one scenario, sender, place of capture, family, reason and
verdict: the many RSTs that one close may draw count once if the same was said of them.

## Reason by reason

"How" names experiments (`fourtuple lab run NAME`), where there is one; else scenarios of the
generators in `tests/resets`. What the capture says is counted; **bold** is what the kernel's word
rules out.

| the kernel's reason | when | how the lab provokes it | what a capture alone says |
|---|---|---|---|"""

_REST = """
Linux sends no RST when retransmissions run out, neither by `tcp_retries2` nor by
`TCP_USER_TIMEOUT`: the connection ends with ETIMEDOUT, and the peer hears nothing. A listener's
RSTs are traced with the destination 0.0.0.0:0, so they are joined by sender and time.

## Confusion matrix

A row a reason, a column a cause; a cell counts cases as certain / likely. A cause may rest on
several reasons (data after a close is answered by what is kept of the socket, then by the port's
listener, TCP_FLAGS, or by nothing, NO_SOCKET), and a reason may serve several causes: `TCP_STATE`
is said of SO_LINGER 0, of a closed listener, of `ss -K` and of connect() to AF_UNSPEC.
**Bold** is what the kernel's word rules out.
"""


def _count(some: list[Case]) -> str:
    return str(sum(map(_wrong, some)) or "none")


def _reason_row(reason: str, found: list[Case]) -> str:
    english = Translator("en")
    row = catalogue.rows()[f"reason:{reason}"]
    how = _scenes(found) if found else f"not: {english.text(row.why_not)}"
    return f"| `{reason}` | {english.text(row.title)} | {how} | {_verdicts(found)} |"


def _scenes(found: list[Case]) -> str:
    names = sorted({one.scene for one in found})
    experiments = [name for name in names if ": " not in name]
    return ", ".join(f"`{name}`" for name in experiments or names) or "-"


def _verdicts(found: list[Case]) -> str:
    counts = Counter((one.cause, one.confidence, _wrong(one)) for one in found)
    order = sorted(counts, key=lambda key: (-counts[key], key))
    return ", ".join(_verdict(*key, counts[key]) for key in order) or "-"


def _verdict(cause: str, confidence: str, wrong: bool, count: int) -> str:
    text = cause if cause == confidence else f"{cause}, {confidence}"
    return f"{f'**{text}**' if wrong else text} ({count})"


def _matrix(found: list[Case]) -> Iterator[str]:
    causes = sorted({one.cause for one in found})
    counts = Counter((one.reason, one.cause, one.confidence) for one in found)
    yield "| reason | " + " | ".join(causes) + " |"
    yield "|---" * (len(causes) + 1) + "|"
    for reason in sorted({one.reason for one in found}, key=lambda one: (one is None, one or "")):
        cells = [_cell(counts, reason, cause) for cause in causes]
        yield f"| {f'`{reason}`' if reason else NO_WORD} | " + " | ".join(cells) + " |"


def _cell(counts: "Counter[tuple[str | None, str, str]]", reason: str | None, cause: str) -> str:
    numbers = [counts[reason, cause, confidence] for confidence in CONFIDENCES]
    if not any(numbers):
        return ""
    if cause == "undetermined":
        return str(numbers[2])
    text = f"{numbers[0]} / {numbers[1]}"
    return f"**{text}**" if contradicts(cause, reason) else text


if __name__ == "__main__":
    sys.exit(main())
