"""Many connections as a table."""

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
    head, line = table(exchange())
    assert head.split()[:3] == ["#", "client", "server"]
    assert line.split()[:5] == ["0", "10.77.0.1:40000", "10.77.0.2:8888", "6+5", "14+14"]
    assert "complete" in line
    assert "four segments" in line


def test_the_last_column_says_what_went_wrong() -> None:
    (_, line) = table(refused())
    assert "refused" in line
    assert line.rstrip() != line[: line.index("refused") + 30].rstrip()


def test_datagrams_have_no_handshake() -> None:
    story = Story()
    story.datagram(story.client, 9)
    (_, line) = table(story)
    assert line.split()[3:] == ["1+0", "9+0", "UDP"]


@pytest.mark.parametrize("width", [40, 60, 80, 100, 160])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_table_fits_and_keeps_client_and_close(width: int, language: str) -> None:
    lines = table(unread(), width, language)
    assert max(map(width_of, lines)) <= width
    assert lines[1].count("10.77") == 2


def test_a_long_table_ends_with_how_many_more_there_are() -> None:
    story = Story(complete=False)
    for port in range(40000, 40064):
        story.client.endpoint = type(story.client.endpoint)("10.77.0.1", port)
        story.reborn()
        story.client.syn()
    lines = table(story)
    assert len(lines) == 62
    assert lines[-1] == "and 4 more connections: --json lists them"
