"""One message each way, and an orderly end (rows A4, C1)."""

from fourtuple.errors import N_
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.hosts.baseline import PATIENT
from fourtuple.lab.script import Lab

CLIENT_SAYS = b"20240001 Alice"
SERVER_SAYS = b"20240002 Chloe"


@experiment(
    covers="A4 C1",
    question="What does one message each way look like, from connect() to the last ACK?",
    background=(
        "Every byte has a number; an acknowledgment names the next one expected (RFC 9293, 3.4). "
        "Here each side sends its identity and name, 14 bytes, and the client closes first."
    ),
    try_next=(
        N_("Let the server speak first: which of the numbers change?"),
        N_("Let the server answer at once: its segment takes the acknowledgment along."),
    ),
    tags="data close",
    mutation=Mutation(N_("the client's name is longer"), values={"name": b"20240001 Alexandra"}),
)
def exchange(lab: Lab) -> None:
    client, server = lab.pair(sysctls=PATIENT)
    listener = server.socket().listen(8888)
    sock = client.socket().connect(server, 8888)
    lab.settle()
    peer = listener.accept()

    sock.send(lab.value("name", CLIENT_SAYS))
    lab.expect(peer.recv_exactly(14), CLIENT_SAYS, "what the server's program reads")
    lab.settle()
    peer.send(SERVER_SAYS)
    lab.expect(sock.recv_exactly(14), SERVER_SAYS, "what the client's program reads")
    lab.settle()

    request, reply = lab.segments(payload=True)
    lab.expect(request.seq, 1, "seq of the client's message")
    lab.expect(request.length, 14, "length of the client's message")
    lab.expect(reply.seq, 1, "seq of the server's message")
    lab.expect(reply.length, 14, "length of the server's message")
    confirmed, answered = (
        lab.segments(sent_by=host, payload=False)[-1] for host in (server, client)
    )
    lab.expect(confirmed.ack, 15, "the server's kernel acknowledges 1 + 14")
    lab.expect(answered.ack, 15, "the client's kernel acknowledges 1 + 14")

    sock.close()
    lab.settle()  # the server's kernel delays its ACK of the FIN: let it leave first
    lab.expect(peer.recv(), b"", "recv() at the server after the client's close: the end")
    peer.close()
    lab.settle()
    fin = lab.segments(sent_by=client, flags="FIN ACK")[0]
    lab.expect(fin.seq, 15, "seq of the client's FIN")
    lab.expect(
        lab.segments(sent_by=server)[-1].ack, 16, "the FIN counts one: the server's last ack"
    )
    lab.expect(lab.segments(sent_by=client)[-1].ack, 16, "and the client's last ack")

    pure = lab.segments(sent_by=client, payload=False, flags="ACK")[0]
    lab.claim(
        "a pure ACK uses no sequence number",
        pure.seq == request.seq == 1,
        "the client's pure ACK has seq {seq}, and so has the first byte of data after it",
        source="A",
        evidence=[pure.frame, request.frame],
        seq=pure.seq,
    )
