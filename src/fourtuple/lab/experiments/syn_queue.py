"""Half-open connections: the SYN queue, its limit, cookies, and how long an entry lives
(rows C3, C4, C5, C6; SYN flood)."""

import socket
import time
from itertools import pairwise
from math import log2

from fourtuple.errors import N_
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.hosts.gauges import counters
from fourtuple.lab.hosts.host import Host
from fourtuple.lab.script import Lab
from fourtuple.lab.wire.select import pure_ack, synack

TCP_SYNCNT = (socket.IPPROTO_TCP, socket.TCP_SYNCNT)
NO_ROOM = "TcpExtTCPReqQFullDrop"


def flood(address: str, count: int) -> None:
    """SYNs from as many ports, each forgotten as soon as it is sent."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for _ in range(count):
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.setblocking(False)
            sock.connect_ex((address, 8888))


def ask(lab: Lab, client: Host, server: Host, port: int = 8888) -> None:
    """One SYN of a client that forgets it at once: nothing is sent again."""
    sock = client.socket().set_timeout(0)
    lab.expect_error("EINPROGRESS", lambda: sock.connect(server, port), "connect() without waiting")
    lab.settle(unanswered=True)
    sock.close()


@experiment(
    covers="C3 E2",
    question="Where is a connection between the SYN and the last ACK?",
    background=(
        "The server's kernel keeps a small request socket, in state SYN_RECV: no program owns it, "
        "and accept() does not see it. The ACK turns it into a full socket in the accept queue. "
        "Since Linux 4.4 these entries lie in the same table as the connections."
    ),
    try_next=(
        N_("Let the ACK never come: lab run synack-retries"),
        N_("Ask for more of them than the listener allows: lab run half-open-limit"),
    ),
    tags="listening queues opening",
    mutation=Mutation(N_("the ACK is not held back"), values={"hold": False}),
)
def syn_queue(lab: Lab) -> None:
    client, server = lab.pair()
    listener = server.socket().listen(8888)
    if lab.value("hold", True):
        ack = lab.wire.hold(pure_ack.sent_by(client).first())
    client.socket().connect(server, 8888)
    lab.settle(unanswered=True)
    entry = lab.connection(server)
    lab.expect(entry.state, "SYN_RECV", "the server's entry while the ACK is held")
    lab.expect(entry.inode, 0, "its owner: no program")
    lab.expect(entry.timer, "retransmit", "its timer, which will repeat the SYN ACK")
    lab.expect(lab.sockets(server, listening=True)[0].recv_q, 0, "connections for accept()")

    waiting = listener.begin.accept()
    lab.settle(unanswered=True)
    lab.expect(waiting.returned, False, "accept() returns while the ACK is held")
    ack.release()
    waiting.result()
    lab.settle()
    lab.expect(lab.connection(server).state, "ESTABLISHED", "the server's connection after the ACK")
    lab.expect(lab.connection(server).timer, "", "its timer")
    lab.claim(
        "accept() takes part in the handshake",
        False,
        "it returned when the third segment had arrived, and sent none itself",
        source="C",
        evidence=ack.frames,
    )


@experiment(
    covers="C4",
    question="How many half-open connections does a listener allow?",
    background=(
        "As many as its backlog, and one (inet_csk_reqsk_queue_is_full). Beyond that, without "
        "cookies, a SYN is dropped and counted in TCPReqQFullDrop. Here no SYN ACK arrives, so "
        "that all stay half-open. net.ipv4.tcp_max_syn_backlog is a limit too: its last quarter is "
        "for known peers."
    ),
    try_next=(
        N_("Answer with cookies instead: lab run syn-flood"),
        N_("Set net.ipv4.tcp_max_syn_backlog to 4, and the backlog to 100."),
    ),
    tags="listening queues",
    mutation=Mutation(N_("the backlog is 8"), values={"backlog": 8}),
)
def half_open_limit(lab: Lab) -> None:
    client, server = lab.pair(sysctls={"net.ipv4.tcp_syncookies": 0})
    server.socket().listen(8888, backlog=lab.value("backlog", 4))
    lab.wire.drop(synack.sent_by(server))
    for _ in range(5):
        ask(lab, client, server)
    entries = lab.sockets(server)
    lab.expect([row.state for row in entries], ["SYN_RECV"] * 5, "entries with a backlog of 4")
    before = counters(server)
    ask(lab, client, server)
    lab.expect(len(lab.sockets(server)), 5, "entries after a sixth SYN")
    counted = counters(server)
    named = (NO_ROOM, "TcpExtListenDrops", "TcpExtListenOverflows")
    grown = [counted[name] - before[name] for name in named]
    lab.expect(grown, [1, 1, 0], "growth of TCPReqQFullDrop, ListenDrops, ListenOverflows")
    lab.expect(lab.sockets(server, listening=True)[0].recv_q, 0, "connections for accept()")
    lab.claim(
        "the backlog bounds the half-open connections",
        "net.ipv4.tcp_syncookies: with 0 it bounds them, to one more than it says; with 1, the "
        "default, more are answered; and it bounds the accept queue too",
        "with a backlog of 4 there were {count} entries, and the sixth SYN was dropped",
        source="C",
        evidence=lab.segments(flags="SYN").frames,
        count=len(entries),
    )


@experiment(
    covers="beyond:syn-cookies beyond:syn-flood C4",
    question="A server of one's own is flooded with SYNs: who still gets a connection?",
    background=(
        "A flood of SYNs from clients that never answer fills the half-open entries. Without "
        "cookies an honest SYN is dropped. With them (RFC 4987, 3.6) the server puts what it must "
        "remember into its sequence number, and keeps no entry at all: the ACK brings it back."
    ),
    try_next=(
        N_("See how long the entries stay: lab run synack-retries"),
        N_("Look for TCPReqQFullDoCookies in your own server's counters: nstat -az"),
    ),
    tags="listening queues",
    mutation=Mutation(N_("cookies are always off"), values={"cookies": 0}),
)
def syn_flood(lab: Lab) -> None:
    client, server = lab.pair(sysctls={"net.ipv4.tcp_syncookies": 0})
    listener = server.socket().listen(8888, backlog=4)
    # ports that the client's kernel chooses: the honest client below has another. What comes late,
    # on a busy machine, would be answered with RST, which removes an entry
    lab.wire.drop(synack.sent_by(server).matching(destination_port=range(32768, 65536)))
    ask(lab, client, server)  # so that the flood need not wait for an address to be resolved
    lab.expect(
        client.run(flood, server.address, 12).wait(), 0, "exit status of the flooding program"
    )
    lab.settle(unanswered=True)
    entries = lab.sockets(server)
    lab.expect(len(entries), 5, "half-open entries, of thirteen SYNs: the listener allows no more")
    lab.expect({row.timer for row in entries}, {"retransmit"}, "what alone ends them: a timer")
    before = counters(server)[NO_ROOM]
    ask(lab, client, server)
    lab.expect(counters(server)[NO_ROOM] - before, 1, "an honest SYN, without cookies: dropped")

    server.sysctl("net.ipv4.tcp_syncookies", lab.value("cookies", 1))
    honest = client.socket().bind(4000).set_timeout(0)
    lab.expect_error(
        "EINPROGRESS", lambda: honest.connect(server, 8888), "connect() with cookies on"
    )
    lab.settle(unanswered=True)
    counted = counters(server)
    lab.expect(counted["TcpExtTCPReqQFullDoCookies"], 1, "SYNs answered with a cookie")
    lab.expect(counted["TcpExtSyncookiesRecv"], 1, "cookies that came back and were right")
    honest.send(b"honest")
    peer = listener.accept()
    lab.settle(unanswered=True)
    lab.expect(peer.recv(), b"honest", "what the server reads from the honest client")
    lab.expect(len(lab.sockets(server)), 6, "the server's sockets: the entries, and its connection")
    lab.claim(
        "a SYN flood keeps everybody out",
        "net.ipv4.tcp_syncookies: with 0 it does; with 1, the default, an honest client gets in",
        "five entries filled the queue, and a SYN was dropped; with cookies the next was served",
        source="C",
        evidence=lab.segments(flags="SYN").frames[-2:],
    )


@experiment(
    covers="C5 C6 C3",
    question="A client sends one SYN and falls silent: how long does the server keep its entry?",
    background=(
        "The SYN ACK is repeated after 1, 2, 4 ... s, net.ipv4.tcp_synack_retries times (5); "
        "TCP_SYNCNT of the listener comes before it. After the last wait the entry is gone, and "
        "nothing is sent: 63 s in all with 5. Here the first listener never repeats, the second "
        "does; the kernel's timers tell the waits."
    ),
    try_next=(
        N_("Wait for the end of every entry: lab run --slow half-open-life"),
        N_("See many such clients at once: lab run syn-flood"),
    ),
    tags="listening queues timer",
    mutation=Mutation(
        N_("the SYN ACK is repeated once by default"), sysctls={"net.ipv4.tcp_synack_retries": 1}
    ),
)
def synack_retries(lab: Lab) -> None:
    client, server = lab.pair(sysctls={"net.ipv4.tcp_synack_retries": 0})
    server.socket().listen(8888)
    server.socket().set_option(*TCP_SYNCNT, 5).listen(8889)
    lab.wire.drop(synack.sent_by(server))
    for port in (8888, 8889):
        ask(lab, client, server, port)
    entries = lab.sockets(server)
    lab.expect([row.state for row in entries], ["SYN_RECV"] * 2, "the two entries")
    for row in entries:
        lab.expect(row.timer_ms <= 1000, True, "first wait at port {port}: {left} ms left of 1000",
                   port=int(row.local.port), left=int(row.timer_ms))  # fmt: skip
    lab.until(
        lambda: any(row.retransmits for row in lab.sockets(server)),
        N_("No SYN ACK has been repeated."),
    )
    lab.settle(unanswered=True)
    lab.expect(
        [row.local.port for row in lab.sockets(server)],
        [8889],
        "the entry that is left: that of the listener which repeats",
    )
    left = lab.connection(server)
    lab.expect(left.timer_ms > 1020, True, "its second wait has {left} ms left of 2000",
               left=int(left.timer_ms))  # fmt: skip
    repeated = lab.segments(sent_by=server, port=8889)
    lab.expect(repeated.flags, ["SYN ACK"] * 2, "what the second listener's entry has sent")
    once = lab.segments(sent_by=server, port=8888)
    lab.expect(once.flags, ["SYN ACK"], "what the first one's entry sent: it was gone after 1 s")
    lab.claim(
        "the victim of a SYN flood holds each entry for the sum of the waits",
        True,
        "without repetition the entry was gone after its one wait; with some the next wait began, "
        "and it was about twice as long",
        source="C",
        evidence=[*once.frames, *repeated.frames],
    )


@experiment(
    covers="C5 C6",
    question="How long does a half-open entry live, for several numbers of repetitions?",
    background=(
        "With n repetitions 2^(n+1) - 1 s: the waits of 1, 2, 4 ... s and the last one. A client "
        "that repeats its own SYN keeps its entry longer: each SYN is answered once more, and the "
        "wait begins anew (tcp_check_req)."
    ),
    try_next=(N_("Watch such entries of your own server: ss -tno state syn-recv"),),
    tags="listening queues timer",
    slow=True,
    mutation=Mutation(N_("TCP_SYNCNT is 1 at each listener"), values={"most": 1}),
)
def half_open_life(lab: Lab) -> None:
    client, server = lab.pair()
    most = lab.value("most", 5)
    counts = {8881: 1, 8882: min(most, 2), 8883: min(most, 2), 8885: most}
    for port, count in counts.items():
        server.socket().set_option(*TCP_SYNCNT, count).listen(port)
    lab.wire.drop(synack.sent_by(server))
    begun: dict[int, float] = {}
    for port in (8881, 8882, 8885):
        begun[port] = time.monotonic()
        ask(lab, client, server, port)
    client.socket().set_timeout(0).call("connect_ex", [server.address, 8883]).result()
    lab.settle(unanswered=True)
    gone: dict[int, float] = {}

    def all_gone() -> bool:
        left = {row.local.port for row in lab.sockets(server)}
        for port in counts.keys() - left:
            gone.setdefault(port, time.monotonic())
        return len(gone) == len(counts)

    lab.until(all_gone, N_("There is still an entry."))
    for port, count in ((8881, 1), (8882, 2), (8885, 5)):
        sent = lab.segments(sent_by=server, port=port)
        # a kernel's long timers fire late, by an eighth at most (kernel/time/timer.c)
        doublings = [round(log2((b.t_ns - a.t_ns) / 1e9)) for a, b in pairwise(sent)]
        waits = [2**n for n in range(count)]
        lab.expect(
            [2**n for n in doublings],
            waits,
            "port {port}: seconds between the SYN ACKs, as powers of 2",
            port=port,
        )
        life, least = int(gone[port] - begun[port]), sum(waits) + 2**count
        lab.expect(
            least <= life <= least * 9 // 8 + 1,
            True,
            "port {port}: seconds that the entry lived: {life}, {least} at least",
            port=port,
            life=life,
            least=least,
        )
    lab.expect(gone[8883] > gone[8882], True, "the one whose client repeats its SYN lived longer")
    lab.claim(
        "the victim of a SYN flood holds each entry for the sum of the waits",
        True,
        "with 1 repetition the entry lived 1 + 2 s, with 5 it lived 1 + 2 + 4 + 8 + 16 + 32 s",
        source="C",
        evidence=lab.segments(sent_by=server, port=8885).frames,
    )
