"""What the SACK blocks of a segment say: what has come beyond a gap (RFC 2018), and what has come
twice (DSACK, RFC 2883)."""

import re

from fourtuple.analyze.model import SegmentFact
from fourtuple.explain.about import About
from fourtuple.explain.model import Message

__all__ = ["sack_blocks", "selective"]

_BLOCK = re.compile(r"SLE=(\d+) SRE=(\d+)")

Block = tuple[int, int]


def sack_blocks(segment: SegmentFact) -> list[Block]:
    """The blocks of the SACK option: the first number of each, and the first one after it."""
    pairs = _BLOCK.findall(segment.options)
    return [(int(left), int(right)) for left, right in pairs if int(left) < int(right)]


def selective(about: About) -> list[Message]:
    """A sentence for the block that tells of a repetition, and one for the others."""
    ack, blocks = about.segment.ack, sack_blocks(about.segment)
    if ack is None or not blocks:
        return []
    twice = blocks[:1] if _came_twice(blocks, ack) else []
    beyond = sorted(blocks[len(twice) :])
    found = []
    if twice and twice[0] == (0, 1):
        found.append(about.says("The SYN of {receiver}, number 0, came twice (DSACK)."))
    elif twice:
        found.append(about.says("Bytes {bytes} came twice (DSACK).", bytes=_written(twice)))
    if beyond:
        found.append(about.says("Beyond the gap, bytes {bytes} have come.", bytes=_written(beyond)))
    return found


def _came_twice(blocks: list[Block], ack: int) -> bool:
    """Only the first block may tell of it: it lies below the acknowledgment, or within the
    second (RFC 2883, section 4)."""
    left, right = blocks[0]
    within = len(blocks) > 1 and blocks[1][0] <= left and right <= blocks[1][1]
    return right <= ack or within


def _written(blocks: list[Block]) -> list[str]:
    return [f"{left}-{right - 1}" for left, right in blocks]
