"""Which call is on which socket, who owns it, and what the kernel did in between: as stories."""

from dataclasses import dataclass, field
from itertools import count

from fourtuple.event.model import Call, Endpoint, State, Told
from fourtuple.source.trace.feed import Record
from fourtuple.source.trace.formats import Format, Value
from fourtuple.source.trace.join import Joiner
from fourtuple.source.trace.sockets import Sock, events_of

INET, STREAM, CLOEXEC = 2, 1, 0o2000000
CLIENT, SERVER = ("10.0.0.1", 40000), ("10.0.0.2", 80)
STATES = {"CLOSED": 7, "SYN_SENT": 2, "SYN_RECV": 3, "ESTABLISHED": 1, "LISTEN": 10,
          "FIN_WAIT1": 4, "CLOSE_WAIT": 8}  # fmt: skip
RESET = Format("tcp_send_reset", 1, {}, '__print_symbolic(REC->reason, { 11, "ON_CLOSE" })')


class Made(Record):
    """A record whose fields are given."""

    def __init__(self, t_ns: int, name: str, task: int, fields: dict[str, Value], *, irq: bool):
        form = RESET if name == "tcp_send_reset" else Format(name, 0, {}, "")
        super().__init__(t_ns, name, task, irq, form, b"")
        self.fields = fields

    def values(self) -> dict[str, Value]:
        return self.fields

    def number(self, field: str) -> int:
        found = self.fields.get(field, 0)
        assert isinstance(found, int)
        return found

    def numbers(self, names: tuple[str, ...]) -> list[int]:
        return [self.number(name) for name in names]

    def part(self, names: tuple[str, ...]) -> bytes:
        return repr([self.fields.get(name) for name in names]).encode()


@dataclass
class Kernel:
    """Tells a joiner what happens, a microsecond apart."""

    joiner: Joiner = field(default_factory=lambda: Joiner(lambda thread: None))
    clock: "count[int]" = field(default_factory=lambda: count(1000, 1000))

    def says(self, name: str, task: int, *, irq: bool = False, **fields: Value) -> None:
        self.joiner.take([Made(next(self.clock), name, task, fields, irq=irq)])

    def enters(self, task: int, name: str, **fields: Value) -> None:
        self.says(f"sys_enter_{name}", task, **fields)

    def leaves(self, task: int, name: str, ret: int = 0) -> None:
        self.says(f"sys_exit_{name}", task, ret=ret)

    def calls(self, task: int, name: str, ret: int = 0, **fields: Value) -> None:
        self.enters(task, name, **fields)
        self.leaves(task, name, ret)

    def state(
        self, task: int, address: int, old: str, new: str,
        local: tuple[str, int] = CLIENT, remote: tuple[str, int] = SERVER, *, irq: bool = False,
    ) -> None:  # fmt: skip
        self.says(
            "inet_sock_set_state", task, irq=irq, skaddr=address, protocol=6, family=INET,
            oldstate=STATES[old], newstate=STATES[new], sport=local[1], dport=remote[1],
            saddr=packed(local), daddr=packed(remote),
        )  # fmt: skip

    def moves(self, task: int, direction: str, address: int, size: int) -> None:
        self.says(f"sock_{direction}_length", task, sk=address, family=INET, protocol=6, ret=size)

    def listens(self, task: int, fd: int, address: int, at: tuple[str, int] = SERVER) -> None:
        self.calls(task, "socket", fd, family=INET, type=STREAM)
        self.enters(task, "listen", fd=fd, backlog=5)
        self.state(task, address, "CLOSED", "LISTEN", at, ("0.0.0.0", 0))
        self.leaves(task, "listen")

    def connects(self, task: int, fd: int, address: int) -> None:
        self.calls(task, "socket", fd, family=INET, type=STREAM)
        self.enters(task, "connect", fd=fd)
        self.state(task, address, "CLOSED", "SYN_SENT", ("10.0.0.1", 0))
        self.state(99, address, "SYN_SENT", "ESTABLISHED", irq=True)
        self.leaves(task, "connect")

    def arrives(self, address: int, client: tuple[str, int] = CLIENT, task: int = 99) -> None:
        """The last step of a handshake, in whatever task the interrupt meets."""
        self.state(task, address, "LISTEN", "SYN_RECV", SERVER, client, irq=True)
        self.state(task, address, "SYN_RECV", "ESTABLISHED", SERVER, client, irq=True)

    def sock(self, task: int, fd: int) -> Sock:
        found = self.joiner.programs.of(task).sock(fd)
        assert found is not None
        return found

    def watched(self, pid: int, command: str = "prog") -> None:
        self.joiner.adopt(pid, command, {}, watched=True)


def packed(end: tuple[str, int]) -> bytes:
    return bytes(map(int, end[0].split(".")))


def calls_of(sock: Sock) -> list[Call]:
    return [event for event in events_of(sock) if isinstance(event, Call)]


def test_a_connect_has_the_states_that_its_thread_made_and_a_port_that_came_later() -> None:
    kernel = Kernel()
    kernel.watched(1, "curl")
    kernel.connects(1, 5, 0xA)
    sock = kernel.sock(1, 5)
    assert (sock.role, sock.local, sock.remote) == ("client", Endpoint(*CLIENT), Endpoint(*SERVER))
    connect = calls_of(sock)[-1]
    assert (connect.name, connect.args, connect.local) == ("connect", ("10.0.0.2:80",), sock.local)
    states = [event for event in events_of(sock) if isinstance(event, State)]
    assert [state.new for state in states] == ["SYN_SENT", "ESTABLISHED"]
    assert connect.t_ns < states[0].t_ns < (connect.end_ns or 0)
    assert [change.call is not None for change in sock.changes] == [True, False]


def test_a_task_that_a_softirq_met_owns_nothing_of_it() -> None:
    """The server's socket becomes ESTABLISHED in the midst of the client's connect()."""
    kernel = Kernel()
    kernel.watched(1, "curl")
    kernel.calls(1, "socket", 5, family=INET, type=STREAM)
    kernel.enters(1, "connect", fd=5)
    kernel.state(1, 0xA, "CLOSED", "SYN_SENT", ("10.0.0.1", 0))
    kernel.arrives(0xB, task=1)
    kernel.leaves(1, "connect")
    assert kernel.sock(1, 5).address == 0xA
    (server,) = [sock for sock in kernel.joiner.fresh() if sock.role == "server"]
    assert (server.owner, server.calls) == (None, [])


def test_accept_takes_the_one_that_waited_longest_and_says_that_it_is_a_guess() -> None:
    kernel = Kernel()
    kernel.listens(2, 3, 0xF)
    kernel.arrives(0xB, ("10.0.0.1", 40001))
    kernel.arrives(0xC, ("10.0.0.1", 40002))
    kernel.calls(2, "accept4", 7, fd=3, flags=0)
    accepted = kernel.sock(2, 7)
    assert (accepted.address, accepted.guessed) == (0xB, True)
    accept = calls_of(accepted)[0]
    listener = kernel.sock(2, 3)
    assert (accept.inode, accept.new_inode) == (listener.number, accepted.number)
    assert accept.remote == Endpoint("10.0.0.1", 40001)
    told = [event for event in events_of(accepted) if isinstance(event, Told)]
    assert [one.what for one in told] == ["accept-inferred"]


def test_bytes_prove_whose_socket_it_is() -> None:
    kernel = Kernel()
    kernel.watched(2)
    kernel.listens(2, 3, 0xF)
    kernel.arrives(0xB)
    kernel.calls(2, "accept4", 7, fd=3)
    kernel.enters(2, "read", fd=7, count=100)
    kernel.moves(2, "recv", 0xB, 14)
    kernel.leaves(2, "read", 14)
    sock = kernel.sock(2, 7)
    assert (sock.guessed, sock.received_bytes) == (False, 14)


def test_bytes_set_a_wrong_guess_right() -> None:
    """Two threads accept; the order of their returns is not that of the queue."""
    kernel = Kernel()
    kernel.watched(2)
    kernel.listens(2, 3, 0xF)
    kernel.arrives(0xB, ("10.0.0.1", 40001))
    kernel.arrives(0xC, ("10.0.0.1", 40002))
    kernel.calls(2, "accept4", 7, fd=3)
    kernel.calls(2, "accept4", 8, fd=3)
    for fd, address in ((7, 0xC), (8, 0xB)):
        kernel.enters(2, "recvfrom", fd=fd, size=100)
        kernel.moves(2, "recv", address, 1)
        kernel.leaves(2, "recvfrom", 1)
    assert [kernel.sock(2, fd).address for fd in (7, 8)] == [0xC, 0xB]
    owners = {sock.address: sock.owner.fd for sock in (kernel.sock(2, 7), kernel.sock(2, 8))
              if sock.owner}  # fmt: skip
    assert owners == {0xC: 7, 0xB: 8}


def test_an_accept_that_began_before_the_trace_is_known_by_its_return() -> None:
    """A server that waits is the rule, not the exception."""
    kernel = Kernel()
    listener = Sock(local=Endpoint(*SERVER), role="listener", state="LISTEN")
    kernel.joiner.adopt(2, "server", {3: listener}, watched=False)
    kernel.arrives(0xB)
    kernel.leaves(2, "accept4", 7)
    assert kernel.sock(2, 7).address == 0xB
    (accept,) = calls_of(kernel.sock(2, 7))
    assert (accept.name, accept.fd, accept.result) == ("accept", None, 7)


def test_of_a_process_that_nobody_watches_only_what_concerns_the_watched_is_kept() -> None:
    kernel = Kernel()
    kernel.watched(1)
    listener = Sock(local=Endpoint(*SERVER), role="listener", state="LISTEN")
    kernel.joiner.adopt(2, "server", {3: listener}, watched=False)
    kernel.connects(1, 5, 0xA)
    kernel.arrives(0xB)
    kernel.arrives(0xC, ("10.0.0.9", 1))
    for fd, address in ((7, 0xB), (8, 0xC)):
        kernel.calls(2, "accept4", fd, fd=3)
        kernel.enters(2, "read", fd=fd, count=1)
        kernel.moves(2, "recv", address, 1)
        kernel.leaves(2, "read", 1)
    assert [[call.name for call in calls_of(kernel.sock(2, fd))] for fd in (7, 8)] == [
        ["accept", "read"], ["accept"],
    ]  # fmt: skip


def test_with_two_listeners_on_a_port_nothing_is_guessed() -> None:
    """SO_REUSEPORT: whose queue a connection is in, the trace does not say."""
    kernel = Kernel()
    kernel.listens(2, 3, 0xF)
    kernel.listens(4, 3, 0xE)
    kernel.arrives(0xB)
    kernel.calls(2, "accept4", 7, fd=3)
    assert (kernel.sock(2, 7).address, kernel.sock(2, 7).remote) == (0, None)
    kernel.enters(2, "recvfrom", fd=7, size=100)
    kernel.moves(2, "recv", 0xB, 1)
    kernel.leaves(2, "recvfrom", 1)
    sock = kernel.sock(2, 7)
    assert (sock.address, sock.guessed) == (0xB, False)
    assert [call.name for call in calls_of(sock)] == ["accept", "recv"]


def test_descriptors_are_followed_through_dup_fork_and_close() -> None:
    kernel = Kernel()
    kernel.connects(1, 5, 0xA)
    kernel.calls(1, "dup2", 9, oldfd=5, newfd=9)
    kernel.says("task_newtask", 1, pid=10, clone_flags=0)
    kernel.calls(1, "close", fd=5)
    sock = kernel.sock(1, 9)
    assert sock.address == 0xA
    assert [kernel.sock(10, fd) for fd in (5, 9)] == [sock, sock]
    assert kernel.joiner.programs.of(1).sock(5) is None
    assert sock.open_at == 3
    assert {(one.pid, one.fd) for one in sock.holders} == {(1, 5), (1, 9), (10, 5), (10, 9)}


def test_threads_share_descriptors() -> None:
    kernel = Kernel()
    kernel.says("task_newtask", 1, pid=11, clone_flags=0x10000 | 0x400)
    kernel.connects(11, 5, 0xA)
    assert kernel.sock(1, 5).owner == kernel.sock(11, 5).owner
    assert kernel.sock(1, 5).owner.pid == 1  # type: ignore[union-attr]


def test_exec_closes_what_it_should_and_gives_the_program_its_name() -> None:
    kernel = Kernel()
    kernel.watched(1, "sh")
    kernel.calls(1, "socket", 5, family=INET, type=STREAM | CLOEXEC)
    kernel.calls(1, "socket", 6, family=INET, type=STREAM)
    kernel.calls(1, "socket", 7, family=INET, type=STREAM)
    kernel.calls(1, "fcntl", fd=7, cmd=2, arg=1)
    kernel.says("sched_process_exec", 1, pid=1, old_pid=1, filename="/usr/bin/curl")
    process = kernel.joiner.programs.of(1)
    assert (process.command, sorted(process.files)) == ("curl", [6])
    assert kernel.sock(1, 6).owner.command == "curl"  # type: ignore[union-attr]


def test_children_of_what_is_watched_are_watched() -> None:
    kernel = Kernel()
    kernel.watched(1)
    kernel.says("task_newtask", 1, pid=10, clone_flags=0)
    kernel.says("task_newtask", 10, pid=20, clone_flags=0)
    kernel.connects(20, 5, 0xA)
    kernel.connects(30, 5, 0xB)
    assert (kernel.sock(20, 5).watched, kernel.sock(30, 5).watched) == (True, False)


def test_an_address_that_is_used_again_is_another_socket() -> None:
    kernel = Kernel()
    kernel.connects(1, 5, 0xA)
    kernel.enters(1, "close", fd=5)
    kernel.state(1, 0xA, "ESTABLISHED", "FIN_WAIT1")
    kernel.leaves(1, "close")
    kernel.state(99, 0xA, "FIN_WAIT1", "CLOSED", irq=True)
    first = next(iter(kernel.joiner.fresh()))
    kernel.connects(2, 8, 0xA)
    second = kernel.sock(2, 8)
    assert second is not first
    assert (first.first_end, first.state, second.state) == ("own", "CLOSED", "ESTABLISHED")
    assert [call.name for call in calls_of(first)] == ["socket", "connect", "close"]


def test_a_connection_that_began_unseen_is_its_listener_s_if_it_has_its_port() -> None:
    kernel = Kernel()
    kernel.listens(8, 3, 0xD)
    kernel.state(99, 0xE, "ESTABLISHED", "CLOSE_WAIT", SERVER, CLIENT, irq=True)
    kernel.state(7, 0xC, "ESTABLISHED", "FIN_WAIT1", CLIENT, SERVER)
    by_address = kernel.joiner.network.by_address
    assert [by_address[address].role for address in (0xE, 0xC)] == ["server", ""]


def test_an_address_that_served_an_unwatched_port_meanwhile_is_another_socket() -> None:
    kernel = Kernel(Joiner(lambda thread: None, all_matter=True))
    kernel.connects(7, 3, 0xA)
    kernel.state(99, 0xA, "ESTABLISHED", "CLOSED", irq=True)
    kernel.enters(8, "write", fd=5)  # its states were not asked for: only its bytes are heard of
    kernel.moves(8, "send", 0xA, 14)
    kernel.leaves(8, "write", 14)
    kernel.connects(9, 3, 0xA)
    first, other, second = (kernel.sock(task, fd) for task, fd in ((7, 3), (8, 5), (9, 3)))
    assert len({first, other, second}) == 3
    assert [[holder.pid for holder in one.holders] for one in (first, other, second)] == [
        [7], [8], [9],
    ]  # fmt: skip
    assert (first.sent_bytes, other.sent_bytes, second.state) == (0, 14, "ESTABLISHED")


def test_a_socket_that_connects_again_after_a_refusal_has_two_lives() -> None:
    kernel = Kernel()
    kernel.calls(1, "socket", 5, family=INET, type=STREAM)
    kernel.enters(1, "connect", fd=5)
    kernel.state(1, 0xA, "CLOSED", "SYN_SENT", ("10.0.0.1", 0))
    kernel.state(1, 0xA, "SYN_SENT", "CLOSED")
    kernel.leaves(1, "connect", -111)
    refused = kernel.sock(1, 5)
    kernel.enters(1, "connect", fd=5)
    kernel.state(1, 0xA, "CLOSED", "SYN_SENT", ("10.0.0.1", 0))
    kernel.state(1, 0xA, "SYN_SENT", "ESTABLISHED", ("10.0.0.1", 40001))
    kernel.leaves(1, "connect")
    assert kernel.sock(1, 5) is not refused
    assert (refused.established, kernel.sock(1, 5).established) == (False, True)
    assert kernel.sock(1, 5).owner == refused.owner
    assert [call.errno for call in calls_of(refused)] == [None, "ECONNREFUSED"]


def test_closing_a_listener_closes_what_nobody_accepted_and_confuses_nothing() -> None:
    """The children change state in the course of the close, in the same thread."""
    kernel = Kernel()
    kernel.listens(2, 3, 0xF)
    kernel.arrives(0xB)
    kernel.enters(2, "close", fd=3)
    kernel.state(2, 0xF, "LISTEN", "CLOSED", SERVER, ("0.0.0.0", 0))
    kernel.state(2, 0xB, "ESTABLISHED", "CLOSED", SERVER, CLIENT)
    kernel.leaves(2, "close")
    by_address = {sock.address: sock for sock in kernel.joiner.fresh()}
    assert [call.name for call in calls_of(by_address[0xF])] == ["socket", "listen", "close"]
    assert (by_address[0xB].owner, by_address[0xB].state) == (None, "CLOSED")


def test_a_descriptor_that_came_from_elsewhere_is_known_by_its_bytes() -> None:
    """Passed over a UNIX socket (SCM_RIGHTS), or held since before the trace began."""
    kernel = Kernel()
    kernel.watched(3)
    kernel.arrives(0xB)
    kernel.enters(3, "write", fd=12, count=5)
    kernel.moves(3, "send", 0xB, 5)
    kernel.leaves(3, "write", 5)
    sock = kernel.sock(3, 12)
    assert (sock.remote, sock.sent_bytes) == (Endpoint(*CLIENT), 5)


def test_a_call_on_a_file_is_nobody_s() -> None:
    kernel = Kernel()
    kernel.watched(1)
    kernel.calls(1, "read", 10, fd=0, count=100)
    kernel.calls(1, "close", fd=0)
    assert (kernel.joiner.unjoined, kernel.joiner.fresh()) == ([], set())


def test_a_wait_for_many_descriptors_is_kept_unjoined() -> None:
    kernel = Kernel()
    kernel.watched(1)
    kernel.calls(1, "epoll_wait", 2, epfd=4)
    (wait,) = kernel.joiner.unjoined
    assert (wait.name, wait.on, wait.result) == ("epoll_wait", None, 2)


def test_a_call_that_never_returns_is_kept_as_such() -> None:
    kernel = Kernel()
    kernel.watched(1)
    kernel.connects(1, 5, 0xA)
    kernel.enters(1, "recvfrom", fd=5, size=10)
    kernel.joiner.finish()
    assert calls_of(kernel.sock(1, 5))[-1].end_ns is None


def test_a_call_that_its_thread_did_not_survive_is_kept_as_such() -> None:
    kernel = Kernel()
    kernel.watched(1)
    kernel.connects(1, 5, 0xA)
    sock = kernel.sock(1, 5)
    kernel.enters(1, "recvfrom", fd=5, size=10)
    kernel.says("sched_process_exit", 1)
    assert (calls_of(sock)[-1].name, calls_of(sock)[-1].end_ns, sock.open_at) == ("recv", None, 0)


def test_a_return_that_was_lost_leaves_its_call_without_an_end() -> None:
    kernel = Kernel()
    kernel.watched(1)
    kernel.connects(1, 5, 0xA)
    kernel.enters(1, "recvfrom", fd=5, size=10)
    kernel.calls(1, "sendto", 3, fd=5, len=3, addr=0)
    recv, send = calls_of(kernel.sock(1, 5))[-2:]
    assert (recv.name, recv.end_ns, send.name, send.result) == ("recv", None, "send", 3)


def sockaddr(end: tuple[str, int]) -> bytes:
    return (INET).to_bytes(2, "little") + end[1].to_bytes(2, "big") + packed(end) + bytes(20)


def test_a_reset_has_the_kernel_s_word_and_belongs_to_its_four_tuple() -> None:
    """No socket was there; the connection is known only a moment later, from the other end."""
    kernel = Kernel()
    kernel.says("tcp_send_reset", 99, irq=True, skaddr=0, reason=11,
                saddr=sockaddr(SERVER), daddr=sockaddr(CLIENT))  # fmt: skip
    kernel.connects(1, 5, 0xA)
    told = [event for event in events_of(kernel.sock(1, 5)) if isinstance(event, Told)]
    assert [(one.what, one.reason, one.local) for one in told] == [
        ("reset-sent", "ON_CLOSE", Endpoint(*SERVER))
    ]


def test_a_listener_s_reset_names_no_peer_and_is_of_who_receives_it() -> None:
    kernel = Kernel()
    kernel.listens(2, 3, 0xF, ("0.0.0.0", 80))
    kernel.connects(1, 5, 0xA)
    for _ in range(2):  # the second goes elsewhere
        kernel.says("tcp_send_reset", 99, irq=True, skaddr=0xF, reason=11,
                    saddr=sockaddr(("0.0.0.0", 80)), daddr=sockaddr(("0.0.0.0", 0)))  # fmt: skip
    kernel.says("tcp_receive_reset", 99, irq=True, skaddr=0xA, family=INET, sport=CLIENT[1],
                dport=SERVER[1], saddr=packed(CLIENT), daddr=packed(SERVER))  # fmt: skip
    assert [(one.what, one.reason, one.local) for one in kernel.sock(1, 5).told] == [
        ("reset-sent", "ON_CLOSE", Endpoint(*SERVER)),
        ("reset-received", "", Endpoint(*CLIENT)),
    ]
    assert kernel.sock(1, 5).told[0].remote == Endpoint(*CLIENT)
    assert [(one.what, one.remote) for one in kernel.sock(2, 3).told] == [("reset-sent", None)]


def test_a_socket_is_of_its_process_s_network_namespace_and_a_child_of_its_listener_s() -> None:
    """Both namespaces have the same listener and the same client."""
    where = {1: 111, 2: 111, 3: 222, 4: 222}
    kernel = Kernel(Joiner(lambda thread: None, lambda pid: where[pid]))
    home = ("127.0.0.1", 80), ("127.0.0.1", 40000)
    for server in (2, 4):
        kernel.listens(server, 3, 0xF0 + server, home[0])
    for server, client, address in ((4, 3, 0xB), (2, 1, 0xA)):
        kernel.calls(client, "socket", 5, family=INET, type=STREAM)
        kernel.enters(client, "connect", fd=5)
        kernel.state(client, address, "CLOSED", "SYN_SENT", home[1], home[0])
        kernel.state(client, 0xC0 + server, "LISTEN", "SYN_RECV", *home, irq=True)
        kernel.leaves(client, "connect")
        kernel.enters(server, "accept", fd=3)
        kernel.leaves(server, "accept", 7)
        assert kernel.sock(server, 7).address == 0xC0 + server
        assert kernel.sock(server, 7).netns == kernel.sock(client, 5).netns == where[client]


def test_a_process_that_goes_to_another_network_namespace_makes_its_sockets_there() -> None:
    where = {1: 111}
    kernel = Kernel(Joiner(lambda thread: None, lambda pid: where[pid]))
    kernel.calls(1, "socket", 5, family=INET, type=STREAM)
    where[1] = 222
    kernel.calls(1, "socket", 6, family=INET, type=STREAM)
    kernel.calls(1, "setns", fd=4, flags=0)
    kernel.calls(1, "socket", 7, family=INET, type=STREAM)
    assert [kernel.sock(1, fd).netns for fd in (5, 6, 7)] == [111, 111, 222]


def test_a_connection_that_outlives_its_last_known_descriptor_is_somewhere_else() -> None:
    kernel = Kernel()
    kernel.connects(1, 5, 0xA)
    kernel.connects(1, 6, 0xB)
    passed, closed = kernel.sock(1, 5), kernel.sock(1, 6)
    kernel.calls(1, "close", fd=5)
    kernel.enters(1, "close", fd=6)
    kernel.state(1, 0xB, "ESTABLISHED", "FIN_WAIT1")
    kernel.leaves(1, "close")
    assert (passed.elsewhere, closed.elsewhere) == (True, False)
    kernel.watched(3)  # who has it is followed, after all
    kernel.enters(3, "write", fd=12, count=5)
    kernel.moves(3, "send", 0xA, 5)
    kernel.leaves(3, "write", 5)
    assert not passed.elsewhere


def test_an_error_is_the_socket_s() -> None:
    kernel = Kernel()
    kernel.connects(1, 5, 0xA)
    ends = {"sport": CLIENT[1], "dport": SERVER[1], "saddr": packed(CLIENT),
            "daddr": packed(SERVER)}  # fmt: skip
    kernel.says("inet_sk_error_report", 99, irq=True, protocol=6, family=INET, error=110, **ends)
    assert kernel.sock(1, 5).error == "ETIMEDOUT"


def test_the_end_of_a_process_closes_what_it_held() -> None:
    kernel = Kernel()
    kernel.connects(1, 5, 0xA)
    sock = kernel.sock(1, 5)
    kernel.says("sched_process_exit", 1)
    assert (sock.open_at, len(sock.holders)) == (0, 1)


def test_a_namespace_seen_to_be_made_is_one_of_its_own_though_its_processes_are_gone() -> None:
    known = {20: 4026531840}
    kernel = Kernel(Joiner(lambda thread: None, lambda pid: known.get(pid, 0)))
    namespaces = kernel.joiner.programs.namespace
    for child in (20, 21, 22, 23, 24):
        kernel.says("task_newtask", 10, pid=child, clone_flags=0)
    kernel.calls(20, "unshare", unshare_flags=0x40000000)
    kernel.calls(21, "unshare", unshare_flags=0x40000000)
    kernel.calls(22, "unshare", -1, unshare_flags=0x40000000)
    kernel.calls(23, "unshare", unshare_flags=0x400)
    kernel.says("task_newtask", 21, pid=30, clone_flags=0)
    assert namespaces(20) == 4026531840
    assert namespaces(21) == namespaces(30) < 0
    assert namespaces(22) == namespaces(23) == namespaces(24) == 0
    known[30] = 4026531999
    assert namespaces(30) == namespaces(21) < 0, "what it was known as stays"
    kernel.says("task_newtask", 24, pid=31, clone_flags=0x40000000)
    known[31] = 4026532000
    assert namespaces(31) == 4026532000
