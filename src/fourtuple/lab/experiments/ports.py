"""The client's port: how it is chosen, shared, and runs out (row D7)."""

import socket
from itertools import pairwise

from fourtuple.errors import N_
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.hosts.host import Host
from fourtuple.lab.script import Lab
from fourtuple.system.namespaces import inside
from fourtuple.system.sysctl import read_sysctl

RANGE = "net.ipv4.ip_local_port_range"

#: net/core/secure_seq.c, EPHEMERAL_PORT_SHUFFLE_PERIOD (Linux 5.18)
_SHUFFLE_NS = 10_000_000_000


def range_of(host: Host) -> tuple[int, int]:
    """The first and the last port that the host's kernel gives to clients."""
    with inside(host.namespace):
        first, last = map(int, read_sysctl(RANGE).split())
    return first, last


@experiment(
    covers="D7",
    question="Which port does a client get that asks for none?",
    background=(
        "connect() takes the first free one of net.ipv4.ip_local_port_range from a place on that "
        "depends on the destination and on a secret; the next search for the same destination "
        "begins a few ports further on (__inet_hash_connect, RFC 6056, 3.3.4), for at most ten "
        "seconds: then the place is another (net/core/secure_seq.c). connect() prefers "
        "ports of the parity of the range's first, bind() to port 0 the others."
    ),
    try_next=(
        N_("Make the range narrow and use it up: lab run ports-run-out"),
        N_("Connect to two destinations in turn: each has a place of its own."),
    ),
    tags="ports",
    mutation=Mutation(N_("the range begins at 1025, an odd port"), sysctls={RANGE: "1025 60999"}),
)
def which_port(lab: Lab) -> None:
    client, server = lab.pair()
    server.socket().listen(backlog=20)
    given = int(lab.sockets(server, listening=True)[0].local.port)
    first, last = range_of(server)
    lab.expect(first <= given <= last, True, "listen() without bind(): a port of the range too")
    # the place to search from is the machine's, one a destination: 8888 has many labs' connections
    ports: list[int] = []
    for _ in range(8):
        client.socket().connect(server, given)
        ports += {row.local.port for row in lab.sockets(client)} - set(ports)
    lab.settle()

    first, last = range_of(client)
    size = last - first + 1
    lab.expect(size, 28232, "ports in the default range, {first} to {last}", first=first, last=last)
    lab.expect([first <= port <= last for port in ports], [True] * 8, "each is of the range")
    lab.expect(
        [(port - first) % 2 for port in ports], [0] * 8, "each lies an even number above its first"
    )
    steps = [(later - one) % size for one, later in pairwise(ports)]
    syns = lab.segments(flags="SYN")
    shuffles = 1 + (syns[-1].t_ns - syns[0].t_ns) // _SHUFFLE_NS
    elsewhere = [step for step in steps if not 2 <= step <= 16]
    lab.expect(
        len(elsewhere) <= shuffles,
        True,
        "each is 2 to 16 above the one before, but where ten seconds were over",
    )

    lab.claim(
        "the client's port is picked at random",
        False,
        "each lay above the one before by {steps}: only the first one, and the first one of each "
        "ten seconds, is hard to foretell",
        source="D",
        evidence=syns.frames,
        steps=", ".join(map(str, steps)),
    )
    lab.claim(
        "TCP's default port is 80",
        False,
        "TCP has none: a listener that named no port got {given}. 80 is HTTP's (IANA)",
        source="A",
        given=given,
    )


@experiment(
    covers="D7 D5",
    question="Can one client port be used for two connections at once?",
    background=(
        "A connection is known by both ends' addresses and ports. One client port may lead to two "
        "servers, or to two ports of one; not twice to the same. A program that calls bind() first "
        "must set SO_REUSEADDR, for at bind() the kernel does not know the destination yet."
    ),
    try_next=(
        N_("Set IP_BIND_ADDRESS_NO_PORT before bind() to address and port 0."),
        N_("Use up all ports towards one destination: lab run ports-run-out"),
    ),
    tags="ports",
    mutation=Mutation(N_("SO_REUSEADDR is not set"), values={"reuse": 0}, error="CallFailed"),
)
def one_port_twice(lab: Lab) -> None:
    client, server = lab.pair()
    first, second = (server.socket().listen(port) for port in (8888, 8889))
    strict = client.socket().bind(40000)
    other = client.socket()
    lab.expect_error("EADDRINUSE", lambda: other.bind(40000), "a second bind() to the same port")
    strict.close()

    reuse = (socket.SOL_SOCKET, socket.SO_REUSEADDR, lab.value("reuse", 1))
    one, two, three = (client.socket().set_option(*reuse).bind(40000) for _ in range(3))
    one.connect(server, 8888)
    two.connect(server, 8889)
    lab.settle()
    rows = lab.sockets(client)
    lab.expect([row.local.port for row in rows], [40000] * 2, "client ports of the two connections")
    lab.expect(sorted(row.remote.port for row in rows), [8888, 8889], "ports that they lead to")
    lab.expect_error(
        "EADDRNOTAVAIL",
        lambda: three.connect(server, 8888),
        "a third one, to the first destination",
    )
    one.send(b"one")
    two.send(b"two")
    lab.expect(first.accept().recv(), b"one", "what the first listener's connection reads")
    lab.expect(second.accept().recv(), b"two", "what the second listener's connection reads")
    lab.claim(
        "a client port belongs to one connection",
        False,
        "port 40000 had two at once, to ports 8888 and 8889 of one server",
        source="D",
        evidence=lab.segments(flags="SYN").frames,
    )


@experiment(
    covers="D7",
    question="How many connections can a client have, and what happens when its ports run out?",
    background=(
        "Only the four-tuple must be unique, so each destination (address and port) has the whole "
        "range for itself: 28,232 ports by default. With none left connect() fails with "
        "EADDRNOTAVAIL; other destinations are not concerned (__inet_check_established)."
    ),
    try_next=(
        N_("Close one connection, client first: its port waits 60 s in TIME_WAIT."),
        N_("Widen net.ipv4.ip_local_port_range, or give the client a second address."),
    ),
    tags="ports",
    mutation=Mutation(N_("the range has 16 ports, not 8"), sysctls={RANGE: "40000 40015"}),
)
def ports_run_out(lab: Lab) -> None:
    client, server = lab.pair(sysctls={RANGE: "40000 40007"})
    server.socket().listen(8888, 20)
    server.socket().listen(8889, 20)
    for _ in range(8):
        client.socket().connect(server, 8888)
    ninth = client.socket()
    lab.expect_error(
        "EADDRNOTAVAIL", lambda: ninth.connect(server, 8888), "the ninth connection to one port"
    )
    for _ in range(8):
        client.socket().connect(server, 8889)
    lab.settle()
    rows = lab.sockets(client)
    lab.expect(len(rows), 16, "connections of the client, with 8 ports")
    used = sorted({row.local.port for row in rows})
    lab.expect(used, list(range(40000, 40008)), "client ports in use")
    lab.claim(
        "65535 ports limit a client's connections",
        False,
        "they limit those to one address and port of a server: 8 ports gave {count} connections "
        "to two ports",
        source="D",
        evidence=lab.segments(flags="SYN").frames,
        count=len(rows),
    )
