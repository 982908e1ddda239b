"""What `fourtuple scan` prints and writes: ports as they are found, progress, tables, files."""

import os
import sys
import time
from collections.abc import Mapping
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import asdict, replace

from fourtuple.cli.output import write
from fourtuple.errors import CapabilityMissing
from fourtuple.explain.model import Message
from fourtuple.explain.text import N_, Translator
from fourtuple.render.terminal import Terminal
from fourtuple.render.text import wrap
from fourtuple.scan.job import Job, run_job
from fourtuple.scan.model import PortResult, Progress, ProgressSink, Reason, State, protocol_of
from fourtuple.scan.results import Results
from fourtuple.system.namespaces import LAB_HOSTS
from fourtuple.system.sniffer import Sniffer

if TYPE_CHECKING:
    from fourtuple.scan.resume import ResumeFile

__all__ = ["Output"]

_CLEAR_LINE = "\r\033[K"
#: a scan that ends sooner leaves no file to resume from; one that was killed is soon begun anew
_SHORT_S = 1.0
_OPEN = State.OPEN, Reason.SYN_ACK
_NOT_COMPARED = N_(
    "{address}: not compared: connect and syn can be, to this machine, a host of the lab, or a "
    "network namespace named with --netns"
)
Banners = Mapping[tuple[str, int], str]


class Output:
    """Prints a job. With `json`, standard output has JSON Lines alone."""

    def __init__(
        self, job: Job, results: Results, translator: Translator, terminal: Terminal, json: bool
    ) -> None:
        self._job, self._results = job, results
        self._tr, self._terminal, self._json = translator, terminal, json
        self._names = {one.address: one.name for one in job.targets}
        self._live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._told: set[tuple[str, int, str]] = set()
        self._file: ResumeFile | None = None
        # nobody goes on with a scan from a host of the lab: the hosts end with the run
        self._keep_from_s = inf if LAB_HOSTS in os.environ else time.monotonic() + _SHORT_S
        self._lines: list[str] = []

    # while it runs

    def found(self, result: PortResult) -> None:
        """A port has its verdict: with --json its object, else a line where it is open."""
        if self._json:
            self._object(
                {
                    "kind": "port", "address": result.address, "port": result.port,
                    "protocol": result.protocol, "state": result.state, "reason": result.reason,
                    "rtt_s": None if result.rtt_s is None else round(result.rtt_s, 7),
                    "method": result.method,
                }
            )  # fmt: skip
            if result.state == State.OPEN:
                self._flush()
        elif result.state == State.OPEN:
            key = result.address, result.port, result.protocol
            if key not in self._told:
                self._told.add(key)
                self.finish_progress()
                write(self._found_line(result) + "\n")

    def _found_line(self, result: PortResult) -> str:
        from fourtuple.scan.table import found_line

        return found_line(result, self._names.get(result.address, ""))

    def _object(self, item: Mapping[str, Any]) -> None:
        self._lines.append(msgspec.json.encode(item).decode() + "\n")
        if len(self._lines) >= 500:
            self._flush()

    def _flush(self) -> None:
        if self._lines:
            write("".join(self._lines))
            self._lines.clear()

    def progress(self, method: str) -> ProgressSink:
        """Shows a method's progress on standard error where that is a terminal, and keeps the file
        to go on from."""

        def show(now: Progress) -> None:
            self._flush()
            self._keep()
            if not self._live:
                return
            params = {
                "method": method, "finished": now.finished, "total": now.total,
                "percent": 100 * now.finished // max(1, now.total), "rate": f"{now.rate:.0f}",
                "seconds": "?" if now.remaining_s is None else f"{now.remaining_s:.1f}",
            }  # fmt: skip
            text = N_(
                "{method}: {finished} of {total} ports ({percent} %), {rate}/s, {seconds} s to go"
            )
            line = self._tr.text(Message(text, params))
            print(f"{_CLEAR_LINE}{line}", end="", file=sys.stderr, flush=True)

        return show

    def _keep(self) -> None:
        if self._file is None and time.monotonic() > self._keep_from_s:
            from fourtuple.scan.resume import ResumeFile

            self._file = ResumeFile(Path.cwd(), self._job.options)
        if self._file is not None:
            self._file.keep_now_and_then(self._results)

    def finish_progress(self) -> None:
        """Take the progress line away."""
        self._flush()
        if self._live:
            print(_CLEAR_LINE, end="", file=sys.stderr, flush=True)

    # when it has run

    def results(self, banners: Banners) -> None:
        """The table, or the last objects."""
        if self._json:
            for (address, port), text in banners.items():
                banner = {"kind": "banner", "address": address, "port": port, "banner": text}
                self._object(banner)
            self._object(self._summary())
            self._flush()
            return
        from fourtuple.scan.table import table

        lines = table(self._results, banners, self._tr, self._terminal)
        write("".join(f"{line}\n" for line in lines))

    def xml(self, name: str, begin_s: float, banners: Banners) -> None:
        """Write nmap's XML."""
        from fourtuple.scan.xmlout import nmap_xml

        document = nmap_xml(self._results, sys.argv, begin_s, time.time(), banners)
        if name == "-":
            write(document.decode())
        else:
            Path(name).write_bytes(document)
            self._say(N_("XML written to {file}"), file=name)

    def save(self, name: str, seen: Sniffer | None) -> None:
        """Write the recording."""
        assert seen is not None
        from fourtuple.event.recording import write_recording
        from fourtuple.scan.record import timeline_of

        ports: dict[str, set[int]] = {}
        for method, chosen in self._results.ports.items():
            ports.setdefault(protocol_of(method), set()).update(chosen)
        timeline = timeline_of(seen.frames(), self._results.all(), ports, seen.dropped)
        with open(name, "wb") as stream:
            write_recording(timeline, stream)
        self._say(N_("recording kept in {file}"), file=name)

    def keep_for_later(self) -> None:
        """Write what is needed to go on, and say how."""
        from fourtuple.scan.resume import ResumeFile

        file = self._file or ResumeFile(Path.cwd(), self._job.options)
        try:
            file.keep(self._results)
        except OSError as error:
            self._say(N_("cannot write the file to resume from: {reason}"), reason=error.strerror)
        else:
            name = file.path.name
            self._say(N_("interrupted; go on with: fourtuple scan --resume {file}"), file=name)

    def done(self) -> None:
        """Nobody needs to go on from here."""
        if self._file is not None:
            self._file.discard()

    def say_what_syn_needs(self) -> None:
        """For those who did not choose a method and have no choice."""
        self._say(
            N_(
                "connect was used, which needs no privilege; syn and the others need CAP_NET_RAW: "
                "run fourtuple as root, or scan from a host of the lab."
            )
        )

    def _say(self, text: str, **params: object) -> None:
        print(self._tr.text(Message(text, params)), file=sys.stderr)

    # questions of their own

    def explain(self, port: int) -> None:
        """Probe one port of each target by itself; show its frames and say what they mean."""
        methods = list(self._job.ports)
        options = replace(self._job.options, shard=(1, 1), recorded=True)
        for target in self._job.targets:
            for method in methods:
                job = Job([target], {method: [port]}, options)
                self._explain(job, port, method)

    def _explain(self, job: Job, port: int, method: str) -> None:
        from fourtuple.scan.why import why

        found: list[PortResult] = []
        picture = ""
        try:
            with Sniffer() as seen:
                run_job(job, Results(job.targets, job.ports), found.append)
            picture = self._picture(seen, found, port, method)
        except CapabilityMissing as missing:
            self._say(missing.what, **dict(missing.params))
            run_job(job, Results(job.targets, job.ports), found.append)
        for result in found:
            texts = [self._tr.text(message) for message in why(result)]
            if self._json:
                self._object(
                    {"kind": "explanation", "address": result.address, "port": port,
                     "method": method, "state": result.state, "text": " ".join(texts)}
                )  # fmt: skip
                self._flush()
                continue
            title = f"{result.address} {port}/{result.protocol}, {method}: {result.state}"
            write(f"\n{self._terminal.paint('bold', f'{title} ({result.reason})')}\n{picture}")
            for line in wrap(" ".join(texts), self._terminal.width - 2):
                write(f"  {line}\n")

    def _picture(self, seen: Sniffer, found: list[PortResult], port: int, method: str) -> str:
        from fourtuple.analyze import connections
        from fourtuple.render.framelist import frame_list
        from fourtuple.scan.record import timeline_of

        timeline = timeline_of(seen.frames(), found, {protocol_of(method): [port]})
        return frame_list(timeline, connections(timeline), self._tr, self._terminal)

    def verify(self, namespace: str) -> bool:
        """Compare with the socket table of each target: in the network namespace of that file, else
        of the lab's host, else here. Whether it says the same."""
        from fourtuple.scan.verify import compare, is_local, lab_hosts, socket_table

        results = self._results
        method = next((one for one in ("connect", "syn") if one in results.summaries), "")
        files = lab_hosts(os.environ)
        holds = True
        for target in results.targets:
            address = target.address
            file = namespace or files.get(address, "")
            if not method or not (file or is_local(address)):
                self._say(_NOT_COMPARED, address=address)
                continue
            asked = results.judged(method, address)
            found = results.tables[method].ports_of(address).get(_OPEN, [])
            outcome = compare(address, asked, found, socket_table(file))
            holds &= outcome.holds
            self._comparison(address, outcome)
        return holds

    def _comparison(self, address: str, outcome: Any) -> None:
        from fourtuple.scan.targets import port_text

        if self._json:
            self._object({"kind": "comparison", **asdict(outcome), "holds": outcome.holds})
            self._flush()
            return
        params = {
            "address": address, "agreed": port_text(outcome.agreed) or "-",
            "listening": port_text(outcome.only_listening),
            "found": port_text(outcome.only_found),
        }  # fmt: skip
        texts = [N_("{address}: scan and socket table agree on the open ports: {agreed}")]
        if outcome.only_listening:
            texts.append(
                N_("{address}: a socket listens, and the scan did not find it: {listening}")
            )
        if outcome.only_found:
            texts.append(N_("{address}: found open, and no socket listens: {found}"))
        if not outcome.holds:
            texts[0] = N_("{address}: open and listening: {agreed}")
        for text in texts:
            write(self._tr.text(Message(text, params)) + "\n")

    def _summary(self) -> dict[str, Any]:
        states: dict[str, int] = {}
        methods = {}
        for method, one in self._results.summaries.items():
            table = self._results.tables[method]
            of_method = table.states()
            for state, count in of_method.items():
                states[state] = states.get(state, 0) + count
            size = len(table.codes)
            mine = len(self._job.options.positions(size))
            methods[method] = {
                "states": of_method, "sent": one.sent, "received": one.received,
                "late": one.late, "foreign": one.foreign, "dropped": one.dropped,
                "left": mine - sum(of_method.values()), "seconds": round(one.seconds, 4),
            }  # fmt: skip
        summaries = self._results.summaries.values()
        return {
            "kind": "summary",
            "addresses": len(self._results.targets),
            "states": states,
            "seconds": round(sum(one.seconds for one in summaries), 4),
            "interrupted": any(one.interrupted for one in summaries),
            "methods": methods,
        }
