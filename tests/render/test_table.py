"""Many connections as a table."""

import re

import pytest

from fourtuple.analyze import connections
from fourtuple.explain.catalog import findings
from fourtuple.render.table import connection_table
from fourtuple.render.text import width_of
from render.shown import painter
from story import Story, exchange, refused, unread


def table(story: Story, width: int = 120, language: str = "en") -> list[str]:
    timeline = story.timeline()
    found = connections(timeline)
    return connection_table(found, findings(timeline, found), painter(width, language))


def test_a_line_says_who_talked_how_much_and_how_it_ended() -> None:
    head, line, legend = table(exchange())
    assert head.split()[:3] == ["#", "client", "server"]
    cells = ["0", "10.77.0.1:40000", "10.77.0.2:8888", "▶6 ◀5", "▶14 ◀14", "complete"]
    assert re.split("  +", line)[:6] == cells
    assert "four segments" in line
    assert legend == "▶ client to server, ◀ server to client"


def test_the_last_column_says_what_went_wrong() -> None:
    head, line, *_ = table(refused())
    assert "refused" in line
    assert line[head.index("findings") :].strip()


def test_long_findings_go_on_below_their_column() -> None:
    head, line, *more, _ = table(unread(), 96)
    column = head.index("findings")
    assert more
    assert all(text[:column].strip() == "" for text in more)
    whole = " ".join(text[column:].strip() for text in (line, *more))
    assert whole == table(unread(), 250)[1][table(unread(), 250)[0].index("findings") :]


def test_datagrams_have_no_handshake() -> None:
    story = Story()
    story.datagram(story.client, 9)
    assert re.split("  +", table(story)[1])[3:6] == ["▶1 ◀0", "▶9 ◀0", "UDP"]
    assert "packets ▶1 ◀0 · payload bytes ▶9 ◀0 · UDP" in "\n".join(table(story, 60))


@pytest.mark.parametrize("width", [40, 60, 80, 100, 160])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_table_fits_and_cuts_nothing(width: int, language: str) -> None:
    lines = table(unread(), width, language)
    assert max(map(width_of, lines)) <= width
    text = "\n".join(lines)
    assert "…" not in text
    for part in ("10.77.0.1:40000", "10.77.0.2:8888", "▶100 ◀0", "▶3 ◀3"):
        assert part in text


def test_a_tunnel_has_a_column_where_there_is_one() -> None:
    found = connections(exchange().timeline())
    plain = connection_table(found, (), painter(200))
    inside = connection_table(found, (), painter(200), {1: "vxlan 7 192.0.2.1-192.0.2.2"})
    assert "tunnel" not in plain[0]
    assert inside[0].split()[-2:] == ["tunnel", "findings"]
    assert "vxlan 7 192.0.2.1-192.0.2.2" in inside[1]
