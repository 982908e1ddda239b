"""The XML is nmap's: python-libnmap reads what was found."""

from collections.abc import Iterable
from xml.etree import ElementTree

import pytest

from fourtuple.scan.model import ScanSummary, verdict_code
from fourtuple.scan.results import Results
from fourtuple.scan.targets import Target
from fourtuple.scan.xmlout import nmap_xml

parser = pytest.importorskip("libnmap.parser")


def results_of(
    found: Iterable[tuple[int, str, str, str]], ports: dict[str, list[int]], name: str = ""
) -> Results:
    results = Results([Target("10.0.0.2", name)], ports)
    for port, method, state, reason in found:
        results.tables[method].know("10.0.0.2", [port], verdict_code(state, reason))
    for method in ports:
        results.summaries[method] = ScanSummary(method, 3, 3, 0.5)
    return results


def parsed(results: Results, banners: dict[tuple[str, int], str] | None = None):  # type: ignore[no-untyped-def]
    document = nmap_xml(results, ["fourtuple", "scan", "10.0.0.2"], 1000.0, 1002.5, banners or {})
    return parser.NmapParser.parse(document.decode())


def test_libnmap_reads_ports_states_and_services() -> None:
    found = [
        (22, "connect", "open", "syn-ack"),
        (81, "connect", "closed", "conn-refused"),
        (53, "udp", "open|filtered", "no-response"),
    ]
    report = parsed(results_of(found, {"connect": [22, 81], "udp": [53]}, "db.example"))
    (host,) = report.hosts
    assert (host.address, host.hostnames, host.status) == ("10.0.0.2", ["db.example"], "up")
    services = {(s.port, s.protocol): (s.state, s.reason, s.service) for s in host.services}
    assert services == {
        (22, "tcp"): ("open", "syn-ack", "ssh"),
        (81, "tcp"): ("closed", "conn-refused", services[81, "tcp"][2]),
        (53, "udp"): ("open|filtered", "no-response", "domain"),
    }
    assert host.get_open_ports() == [(22, "tcp")]
    assert report.elapsed == 2.5


def test_many_ports_of_one_state_are_counted() -> None:
    ports = list(range(100, 200))
    found = [(port, "connect", "closed", "conn-refused") for port in ports]
    results = results_of([*found, (22, "connect", "open", "syn-ack")], {"connect": [22, *ports]})
    (host,) = parsed(results).hosts
    assert [one.port for one in host.services] == [22]
    document = nmap_xml(results, [], 0, 1, {})
    extra = ElementTree.fromstring(document).find("host/ports/extraports")
    assert extra is not None
    assert extra.attrib == {"state": "closed", "count": "100"}


@pytest.mark.parametrize("cut", [False, True])
def test_a_scan_that_was_interrupted_is_no_success(cut: bool) -> None:
    results = results_of([(22, "connect", "open", "syn-ack")], {"connect": [22]})
    results.summaries["connect"] = ScanSummary("connect", 1, 1, 0.5, interrupted=cut)
    finished = ElementTree.fromstring(nmap_xml(results, [], 0, 1, {})).find("runstats/finished")
    assert finished is not None
    assert finished.get("exit") == ("error" if cut else "success")


def test_a_banner_with_bytes_that_xml_forbids_is_still_xml() -> None:
    results = results_of([(22, "connect", "open", "syn-ack")], {"connect": [22]})
    (host,) = parsed(results, {("10.0.0.2", 22): "SSH\x00-2.0 <&>"}).hosts
    (script,) = host.services[0].scripts_results
    assert script["id"] == "banner"
    assert script["output"] == "SSH\ufffd-2.0 <&>"
