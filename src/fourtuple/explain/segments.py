"""One sentence, or a few, for each segment.

`sentence` says what the segment does in the connection's life, with its arithmetic in words. Rules:
its role in handshake, close or reset comes first, then data, then what it acknowledges, then what
the wire did to it; nothing is said that the facts do not hold.
"""

from collections.abc import Mapping
from types import MappingProxyType

from fourtuple.analyze.evidence import end_of
from fourtuple.analyze.model import Arithmetic, Connection, SegmentFact
from fourtuple.event.timeline import Timeline
from fourtuple.explain import resets
from fourtuple.explain.about import About
from fourtuple.explain.again import again
from fourtuple.explain.fate import fate
from fourtuple.explain.headlines import headline
from fourtuple.explain.model import Message
from fourtuple.explain.opening import opening, third_step
from fourtuple.explain.phrases import join
from fourtuple.explain.selective import sack_blocks, selective
from fourtuple.explain.text import N_
from fourtuple.wire import FIN, RST, SYN, URG

__all__ = ["headline", "sentence"]


def sentence(connection: Connection, segment: SegmentFact, timeline: Timeline) -> Message:
    """What this segment does. `timeline` is where the programs' calls are looked up."""
    about = About(connection, segment, timeline)
    return join([*_role(about), *_urgent(about), *fate(about)])


def _role(about: About) -> list[Message]:
    if about.segment.verdict == "injected":
        return [about.says("No host sent this segment: the wire made it, in the name of {sender}.")]
    if about.flags & RST:
        return [resets.told(about)]
    if about.segment.stray:
        return [about.says(_STRAY[about.flags & FIN])]
    if about.flags & SYN:
        answers = about.ack is not None  # crossing SYNs are answered with the same number again
        repeated = about.repeats and not answers
        return [again(about)] if repeated else [*opening(about), *_fresh(about)]
    if "keep_alive" in about.notes and "resent" not in about.notes:
        return [_probe(about)]
    if "handshake_ack" in about.notes and not about.repeats:
        return [third_step(about), *_data(about), *_fin(about)]
    told = [*_acknowledgment(about), *selective(about), *_window(about)]
    return [*_data(about), *_fin(about), *told]


#: a segment without SYN, ACK and RST: without FIN, and with it
_STRAY: Mapping[int, str] = MappingProxyType(
    {
        0: N_(
            "{Sender} sends a segment that has neither SYN, ACK, RST nor FIN: no connection has "
            "such a segment. NULL scans send it to see whether the port answers."
        ),
        FIN: N_(
            "{Sender} sends a FIN without ACK: no connection has such a segment. FIN and XMAS "
            "scans send it to see whether the port answers."
        ),
    }
)


def _probe(about: About) -> Message:
    if "probe" in about.notes:
        return about.says(
            "A probe: {receiver}'s window is 0, so {sender} repeats an old number to make it "
            "answer with its window of now."
        )
    return about.says(
        "A keepalive probe: {sender} repeats number {seq}, which {receiver} has acknowledged, to "
        "make it answer."
    )


def _data(about: About) -> list[Message]:
    return [again(about)] if about.repeats else _fresh(about)


def _fresh(about: About) -> list[Message]:
    """Data that was not sent before."""
    length = about.segment.length
    if not length:
        return []
    if length == 1:
        sent = about.says("Byte {first} of {sender}, alone in its segment.")
    else:
        sent = about.says(
            "Bytes {first} to {last} of {sender}: {length} bytes, so its next number is {next} = "
            "{first} + {length}.",
            next=about.segment.seq + bool(about.flags & SYN) + length,
        )
    full = [about.says("They fill the window of {receiver} to the last byte.")]
    return [sent, *full * ("window_full" in about.notes)]


def _fin(about: About) -> list[Message]:
    if not about.flags & FIN or about.repeats:
        return []
    number = about.segment.next_seq - 1
    first = about.connection.first_closer == ("client" if about.segment.from_client else "server")
    if about.own_state in ("LAST_ACK", "CLOSED") and not first:
        return [
            about.says(
                "{Sender} closes its direction too: its FIN takes number {number}. It waits for "
                "the last acknowledgment.",
                number=number,
            )
        ]
    return [
        about.says(
            "{Sender} has no more to send: its FIN takes number {number}, as a byte would.",
            number=number,
        ),
        _other_direction(about),
    ]


def _other_direction(about: About) -> Message:
    """What becomes of the data that the peer may still send: close() and shutdown() differ."""
    end = end_of(about.timeline, about.connection, about.segment.from_client)
    call = end.called(("close", "shutdown"), about.segment.t_ns)
    if call is None:
        return about.says(
            "{Receiver} may still send; whether {sender}'s program still reads (after shutdown) or "
            "not (after close), the frames do not tell."
        )
    if call.args == ("SHUT_WR",):
        return about.says(
            "Its program called shutdown(SHUT_WR) and can still read: the other direction stays "
            "open."
        )
    # Linux: net/ipv4/tcp_input.c, tcp_rcv_state_process, TCPABORTONDATA
    return about.says(
        "Its program called {call} and can read no more: {receiver} may still send, but data is "
        "answered with RST.",
        call=f"{call.name}({', '.join(map(str, call.args))})",
    )


def _acknowledgment(about: About) -> list[Message]:
    """What the ACK says, where it says something new or is all that the segment is for."""
    if about.segment.ack is None:
        return []
    if "wrong_ack" in about.notes:
        heard = next(about.earlier(from_sender=False), None) or next(about.earlier(True), None)
        if heard is None:
            return [
                about.says(
                    "{Sender} acknowledges what nobody has sent: there is no connection. An ACK "
                    "scan sends that to see whether a firewall lets it through."
                )
            ]
        return [about.says("ack {ack} is wrong: not all of that has reached {sender}.")]
    if about.ack is not None:
        return [_confirmed(about, about.ack)] if about.ack.holds else []
    bare = not about.segment.length and not about.flags & FIN
    return [_repeated(about)] if bare else []


def _confirmed(about: About, sum_: Arithmetic) -> Message:
    """A new acknowledgment that adds up."""
    if not sum_.fin:
        return about.says(
            "{sum}: every byte up to {before} has arrived; {ack} is expected next.",
            before=sum_.total - 1,
        )
    if about.flags & FIN:
        return about.says("It confirms the FIN of {receiver} as well: {sum}.")
    if about.own_state == "TIME_WAIT" and about.connection.close != "simultaneous":
        return about.says(
            "{sum}. {Sender} was first to close, so {sender} waits: TIME_WAIT, 60 s on Linux."
        )
    return about.says("{sum}: the FIN of {receiver} has arrived, and everything before it.")


def _repeated(about: About) -> Message:
    """An acknowledgment without news."""
    notes = about.notes
    answers = bool({"keepalive_answer", "probe_answer"}.intersection(notes))
    if answers and "window_update" in notes:
        return about.says(
            "The answer to the probe: {sender} expects number {ack}, and can take {window} bytes "
            "from there."
        )
    if answers:
        return about.says("The answer to the probe: {sender} expects number {ack}.")
    if "window_update" in notes and sack_blocks(about.segment):
        return about.says(
            "ack {ack} once more, with another window: from {ack} on, {sender} can take {window} "
            "bytes."
        )
    if "window_update" in notes:
        return about.says("A new window: from {ack} on, {sender} can take {window} bytes.")
    if "duplicate_ack" in notes:
        return about.says("ack {ack} once more: {sender} still expects number {ack}.")
    return about.says("{Sender} expects number {ack} next.")


def _window(about: About) -> list[Message]:
    closed = about.says("Window 0: {sender} can take no more, and {receiver} must wait.")
    return [closed] * ("zero_window" in about.notes)


def _urgent(about: About) -> list[Message]:
    if not about.flags & URG or about.flags & RST:
        return []
    return [
        about.says(
            "URG is set: the urgent pointer tells where urgent data ends, here or in a later "
            "segment. Linux keeps the last byte of it apart: recv(MSG_OOB) fetches it, other reads "
            "leave it out unless SO_OOBINLINE is set."
        )
    ]
