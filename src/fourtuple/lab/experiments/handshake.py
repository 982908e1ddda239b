"""How a connection is opened (rows A5, B2, C1, E2)."""

from fourtuple.errors import N_
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.script import Lab
from fourtuple.lab.wire.select import syn as any_syn


@experiment(
    covers="A5 E2 B2 C1",
    question="Which three segments open a connection, and what does each end know after each?",
    background=(
        "Each end picks a first sequence number of its own and must learn the other's: SYN, "
        "SYN ACK, ACK (RFC 9293, 3.5). connect() returns when the client's kernel has sent the "
        "third; the server's kernel does its part without any call of the server's program."
    ),
    try_next=(
        N_("Lose the third segment: lab run third-segment-lost"),
        N_("Look at a connection that no program has accepted yet: lab run before-accept"),
    ),
    tags="opening",
    mutation=Mutation(
        N_("the network delivers the SYN twice"),
        wire=lambda lab: lab.wire.duplicate(any_syn.first()),
    ),
)
def handshake(lab: Lab) -> None:
    client, server = lab.pair()
    listener = server.socket().listen(8888)
    client.socket().connect(server, 8888)
    lab.settle()

    steps = lab.segments()
    lab.expect(steps.flags, ["SYN", "SYN ACK", "ACK"], "flags of the three segments")
    lab.expect(steps.every("seq"), [0, 0, 1], "sequence numbers, relative to each side's first")
    lab.expect(steps.every("ack"), [None, 1, 1], "acknowledgment numbers")
    lab.expect(steps.lengths, [0, 0, 0], "payload bytes")
    syn, syn_ack, ack = steps
    lab.expect(
        syn_ack.raw_ack, (syn.raw_seq + 1) % 2**32, "the SYN ACK confirms the client's x + 1"
    )
    lab.expect(ack.raw_ack, (syn_ack.raw_seq + 1) % 2**32, "the ACK confirms the server's y + 1")
    lab.expect(lab.states(client), ["SYN_SENT", "ESTABLISHED"], "states of the client's socket")
    lab.expect(lab.states(server), ["SYN_RECV", "ESTABLISHED"], "states of the server's socket")

    reached = lab.states(server).frames[-1]
    lab.expect(reached, ack.frame, "the frame with which the server's socket is ESTABLISHED")
    lab.claim(
        "both ends are ESTABLISHED when the third segment is sent",
        False,
        "the server's socket was still SYN_RECV, and ESTABLISHED once that segment had arrived",
        source="A",
        evidence=[ack.frame],
    )
    lab.claim(
        "a SYN uses one sequence number, though it carries no data",
        syn.length == 0 and syn_ack.ack == 1,
        "this one carries 0 bytes with seq 0, and its answer acknowledges 1",
        source="A",
        evidence=[syn.frame, syn_ack.frame],
    )

    listener.accept()
    lab.expect(lab.connection(server).state, "ESTABLISHED", "accept() changes no state")
    lab.expect(len(lab.segments()), 3, "segments in all: accept() sends none")
