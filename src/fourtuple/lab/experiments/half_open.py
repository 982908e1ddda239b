"""A peer that is gone without a word: who finds out, and when (half-open connections)."""

import socket

from fourtuple.errors import N_
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.hosts.baseline import LINUX_RTO_MIN
from fourtuple.lab.hosts.gauges import counters
from fourtuple.lab.script import Lab

TCP = socket.IPPROTO_TCP


@experiment(
    covers="beyond:half-open-data cause:no-such-connection",
    question="Who notices that the other host has crashed and come up again?",
    background=(
        "A host that loses its memory sends nothing. The other end stays ESTABLISHED, and if it "
        "only waits it has no timer: it would wait for ever. The first segment that it sends meets "
        "a kernel that knows no such connection, and is answered by RST (RFC 9293, 3.5.1)."
    ),
    try_next=(
        N_("Leave the server down: lab run half-open-user-timeout."),
        N_("Have the kernel ask by itself: lab run half-open-keepalive."),
    ),
    tags="half-open reset",
    mutation=Mutation(N_("the server does not crash"), values={"crash": False}),
)
def half_open_data(lab: Lab) -> None:
    client, server = lab.pair()
    sock, _ = lab.connected(client, server)
    waiting = sock.begin.recv()
    if lab.value("crash", True):
        server.crash()
        server.boot()
    lab.settle()
    lab.expect(lab.sockets(server), [], "the server's sockets, after it has come up again")
    lab.expect(lab.state(client), "ESTABLISHED", "the client's state: it knows of nothing")
    lab.expect(lab.connection(client).timer, "", "a timer that would end its wait: none")
    lab.expect(waiting.returned, False, "recv() at the client has returned")

    lab.expect(sock.send(b"are you there?"), 14, "what send() returns: the kernel has taken it")
    lab.expect_error("ECONNRESET", waiting.result, "recv() at the client, now")
    lab.settle()
    reset = lab.segments(sent_by=server)[-1]
    lab.expect(reset.flags, "RST", "what the server's kernel answered")
    lab.expect(lab.sockets(client), [], "the client's sockets")
    lab.claim(
        "a program is told when the other host goes away",
        N_("whether it sends, or lets its kernel ask (SO_KEEPALIVE)"),
        "the client stayed ESTABLISHED with no timer; its first data drew the RST in frame {frame}",
        source="E",
        evidence=[reset.frame],
        frame=reset.frame,
    )


@experiment(
    covers="beyond:half-open-keepalive E5",
    question="How does keepalive find a host that has forgotten the connection?",
    background=(
        "After the idle time the kernel sends a segment without data whose number is one too low. "
        "A kernel that knows the connection must answer it with an ACK; one that does not, "
        "with RST (RFC 9293, 3.8.4; tcp_keepalive_timer)."
    ),
    try_next=(N_("Leave the host down: lab run keepalive-dead-peer."),),
    tags="half-open keepalive reset timer",
    mutation=Mutation(N_("the server does not crash"), values={"crash": False}),
)
def half_open_keepalive(lab: Lab) -> None:
    client, server = lab.pair()
    sock, _ = lab.connected(client, server)
    waiting = sock.begin.recv()
    sock.set_option(TCP, socket.TCP_KEEPIDLE, 1)
    sock.set_option(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    lab.expect(lab.connection(client).timer, "keepalive", "the timer that runs at the client")
    if lab.value("crash", True):
        server.crash()
        server.boot()
    lab.expect(lab.sockets(server), [], "the server's sockets, after it has come up again")
    lab.expect_error("ECONNRESET", waiting.result, "recv() at the client, which sent nothing")
    lab.settle()
    probe, reset = lab.segments()[-2:]
    lab.expect([probe.flags, reset.flags], ["ACK", "RST"], "a probe, and its answer")
    lab.expect([probe.seq, probe.length], [0, 0], "the probe's seq, one too low, and its payload")
    lab.claim(
        "keepalive finds a peer that has forgotten the connection",
        True,
        "the first probe after the idle time, frame {probe}, was answered by RST",
        source="E",
        evidence=[probe.frame, reset.frame],
        probe=probe.frame,
    )


@experiment(
    covers="beyond:half-open-user-timeout",
    question="How does a program limit how long its data may stay unacknowledged?",
    background=(
        "Without a limit, Linux repeats data to a dead host for some 15 minutes (tcp_retries2). "
        "TCP_USER_TIMEOUT sets the time after which the connection is given up: the next call "
        "fails with ETIMEDOUT, and the other side is sent nothing (RFC 5482; tcp_write_timeout)."
    ),
    try_next=(N_("Use it together with keepalive: it then ends an idle connection, too."),),
    tags="half-open timer",
    mutation=Mutation(N_("the server does not crash"), values={"crash": False}),
)
def half_open_user_timeout(lab: Lab) -> None:
    client, server = lab.pair(sysctls=LINUX_RTO_MIN)
    sock, _ = lab.connected(client, server)
    sock.set_option(TCP, socket.TCP_USER_TIMEOUT, 500)
    waiting = sock.begin.recv()
    before = counters(client)["TcpExtTCPAbortOnTimeout"]
    if lab.value("crash", True):
        server.crash()
    sock.send(b"are you there?")
    if not lab.value("crash", True):
        lab.settle()
    lab.expect(lab.connection(client).timer, "retransmit", "the timer that runs at the client")
    lab.expect_error("ETIMEDOUT", waiting.result, "recv() at the client, in the end")
    aborted = counters(client)["TcpExtTCPAbortOnTimeout"] - before
    lab.expect(aborted, 1, "connections that the client's kernel has given up")
    lab.expect(lab.sockets(client), [], "the client's sockets")
    sent = lab.segments(sent_by=client, payload=True)
    last = lab.segments(sent_by=client)[-1]
    lab.expect("RST" in last.flags, False, "was a RST sent at the end?")
    lab.claim(
        "after a time-out a RST is sent",
        "what timed out: unanswered keepalive probes end in RST, an unanswered SYN, and data "
        "that nobody acknowledges, in silence",
        "the data left {count} times; then the kernel gave up, and recv() failed with ETIMEDOUT: "
        "the last segment is frame {last}, no RST",
        source="A",
        evidence=sent.frames,
        count=len(sent),
        last=last.frame,
    )
