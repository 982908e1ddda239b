"""Listening sockets: which connection is whose, two on one port, one that is closed
(rows D4, D5, D6, D8, D10)."""

import socket

from fourtuple.errors import N_
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.hosts.baseline import PATIENT
from fourtuple.lab.script import Lab

REUSE_PORT = (socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)


@experiment(
    covers="D4 D5 D6",
    question="Three clients talk to one server port: how does each segment find its socket?",
    background=(
        "The kernel looks for a connection with the segment's four-tuple first, then for a "
        "listener of its destination: first one bound to that very address, then one bound to all "
        "(__inet_lookup_established, __inet_lookup_listener). Accepted sockets share one port."
    ),
    try_next=(
        N_("Let two listeners share the port: lab run same-port-twice"),
        N_("Read the table yourself while it runs: ss -tan"),
    ),
    tags="listening",
    mutation=Mutation(N_("another socket listens at the very address"), values={"exact": True}),
)
def who_gets_it(lab: Lab) -> None:
    client, server = lab.pair(sysctls=PATIENT)
    anywhere = "::" if lab.family == 6 else "0.0.0.0"
    everywhere = server.socket()
    if lab.value("exact", False):
        everywhere.set_option(*REUSE_PORT)
        server.socket().set_option(*REUSE_PORT).listen(8888)
    everywhere.bind(8888, anywhere).listen()
    names = [b"Alice", b"Bob", b"Carol"]
    programs = [client.program(f"client {number}") for number in (1, 2, 3)]
    socks = [program.socket().connect(server, 8888) for program in programs]
    for sock, name in zip(reversed(socks), reversed(names), strict=True):
        sock.send(name)
    lab.settle()

    queues = {row.local.address: row.recv_q for row in lab.sockets(server, listening=True)}
    lab.expect(queues[anywhere], 3, "connections that wait at the listener of all addresses")
    rows = lab.sockets(server)
    lab.expect(len({row.remote.port for row in rows}), 3, "different client ports in the table")
    lab.expect([row.local.port for row in rows], [8888] * 3, "ports of the server in these rows")
    lab.expect([row.inode for row in rows], [0, 0, 0], "owners while all three wait for accept()")
    peers = [everywhere.accept() for _ in names]
    lab.expect(
        [peer.recv() for peer in peers],
        [b"Alice", b"Bob", b"Carol"],
        "what each accepted socket reads: only its own client's bytes",
    )
    inodes = {row.inode for row in lab.sockets(server)}
    lab.expect(len(inodes - {0}), 3, "three sockets with owners, besides the listener")

    lab.claim(
        "the server needs no further port for a connection",
        len(inodes) == 3 and {row.local.port for row in rows} == {8888},
        "three connections, and port 8888 is the server's end of each",
        source="D",
        evidence=lab.segments(flags="SYN").frames,
    )
    lab.claim(
        "a socket is its four-tuple",
        "the kind of socket: a connection is; a listener has no peer, and a protocol and a network "
        "namespace belong to each",
        "the listener's row has peer port {port}; the three connections differ in it alone",
        source="D",
        evidence=lab.segments(flags="SYN").frames,
        port=lab.sockets(server, listening=True)[0].remote.port,
    )


@experiment(
    covers="D8",
    question="Can two sockets listen on one port, and who then gets a connection?",
    background=(
        "One address and port belong to one listener, or a SYN would not know where to go: the "
        "second bind() fails with EADDRINUSE. SO_REUSEPORT, set on both by the same user, is the "
        "exception: the kernel chooses one by a hash of the four-tuple (socket(7))."
    ),
    try_next=(
        N_("Close one of the two while connections wait at it: lab run listener-closed"),
        N_("Set net.ipv4.tcp_migrate_req to 1 on the server, and they move to the other one."),
    ),
    tags="listening",
    mutation=Mutation(N_("SO_REUSEPORT is not set"), values={"share": 0}, error="CallFailed"),
)
def same_port_twice(lab: Lab) -> None:
    client, server = lab.pair(sysctls=PATIENT)
    first = server.socket().listen(8888)
    second = server.socket()
    lab.expect_error("EADDRINUSE", lambda: second.bind(8888), "bind() to a port that is taken")
    lab.expect(len(lab.sockets(server, listening=True)), 1, "listeners")
    first.close()

    share = (*REUSE_PORT[:2], lab.value("share", 1))
    pair = [server.socket().set_option(*share).listen(8888, 40) for _ in range(2)]
    rows = lab.sockets(server, listening=True)
    lab.expect(len(rows), 2, "listeners with SO_REUSEPORT")
    for _ in range(24):
        client.socket().connect(server, 8888)
    lab.settle()
    waiting = [row.recv_q for row in lab.sockets(server, listening=True)]
    lab.expect(sum(waiting), 24, "connections that wait at the two listeners together")
    lab.expect(min(waiting) > 0, True, "the first has {first}, the second {second}: both get some",
               first=waiting[0], second=waiting[1])  # fmt: skip
    lab.expect([bool(one.accept()) for one in pair], [True, True], "accept() at each")
    lab.claim(
        "a second listener on the same port fails",
        "SO_REUSEPORT: without it bind() gives EADDRINUSE, with it both listen",
        "24 connections were shared: {first} and {second}",
        source="D",
        evidence=lab.segments(flags="SYN").frames[:2],
        first=waiting[0],
        second=waiting[1],
    )


@experiment(
    covers="D10 cause:listener-closed reason:TCP_STATE",
    question="What becomes of the connections when a listening socket is closed?",
    background=(
        "An accepted connection is a socket of its own and lives on. Those in the accept queue "
        "belong to the listener: the kernel resets them (inet_csk_listen_stop). Whoever comes "
        "later finds a closed port."
    ),
    try_next=(
        N_("Accept all before closing: nobody is reset."),
        N_("Share the port between two listeners, and close one: lab run same-port-twice"),
    ),
    tags="listening reset",
    mutation=Mutation(N_("the listener stays open"), values={"close": False}),
)
def listener_closed(lab: Lab) -> None:
    client, server = lab.pair(sysctls=PATIENT)
    listener = server.socket().listen(8888)
    served = client.socket().connect(server, 8888)
    lab.settle()
    peer = listener.accept()
    waiting = client.socket().connect(server, 8888)
    lab.settle()
    lab.expect(lab.sockets(server, listening=True)[0].recv_q, 1, "connections in the accept queue")

    before = len(lab.segments())
    if lab.value("close", True):
        listener.close()
    lab.settle()
    resets = lab.segments()[before:]
    lab.expect(resets.flags, ["RST ACK"], "what closing the listener sends")
    lab.expect(resets[0].from_client, False, "sent by the server")
    lab.expect_error("ECONNRESET", waiting.recv, "recv() of the client that waited")
    peer.send(b"yours alone")
    lab.expect(served.recv(), b"yours alone", "the accepted connection lives on")
    lab.expect(lab.sockets(server, listening=True), [], "listeners")
    late = client.socket()
    lab.expect_error(
        "ECONNREFUSED", lambda: late.connect(server, 8888), "a client that comes later"
    )
    lab.claim(
        "closing the listener ends the connections that it accepted",
        False,
        "the accepted one carried data afterwards; only the one that still waited was reset",
        source="D",
        evidence=resets.frames,
    )
