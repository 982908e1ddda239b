"""What is told of a connection, once each, and what ended it."""

from fourtuple.event.model import Endpoint, Told
from fourtuple.source.trace.sockets import Holder, Sock
from fourtuple.watch.pairs import Cause, Pair, Pairs

CLIENT, SERVER = Endpoint("10.0.0.1", 40000), Endpoint("10.0.0.2", 80)
LATER_NS = 10**9


def client(**known: object) -> Sock:
    sock = Sock(local=CLIENT, remote=SERVER, role="client", begun_ns=1, watched=True,
                holders=[Holder(1, 5, "curl")])  # fmt: skip
    return changed(sock, **({"established": True, "established_ns": 2} | known))


def server(**known: object) -> Sock:
    sock = Sock(local=SERVER, remote=CLIENT, role="server", begun_ns=2)
    return changed(sock, **({"established": True, "established_ns": 3} | known))


def changed(sock: Sock, **known: object) -> Sock:
    for name, value in known.items():
        setattr(sock, name, value)
    return sock


def pairs() -> Pairs:
    return Pairs(lambda pair: pair.watched, lambda sock: sock.watched)


def test_a_connection_is_told_of_when_it_opens_is_accepted_and_ends() -> None:
    known, here, there = pairs(), client(), server()
    assert [one.what for one in known.update([here, there])] == ["opened"]
    assert list(known.update([here, there])) == []
    there.held_by(Holder(2, 7, "nginx"), watched=False)
    assert [one.what for one in known.update([there])] == ["accepted"]
    changed(here, ended_ns=10), changed(there, ended_ns=11)
    assert list(known.update([here, there])) == []
    assert list(known.settled(11)) == []  # the call that ended it may still return
    (end,) = known.settled(LATER_NS)
    assert (end.what, end.t_ns, list(known)) == ("ended", 11, [])


def test_it_is_not_over_while_one_end_is_open() -> None:
    known, here, there = pairs(), client(ended_ns=10), server()
    list(known.update([here, there]))
    assert list(known.settled(LATER_NS)) == []
    list(known.update([changed(there, ended_ns=20)]))
    assert [one.what for one in known.settled(LATER_NS)] == ["ended"]


def test_ports_that_are_used_again_are_another_connection() -> None:
    known = pairs()
    list(known.update([client(ended_ns=10)]))
    news = list(known.update([client()]))
    assert [one.what for one in news] == ["opened"]
    assert [one.what for one in known.settled(LATER_NS)] == ["ended"]


def test_the_same_four_tuple_in_two_network_namespaces_is_two_connections() -> None:
    one, other = Endpoint("127.0.0.1", 40000), Endpoint("127.0.0.1", 80)
    known = pairs()
    socks = [
        changed(made(), local=local, remote=remote, netns=netns, watched=True)
        for netns in (111, 222)
        for made, local, remote in ((client, one, other), (server, other, one))
    ]
    list(known.update([socks[0], socks[2], socks[3], socks[1]]))
    found = sorted(known, key=lambda pair: pair.netns)
    assert [[sock.netns for sock in pair.socks] for pair in found] == [[111, 111], [222, 222]]
    assert [pair.seen_from(111) for pair in found] == [True, False]


def test_a_connection_may_have_its_ends_in_two_network_namespaces() -> None:
    known = pairs()
    list(known.update([client(netns=111), server(netns=222)]))
    (pair,) = known
    assert pair.client and pair.server and pair.seen_from(333)


def test_what_nobody_watches_is_let_go_when_it_is_over() -> None:
    gone: list[Pair] = []
    known = Pairs(lambda pair: pair.watched, lambda sock: sock.watched, gone.append)
    assert list(known.update([client(watched=False, ended_ns=9)])) == []
    assert (len(gone), list(known)) == (1, [])


def test_one_that_was_there_before_did_not_open_now() -> None:
    assert [one.what for one in pairs().update([client(begun_ns=0)])] == ["present"]


def told(what: str, local: Endpoint, reason: str = "") -> Told:
    return Told(t_ns=1, host="local", what=what, local=local, remote=None, reason=reason)


def test_what_ended_it_is_what_its_sockets_met() -> None:
    ends = (CLIENT, SERVER)
    refused = client(established=False, error="ECONNREFUSED")
    refused.told.append(told("reset-sent", SERVER, "NO_SOCKET"))
    assert Pair(ends, refused).cause() == Cause("refused", "server", "NO_SOCKET")
    unanswered = client(established=False, error="ETIMEDOUT")
    assert Pair(ends, unanswered).cause() == Cause("unanswered", "", "ETIMEDOUT")
    assert Pair(ends, client(established=False)).cause() == Cause("given-up", "client")
    broken = server(told=[told("reset-sent", SERVER, "TCP_ABORT_ON_CLOSE")])
    assert Pair(ends, client(), broken).cause() == Cause("reset", "server", "TCP_ABORT_ON_CLOSE")
    met = client(told=[told("reset-received", CLIENT)])
    assert Pair(ends, met).cause() == Cause("reset", "server")  # its peer is elsewhere
    assert Pair(ends, client(error="ETIMEDOUT")).cause() == Cause("timed-out", "", "ETIMEDOUT")
    assert Pair(ends, client(first_end="peer")).cause() == Cause("closed", "server")
    assert Pair(ends, None, server(first_end="peer")).cause() == Cause("closed", "client")
    assert Pair(ends, client()).cause() == Cause("closed", "")
