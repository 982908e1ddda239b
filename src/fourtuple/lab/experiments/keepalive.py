"""Keepalive: a kernel that asks whether the other end is still there (row E5)."""

import socket

from fourtuple.errors import N_
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.hosts.gauges import counters, kernel_defaults
from fourtuple.lab.script import Lab
from fourtuple.lab.wire.select import pure_ack

TCP = socket.IPPROTO_TCP
SETTINGS = (
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
)


@experiment(
    covers="E5 C7",
    question="When does keepalive ask, how often, and is it on?",
    background=(
        "It is off unless a program sets SO_KEEPALIVE (RFC 9293, 3.8.4). Then Linux asks after "
        "TCP_KEEPIDLE seconds without a segment, at most TCP_KEEPCNT times, TCP_KEEPINTVL seconds "
        "apart; the defaults are settings of the network namespace (tcp(7))."
    ),
    try_next=(
        N_("Set the three options to a second or two: lab run keepalive."),
        N_("See which sockets of yours have the timer: ss -tno."),
    ),
    tags="keepalive timer",
    mutation=Mutation(N_("the idle time is 60 s"), sysctls={"net.ipv4.tcp_keepalive_time": 60}),
)
def keepalive_defaults(lab: Lab) -> None:
    client, server = lab.pair()
    own = kernel_defaults(*SETTINGS)
    lab.expect(own, [7200, 75, 9], "this kernel's own: idle time, interval, number of probes")
    sock, _ = lab.connected(client, server)
    lab.expect(sock.option(socket.SOL_SOCKET, socket.SO_KEEPALIVE), 0, "SO_KEEPALIVE, unless set")
    lab.expect(lab.connection(client).timer, "", "the timer of an idle connection: none")
    options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
    lab.expect([sock.option(TCP, option) for option in options], own, "what a socket begins with")

    sock.set_option(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    armed = lab.connection(client)
    lab.expect(armed.timer, "keepalive", "the timer once SO_KEEPALIVE is set")
    left_s = round(armed.timer_ms / 1000)
    lab.expect(7100 <= left_s <= 7200, True, "the first probe is due in {s} s", s=left_s)
    lab.claim(
        "keepalive probes after 2 hours, then 10 times 75 s apart",
        False,
        "2 hours and 75 s are right, but Linux sends {count} probes; and none unless SO_KEEPALIVE "
        "is set",
        source="E",
        count=own[2],
    )


@experiment(
    covers="E5",
    question="What is a keepalive probe, and what puts it off?",
    background=(
        "A probe is a segment without data whose number is one too low, so that the other kernel "
        "must answer with an ACK; the program there sees nothing of it. Whatever is sent or "
        "received begins the idle time anew (tcp_keepalive_timer). TCP_KEEPIDLE is 1 s here."
    ),
    try_next=(
        N_("Cut the path: lab run keepalive-dead-peer."),
        N_("Let the other host forget the connection: lab run half-open-keepalive."),
    ),
    tags="keepalive timer",
    mutation=Mutation(N_("SO_KEEPALIVE is not set"), values={"keepalive": 0}),
)
def keepalive(lab: Lab) -> None:
    client, server = lab.pair()
    sock, _ = lab.connected(client, server)
    sock.set_option(TCP, socket.TCP_KEEPIDLE, 1)
    sock.set_option(socket.SOL_SOCKET, socket.SO_KEEPALIVE, lab.value("keepalive", 1))
    lab.expect(lab.connection(client).timer, "keepalive", "the timer that runs at the client")
    before = counters(client)["TcpExtTCPKeepAlive"]
    lab.until(lambda: lab.connection(client).timer_ms < 700, "The keepalive timer does not run.")

    sock.send(b"not idle")
    lab.settle()
    lab.wire.watch(pure_ack.sent_by(client)).wait()
    lab.settle()
    sent = lab.segments(sent_by=client, payload=True)[0]
    probe, answer = lab.segments()[-2:]
    idle_ms = (probe.t_ns - sent.t_ns) // 1_000_000
    lab.expect(idle_ms >= 990, True, "the probe came {ms} ms after the data", ms=idle_ms)
    lab.expect([probe.seq, probe.length], [8, 0], "its seq, one too low, and its payload")
    lab.expect(answer.ack, 9, "the ack of the server's answer: the number that it expects")
    lab.expect(counters(client)["TcpExtTCPKeepAlive"] - before, 1, "probes that the client counts")
    lab.expect(lab.connection(server).recv_q, 8, "bytes for the server's program: only the data")
    lab.claim(
        "data puts keepalive off",
        True,
        "the data left before the probe was due; the probe then came {ms} ms after the data",
        source="E",
        evidence=[sent.frame, probe.frame, answer.frame],
        ms=idle_ms,
    )


@experiment(
    covers="E5",
    question="What does keepalive do when nobody answers?",
    background=(
        "After TCP_KEEPCNT probes without an answer the connection is given up: calls fail with "
        "ETIMEDOUT, and a RST goes out, in case somebody is there after all "
        "(tcp_keepalive_timer). The options are 1 s, 1 s and 1 probe here."
    ),
    try_next=(N_("Ask twice before giving up: TCP_KEEPCNT 2."),),
    tags="keepalive timer reset half-open",
    mutation=Mutation(N_("SO_KEEPALIVE is not set"), values={"keepalive": 0}),
)
def keepalive_dead_peer(lab: Lab) -> None:
    client, server = lab.pair()
    sock, _ = lab.connected(client, server)
    waiting = sock.begin.recv()
    for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT):
        sock.set_option(TCP, option, 1)
    sock.set_option(socket.SOL_SOCKET, socket.SO_KEEPALIVE, lab.value("keepalive", 1))
    lab.wire.cut(server)
    lab.expect(lab.connection(client).timer, "keepalive", "the timer that runs at the client")
    lab.expect_error("ETIMEDOUT", waiting.result, "recv() at the client, which only waits")
    lab.settle()
    probe, reset = lab.segments(sent_by=client)[-2:]
    lab.expect([probe.seq, probe.length], [0, 0], "the probe's seq, one too low, and its payload")
    lab.expect(reset.flags, "RST ACK", "what the client's kernel sends when it gives up")
    lab.expect(lab.sockets(client), [], "the client's sockets: nothing is kept")
    lab.expect(lab.state(server), "ESTABLISHED", "the server's state: it has heard nothing")
    lab.claim(
        "keepalive finds a peer that is gone",
        True,
        "frame {probe} had no answer; after another second recv() failed with ETIMEDOUT",
        source="E",
        evidence=[probe.frame, reset.frame],
        probe=probe.frame,
    )
