"""What scanning UDP ports learns (row A1)."""

import socket

from fourtuple.errors import N_
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.experiments.scan import CLOSED, FILTERED, OPEN, scan
from fourtuple.lab.script import Lab
from fourtuple.lab.wire.select import datagram

SILENT = 8083


def textbook_udp_server(address: str, port: int) -> None:
    """Answers one datagram, whatever is in it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((address, port))
        _, peer = sock.recvfrom(2048)
        sock.sendto(b"yes", peer)


def exchanged(lab: Lab, port: int) -> tuple[list[str], list[int]]:
    """What crossed the wire about a UDP port, in words, and the frames."""
    words, frames = [], []
    timeline = lab.timeline()
    for number in range(1, len(timeline.frames) + 1):
        packet = timeline.frame(number).packet
        quoted = packet.quoted
        udp = quoted.udp if quoted is not None else packet.udp
        if udp is None or port not in (udp.source_port, udp.destination_port):
            continue
        what = "port unreachable" if quoted is not None else "datagram"
        words.append(what)
        frames.append(number)
    return words, frames


@experiment(
    covers="A1",
    question="How does one scan ports that know no handshake: UDP?",
    background=(
        "A datagram to a closed port is answered with ICMP port unreachable (RFC 1122, 4.1.3.1). "
        "For an open port its program alone can answer, if it likes what it got. So silence means "
        "open or filtered. And because Linux limits its ICMP messages (icmp_ratelimit), a scan of "
        "many closed ports takes long."
    ),
    try_next=(N_("Scan twenty closed ports, and look how far apart the ICMP messages come."),),
    tags="scan",
    mutation=Mutation(
        "the firewall drops what goes to the closed port, too",
        wire=lambda lab: lab.wire.drop(datagram.port(CLOSED)),
    ),
)
def scan_udp(lab: Lab) -> None:
    client, server = lab.pair()
    lab.wire.drop(datagram.to(server).port(FILTERED))  # as a firewall does
    answering = server.run(textbook_udp_server, server.address, OPEN)
    silent = server.socket("datagram").bind(SILENT)
    listener = server.socket().listen(SILENT)
    lab.settle()
    ports = OPEN, SILENT, CLOSED, FILTERED
    states = scan(client, server, "udp", ports)
    lab.expect(answering.wait(), 0, "the answering program's exit status")
    lab.settle()
    lab.expect(
        [states.get(("udp", port)) for port in ports],
        ["open", "open|filtered", "closed", "open|filtered"],
        "what the scan says of the ports that answer, are silent, closed and filtered",
    )
    of_open, open_frames = exchanged(lab, OPEN)
    lab.expect(of_open, ["datagram", "datagram"], "the open port: its program answers")
    of_closed, closed_frames = exchanged(lab, CLOSED)
    lab.expect(
        of_closed, ["datagram", "port unreachable"], "the closed port: the server's kernel answers"
    )
    of_silent, silent_frames = exchanged(lab, SILENT)
    of_filtered, filtered_frames = exchanged(lab, FILTERED)
    lab.expect([of_silent, of_filtered], [["datagram"], ["datagram"]], "the other two: silence")
    lab.claim(
        "a UDP port that does not answer is open",
        "whether a program is there that does not answer, or a firewall",
        "of the two silent ports one is open; the datagram to the other was dropped on its way",
        source="A",
        evidence=[*silent_frames, *filtered_frames],
    )
    lab.claim(
        "a closed UDP port answers with ICMP, not with RST",
        True,
        "port unreachable came back, and it quotes the datagram",
        source="A",
        evidence=closed_frames,
    )
    lab.claim(
        "the answer of an open UDP port comes from its program",
        True,
        "the program called sendto(); the kernel by itself sends nothing",
        source="A",
        evidence=open_frames,
    )
    size = len(silent.recv())
    lab.expect(size, 0, "bytes in the datagram that waited for the silent program")
    sock = client.socket().connect(server, SILENT)
    listener.accept()
    sock.close()
    lab.settle()
    lab.claim(
        "a UDP port and a TCP port of the same number are one port",
        False,
        "TCP port {port} accepts connections, UDP port {port} is another socket",
        source="A",
        evidence=lab.segments(port=SILENT).frames,
        port=SILENT,
    )
