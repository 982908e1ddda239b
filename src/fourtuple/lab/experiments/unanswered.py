"""Nobody answers: how often a SYN is sent, how long connect() waits, how it ends (row A11)."""

import socket
from itertools import pairwise

from fourtuple.errors import N_
from fourtuple.event.model import Call
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.hosts.gauges import counters
from fourtuple.lab.hosts.host import Host
from fourtuple.lab.hosts.sockets import HostSocket
from fourtuple.lab.script import Lab

TCP_SYNCNT = (socket.IPPROTO_TCP, socket.TCP_SYNCNT)
LINEAR = "net.ipv4.tcp_syn_linear_timeouts"
ABSENT = 9
#: net.ipv4.tcp_syn_retries where nobody has set it
DEFAULT = 6


def nobody(lab: Lab) -> str:
    """An address of the hosts' network that no host has, though its link-layer address is found:
    a host that has just gone away."""
    address = f"10.77.0.{ABSENT}" if lab.family == 4 else f"fd77::{ABSENT}"
    lab.wire.absent(address)
    return address


def calling(host: Host, address: str, port: int = 8888) -> HostSocket:
    """A socket whose connect() is under way."""
    sock = host.socket().set_timeout(0)
    sock.call("connect_ex", [address, port]).result()
    return sock


@experiment(
    covers="A11",
    question="Nobody answers a SYN: when is it sent again?",
    background=(
        "The first wait is 1 s (RFC 6298, 2). Since Linux 6.5 the next "
        "net.ipv4.tcp_syn_linear_timeouts (4) are as long, and only then each doubles; with 0 they "
        "double from the start, as the textbooks have it. Here the server's host has 0. The "
        "kernel's own timers tell what comes next."
    ),
    try_next=(
        N_("Wait until connect() gives up: lab run --slow syn-patience"),
        N_("See how a SYN ACK is repeated: lab run synack-retries"),
    ),
    tags="opening timer",
    mutation=Mutation(N_("no linear time-outs on either host"), sysctls={LINEAR: 0}),
)
def syn_retries(lab: Lab) -> None:
    client, server = lab.pair(sysctls={LINEAR: 4})
    server.sysctl(LINEAR, 0)
    address = nobody(lab)
    for host in (client, server):
        calling(host, address)
    lab.settle(unanswered=True)
    for host in (client, server):
        row = lab.connection(host)
        lab.expect(row.state, "SYN_SENT", "state of the socket at {host}", host=host.name)
        lab.expect(0 < row.timer_ms <= 1000, True, "its first wait: {left} ms are left, of 1000",
                   left=int(row.timer_ms))  # fmt: skip
    lab.until(
        lambda: all(lab.connection(host).retransmits for host in (client, server)),
        N_("Not both SYNs have been sent again."),
    )
    second = {host.name: int(lab.connection(host).timer_ms) for host in (client, server)}
    lab.expect(
        second["client"] <= 1020, True, "linear: the second wait has {left} ms left, of 1000",
        left=second["client"],
    )  # fmt: skip
    lab.expect(
        second["server"] > 1020, True, "doubling: the second wait has {left} ms left, of 2000",
        left=second["server"],
    )  # fmt: skip
    lab.settle(unanswered=True)  # the wire may not have noted the second SYNs yet
    lab.expect(lab.segments().flags, ["SYN"] * 4, "all segments: no RST among them")
    lab.claim(
        "each retry waits longer than the one before",
        "net.ipv4.tcp_syn_linear_timeouts: with 4, the default, the first five waits are 1 s each",
        "the second wait was {client} ms where it is 4, {server} ms where it is 0, when read",
        source="C",
        evidence=lab.segments().frames,
        **second,
    )


@experiment(
    covers="A11",
    question="How long does connect() wait for an answer, and does it say good-bye with RST?",
    background=(
        "connect() fails with ETIMEDOUT at the first expiry of the timer after 2^(n+1) - 1 s, n "
        "being net.ipv4.tcp_syn_retries (6) or TCP_SYNCNT (retransmits_timed_out). "
        "TCP_USER_TIMEOUT, used here, ends it sooner, after one repetition. Nothing is sent then: "
        "there is no connection to reset."
    ),
    try_next=(
        N_("Use settimeout() instead: then it is Python that gives up, and close() says nothing."),
        N_("Wait for the kernel's own time-outs: lab run --slow syn-patience"),
    ),
    tags="opening timer",
    mutation=Mutation(N_("the port is closed, and says so"), values={"answer": True}),
)
def connect_times_out(lab: Lab) -> None:
    client, server = lab.pair()
    address = server.address if lab.value("answer", False) else nobody(lab)
    sock = client.socket().set_option(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1)
    asking = sock.begin.connect(address, 8888)
    lab.expect_error("ETIMEDOUT", asking.result, "connect() with a patience of 1 ms, after 1 s")
    lab.settle()
    lab.expect(lab.segments().flags, ["SYN", "SYN"], "all segments: the SYN twice, and no RST")
    lab.expect(lab.sockets(client), [], "connections of the client")
    lab.expect(counters(client)["TcpOutRsts"], 0, "RSTs that the client's kernel counts")
    lab.expect(counters(client)["TcpExtTCPTimeouts"], 2, "time-outs that it counts")

    calling(client, address).close()
    lab.settle()
    lab.expect(lab.segments().flags[2:], ["SYN"], "an attempt that is closed: a SYN, and nothing")
    lab.claim(
        "after a time-out a RST is sent",
        "what timed out: unanswered keepalive probes end in RST, an unanswered SYN, and data "
        "that nobody acknowledges, in silence",
        "connect() failed with ETIMEDOUT after two SYNs, and nothing followed",
        source="A",
        evidence=lab.segments().frames[:2],
    )


@experiment(
    covers="A11",
    question="How many SYNs are sent before connect() gives up, for several settings?",
    background=(
        "TCP_SYNCNT n, or net.ipv4.tcp_syn_retries, stands for a time: 2^(n+1) - 1 s, what n "
        "doubling waits and the last one take. Where the first waits are linear, more SYNs fit "
        "into it: with the defaults (6, linear 4) ten are sent again, and ETIMEDOUT comes after "
        "131 s, not 127."
    ),
    try_next=(
        N_("Set net.ipv4.tcp_syn_linear_timeouts to 2, and count again."),
        N_("Watch the timers of your own connect(): ss -to state syn-sent"),
    ),
    tags="opening timer",
    slow=True,
    mutation=Mutation(N_("no linear time-outs on either host"), sysctls={LINEAR: 0}),
)
def syn_patience(lab: Lab) -> None:
    client, server = lab.pair(sysctls={LINEAR: 4})
    server.sysctl(LINEAR, 0)
    address = nobody(lab)
    attempts = {}
    for host in (client, server):
        for retries in (1, 2, DEFAULT):
            sock = host.socket()
            if retries != DEFAULT:
                sock.set_option(*TCP_SYNCNT, retries)
            attempts[host.name, retries] = sock.begin.connect(address, 8000 + retries)
    for (name, retries), attempt in attempts.items():
        lab.expect_error(
            "ETIMEDOUT",
            attempt.result,
            "{host}: connect() with TCP_SYNCNT {retries}",
            host=name,
            retries=retries,
        )
    sent = {1: (3, 2), 2: (6, 3), DEFAULT: (11, 7)}
    for retries, counts in sent.items():
        found = [len(lab.segments(sent_by=host, port=8000 + retries)) for host in (client, server)]
        lab.expect(
            found, list(counts), "SYNs with TCP_SYNCNT {retries}: linear, doubling", retries=retries
        )
    doubling = lab.segments(sent_by=server, port=8002)
    waits = [round((b.t_ns - a.t_ns) / 1e9) for a, b in pairwise(doubling)]
    lab.expect(waits, [1, 2], "doubling: seconds between the SYNs")
    linear = lab.segments(sent_by=client, port=8002)
    waits = [round((b.t_ns - a.t_ns) / 1e9) for a, b in pairwise(linear)]
    lab.expect(waits, [1, 1, 1, 1, 1], "linear first: seconds between the SYNs")
    patient = lab.segments(sent_by=client, port=8000 + DEFAULT)
    patience = 2 ** (DEFAULT + 1) - 1
    for call in lab.timeline().of(Call):
        if call.name == "connect" and str(call.args[0]).endswith(f":{8000 + DEFAULT}"):
            assert call.end_ns is not None  # it raised
            waited = (call.end_ns - call.t_ns) // 1_000_000_000
            lab.expect(
                patience <= waited,
                True,
                "{host}: connect() with net.ipv4.tcp_syn_retries at 6 has waited {waited} s, and "
                "{least} at least",
                host=call.host,
                waited=waited,
                least=patience,
            )
    lab.expect([s.flags for s in lab.segments() if "RST" in s.flags], [], "RSTs")
    lab.claim(
        "tcp_syn_retries is how often a SYN is sent again",
        "net.ipv4.tcp_syn_linear_timeouts: with 0 it is; with 4 more fit into the same time",
        "with 6 the SYN was sent again 6 times where it is 0, and {count} times where it is 4",
        source="A",
        evidence=patient.frames,
        count=len(patient) - 1,
    )
