"""What a summary says of frames that are in no connection although they might have been, and of
those that look damaged although they are not.

Link types that are not decoded are counted and named; so is what the headers of frames have to hide
(`wire.columns`). The counts may come from a timeline or from a pass over a large capture.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np

from fourtuple.event.timeline import Timeline
from fourtuple.explain.model import Message
from fourtuple.wire.columns import PROBLEM_NAMES
from fourtuple.wire.link_types import link_name

__all__ = ["leftover", "leftover_of"]


#: a finished checksum looks unfinished once in 65535: so much more often is no chance
_NO_CHANCE = 1000


def leftover(
    link_types: Mapping[int, int], problems: Mapping[str, int], frames: int
) -> Iterator[Message]:
    """The sentences. `link_types` tells how many of the `frames` were of each link type that could
    not be decoded, `problems` how many have each of `PROBLEM_NAMES`."""
    for number, count in sorted(link_types.items()):
        yield Message(
            "{count} frame has link type {name} ({number}), which is not decoded",
            {"count": count, "name": link_name(number), "number": number},
            "{count} frames have link type {name} ({number}), which is not decoded",
            count,
        )
    if count := problems.get("too-deep", 0):
        yield Message(
            "{count} frame nests more headers than are looked at: the rest of it is not decoded",
            {"count": count},
            "{count} frames nest more headers than are looked at: the rest of them is not decoded",
            count,
        )
    if count := problems.get("fragment-overlap", 0):
        yield Message(
            "{count} IP fragment overlaps another: hosts drop such packets, and so does this "
            "analysis (RFC 5722)",
            {"count": count},
            "{count} IP fragments overlap others: hosts drop such packets, and so does this "
            "analysis (RFC 5722)",
            count,
        )
    if count := problems.get("fragment-misfit", 0):
        yield Message(
            "{count} IP fragment cannot be part of a packet: its place or its length is impossible",
            {"count": count},
            "{count} IP fragments cannot be part of a packet: place or length is impossible",
            count,
        )

    count = problems.get("unfinished-checksum", 0)
    if count and count * _NO_CHANCE >= frames:
        yield Message(
            "{count} frame was captured on the host that sent it, before its checksum was computed "
            "(offload): nothing is wrong with it",
            {"count": count},
            "{count} frames were captured on the host that sent them, before their checksums were "
            "computed (offload): nothing is wrong with them",
            count,
        )


def leftover_of(timeline: Timeline) -> Iterator[Message]:
    """The sentences for a timeline's frames."""
    masks = timeline.columns.problems
    problems = {name: int(np.sum(masks >> bit & 1)) for bit, name in enumerate(PROBLEM_NAMES)}
    unknown = timeline.frames.vantage[masks >> PROBLEM_NAMES.index("unknown-link-type") & 1 == 1]
    links = Counter(timeline.vantages[point].link_type for point in unknown.tolist())
    return leftover(links, problems, len(masks))
