"""Connections left to chance: two ends that say anything, for properties and for tshark beside us.

Nothing here is what a kernel would do; numbers may repeat, run ahead, and acknowledge themselves.
"""

import random

from hypothesis import strategies as st

from fourtuple.event.model import Verdict
from fourtuple.wire import Sack, Timestamps, WindowScale
from story import Party, Story, closed

__all__ = ["chatter", "nonsense"]


def chatter(seed: int, *, gaps: bool, port: int = 40000) -> Story:
    """A capture of a connection; with `gaps` some segments are missing, else some come again."""
    chance = random.Random(seed)
    story = Story(complete=False, scale=chance.choice([None, 7]), ports=(port, 8888))
    client, server = story.client, story.server
    _open(story, chance)
    for _ in range(chance.randint(0, 25)):
        speaker = chance.choice([client, server])
        _say(story, speaker, chance, gaps)
    _close(story, chance)
    return story


def _open(story: Story, chance: random.Random) -> None:
    client, server = story.client, story.server
    client.syn()
    if chance.random() < 0.2:
        story.wait(1000)
        client.syn(seq=0)
    server.syn_ack()
    if chance.random() < 0.2:
        story.wait(1000)
        server.syn_ack(seq=0)
    client.ack()


def _say(story: Story, speaker: Party, chance: random.Random, gaps: bool) -> None:
    usual = ["data", "data", "ack", "ack", "acks", "window", "keepalive", "wait"]
    what = chance.choice(usual + (["missing", "ahead"] if gaps else ["again"]))
    if what == "data":
        speaker.send(chance.choice([2, 14, 100, 1460]))
    elif what == "ack":
        speaker.ack()
    elif what == "acks":
        for _ in range(3):
            speaker.ack()
    elif what == "again" and speaker.next > 14:
        speaker.send(14, seq=speaker.next - chance.choice([14, min(100, speaker.next - 1)]))
    elif what == "window":
        speaker.window = chance.choice([0, 100, 64240])
        speaker.ack()
    elif what == "keepalive":
        speaker.ack(seq=speaker.next - 1)
    elif what == "wait":
        story.wait(chance.choice([5, 30, 300]))
    elif what == "missing":
        story.captured = False
        speaker.send(200)
        story.captured = True
    elif what == "ahead":
        speaker.send(100, seq=speaker.next + 100)


def _close(story: Story, chance: random.Random) -> None:
    client, server = story.client, story.server
    how = chance.choice(["four", "three", "reset", "abort", "open"])
    if how == "four":
        closed(story)
    elif how == "three":
        client.fin()
        server.fin()
        client.ack()
    elif how == "reset":
        server.rst()
    elif how == "abort":
        client.rst_ack()


#: what one end may say, however senseless: any flags, numbers near and far, any fate on the wire
utterances = st.fixed_dictionaries(
    {
        "flags": st.integers(0, 511),
        "data": st.sampled_from([b"", b"x", b"y" * 100]),
        "raw_seq": st.sampled_from([0, 1, 2, 100, 2**31, 2**32 - 1]),
        "raw_ack": st.sampled_from([0, 1, 2, 100, 2**31, 2**32 - 1]),
        "window": st.sampled_from([0, 1, 65535]),
        "verdict": st.sampled_from([None, *range(len(Verdict.NAMES))]),
        "late_ms": st.sampled_from([-5, 0, 5, 5000]),
        "options": st.sampled_from(
            [(), (WindowScale(14),), (Sack(((0, 5), (2**32 - 1, 3))),), (Timestamps(1, 2),)]
        ),
    }
)


@st.composite
def nonsense(draw: st.DrawFn) -> Story:
    """A story that makes no sense at all, with tables and calls in between."""
    story = Story(complete=draw(st.booleans()))
    for _ in range(draw(st.integers(0, 12))):
        speaker = draw(st.sampled_from([story.client, story.server]))
        speaker.say(**draw(utterances))
        state = draw(st.sampled_from(["ESTABLISHED", "CLOSE_WAIT", "nonsense", None]))
        if state:
            speaker.table(speaker.row(state, recv_q=1), settled=draw(st.booleans()))
            speaker.calls(draw(st.sampled_from(["close", "send", "accept"])), size=5000)
    return story
