"""How a connection is closed (rows A6, E4)."""

from fourtuple.lab.experiment import experiment
from fourtuple.lab.script import Lab


@experiment(
    covers="A6 E4 E2",
    question="Why does closing take four segments, and which end waits afterwards?",
    background=(
        "Each direction is closed on its own: a FIN says that no more bytes come that way, and "
        "is acknowledged like a byte (RFC 9293, 3.6). The server's program closes only after its "
        "kernel has acknowledged the client's FIN; closing at once would put both into one segment."
    ),
)
def close(lab: Lab) -> None:
    client, server = lab.pair()
    listener = server.socket().listen(8888)
    sock = client.socket().connect(server, 8888)
    lab.settle()
    peer = listener.accept()
    opening = len(lab.segments())

    sock.close()
    lab.settle()
    lab.expect(lab.state(client), "FIN_WAIT2", "the client's state once its FIN is acknowledged")
    lab.expect(lab.state(server), "CLOSE_WAIT", "the server's state before its program closes")
    lab.expect(peer.recv(), b"", "recv() at the server: the end of the client's bytes")
    peer.close()
    lab.settle()

    steps = lab.segments()[opening:]
    lab.expect(steps.flags, ["FIN ACK", "ACK", "FIN ACK", "ACK"], "the four segments")
    senders = ["client" if step.from_client else "server" for step in steps]
    lab.expect(senders, ["client", "server", "server", "client"], "who sent them")
    lab.expect(steps.every("ack")[1], steps[0].seq + 1, "ack of the client's FIN: its seq + 1")
    lab.expect(steps.every("ack")[3], steps[2].seq + 1, "ack of the server's FIN: its seq + 1")
    lab.expect(
        lab.states(client)[2:],
        ["FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT"],
        "states of the client's socket, which closed first",
    )
    lab.expect(
        lab.states(server)[2:],
        ["CLOSE_WAIT", "LAST_ACK", "CLOSED"],
        "states of the server's socket",
    )

    waiting = lab.connection(client)
    lab.expect(waiting.timer, "time-wait", "the timer that runs at the client")
    seconds = round(waiting.timer_ms / 1000)
    lab.expect(50 <= seconds <= 60, True, "TIME_WAIT lasts 60 s on Linux: {s} s left", s=seconds)
    frames = steps.frames
    lab.claim(
        "close takes four segments",
        "when the other program closes: if at once, its FIN carries the ACK, and there are three",
        "here the server's kernel had acknowledged the FIN before its program closed",
        source="A",
        evidence=frames,
    )
    lab.claim(
        "the end that closes first waits",
        lab.state(client) == "TIME_WAIT" and not lab.sockets(server),
        "the client sent the first FIN and is in TIME_WAIT; the server has no socket left",
        source="E",
        evidence=[frames[0], frames[3]],
    )
    lab.claim(
        "TIME_WAIT lasts 2 MSL",
        False,
        "Linux waits 60 s whatever the MSL is (TCP_TIMEWAIT_LEN); its timer has {seconds} s left",
        source="E",
        evidence=[frames[3]],
        seconds=seconds,
    )
    lab.claim(
        "the server is CLOSED as soon as the last ACK arrives",
        lab.states(server).frames[-1] == frames[3],
        "its socket was gone once that segment had arrived",
        source="E",
        evidence=[frames[3]],
    )
