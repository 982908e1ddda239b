"""How fast a sender begins: slow start, seen as flights on the wire."""

import socket

from fourtuple.errors import N_
from fourtuple.lab.evidence import ObservedSegment, Segments
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.hosts.baseline import PATIENT
from fourtuple.lab.hosts.gauges import tcp_info
from fourtuple.lab.script import Lab
from fourtuple.lab.wire.select import data, segment


def read_to_the_end(address: str) -> None:
    """A server's program: it reads as fast as it can, and prints how many bytes there were."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 8888), family=family) as listener:
        print("listening", flush=True)
        peer, _ = listener.accept()
        with peer:
            print(sum(iter(lambda: len(peer.recv(65536)), 0)), flush=True)


@experiment(
    covers="beyond:slow-start",
    question="How many segments does a sender put on the way at once?",
    background=(
        "It does not know what the path can take, so it begins with 10 segments (RFC 6928) and "
        "adds one for each that is acknowledged: the number on the way doubles each round trip "
        "(slow start, RFC 5681, 3.1). The wire delays what the server sends, so that the flights "
        "stand apart."
    ),
    try_next=(
        N_("Drop one segment of the second flight: the window is halved, and grows by one a trip."),
        N_("Give the route initcwnd 4, as it was before RFC 6928."),
    ),
    tags="congestion",
    mutation=Mutation(
        N_("the wire loses a segment of the second flight"),
        wire=lambda lab: lab.wire.drop(data.nth(14)),
    ),
)
def slow_start(lab: Lab) -> None:
    client, server = lab.pair(congestion="reno", timestamps=False, sysctls=PATIENT)
    program = server.run(read_to_the_end, server.address)
    lab.until(lambda: program.output, "The server's program does not listen yet.")
    lab.wire.delay(segment.sent_by(server), 0.05)
    sock = client.socket().connect(server, 8888)
    first = tcp_info(sock).snd_cwnd
    lab.expect(first, 10, "the congestion window at the beginning, in segments")
    message = lab.bytes(70 * lab.payload_per_segment)
    sock.send(message)
    lab.settle()

    flights = _flights(lab.segments())
    lab.expect([len(flight) for flight in flights], [10, 20, 40], "segments in each flight")
    lab.expect(tcp_info(sock).snd_cwnd, 80, "the congestion window at the end: 10 + 70")
    sock.close()
    program.wait()
    lab.settle()
    lab.expect(program.output.split()[-1], str(len(message)), "bytes that the server has read")
    lab.claim(
        "a sender may send as much as the receiver's window allows",
        N_("the congestion window: the smaller of the two counts"),
        "the receiver's window was {window} bytes, and the first flight had {count} segments of "
        "{size} bytes",
        source="A",
        evidence=[s.frame for flight in flights for s in (flight[0], flight[-1])],
        window=flights[0][0].window,
        count=len(flights[0]),
        size=flights[0][0].length,
    )


def _flights(segments: Segments) -> list[list[ObservedSegment]]:
    """The client's data, parted into flights: one ends where the ACK of its first segment has
    set new ones free."""
    flights: list[list[ObservedSegment]] = []
    for one in (s for s in segments if s.from_client and s.length):
        begun = flights[-1][0] if flights else None
        acks = [s for s in segments if not s.from_client and s.fact.left_ns <= one.fact.t_ns]
        if begun is None or any(s.ack and s.ack > begun.seq for s in acks):
            flights.append([])
        flights[-1].append(one)
    return flights
