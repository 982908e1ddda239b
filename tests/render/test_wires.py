"""What is worth showing of a segment."""

import pytest

from fourtuple.analyze import connections
from fourtuple.explain.text import Translator
from fourtuple.render.wires import crossings
from fourtuple.wire import RST, Ethernet, Icmp, Ipv4, Udp, frame
from render.shown import painter
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


def test_the_fragments_of_a_datagram_are_its_own_and_a_strangers_are_not() -> None:
    story = Story()
    client, server = story.client.endpoint, story.server.endpoint
    ip = Ipv4(client.address, server.address)
    whole = Udp(client.port, server.port).emit(b"u" * 100, ip)
    for number, offset, more in ((7, 0, True), (8, 48, True), (7, 48, False)):
        head = Ipv4(client.address, server.address, 17, 64, number, False, more, offset // 8)
        story.put(frame(Ethernet(), head, whole[offset : offset + 48] if more else whole[offset:]))
    timeline = story.timeline()
    cells = [crossing.cell for crossing in crossings(timeline, connections(timeline)[0])]
    assert [(c.frame, c.flags, c.from_client, c.length) for c in cells] == [
        (1, "UDP", True, 40),
        (3, "IP", True, 60),
    ]
    words = [Translator("en").text(label) for cell in cells for label in cell.labels]
    assert words == ["fragment from byte 0 on", "fragment from byte 48 on"]


@pytest.mark.parametrize(
    ("message", "words"),
    [(Icmp(3, 3), "port unreachable"), (Icmp(3, 200), "type 3, code 200")],
)
def test_an_icmp_message_stands_where_what_it_is_about_does(message: Icmp, words: str) -> None:
    story = Story()
    story.datagram(story.client, 9)
    about = Udp(story.client.endpoint.port, story.server.endpoint.port)
    story.icmp(story.server, message, about)
    timeline = story.timeline()
    _, told = (crossing.cell for crossing in crossings(timeline, connections(timeline)[0]))
    assert (told.frame, told.flags, told.from_client, told.shows) == (2, "ICMP", False, ())
    assert [Translator("en").text(label) for label in told.labels] == [words]


def test_a_probe_of_a_closed_window_is_called_so_and_its_answer_too() -> None:
    story = opened()
    story.client.send(100)
    story.server.ack(window=0)
    story.client.ack(seq=100)
    story.server.ack(window=0)
    story.client.ack(seq=100)
    story.server.ack(window=500)
    assert labels(story)[4:] == [
        ["zero window"],
        ["window probe"],
        ["zero window", "answer to the probe"],
        ["window probe"],
        ["window update"],
    ]


def test_two_labels_are_a_list_in_the_language() -> None:
    story = opened()
    story.client.send(100)
    story.server.ack(window=0)
    story.client.ack(seq=100)
    story.server.ack(window=0)
    timeline = story.timeline()
    cell = crossings(timeline, connections(timeline)[0])[-1].cell
    assert "零窗口、对探测的应答" in painter(language="zh").arrow(cell, 60)


def test_what_a_keepalive_brings_back_is_no_window_update() -> None:
    story = opened()
    story.client.send(100)
    story.server.ack(window=511)
    story.client.ack(seq=100)
    story.server.ack(window=512)
    assert labels(story)[5:] == [["keepalive"], ["answer to the keepalive"]]


def test_a_lone_byte_that_is_sent_again_is_no_keepalive() -> None:
    story = opened()
    story.client.send(1)
    story.wait(250)
    story.client.send(1, seq=1)
    assert labels(story)[-1] == ["retransmission"]
