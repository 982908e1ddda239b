"""Results as nmap's XML (its nmap.dtd, version 1.05), for the tools that read it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from fourtuple import __version__
from fourtuple.scan.model import State, protocol_of
from fourtuple.scan.results import HostResults, Results
from fourtuple.scan.targets import port_text

__all__ = ["nmap_xml"]


def nmap_xml(
    results: Results,
    arguments: Sequence[str],
    begin_s: float,
    end_s: float,
    banners: Mapping[tuple[str, int], str],
) -> bytes:
    """The document. Times are seconds since 1970. One method a protocol: a port has one state."""
    root = Element(
        "nmaprun", scanner="fourtuple", args=" ".join(arguments), start=str(int(begin_s)),
        version=__version__, xmloutputversion="1.05",
    )  # fmt: skip
    for method in results.summaries:
        ports = results.ports[method]
        SubElement(
            root, "scaninfo", type=method, protocol=protocol_of(method),
            numservices=str(len(ports)), services=port_text(ports),
        )  # fmt: skip
    SubElement(root, "verbose", level="0")
    SubElement(root, "debugging", level="0")
    hosts = list(results.hosts())
    up = 0
    for host in hosts:
        up += _host(root, host, begin_s, end_s, banners)
    stats = SubElement(root, "runstats")
    cut = any(one.interrupted for one in results.summaries.values())
    finished = SubElement(
        stats, "finished", time=str(int(end_s)), elapsed=f"{end_s - begin_s:.2f}", timestr="",
        exit="error" if cut else "success",
        summary=f"fourtuple {__version__}: {len(hosts)} addresses scanned",
    )  # fmt: skip
    if cut:
        finished.set("errormsg", "interrupted")
    total = len(hosts)
    SubElement(stats, "hosts", up=str(up), down=str(total - up), total=str(total))
    indent(root)
    text: str = tostring(root, "unicode")
    return ('<?xml version="1.0" encoding="UTF-8"?>\n' + text + "\n").encode()


def _host(
    root: Element,
    host: HostResults,
    begin_s: float,
    end_s: float,
    banners: Mapping[tuple[str, int], str],
) -> bool:
    """Append a host; whether it is known to be up, which any answer from it proves."""
    address = host.target.address
    verdicts = [row.verdicts for row in host.rows] + [verdict for _, _, verdict in host.counted]
    reasons = {reason for by_method in verdicts for _, reason in by_method.values()}
    answers = sorted(reasons & {"syn-ack", "conn-refused", "reset", "udp-response", "port-unreach"})
    element = SubElement(root, "host", starttime=str(int(begin_s)), endtime=str(int(end_s)))
    state, reason = "up" if answers else "unknown", (*answers, "no-response")[0]
    SubElement(element, "status", state=state, reason=reason, reason_ttl="0")
    SubElement(element, "address", addr=address, addrtype="ipv6" if ":" in address else "ipv4")
    names = SubElement(element, "hostnames")
    if host.target.name:
        SubElement(names, "hostname", name=host.target.name, type="user")
    _ports(SubElement(element, "ports"), host, banners)
    return bool(answers)


def _ports(element: Element, host: HostResults, banners: Mapping[tuple[str, int], str]) -> None:
    extra: Counter[tuple[str, str]] = Counter()
    for count, _, by_method in host.counted:
        extra[next(iter(by_method.values()))] += count
    for state in dict.fromkeys(state for state, _ in extra):
        reasons = {reason: n for (kind, reason), n in extra.items() if kind == state}
        total = str(sum(reasons.values()))
        counted = SubElement(element, "extraports", state=state, count=total)
        for reason, n in reasons.items():
            SubElement(counted, "extrareasons", reason=reason, count=str(n))
    for row in host.rows:
        state, reason = next(iter(row.verdicts.values()))
        port = SubElement(element, "port", protocol=row.protocol, portid=str(row.port))
        SubElement(port, "state", state=state, reason=reason, reason_ttl="0")
        if row.service:
            SubElement(port, "service", name=row.service, method="table", conf="3")
        banner = banners.get((host.target.address, row.port))
        if banner and state == State.OPEN:
            printable = "".join(c if c.isprintable() else "\ufffd" for c in banner)
            SubElement(port, "script", id="banner", output=printable)
