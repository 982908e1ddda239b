"""What is worth showing of a segment."""

from fourtuple.analyze import connections
from fourtuple.explain.text import Translator
from fourtuple.render.wires import crossings
from fourtuple.wire import RST
from story import Story, exchange, opened, refused


def shown(story: Story) -> list[str]:
    timeline = story.timeline()
    cells = [crossing.cell for crossing in crossings(timeline, connections(timeline)[0])]
    return [f"{cell.flags}: {' '.join(cell.shows)}" for cell in cells]


def labels(story: Story) -> list[list[str]]:
    timeline = story.timeline()
    text = Translator().text
    return [
        [text(label) for label in crossing.cell.labels]
        for crossing in crossings(timeline, connections(timeline)[0])
    ]


def test_a_number_is_shown_where_it_says_something_new() -> None:
    assert shown(exchange()) == [
        "SYN: seq",
        "SYN ACK: seq ack",
        "ACK: seq ack",
        "PSH ACK: seq len",
        "ACK: ack",
        "PSH ACK: seq len",
        "ACK: ack",
        "FIN ACK: seq",
        "ACK: ack",
        "FIN ACK: seq",
        "ACK: ack",
    ]


def test_data_that_acknowledges_shows_both() -> None:
    story = opened()
    story.client.send(14)
    story.server.send(14)
    assert shown(story)[-1] == "PSH ACK: seq ack len"


def test_a_reset_without_ack_flag_shows_its_number_only() -> None:
    story = opened()
    story.client.say(RST)
    assert shown(story)[-1] == "RST: seq"


def test_a_refusal_shows_what_it_acknowledges() -> None:
    assert shown(refused())[-1] == "RST ACK: seq ack"


def test_what_the_wire_did_comes_first() -> None:
    story = opened()
    story.client.send(10, lost=True)
    story.wait(300)
    story.client.send(10, seq=1, late_ms=2)
    assert labels(story)[3:] == [["dropped"], ["delayed", "retransmission"]]


def test_datagrams_have_a_length_and_a_direction() -> None:
    story = Story()
    story.datagram(story.client, 100)
    story.datagram(story.server, 7)
    timeline = story.timeline()
    cells = [crossing.cell for crossing in crossings(timeline, connections(timeline)[0])]
    assert [(c.flags, c.from_client, c.length, c.seq) for c in cells] == [
        ("UDP", True, 100, None),
        ("UDP", False, 7, None),
    ]


def test_a_lone_byte_that_is_sent_again_is_no_keepalive() -> None:
    story = opened()
    story.client.send(1)
    story.wait(250)
    story.client.send(1, seq=1)
    assert labels(story)[-1] == ["retransmission"]
