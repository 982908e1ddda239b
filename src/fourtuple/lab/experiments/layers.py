"""What a frame is made of, layer by layer, and what the flags of a segment say (rows C2, E1)."""

import socket

from fourtuple.errors import N_
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.script import Lab

MESSAGE = b"Hello, layers!"
PORT, UNUSED_PORT = 8888, 9999


@experiment(
    covers="C2",
    question="What do the layers add to 14 bytes of a program?",
    background=(
        "Each layer puts a header before what it is given, and reads its own alone: TCP or UDP, "
        "then IP, then Ethernet. OSI counts them 4 (transport), 3 (network) and 2 (data link); 5 "
        "to 7 are the program's affair. The Internet's own model has application, transport, "
        "internet and link (RFC 1122, 1.1.3)."
    ),
    try_next=(
        N_("Turn timestamps on: the transport layer then adds 12 bytes more."),
        N_("Run it over IPv6: the internet layer's header grows to 40 bytes."),
    ),
    tags="layers",
    mutation=Mutation(N_("timestamps are on"), sysctls={"net.ipv4.tcp_timestamps": 1}),
)
def layers(lab: Lab) -> None:
    client, server = lab.pair(timestamps=False)
    sock, peer = lab.connected(client, server)
    sock.send(MESSAGE)
    lab.expect(peer.recv(), MESSAGE, "what the server's program is given: the message alone")
    lab.settle()

    carrier = lab.segments(sent_by=client, payload=True)[0].frame
    seen = lab.timeline().packet(carrier)
    heads = [f"{view.name} {len(view.header)}" for view in seen.layers[:-1]]
    internet = "IPv4 20" if lab.family == 4 else "IPv6 40"
    lab.expect(
        heads,
        ["Ethernet 14", internet, "TCP 20"],
        "headers and their bytes: link (OSI 2), internet (OSI 3: network), transport (OSI 4)",
        evidence=[carrier],
    )
    lab.expect(seen.payload, MESSAGE, "the rest: application (OSI 5 to 7)", evidence=[carrier])
    size = 14 + int(internet.split()[1]) + 20 + len(MESSAGE)
    lab.expect(len(seen.data), size, "bytes of the frame: their sum", evidence=[carrier])
    lab.claim(
        "each layer puts its header before what the layer above gives it",
        True,
        "{message} bytes of a program became a frame of {frame} bytes",
        source="C",
        evidence=[carrier],
        message=len(MESSAGE),
        frame=len(seen.data),
    )


def print_size_of_one_datagram(family: int) -> None:
    """A program with a raw socket: it prints how many bytes of a UDP datagram it is given."""
    with socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_UDP) as sock:
        print("open", flush=True)
        print(len(sock.recv(65536)), flush=True)


@experiment(
    covers="C2 A2",
    question="At which layer is a socket, and at which is ICMP?",
    background=(
        "A socket is a program's door to a layer below: a stream socket to TCP, a datagram socket "
        "to UDP, a raw socket to IP itself (raw(7), socket(2)). ICMP is carried by IP as TCP is, "
        "but has no ports and serves no program: it is a part of IP (RFC 792; RFC 1122, 3.2.2)."
    ),
    try_next=(N_("Open a raw socket for ICMP, and print what comes for the unused port."),),
    tags="layers udp",
    mutation=Mutation(N_("a program waits at the other port too"), values={"used": True}),
)
def socket_kinds(lab: Lab) -> None:
    client, server = lab.pair()
    raw = server.run(print_size_of_one_datagram, int(server.family))
    lab.until(lambda: raw.output, "The program with the raw socket has not opened it.")
    waiting = server.socket("datagram").bind(PORT)
    sender = client.socket("datagram")
    sender.send_to(MESSAGE, server, PORT)
    lab.expect(waiting.recv_from(), MESSAGE, "what the datagram socket is given")
    raw.wait()
    given = int(raw.output.split()[-1])
    internet = 20 if lab.family == 4 else 0  # RFC 3542, section 3: never the IPv6 header
    what = "bytes that the raw socket is given: headers too (of IP over IPv4 only)"
    lab.expect(given, internet + 8 + len(MESSAGE), what)

    if lab.value("used", False):
        server.socket("datagram").bind(UNUSED_PORT)
    sender.send_to(MESSAGE, server, UNUSED_PORT)
    lab.settle()
    (refusal,) = lab.packets(sent_by=server) or [lab.packets()[-1]]
    icmp = "ICMP" if lab.family == 4 else "ICMPv6"
    names = [view.name for view in refusal.packet.layers[:3]]
    ip = f"IPv{lab.family}"
    lab.expect(
        names, ["Ethernet", ip, icmp], "the answer for the other port", evidence=[refusal.number]
    )
    quoted = refusal.packet.quoted
    about = quoted.udp.destination_port if quoted and quoted.udp else None
    lab.expect(about, UNUSED_PORT, "the port that it is about, in the packet that it quotes")
    lab.claim(
        "ICMP is a transport protocol",
        False,
        "it travels in IP as TCP and UDP do, but has no ports: the only ones in frame {frame} are "
        "those of the datagram that it quotes",
        source="C",
        evidence=[refusal.number],
        frame=refusal.number,
    )
    lab.claim(
        "sockets are at the TCP layer",
        False,
        "of the same datagram a datagram socket got {message} bytes, through UDP, and a raw socket "
        "{raw}, through IP alone",
        source="C",
        evidence=[lab.packets(sent_by=client)[0].number],
        message=len(MESSAGE),
        raw=given,
    )


@experiment(
    covers="E1 B2",
    question="What does each flag of a segment say, and who sets it?",
    background=(
        "SYN and FIN open and close a direction, and take a number each. ACK: the acknowledgment "
        "number counts. RST: the connection is no more. PSH: the sender had no more to send just "
        "then. URG: the urgent pointer counts (RFC 9293, 3.1)."
    ),
    try_next=(
        N_("Read the last byte with recv(MSG_OOB), or set SO_OOBINLINE."),
        N_("See the other ways to a RST: lab list --tag reset."),
    ),
    tags="header",
    mutation=Mutation(N_("the byte is sent as any other"), values={"flags": 0}),
)
def flags(lab: Lab) -> None:
    client, server = lab.pair(timestamps=False)
    sock, peer = lab.connected(client, server)
    opening = lab.segments()
    lab.expect(opening.flags, ["SYN", "SYN ACK", "ACK"], "flags that open a connection")

    sock.send(lab.bytes(2 * lab.payload_per_segment + 30))
    lab.settle()
    data = lab.segments(sent_by=client, payload=True)
    lab.expect(data.flags, ["ACK", "ACK", "PSH ACK"], "one send, three segments: PSH on the last")
    sock.call("send", b"!", lab.value("flags", int(socket.MSG_OOB))).result()
    lab.settle()
    urgent = lab.segments(sent_by=client, payload=True)[-1]
    lab.expect(urgent.flags, "PSH ACK URG", "send(MSG_OOB): a byte sent as urgent")

    peer.recv_exactly(data[2].next_seq - 1)
    peer.shutdown("write")
    lab.settle()
    lab.expect(lab.segments(sent_by=server)[-1].flags, "FIN ACK", "the server closes its direction")
    sock.send(b"more")
    lab.settle()
    peer.close()
    lab.settle()
    lab.expect(lab.segments()[-1].flags, "RST ACK", "close() with unread data")
    seen = {flag for one in lab.segments().flags for flag in one.split()}
    lab.expect(sorted(seen), ["ACK", "FIN", "PSH", "RST", "SYN", "URG"], "the flags that were seen")
    lab.claim(
        "PSH means that data was sent",
        False,
        "two segments of {bytes} bytes each left without PSH; it marks where the sender had no "
        "more to send",
        source="E",
        evidence=data.frames,
        bytes=data[0].length,
    )
