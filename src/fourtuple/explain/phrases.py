"""Phrases that sentences and findings share: names of the ends, sums, lists of frames.

They are Messages, so that a sentence put together from them is translated part by part.
"""

from collections.abc import Iterable, Sequence

from fourtuple.analyze.model import Arithmetic
from fourtuple.explain.model import Message

__all__ = ["a_side", "frames_text", "join", "listed", "runs", "side", "summed"]


def side(client: bool) -> Message:
    """ "the client" or "the server", within a sentence."""
    return Message("the client") if client else Message("the server")


def a_side(client: bool) -> Message:
    """The same at the start of a sentence."""
    return Message("The client") if client else Message("The server")


def join(parts: Iterable[Message]) -> Message:
    """Sentences one after another."""
    whole: Message | None = None
    for part in parts:
        both = {"first": whole, "second": part}
        whole = part if whole is None else Message("{first} {second}", both)
    return whole or Message("")


def frames_text(frames: Sequence[int], more: int = 0) -> Message:
    """ "frame 3", "frames 3-5, 9", "frames 3-18 and 40 more"."""
    drawn = runs(frames)
    if more > 0:
        return Message("frames {frames} and {more} more", {"frames": drawn, "more": more})
    return Message("frame {frames}", {"frames": drawn}, "frames {frames}", len(frames))


def runs(numbers: Sequence[int]) -> list[str]:
    """Numbers in order, runs drawn together: "3-5", "9"."""
    found: list[list[int]] = []
    for number in sorted(set(numbers)):
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return [f"{a}" if a == b else f"{a}-{b}" for a, b in found]


def listed(items: Iterable[Message | str]) -> Message:
    """Things one after another, as the language writes a list: "zero window, window full"."""
    return Message("{items}", {"items": tuple(items)})


def summed(sum_: Arithmetic) -> Message:
    """ "ack 15 = 1 + 14", "ack 16 = 15 + 1 (FIN counts one)"."""
    terms = [sum_.base, *([sum_.data] if sum_.data else []), *[1] * (sum_.syn + sum_.fin)]
    params = {"kind": sum_.kind, "total": sum_.total, "terms": " + ".join(map(str, terms))}
    if sum_.syn and sum_.fin:
        return Message("{kind} {total} = {terms} (SYN and FIN count one each)", params)
    if sum_.syn:
        return Message("{kind} {total} = {terms} (SYN counts one)", params)
    if sum_.fin:
        return Message("{kind} {total} = {terms} (FIN counts one)", params)
    return Message("{kind} {total} = {terms}", params)
