"""A story for every rule of the catalog and more: what the texts are tried on."""

from collections.abc import Callable
from typing import Any

from fourtuple.event.model import Endpoint, Verdict
from fourtuple.wire import ACK, FIN, URG, MaximumSegmentSize, Sack, Timestamps
from story import CLIENT_ISN, Story, closed, exchange, opened, refused, unread

__all__ = ["TALES", "both_waiting"]

Tale = Callable[[], Story]

CLIENT, SERVER = Endpoint("10.77.0.1", 40000), Endpoint("10.77.0.2", 8888)


def _opened_with_unanswered_syn() -> Story:
    story = Story()
    story.client.syn(lost=True)
    story.client.syn(seq=0, lost=True)
    return story


def _asked_twice() -> Story:
    story = Story()
    story.client.syn()
    story.wait(1000)
    story.client.syn(seq=0)
    story.wait(1000)
    story.client.syn(seq=0)
    story.server.rst_ack(raw_seq=0)
    return story


def _asked_twice_on_a_bad_wire() -> Story:
    story = Story()
    story.client.syn(lost=True)
    story.wait(1000)
    story.client.syn(seq=0)
    story.server.rst_ack(raw_seq=0)
    return story


def _asked_long_after() -> Story:
    story = closed(opened(complete=False))
    story.wait(100)
    story.client.syn(seq=0)
    return story


def _agreed_twice() -> Story:
    story = Story()
    story.client.syn()
    story.server.syn_ack()
    story.client.ack()
    story.wait(1000)
    story.server.syn_ack(seq=0)
    story.client.ack()
    return story


def _confirmation_missing() -> Story:
    story = Story()
    story.client.syn()
    story.server.syn_ack()
    story.server.syn_ack(seq=0)
    return story


def _late_capture() -> Story:
    story = Story(complete=False)
    for party in (story.client, story.server):
        party.next = party.expects = 100
    story.client.send(5)
    story.server.ack()
    return story


def _probed() -> Story:
    story = Story()
    story.client.say(FIN)
    return story


def _crossed() -> Story:
    story = Story()
    story.client.syn(late_ms=5)
    story.server.syn(late_ms=5)
    story.wait(10)
    story.client.syn_ack(seq=0)
    story.server.syn_ack(seq=0)
    return story


def _fast_open() -> Story:
    story = Story()
    story.client.syn(data=b"GET /")
    story.server.syn_ack()
    story.client.ack()
    return story


def _reused() -> Story:
    story = exchange()
    story.reborn()
    story.client.syn()
    story.server.syn_ack()
    return story


def _segmented() -> Story:
    story = opened()
    story.client.calls("send", "2950 bytes", result=2950, size=2950)
    for size in (1460, 1460, 30):
        story.client.send(size)
    story.server.ack()
    story.client.table(story.client.row("ESTABLISHED"))
    return story


def _with_timestamps() -> Story:
    story = Story()
    story.greeting = (MaximumSegmentSize(1460), Timestamps(1, 0))
    stamps = (Timestamps(2, 1),)
    story.client.syn()
    story.server.syn_ack()
    story.client.ack(options=stamps)
    story.client.send(1448, options=stamps)
    return story


def _offloaded() -> Story:
    story = opened(complete=False)
    story.client.send(2934)
    return story


def _wrong_acknowledgment() -> Story:
    story = opened()
    story.client.send(10)
    story.server.ack(ack=61)
    return story


def _skipped() -> Story:
    story = opened()
    story.client.send(10, seq=101)
    return story


def _lost_and_repeated() -> Story:
    story = opened()
    story.client.send(100, lost=True)
    story.wait(200)
    story.client.send(100, seq=1)
    story.server.ack()
    story.wait(200)
    story.client.send(100, seq=1)
    story.server.ack()
    return story


def _corrupted() -> Story:
    story = opened()
    story.client.send(100, verdict=Verdict.CORRUPTED, lost=True)
    return story


def _lone_byte_repeated() -> Story:
    story = opened()
    story.client.send(1, lost=True)
    story.wait(200)
    story.client.send(1, seq=1)
    return story


def _fast_retransmission() -> Story:
    story = opened(complete=False)
    story.client.send(100, lost=True)
    for _ in range(3):
        story.client.send(100)
        story.server.ack(ack=1)
    story.client.send(100, seq=1)
    return story


def _overtaken() -> Story:
    story = opened(complete=False)
    story.client.send(100, seq=101)
    story.client.send(100, seq=1)
    return story


def _captured_twice() -> Story:
    story = opened(complete=False)
    story.client.send(100)
    story.wait(-0.98)
    story.client.send(100, seq=1)
    return story


def _received_twice() -> Story:
    story = opened(complete=False)
    story.client.send(100)
    story.server.ack()
    story.wait(300)
    story.client.send(100, seq=1)
    story.server.ack(options=(Sack(((CLIENT_ISN + 1, CLIENT_ISN + 101),)),))
    return story


def _gap() -> Story:
    story = opened(complete=False)
    story.captured = False
    story.client.send(100)
    story.captured = True
    story.client.send(100)
    story.server.ack()
    return story


def _closed_window() -> Story:
    story = opened(complete=False)
    story.client.send(100)
    story.server.ack(window=0)
    story.client.ack(seq=100)
    story.server.ack(window=0)
    story.client.send(1)
    story.server.ack(window=0, ack=101)
    story.server.ack(window=500, ack=101)
    return story


def _full_window() -> Story:
    story = opened(scale=None)
    story.server.ack(window=300)
    story.client.send(300)
    return story


def _keepalive() -> Story:
    story = opened()
    story.client.send(100)
    story.server.ack()
    story.wait(60_000)
    story.client.ack(seq=100)
    story.server.ack()
    return story


def _keepalive_with_another_window() -> Story:
    story = opened()
    story.client.send(100)
    story.server.ack(window=511)
    story.wait(60_000)
    story.client.ack(seq=100)
    story.server.ack(window=512)
    return story


def _urgent() -> Story:
    story = opened()
    story.client.say(URG | ACK, data=b"!")
    return story


def _shut_down() -> Story:
    story = opened()
    story.client.calls("shutdown", "SHUT_WR", local=CLIENT, remote=SERVER)
    story.client.fin()
    return story


def _closed_by_call() -> Story:
    story = opened()
    story.client.calls("close", local=CLIENT, remote=SERVER)
    story.client.fin()
    return story


def _abandoned() -> Story:
    story = opened(complete=False)
    story.client.send(10)
    story.server.send(10)
    story.client.rst_ack()
    return story


def _gone() -> Story:
    story = opened(complete=False)
    story.server.rst(seq=1)
    return story


def _delayed() -> Story:
    story = opened()
    story.client.send(100)
    story.wait(40)
    story.server.ack()
    return story


def _given_up() -> Story:
    story = opened()
    story.client.table(story.client.row("ESTABLISHED"))
    story.client.send(10, lost=True)
    story.client.calls("recv", 100, errno="ETIMEDOUT")
    return story


def _server_first() -> Story:
    story = opened()
    story.server.fin()
    story.client.ack()
    story.client.fin()
    story.server.ack()
    return story


def _both_first() -> Story:
    story = opened()
    story.client.fin(late_ms=5)
    story.server.fin(ack=1, late_ms=5)
    story.wait(10)
    story.client.ack()
    story.server.ack()
    return story


def _three_segments() -> Story:
    story = opened()
    story.client.fin()
    story.server.fin()
    story.client.ack()
    return story


def _half_closed() -> Story:
    story = opened()
    story.client.send(10)
    story.client.fin()
    story.server.ack()
    return story


def _likely_unread() -> Story:
    story = opened(complete=False)
    story.client.send(100)
    story.server.rst_ack()
    return story


def _after_close() -> Story:
    story = opened()
    story.client.fin()
    story.server.ack()
    story.server.send(50)
    story.client.rst(seq=2)
    return story


def _scanned() -> Story:
    story = Story(complete=False)
    story.client.syn()
    story.server.syn_ack()
    story.client.rst()
    return story


def _invalid() -> Story:
    story = Story()
    story.client.syn()
    story.server.syn_ack(ack=777)
    story.client.rst(seq=777)
    return story


def _forged() -> Story:
    story = opened()
    story.server.rst(seq=1, verdict=Verdict.INJECTED)
    return story


def _answered_late() -> Story:
    """A SYN of another connection reached the server: the client's TIME_WAIT answers for it."""
    story = Story()
    story.greeting = (MaximumSegmentSize(1460), Timestamps(1, 0))
    story.client.syn()
    story.server.syn_ack()
    for speak, stamp in (
        (story.client.ack, 2),
        (story.client.fin, 3),
        (story.server.ack, 4),
        (story.server.fin, 5),
        (story.client.ack, 6),
        (story.client.ack, 900),
    ):
        speak(options=(Timestamps(stamp, 1),))
    story.server.rst(seq=2)
    return story


def _on_purpose() -> Story:
    story = opened(complete=False)
    story.client.rst_ack()
    return story


def _overflown() -> Story:
    story = Story()
    story.client.syn()
    story.server.syn_ack()
    story.server.table(story.server.listener(queued=3, limit=2))
    story.client.ack()
    story.server.rst(seq=1)
    return story


def _with_its_listener() -> Story:
    story = opened()
    story.server.table(story.server.listener(1), story.server.row("ESTABLISHED", inode=0))
    story.server.rst_ack()
    story.wait(1)
    story.server.table()
    return story


def _gave_up(*setting: str | int) -> Story:
    story = opened(complete=bool(setting))
    story.client.table(story.client.row("ESTABLISHED"))
    if setting:
        story.client.calls("setsockopt", *setting, result=0)
    story.client.send(10)
    story.server.ack()
    for _ in range(3):
        story.wait(1000)
        story.client.ack(seq=10)
    story.wait(1000)
    story.client.rst_ack()
    return story


def _user_timeout() -> Story:
    return _gave_up("IPPROTO_TCP", "TCP_USER_TIMEOUT", 2000)


def _destroyed() -> Story:
    story = opened()
    story.client.table(story.client.row("ESTABLISHED"))
    story.client.calls("send", 5, result=5)
    story.client.rst_ack()
    story.client.calls("recv", 100, errno="ECONNABORTED")
    return story


def _disconnected() -> Story:
    story = opened()
    story.client.table(story.client.row("ESTABLISHED"))
    story.client.calls("connect", "AF_UNSPEC", result=0)
    story.client.rst_ack()
    return story


def _rejected() -> Story:
    story = Story()
    story.server.table(story.server.listener())
    story.client.syn()
    story.server.rst_ack(raw_seq=0)
    return story


def _from_elsewhere() -> Story:
    story = opened(complete=False)
    story.client.send(10)
    story.server.send(10)
    story.server.rst_ack(hops=40)
    return story


def _slowly_opened() -> Story:
    story = Story()
    story.client.syn()
    story.wait(450)
    story.server.syn_ack()
    story.client.ack()
    return story


def _unheard() -> Story:
    story = opened(complete=False)
    story.wait(1000)
    story.server.syn_ack(seq=0)
    story.client.ack()
    return story


def _reused_too_soon() -> Story:
    story = exchange()
    story.reborn()
    story.client.syn()
    story.wait(1000)
    story.client.syn(seq=0)
    story.server.syn_ack()
    return story


def _half_open() -> Story:
    story = opened(complete=False)
    story.client.send(10)
    story.server.send(10)
    story.wait(60_000)
    story.server.send(10)
    story.client.rst(seq=11)
    return story


def _crossing() -> Story:
    story = opened()
    story.server.fin(late_ms=3)
    story.client.send(30, ack=1)
    story.server.rst(seq=1)
    return story


def _stalled() -> Story:
    story = opened()
    story.client.send(1000)
    story.server.ack(window=0)
    story.wait(700)
    story.server.ack(window=500)
    return story


def both_waiting(way_ms: float = 0, **how: Any) -> Story:
    """Where the ACKs of a capture are `way_ms` later than the answering kernel sends them."""
    story = Story(**how)
    story.client.syn()
    story.wait(way_ms)
    story.server.syn_ack()
    story.client.ack()
    for _ in range(2):
        story.client.send(20)
        story.wait(40 + way_ms)
        story.server.ack()
        story.client.send(30)
        story.server.send(10)
    return story


def _too_large() -> Story:
    story = opened(complete=False)
    story.client.send(100)
    story.server.ack()
    for wait_ms in (0, 200, 400, 800):
        story.wait(wait_ms)
        story.client.send(1460, seq=101)
    return story


def _unreachable() -> Story:
    story = Story(ports=(40000, 53))
    story.datagram(story.client, 30)
    story.unreachable(story.client, 1)
    return story


def _narrow_way() -> Story:
    story = opened()
    story.client.send(1400, lost=True)
    story.too_big(story.client, 4, 1300)
    story.client.send(1200, seq=1)
    story.client.send(200, seq=1201)
    story.server.ack()
    return story


def _without_reason() -> Story:
    story = opened(complete=False)
    story.server.rst_ack()
    return story


def _accepted_late() -> Story:
    story = Story()
    story.server.calls("listen", 5, inode=99)
    story.client.syn()
    story.server.syn_ack()
    story.client.ack()
    story.server.table(story.server.row("ESTABLISHED", inode=0), story.server.listener(1))
    story.client.send(14)
    story.server.ack()
    story.server.table(story.server.row("ESTABLISHED", inode=0, recv_q=14))
    story.server.calls("accept", inode=99, new_inode=22)
    story.server.table(story.server.row("ESTABLISHED", recv_q=14), story.server.listener())
    return story


def _accept_waiting() -> Story:
    story = Story()
    story.server.calls("listen", 5, inode=99)
    story.server.calls("accept", inode=99, new_inode=22, took_ms=20)
    story.client.syn()
    story.server.syn_ack()
    story.client.ack()
    story.server.table(story.server.row("ESTABLISHED", inode=0), story.server.listener(1))
    story.server.table(story.server.row("ESTABLISHED"), story.server.listener())
    return story


def _ill_treated() -> Story:
    story = opened()
    for verdict in (Verdict.HELD, Verdict.DELAYED, Verdict.DUPLICATED, Verdict.REWRITTEN):
        story.client.send(10, verdict=verdict)
    return story


def _datagrams() -> Story:
    story = Story(ports=(40000, 53))
    story.datagram(story.client, 30)
    return story


#: the rules that each story meets, among others
TALES: dict[str, Tale] = {
    "connection-refused": refused,
    "handshake-incomplete": _opened_with_unanswered_syn,
    "syn-ack-unanswered": _confirmation_missing,
    "syn-repeated": _asked_twice,
    "syn-ack-repeated": _agreed_twice,
    "capture-starts-late": _late_capture,
    "segment-of-no-connection": _probed,
    "simultaneous-open": _crossed,
    "fast-open": _fast_open,
    "ports-reused": _reused,
    "established-before-accept": _accepted_late,
    "segmented-send": _segmented,
    "timestamps-take-12-bytes": _with_timestamps,
    "larger-than-mss": _offloaded,
    "wrong-acknowledgment": _wrong_acknowledgment,
    "wrong-sequence-number": _skipped,
    "segment-lost": _lost_and_repeated,
    "segment-corrupted": _corrupted,
    "retransmission": _lone_byte_repeated,
    "spurious-retransmission": _lost_and_repeated,
    "reordering": _overtaken,
    "captured-twice": _captured_twice,
    "received-twice": _received_twice,
    "capture-gap": _gap,
    "zero-window": _closed_window,
    "keepalive-probes": _keepalive,
    "delayed-ack": _delayed,
    "timed-out": _given_up,
    "time-wait-at-client": exchange,
    "time-wait-at-server": _server_first,
    "simultaneous-close": _both_first,
    "three-segment-close": _three_segments,
    "half-closed": _half_closed,
    "closed-with-unread-data": unread,
    "likely-closed-with-unread-data": _likely_unread,
    "data-after-close": _after_close,
    "no-such-connection": _scanned,
    "reset-for-invalid-ack": _invalid,
    "time-wait-answered": _answered_late,
    "broken-off-on-purpose": _on_purpose,
    "accept-queue-overflow": _overflown,
    "listener-closed": _with_its_listener,
    "keepalive-gave-up": _gave_up,
    "user-timeout-gave-up": _user_timeout,
    "connection-destroyed": _destroyed,
    "disconnected": _disconnected,
    "rejected-by-firewall": _rejected,
    "forged-reset": _forged,
    "reset-unexplained": _without_reason,
    "slow-handshake": _slowly_opened,
    "accept-queue-suspected": _unheard,
    "port-reused-too-soon": _reused_too_soon,
    "half-open": _half_open,
    "request-crossed-close": _crossing,
    "receiver-stalled": _stalled,
    "nagle-meets-delayed-ack": both_waiting,
    "mtu-black-hole-suspected": _too_large,
    "icmp-unreachable": _unreachable,
    "packet-too-big": _narrow_way,
    "udp-unanswered": _datagrams,
    # stories that meet no rule of their own
    " late SYN": _asked_long_after,
    "": lambda: closed(opened()),
    " fast": _fast_retransmission,
    " full": _full_window,
    " accept": _accept_waiting,
    " lost SYN": _asked_twice_on_a_bad_wire,
    " window": _keepalive_with_another_window,
    " urgent": _urgent,
    " shutdown": _shut_down,
    " close": _closed_by_call,
    " abandoned": _abandoned,
    " elsewhere": _from_elsewhere,
    " gone": _gone,
    " verdicts": _ill_treated,
    " datagrams": _datagrams,
}
