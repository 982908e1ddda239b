"""The settings that every namespace of the lab starts with, whatever the host's taste.

Linux's own defaults as of 6.18, so that an experiment's numbers do not depend on the machine; where
the lab differs from them, the entry says why. A setting that this kernel does not have is passed
over.
"""

from collections.abc import Mapping
from types import MappingProxyType

from fourtuple.system.sysctl import write_sysctl

__all__ = ["BASELINE", "LINUX_RTO_MIN", "PATIENT", "apply_baseline", "apply_sysctls"]

#: the least retransmission time-out; since Linux 6.11
_RTO_MIN = "net.ipv4.tcp_rto_min_us"

BASELINE: Mapping[str, str] = MappingProxyType(
    {
        "net.core.somaxconn": "4096",
        "net.ipv4.conf.all.rp_filter": "0",
        "net.ipv4.icmp_ratelimit": "1000",
        "net.ipv4.ip_default_ttl": "64",
        "net.ipv4.ip_local_port_range": "32768 60999",
        "net.ipv4.ip_no_pmtu_disc": "0",
        "net.ipv4.tcp_abort_on_overflow": "0",
        "net.ipv4.tcp_autocorking": "1",
        "net.ipv4.tcp_challenge_ack_limit": "2147483647",
        # reno alone is allowed in every namespace of every kernel (TCP_CONG_NON_RESTRICTED)
        "net.ipv4.tcp_congestion_control": "reno",
        "net.ipv4.tcp_dsack": "1",
        # no tail loss probe: it would fire two milliseconds after the wire's process had to wait
        # for a processor, and a run would then depend on what else the machine does
        "net.ipv4.tcp_early_retrans": "0",
        "net.ipv4.tcp_ecn": "2",
        "net.ipv4.tcp_fastopen": "1",
        "net.ipv4.tcp_fin_timeout": "60",
        "net.ipv4.tcp_frto": "2",
        "net.ipv4.tcp_invalid_ratelimit": "500",
        "net.ipv4.tcp_keepalive_intvl": "75",
        "net.ipv4.tcp_keepalive_probes": "9",
        "net.ipv4.tcp_keepalive_time": "7200",
        "net.ipv4.tcp_max_syn_backlog": "1024",
        "net.ipv4.tcp_moderate_rcvbuf": "1",
        # by default half of the socket hash, which is small here: with 32 connections in TIME_WAIT
        # the next ones would skip it
        "net.ipv4.tcp_max_tw_buckets": "65536",
        "net.ipv4.tcp_mtu_probing": "0",
        "net.ipv4.tcp_no_metrics_save": "1",  # an earlier connection teaches a later one nothing
        "net.ipv4.tcp_orphan_retries": "0",
        "net.ipv4.tcp_recovery": "1",
        "net.ipv4.tcp_reordering": "3",
        "net.ipv4.tcp_retries1": "3",
        "net.ipv4.tcp_retries2": "15",
        "net.ipv4.tcp_rfc1337": "0",
        "net.ipv4.tcp_rmem": "4096 131072 6291456",
        # Linux: 200 ms. If a busy machine took longer, what nobody has lost would be sent again
        _RTO_MIN: "1000000",
        "net.ipv4.tcp_sack": "1",
        "net.ipv4.tcp_slow_start_after_idle": "1",
        "net.ipv4.tcp_syn_linear_timeouts": "4",
        "net.ipv4.tcp_syn_retries": "6",
        "net.ipv4.tcp_synack_retries": "5",
        "net.ipv4.tcp_syncookies": "1",
        "net.ipv4.tcp_timestamps": "1",
        # how much a kernel hands down at once, each time with PSH on the last segment, is not to
        # depend on how long a busy machine's round trip took, nor on how long ago it sent
        "net.ipv4.tcp_tso_rtt_log": "20",
        "net.ipv4.tcp_tso_win_divisor": "255",
        "net.ipv4.tcp_tw_reuse": "2",
        "net.ipv4.tcp_window_scaling": "1",
        "net.ipv4.tcp_wmem": "4096 16384 4194304",
        # neighbours are told by the lab's own addresses: no router, no address made up
        "net.ipv6.conf.all.accept_ra": "0",
        "net.ipv6.conf.all.forwarding": "0",
        "net.ipv6.conf.default.accept_dad": "0",
        "net.ipv6.conf.default.accept_ra": "0",
        "net.ipv6.conf.default.addr_gen_mode": "1",
        "net.ipv6.conf.default.autoconf": "0",
        "net.ipv6.conf.default.router_solicitations": "0",
        "net.ipv6.conf.default.hop_limit": "64",
    }
)

#: for experiments about the retransmission time-out
LINUX_RTO_MIN: Mapping[str, int] = MappingProxyType({_RTO_MIN: 200_000})
#: for experiments in which nothing is to be sent again however long a step takes
PATIENT: Mapping[str, int] = MappingProxyType({_RTO_MIN: 4_000_000})


def apply_sysctls(settings: Mapping[str, str | int]) -> None:
    """Set each in the caller's network namespace; OSError names the setting that was refused."""
    for name, value in settings.items():
        try:
            write_sysctl(name, value)
        except OSError as error:
            if name == _RTO_MIN and isinstance(error, FileNotFoundError):
                continue
            raise OSError(error.errno, f"{name} = {value}: {error.strerror}") from error


def apply_baseline() -> None:
    """Pin the caller's network namespace to the baseline."""
    for name, value in BASELINE.items():
        try:
            write_sysctl(name, value)
        except FileNotFoundError:
            continue
