"""What the compiled survey does with TCP's states: analyze.states, over numbers.

How an end began is known only when the connection is over: so one word follows it from all the
states that it may have begun in, four bits each. Further bits of the word remember which events
change nothing just now (nearly all of them, nearly always), from which beginnings an RST has
killed the connection, and from which it has been in TIME_WAIT.
"""

from __future__ import annotations

from fourtuple.analyze.states import EVENTS, STATES, TRANSITIONS, UNKNOWN

Column = memoryview

CLOSED, LISTEN, SYN_SENT, SYN_RECV, ESTABLISHED = range(5)
TIME_WAIT, NO_STATE = 10, 11

(
    SENT_SYN,
    SENT_SYN_ACK,
    SENT_ACK,
    SENT_FIN,
    SENT_RST,
    SENT_RST_ACK,
    GOT_SYN,
    GOT_SYN_ACK,
    GOT_ACK_OF_SYN,
    GOT_ACK_OF_FIN,
    GOT_FIN,
    GOT_RST,
    GOT_RST_OF_SYN,
    GOT_RST_OF_FIN,
) = range(14)

#: the states that an end may begin in, in the order of their four bits in the word
BEGINNINGS = (CLOSED, LISTEN, SYN_SENT, ESTABLISHED, NO_STATE)
BEGIN = sum(state << 4 * place for place, state in enumerate(BEGINNINGS))
STATE_BITS = (1 << 4 * len(BEGINNINGS)) - 1
IDLE_SHIFT, KILLED_SHIFT, WAITED_SHIFT = 20, 34, 39
_IDLE_BITS = ((1 << 14) - 1) << IDLE_SHIFT

#: the names of the numbers above
NAMES = (*STATES, UNKNOWN)


def transitions() -> list[int]:
    """analyze.states.TRANSITIONS as numbers: entry 12 * event + state."""
    found = []
    for event in EVENTS:
        for state in NAMES:
            found.append(NAMES.index(TRANSITIONS.get((state, event), state)))
    return found


def step(word: int, event: int, moves: Column) -> int:
    """The word after an event."""
    if word >> (IDLE_SHIFT + event) & 1:
        return word
    states = word & STATE_BITS
    after = plain_step(states, event, moves)
    if after == states:
        return word | 1 << (IDLE_SHIFT + event)
    return (word & ~(STATE_BITS | _IDLE_BITS)) | after


def plain_step(states: int, event: int, moves: Column) -> int:
    """The states alone after an event."""
    after = 0
    for shift in range(0, 20, 4):
        after |= moves[12 * event + (states >> shift & 15)] << shift
    return after


def moment(before: int, after: int, killing: bool) -> int:
    """The word `after` all events of a moment; `killing` where an RST is behind it."""
    if (before ^ after) & STATE_BITS:
        for place in range(5):
            old, new = before >> 4 * place & 15, after >> 4 * place & 15
            if old != new:
                if killing and new == CLOSED and old != TIME_WAIT:
                    after |= 1 << (KILLED_SHIFT + place)
                if new == TIME_WAIT:
                    after |= 1 << (WAITED_SHIFT + place)
    return after
