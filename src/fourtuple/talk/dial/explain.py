"""What happened, in sentences, each with what it rests on: frames where they were recorded, else
the results of the calls. Pure: from a conversation that is over and its Timeline.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from fourtuple.event.model import Endpoint, State
from fourtuple.event.timeline import FrameSeen, Segment, Timeline
from fourtuple.explain.model import Message
from fourtuple.explain.phrases import frames_text
from fourtuple.explain.text import N_
from fourtuple.render.numbers import duration
from fourtuple.talk.dial.connecting import Step
from fourtuple.talk.dial.conversation import Conversation
from fourtuple.talk.dial.trouble import (
    FORBIDDEN_WHY,
    REFUSED_WHY,
    SILENT_WHY,
    UNREACHABLE_WHY,
    Trouble,
)
from fourtuple.wire import IcmpView
from fourtuple.wire.flags import ACK, FIN, RST, SYN

__all__ = ["explanation", "step_lines"]

FOUND = N_("{host} is {addresses}: looking that up took {time}.")
CONNECTED = N_("Connected to {address} after {time}: {how}.")
BY_CALL = N_("connect() returned 0, so the handshake was done")
BY_FRAMES = N_("SYN, SYN ACK and ACK are {frames}")
NOTED = N_(
    "UDP has no handshake: connect() only had the kernel note {address}. Nothing was sent by that."
)
RAW_NOTED = N_("Raw IP has no handshake and no ports: connect() only noted {address}.")
FILE_CONNECTED = N_("Connected to {address} after {time}: within this machine, without TCP.")
RST_SEEN = N_(
    "The kernel of {address} answered the SYN with RST ({frames}), as it does when no socket"
    " listens on the port; a firewall may do it in its name."
)
ICMP_SEEN = N_(
    "{offender} answered the SYN with ICMP ({frames}), not with RST: that is a firewall's word, and"
    " says nothing about who listens on the port."
)
ICMP_NO_WAY = N_(
    "{offender} answered the SYN with ICMP type {type}, code {code} ({frames}): a router's word, or"
    " a firewall's, that there is no way there."
)
SYN_ONCE = N_(
    "The SYN was sent ({frames}), and neither SYN ACK nor RST nor ICMP came back: no such host is"
    " there, or a firewall drops the segments in silence."
)
SYN_AGAIN = N_(
    "The SYN was sent {count} times ({frames}), and neither SYN ACK nor RST nor ICMP came back: no"
    " such host is there, or a firewall drops the segments in silence."
)
SO_OFTEN = N_("That was so {count} times, one after another.")
SENT = N_("Sent {sent} with {sends}; received {received} with {receives}.")
SEGMENTS = N_("Bytes in each segment with data: sent {sent}; received {received}.")
NONE_OF_THEM = N_("none")
THEIRS_FIRST = N_("The other side ended first: its FIN is {frames}.")
OURS_FIRST = N_("This side ended first: its FIN is {frames}.")
THEIRS_HEARD = N_('The other side said that it would send no more: recv() returned b"".')
LAST_STATE = N_("This side's socket is now {state}.")
TIME_WAIT = N_(
    "This side's socket is now TIME_WAIT, for 60 s: it ended first, and waits for segments that may"
    " still be under way."
)
UDP_SILENT = N_(
    "No answer came and no ICMP error. UDP cannot know more: the datagrams may have been lost,"
    " dropped by a firewall, or read by a program that does not answer."
)
ANSWERED = N_("{count} came back: the only proof that any had arrived.")
NO_FRAMES = N_("Frames could not be recorded (CAP_NET_RAW): this rests on the calls alone.")

#: type and code with which only a firewall answers a SYN: port unreachable (a host's own TCP sends
#: RST), and what is prohibited by administration (RFC 1812, section 5.2.7.1; RFC 4443, section 3.1)
_FIREWALLS_ICMP = frozenset(((3, 3), (3, 9), (3, 10), (3, 13)))
_FIREWALLS_ICMP6 = frozenset(((1, 4), (1, 1)))
#: at most so many lengths are told one by one
_MOST_LENGTHS = 8

STEP_NAMES = {
    "look-up": N_("name look-up"),
    "connect": N_("connect"),
    "tls": N_("TLS handshake"),
    "first-byte": N_("request, first byte"),
    "body": N_("page"),
    "close": N_("close"),
}


def step_lines(conversation: Conversation) -> list[tuple[Message | str, str, str, Message | str]]:
    """Name, when it began, how long it took, and what there is to say, for each step (row B4)."""
    steps = conversation.steps
    start_ns = steps[0].begin_ns if steps else 0
    return [
        (
            STEP_NAMES.get(step.name, step.name),
            duration(step.begin_ns - start_ns),
            duration(step.end_ns - step.begin_ns),
            _detail(step),
        )
        for step in steps
    ]


def _detail(step: Step) -> Message | str:
    if step.name == "body":
        return _bytes(int(str(step.detail)))
    return step.detail


def explanation(conversation: Conversation, timeline: Timeline) -> list[Message]:
    """The sentences, in order of what they tell."""
    return list(_Explainer(conversation, timeline).sentences())


@dataclass(frozen=True, slots=True)
class _Explainer:
    conversation: Conversation
    timeline: Timeline

    def sentences(self) -> Iterator[Message]:
        link = self.conversation.link
        failed = len(self.conversation.connecting.tried) - (link is not None)
        yield from self._look_up()
        yield from self._troubles(self.conversation.troubles[:failed])
        yield from self._connection()
        yield from self._troubles(self.conversation.troubles[failed:])
        if link is not None and not link.is_stream:
            yield from self._datagrams()
        elif link is not None:
            yield from self._traffic()
            yield from self._end()
        framed = self.timeline.meta["views"]["frames"] == "captured"
        if not framed and self.conversation.wish.url.kind.transport != "unix":
            yield Message(NO_FRAMES)

    def _step(self, name: str) -> Step | None:
        return next((step for step in self.conversation.steps if step.name == name), None)

    def _look_up(self) -> Iterator[Message]:
        step, host = self._step("look-up"), self.conversation.wish.url.host
        if step is not None and host.partition("%")[0] != step.detail:
            took = duration(step.end_ns - step.begin_ns)
            yield Message(FOUND, {"host": host, "addresses": step.detail, "time": took})

    def _connection(self) -> Iterator[Message]:
        step, transport = self._step("connect"), self.conversation.wish.url.kind.transport
        if step is None:
            return
        took = duration(step.end_ns - step.begin_ns)
        place = step.detail if transport == "raw" else self.conversation.peer
        about = {"address": place, "time": took}
        if transport == "tcp":
            yield Message(CONNECTED, {**about, "how": self._handshake()})
        else:
            words = {"udp": NOTED, "raw": RAW_NOTED}.get(transport, FILE_CONNECTED)
            yield Message(words, about)

    def _handshake(self) -> Message:
        opening = [one for one in self._segments() if one.tcp.has(SYN)]
        if len(opening) < 2:
            return Message(BY_CALL)
        ends = self._ends(opening[0])
        third = [s for s in self._segments() if self._ends(s) == ends and not s.tcp.has(SYN)][:1]
        numbers = [opening[0].number, *(s.number for s in opening[1:]), *(s.number for s in third)]
        return Message(BY_FRAMES, {"frames": frames_text(numbers)})

    def _segments(self) -> list[Segment]:
        found = (self.timeline.frame(n) for n in range(1, len(self.timeline.frames) + 1))
        return [one for one in found if isinstance(one, Segment)]

    def _icmp_errors(self) -> list[FrameSeen]:
        found = (self.timeline.frame(n) for n in range(1, len(self.timeline.frames) + 1))
        return [one for one in found if one.packet.quoted is not None]

    @staticmethod
    def _ends(segment: Segment) -> tuple[str, int]:
        assert segment.packet.ip is not None
        return str(segment.packet.ip.source), segment.tcp.source_port

    def _troubles(self, troubles: list[Trouble]) -> Iterator[Message]:
        """Each with its reason; the same one several times (--retries) is told once."""
        for trouble, same in groupby(troubles):
            count = len(list(same))
            yield trouble.what
            if count > 1:
                yield Message(SO_OFTEN, {"count": count})
            if trouble.why is not None:
                yield self._better(trouble.why)

    def _better(self, why: Message) -> Message:
        """The reason as the frames tell it, where they do."""
        address = why.params.get("address", "")
        if why.text == REFUSED_WHY:
            resets = [s for s in self._segments() if s.tcp.has(RST) and self._ends(s)[0] == address]
            if errors := self._icmp_errors():
                return self._by_icmp(errors)
            if resets:
                about = {"frames": frames_text([s.number for s in resets]), "address": address}
                return Message(RST_SEEN, about)
        by_others = why.text in (UNREACHABLE_WHY, FORBIDDEN_WHY)
        if by_others and (errors := self._icmp_errors()):
            return self._by_icmp(errors)
        if why.text == SILENT_WHY:
            tried = [s for s in self._segments() if s.tcp.has(SYN) and not s.tcp.has(ACK)]
            answered = len(self._segments()) > len(tried)
            if tried and not answered:
                numbers = [s.number for s in tried]
                about = {"frames": frames_text(numbers), "count": len(tried)}
                return Message(SYN_ONCE if len(tried) == 1 else SYN_AGAIN, about)
        return why

    @staticmethod
    def _by_icmp(errors: list[FrameSeen]) -> Message:
        """Who answered a SYN with ICMP, and whose word that is."""
        first = errors[0].packet
        view = first.icmp
        assert first.ip is not None and view is not None
        known = _FIREWALLS_ICMP if isinstance(view, IcmpView) else _FIREWALLS_ICMP6
        firewall = (view.type, view.code) in known
        about = {
            "frames": frames_text([frame.number for frame in errors]),
            "offender": str(first.ip.source),
            "type": view.type,
            "code": view.code,
        }
        return Message(ICMP_SEEN if firewall else ICMP_NO_WAY, about)

    def _datagrams(self) -> Iterator[Message]:
        link = self.conversation.link
        assert link is not None
        if link.receives:
            count = Message(
                "{count} datagram", {"count": link.receives}, "{count} datagrams", link.receives
            )
            yield Message(ANSWERED, {"count": count})
        elif link.sends and not self.conversation.troubles:
            yield Message(UDP_SILENT)

    def _traffic(self) -> Iterator[Message]:
        link = self.conversation.link
        assert link is not None
        about = {
            "sent": _bytes(link.sent_bytes),
            "sends": _calls("send()", link.sends),
            "received": _bytes(link.received_bytes),
            "receives": _calls("recv()", link.receives),
        }
        yield Message(SENT, about)
        ours = set(self.conversation.journal.ends)
        out = [s for s in self._segments() if s.packet.payload and self._is_ours(s, ours)]
        back = [s for s in self._segments() if s.packet.payload and not self._is_ours(s, ours)]
        if out or back:
            yield Message(SEGMENTS, {"sent": _lengths(out), "received": _lengths(back)})

    def _is_ours(self, segment: Segment, ours: set[tuple[Endpoint, Endpoint]]) -> bool:
        assert segment.packet.ip is not None
        source = Endpoint(*self._ends(segment))
        to = Endpoint(str(segment.packet.ip.destination), segment.tcp.destination_port)
        return (source, to) in ours

    def _end(self) -> Iterator[Message]:
        ours = set(self.conversation.journal.ends)
        ends = [s for s in self._segments() if s.tcp.has(FIN)]
        if ends:
            words = OURS_FIRST if self._is_ours(ends[0], ours) else THEIRS_FIRST
            yield Message(words, {"frames": frames_text([ends[0].number])})
        elif self.conversation.ended_by == "server":
            yield Message(THEIRS_HEARD)
        own = [s for s in self.timeline.of(State) if (s.local, s.remote) in ours]
        if own:
            state = own[-1].new
            yield Message(TIME_WAIT if state == "TIME_WAIT" else LAST_STATE, {"state": state})


def _bytes(count: int) -> Message:
    return Message("{count} byte", {"count": count}, "{count} bytes", count)


def _calls(name: str, count: int) -> Message:
    about = {"count": count, "name": name}
    return Message("{count} call of {name}", about, "{count} calls of {name}", count)


def _lengths(segments: list[Segment]) -> Message | str:
    if not segments:
        return Message(NONE_OF_THEM)
    lengths = [str(len(segment.packet.payload)) for segment in segments]
    shown = ", ".join(lengths[:_MOST_LENGTHS])
    return shown if len(lengths) <= _MOST_LENGTHS else f"{shown}, ... ({len(lengths)})"
