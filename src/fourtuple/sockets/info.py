"""struct tcp_info (include/uapi/linux/tcp.h): what a TCP socket knows of its connection.

Fields were only ever appended: a shorter struct, of an older kernel, has fewer of them. Names are
the kernel's without the prefix, with their units. A table of data.
"""

import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from fourtuple.errors import N_

__all__ = ["FIELDS", "Field", "info_record"]


class Field(NamedTuple):
    """`code` is struct's; `meaning` a message id."""

    name: str
    code: str
    meaning: str


_CA_STATES = ("Open", "Disorder", "CWR", "Recovery", "Loss")
#: tcpi_options
_OPTIONS = (
    (1, "timestamps"),
    (2, "sack"),
    (4, "wscale"),
    (8, "ecn"),
    (16, "ecn_seen"),
    (32, "syn_data"),
    (64, "usec_ts"),
    (128, "tfo_child"),
)
#: values that stand for "none yet" (TCP_INFINITE_SSTHRESH, ~0U)
_NO_LIMIT = {"snd_ssthresh": 0x7FFFFFFF, "max_pacing_rate_Bps": 2**64 - 1, "min_rtt_us": 2**32 - 1}

FIELDS: tuple[Field, ...] = (
    Field("state", "B", N_("the state, as a number of include/net/tcp_states.h")),
    Field("ca_state", "B", N_("the state of congestion control")),
    Field("retransmits", "B", N_("retransmissions of the oldest segment without an answer")),
    Field("probes", "B", N_("keepalive or window probes without an answer")),
    Field("backoff", "B", N_("how often the retransmission time was doubled")),
    Field("options", "B", N_("what both ends agreed to in the handshake")),
    Field(
        "window_scales", "B", N_("window scales: the peer's (low 4 bits) and ours (high 4 bits)")
    ),
    Field("app_limited", "B", N_("bit 0: the program gave too little to send to measure the rate")),
    Field("rto_us", "I", N_("how long it waits for an ACK before it retransmits")),
    Field("ato_us", "I", N_("how long an ACK of ours may be delayed")),
    Field("snd_mss", "I", N_("bytes of data in a full segment that it sends")),
    Field("rcv_mss", "I", N_("its estimate of the size of segments that it receives")),
    Field("unacked", "I", N_("segments sent that no ACK covers yet; a listener: its accept queue")),
    Field("sacked", "I", N_("of them, covered by SACK; a listener: the accept queue's limit")),
    Field("lost", "I", N_("of them, taken for lost")),
    Field("retrans", "I", N_("of them, retransmitted")),
    Field("fackets", "I", N_("no longer used by the kernel")),
    Field("last_data_sent_ms", "I", N_("since data was last sent")),
    Field("last_ack_sent_ms", "I", N_("not recorded by the kernel: always 0")),
    Field("last_data_recv_ms", "I", N_("since data last came")),
    Field("last_ack_recv_ms", "I", N_("since an ACK last came")),
    Field("pmtu", "I", N_("the largest packet that the path takes, as far as is known")),
    Field("rcv_ssthresh", "I", N_("up to where the receive window may grow now")),
    Field("rtt_us", "I", N_("the smoothed round-trip time")),
    Field("rttvar_us", "I", N_("how much that varies")),
    Field("snd_ssthresh", "I", N_("where slow start ends, in segments; nothing: no loss yet")),
    Field("snd_cwnd", "I", N_("the congestion window, in segments")),
    Field("advmss", "I", N_("the MSS that was announced to the peer, less options")),
    Field(
        "reordering", "I", N_("how far segments may be out of order before one is taken for lost")
    ),
    Field("rcv_rtt_us", "I", N_("the round-trip time as a receiver estimates it")),
    Field("rcv_space", "I", N_("bytes that the program reads in a round trip: the buffer follows")),
    Field("total_retrans", "I", N_("segments retransmitted since the beginning")),
    Field("pacing_rate_Bps", "Q", N_("the rate at which segments are let go")),
    Field("max_pacing_rate_Bps", "Q", N_("the most that SO_MAX_PACING_RATE allows")),
    Field("bytes_acked", "Q", N_("bytes sent that were acknowledged (SYN and FIN count one each)")),
    Field("bytes_received", "Q", N_("bytes of data received")),
    Field("segs_out", "I", N_("segments sent")),
    Field("segs_in", "I", N_("segments received")),
    Field("notsent_bytes", "I", N_("bytes in the send queue that were never sent")),
    Field("min_rtt_us", "I", N_("the least round-trip time of late")),
    Field("data_segs_in", "I", N_("segments with data received")),
    Field("data_segs_out", "I", N_("segments with data sent")),
    Field("delivery_rate_Bps", "Q", N_("the latest measured rate of delivery")),
    Field("busy_time_us", "Q", N_("how long there was something to send")),
    Field("rwnd_limited_us", "Q", N_("of that, held up by the peer's window")),
    Field("sndbuf_limited_us", "Q", N_("of that, held up by too small a send buffer")),
    Field("delivered", "I", N_("segments delivered, retransmitted ones included")),
    Field("delivered_ce", "I", N_("of them, with congestion marks (ECN)")),
    Field("bytes_sent", "Q", N_("bytes of data sent, retransmissions included")),
    Field("bytes_retrans", "Q", N_("bytes retransmitted")),
    Field("dsack_dups", "I", N_("copies that the peer reported (DSACK)")),
    Field("reord_seen", "I", N_("how often segments were found out of order")),
    Field("rcv_ooopack", "I", N_("segments received out of order")),
    Field("snd_wnd", "I", N_("the peer's window, after scaling")),
    Field("rcv_wnd", "I", N_("our window, after scaling")),
    Field("rehash", "I", N_("how often another path was tried (flow label, hash)")),
    Field("total_rto", "H", N_("how often the retransmission timer ran out")),
    Field("total_rto_recoveries", "H", N_("how many recoveries from that there were")),
    Field("total_rto_time_ms", "I", N_("how long these took")),
)


def info_record(data: bytes) -> Mapping[str, object]:
    """The fields that `data` has, by name; None for what stands for "none"."""
    return dict(_values(data))


def _values(data: bytes) -> Iterator[tuple[str, object]]:
    offset = 0
    for name, code, _ in FIELDS:
        one = struct.Struct(f"={code}")
        if offset + one.size > len(data):
            return
        (value,) = one.unpack_from(data, offset)
        offset += one.size
        yield name, _shown(name, value)


def _shown(name: str, value: int) -> object:
    if name == "ca_state":
        return _CA_STATES[value] if value < len(_CA_STATES) else value
    if name == "options":
        return [word for bit, word in _OPTIONS if value & bit]
    return None if value == _NO_LIMIT.get(name) else value
