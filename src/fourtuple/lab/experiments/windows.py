"""How a receiver holds its sender back: window 0 and the probes, scaling, no silly windows."""

import socket

from fourtuple.errors import N_
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.hosts.baseline import LINUX_RTO_MIN
from fourtuple.lab.hosts.gauges import tcp_info
from fourtuple.lab.hosts.host import Host
from fourtuple.lab.hosts.sockets import HostSocket
from fourtuple.lab.script import Lab
from fourtuple.lab.wire.select import pure_ack

#: the kernel doubles it
SMALL_BUFFER = 8192


def _small_receiver(lab: Lab, client: Host, server: Host) -> tuple[HostSocket, HostSocket]:
    """A connection whose server can take a few segments only, before its program reads."""
    buffer = lab.value("buffer", SMALL_BUFFER)
    listener = server.socket().set_option(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer).listen(8888)
    sock = client.socket().connect(server, 8888)
    lab.settle()
    return sock, listener.accept()


@experiment(
    covers="beyond:zero-window beyond:persist-timer",
    question="What does a sender do when the receiver has no room?",
    background=(
        "Every segment tells how much its sender can still take: the window. At 0 the other side "
        "has to stop, but asks from time to time whether there is room again, for the segment that "
        "would say so may get lost. The waits double, as those of lost data do (RFC 9293, 3.8.6.1)."
    ),
    try_next=(
        N_("Lose the segment that opens the window: lab run lost-window-update."),
        N_("See what send() does meanwhile: lab run full-buffer."),
    ),
    tags="window timer",
    mutation=Mutation(N_("the receiver has room for all"), values={"buffer": 200_000}),
)
def zero_window(lab: Lab) -> None:
    client, server = lab.pair(timestamps=False, sysctls=LINUX_RTO_MIN)
    sock, peer = _small_receiver(lab, client, server)
    message = lab.bytes(30_000)
    sock.send(message)
    lab.settle()
    told = lab.segments(sent_by=server)[-1]
    lab.expect(told.window, 0, "the window that the server announced last")
    lab.expect(lab.connection(client).timer, "probe", "the timer that runs at the client")
    lab.expect(lab.connection(server).recv_q, told.ack - 1, "bytes that wait for the server")

    probes = lab.wire.watch(pure_ack.sent_by(client))
    probes.wait(2)
    lab.settle()
    asked = [s for s in lab.segments(sent_by=client) if s.frame in probes.frames]
    lab.expect([s.seq for s in asked[:2]], [told.ack - 1] * 2, "their seq: one that was had before")
    lab.expect([s.length for s in asked[:2]], [0, 0], "their payload: none")
    lab.expect(tcp_info(sock).backoff >= 2, True, "the waits have been doubled")
    answers = [s for s in lab.segments(sent_by=server) if s.frame > asked[0].frame]
    lab.expect(answers[0].window, 0, "the window in the server's answer: still none")

    lab.expect(peer.recv_exactly(len(message)), message, "the program reads: all of it comes")
    lab.settle()
    opening = next(
        s for s in lab.segments(sent_by=server) if s.fact.window and s.frame > told.frame
    )
    after = lab.segments(sent_by=client, payload=True)[-1]
    lab.expect(opening.frame < after.frame, True, "the window opened first, then data came")
    lab.expect(lab.connection(client).timer, "", "the timer at the client, now: none")
    lab.claim(
        "a sender that is told window 0 sends nothing",
        False,
        "it sent probes without data, numbered {seq}, which draw an answer with the window",
        source="C",
        evidence=[told.frame, *probes.frames[:2]],
        seq=told.ack - 1,
    )


@experiment(
    covers="beyond:persist-timer beyond:zero-window",
    question="What if the segment that opens the window is lost?",
    background=(
        "It is a pure ACK, so nobody repeats it: the receiver waits for data, the sender for room. "
        "Only the sender's persist timer ends that: its next probe is answered with the window of "
        "now (RFC 9293, 3.8.6.1)."
    ),
    try_next=(
        N_("Lose the answer to the probe as well: the next one comes after twice the time."),
    ),
    tags="window timer loss",
    mutation=Mutation(N_("the wire loses nothing"), values={"lose": False}),
)
def lost_window_update(lab: Lab) -> None:
    client, server = lab.pair(timestamps=False, sysctls=LINUX_RTO_MIN)
    sock, peer = _small_receiver(lab, client, server)
    message = lab.bytes(30_000)
    sock.send(message)
    lab.settle()
    had = lab.connection(server).recv_q
    lost = lab.wire.drop(pure_ack.sent_by(server), optional=True)
    if not lab.value("lose", True):
        lost.stop()
    read = peer.recv_exactly(had)
    lab.expect(lost.count >= 1, True, "window updates that the wire lost")
    lab.expect(lab.connection(client).send_q, len(message) - had, "bytes that still wait")
    lab.expect(lab.connection(client).timer, "probe", "the timer that runs at the client")
    lost.stop()

    read += peer.recv_exactly(len(message) - had)
    lab.expect(read, message, "what the server's program has read in the end")
    lab.settle()
    probe = next(s for s in lab.segments(sent_by=client) if s.frame > lost.frames[-1])
    answer = next(s for s in lab.segments(sent_by=server) if s.frame > probe.frame)
    lab.expect(probe.length, 0, "what the client sent next: a probe")
    lab.expect(answer.window > 0, True, "the window in its answer")
    lab.claim(
        "without the persist timer both ends would wait for ever",
        True,
        "the update was lost and the server had no reason to repeat it; the client's probe asked",
        source="C",
        evidence=[*lost.frames[:1], probe.frame, answer.frame],
    )


@experiment(
    covers="beyond:window-scaling",
    question="How large can a window be?",
    background=(
        "The field has 16 bits: 65535. With the window scale option, which both SYNs must carry, "
        "it is shifted by up to 14 bits: 1 GiB at most (RFC 7323, 2). The windows in the SYNs "
        "themselves are never scaled."
    ),
    try_next=(N_("Turn it off at one end only (net.ipv4.tcp_window_scaling): neither scales."),),
    tags="window header",
    mutation=Mutation(N_("scaling is off"), sysctls={"net.ipv4.tcp_window_scaling": 0}),
)
def window_scaling(lab: Lab) -> None:
    client, server = lab.pair()
    listener = server.socket().set_option(socket.SOL_SOCKET, socket.SO_RCVBUF, 200_000).listen(8888)
    sock = client.socket().connect(server, 8888)
    lab.settle()
    peer = listener.accept()
    message = lab.bytes(150_000)
    sock.send(message)
    lab.settle()
    scale = tcp_info(peer).receive_scale
    lab.expect(scale > 0, True, "bits by which the server's windows are shifted: {n}", n=scale)
    told = lab.segments(sent_by=server)
    lab.expect(told[0].window <= 65535, True, "the window in the SYN ACK, which is not scaled")
    largest = max(told, key=lambda segment: int(segment.window))
    size = int(largest.window)
    lab.expect(size > 65535, True, "the largest window announced: {bytes} bytes", bytes=size)
    tcp = lab.timeline().packet(largest.frame).tcp
    field = tcp.window if tcp else 0
    lab.expect(field << scale, size, "the field, {field}, shifted by that", field=field)
    read = peer.recv_exactly(len(message))
    lab.expect(read, message, "what the server's program reads")
    lab.claim(
        "the largest window is 65535 bytes",
        N_("the window scale option: both SYNs must carry it"),
        "the field of frame {frame} is {field}, shifted by {scale} bits: {size} bytes",
        source="C",
        evidence=[told[0].frame, largest.frame],
        frame=largest.frame,
        field=field,
        scale=scale,
        size=size,
    )


@experiment(
    covers="beyond:zero-window",
    question="Why does a receiver not tell of every byte of room?",
    background=(
        "If it did, the sender would fill each bit of room with a tiny segment, and 40 bytes of "
        "headers would carry a few of data: the silly window. So a receiver stays at 0 until it "
        "has room for a full segment or for half of its buffer (RFC 9293, 3.8.6.2.2)."
    ),
    try_next=(N_("See what keeps a sender from tiny segments: lab run byte-by-byte."),),
    tags="window",
    mutation=Mutation(N_("the program reads a lot at once"), values={"bite": 1000}),
)
def silly_window(lab: Lab) -> None:
    client, server = lab.pair(timestamps=False)
    sock, peer = _small_receiver(lab, client, server)
    message = lab.bytes(30_000)
    sock.send(message)
    lab.settle()
    closed = lab.segments(sent_by=server)[-1]
    lab.expect(closed.window, 0, "the window that the server announced last")

    read = b"".join(peer.recv(lab.value("bite", 10)) for _ in range(8))
    lab.settle()
    news = [s for s in lab.segments(sent_by=server) if s.frame > closed.frame and s.fact.window]
    lab.expect([s.frame for s in news], [], "windows announced after 8 reads of 10 bytes")
    read += peer.recv_exactly(len(message) - len(read))
    lab.expect(read, message, "the program reads on: all of it comes")
    lab.settle()
    opened = next(s for s in lab.segments(sent_by=server) if s.frame > closed.frame and s.window)
    full = lab.payload_per_segment
    size = int(opened.window)
    lab.expect(size >= full, True, "the first window then: {bytes} bytes", bytes=size)
    lab.claim(
        "a receiver announces each byte of room",
        False,
        "8 reads made {read} bytes of room, and it stayed at window 0; then it announced {bytes} "
        "at once",
        source="C",
        evidence=[closed.frame, opened.frame],
        read=80,
        bytes=size,
    )
