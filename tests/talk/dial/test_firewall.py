"""What `talk` says of a firewall, in a network namespace that has one: in words that are true."""

import os
import shutil
import subprocess
import sys

import pytest

from .foreign import WAIT_S

pytestmark = [pytest.mark.kernel, pytest.mark.oracle("nft", "unshare")]

RULES = """
table inet guard {
chain input {
    type filter hook input priority 0;
    tcp dport 8001 reject with tcp reset
    tcp dport 8002 reject with icmpx type port-unreachable
    tcp dport 8003 reject with icmpx type admin-prohibited
    tcp dport 8004 reject with icmpx type host-unreachable
    tcp dport 8005 drop
}
}
"""
#: one namespace for all that is asked: a root of its own, loopback, the rules
SCRIPT = """
ip link set lo up
nft -f - || exit 9
for url in "$@"; do
    "$PYTHON" -m fourtuple talk "$url" --explain --timeout 5 2>&1 </dev/null
    echo "=== $?"
done
"""


def said_of(*urls: str) -> list[str]:
    """What `talk` says to each, on one line, its status last."""
    run = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--net", "sh", "-c", SCRIPT, "sh", *urls],
        input=RULES.encode(),
        capture_output=True,
        timeout=WAIT_S * len(urls),
        env={**os.environ, "PYTHON": sys.executable, "LC_ALL": "C.UTF-8", "COLUMNS": "120"},
    )
    assert run.returncode == 0, run
    text = " ".join(run.stdout.decode().split())
    *parts, rest = text.split("=== 1")
    assert not rest.strip(), text
    return parts


def test_each_way_of_a_firewall_to_refuse_is_told_by_its_frames() -> None:
    assert shutil.which("nft")
    ports = (8001, 8002, 8003, 8004, 8005)
    told = said_of(*(f"tcp://127.0.0.1:{port}" for port in ports), "tcp://[::1]:8003")
    reset, unreachable, prohibited, no_way, silent, prohibited6 = told
    assert "answered the SYN with RST (frame 2)" in reset
    assert "a firewall may do it in its name" in reset
    for words in (unreachable, prohibited):
        assert "127.0.0.1 answered the SYN with ICMP (frame 2), not with RST" in words
        assert "a firewall's word" in words
    # this kernel may leave the first SYN unanswered over IPv6: the second one is answered
    assert "A firewall forbids it" in prohibited6
    assert "::1 answered the SYN with ICMP (frame" in prohibited6
    assert "answered the SYN with ICMP type 3, code 1 (frame 2): a router's word" in no_way
    assert "neither SYN ACK nor RST nor ICMP came back" in silent
    assert "a firewall drops the segments in silence" in silent
