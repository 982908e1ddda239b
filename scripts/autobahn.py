"""Run Autobahn's fuzzing client against `fourtuple serve ws://`, and write what came of it.

    python scripts/autobahn.py [--cases 1.*,2.*,...] [--jobs N] [--resume] [--write]

The suite (autobahntestsuite 0.8.2) needs a Python 2.7. Where a distribution has none any more,
Jython is one (Debian: apt install jython). What it needs is fetched from pip's index, as sources,
into build/autobahn. Each case is run against a server with compression and one without, each part
of --cases with a server and a client of its own, `--jobs` parts at a time; chapters 12 and 13
exchange 20 GB and take hours of processor time.
`--resume` runs only those parts whose results are not in build/autobahn. `--write` writes the
summary into docs/explanation/websocket.md. Ends with status 1 if any case failed.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build" / "autobahn"
SUMMARY = ROOT / "docs" / "explanation" / "websocket.md"
CLIENT = Path(__file__).with_name("autobahn_client.py")

#: the newest of each that Jython 2.7 can import, and the packages to take from it
SOURCES = {
    "autobahntestsuite==0.8.2": "autobahntestsuite",
    "autobahn==0.10.9": "autobahn",
    "Twisted==13.2.0": "twisted",
    "zope.interface==4.7.2": "src/zope",
    "txaio==2.1.0": "txaio",
    "six==1.16.0": "six.py",
    "klein==15.3.1": "klein",
    "Werkzeug==0.9.6": "werkzeug",
    "Jinja2==2.8.1": "jinja2",
    "MarkupSafe==1.0": "markupsafe",
    "setuptools==44.1.1": "pkg_resources",
}
#: all but 9.*, which measures speed
CASES = ",".join(
    [f"{chapter}.*" for chapter in (1, 2, 3, 4, 5, 6, 7, 10)]
    + [f"12.{data}.*" for data in range(1, 6)]
    + [f"13.{offer}.*" for offer in range(1, 8)]
)
GOOD = ("OK", "NON-STRICT", "INFORMATIONAL")


def fetch(requirement: str, into: Path) -> Path:
    """The source archive of one package, by pip's own finder. `pip download` would do, if it did
    not run each package's setup.py, which wants Python 2."""
    from pip._internal.commands import create_command
    from pip._internal.commands.download import DownloadCommand
    from pip._internal.req.constructors import install_req_from_line

    command = create_command("download")
    assert isinstance(command, DownloadCommand)
    options, _ = command.parse_args(["--no-deps", "--no-binary", ":all:", requirement])
    with command.main_context():
        session = command.get_default_session(options)
        finder = command._build_package_finder(
            options=options, session=session, ignore_requires_python=True
        )
        wanted = install_req_from_line(requirement)
        best = finder.find_best_candidate(str(wanted.name), wanted.specifier).best_candidate
        assert best is not None, f"{requirement} is not in the index"
        content = session.get(best.link.url_without_fragment).content
    if best.link.hash_name == "sha256":
        assert hashlib.sha256(content).hexdigest() == best.link.hash, f"{requirement}: wrong hash"
    target = into / best.link.filename
    target.write_bytes(content)
    return target


def unpack(archive: Path, package: str, site: Path) -> None:
    with tempfile.TemporaryDirectory() as directory:
        shutil.unpack_archive(archive, directory)
        (top,) = Path(directory).iterdir()
        found = top / package
        target = site / Path(package).name
        if found.is_dir():
            shutil.copytree(found, target)
        else:
            shutil.copy(found, target)


def prepared() -> Path:
    """Where the suite and what it needs are, side by side."""
    site = BUILD / "site"
    if (site / "complete").exists():
        return site
    shutil.rmtree(site, ignore_errors=True)
    site.mkdir(parents=True)
    for requirement, package in SOURCES.items():
        unpack(fetch(requirement, BUILD), package, site)
    (site / "complete").touch()
    return site


@dataclass(frozen=True)
class Part:
    """Cases that one client tries on one server, and where it reports."""

    cases: str
    flags: tuple[str, ...]
    reports: Path

    def results(self) -> dict[str, Any]:
        """What the suite says of each case."""
        found: dict[str, Any] = json.loads((self.reports / "index.json").read_text())["fourtuple"]
        return found


def parts_of(title: str, cases: Sequence[str], flags: tuple[str, ...]) -> list[Part]:
    into = BUILD / title.split()[0].lower()
    return [Part(each, flags, into / each.replace("*", "all")) for each in cases]


def run(site: Path, part: Part) -> None:
    reports = part.reports
    shutil.rmtree(reports, ignore_errors=True)
    serve = [sys.executable, "-u", "-m", "fourtuple", "serve", "ws://127.0.0.1:0"]
    serve += ["--max-message", "20000000", "--send-queue", "40000000", *part.flags]
    with tempfile.NamedTemporaryFile("w+") as log:
        server = subprocess.Popen(serve, stdout=log)
        try:
            port = port_of(Path(log.name))
            subprocess.run(["jython", CLIENT, site, port, part.cases, reports], check=True)
        finally:
            server.terminate()
            server.wait()


def port_of(log: Path) -> str:
    for _ in range(300):
        if found := re.search(r"127\.0\.0\.1:(\d+)", log.read_text()):
            return found[1]
        time.sleep(0.1)
    raise SystemExit("the server did not start")


def without_compression(cases: Sequence[str]) -> list[str]:
    """Chapters 12 and 13 are about nothing else."""
    return [case for case in cases if case.split(".")[0] not in ("12", "13")]


def key_of(case: str) -> tuple[int, ...]:
    return tuple(map(int, case.split(".")))


def bad_cases(results: Mapping[str, Any]) -> list[str]:
    return [
        case
        for case in sorted(results, key=key_of)
        if results[case]["behavior"] not in GOOD or results[case]["behaviorClose"] not in GOOD
    ]


def table(results: Mapping[str, Any]) -> str:
    """Counts by chapter of the suite."""
    chapters: dict[str, Counter[str]] = {}
    for case in sorted(results, key=key_of):
        chapter = case.split(".")[0]
        chapters.setdefault(chapter, Counter())[results[case]["behavior"]] += 1
    lines = ["| cases | " + " | ".join(GOOD) + " | failed |", "|---|---|---|---|---|"]
    for chapter, counts in chapters.items():
        failed = sum(counts.values()) - sum(counts[each] for each in GOOD)
        shown = " | ".join(str(counts[each]) for each in GOOD)
        lines.append(f"| {chapter}.* | {shown} | {failed} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--cases", default=CASES)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    if not shutil.which("jython"):
        raise SystemExit("jython is not installed: sudo apt install jython")
    site = prepared()
    cases = options.cases.split(",")
    chapters = {
        "With compression": parts_of("With compression", cases, ()),
        "Without compression": parts_of(
            "Without compression", without_compression(cases), ("--no-compress",)
        ),
    }
    todo = [
        part
        for parts in chapters.values()
        for part in parts
        if not (options.resume and (part.reports / "index.json").exists())
    ]
    with ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(partial(run, site), todo))
    return summed_up(chapters, options.write)


def summed_up(chapters: Mapping[str, Sequence[Part]], write: bool) -> int:
    """Print a table for each, and the cases that failed; the exit status."""
    failed: list[str] = []
    told = []
    for title, parts in chapters.items():
        results = {case: result for part in parts for case, result in part.results().items()}
        failed += bad_cases(results)
        told.append(f"## {title}\n\n{len(results)} cases.\n\n{table(results)}\n")
    print("\n".join(told))
    if write:
        head = SUMMARY.read_text().split("\n## ")[0]
        SUMMARY.write_text(head + "\n" + "\n".join(told))
    for case in failed:
        print(f"failed: {case}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
