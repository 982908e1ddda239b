"""Conversations of UDP sockets, whose addresses no call has: as stories."""

import pytest

from fourtuple.event.model import Endpoint
from fourtuple.source.trace.join import Joiner
from fourtuple.source.trace.sockets import Sock
from source.trace.test_join import CLIENT, SERVER, Kernel, calls_of, packed

INET, DGRAM, UDP = 2, 2, 17
ANY = ("0.0.0.0", 0)
ENDS = (Endpoint(*CLIENT), Endpoint(*SERVER))
MINUTE_NS = 60_000_000_000


class Speaking(Kernel):
    """A kernel that is asked for datagrams."""

    def opens(self, task: int, fd: int) -> None:
        self.calls(task, "socket", fd, family=INET, type=DGRAM)

    def routes(self, task: int, source: tuple[str, int], to: tuple[str, int]) -> None:
        self.says("fib_table_lookup", task, proto=UDP, src=packed(source), sport=source[1],
                  dst=packed(to), dport=to[1])  # fmt: skip

    def length(self, task: int, direction: str, address: int, size: int) -> None:
        self.says(f"sock_{direction}_length", task, sk=address, family=INET, protocol=UDP, ret=size)

    def sends(
        self, task: int, fd: int, address: int, size: int, source: tuple[str, int] = CLIENT,
        to: tuple[str, int] | None = SERVER,
    ) -> None:  # fmt: skip
        """`to` None: the socket is connected, and its way is known."""
        self.enters(task, "sendto", fd=fd, len=size, addr=int(to is not None))
        if to is not None:
            self.routes(task, source, to)
        self.length(task, "send", address, size)
        self.leaves(task, "sendto", size)

    def receives(self, task: int, fd: int, address: int, size: int) -> None:
        self.enters(task, "recvfrom", fd=fd, size=100, addr=1)
        self.length(task, "recv", address, size)
        self.leaves(task, "recvfrom", size)

    def talks(self) -> dict[tuple[Endpoint | None, Endpoint | None], Sock]:
        """The conversations with something new, by their ends."""
        return {(one.local, one.remote): one for one in self.joiner.fresh() if one.established}


@pytest.fixture
def kernel() -> Speaking:
    """Process 1 has a socket, and 2 has one at the server's port."""
    ends = {2: (Endpoint("0.0.0.0", SERVER[1]), None)}
    kernel = Speaking(Joiner(lambda thread: None, ends_of=lambda holder: ends.get(holder.pid)))
    kernel.watched(1)
    kernel.watched(2)
    kernel.opens(1, 5)
    kernel.opens(2, 3)
    return kernel


def names(sock: Sock) -> list[str]:
    return [call.name for call in calls_of(sock)]


def test_a_question_and_its_answer_are_one_conversation_with_two_ends(kernel: Speaking) -> None:
    kernel.sends(1, 5, 0xA, 30)
    kernel.receives(2, 3, 0xB, 30)
    kernel.sends(2, 3, 0xB, 90, source=SERVER, to=CLIENT)
    kernel.receives(1, 5, 0xA, 90)
    talks = kernel.talks()
    asked, answered = talks[ENDS], talks[ENDS[::-1]]
    assert (asked.role, answered.role, len(talks)) == ("client", "server", 2)
    assert (asked.sent_bytes, asked.received_bytes) == (30, 90)
    assert (answered.received_bytes, answered.sent_bytes) == (30, 90)
    assert names(asked) == ["socket", "sendto", "recvfrom"]
    assert names(answered) == ["socket", "recvfrom", "sendto"]
    assert asked.owner and answered.owner and (asked.owner.pid, answered.owner.pid) == (1, 2)


def test_a_connected_socket_s_way_was_looked_for_once(kernel: Speaking) -> None:
    kernel.enters(1, "connect", fd=5)
    kernel.routes(1, CLIENT, SERVER)
    kernel.leaves(1, "connect")
    assert kernel.talks() == {}, "nothing has been said"
    kernel.sends(1, 5, 0xA, 3, to=None)
    assert names(kernel.talks()[ENDS]) == ["socket", "connect", "send"]


def test_one_socket_talks_with_many_and_each_datagram_is_its_sender_s(kernel: Speaking) -> None:
    other = ("10.0.0.3", 5000)
    kernel.opens(4, 9)
    kernel.sends(1, 5, 0xA, 30)
    kernel.sends(4, 9, 0xC, 31, source=other)
    kernel.receives(2, 3, 0xB, 31)
    kernel.receives(2, 3, 0xB, 30)
    talks = [talk for talk in kernel.talks().values() if talk.role == "server"]
    received = {talk.remote: talk.received_bytes for talk in talks}
    assert received == {Endpoint(*CLIENT): 30, Endpoint(*other): 31}


def test_what_comes_from_elsewhere_is_of_the_only_peer_or_stays_with_the_socket(
    kernel: Speaking,
) -> None:
    kernel.receives(2, 3, 0xB, 8)
    assert kernel.talks() == {}
    assert names(kernel.sock(2, 3)) == ["socket", "recvfrom"]
    kernel.sends(2, 3, 0xB, 9, source=SERVER, to=CLIENT)
    kernel.receives(2, 3, 0xB, 8)
    assert kernel.talks()[ENDS[::-1]].received_bytes == 8


def test_it_is_over_for_both_when_the_client_s_socket_is_closed(kernel: Speaking) -> None:
    kernel.sends(1, 5, 0xA, 30)
    kernel.receives(2, 3, 0xB, 30)
    kernel.sends(1, 5, 0xA, 31)
    kernel.calls(1, "close", fd=5)
    talks = kernel.talks()
    assert all(talk.ended_ns for talk in talks.values()) and len(talks) == 2
    kernel.receives(2, 3, 0xB, 31)  # that was on its way
    assert talks[ENDS[::-1]].received_bytes == 61
    assert kernel.talks() == {ENDS[::-1]: talks[ENDS[::-1]]}


def test_the_same_ports_again_are_another_conversation(kernel: Speaking) -> None:
    kernel.sends(1, 5, 0xA, 30)
    kernel.calls(1, "close", fd=5)
    first = kernel.talks()[ENDS]
    kernel.opens(1, 5)
    kernel.sends(1, 5, 0xA, 31)
    second = kernel.talks()[ENDS]
    assert second is not first
    assert (first.sent_bytes, second.sent_bytes, second.ended_ns) == (30, 31, 0)


def test_a_minute_of_silence_ends_it(kernel: Speaking) -> None:
    kernel.sends(1, 5, 0xA, 30)
    (talk,) = kernel.talks().values()
    kernel.joiner.datagrams.look(talk.begun_ns + MINUTE_NS // 2)
    assert not talk.ended_ns
    kernel.joiner.datagrams.look(talk.begun_ns + 2 * MINUTE_NS)
    assert (talk.error, talk.ended_ns > 0) == ("SILENT", True)
