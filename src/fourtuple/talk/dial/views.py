"""A conversation as a Timeline: this side's calls, the kernel's states, and its frames if allowed.

Frames are those of the connections that were tried, and the ICMP errors that quote them. Where a
call failed, its own port is known no more: what was sent to and came from that address and port
meanwhile is taken for it.
"""

from fourtuple.event.model import Endpoint
from fourtuple.event.timeline import Timeline
from fourtuple.explain.model import Message
from fourtuple.system.sniffer import Sniffer
from fourtuple.talk.dial.conversation import Conversation
from fourtuple.talk.packets import addresses_of_rest, ends_of, is_of_protocol
from fourtuple.talk.views import LOCAL, NO_FRAMES, timeline_of
from fourtuple.wire import Packet

__all__ = ["conversation_timeline"]


def conversation_timeline(conversation: Conversation, seen: Sniffer | None) -> Timeline:
    """What happened. `seen` None: frames could not be recorded."""
    wanted = _Wanted(conversation)
    url = conversation.wish.url
    missing = Message(LOCAL if url.kind.transport == "unix" else NO_FRAMES)
    return timeline_of(conversation.journal, seen, wanted.has, str(url), missing)


class _Wanted:
    """Which packets are the conversation's."""

    def __init__(self, conversation: Conversation) -> None:
        self._ends = {frozenset(ends) for ends in conversation.journal.ends}
        tried = {
            Endpoint(str(address[0]).partition("%")[0], int(address[1]))
            for _, address in conversation.connecting.tried
            if isinstance(address, tuple)
        }
        known = {remote for _, remote in conversation.journal.ends}
        self._places = tried - known
        url = conversation.wish.url
        self._raw = url.port if url.kind.transport == "raw" else None
        self._addresses = {place.address for place in tried}

    def has(self, packet: Packet) -> bool:
        if self._raw is not None and is_of_protocol(packet, self._raw, self._addresses):
            return True
        if rest := addresses_of_rest(packet):
            return any(rest == {end.address for end in ends} for ends in self._ends)
        ends = set(ends_of(packet))
        return frozenset(ends) in self._ends or bool(self._places & ends)
