"""A request and the server's close cross each other on the wire (HTTP keep-alive)."""

from fourtuple.errors import N_
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.script import Lab
from fourtuple.lab.wire.select import data, fin

REQUEST = b"GET /next HTTP/1.1\r\nHost: server\r\n\r\n"
REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@experiment(
    covers="beyond:keep-alive-race cause:data-after-close A12",
    question="Why do HTTP clients now and then get a reset on a connection that they use again?",
    background=(
        "A server closes idle connections. If the next request is on its way already, it reaches a "
        "socket that is closed: RST, and the client cannot know from that whether the request was "
        "served. RFC 9112, 9.3.1 and 9.5: retry what is idempotent, on a new connection."
    ),
    try_next=(
        N_("Let the FIN arrive first: recv() says the end before anything is lost."),
        N_("Make the client's idle time-out shorter than the server's: it then closes first."),
    ),
    tags="reset closing http",
    mutation=Mutation(N_("the FIN arrives before the request is sent"), values={"cross": False}),
)
def keep_alive_race(lab: Lab) -> None:
    client, server = lab.pair()
    listener = server.socket().listen(8888)
    sock = client.socket().connect(server, 8888)
    lab.settle()
    peer = listener.accept()
    sock.send(REQUEST)
    peer.recv()
    peer.send(REPLY)
    lab.expect(sock.recv(), REPLY, "the first request is answered, and the connection stays open")
    lab.settle()

    request_goes = data.sent_by(client)
    if lab.value("cross", True):
        crossing = lab.wire.hold(fin.sent_by(server).first(), until=request_goes)
    before = len(lab.segments())
    peer.close()
    if lab.value("cross", True):
        crossing.wait()
    else:
        lab.settle()
    lab.expect(sock.send(REQUEST), len(REQUEST), "send() of the next request succeeds")
    lab.settle()
    steps = lab.segments()[before:]
    lab.expect(steps.flags, ["FIN ACK", "PSH ACK", "RST"], "the FIN, the request, the answer to it")
    close, request, reset = steps
    lab.expect(request.ack, close.seq, "the request's ack: the FIN had not come yet")
    lab.expect(reset.from_client, False, "the RST is sent by the server")
    lab.expect(sock.recv(), b"", "recv() at the client: no reply, only the end")
    lab.expect_error("EPIPE", lambda: sock.send(REQUEST), "send() at the client")

    again = client.socket().connect(server, 8888)
    again.send(REQUEST)
    second = listener.accept()
    lab.expect(second.recv(), REQUEST, "the cure: the same request on a new connection")
    second.send(REPLY)
    lab.expect(again.recv(), REPLY, "its answer")
    lab.claim(
        "a request that send() accepted reaches the server's program",
        False,
        "it was answered with RST: no program read it",
        source="A",
        evidence=[request.frame, reset.frame],
    )
