"""Segments that no end has sent, and acknowledgments of what nobody sent (forged RST)."""

from fourtuple.errors import N_
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.hosts.gauges import counters
from fourtuple.lab.script import Lab
from fourtuple.lab.wire.select import rst, synack
from fourtuple.wire import Timestamps

MESSAGE = b"are you still there?"


@experiment(
    covers="beyond:forged-rst cause:forged",
    question="A stranger forges a RST: which number does it need?",
    background=(
        "Only the number expected next ends the connection. Any other one within the window is "
        "answered with a challenge ACK: if the peer has really given up, its next RST bears the "
        "right number. What is outside the window is dropped (RFC 5961, 3.2; RFC 9293, 3.10.7.4)."
    ),
    try_next=(
        N_("Forge a SYN: it gets a challenge ACK too: lab run stale-syn-alive"),
        N_("Work out how many guesses a window of 64 kB leaves: 2^32 / 65535."),
    ),
    tags="reset",
    mutation=Mutation(N_("the first forged number is the right one"), values={"off_by": 0}),
)
def forged_rst(lab: Lab) -> None:
    client, server = lab.pair()
    sock, peer = lab.connected(client, server)
    peer.send(MESSAGE)
    lab.settle()
    last = lab.segments(sent_by=server)[-1]
    expected = int(last.seq + last.length)

    def forge(seq: int) -> list[str]:
        before = len(lab.segments())
        lab.wire.inject(like=last, flags="RST", seq=seq, payload=b"")
        lab.settle()
        answers = lab.segments()[before + 1 :]
        return list(answers.flags)

    lab.expect(forge(expected + lab.value("off_by", 1)), ["ACK"], "off by one: a challenge ACK")
    lab.expect(lab.state(client), "ESTABLISHED", "the client's state after it")
    counted = counters(client)["TcpExtTCPChallengeACK"]
    lab.expect(counted, 1, "challenge ACKs that the client's kernel counts")
    lab.expect(forge(expected - 1), [], "one that has come already: no answer")
    lab.expect(forge(expected + 2**30), [], "far outside the window: no answer")
    sock.send(MESSAGE)
    lab.settle()
    lab.expect(peer.recv(), MESSAGE, "the connection lives on")

    lab.expect(forge(expected), [], "the number expected next: no answer")
    lab.expect(lab.state(client), "CLOSED", "the client's state: it cannot tell who sent it")
    lab.expect(sock.recv(), MESSAGE, "recv() at the client: what had come before is not lost")
    lab.claim(
        "any RST of a connection ends it",
        False,
        "of four forged ones, only that with the number expected next did",
        source="A",
        evidence=[s.frame for s in lab.segments() if s.flags == "RST"],
    )


@experiment(
    covers="cause:invalid-ack reason:TCP_INVALID_ACK_SEQUENCE reason:TCP_RFC7323_PAWS",
    question="A SYN ACK comes that does not answer our SYN: what does the client do?",
    background=(
        "In SYN_SENT, an ACK of what was never sent is answered with RST, and the attempt goes on: "
        "Linux repeats its SYN at once (RFC 9293, 3.10.7.3). So is one whose timestamp echoes none "
        "of ours (RFC 7323, 3.2). The RST's number is the wrong acknowledgment."
    ),
    try_next=(
        N_("Let such a SYN ACK come because the client has forgotten its SYN: lab run stale-syn"),
    ),
    tags="reset opening",
    mutation=Mutation(N_("the forged SYN ACK is right"), values={"off_by": 0}),
)
def wrong_syn_ack(lab: Lab) -> None:
    client, server = lab.pair()
    listener = server.socket().listen(8888)
    real = lab.wire.hold(synack.sent_by(server))
    lost = lab.wire.drop(rst.sent_by(client))
    attempt = client.socket().begin.connect(server, 8888)
    real.wait()
    answer = lab.segments(flags="SYN ACK")[0]
    before = len(lab.segments())
    lab.wire.inject(like=answer, ack=1 + lab.value("off_by", 1000))
    lab.settle(unanswered=True)
    wrong, reset = lab.segments()[before : before + 2]
    lab.expect(reset.flags, "RST", "the answer to an acknowledgment that is off by 1000")
    lab.expect(reset.raw_seq, wrong.raw_ack, "the RST's number: what was acknowledged")
    real.wait(2)
    asked = lab.segments(sent_by=client)
    lab.expect(asked.flags, ["SYN", "RST", "SYN"], "after the RST the client asks again, at once")
    lab.expect(lab.state(client), "SYN_SENT", "the client's state: the attempt goes on")

    lab.wire.inject(like=answer, options=(Timestamps(value=1, echo=1),))
    lost.wait(2)
    lab.settle(unanswered=True)
    asked = lab.segments(sent_by=client)
    lab.expect(asked.flags[3:], ["RST"], "the answer to a timestamp echoed that we never sent")
    lab.expect(attempt.returned, False, "connect() has returned")
    real.release()
    attempt.result()
    lab.settle()
    lab.expect(lab.state(client), "ESTABLISHED", "the client's state after the real SYN ACK")
    listener.accept()
    lab.claim(
        "any SYN ACK opens the connection",
        False,
        "two that did not fit the SYN were answered with RST; the real one opened it",
        source="A",
        evidence=lab.segments(flags="SYN ACK").frames,
    )
