"""What `fourtuple scan` does, once its command line is understood."""

import re
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from msgspec.structs import replace

from fourtuple.cli.output import terminal_for, translator_for
from fourtuple.cli.values import number, number_between, seconds
from fourtuple.errors import InputError, UsageError
from fourtuple.explain.text import N_
from fourtuple.scan.allowed import WHY_AUTHORIZED, not_allowed
from fourtuple.scan.job import Job, run_job
from fourtuple.scan.model import METHODS, ScanOptions, protocol_of
from fourtuple.scan.raw.ahead import ready_engine
from fourtuple.scan.results import Results
from fourtuple.scan.targets import parse_ports, parse_targets
from fourtuple.scan.verify import socket_table
from fourtuple.system.sniffer import Sniffer, may_sniff

__all__ = ["scan_ports"]

_DIFFERS, _INTERRUPTED = 1, 130
#: more than this are mistakes in writing, and nothing that Linux has descriptors or time for
_MOST_WORKERS, _MOST_RETRIES, _MOST_RATE = 1_000_000, 100, 1e9


def scan_ports(
    targets: Sequence[str],
    ports: str = "1-1024",
    method: str = "",
    exclude: Sequence[str] = (),
    workers: str | None = None,
    timeout: str = "0.5",
    retries: str = "1",
    rate: str | None = None,
    seed: str = "0",
    shard: str = "1/1",
    resume: str | None = None,
    verify: bool = False,
    netns: str = "",
    banner: bool = False,
    explain: str | None = None,
    save: str | None = None,
    xml: str | None = None,
    ipv6: bool = False,
    authorized: bool = False,
    json: bool = False,
    width: str | None = None,
    lang: str = "",
    no_color: bool = False,
) -> int:
    """Scan ports; the parameters are the command's, as they were written. The exit status."""
    from fourtuple.cli.scan_output import Output

    terminal, translator = terminal_for(width, no_color), translator_for(lang)
    options = _options(workers, timeout, retries, rate, seed, shard)
    port = None if explain is None else number_between("--explain", explain, 1, 65535)
    if resume is not None:
        job, results = _resumed(resume, json)
    else:
        names = parse_targets(targets, exclude, _resolver(ipv6))
        chosen = _methods(method or "connect")
        by_method = {one: parse_ports(ports, protocol_of(one)) for one in chosen}
        job, results = Job(names, by_method, options, json), Results(names, by_method)
    job = replace(job, options=replace(job.options, recorded=save is not None))
    _check(job, authorized, save, xml)
    if netns:
        socket_table(netns)  # where it may not be looked into, that is said before the scan
    output = Output(job, results, translator, terminal, json)
    begin_s = time.time()
    with _recorder(save is not None) as seen:
        ready = ready_engine()
        raw = ready.scan if ready is not None else None
        run_job(job, results, output.found, output.progress, raw)
    output.finish_progress()
    greetings = _greet(results) if banner else {}
    output.results(greetings)
    if xml is not None:
        output.xml(xml, begin_s, greetings)
    if save is not None:
        output.save(save, seen)
    if any(one.interrupted for one in results.summaries.values()):
        output.keep_for_later()
        return _INTERRUPTED
    output.done()
    if port is not None:
        output.explain(port)
    if not method and resume is None and not may_sniff():
        output.say_what_syn_needs()
    if (verify or netns) and not output.verify(netns):
        return _DIFFERS
    return 0


def _options(
    workers: str | None, timeout: str, retries: str, rate: str | None, seed: str, shard: str
) -> ScanOptions:
    """UsageError where one of them is not what it should be."""
    return ScanOptions(
        method="",
        workers=None if workers is None else number_between("--workers", workers, 1, _MOST_WORKERS),
        timeout_s=seconds("--timeout", timeout),
        retries=number_between("--retries", retries, 0, _MOST_RETRIES),
        rate=None if rate is None else _rate(rate),
        seed=number("--seed", seed),
        shard=_shard(shard),
    )


def _rate(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= _MOST_RATE:
        params = {"option": "--rate", "value": repr(text)}
        raise UsageError(N_("{option} takes a number of probes above 0; {value} is none."), params)
    return value


def _resumed(name: str, complete: bool) -> tuple[Job, Results]:
    from fourtuple.scan.resume import load

    saved = load(Path(name))
    results = saved.results_so_far()
    return Job(results.targets, results.ports, saved.scan_options(), complete), results


def _check(job: Job, authorized: bool, save: str | None, xml: str | None) -> None:
    """UsageError before a packet is sent."""
    if not job.targets:
        raise UsageError(N_("no target: name one, as in fourtuple scan 127.0.0.1"))
    address = "" if authorized else not_allowed(one.address for one in job.targets)
    if address:
        raise InputError(WHY_AUTHORIZED, {"address": address})
    for name in (save, xml):
        directory = Path(name or "-").parent
        if name not in (None, "-") and not directory.is_dir():
            params = {"file": name, "directory": directory}
            raise InputError(N_("{file}: there is no directory {directory}"), params)
    protocols = [protocol_of(method) for method in job.ports]
    if xml is not None and len(set(protocols)) < len(protocols):
        raise UsageError(N_("--xml: nmap's format has one method for TCP and one for UDP"))


def _methods(text: str) -> list[str]:
    chosen = list(dict.fromkeys(word.strip() for word in text.split(",")))
    for one in chosen:
        if one not in METHODS:
            params = {"method": one, "known": METHODS}
            raise InputError(N_("--method {method}: there are {known}"), params)
    return chosen


def _shard(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    if match and 1 <= int(match[1]) <= int(match[2]):
        return int(match[1]), int(match[2])
    raise UsageError(N_("--shard {text}: it is K/N, K from 1 to N"), {"text": text})


def _resolver(ipv6: bool) -> Callable[[str], list[str]]:
    def resolve(name: str) -> list[str]:
        family = socket.AF_INET6 if ipv6 else socket.AF_UNSPEC
        rows = socket.getaddrinfo(name, None, family, socket.SOCK_STREAM)
        rows.sort(key=lambda row: row[0] != socket.AF_INET)
        return [str(row[4][0]) for row in rows]

    return resolve


def _recorder(wanted: bool) -> AbstractContextManager[Sniffer | None]:
    return Sniffer() if wanted else nullcontext()


def _greet(results: Results) -> dict[tuple[str, int], str]:
    from fourtuple.scan.banner import banners

    return banners(
        (target.address, port)
        for target in results.targets
        for port in results.open_ports(target.address)
    )
