"""The sentences of the handshake. Where calls were recorded, they say what the programs did."""

from fourtuple.analyze.evidence import end_of
from fourtuple.analyze.hosts import host_of
from fourtuple.event.model import Call
from fourtuple.explain.about import About
from fourtuple.explain.model import Message
from fourtuple.wire import ACK, SYN

__all__ = ["opening", "third_step"]


def opening(about: About) -> list[Message]:
    """A SYN that is new."""
    crossed = about.connection.handshake == "simultaneous"
    if about.flags & ACK and crossed:
        return [about.says("{Sender} confirms the SYN that crossed its own: {sum}.")]
    if about.flags & ACK:
        return [_second_step(about), *_offer(about)]
    if crossed and any(s.flags & SYN for s in about.earlier(from_sender=False)):
        asks = about.says(
            "{Sender} asks at the same time as {receiver} (simultaneous open): its numbers begin "
            "at {raw}, shown as 0."
        )
    else:
        asks = about.says(
            "The first step: {sender} asks for a connection. Its numbers begin at {raw}, shown as "
            "0."
        )
    return [asks, *_offer(about)]


def _second_step(about: About) -> Message:
    if about.ack is None or not about.ack.holds:
        return about.says("The second step: {sender} agrees with ack {ack}.")
    return about.says(
        "The second step: {sender} agrees and confirms the number of {receiver}: {sum}. Its own "
        "numbers begin at {raw}, shown as 0."
    )


def _offer(about: About) -> list[Message]:
    """What the options of a SYN promise."""
    mss = about.connection.mss[0 if about.segment.from_client else 1]
    if mss is None:
        return []
    return [about.says("It takes at most {mss} bytes of data in a segment (MSS).", mss=mss)]


def third_step(about: About) -> Message:
    """The ACK that makes the connection; what the server's program has to do with it."""
    early = about.connection.handshake == "fast-open"  # the program had the connection before
    if about.peer_state != "ESTABLISHED" or not about.segment.from_client or early:
        return about.says("The third step: {sender} confirms the number of {receiver}: {sum}.")
    if _declined(about):
        return about.says(
            "The third step: {sender} confirms the number of {receiver}: {sum}. {Receiver}'s "
            "kernel does not take it: its socket table does not say ESTABLISHED after it."
        )
    if _accepted(about):
        return about.says(
            "The third step: {sender} confirms the number of {receiver}: {sum}. {Sender}'s kernel "
            "sends it by itself, and a connect() that waits returns; {receiver}'s program was "
            "waiting in accept()."
        )
    if _listener_watched(about):
        return about.says(
            "The third step: {sender} confirms the number of {receiver}: {sum}. {Sender}'s kernel "
            "sends it by itself, and a connect() that waits returns; {receiver}'s kernel is done "
            "too, although nobody has called accept()."
        )
    return about.says(
        "The third step: {sender} confirms the number of {receiver}: {sum}. Both kernels do this "
        "by themselves, whether or not {receiver}'s program has called accept()."
    )


def _declined(about: About) -> bool:
    """Whether the server's table shows that its kernel dropped the ACK: for want of room in the
    accept queue, or because its program wants to see data first (TCP_DEFER_ACCEPT)."""
    end = end_of(about.timeline, about.connection, client=False)
    if not end.rows or not about.segment.arrived:
        return False
    taken = [snapshot for snapshot, row in end.rows if row.state != "SYN_RECV"]
    if not taken:
        return True
    return taken[0].frame != about.segment.frame and taken[0].t_ns > about.segment.left_ns


def _accepted(about: About) -> bool:
    """Whether the server's program had called accept() by then."""
    end = end_of(about.timeline, about.connection, client=False)
    return end.called(("accept",), about.segment.left_ns) is not None


def _listener_watched(about: About) -> bool:
    """Whether the recording has the calls of the server's program: then none is a call not made."""
    host = host_of(about.timeline, about.connection.server.address)
    calls = about.timeline.of(Call) if host else []
    return any(call.host == host and call.name == "listen" for call in calls)
