"""A router that translates addresses, and one that has forgotten what it translated."""

from fourtuple.errors import N_
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.hosts.host import Host
from fourtuple.lab.script import Lab

TRANSLATE = """
table inet translation {
    chain leaving {
        type nat hook postrouting priority srcnat
        oifname "eth1" masquerade
    }
}
"""
TRACKED = "net.netfilter.nf_conntrack_count"


def translated(lab: Lab) -> tuple[Host, Host, Host]:
    """A client behind a router that puts its own address in the place of the client's."""
    client, router, server = lab.hosts("client", "router", "server")
    if lab.value("translate", True):
        router.nft(TRANSLATE)
    return client, router, server


@experiment(
    covers="beyond:address-translation D6",
    question="Which four-tuple does a server see when its client is behind an address translator?",
    background=(
        "A router that masquerades rewrites the source address of what leaves, keeps a table of "
        "what it rewrote, and undoes it in the answers (RFC 2663, 2.2; nf_nat_masquerade). TCP's "
        "numbers stay as they are. So one connection has two four-tuples, one on each side."
    ),
    try_next=(
        N_("Let the router forget: lab run translator-forgets"),
        N_("See the table on a router of your own: conntrack -L, or /proc/net/nf_conntrack"),
    ),
    tags="routers",
    needs="nft",
    mutation=Mutation(N_("the router does not translate"), values={"translate": False}),
)
def translator(lab: Lab) -> None:
    client, router, server = translated(lab)
    sock, peer = lab.connected(client, server)
    sock.send(b"who am I?")
    lab.settle()
    lab.expect(peer.recv(), b"who am I?", "what the server's program reads")

    inside, outside = lab.connection(client), lab.connection(server)
    lab.expect(inside.remote.address, server.address, "the server's address at the client")
    lab.expect(outside.remote.address, router.addresses[1], "the client's address at the server")
    lab.expect(outside.remote.port, inside.local.port, "its port, which was free at the router")
    lab.expect(router.sysctl(TRACKED), "1", "connections in the router's table")
    lab.expect(lab.sockets(router), [], "the router's sockets: it carries on, and answers nothing")

    hello = lab.segments(payload=True)
    lab.expect(len(hello), 2, "segments with data: one on each side of the router")
    numbers = [segment.raw_seq for segment in hello]
    lab.expect(numbers[0], numbers[1], "the sequence number on both sides")
    lab.claim(
        "both ends of a connection know the same four-tuple",
        "address translation between them: each knows the one of its side",
        "the client is {inside} to itself, and {outside} to the server",
        source="D",
        evidence=hello.frames,
        inside=str(inside.local),
        outside=str(outside.remote),
    )


@experiment(
    covers="beyond:address-translation cause:no-such-connection",
    question="What happens to a connection when its address translator has lost its table?",
    background=(
        "The table is in the router's memory. Once its entry is gone - after a restart, or because "
        "the connection was silent too long -, what comes from outside is for the router itself, "
        "which has no socket for it. From inside Linux takes up a connection in the middle "
        "(nf_conntrack_tcp_loose)."
    ),
    try_next=(
        N_("Read how long a silent connection is kept: sysctl net.netfilter | grep established"),
        N_("Keep it in the table with keepalive probes: lab run keepalive"),
    ),
    tags="routers reset half-open",
    needs="nft",
    mutation=Mutation(N_("the router keeps its table"), values={"restart": False}),
)
def translator_forgets(lab: Lab) -> None:
    client, router, server = translated(lab)
    sock, peer = lab.connected(client, server)
    sock.send(b"hello")
    lab.settle()
    lab.expect(peer.recv(), b"hello", "what the server's program reads")

    if lab.value("restart", True):
        router.crash()
        router.boot()
        lab.until(lambda: router.sysctl(TRACKED) == "0", N_("The router's table was not emptied."))
    lab.expect(lab.state(client), "ESTABLISHED", "the client's socket, which nobody has told")
    peer.send(b"news")
    lab.settle()
    resets = [segment for segment in lab.segments() if "RST" in segment.flags]
    lab.expect(bool(resets), True, "whether a RST came back to the server")
    lab.expect(lab.state(server), "CLOSED", "the server's socket: the router's kernel reset it")
    lab.expect(lab.state(client), "ESTABLISHED", "the client's socket: still nobody has told it")

    sock.send(b"are you there?")
    lab.settle()
    lab.expect_error(
        "ECONNRESET", sock.recv, "recv() at the client: the server knows nothing of it"
    )
    lab.claim(
        "a connection lasts until one of its ends closes it",
        "what lies between the ends: a translator that forgets it ends it for both",
        "the router's kernel reset the server's end; then the server's kernel reset the client's",
        source="D",
        evidence=[segment.frame for segment in lab.segments() if "RST" in segment.flags],
    )
