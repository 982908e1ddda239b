"""Captures of many connections left to chance, for what must hold of any capture.

Four-tuples are used again, connections interleave, sides say what no kernel would, and time passes:
seconds, and the minutes after which a connection is over.
"""

import random
from dataclasses import replace

import numpy as np

from analyze.chance import chatter
from fourtuple.event.frames import FrameTableBuilder
from fourtuple.event.timeline import Timeline
from fourtuple.wire import Sack, Timestamps, WindowScale
from story import Party, Story

__all__ = ["babble", "crowd", "merged"]

_SENT = ("syn", "syn_ack", "ack", "send", "fin", "rst", "rst_ack", "send", "ack", "send")
_EPOCH_NS = 1_790_000_000 * 10**9  # so that a clock set back is still one that a file can hold
_NUMBERS = (0, 1, 2, 100, 2**31, 2**32 - 1)


def babble(
    seed: int, port: int = 40000, begin_ns: int = 10**9, family: int = 4, identified: bool = True
) -> Story:
    """Two ends that make little sense, and use their ports again now and then. Their packets have
    IP ids where they are `identified`."""
    chance = random.Random(seed)
    story = Story(family, complete=False, ports=(port, 8888), begin_ns=begin_ns)
    if chance.random() < 0.7:
        story.client.syn()
        story.server.syn_ack()
        story.client.ack()
    for _ in range(chance.randint(1, 14)):
        _pass_time(story, chance)
        speaker = chance.choice([story.client, story.server])
        if chance.random() < 0.1:
            story.datagram(speaker, chance.choice([0, 9]))
        elif chance.random() < 0.5:
            _say_something(speaker, chance, identified)
        else:
            _say_anything(speaker, chance)
    return story


def _pass_time(story: Story, chance: random.Random) -> None:
    luck = chance.random()
    if luck < 0.04:
        story.reborn(chance.choice([0, 777_777, 2**32 - 5]), chance.choice([5, 888_888]))
    if luck < 0.1:
        story.wait(chance.choice([0, 10, 300, 61_000, 250_000, 310_000]))
    if luck < 0.3:
        story.wait(-0.99999)
    if luck > 0.98:
        story.wait(-5000)  # a clock that is set back


def _say_something(speaker: Party, chance: random.Random, identified: bool) -> None:
    what = chance.choice(_SENT)
    how: dict[str, object] = {}
    if chance.random() < 0.3:
        how["seq"] = max(0, speaker.next - chance.choice([0, 1, 5, 50, 100]))
    if chance.random() < 0.3 and what not in ("syn", "syn_ack"):
        how["options"] = chance.choice([_sacks(speaker, chance), _stamps(chance)])
    if chance.random() < 0.3 and identified:
        how["ip_id"] = chance.choice([7, 8, 65_535])
    size = (chance.choice([1, 14, 100, 1448]),) if what == "send" else ()
    getattr(speaker, what)(*size, **how)


def _sacks(speaker: Party, chance: random.Random) -> tuple[Sack]:
    base = speaker.peer.isn
    edges = [(base + chance.randint(0, 400)) % 2**32 for _ in range(4)]
    return (Sack(((edges[0], edges[1]), (edges[2], edges[3]))),)


def _stamps(chance: random.Random) -> tuple[Timestamps]:
    return (Timestamps(chance.randint(0, 9), chance.randint(0, 9)),)


def _say_anything(speaker: Party, chance: random.Random) -> None:
    speaker.say(
        chance.randint(0, 511),
        data=chance.choice([b"", b"x", b"y" * 100]),
        raw_seq=chance.choice(_NUMBERS),
        raw_ack=chance.choice(_NUMBERS),
        window=chance.choice([0, 1, 65535]),
        options=chance.choice([(), (WindowScale(14),), _stamps(chance)]),
    )


def crowd(seed: int, size: int = 8) -> Timeline:
    """Several of them at once, some on the same ports one after another."""
    chance = random.Random(seed)
    stories = []
    for number in range(size):
        port = 40000 + chance.randint(0, size // 2)
        if chance.random() < 0.5:
            stories.append(babble(seed * 97 + number, port, 10**9 + number * 10**8))
        else:
            story = chatter(seed * 89 + number, gaps=chance.random() < 0.5, port=port)
            stories.append(story)
    return replace(merged([story.timeline() for story in stories]), epoch_ns=_EPOCH_NS)


def merged(timelines: list[Timeline]) -> Timeline:
    """All frames in one capture, by time."""
    frames = [
        (t_ns, number, data)
        for number, timeline in enumerate(timelines)
        for data, t_ns in zip(timeline.frames, timeline.frames.t_ns.tolist(), strict=True)
    ]
    builder = FrameTableBuilder()
    for t_ns, _, data in sorted(frames, key=lambda frame: frame[:2]):
        builder.add(data, t_ns)
    meta, epoch_ns = {"file": "crowd.pcap"}, timelines[0].epoch_ns
    return Timeline(frames=builder.table(), meta=meta, epoch_ns=epoch_ns)


def cuts(seed: int, count: int) -> list[int]:
    """Where to cut `count` frames into steps."""
    chance = random.Random(seed)
    inner = sorted({chance.randint(0, count) for _ in range(5)})
    return np.unique([0, *inner, count]).tolist()
