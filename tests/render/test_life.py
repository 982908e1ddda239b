"""When a connection lived."""

from fourtuple.analyze import connections
from fourtuple.render.life import life_of
from story import MS, exchange


def test_a_life_ends_where_the_next_one_of_the_addresses_begins() -> None:
    story = exchange()
    story.wait(1000)
    story.reborn()
    story.client.syn()
    found = connections(story.timeline())
    first, second = (life_of(connection, found) for connection in found)
    end = first.until_ns
    assert end == second.connection.start_ns
    assert first.spans(end - MS, end + MS)
    assert not first.spans(end, end + MS)
    assert second.spans(end - MS, None)
    assert not second.spans(end - 2 * MS, end - MS)


def test_another_ports_connection_ends_nothing() -> None:
    story = exchange()
    story.client.endpoint = type(story.client.endpoint)("10.77.0.1", 40001)
    story.reborn()
    story.client.syn()
    found = connections(story.timeline())
    assert life_of(found[0], found).spans(10**18, None)


def test_what_a_frame_of_another_life_brought_is_of_that_life() -> None:
    """A late SYN begins a new life, while TIME_WAIT of the old one still answers and ends."""
    story = exchange()
    story.wait(1)
    story.reborn()
    story.server.syn_ack()
    found = connections(story.timeline())
    first, second = (life_of(connection, found) for connection in found)
    of_first, of_second = first.connection.frames[-1], second.connection.frames[0]
    later_ns = second.since_ns + 1
    assert first.saw(later_ns, of_first)
    assert not second.saw(later_ns, of_first)
    assert second.saw(later_ns, of_second)
    assert second.saw(later_ns, 0)
    assert not first.saw(later_ns, 0)
