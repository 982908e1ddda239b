"""ICMP errors: which connection, and which end of it, they are about."""

import pytest

from fourtuple.analyze import connections
from fourtuple.analyze.icmp import icmp_errors
from fourtuple.wire import ACK, Icmp, Icmp6, Tcp, Udp
from story import Party, Story, opened


def tcp_of(party: Party) -> Tcp:
    """A segment of this end, as an error quotes it."""
    return Tcp(party.endpoint.port, party.peer.endpoint.port, flags=ACK)


def told(story: Story, index: int = 0) -> list[tuple[int, str, int, int, bool, bool]]:
    timeline = story.timeline()
    return [
        (e.frame, e.protocol, e.type, e.code, e.to_client, e.too_big)
        for e in icmp_errors(timeline, connections(timeline)[index])
    ]


def test_an_error_goes_to_the_end_that_sent_what_it_is_about():
    story = opened()
    story.icmp(story.server, Icmp(3, 1), tcp_of(story.client))
    story.icmp(story.client, Icmp(3, 13), tcp_of(story.server))
    assert told(story) == [(4, "ICMP", 3, 1, True, False), (5, "ICMP", 3, 13, False, False)]


@pytest.mark.parametrize(("family", "message"), [(4, Icmp(3, 4, 1300)), (6, Icmp6(2, 0, 1300))])
def test_a_packet_that_was_too_large(family, message):
    story = opened(family)
    story.icmp(story.server, message, tcp_of(story.client))
    ((frame, _, _, _, to_client, too_big),) = told(story)
    assert (frame, to_client, too_big) == (4, True, True)


def test_an_error_about_another_connection_is_none_of_this_one():
    story = opened()
    story.icmp(story.server, Icmp(3, 1), Tcp(1, 2, flags=ACK))
    assert told(story) == []


def test_an_error_about_a_datagram_and_an_echo_which_is_no_error():
    story = Story()
    story.datagram(story.client, 9)
    ports = (story.client.endpoint.port, story.server.endpoint.port)
    story.icmp(story.server, Icmp(3, 3), Udp(*ports))
    story.icmp(story.server, Icmp(8, 0), Udp(*ports))
    assert told(story) == [(2, "ICMP", 3, 3, True, False)]
