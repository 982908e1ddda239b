"""The kernel's own word for an RST, where its trace was recorded (include/net/rstreason.h).

Rules: a word belongs to the RST that its host sent next, on the same four-tuple; each is used once.
A listener's names no peer (its destination is 0.0.0.0:0): it belongs to the RST nearest in time
that left that port and has no word of its own. Some words name one cause, which is certain then;
others leave several, of which what the frames say must be one.
"""

from collections.abc import Mapping
from types import MappingProxyType

from fourtuple.analyze.hosts import plain
from fourtuple.analyze.model import Connection, SegmentFact
from fourtuple.event.model import Endpoint, Told
from fourtuple.event.timeline import Timeline

__all__ = ["Words", "judged"]

_Index = tuple[dict[tuple[Endpoint, Endpoint], list[Told]], dict[int, list[Told]]]

_ANYWHERE = ("0.0.0.0", "::")
#: the word comes before its RST is sent, and a busy machine may take its time; its stamp and that
#: of the frame come from two clocks
_BEFORE_NS, _CLOCKS_NS = 50_000_000, 1_000_000

#: the causes that a word leaves; where the frames say none of them, the first one is meant
_CAUSES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "TCP_ABORT_ON_CLOSE": ("unread-data",),
        "TCP_ABORT_ON_DATA": ("data-after-close",),
        "TCP_DISCONNECT_WITH_DATA": ("disconnected",),
        "TCP_INVALID_ACK_SEQUENCE": ("invalid-ack",),
        "TCP_KEEPALIVE_TIMEOUT": ("keepalive-timeout", "user-timeout"),
    }
)
#: words that leave several causes, none of which is the usual one: they make a cause certain that
#: the frames could not tell from the doing of others, such as a firewall's
_CONFIRMED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"NO_SOCKET": ("port-closed", "no-such-connection"), "INVALID_SYN": ("backlog-overflow",)}
)
#: tcp_disconnect(): SO_LINGER with time 0, a listener that was closed, connect() to AF_UNSPEC
_STATE, _BY_STATE = "TCP_STATE", ("linger-zero", "listener-closed", "disconnected")


class Words:
    """The words for the RSTs of a connection."""

    def __init__(self, connection: Connection, timeline: Timeline) -> None:
        told, unaddressed = _index(timeline)
        ends = (connection.client, connection.server)
        self._ends = tuple(map(plain, ends))
        self._unaddressed = {end.port: list(unaddressed.get(end.port, ())) for end in ends}
        self._left = {
            True: list(told.get(ends, ())),
            False: list(told.get((ends[1], ends[0]), ())),
        }

    def of(self, rst: SegmentFact) -> str | None:
        """The word for this RST; None where there is none."""
        left = self._left[rst.from_client]
        for told in left:
            if -_CLOCKS_NS <= rst.t_ns - told.t_ns <= _BEFORE_NS:
                left.remove(told)
                return told.reason or None
        return self._listener_s(rst)

    def _listener_s(self, rst: SegmentFact) -> str | None:
        sender = self._ends[0 if rst.from_client else 1]
        left = self._unaddressed[sender.port]
        near = [
            told
            for told in left
            if told.local.address in (sender.address, *_ANYWHERE)
            and -_CLOCKS_NS <= rst.t_ns - told.t_ns <= _BEFORE_NS
        ]
        if not near:
            return None
        told = min(near, key=lambda one: abs(rst.t_ns - one.t_ns))
        left.remove(told)
        return told.reason or None


def _index(timeline: Timeline) -> _Index:
    """What was told of RSTs, by who sent them and to whom; and, by their sender's port, those that
    name no receiver. Made once a timeline."""
    if "reset words" not in timeline.memo:
        found: dict[tuple[Endpoint, Endpoint], list[Told]] = {}
        unaddressed: dict[int, list[Told]] = {}
        for told in timeline.of(Told):
            if told.what == "reset-sent" and told.remote is not None:
                found.setdefault((plain(told.local), plain(told.remote)), []).append(told)
            elif told.what == "reset-sent":
                unaddressed.setdefault(told.local.port, []).append(told)
        timeline.memo["reset words"] = found, unaddressed
    index: _Index = timeline.memo["reset words"]
    return index


def judged(word: str | None, cause: str, confidence: str) -> tuple[str, str]:
    """Cause and confidence, with the kernel's word beside what the frames say."""
    if word is None:
        return cause, confidence
    if word in _CAUSES:
        left = _CAUSES[word]
        return (cause if cause in left else left[0]), "certain"
    if cause in _CONFIRMED.get(word, ()):
        return cause, "certain"
    if word == _STATE and cause not in _BY_STATE:
        return _BY_STATE[0], "likely"
    return cause, confidence
