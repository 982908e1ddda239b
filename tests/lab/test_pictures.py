"""What the pictures of some experiments must show besides segments."""

import re

import pytest

from fourtuple.analyze import connections
from fourtuple.explain.text import Translator
from fourtuple.lab.experiment import find_experiment
from fourtuple.render.summary import report
from fourtuple.render.terminal import Terminal
from lab.running import ran

pytestmark = pytest.mark.kernel


def picture(name: str, family: int, connection: int = 0) -> list[str]:
    """The lines of an experiment's report, blanks and arrows drawn together."""
    timeline = ran(find_experiment(name), family)
    found = connections(timeline)
    text = report(
        timeline, Translator("en"), Terminal(160), connections=[found[connection]], every=len(found)
    )
    return [" ".join(re.sub("[─┄│▶◀]", " ", line).split()) for line in text.splitlines()]


def lines_with(lines: list[str], *words: str) -> list[str]:
    return [line for line in lines if all(word in line for word in words)]


@pytest.mark.parametrize("family", [4, 6])
def test_the_fragments_of_a_datagram_and_the_calls_of_sockets_without_a_peer(family: int) -> None:
    lines = picture("udp-fragments", family)
    assert len(lines_with(lines, "fragment from byte")) == {4: 2, 6: 3}[family]
    assert lines_with(lines, "sendto(2934", "→ 2934")
    assert lines_with(lines, "recvfrom(")


@pytest.mark.parametrize("family", [4, 6])
def test_an_icmp_message_stands_in_the_picture_of_what_it_is_about(family: int) -> None:
    refused = picture("udp-port-unreachable", family)
    assert lines_with(refused, "ICMP", "port unreachable")
    narrow = picture("path-mtu", family)
    word = {4: "fragmentation needed", 6: "packet too big"}[family]
    assert lines_with(narrow, "ICMP", word) or lines_with(narrow, word)
    assert lines_with(narrow, "once more, cut anew: the ICMP message of frame")


def test_where_fins_cross_both_ends_pass_through_closing_before_they_wait() -> None:
    rows = [line.split() for line in picture("close-simultaneous", 4) if re.match(r"[\d.]+ ", line)]
    course = [word for row in rows for word in row if word in ("CLOSING", "TIME_WAIT")]
    assert course == ["CLOSING", "CLOSING", "TIME_WAIT", "TIME_WAIT"]
