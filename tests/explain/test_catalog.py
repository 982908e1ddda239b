"""Every rule of the catalog is met by a story, told whole in both languages, and by no other."""

import pytest

from explain.tales import TALES, both_waiting
from explain.test_overview import looked_at
from fourtuple.analyze import connections
from fourtuple.event.model import Endpoint
from fourtuple.explain.catalog import RULES, findings
from fourtuple.explain.model import Finding, Message
from fourtuple.explain.text import Translator
from fourtuple.lab.experiment import all_experiments
from story import Story, closed, exchange, opened


def found(story: Story) -> tuple[Finding, ...]:
    timeline = story.timeline()
    return findings(timeline, connections(timeline))


def codes(story: Story) -> set[str]:
    return {finding.code for finding in found(story)}


@pytest.mark.parametrize("code", RULES)
def test_each_rule_is_met_by_its_story(code):
    story = TALES[code]()
    (finding, *_) = [finding for finding in found(story) if finding.code == code]
    assert finding.severity in ("chat", "note", "warning", "error")
    assert finding.frames
    assert set(finding.frames) <= set(range(1, len(story.timeline().frames) + 1))


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", TALES)
def test_each_finding_is_told_whole(name, language):
    translator = Translator(language)
    for finding in found(TALES[name]()):
        rule = finding.rule
        for text in (rule.title, rule.what, rule.why, rule.remedy):
            told = translator.text(Message(text, finding.params))
            assert told
            assert "{" not in told
        assert rule.reference


def test_a_usual_connection_is_told_of_and_warned_of_nothing():
    assert codes(exchange()) == {"time-wait-at-client"}
    assert codes(opened()) == set()
    assert codes(closed(opened(complete=False))) == {"time-wait-at-client"}


def test_syns_that_cross_are_not_said_to_be_sent_again():
    assert codes(TALES["simultaneous-open"]()) == {"simultaneous-open"}


def test_findings_come_connection_by_connection_and_by_first_frame():
    story = TALES["ports-reused"]()
    order = [(finding.connection, finding.frames[0]) for finding in found(story)]
    assert order == sorted(order)
    assert {connection for connection, _ in order} == {0, 1}


def test_codes_are_stable_words():
    assert all(code == rule.code for code, rule in RULES.items())
    assert all(code.replace("-", "").isalnum() and code.islower() for code in RULES)


def test_every_experiment_that_a_rule_refers_to_exists():
    names = [
        part.split()[-1]
        for rule in RULES.values()
        for part in rule.reference.split("; ")
        if part.startswith("lab run ")
    ]
    assert names
    assert set(names) <= set(all_experiments())


def test_a_lost_segment_is_no_retransmission_and_a_needless_one_no_loss():
    lost = {f.code: f for f in found(TALES["segment-lost"]())}
    assert lost["segment-lost"].frames == (4,)
    assert lost["retransmission"].frames == (5,)
    assert lost["spurious-retransmission"].frames == (7,)


def test_a_lone_byte_sent_again_is_no_keepalive():
    assert "keepalive-probes" not in codes(TALES["retransmission"]())
    assert "retransmission" not in codes(TALES["keepalive-probes"]())


def test_a_probe_of_a_closed_window_is_no_keepalive():
    assert "keepalive-probes" not in codes(TALES["zero-window"]())


def test_a_send_is_matched_to_the_segments_that_carry_its_bytes():
    (finding,) = [f for f in found(TALES["segmented-send"]()) if f.code == "segmented-send"]
    assert finding.frames == (4, 5, 6)
    assert finding.params["lengths"] == [1460, 1460, 30]


def test_what_waited_before_accept_is_counted():
    (finding,) = found(TALES["established-before-accept"]())
    told = Translator("en").text(Message(finding.rule.what, finding.params))
    assert told.endswith("and 14 bytes waited in its receive buffer.")


def texts(name: str, code: str) -> str:
    """What a story's finding of this code says, all of it, in English."""
    (finding,) = [f for f in found(TALES[name]()) if f.code == code]
    rule, translator = finding.rule, Translator("en")
    parts = (rule.what, rule.why, rule.remedy)
    return " ".join(translator.text(Message(part, finding.params)) for part in parts)


def test_a_connection_that_accept_was_waiting_for_was_not_there_before_accept():
    assert "established-before-accept" not in codes(TALES[" accept"]())


def test_a_refusal_after_silence_tells_of_the_silence():
    told = texts("syn-repeated", "connection-refused")
    assert "(frames 3-4)" in told
    assert "2 earlier SYNs had no answer (frames 1-2)" in told
    assert "No SYN that arrived before" in texts("connection-refused", "connection-refused")
    # what never arrived could not be answered
    assert "No SYN that arrived before" in texts(" lost SYN", "connection-refused")


def test_a_syn_sent_again_is_no_matter_of_link_errors_alone():
    for name in ("syn-repeated", "syn-ack-repeated"):
        assert "accept queue" in texts(name, name)
        assert "retransmission" not in codes(TALES[name]())
    assert "3 times before" in texts("syn-repeated", "syn-repeated")
    # nobody answered at all: that is said once
    assert "syn-repeated" not in codes(TALES["handshake-incomplete"]())
    assert "syn-ack-repeated" not in codes(TALES["syn-ack-unanswered"]())


def test_both_time_waits_say_that_both_sockets_need_so_reuseaddr():
    for code, name in (
        ("time-wait-at-client", "time-wait-at-client"),
        ("time-wait-at-server", "time-wait-at-server"),
    ):
        assert "SO_REUSEADDR, which the first one must have set too" in texts(name, code)


def test_an_unexplained_reset_names_what_may_have_caused_it_and_the_command_that_tells():
    silent = texts("reset-unexplained", "reset-unexplained")
    assert "SO_LINGER with time 0" in silent
    assert "listener closed with this connection in its queue" in silent
    assert "close() with data unread" not in silent  # none had come
    assert "echo 1 > /sys/kernel/tracing/events/tcp/tcp_send_reset/enable" in silent
    assert "Linux 6.10" in silent
    assert "close() with data unread" in texts(" abandoned", "reset-unexplained")
    assert "SO_LINGER" not in texts(" gone", "reset-unexplained")


def test_what_timestamps_are_for_is_not_exaggerated():
    told = texts("timestamps-take-12-bytes", "timestamps-take-12-bytes")
    assert "helps to measure round trips, and is needed to tell old segments from new" in told


def test_where_the_data_of_a_syn_may_come_twice_is_cited_by_its_section():
    # RFC 7413: 2.1 relaxes the semantics, 6.1 is "Duplicate Data in SYNs"
    assert RULES["fast-open"].reference == "RFC 7413, sections 2.1, 3 and 6.1"


def test_the_place_beyond_the_backlog_is_explained():
    told = texts("established-before-accept", "established-before-accept")
    assert "Linux lets one more wait than the backlog says" in told


def test_a_quick_acknowledgment_was_not_delayed():
    assert "delayed-ack" not in codes(TALES["retransmission"]())
    late = opened(complete=False)
    late.client.send(100)
    late.wait(40)
    late.server.ack()
    assert "delayed-ack" not in codes(late)  # a capture may be far from the receiver


def test_what_waited_behind_a_gap_was_not_acknowledged_late():
    story = opened()
    story.client.send(100, lost=True)
    story.client.send(100)
    story.wait(40)
    story.client.send(100, seq=1)
    story.server.ack()
    assert "delayed-ack" not in codes(story)


def test_what_the_wire_carried_of_an_offloaded_segment_is_told():
    # the document's 2934 bytes, which its author saw as one segment
    assert "cut to 1460 bytes each, the largest goes as 1460, 1460, 14" in texts(
        "larger-than-mss", "larger-than-mss"
    )


def test_a_handshake_is_slow_only_if_nothing_was_repeated():
    assert "slow-handshake" not in codes(TALES["syn-repeated"]())
    quick = opened(complete=False)
    assert "slow-handshake" not in codes(quick)


def test_a_syn_ack_that_crossed_the_third_step_was_not_repeated_for_being_unheard():
    story = Story(complete=False)
    story.client.syn()
    story.wait(200)
    story.server.syn_ack()
    story.client.ack()
    story.server.syn_ack(seq=0)  # the timer had run out on the way
    assert "accept-queue-suspected" not in codes(story)


def test_a_large_segment_that_gets_through_at_last_fell_into_no_black_hole():
    story = TALES["mtu-black-hole-suspected"]()
    story.server.ack()
    assert "mtu-black-hole-suspected" not in codes(story)


def test_where_small_segments_vanish_as_well_no_size_is_to_blame():
    story = opened(complete=False)
    story.client.send(1460)
    story.server.ack()
    for wait_ms in (0, 200, 400, 800):
        story.wait(wait_ms)
        story.client.send(1460, seq=1461)
    assert "mtu-black-hole-suspected" not in codes(story)


def test_a_short_pause_of_the_receiver_is_no_standstill():
    story = opened()
    story.client.send(1000)
    story.server.ack(window=0)
    story.wait(50)
    story.server.ack(window=500)
    assert "receiver-stalled" not in codes(story)


def test_in_a_capture_an_acknowledgment_is_delayed_if_the_way_is_short():
    held = "nagle-meets-delayed-ack"
    assert held in codes(both_waiting(complete=False))
    assert held in codes(both_waiting(way_ms=5, complete=False))
    assert held not in codes(both_waiting(way_ms=40, complete=False))
    timeline = both_waiting(way_ms=5, complete=False).timeline()
    (detail,) = looked_at(timeline).undecided()  # columns do not tell: a second look does
    again = findings(detail.timeline, tuple(detail.connections.values()))
    assert [one.params for one in again if one.code == held] == [
        {**one.params} for one in findings(timeline, connections(timeline)) if one.code == held
    ]


def test_an_icmp_error_is_tied_to_the_life_whose_number_it_quotes():
    story = opened()
    story.client.send(10)
    story.reborn()
    story.client.syn()
    story.unreachable(story.client, 5)
    assert [f.connection for f in found(story) if f.code == "icmp-unreachable"] == [1]


def test_nobody_need_answer_what_was_sent_to_many():
    for address in ("239.1.2.3", "255.255.255.255", "10.77.0.255"):
        story = Story(ports=(40000, 1900))
        story.server.endpoint = Endpoint(address, 1900)
        story.datagram(story.client, 9)
        assert codes(story) == set()


def test_a_segment_for_nobody_is_half_open_only_if_its_receiver_took_part():
    assert "half-open" not in codes(TALES["no-such-connection"]())
    after_close = TALES["data-after-close"]()
    assert "half-open" not in codes(after_close)


def test_a_request_that_had_seen_the_close_crossed_nothing():
    assert "request-crossed-close" not in codes(TALES["data-after-close"]())


def test_likely_is_said_where_nothing_proves_it():
    (likely,) = [f for f in found(TALES[" elsewhere"]()) if f.code == "forged-reset"]
    assert "most likely" in Translator("en").text(Message(likely.rule.what, likely.params))
    assert likely.rule.title == "Probably a forged RST"
    (certain,) = [f for f in found(TALES["forged-reset"]()) if f.code == "forged-reset"]
    assert "most likely" not in Translator("en").text(Message(certain.rule.what, certain.params))


def test_what_can_be_likely_has_a_title_that_says_so():
    for rule in RULES.values():
        assert bool(rule.likely) == bool(rule.likely_title)
        assert rule.likely != rule.what
