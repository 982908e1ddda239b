"""Targets and ports as people write them."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourtuple.errors import InputError
from fourtuple.scan.services import service_name
from fourtuple.scan.targets import Target, parse_ports, parse_targets, port_text


def addresses(*texts: str, excluded: Sequence[str] = ()) -> list[str]:
    return [one.address for one in parse_targets(texts, excluded)]


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("22", [22]),
        ("80,22,80", [22, 80]),
        ("1000-1003", [1000, 1001, 1002, 1003]),
        ("-3", [1, 2, 3]),
        ("65534-", [65534, 65535]),
        ("-", list(range(1, 65536))),
        ("ssh,http", [22, 80]),
        (" 22 , 80 ", [22, 80]),
        ("T:22,U:53", [22]),
        ("U:53", []),
    ],
)
def test_ports_are_written_as_nmap_has_them(text: str, ports: list[int]) -> None:
    assert parse_ports(text) == ports


def test_a_prefix_holds_for_what_follows_it() -> None:
    assert parse_ports("T:1,2,U:3,4", "udp") == [3, 4]


def test_a_star_means_every_service_of_such_a_name() -> None:
    assert {80, 443} <= set(parse_ports("http*"))


@pytest.mark.parametrize("text", ["", "22,", "0", "65536", "3-1", "nosuchservice", "1-2-3", "٣"])
def test_what_is_no_port_is_refused_and_named(text: str) -> None:
    with pytest.raises(InputError):
        parse_ports(text)


@given(st.sets(st.integers(1, 65535)))
def test_the_shortest_text_of_ports_says_the_same_ports(ports: set[int]) -> None:
    if ports:
        assert parse_ports(port_text(ports)) == sorted(ports)


def test_networks_ranges_and_addresses() -> None:
    assert addresses("10.0.0.0/30") == ["10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3"]
    assert addresses("10.0.0.1-2,9") == ["10.0.0.1", "10.0.0.2", "10.0.0.9"]
    assert addresses("FD00:0:0::1", "[::1]") == ["fd00::1", "::1"]
    assert addresses("fd00::/126") == ["fd00::", "fd00::1", "fd00::2", "fd00::3"]
    assert addresses("fe80::1%eth0") == ["fe80::1%eth0"]


def test_an_ipv4_address_in_the_clothes_of_ipv6_is_the_ipv4_one() -> None:
    assert addresses("::ffff:8.8.8.8") == ["8.8.8.8"]


def test_each_address_is_scanned_once_and_the_excluded_never() -> None:
    assert addresses("10.0.0.1", "10.0.0.0/30", excluded=["10.0.0.2-3"]) == ["10.0.0.1", "10.0.0.0"]


def test_a_file_holds_targets_and_remarks(tmp_path: Path) -> None:
    file = tmp_path / "targets"
    file.write_text("10.0.0.1 10.0.0.2 # two\n\n# none\n10.0.0.4/31\n")
    assert addresses(f"@{file}") == ["10.0.0.1", "10.0.0.2", "10.0.0.4", "10.0.0.5"]


def test_a_file_does_not_lead_to_others(tmp_path: Path) -> None:
    file = tmp_path / "targets"
    file.write_text(f"@{file}\n")
    with pytest.raises(InputError):
        addresses(f"@{file}")


def test_names_are_looked_up_by_the_one_who_asks() -> None:
    found = parse_targets(["web.example"], resolve=lambda name: ["10.1.1.1", "10.1.1.2"])
    assert found == [Target("10.1.1.1", "web.example")]


def no_such_name(name: str) -> list[str]:
    raise OSError("no such name")


@pytest.mark.parametrize(
    "text", ["nowhere", "", "10.0.0.256", "10.0.0.0/33", "0/0", "@/nonexistent"]
)
def test_what_is_no_target_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_targets([text], resolve=no_such_name)


def test_a_network_too_large_to_be_meant_is_refused_at_once() -> None:
    for text in ("fd00::/64", "10.0.0.0/8", "0-255.0-255.0-255.0"):
        with pytest.raises(InputError, match="1048576"):
            addresses(text)


def test_brackets_choose_the_ports_of_services_as_nmap_has_it() -> None:
    found = parse_ports("[20-25]")
    assert {21, 22, 23, 25} <= set(found) <= set(range(20, 26))
    assert set(parse_ports("U:[-60]", "udp")) >= {53}
    assert parse_ports("[22],443") == [22, 443]


def test_a_port_has_the_name_of_its_usual_service() -> None:
    assert service_name(22, "tcp") == "ssh"
    assert service_name(53, "udp") == "domain"
    assert service_name(65000, "tcp") == ""
