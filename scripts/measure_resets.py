"""Provoke resets on this kernel, judge them, and write what came of it into the documentation.

    python scripts/measure_resets.py [--chance 20000]

Runs both generators of tests/resets over IPv4 and IPv6. Ends with status 1 if anything that was
called certain is wrong, if the kernel's own word contradicts the truth that a generator wrote down
(root only: tcp:tcp_send_reset), or if a connection left to chance is explained for certain.
"""

import argparse
import os
import platform
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from analyze.chance import chatter  # noqa: E402
from fourtuple.analyze import connections  # noqa: E402
from fourtuple.event.model import Endpoint  # noqa: E402
from fourtuple.event.timeline import Timeline  # noqa: E402
from resets.case import Judged, captured, judged  # noqa: E402
from resets.kernel_words import WORDS, Word, kernel_words  # noqa: E402

PAGE = ROOT / "docs" / "explanation" / "resets.md"
BEGIN, END = "<!-- measured -->\n", "<!-- end of what was measured -->\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--chance", type=int, default=20_000, help="connections left to chance")
    arguments = parser.parse_args()
    found: dict[str, list[Judged]] = {}
    contradictions: list[str] = []
    for letter in "ab":
        for family in (4, 6):
            timeline, words = _provoked(letter, family)
            for view, judgments in _views(letter, timeline):
                found.setdefault(view, []).extend(judgments)
            contradictions += _contradictions(judgments, words)
    by_chance = _by_chance(arguments.chance)
    _write(found, len(contradictions), arguments.chance, by_chance)
    wrong = [one for some in found.values() for one in some if _certain(one) and not one.right]
    for line in [*(f"certain, and wrong: {one.case}" for one in wrong), *contradictions]:
        print(line)
    print(f"wrote {PAGE.relative_to(ROOT)}")
    return int(bool(wrong or contradictions or by_chance))


def _provoked(letter: str, family: int) -> tuple[Timeline, list[Word]]:
    with kernel_words() if os.geteuid() == 0 else nullcontext([]) as words:
        timeline = import_module(f"resets.generator_{letter}").provoke(family)
    return timeline, words


def _views(letter: str, timeline: Timeline) -> Iterator[tuple[str, list[Judged]]]:
    """What captures at both hosts show, and what the lab knows."""
    truths = import_module(f"resets.generator_{letter}").TRUTHS
    for host in ("client", "server"):
        yield letter, judged(truths, connections(captured(timeline, host)), host)
    yield f"{letter} recorded", judged(truths, connections(timeline), "lab")


def _contradictions(found: list[Judged], words: list[Word]) -> Iterator[str]:
    """Where the kernel gave another reason than the truth that was written down."""
    said: dict[tuple[Endpoint, int], set[str]] = {}
    for sender, receiver, word, _ in words:
        said.setdefault((sender, receiver.port), set()).add(word)
    for one in found:
        ends = one.connection.client, one.connection.server
        sender, receiver = ends if one.reset.sender == "client" else ends[::-1]
        # where a listener answers for itself, the kernel names no receiver
        heard = said.get((sender, receiver.port), set()) | said.get((sender, 0), set())
        if heard and WORDS[one.cause] and not heard & WORDS[one.cause]:
            yield f"{one.truth.name}: {one.cause} was provoked, the kernel says {sorted(heard)}"


def _by_chance(count: int) -> int:
    """How many resets of connections left to chance are explained for certain."""
    stories = (chatter(seed, gaps=seed % 2 == 0) for seed in range(count))
    certain = 0
    for story in stories:
        for connection in connections(story.timeline()):
            certain += sum(reset.confidence == "certain" for reset in connection.resets)
    return certain


def _certain(one: Judged) -> bool:
    return one.reset.confidence == "certain"


def _write(found: dict[str, list[Judged]], against: int, tried: int, by_chance: int) -> None:
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    lines = _report(found, against, tried, by_chance)
    PAGE.write_text(before + BEGIN + "\n".join(lines) + "\n" + END + after, encoding="utf-8")


def _report(
    found: dict[str, list[Judged]], against: int, tried: int, by_chance: int
) -> Iterator[str]:
    yield f"\nMeasured on Linux {platform.release().split('-')[0]} with `make resets`."
    later = {scene.__name__ for scene, *_ in import_module("resets.generator_b").LATER}
    parts = (
        ("b", "Generator B, written after the rules", lambda one: one.truth.name in later),
        ("b", "Generator B, held out", lambda one: one.truth.name not in later),
        ("a", "Generator A, used for tuning", lambda one: True),
    )
    for letter, title, wanted in parts:
        cases = [one for one in found[letter] if wanted(one)]
        recorded = [one for one in found[f"{letter} recorded"] if wanted(one)]
        yield f"\n### {title}\n"
        yield "By frames alone, captured at the client and at the server:\n"
        yield from _table(cases)
        yield f"\n{_total(cases)}\n"
        yield f"With the calls and socket tables of a lab recording: {_total(recorded)}"
    yield "\n### Checks\n"
    yield (
        f"- Of {tried:,} random connections, {by_chance} resets were explained for certain.\n"
        f"- The kernel's own word (`tcp:tcp_send_reset`) contradicts the truth {against} times.\n"
    )


def _table(found: list[Judged]) -> Iterator[str]:
    """A row a cause: how its cases were judged, and how often saying so was right."""
    cases = {(one.case, one.right) for one in found}
    yield "| cause | cases | certain | likely | undetermined | named otherwise | precision |"
    yield "|---|---|---|---|---|---|---|"
    for cause in sorted({case[1] for case, _ in cases} | {case[3] for case, _ in cases} - {""}):
        if cause != "undetermined":
            yield _row(cause, cases)


def _row(cause: str, cases: Iterable[tuple[tuple[Any, ...], bool]]) -> str:
    done = [(case, right) for case, right in cases if case[1] == cause]
    named = [right for case, right in cases if case[3] == cause]
    counts = Counter(case[4] if right else "otherwise" for case, right in done)
    unknown = sum(case[3] == "undetermined" for case, _ in done)
    precision = f"{sum(named)} of {len(named)}" if named else "never said"
    cells = (
        cause,
        len(done),
        counts["certain"],
        counts["likely"],
        unknown,
        counts["otherwise"] - unknown,
        precision,
    )
    return "| " + " | ".join(map(str, cells)) + " |"


def _total(found: list[Judged]) -> str:
    cases = {(one.case, one.right) for one in found}
    counts = Counter((case[4], right) for case, right in cases)
    certain = counts["certain", True] + counts["certain", False]
    likely = counts["likely", True] + counts["likely", False]
    named = counts["certain", True] + counts["likely", True]
    return (
        f"{len(cases)} cases, {named} named right. *Certain*: {counts['certain', True]} of "
        f"{certain} right; *likely*: {counts['likely', True]} of {likely}."
    )


if __name__ == "__main__":
    sys.exit(main())
