"""`fourtuple lab claims`: textbook sentences, and what this kernel says to them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from fourtuple.cli.options import Jobs, Json, Lang, NoColor, Width, jobs_at_once
from fourtuple.cli.output import terminal_for, translator_for, write
from fourtuple.cli.progress import Progress
from fourtuple.explain.model import Message
from fourtuple.explain.text import N_, Translator

if TYPE_CHECKING:
    from fourtuple.event.timeline import Timeline
    from fourtuple.lab.experiment import Experiment
    from fourtuple.render.view import Claim

__all__ = ["CLAIMS_HELP", "judge_claims"]

CLAIMS_HELP = N_("""Judge what textbooks say of TCP on this machine's kernel.

Runs the experiments that judge a sentence, or reads recordings of them, and prints each sentence,
the teaching document it is from, the verdict - confirmed, differs, or on what it depends -, why,
and the frames that show it. The exit status is 1 where an experiment failed.

Examples:

    fourtuple lab claims

    fourtuple lab claims --json

    fourtuple lab claims close.pcapng""")


def judge_claims(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE", help=N_("Recordings to read; without any, experiments are run.")
        ),
    ] = None,
    ipv6: Annotated[bool, typer.Option("--ipv6", help=N_("Over IPv6."))] = False,
    slow: Annotated[
        bool, typer.Option("--slow", help=N_("Also those that wait for minutes."))
    ] = False,
    jobs: Jobs = None,
    json: Json = False,
    width: Width = None,
    lang: Lang = "",
    no_color: NoColor = False,
) -> None:
    """Judge the sentences, and print what came of it."""
    translator, terminal = translator_for(lang), terminal_for(width, no_color)
    at_once = jobs_at_once(jobs)
    if files:
        judged = _Judged()
        for file in files:
            judged.add(_read(file))
    else:
        judged = _run_all(6 if ipv6 else 4, slow, at_once, translator)
    if json:
        from fourtuple.render.jsonout import json_lines

        write(json_lines(_object(one, translator) for one in judged.in_order()))
    else:
        from fourtuple.render.blocks import Blocks
        from fourtuple.render.cells import Painter

        blocks = _blocks(judged, Blocks(Painter(terminal, translator)), bool(files))
        write("\n\n".join("\n".join(block) for block in blocks if block) + "\n")
        write("".join(f"\n{line}\n" for line in [_counted(judged, translator)]))
    if judged.failed:
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True)
class _Judgment:
    """A claim as one run judged it."""

    claim: "Claim"
    experiment: str
    family: int

    @property
    def sentence(self) -> str:
        """The claim's message id."""
        return self.claim.claim.text if isinstance(self.claim.claim, Message) else self.claim.claim


@dataclass(slots=True)
class _Judged:
    """What the runs, or the recordings, say."""

    judgments: list[_Judgment] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)

    def add(self, told: Mapping[str, Any]) -> None:
        """What one run, or one recording, told (`_told`, or a run that could not be made)."""
        from fourtuple.event.model import Note
        from fourtuple.render.verdicts import claims_in

        name = told["experiment"]
        if "missing" in told:
            self.missing[name] = told["missing"]
        if told.get("failed"):
            self.failed.append(name)
        claims = claims_in(msgspec.convert(told.get("notes", []), list[Note]))
        self.judgments += (_Judgment(claim, name, told["family"]) for claim in claims)

    def in_order(self) -> list[_Judgment]:
        """Those of the documents' catalogue in its order, then the others."""
        from fourtuple.lab.catalogue import CLAIMS

        place = {sentence: number for number, sentence in enumerate(CLAIMS)}
        return sorted(self.judgments, key=lambda one: place.get(one.sentence, len(place)))

    def not_judged(self) -> list[str]:
        """The catalogue's sentences that nobody judged."""
        from fourtuple.lab.catalogue import CLAIMS

        known = {one.sentence for one in self.judgments}
        return [sentence for sentence in CLAIMS if sentence not in known]


def _read(file: str) -> dict[str, Any]:
    from fourtuple.source import read

    return _told(read(file))


def _told(timeline: "Timeline") -> dict[str, Any]:
    """The claims of a run as MessagePack can carry them, and whether it failed."""
    from fourtuple.event.model import Note
    from fourtuple.render.verdicts import passed

    notes = [note for note in timeline.of(Note) if note.kind == "claim"]
    return {
        "experiment": str(timeline.meta.get("experiment") or timeline.meta.get("file") or ""),
        "family": timeline.meta.get("family"),
        "notes": msgspec.to_builtins(notes),
        "failed": not passed(timeline),
    }


def _run_all(family: int, slow: bool, jobs: int, translator: Translator) -> _Judged:
    """Run every experiment that judges a sentence."""
    from fourtuple.lab.batch import work_through
    from fourtuple.lab.claims import judged_by
    from fourtuple.lab.experiment import all_experiments
    from fourtuple.system.capabilities import require_lab

    require_lab()
    chosen = [
        one
        for one in all_experiments().values()
        if judged_by(one) and family in one.families and (slow or not one.slow)
    ]
    judged, progress = _Judged(), Progress(len(chosen), translator)

    def work(index: int) -> dict[str, Any]:
        return _run_one(chosen[index], family, translator)

    results = work_through(len(chosen), work, jobs)
    for done, (index, told) in enumerate(results, 1):
        name = {"experiment": chosen[index].name, "family": family}
        judged.add(told or name | {"failed": True})
        progress.clear()
        progress.show(done)
    progress.clear()
    judged.judgments.sort(key=lambda one: [e.name for e in chosen].index(one.experiment))
    return judged


def _run_one(experiment: "Experiment", family: int, translator: Translator) -> dict[str, Any]:
    from fourtuple.lab.needs import lacking
    from fourtuple.lab.runner import Options, run

    for missing in lacking(experiment):
        what = translator.text(Message(missing.what, missing.params))
        return {"experiment": experiment.name, "family": family, "missing": what}
    return _told(run(experiment, Options(family, limit_s=300 if experiment.slow else 30)))


def _object(one: _Judgment, translator: Translator) -> dict[str, Any]:
    claim = one.claim

    def say(text: Message | str) -> str:
        return translator.text(text) if isinstance(text, Message) else text

    return {
        "kind": "claim",
        "claim": say(claim.claim),
        "source": claim.source,
        "verdict": claim.verdict,
        "depends_on": say(claim.depends_on),
        "because": say(claim.because),
        "evidence": list(claim.frames),
        "experiment": one.experiment,
        "family": one.family,
    }


_TITLES = (N_("what the documents say"), N_("what else the experiments judge"))
_WHERE = N_("{because} (document {source}; fourtuple lab run {experiment})")
_NOT_JUDGED = N_("not judged")
_FAILED = N_("{name} failed: what it says is not to be relied on. See: fourtuple lab run {name}")
_LACKING = N_("{name} was not run: {missing}")


def _blocks(judged: _Judged, blocks: Any, reading: bool) -> Iterator[list[str]]:
    from fourtuple.lab.catalogue import CLAIMS

    ordered = judged.in_order()
    parts = (
        [one for one in ordered if one.sentence in CLAIMS],
        [one for one in ordered if one.sentence not in CLAIMS],
    )
    for title, part in zip(_TITLES, parts, strict=True):
        yield blocks.claims([_with_place(one) for one in part], title)
    if not reading:
        yield blocks.listed(_NOT_JUDGED, [Message(text) for text in judged.not_judged()])
    yield blocks.bullets(
        [
            *(Message(_FAILED, {"name": name}) for name in judged.failed),
            *(Message(_LACKING, {"name": n, "missing": m}) for n, m in judged.missing.items()),
        ]
    )


def _with_place(one: _Judgment) -> "Claim":
    """The claim, its reason ending in where it is from and what shows it."""
    claim = one.claim
    where = {"because": claim.because, "source": claim.source, "experiment": one.experiment}
    return msgspec.structs.replace(claim, because=Message(_WHERE, where))


_COUNTED = N_("{confirmed} confirmed, {differs} differ, {depends} depend on something")


def _counted(judged: _Judged, translator: Translator) -> str:
    verdicts = [one.claim.verdict for one in judged.judgments]
    counts = {word: verdicts.count(word) for word in ("confirmed", "differs", "depends")}
    return translator.text(Message(_COUNTED, counts))
