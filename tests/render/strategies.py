"""Stories that nobody would write: any segments in any order, any fate, any name of a call."""

from typing import Any

from hypothesis import strategies as st

from fourtuple.event.timeline import Timeline
from fourtuple.wire import ACK, FIN, PSH, RST, SYN
from story import Party, Story

__all__ = ["stories"]

NASTY = st.text(max_size=30) | st.sampled_from(
    ["\x1b[2Jgone", "中文程序的名字很长很长", "a\nb\tc", "\ud800", "e\u0301\u0301", "👩‍👩‍👧"]
)
FLAGS = st.sampled_from([SYN, SYN | ACK, ACK, PSH | ACK, FIN | ACK, RST, RST | ACK, 0, 0x1FF])
FATES = st.sampled_from([{}, {}, {}, {"lost": True}, {"late_ms": 7.5}, {"verdict": 3},
                         {"verdict": 5}, {"verdict": 6}, {"verdict": 7}])  # fmt: skip


@st.composite
def stories(draw: Any) -> Timeline:
    """A timeline of up to a dozen moments."""
    story = Story(draw(st.sampled_from([4, 6])), complete=draw(st.booleans()))
    for _ in range(draw(st.integers(0, 12))):
        party = draw(st.sampled_from([story.client, story.server]))
        draw(st.sampled_from([_segment, _segment, _call, _table, _note, _pause]))(
            draw, story, party
        )
    lab = {"experiment": draw(NASTY), "question": draw(NASTY)} if draw(st.booleans()) else {}
    return story.timeline(**lab)


def _segment(draw: Any, story: Story, party: Party) -> None:
    numbers = {
        "seq": draw(st.none() | st.integers(0, 2**31)),
        "window": draw(st.integers(0, 65535)),
    }
    party.say(draw(FLAGS), data=b"x" * draw(st.integers(0, 3000)), **numbers, **draw(FATES))


def _call(draw: Any, story: Story, party: Party) -> None:
    party.calls(
        draw(st.sampled_from(["connect", "send", "recv", "accept", "close"]) | NASTY),
        *draw(st.lists(NASTY | st.integers(), max_size=2)),
        took_ms=draw(st.none() | st.floats(-1, 30)),
        result=draw(st.none() | st.integers() | NASTY),
        errno=draw(st.none() | st.just("ECONNREFUSED")),
        size=draw(st.none() | st.integers(0, 5000)),
        local=party.endpoint,
        remote=party.peer.endpoint,
    )


def _table(draw: Any, story: Story, party: Party) -> None:
    state = draw(st.sampled_from(["ESTABLISHED", "CLOSE_WAIT", "FIN_WAIT1"]))
    row = party.row(state, recv_q=draw(st.integers(0, 99)), inode=draw(st.sampled_from([0, 22])))
    party.table(row, party.listener(queued=1))


def _note(draw: Any, story: Story, party: Party) -> None:
    kind = draw(st.sampled_from(["text", "clock", "check", "claim", "failure", "other"]))
    words = st.dictionaries(
        st.sampled_from(["what", "claim", "because", "verdict", "step_ns", "ok", "values"]),
        NASTY | st.integers() | st.booleans(),
    )
    story.note(kind, message=draw(NASTY), params=draw(words), frames=(draw(st.integers(0, 20)),))


def _pause(draw: Any, story: Story, party: Party) -> None:
    story.wait(draw(st.floats(0, 5000)))
