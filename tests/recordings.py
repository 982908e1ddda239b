"""Timelines to be recorded: `sample` tells a short story, `timelines` makes any."""

from typing import Any

from hypothesis import strategies as st

from fourtuple.event.frames import FrameTableBuilder, Vantage
from fourtuple.event.model import (
    Call,
    Endpoint,
    Event,
    Note,
    Snapshot,
    SocketRow,
    State,
    Verdict,
)
from fourtuple.event.timeline import Timeline

__all__ = ["FRAME", "sample", "timelines"]

FRAME = bytes.fromhex("020000000002 020000000001 0800") + bytes(46)

CLIENT, SERVER = Endpoint("10.77.0.1", 40000), Endpoint("10.77.0.2", 8888)


def sample() -> Timeline:
    """Three frames seen from two places, and an event of each kind around them."""
    frames = FrameTableBuilder()
    frames.add(FRAME, 2_000, left_ns=2_100, verdict=Verdict.DELIVERED)
    frames.add(FRAME[:40], 3_000, original=1500, left_ns=0, vantage=1, verdict=Verdict.DROPPED)
    frames.add(FRAME[:33], 4_000, left_ns=9_000, verdict=Verdict.DELAYED)
    row = SocketRow("tcp", CLIENT, SERVER, "SYN_SENT", 0, 1, 77, 5, 1000, "retransmit", 200)
    events: tuple[Event, ...] = (
        Call(t_ns=1_000, end_ns=None, host="client", program="p", pid=7, thread=8, name="connect"),
        State(
            t_ns=2_000,
            host="client",
            local=CLIENT,
            remote=SERVER,
            old="CLOSED",
            new="SYN_SENT",
            source="sock_diag",
            frame=1,
        ),
        Snapshot(
            t_ns=2_100, end_ns=2_150, host="server", cause="delivered", frame=3, sockets=(row,)
        ),
        Note(t_ns=9_500, kind="check", params={"what": "lengths", "ok": True}, frames=(1, 3)),
    )
    meta = {"experiment": "sample", "kernel": "Linux 6.18", "hosts": {"client": ["10.77.0.1"]}}
    vantages = (Vantage("client"), Vantage("wire", 1, "as it left", 1500))
    return Timeline(vantages, frames.table(), events, meta, 1_700_000_000_000_000_000, True)


clocks = st.integers(-(2**62), 2**62)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
names = words.map(lambda text: text.rstrip("\0"))
numbers = st.integers(0, 40)

values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | clocks | words | st.floats(allow_nan=False) | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
endpoints = st.builds(Endpoint, words, st.integers(0, 65535))
rows = st.builds(
    SocketRow,
    *(words, endpoints, endpoints, words),
    *(numbers, numbers, numbers, numbers, numbers),
)
events = st.one_of(
    st.builds(
        Call,
        t_ns=clocks,
        end_ns=st.none() | clocks,
        host=words,
        program=words,
        pid=numbers,
        thread=numbers,
        name=words,
        args=st.lists(words | numbers, max_size=3).map(tuple),
        result=st.none() | words | numbers,
        data=st.binary(max_size=20),
        local=st.none() | endpoints,
    ),
    st.builds(
        State,
        t_ns=clocks,
        host=words,
        local=endpoints,
        remote=endpoints,
        old=words,
        new=words,
        source=words,
        frame=numbers,
    ),
    st.builds(
        Snapshot,
        t_ns=clocks,
        end_ns=clocks,
        host=words,
        cause=words,
        frame=numbers,
        sockets=st.lists(rows, max_size=2).map(tuple),
    ),
    st.builds(
        Note,
        t_ns=clocks,
        kind=words,
        message=words,
        params=st.dictionaries(words, values, max_size=3),
        frames=st.lists(numbers, max_size=3).map(tuple),
    ),
)


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    """Any timeline: frames in any order of time, events in theirs."""
    vantages = draw(
        st.lists(
            st.builds(
                Vantage, names, st.integers(0, 65535), names, st.sampled_from([0, 96, 262144])
            ),
            min_size=1,
            max_size=3,
        )
    )
    frames = FrameTableBuilder()
    for data in draw(st.lists(st.binary(max_size=70), max_size=5)):
        frames.add(
            data,
            draw(clocks),
            original=draw(st.integers(0, 2**32 - 1)),
            left_ns=draw(clocks),
            vantage=draw(st.integers(0, len(vantages) - 1)),
            verdict=draw(st.integers(0, len(Verdict.NAMES) - 1)),
        )
    happened = sorted(draw(st.lists(events, max_size=6)), key=lambda event: event.t_ns)
    return Timeline(
        tuple(vantages),
        frames.table(),
        tuple(happened),
        draw(st.dictionaries(words, values, max_size=3)),
        draw(clocks),
        draw(st.booleans()),
    )
