"""What a row of the survey comes to once all frames of its connection are in: analyze.facts and
analyze.shape, over tables."""

from __future__ import annotations

from fourtuple.analyze.survey import _layout as at
from fourtuple.analyze.survey._states import KILLED_SHIFT, WAITED_SHIFT

Column = memoryview
Rows = list[memoryview]  # Columns

#: places in _states.BEGINNINGS
_CLOSED, _LISTEN, _SYN_SENT, _ESTABLISHED, _UNKNOWN = range(5)
NONE, COMPLETE, SIMULTANEOUS, FAST_OPEN, SYN_ONLY, SYN_ACK_UNANSWERED, REFUSED = range(7)
OPEN, FOUR, THREE, BOTH, HALF_CLOSED, RESET = range(6)
#: see analyze.facts.likely_client
_SYSTEM, _EPHEMERAL = 1024, 32768


def conclude(rows: Rows, extra: Rows, chosen: Column, facts: Rows) -> None:
    """The facts of the chosen rows; `facts` comes in as zeros, one row for each."""
    for n in range(len(chosen)):
        row, fact = rows[chosen[n]], facts[n]
        shape = row[at.SHAPE] + 0
        client, known = _client(row, shape)
        _common(row, shape, client, known, fact)
        if not shape & at.S_UDP:
            _tcp(row, shape, client, fact)
            if row[at.EXTRA]:
                more = extra[row[at.EXTRA]]
                for word in range(at.WORDS):
                    fact[at.A_COUNTS + word] = more[at.EXTRA_COUNTS + word]
                for role in range(2):
                    x = at.EXTRA_SIDES + (client ^ role) * at.EXTRA_SIDE
                    bits = row[at.SIDES + (client ^ role) * at.SIDE + at.BITS] + 0
                    if role and bits & at.B_REFUSED:
                        fact[at.A_REFUSED] = more[x + at.REFUSED_NS]
                    if role and bits & at.B_DROPPED:
                        fact[at.A_DROPPED] = more[x + at.DROPPED_NS]
                    for cross in range(3):
                        fact[at.A_CROSSED + 2 * cross + role] = more[x + at.CROSSED_FRAME + cross]
                    for count in range(10):
                        fact[at.A_TRUTH + 2 * count + role] = more[x + at.N_AGAIN + count]


def _client(row: Column, shape: int) -> tuple[int, int]:
    """Which side is client, and whether that is known."""
    if shape & at.S_SYN_KNOWN:
        return 1 if shape & at.S_SYN_SIDE else 0, 1
    if shape & at.S_SYN_ACK_KNOWN:
        return 0 if shape & at.S_SYN_ACK_SIDE else 1, 0
    first = 1 if shape & at.S_FIRST_SIDE else 0
    ports = row[at.KEY_PORTS] & 0xFFFFFFFF
    ours, theirs = ports >> 16, ports & 0xFFFF
    if first:
        ours, theirs = theirs, ours
    asked = _likely_client(ours, theirs)
    return first if asked else 1 - first, 1 if asked and shape & at.S_UDP else 0


def _likely_client(ours: int, theirs: int) -> bool:
    if (ours < _SYSTEM) != (theirs < _SYSTEM):
        return ours >= _SYSTEM
    if (ours < _EPHEMERAL) != (theirs < _EPHEMERAL):
        return ours >= _EPHEMERAL
    return True


def _common(row: Column, shape: int, client: int, known: int, fact: Column) -> None:
    ports = row[at.KEY_PORTS] + 0
    for half in range(2):
        a, b = row[at.KEY_A_HIGH + half] + 0, row[at.KEY_B_HIGH + half] + 0
        fact[at.A_CLIENT_HIGH + half] = b if client else a
        fact[at.A_SERVER_HIGH + half] = a if client else b
    fact[at.A_CLIENT_PORT] = ports & 0xFFFF if client else ports >> 16 & 0xFFFF
    fact[at.A_SERVER_PORT] = ports >> 16 & 0xFFFF if client else ports & 0xFFFF
    fact[at.A_INDEX] = row[at.INDEX]
    fact[at.A_PROTOCOL] = 17 if shape & at.S_UDP else 6
    fact[at.A_FAMILY] = 6 if shape & at.S_SIX else 4
    fact[at.A_FILE] = row[at.FILE]
    fact[at.A_TUNNEL] = row[at.KEY_TUNNEL]
    fact[at.A_VANTAGE] = ports >> 34
    fact[at.A_CLIENT_KNOWN] = known
    fact[at.A_FIRST_FRAME] = row[at.FIRST_FRAME]
    fact[at.A_LAST_FRAME] = row[at.LAST_FRAME]
    fact[at.A_START_NS] = row[at.START_NS]
    fact[at.A_END_NS] = row[at.END_NS]
    fact[at.A_FLAGS] = shape
    fact[at.A_CLIENT_SIDE] = client
    for role in range(2):
        s = at.SIDES + (client ^ role) * at.SIDE
        fact[at.A_PACKETS + role] = row[s + at.PACKETS]
        fact[at.A_PAYLOAD + role] = row[s + at.PAYLOAD]


def _tcp(row: Column, shape: int, client: int, fact: Column) -> None:
    for role in range(2):
        s = at.SIDES + (client ^ role) * at.SIDE
        bits = row[s + at.BITS] + 0
        fact[at.A_INITIAL_SEQ + role] = row[s + at.BASE] if bits & at.B_ISN else -1
        fact[at.A_MSS + role] = bits >> at.MSS_SHIFT & 0xFFFF if bits & at.B_MSS else -1
        fact[at.A_SCALE + role] = bits >> at.SCALE_SHIFT & 15 if bits & at.B_SCALE else -1
        fact[at.A_FLIGHT + role] = row[s + at.FLIGHT]
        peer = at.SIDES + (client ^ role ^ 1) * at.SIDE
        if bits & at.B_SENT and row[peer + at.BITS] & at.B_HIGHEST:
            fact[at.A_OPEN + role] = row[s + at.SENT] - row[peer + at.HIGHEST_ACK]
        fact[at.A_LARGEST + role] = row[s + at.LARGEST]
        fact[at.A_FIN_FRAME + role] = row[s + at.FIN_FRAME]
        for column in range(4):
            where = s + at.RTT_COUNT if column == 0 else s + at.RTT_COUNT - 4 + column
            fact[at.A_CLIENT_RTT + 4 * role + column] = row[where]
    both = row[at.SIDES + at.BITS] & row[at.SIDES + at.SIDE + at.BITS]
    fact[at.A_TIMESTAMPS] = 1 if both & at.B_TIMESTAMPS else 0
    fact[at.A_SACK] = 1 if both & at.B_SACK else 0
    fact[at.A_RTT] = row[at.RTT_NS]
    fact[at.A_COMPLETENESS] = shape >> at.COMPLETENESS_SHIFT & 63
    fact[at.A_EARLY] = shape >> at.EARLY_SHIFT & 0x1FFFF
    fact[at.A_SYN_FRAME] = row[at.SYN_FRAME]
    fact[at.A_SYN_ACK_FRAME] = row[at.SYN_ACK_FRAME]
    fact[at.A_LOGGED] = row[at.LOGGED]
    fact[at.A_LOGGED + 1] = row[at.LOGGED + 1]
    fact[at.A_FIRST_CLOSER] = -1
    if shape & at.S_FIN:
        fact[at.A_FIRST_CLOSER] = (1 if shape & at.S_FIN_SIDE else 0) ^ client
    s, p = at.SIDES + client * at.SIDE, at.SIDES + (1 - client) * at.SIDE
    ours, theirs = _beginnings(row, s, p)
    fact[at.A_INITIAL] = ours << 4 | theirs
    fact[at.A_HANDSHAKE] = _handshake(row[s + at.BITS] + 0, row[p + at.BITS] + 0)
    _service(row, p, fact)
    mine, other = row[s + at.STATE] + 0, row[p + at.STATE] + 0
    killed = mine >> (KILLED_SHIFT + ours) & 1 | other >> (KILLED_SHIFT + theirs) & 1
    fact[at.A_CLOSE] = _close(shape, killed)
    if not shape & at.S_STRAY:
        waits = (mine >> (WAITED_SHIFT + ours) & 1) | (other >> (WAITED_SHIFT + theirs) & 1) << 1
        fact[at.A_TIME_WAIT] = waits


def _service(row: Column, p: int, fact: Column) -> None:
    """What the connection tells of the server's port: analyze.services. Times of breaking off are
    filled in from the second table."""
    bits = row[p + at.BITS] + 0
    fact[at.A_REFUSED] = at.NEVER
    fact[at.A_DROPPED] = at.NEVER
    fact[at.A_AGREED] = row[at.AGREED_NS] if bits & at.B_SAID_SYN_ACK else at.NEVER
    said_nothing = row[p + at.PAYLOAD] == 0 and not bits & at.B_SAID_RST
    agreed = bits & at.B_SAID_SYN_ACK and fact[at.A_HANDSHAKE] == COMPLETE
    fact[at.A_SILENT] = 1 if said_nothing and agreed else 0


def _beginnings(row: Column, s: int, p: int) -> tuple[int, int]:
    """The states of client and server before the first segment: `facts._initial_states`."""
    ours, theirs = row[s + at.BITS] + 0, row[p + at.BITS] + 0
    server_spoke = row[p + at.PACKETS] > 0
    if ours & at.B_SAID_SYN:
        if ours >> at.ASKED_SHIFT & 3 > 1 and theirs & at.B_ANSWERED:
            return _CLOSED, _UNKNOWN
        if ours & at.B_SAID_PLAIN_ACK and not server_spoke:
            return _CLOSED, _LISTEN
        return _CLOSED, _passive(theirs, server_spoke)
    if theirs & (at.B_SAID_SYN | at.B_SAID_SYN_ACK):
        return _SYN_SENT, _LISTEN
    return _midway(ours, row[s + at.PACKETS] > 0), _midway(theirs, server_spoke)


def _passive(bits: int, spoke: bool) -> int:
    if bits & at.B_SAID_SYN:
        return _CLOSED
    if bits & at.B_SAID_LISTENER:
        return _LISTEN
    return _CLOSED if spoke else _UNKNOWN


def _midway(bits: int, spoke: bool) -> int:
    return _CLOSED if spoke and not bits & at.B_SAID_NO_RST else _ESTABLISHED


def _handshake(ours: int, theirs: int) -> int:
    if not (ours | theirs) & (at.B_SAID_SYN | at.B_SAID_SYN_ACK):
        return NONE
    if ours & theirs & at.B_SAID_SYN:
        return SIMULTANEOUS
    if ours & at.B_CONFIRMS:
        return FAST_OPEN if ours & at.B_SYN_DATA and theirs & at.B_SYN_MORE else COMPLETE
    if theirs & (at.B_SAID_SYN | at.B_SAID_SYN_ACK):
        return SYN_ACK_UNANSWERED
    return REFUSED if theirs & at.B_RST_ACKS else SYN_ONLY


def _close(shape: int, killed: int) -> int:
    if killed:
        return RESET
    if not shape & at.S_FIN:
        return OPEN
    if not shape & at.S_SECOND_FIN:
        return HALF_CLOSED
    if not shape & at.S_CLOSE_LATE:
        return BOTH
    return FOUR if shape & at.S_CLOSE_FOUR else THREE
