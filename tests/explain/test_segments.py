"""One sentence for each segment: what people read beside the picture."""

import pytest
from hypothesis import given, settings

from analyze.chance import nonsense
from explain.tales import TALES
from fourtuple.analyze import connections
from fourtuple.explain.catalog import findings
from fourtuple.explain.model import Message
from fourtuple.explain.segments import headline, sentence
from fourtuple.explain.text import Translator
from story import Story, exchange, refused, unread


def told(story: Story, language: str = "en") -> list[str]:
    """The sentences of all segments."""
    timeline, translator = story.timeline(), Translator(language)
    return [
        translator.text(sentence(connection, segment, timeline))
        for connection in connections(timeline)
        for segment in connection.segments
    ]


def test_the_exchange_is_told_step_by_step():
    assert told(exchange(complete=False)) == [
        (
            "The first step: the client asks for a connection. Its numbers begin at 19806455, "
            "shown as 0. It takes at most 1460 bytes of data in a segment (MSS)."
        ),
        (
            "The second step: the server agrees and confirms the number of the client: ack 1 = 0 "
            "+ 1 (SYN counts one). Its own numbers begin at 4294967000, shown as 0. It takes at "
            "most 1460 bytes of data in a segment (MSS)."
        ),
        (
            "The third step: the client confirms the number of the server: ack 1 = 0 + 1 (SYN "
            "counts one). Both kernels do this by themselves, whether or not the server's program "
            "has called accept()."
        ),
        "Bytes 1 to 14 of the client: 14 bytes, so its next number is 15 = 1 + 14.",
        "ack 15 = 1 + 14: every byte up to 14 has arrived; 15 is expected next.",
        "Bytes 1 to 14 of the server: 14 bytes, so its next number is 15 = 1 + 14.",
        "ack 15 = 1 + 14: every byte up to 14 has arrived; 15 is expected next.",
        (
            "The client has no more to send: its FIN takes number 15, as a byte would. The server "
            "may still send; whether the client's program still reads (after shutdown) or not "
            "(after close), the frames do not tell."
        ),
        (
            "ack 16 = 15 + 1 (FIN counts one): the FIN of the client has arrived, and everything "
            "before it."
        ),
        (
            "The server closes its direction too: its FIN takes number 15. It waits for the last "
            "acknowledgment."
        ),
        (
            "ack 16 = 15 + 1 (FIN counts one). The client was first to close, so the client waits: "
            "TIME_WAIT, 60 s on Linux."
        ),
    ]


def test_the_same_in_chinese():
    first, *_, last = told(exchange(), "zh")
    assert first.startswith("第一次握手：客户端请求建立连接。")
    assert last == (
        "ack 16 = 15 + 1（FIN 占一个序号）。客户端先关闭，所以由客户端进入 TIME_WAIT，"
        "在 Linux 上持续 60 秒。"
    )


def test_ipv4_and_ipv6_are_told_alike():
    assert told(exchange(4)) == told(exchange(6))


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", TALES)
def test_every_segment_has_a_sentence_with_all_fields_filled_in(name, language):
    for text in told(TALES[name](), language):
        assert text
        assert "{" not in text
        assert "None" not in text


@pytest.mark.parametrize(
    ("name", "frame", "words"),
    [
        ("established-before-accept", 3, "although nobody has called accept()"),
        (" accept", 3, "the server's program was waiting in accept()"),
        ("simultaneous-open", 2, "The server asks at the same time as the client"),
        ("simultaneous-open", 3, "The client confirms the SYN that crossed its own: ack 1 = 0 + 1"),
        ("fast-open", 1, "Bytes 1 to 5 of the client: 5 bytes, so its next number is 6 = 1 + 5."),
        ("handshake-incomplete", 2, "The client asks once more: frame 1 had no answer in time."),
        ("packet-too-big", 5, "bytes 1 to 1200 once more, cut anew: the ICMP message of frame 5"),
        (" late SYN", 8, "most likely a copy that was late on its way"),
        ("handshake-incomplete", 2, "The wire dropped it: the server never sees it."),
        ("syn-ack-unanswered", 3, "The server sends frame 2 once more"),
        ("spurious-retransmission", 7, "although the server has acknowledged it"),
        ("retransmission", 5, "The client sends frame 4 once more"),
        (" fast", 11, "the repeated acknowledgments tell it that number 1 is missing"),
        ("reordering", 5, "It comes late: number 1 belongs before what has come already."),
        (" full", 5, "They fill the window of the server to the last byte."),
        ("capture-gap", 4, "Numbers 1 to 100 were not seen."),
        ("capture-gap", 5, "ack 201 covers numbers that were not seen."),
        ("zero-window", 5, "Window 0: the server can take no more, and the client must wait."),
        ("zero-window", 6, "A probe: the server's window is 0"),
        ("zero-window", 9, "The answer to the probe: the server expects number 101."),
        ("zero-window", 10, "from 101 on, the server can take 64000 bytes"),
        ("keepalive-probes", 6, "A keepalive probe: the client repeats number 100"),
        ("keepalive-probes", 7, "The answer to the probe: the server expects number 101."),
        (
            " window",
            7,
            "The answer to the probe: the server expects number 101, and can take 65536 bytes from",
        ),
        (" urgent", 4, "URG is set: the urgent pointer tells where urgent data ends"),
        (
            " shutdown",
            4,
            "shutdown(SHUT_WR) and can still read: the other direction stays open.",
        ),
        (
            " close",
            4,
            "can read no more: the server may still send, but data is answered with RST.",
        ),
        ("wrong-acknowledgment", 5, "ack 61 is wrong"),
        ("three-segment-close", 5, "It confirms the FIN of the client as well: ack 2 = 1 + 1"),
        ("simultaneous-close", 6, "the FIN of the server has arrived"),
        ("half-closed", 6, "ack 12 = 1 + 10 + 1 (FIN counts one)"),
        ("likely-closed-with-unread-data", 5, "most likely because its program closed"),
        ("data-after-close", 7, "nobody can read it any more"),
        ("no-such-connection", 3, "as a kernel without a socket"),
        ("reset-for-invalid-ack", 3, "What came as an answer does not fit the client's SYN"),
        ("forged-reset", 4, "No host sent this segment: the wire made it, in the name of"),
        ("reset-unexplained", 4, "the frames do not tell why"),
        (" verdicts", 4, "The wire still held it when the run ended."),
        (" verdicts", 6, "The wire delivered it more than once."),
        (" verdicts", 7, "The wire delivered it with other bytes."),
    ],
)
def test_what_a_segment_does_is_said(name, frame, words):
    assert words in told(TALES[name]())[frame - 1]


def test_simultaneous_closers_are_not_said_to_have_been_first():
    assert not any("was first to close" in text for text in told(TALES["simultaneous-close"]()))


def test_a_refusal_names_the_port_and_what_connect_returns():
    (_, refusal) = told(refused())
    assert "port 8888" in refusal
    assert "ECONNREFUSED" in refusal


def test_proven_and_probable_are_told_apart():
    assert "closed the socket with bytes in its own receive buffer" in told(unread())[-1]
    assert "most likely" not in told(unread())[-1]


def test_a_connection_has_one_line():
    def line(story: Story) -> str:
        timeline = story.timeline()
        return Translator("en").text(headline(connections(timeline)[0]))

    assert line(exchange()) == (
        "10.77.0.1:40000 → 10.77.0.2:8888: three-way handshake, 14 bytes there, 14 back, closed "
        "with four segments"
    )
    assert line(refused()) == "10.77.0.1:40000 → 10.77.0.2:8888: refused"
    assert line(TALES[" datagrams"]()) == (
        "10.77.0.1:40000 → 10.77.0.2:53: 30 bytes of UDP there, 0 back"
    )


@given(nonsense())
@settings(deadline=None)
def test_senseless_segments_have_a_sentence_too(story: Story):
    timeline = story.timeline()
    found = connections(timeline)
    parts = [
        Message(text, finding.params)
        for finding in findings(timeline, found)
        for text in (finding.rule.what, finding.rule.why, finding.rule.remedy)
    ]
    parts += [sentence(one, segment, timeline) for one in found for segment in one.segments]
    parts += [headline(one) for one in found]
    for part in parts:
        assert "{" not in Translator("zh").text(part)


def test_a_third_segment_that_the_server_s_kernel_did_not_take_is_told_so():
    """The accept queue was full: the table says SYN_RECV until data came."""
    story = Story()
    server = story.server
    story.client.syn()
    server.syn_ack()
    last_ack = story.client.ack()
    story.wait(2)
    server.table(server.row("SYN_RECV"), cause="delivered", frame=last_ack)
    data = story.client.send(9)
    story.wait(2)
    server.table(server.row("ESTABLISHED", inode=0), cause="delivered", frame=data)
    third = told(story)[2]
    assert third.endswith(
        "The server's kernel does not take it: its socket table does not say ESTABLISHED after it."
    )


def test_who_closes_first_does_not_close_too_however_late_the_fin_arrives():
    story = Story()
    story.client.syn()
    story.server.syn_ack()
    story.client.ack()
    fin = story.server.fin(late_ms=5)
    story.client.send(10)
    story.server.rst(seq=1)
    assert told(story)[fin - 1].startswith("The server has no more to send: its FIN takes number 1")
