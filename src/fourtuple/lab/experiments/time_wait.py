"""TIME_WAIT: who waits, how long, and what it keeps a restarted server from (row E3)."""

import socket
import time
from functools import partial

from fourtuple.errors import N_
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.hosts.host import Host
from fourtuple.lab.script import Lab

#: include/net/tcp.h, TCP_TIMEWAIT_LEN
SIXTY_S = 60


@experiment(
    covers="E3",
    question="How long does TIME_WAIT last, and can it be changed?",
    background=(
        "The end that closed first keeps the four-tuple: to acknowledge a repeated FIN, and so "
        "that old segments meet no new connection (RFC 9293, 3.6: 2 MSL). Linux has 60 s fixed "
        "(TCP_TIMEWAIT_LEN); net.ipv4.tcp_fin_timeout is about FIN_WAIT2 only."
    ),
    try_next=(
        N_("Wait for its end: lab run time-wait-to-the-end --slow."),
        N_("See what it keeps a server from: lab run restart."),
    ),
    tags="close timer",
    mutation=Mutation(N_("tcp_fin_timeout is 60"), sysctls={"net.ipv4.tcp_fin_timeout": SIXTY_S}),
)
def time_wait(lab: Lab) -> None:
    client, server = lab.pair(sysctls={"net.ipv4.tcp_fin_timeout": 5})
    sock, peer = lab.connected(client, server)
    port = lab.connection(client).local.port
    sock.close()
    lab.settle()
    half = lab.connection(client)
    lab.expect(half.state, "FIN_WAIT2", "the client's state, the server has not closed yet")
    lab.expect(half.timer_ms <= 5000, True, "it gives up in {ms} ms", ms=int(half.timer_ms))
    peer.close()
    lab.settle()
    waiting = lab.connection(client)
    lab.expect(waiting.state, "TIME_WAIT", "the client's state, both have closed")
    left_s = round(waiting.timer_ms / 1000)
    lab.expect(50 <= left_s <= SIXTY_S, True, "it lasts {s} s more", s=left_s)
    lab.expect(waiting.inode, 0, "the inode of its socket: no program owns it")
    last = lab.segments()[-1].frame

    again = client.socket()
    lab.expect_error("EADDRINUSE", lambda: again.bind(port), "bind() to its port at the client")
    client.socket().connect(server, 8888)
    lab.settle()
    states = sorted(row.state for row in lab.sockets(client))
    lab.expect(states, ["ESTABLISHED", "TIME_WAIT"], "the client has connected again meanwhile")
    lab.claim(
        "TIME_WAIT lasts 2 MSL",
        False,
        "Linux waits 60 s whatever the MSL is (TCP_TIMEWAIT_LEN); its timer has {seconds} s left",
        source="E",
        evidence=[last],
        seconds=left_s,
    )


@experiment(
    covers="E3 B1",
    question="Why can a server that closed first not be started again at once?",
    background=(
        "Its connection is in TIME_WAIT and still has the port: bind() fails with EADDRINUSE. "
        "SO_REUSEADDR allows it, but both sockets must have it set: the new one, and the one from "
        "which the waiting connection came (inet_bind_conflict, tw_reuse). So a server sets it "
        "always, before its first bind()."
    ),
    try_next=(
        N_("Let the client close first: then it is the client that waits."),
        N_("Look for it on your machine: ss -tan state time-wait."),
    ),
    tags="close programs",
    mutation=Mutation(N_("the client closes first"), values={"first": "client"}),
)
def restart(lab: Lab) -> None:
    client, server = lab.pair()
    refused = "bind() again: SO_REUSEADDR was {before} at first and is {now} now"
    for port, before, now in ((8001, 0, 0), (8002, 0, 1), (8003, 1, 0)):
        _serve_and_close_first(lab, client, server, port, before)
        again = server.socket().set_option(socket.SOL_SOCKET, socket.SO_REUSEADDR, now)
        bind = partial(again.bind, port)
        lab.expect_error("EADDRINUSE", bind, refused, before=before, now=now)

    _serve_and_close_first(lab, client, server, 8004, 1)
    again = server.socket().set_option(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1).listen(8004)
    client.socket().connect(server, 8004)
    lab.settle()
    states = sorted(row.state for row in lab.sockets(server) if row.local.port == 8004)
    lab.expect(states, ["ESTABLISHED", "TIME_WAIT"], "with 1 both times: the server serves again")
    again.accept()
    lab.claim(
        "SO_REUSEADDR at the restarted server is enough",
        False,
        "bind() failed where the first server had not set it; it worked where both had",
        source="E",
        evidence=lab.segments(port=8004, flags="SYN").frames,
    )


def _serve_and_close_first(lab: Lab, client: Host, server: Host, port: int, reuse: int) -> None:
    """A server's life: one client served, and the server closes before the client does."""
    listener = server.socket().set_option(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
    listener.listen(port)
    sock = client.socket().connect(server, port)
    lab.settle()
    first, second = listener.accept(), sock
    if lab.value("first", "server") == "client":
        first, second = second, first
    for end in (first, second):
        end.close()
        lab.settle()
    listener.close()
    rows = [row for row in lab.sockets(server) if row.local.port == port]
    lab.expect([row.state for row in rows], ["TIME_WAIT"], "what the server keeps: it closed first")


@experiment(
    covers="E3",
    question="What is there after 60 s of TIME_WAIT?",
    background=(
        "When its timer fires the kernel forgets the four-tuple, and the port is free for any "
        "bind(). No segment tells of it. This run waits for it."
    ),
    try_next=(N_("Read the timer instead of waiting: lab run time-wait."),),
    tags="close timer",
    mutation=Mutation(N_("nobody waits"), values={"wait": False}),
    slow=True,
)
def time_wait_to_the_end(lab: Lab) -> None:
    client, server = lab.pair()
    sock, peer = lab.connected(client, server)
    port = lab.connection(client).local.port
    for end in (sock, peer):
        end.close()
        lab.settle()
    waiting = lab.connection(client)
    lab.expect(waiting.state, "TIME_WAIT", "the client's state, both have closed")
    begin_ns = lab.segments()[-1].t_ns
    if lab.value("wait", True):
        lab.until(lambda: not lab.sockets(client), "TIME_WAIT has not ended.")
    lab.expect(lab.sockets(client), [], "the client's sockets")
    seconds = (time.monotonic_ns() - begin_ns) // 1_000_000_000
    lab.expect(seconds >= SIXTY_S - 1, True, "it has lasted {s} s", s=seconds)
    client.socket().bind(port)
    lab.claim(
        "TIME_WAIT lasts 2 MSL",
        False,
        "Linux waits 60 s whatever the MSL is (TCP_TIMEWAIT_LEN); here it lasted {seconds} s",
        source="E",
        evidence=[lab.segments()[-1].frame],
        seconds=seconds,
    )
