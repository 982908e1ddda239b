"""A silent peer is given up: keepalive and TCP_USER_TIMEOUT (reset causes of the same names)."""

import socket

from fourtuple.errors import N_
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.hosts.sockets import HostSocket
from fourtuple.lab.script import Lab

TCP = socket.IPPROTO_TCP


def probing(sock: HostSocket, probes: int) -> HostSocket:
    """Keepalive as fast as the kernel allows: 1 s of silence, then a probe each second."""
    sock.set_option(TCP, socket.TCP_KEEPIDLE, 1)
    sock.set_option(TCP, socket.TCP_KEEPINTVL, 1)
    sock.set_option(TCP, socket.TCP_KEEPCNT, probes)
    return sock.set_option(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


@experiment(
    covers="cause:keepalive-timeout cause:user-timeout reason:TCP_KEEPALIVE_TIMEOUT E5",
    question="The path is cut while a connection is idle: who gives up, when, and with RST?",
    background=(
        "A probe that is not answered counts. After TCP_KEEPCNT of them, or once nothing has come "
        "for TCP_USER_TIMEOUT and a probe is out, the kernel ends the connection with RST and "
        "ETIMEDOUT (tcp_keepalive_timer). The RST gets lost here as well: the other end learns "
        "nothing."
    ),
    try_next=(
        N_("Let data wait to be acknowledged: no RST then: lab run half-open-user-timeout"),
        N_("Restore the path: the server, which asks nothing, stays ESTABLISHED for ever."),
    ),
    tags="reset keepalive timer",
    mutation=Mutation(N_("the path is not cut"), values={"cut": False}),
)
def idle_given_up(lab: Lab) -> None:
    client, server = lab.pair()
    listener = server.socket().listen(8888)
    by_count = probing(client.socket().connect(server, 8888), probes=1)
    by_time = probing(client.socket().connect(server, 8888), probes=9)
    by_time.set_option(TCP, socket.TCP_USER_TIMEOUT, 500)
    lab.settle()
    for _ in range(2):
        listener.accept()
    before = len(lab.segments())
    if lab.value("cut", True):
        lab.wire.cut()
    waiting = [sock.begin.recv() for sock in (by_count, by_time)]
    if not lab.value("cut", True):
        lab.until(lambda: len(lab.segments()) >= before + 4, N_("No probe has been answered."))
        lab.expect(len(lab.sockets(client)), 0, "connections of the client after a probe each")
    for call in waiting:
        lab.expect_error("ETIMEDOUT", call.result, "recv() at the client")
    lab.settle()

    sent = lab.segments()[before:]
    lab.expect(sorted(sent.flags), ["ACK", "ACK", "RST ACK", "RST ACK"], "a probe each, a RST each")
    lab.expect([s.from_client for s in sent], [True] * 4, "which of them the client sent")
    lab.expect([s.seq for s in sent if s.flags == "ACK"], [0, 0], "the probes' seq: one too low")
    lab.expect([s.seq for s in sent if s.flags == "RST ACK"], [1, 1], "the RSTs' seq: the next")
    lab.expect(lab.sockets(client), [], "connections of the client")
    states = [row.state for row in lab.sockets(server)]
    lab.expect(states, ["ESTABLISHED"] * 2, "states of the server's: it knows nothing of it")
    lab.claim(
        "after a time-out a RST is sent",
        "what timed out: unanswered keepalive probes end in RST, an unanswered SYN, and data "
        "that nobody acknowledges, in silence",
        "after a probe each, both connections ended with RST: one by TCP_KEEPCNT 1, one by "
        "TCP_USER_TIMEOUT",
        source="A",
        evidence=sent.frames,
    )
