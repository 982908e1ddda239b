"""The tables of the compiled survey: which column holds what. Data only.

A *row* is what is known of a connection while its frames come: int64[ROW]. `SIDES` columns of it
belong to each end, side 0 being the one whose address and port sort first; a side's column is
`side_at(side) + column`. A row's `EXTRA` names a row of a second table, for the connections
with loss or other trouble, most have none. Row 0 of both tables is never used, so that 0 means
none. A *fact* is what is left of a connection that has ended: int64[FACT], one column a property of the
output contract.
"""

__all__: list[str] = []

# ruff: noqa: E501
#: how long a connection may still get segments: after its end, as long as Linux waits in TIME_WAIT
#: (include/net/tcp.h, TCP_TIMEWAIT_LEN); where one end never spoke, two maximum segment lifetimes
#: (RFC 9293, section 3.4.2), which a SYN's repetitions never reach; a UDP conversation
OVER_NS, UNANSWERED_NS, SILENT_NS = 60_000_000_000, 240_000_000_000, 300_000_000_000

# --- control: what the kernels keep between calls, and why they returned
(
    C_NOW,  # the latest time of any frame so far
    C_NEXT_INDEX,  # how many connections have begun
    C_ROWS,  # how many rows have ever been in use (row 0 included)
    C_FREE,  # how many rows are on the free list
    C_EXTRAS,  # as C_ROWS, for the second table
    C_EXTRA_FREE,
    C_LOG,  # how many entries of the log are in use
    C_FRAMES,  # TCP segments and UDP datagrams so far
    C_OTHER,  # frames that are neither
) = range(9)
CONTROL = 9

# --- a connection, whatever its sides
(
    KEY_A_HIGH,
    KEY_A_LOW,
    KEY_B_HIGH,
    KEY_B_LOW,
    KEY_PORTS,  # both ports, the address family, TCP or UDP, the vantage point
    KEY_TUNNEL,
    OLDER,  # the row of the life before it on the same four-tuple, while a segment may belong to that
    INDEX,
    FIRST_FRAME,
    LAST_FRAME,
    START_NS,
    END_NS,
    SHAPE,  # bits S_*
    SYN_NS,
    RTT_NS,
    FIN_NEXT,  # the number after the first FIN
    SYN_FRAME,
    SYN_ACK_FRAME,
    LOGGED,  # how many frames of each kind of evidence are in the log, 5 bits a kind
    LOGGED_MORE,
    FILE,
    AGREED_NS,  # when the first SYN+ACK came
    THIRD_NS,  # when the handshake's third step came
    EXTRA,
) = range(24)
SIDES = 24
(
    BITS,  # bits B_*
    BASE,
    SENT,
    FIRST,  # the first number it sent that took one, until something of it is acknowledged
    HIGHEST_ACK,
    FIN_NUMBER,
    RECEIVED,
    NEXT,
    REACHABLE,
    ACKED,
    ACKED_NS,
    WINDOW_SEEN,  # the latest window, as in the header, and in bytes
    LIMIT,
    DUPLICATES,
    ADVANCED_NS,
    STATE,  # see _states
    SHADOW,  # the states as if the peer's FIN had not arrived; above 20 bits, the frame it came in
    PACKETS,
    PAYLOAD,
    FLIGHT,
    TIMED_END,
    TIMED_NS,
    RTT_LEAST,
    RTT_SUM,
    RTT_MOST,
    RTT_COUNT,
    TWIN,
    TWIN_NS,
    STAMP,  # timestamp and IP id of the segment with the highest number
    STAMP_ID,
    FIN_FRAME,
    LARGEST,  # the most payload in one segment
) = range(32)
SIDE = 32
ROW = SIDES + 2 * SIDE

# --- what only troubled connections have
EXTRA_COUNTS = 0  # one a word of COUNT_NAMES
EXTRA_SIDES = 15
(
    SPANS,  # what came early: so many begin and end pairs, in order
    SPAN_1,
    SPAN_1_END,
    SPAN_2,
    SPAN_2_END,
    SPAN_3,
    SPAN_3_END,
    SPAN_4,
    SPAN_4_END,
    PROBED,
    SACKED,
    AGAIN_END,
    AGAIN_TS,
    CROSSED_FRAME,
    CROSSED_STATES,
    CROSSED_PEER,
    REFUSED_NS,  # its first RST with ACK, of one that had not agreed
    DROPPED_NS,  # of one that had agreed and said nothing
    N_AGAIN,
    N_NEEDLESS,
    N_ZERO,
    N_KEEPALIVE,
    N_BY_ACKS,
    N_BY_TIMER,
    N_REORDERED,
    N_TWICE,
    N_DSACK,
    N_ARRIVED,
) = range(28)
EXTRA_SIDE = 28
EXTRA_ROW = EXTRA_SIDES + 2 * EXTRA_SIDE
SPAN_LIMIT = 4

# --- bits of a side
(
    B_ISN,
    B_BASE,
    B_SENT,
    B_FIRST,
    B_HIGHEST,
    B_FIN,
    B_RECEIVED,
    B_NEXT,
    B_REACHABLE,
    B_ACKED,
    B_WINDOW,
    B_LIMIT,
    B_LAST_ACK,
    B_TIMESTAMPS,
    B_SACK,
    B_FIN_SENT,
    B_FIN_GOT,
    B_FIN_ARRIVED,
    B_KEEPALIVE_ASKS,
    B_PROBE_ASKS,
    B_WAS_KEEPALIVE,
    B_WAS_PROBE,
    B_PROBED,
    B_TIMED,
    B_STAMPED,
    B_IDENTIFIED,
    B_SAID_SYN,
    B_SAID_SYN_ACK,
    B_SAID_PLAIN_ACK,
    B_SAID_LISTENER,
    B_SAID_NO_RST,
    B_CONFIRMS,
    B_SYN_DATA,
    B_SYN_MORE,
    B_RST_ACKS,
    B_ANSWERED,
    B_MSS,
    B_SCALE,
) = (1 << bit for bit in range(38))
# the MSS (16 bits) and the scale (4) that it announced, and how many SYNs went unanswered (2)
MSS_SHIFT, SCALE_SHIFT, ASKED_SHIFT = 38, 54, 58
B_REFUSED, B_DROPPED, B_SAID_RST = 1 << 60, 1 << 61, 1 << 62

# --- bits of a connection's shape
(
    S_UDP,
    S_SIX,
    S_FIRST_SIDE,
    S_SYN_KNOWN,
    S_SYN_SIDE,
    S_SYN_ACK_KNOWN,
    S_SYN_ACK_SIDE,
    S_STRAY,
    S_REUSED,
    S_FIN,
    S_FIN_SIDE,
    S_SECOND_FIN,
    S_CLOSE_LATE,  # the second FIN acknowledges the first
    S_CLOSE_FOUR,  # so did a segment before it
    S_OVER,  # an RST was taken, and nothing but RSTs came since
    S_RST,
    S_ODD,  # what the columns cannot decide
    S_BOTH_SYN,
    S_DONE,  # no segment can belong to it any more
    S_FORGOT,
    S_SHUT,  # a window of 0 was told
    S_LATEST_SIDE,  # of the segment before
    S_THIRD_STEP,
) = (1 << bit for bit in range(23))
COMPLETENESS_SHIFT = 23
EARLY_SHIFT = 29  # the payload of the largest SYN, 17 bits
S_JOINS = 1 << 46  # a SYN asks to join a Multipath TCP connection
S_REFUSED = 1 << 47  # one SYN and the RST that refuses it are all there is

# --- words, by bit: COUNT_NAMES first, in their order, then the notes of our own
(
    W_RETRANSMISSION,
    W_FAST,
    W_SPURIOUS,
    W_OUT_OF_ORDER,
    W_DUPLICATE_ACK,
    W_LOST,
    W_ACK_LOST,
    W_ZERO,
    W_ZERO_PROBE,
    W_ZERO_PROBE_ACK,
    W_FULL,
    W_UPDATE,
    W_KEEP_ALIVE,
    W_KEEP_ALIVE_ACK,
    W_REUSED,
    W_PROBE,
    W_RESENT,
    W_HANDSHAKE_ACK,
    W_KEEPALIVE_ANSWER,
    W_PROBE_ANSWER,
    W_TWICE,
    W_REORDERED,
    W_BY_ACKS,
    W_BY_TIMER,
    W_DSACK,
    W_ARRIVED,
    W_NEEDLESS,
) = (1 << bit for bit in range(27))
WORDS = 15

# --- kinds of evidence in the log: (index << 5 | kind, frame); two of a kind are one a side
(
    E_AGAIN,
    E_AGAIN_B,
    E_NEEDLESS,
    E_NEEDLESS_B,
    E_ZERO,
    E_ZERO_B,
    E_KEEPALIVE,
    E_KEEPALIVE_B,
    E_FULL_SIZE,
    E_FULL_SIZE_B,
    E_TOO_LARGE,
    E_TOO_LARGE_B,
    E_GAP,
    E_SYN,
    E_SYN_ACK,
    E_FIN,
    E_REORDERED,
    E_REORDERED_B,
    E_TWICE,
    E_TWICE_B,
    E_DSACK,
    E_DSACK_B,
) = range(22)
KIND_BITS = 5
#: how many frames of a kind are kept
EVIDENCE = 16

# --- a segment as the second pass writes it
(
    F_ROW_INDEX,
    F_SIDE,
    F_SEQ,
    F_ACK,
    F_HAS_ACK,
    F_WINDOW,
    F_WORDS,
    F_STATE_A,
    F_STATE_B,
    F_FLAGS,
    F_LENGTH,
    F_RAW_SEQ,
    F_RAW_ACK,
) = range(13)
SEGMENT = 13

# --- facts. Of pairs the client's comes first
#: the columns of a ConnectionTable, in order; see analyze.survey.table
FACTS = (
    "index",
    "protocol",
    "family",
    "vantage",
    "client_high",
    "client_low",
    "client_port",
    "server_high",
    "server_low",
    "server_port",
    "client_known",
    "first_frame",
    "last_frame",
    "start_ns",
    "end_ns",
    "client_packets",
    "server_packets",
    "client_payload_bytes",
    "server_payload_bytes",
    "handshake",
    "close",
    "first_closer",
    "completeness",
    "client_initial_seq",
    "server_initial_seq",
    "client_mss",
    "server_mss",
    "client_window_scale",
    "server_window_scale",
    "timestamps",
    "sack",
    "retransmission",
    "fast_retransmission",
    "spurious_retransmission",
    "out_of_order",
    "duplicate_ack",
    "lost_segment",
    "ack_lost_segment",
    "zero_window",
    "zero_window_probe",
    "zero_window_probe_ack",
    "window_full",
    "window_update",
    "keep_alive",
    "keep_alive_ack",
    "reused_ports",
    "handshake_rtt_ns",
    "client_rtt_count",
    "client_rtt_least_ns",
    "client_rtt_sum_ns",
    "client_rtt_most_ns",
    "server_rtt_count",
    "server_rtt_least_ns",
    "server_rtt_sum_ns",
    "server_rtt_most_ns",
    "client_flight_bytes",
    "server_flight_bytes",
    "client_sent_again",
    "server_sent_again",
    "client_needless",
    "server_needless",
    "client_zero_window",
    "server_zero_window",
    "client_keepalive",
    "server_keepalive",
    "client_by_acks",
    "server_by_acks",
    "client_by_timer",
    "server_by_timer",
    "client_reordered",
    "server_reordered",
    "client_captured_twice",
    "server_captured_twice",
    "client_dsack",
    "server_dsack",
    "client_had_arrived",
    "server_had_arrived",
    "syn_frame",
    "syn_ack_frame",
    "client_fin_frame",
    "server_fin_frame",
    "time_wait",
    "logged",
    "logged_more",
    "initial_states",
    "client_side",
    "flags",
    "early_bytes",
    "client_crossed_frame",
    "server_crossed_frame",
    "client_crossed_states",
    "server_crossed_states",
    "client_crossed_peer",
    "server_crossed_peer",
    "agreed_ns",
    "refused_ns",
    "dropped_ns",
    "silent",
    "tunnel",
    "client_largest_bytes",
    "server_largest_bytes",
    "client_open_bytes",
    "server_open_bytes",
    "file",
)
(
    A_INDEX,
    A_PROTOCOL,
    A_FAMILY,
    A_VANTAGE,
    A_CLIENT_HIGH,
    A_CLIENT_LOW,
    A_CLIENT_PORT,
    A_SERVER_HIGH,
    A_SERVER_LOW,
    A_SERVER_PORT,
    A_CLIENT_KNOWN,
    A_FIRST_FRAME,
    A_LAST_FRAME,
    A_START_NS,
    A_END_NS,
    A_PACKETS,
    _,
    A_PAYLOAD,
    _,
    A_HANDSHAKE,
    A_CLOSE,
    A_FIRST_CLOSER,
    A_COMPLETENESS,
    A_INITIAL_SEQ,
    _,
    A_MSS,
    _,
    A_SCALE,
    _,
    A_TIMESTAMPS,
    A_SACK,
    A_COUNTS,
) = range(32)
A_REUSED = A_COUNTS + 14
A_RTT = A_COUNTS + 15
A_CLIENT_RTT = A_RTT + 1
A_FLIGHT = A_CLIENT_RTT + 8
A_TRUTH = A_FLIGHT + 2  # ten pairs, in the order of N_AGAIN and what follows it
A_SYN_FRAME = A_TRUTH + 20
A_SYN_ACK_FRAME = A_SYN_FRAME + 1
A_FIN_FRAME = A_SYN_FRAME + 2
A_TIME_WAIT = A_FIN_FRAME + 2
A_LOGGED = A_TIME_WAIT + 1
A_INITIAL = A_LOGGED + 2
A_CLIENT_SIDE = A_INITIAL + 1
A_FLAGS = A_INITIAL + 2
A_EARLY = A_INITIAL + 3
A_CROSSED = A_INITIAL + 4  # three pairs: frame, states, the peer's states
A_AGREED = A_INITIAL + 10
A_REFUSED = A_INITIAL + 11
A_DROPPED = A_INITIAL + 12
A_SILENT = A_INITIAL + 13
A_TUNNEL = A_INITIAL + 14
A_LARGEST = A_INITIAL + 15
A_OPEN = A_INITIAL + 17
A_FILE = A_INITIAL + 19
#: a time that is not known
NEVER = -(1 << 63)
FACT = len(FACTS)

#: what the numbers in "handshake" and "close" mean; the words of the output contract
HANDSHAKES = (
    "none",
    "complete",
    "simultaneous",
    "fast-open",
    "syn-only",
    "syn-ack-unanswered",
    "refused",
)
CLOSES = ("open", "four-segment", "three-segment", "simultaneous", "half-closed", "reset")
