"""The runs of one `lab run`: carried out, told as they come, counted at the end."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from fourtuple.cli.output import write
from fourtuple.cli.progress import Progress
from fourtuple.cli.recordings import NOT_KEPT, failed_folder, save_recording
from fourtuple.errors import CapabilityMissing, FourtupleError
from fourtuple.explain.model import Message
from fourtuple.explain.text import N_, Translator
from fourtuple.render.terminal import Terminal
from fourtuple.render.text import clean, pad, width_of

if TYPE_CHECKING:
    from fourtuple.event.timeline import Timeline
    from fourtuple.lab.experiment import Experiment
    from fourtuple.lab.runner import Options

__all__ = ["Manner", "RunSession", "Runs"]

#: wall-clock limits of a run
_LIMIT_S, _SLOW_LIMIT_S = 30.0, 300.0


@dataclass(frozen=True, slots=True)
class Manner:
    """How results are told; `brief`: a line each."""

    translator: Translator
    terminal: Terminal
    json: bool
    raw: bool
    brief: bool


@dataclass(frozen=True, slots=True)
class Runs:
    """What is to be run, and how."""

    chosen: "Sequence[Experiment]"
    family: int
    seed: int
    limit_s: float | None
    mutated: bool
    paths: Sequence[Path | None]
    manner: Manner

    def one(self, index: int) -> dict[str, Any]:
        """Run one, in this process; what came of it, told already in the reader's language."""
        from fourtuple.lab.needs import lacking
        from fourtuple.lab.runner import run

        experiment = self.chosen[index]
        for missing in lacking(experiment):
            return self._skipped(experiment, missing.what, missing.remedy, missing.params)
        meanwhile = partial(import_module, "fourtuple.render.summary")
        return self._told(index, run(experiment, self._options(experiment), meanwhile))

    def _options(self, experiment: "Experiment") -> "Options":
        from fourtuple.lab.runner import Options

        usual_s = _SLOW_LIMIT_S if experiment.slow else _LIMIT_S
        limit_s = usual_s if self.limit_s is None else self.limit_s
        return Options(self.family, self.seed, limit_s, self.mutated)

    def _skipped(
        self, experiment: "Experiment", what: str, remedy: str, params: Any
    ) -> dict[str, Any]:
        said = [self.manner.translator.text(Message(text, params)) for text in (what, remedy)]
        item = {"kind": "experiment", "experiment": experiment.name, "verdict": "skip",
                "covers": list(experiment.covers), "missing": said[0]}  # fmt: skip
        return {"verdict": "skip", "missing": said, "object": item}

    def _told(self, index: int, timeline: "Timeline") -> dict[str, Any]:
        from fourtuple.analyze import connections
        from fourtuple.render.jsonout import experiment_object
        from fourtuple.render.summary import report
        from fourtuple.render.verdicts import checks_of, failures_of, lacked_by

        manner, found = self.manner, connections(timeline)
        missing = lacked_by(timeline)
        if missing is not None:
            remedy = str(missing.params.get("remedy", ""))
            return self._skipped(self.chosen[index], missing.text, remedy, missing.params)
        item = experiment_object(timeline, found, manner.translator)
        told: dict[str, Any] = {
            "verdict": item["verdict"],
            "object": item,
            "checks": len(checks_of(timeline)),
            "seconds": timeline.meta.get("seconds"),
            "failures": [manner.translator.text(m) for m in failures_of(timeline, found)],
            **self._kept(index, timeline, failed=item["verdict"] != "pass"),
        }
        if not (manner.json or manner.brief):
            told["report"] = report(
                timeline, manner.translator, manner.terminal, connections=found, raw=manner.raw
            )
        return told

    def _kept(self, index: int, timeline: "Timeline", *, failed: bool) -> dict[str, Any]:
        """Where the recording was kept, or why it was not. One that failed is always kept, unless
        it was to fail."""
        path = self.paths[index]
        if path is None and failed and not self.mutated:
            ending = "" if self.family == 4 else "-ipv6"
            path = failed_folder() / f"{self.chosen[index].name}{ending}.pcapng"
        if path is None:
            return {}
        reason = save_recording(timeline, path, self.manner.translator)
        return {"unsaved": str(path), "reason": reason} if reason else {"file": str(path)}


_LOST_RUN = N_("The process that ran it has ended before its time.")
_WORDS = {"pass": N_("passed"), "fail": N_("failed"), "skip": N_("skipped")}
_STYLES = {"pass": "green", "fail": "bold red", "skip": "yellow"}
_KEPT = N_("recording kept in {file}")
_FAILED_RUN = N_("kept: fourtuple read {file}")
_LEFT_OUT = N_("Left out, because they wait for minutes: {names}. Add --slow to run them.")


class RunSession:
    """The runs of one command: told as they come, counted at the end."""

    def __init__(self, runs: Runs, left_out: "Sequence[Experiment]") -> None:
        self._runs = runs
        self._left_out = left_out
        self._manner = runs.manner
        self._say = runs.manner.translator.text
        self._results: dict[int, dict[str, Any]] = {}
        self._told = 0

    def run(self, jobs: int) -> None:
        """Run all; typer.Exit where one failed, CapabilityMissing where none could be run."""
        progress = Progress(len(self._runs.chosen), self._manner.translator)
        for index, result in self._finished(jobs):
            self._results[index] = result or {"verdict": "fail", "failures": [self._say(_LOST_RUN)]}
            progress.clear()
            self._tell(index)
            progress.show(len(self._results))
        progress.clear()
        self._sum_up()

    def _finished(self, jobs: int) -> Iterator[tuple[int, Any]]:
        from fourtuple.lab.batch import work_through
        from fourtuple.system.capabilities import require_lab

        require_lab()
        count = len(self._runs.chosen)
        if count == 1:
            yield 0, self._runs.one(0)
        else:
            yield from work_through(count, self._runs.one, jobs)

    def _tell(self, index: int) -> None:
        """Briefly and for machines each as it comes; reports in the order asked for."""
        if self._manner.brief or self._manner.json:
            self._tell_one(index)
            return
        while self._told in self._results:
            self._tell_one(self._told)
            self._told += 1

    def _tell_one(self, index: int) -> None:
        from fourtuple.render.jsonout import json_lines

        result = self._results[index]
        if self._manner.json:
            item = result.get("object") or {"kind": "experiment", "verdict": "fail",
                                            "experiment": self._runs.chosen[index].name,
                                            "failures": result["failures"]}  # fmt: skip
            write(json_lines([item]))
        elif "report" in result:
            write(result["report"])
        elif len(self._runs.chosen) > 1:
            write("".join(f"{line}\n" for line in self._lines(index)))
        if "file" in result and (result["verdict"] == "pass" or "report" in result):
            kept = self._say(Message(_KEPT, {"file": result["file"]}))
            print(clean(kept), file=sys.stderr)

    def _lines(self, index: int) -> Iterator[str]:
        """A run in brief: a line, and what went wrong below it."""
        result, terminal = self._results[index], self._manner.terminal
        verdict = result["verdict"]
        words = {key: self._say(word) for key, word in _WORDS.items()}
        word = pad(words[verdict], max(map(width_of, words.values())))
        names = max(width_of(one.name) for one in self._runs.chosen)
        name = pad(self._runs.chosen[index].name, names)
        yield f"{terminal.paint(_STYLES[verdict], word)}  {name}  {self._figures(result)}".rstrip()
        for failure in result.get("failures", ()):
            yield f"    - {clean(failure)}"
        if verdict == "fail" and "file" in result:
            yield f"      {self._say(Message(_FAILED_RUN, {'file': result['file']}))}"

    def _figures(self, result: dict[str, Any]) -> str:
        if result["verdict"] == "skip":
            return clean(result["missing"][0])
        if "checks" not in result:
            return ""
        figures = {"count": result["checks"], "seconds": f"{result['seconds'] or 0:.2f}"}
        counted = Message(
            "{count} check, {seconds} s", figures, "{count} checks, {seconds} s", result["checks"]
        )
        return self._say(counted)

    def _sum_up(self) -> None:
        verdicts = [result["verdict"] for result in self._results.values()]
        if not self._manner.json:
            self._count(verdicts)
        for result in self._results.values():
            if "unsaved" in result:
                params = {"file": result["unsaved"], "reason": result["reason"]}
                raise FourtupleError(NOT_KEPT, params)
        missing = next((r["missing"] for r in self._results.values() if "missing" in r), None)
        if missing and "pass" not in verdicts and "fail" not in verdicts:
            raise CapabilityMissing("{what}", "{remedy}", dict(zip(("what", "remedy"), missing,
                                                                 strict=True)))  # fmt: skip
        if "fail" in verdicts:
            raise typer.Exit(1)

    def _count(self, verdicts: list[str]) -> None:
        if len(self._runs.chosen) > 1:
            counts = {word: verdicts.count(word) for word in _WORDS}
            write("\n" + self._say(Message(_COUNTED, counts)) + "\n")
            lacks = sorted({r["missing"][0] for r in self._results.values() if "missing" in r})
            write("".join(f"  - {clean(text)}\n" for text in lacks))
        if self._left_out:
            names = ", ".join(one.name for one in self._left_out)
            write(self._say(Message(_LEFT_OUT, {"names": names})) + "\n")


_COUNTED = N_("{pass} passed, {fail} failed, {skip} skipped for lack of something.")
