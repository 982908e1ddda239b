"""What a connection is before accept() (rows D2, D3)."""

from fourtuple.errors import N_
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.hosts.baseline import PATIENT
from fourtuple.lab.script import Lab

MESSAGE = b"are you there?"


@experiment(
    covers="D2 D3 D4",
    question="Whose is a connection, and where do its bytes go, before accept() is called?",
    background=(
        "The kernel completes the handshake by itself and queues the connection at the listener. "
        "Until accept() takes it out, no program holds a descriptor for it, yet it is ESTABLISHED "
        "and its receive buffer fills (inet_csk_accept, tcp_child_process)."
    ),
    try_next=(
        N_("Fill the queue in which it waits: lab run accept-queue"),
        N_("Let the client give up while it waits: lab run gave-up-waiting"),
    ),
    tags="listening opening",
    mutation=Mutation(N_("the program calls accept() at once"), values={"at_once": True}),
)
def before_accept(lab: Lab) -> None:
    client, server = lab.pair(sysctls=PATIENT)
    listener = server.socket().listen(8888, backlog=5)
    (listening,) = lab.sockets(server, listening=True)
    lab.expect(listening.state, "LISTEN", "the listener after listen(), before any accept()")
    lab.expect(listening.recv_q, 0, "connections in the accept queue")
    lab.expect(listening.send_q, 5, "the backlog, as the socket table shows it")

    sock = client.socket().connect(server, 8888)
    peer = listener.accept() if lab.value("at_once", False) else None
    lab.settle()
    opening = lab.segments()
    waiting = lab.connection(server)
    lab.expect(waiting.state, "ESTABLISHED", "the server's connection before accept()")
    lab.expect(waiting.inode, 0, "the inode of its socket: no program owns it")
    lab.expect(lab.sockets(server, listening=True)[0].recv_q, 1, "it waits in the accept queue")

    sock.send(MESSAGE)
    lab.settle()
    acknowledged = lab.segments(sent_by=server)[-1]
    lab.expect(acknowledged.ack, 1 + len(MESSAGE), "the server's kernel acknowledges the data")
    lab.expect(lab.connection(server).recv_q, len(MESSAGE), "the data waits in the buffer")
    lab.expect(lab.connection(server).inode, 0, "and still no program owns the socket")

    peer = peer or listener.accept()
    lab.expect(lab.connection(server).inode != 0, True, "accept() gave it an inode, a descriptor")
    lab.expect(lab.connection(server).local.port, 8888, "its local port is the listener's")
    lab.expect(lab.sockets(server, listening=True)[0].recv_q, 0, "the accept queue is empty again")
    lab.expect(peer.recv(), MESSAGE, "recv() returns what was sent before accept()")

    lab.claim(
        "the handshake needs accept()",
        False,
        "it was complete while the server's program had not called accept()",
        source="D",
        evidence=opening.frames,
    )
    lab.claim(
        "a connection that waits for accept() belongs to no program",
        waiting.inode == 0,
        "its row in the socket table had inode 0; accept() gave it one",
        source="D",
        evidence=[opening.frames[-1]],
    )
    lab.claim(
        "the server needs no further port for a connection",
        True,
        "the accepted socket's local port is {port}, the listener's",
        source="D",
        port=8888,
    )
