"""Real programs, watched by the kernel's trace: who called what, who owns what, what ended it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import gettempdir
from typing import IO, Any

import pytest

from fourtuple.analyze import connections
from fourtuple.errors import UsageError
from fourtuple.event.model import Call, Endpoint, State
from fourtuple.event.timeline import Datagram, Segment, Timeline
from fourtuple.explain.model import Message
from fourtuple.explain.rules.resets import findings
from fourtuple.explain.text import Translator
from fourtuple.system.tracefs import place
from fourtuple.watch.pairs import Cause, News
from fourtuple.watch.session import Session
from fourtuple.watch.wish import Wish
from watch.programs import SERVER, ended, running, script, watching

pytestmark = [pytest.mark.kernel, pytest.mark.root, pytest.mark.usefixtures("kernel_trace")]


CLIENT = """
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as sock:
    sock.sendall(b"x" * 14)
    assert len(sock.recv(100)) == 14
"""


def names(timeline: Timeline, pid: int) -> list[str]:
    return [
        call.name
        for call in timeline.of(Call)
        if call.pid == pid and (call.inode or call.new_inode)
    ]


def test_both_ends_of_a_connection_with_calls_states_segments_and_owners() -> None:
    with running(SERVER) as (server, port):
        session, news = watching(Wish(script(CLIENT, port), frames=True, keep=gettempdir()))
    assert news[0].what == "opened"
    (end,) = ended(news)
    pair = end.pair
    assert pair is not None and pair.client is not None and pair.server is not None
    assert (pair.client.owner, pair.server.owner) != (None, None)
    assert pair.server.owner and pair.server.owner.pid == server
    assert pair.client.owner and pair.client.owner.pid != server
    assert (pair.sent(), pair.cause()) == ((14, 14), Cause("closed", "client"))
    assert (session.lost, session.frames_lost, session.status) == (0, 0, 0)

    timeline = session.recording()
    assert names(timeline, pair.client.owner.pid)[0] == "socket"
    assert [n for n in names(timeline, pair.client.owner.pid) if n in ("connect", "send", "recv",
            "close")] == ["connect", "send", "recv", "close"]  # fmt: skip
    served = names(timeline, server)
    assert served[0] == "accept" and "close" in served
    assert served.count("recv") == 2 and served.count("send") == 1
    (connect,) = [call for call in timeline.of(Call) if call.name == "connect"]
    inside = [state for state in timeline.of(State)
              if connect.t_ns < state.t_ns < (connect.end_ns or 0)]  # fmt: skip
    assert [state.new for state in inside if state.local == connect.local] == [
        "SYN_SENT", "ESTABLISHED",
    ]  # fmt: skip
    (found,) = connections(timeline)
    assert found.server.port == port
    segments = [frame for frame in timeline if isinstance(frame, Segment)]
    syn = segments[0]
    assert connect.t_ns < syn.t_ns < (connect.end_ns or 0)


def test_states_come_after_the_frames_that_made_them() -> None:
    """One clock: the frame's time, converted, is before what the kernel did because of it."""
    with running(SERVER) as (_, port):
        session, _ = watching(Wish(script(CLIENT, port), frames=True, keep=gettempdir()))
    timeline = session.recording()
    by_number = [frame for frame in timeline if isinstance(frame, Segment)]
    established = [state for state in timeline.of(State) if state.new == "ESTABLISHED"]
    client = next(state for state in established if state.remote.port == port)
    server = next(state for state in established if state.local.port == port)
    bound_ns = int(timeline.meta["clock_error_ns"])
    assert by_number[1].t_ns < client.t_ns + bound_ns
    assert by_number[2].t_ns < server.t_ns + bound_ns
    assert client.t_ns < server.t_ns


SHORT = """
import os, socket, sys
for _ in range(50):
    pid = os.fork()
    if not pid:
        sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
        os.write(1, b"%d %d\\n" % (os.getpid(), sock.getsockname()[1]))
        os._exit(0)
    os.waitpid(pid, 0)
"""


def test_fifty_processes_that_live_some_milliseconds_each_own_their_connection() -> None:
    read, write = os.pipe()
    with running(SERVER) as (server, port):
        session, news = watching(Wish(script(SHORT, port), output=write))
    os.close(write)
    with os.fdopen(read) as file:
        said = {int(port): int(pid) for pid, port in map(str.split, file)}
    assert len(said) == 50
    seen = {}
    for one in ended(news):
        assert one.pair and one.pair.client and one.pair.client.owner
        seen[one.pair.ends[0].port] = one.pair.client.owner.pid
        assert one.pair.server and one.pair.server.owner
        assert one.pair.server.owner.pid == server
    assert seen == said
    assert session.lost == 0


def test_a_refused_connection_has_the_kernel_s_reason() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        text = f"import socket; socket.socket().connect_ex(('127.0.0.1', {port}))"
        _, news = watching(Wish(script(text)))
    (end,) = ended(news)
    assert end.pair and end.pair.cause() == Cause("refused", "server", "NO_SOCKET")


UNREAD = """
import socket
listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
server, _ = listener.accept()
client.send(b"never read")
server.close()
"""


def test_a_reset_for_unread_data_has_the_kernel_s_reason_and_its_sender() -> None:
    _, news = watching(Wish(script(UNREAD)))
    assert [one.what for one in news][:1] == ["listening"]
    (end,) = ended(news)
    assert end.pair and end.pair.cause() == Cause("reset", "server", "TCP_ABORT_ON_CLOSE")
    assert end.pair.server and end.pair.server.owner
    assert end.pair.server.guessed  # it neither sent nor received


def test_the_clients_and_servers_of_a_port_are_watched_whoever_they_are() -> None:
    with running(SERVER) as (_, port):
        done = threading.Event()
        clients: list[int] = []

        def ask() -> None:
            while not done.is_set():
                with subprocess.Popen(script(CLIENT, port)) as client:
                    clients.append(client.pid)

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            session, news = watching(Wish(port=port, count=3))
        finally:
            done.set()
            asking.join()
    for one in ended(news):
        assert one.pair and one.pair.client
        assert one.pair.ends[1].port == port
    # the first may have begun before anybody watched
    assert sum(1 for one in ended(news) if one.pair and one.pair.server) >= 2
    pids = {one.pair.client.owner.pid for one in ended(news)
            if one.pair and one.pair.client and one.pair.client.owner}  # fmt: skip
    # the calls of the whole machine are traced: of a busy one some may be lost, and with them whose
    assert pids and (session.lost or pids <= set(clients))


HELD = """
import socket, sys
listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
server, _ = listener.accept()
print(listener.getsockname()[1], flush=True)
sys.stdin.readline()
client.send(b"after")
client.close()
server.recv(100)
server.close()
sys.stdin.readline()
"""


ASKING = """
import socket, sys
asked = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asked.bind(("127.0.0.1", 0))
for connected in (False, True):
    asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    if connected:
        asking.connect(asked.getsockname())
        asking.send(b"x" * 30)
    else:
        asking.sendto(b"x" * 20, asked.getsockname())
    data, peer = asked.recvfrom(100)
    asked.sendto(data * 2, peer)
    asking.recv(100)
    asking.close()
"""


def test_datagrams_are_conversations_with_calls_owners_and_frames() -> None:
    """No call has their addresses."""
    session, news = watching(Wish(script(ASKING), frames=True, keep=gettempdir()))
    told = [(one.what, one.pair.protocol) for one in news if one.pair]
    assert sorted(told) == [("ended", "udp")] * 2 + [("opened", "udp")] * 2
    pairs = [one.pair for one in ended(news) if one.pair]
    assert [pair.sent() for pair in pairs] == [(20, 40), (30, 60)]
    for pair in pairs:
        assert pair.client and pair.client.owner and pair.server and pair.server.owner
        assert pair.client.owner.pid == pair.server.owner.pid
    timeline = session.recording()
    assert sum(isinstance(frame, Datagram) for frame in timeline) == 4
    assert pairs[1].client and pairs[1].client.owner
    calls = [call.name for call in timeline.of(Call) if call.local == pairs[1].ends[0]]
    assert [name for name in calls if name in ("connect", "send", "recv")] == [
        "connect", "send", "recv",
    ]  # fmt: skip


def test_a_connection_from_before_is_known_by_its_descriptors() -> None:
    with subprocess.Popen(script(HELD), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as process:  # fmt: skip
        assert process.stdin and process.stdout
        port = int(process.stdout.readline())
        begin = threading.Thread(target=told_once_traced, args=(process.stdin,))
        begin.start()
        _, news = watching(Wish(pids=[process.pid], count=1))
        begin.join()
        process.kill()
    (end,) = ended(news)
    assert end.pair and end.pair.ends[1].port == port
    owners = [sock.owner.pid for sock in end.pair.socks if sock.owner]
    assert owners == [process.pid, process.pid]
    assert (end.pair.sent(), end.pair.cause()) == ((5, 0), Cause("closed", "client"))


def told_once_traced(stdin: IO[str]) -> None:
    while not records(os.getpid()):
        time.sleep(0.02)
    stdin.write("\n")
    stdin.flush()


GIVING = """
import socket, sys
listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
server, _ = listener.accept()
with socket.socket(socket.AF_UNIX) as way:
    way.connect(sys.argv[1])
    socket.send_fds(way, [b"x"], [server.fileno()])
    server.close()
    way.recv(1)
"""


def test_a_connection_that_is_given_to_a_process_that_nobody_follows_is_said(
    tmp_path: Path,
) -> None:
    """SCM_RIGHTS: to this very process."""
    given: list[int] = []
    with socket.socket(socket.AF_UNIX) as way:
        way.bind(str(tmp_path / "way"))
        way.listen()

        def take() -> None:
            peer, _ = way.accept()
            with peer:
                given.extend(socket.recv_fds(peer, 10, 1)[1])

        taking = threading.Thread(target=take)
        taking.start()
        session, news = watching(Wish(script(GIVING, tmp_path / "way")))
        taking.join()
    (last,) = [one.pair for one in news if one.what == "open"]
    assert last and last.server and os.getpid() in [one.pid for one in last.server.holders]
    assert [note.params for note in session.notes() if "passed on" in note.message] == [
        {"count": 1}
    ]
    os.close(given[0])


SAME = """
import socket, sys
listener = socket.create_server(("127.0.0.1", 4000))
client = socket.create_connection(listener.getsockname(), source_address=("127.0.0.1", 4001))
server, _ = listener.accept()
client.send(b"x" * int(input()))
server.recv(100)
print("said", flush=True)
sys.stdin.read()
client.close()
"""
TWICE = """
import subprocess, sys
alone = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "-"]
both = [subprocess.Popen([*alone, sys.executable, "-c", sys.argv[1]], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(2)]
for size, one in enumerate(both, 5):
    print(size, file=one.stdin, flush=True)
for one in both:
    one.stdout.readline()
for one in both:
    one.communicate()
"""


def test_two_network_namespaces_with_the_same_four_tuple_are_kept_apart() -> None:
    _, news = watching(Wish(script(TWICE, SAME)))
    pairs = [one.pair for one in ended(news) if one.pair]
    assert {pair.ends for pair in pairs} == {
        (Endpoint("127.0.0.1", 4001), Endpoint("127.0.0.1", 4000))
    }
    assert sorted(pair.sent() or () for pair in pairs) == [(5, 0), (6, 0)]
    for pair in pairs:
        assert pair.client and pair.client.owner and pair.server and pair.server.owner
        assert pair.client.owner.pid == pair.server.owner.pid
    assert len({pair.netns for pair in pairs}) == 2


def test_a_process_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match="no process"):
        watching(Wish(pids=[2**22 - 5]))


def test_a_command_that_cannot_be_run_is_refused_and_leaves_no_instance() -> None:
    with pytest.raises(UsageError, match="No such file"):
        watching(Wish(["/no/such/program"]))
    mine = f"-{os.getpid()}-"
    assert not [name for name in os.listdir(f"{place()}/instances") if mine in name]


def test_two_may_watch_at_the_same_time() -> None:
    """An instance disturbs no other tracer."""
    with running(SERVER) as (_, port), watching_port(port) as other:
        _, news = watching(Wish(script(CLIENT, port)))
        assert told_until(other, "ended")
        other.send_signal(signal.SIGINT)
        assert [one["kind"] for one in told_until(other)] == ["summary"]
    assert len(ended(news)) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_who_is_told_to_end_tells_the_rest_and_leaves_nothing(number: signal.Signals) -> None:
    with running(SERVER) as (_, port), watching_port(port) as other:
        with socket.create_connection(("127.0.0.1", port)) as sock:
            assert sock.send(b"x") == len(sock.recv(1))
        assert told_until(other, "ended")
        other.send_signal(number)
        rest = [one["kind"] for one in told_until(other)]
    # only Ctrl-C is how a person ends it: the others are an order, and its status says so
    assert other.returncode == (0 if number == signal.SIGINT else 128 + number)
    assert rest == (["summary"] if number == signal.SIGINT else [])
    assert not left_by(other.pid)


def test_who_is_told_so_twice_ends_all_the_same() -> None:
    asked: list[News] = []

    def tell(news: News) -> None:
        for _ in range(0 if asked else 2):
            os.kill(os.getpid(), signal.SIGINT)
        asked.append(news)

    before = signal.getsignal(signal.SIGINT)
    with running(SERVER) as (_, port):
        many = script(CLIENT + "import time; time.sleep(600)", port)
        Session(Wish(many), tell).run()
    assert asked and not left_by(os.getpid())
    assert signal.getsignal(signal.SIGINT) == before


def left_by(pid: int) -> list[str]:
    """The instances of a process."""
    return [name for name in os.listdir(f"{place()}/instances") if f"-{pid}-" in name]


LATER = """
import socket, sys
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listener:
    client = socket.create_connection(listener.getsockname())
    peer, _ = listener.accept()
    client.close()
    peer.recv(1)
    peer.close()
"""


def test_a_server_that_starts_after_its_port_is_watched_is_told_of() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with watching_port(port) as other:
        with subprocess.Popen(script(LATER, port)) as later:
            assert later.wait() == 0
        told = told_until(other, "ended")
        other.send_signal(signal.SIGINT)
        (summary,) = told_until(other)
    if summary["lost"]:
        return  # the calls of the whole machine are traced, which may be too many
    kinds = [one["kind"] for one in told if one["kind"] != "accepted"]
    assert kinds == ["listening", "opened", "ended"]
    assert owners(told[0]["server"]) == owners(told[-1]["server"]) == {later.pid}
    assert owners(told[-1]["client"]) == {later.pid}
    assert told[-1]["server"]["port"] == port


def owners(end: dict[str, Any]) -> set[int]:
    return {one["pid"] for one in end["owners"]}


def told_until(watch: "subprocess.Popen[str]", kind: str = "") -> list[dict[str, Any]]:
    """What a watcher says, up to something of this kind; else all."""
    assert watch.stdout
    told: list[dict[str, Any]] = []
    while (not told or told[-1]["kind"] != kind) and (line := watch.stdout.readline()):
        told.append(json.loads(line))
    return told


@contextmanager
def watching_port(port: int) -> Iterator["subprocess.Popen[str]"]:
    """`fourtuple watch` of a port, as soon as it records."""
    command = [sys.executable, "-m", "fourtuple", "watch", "--port", str(port), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        try:
            while other.poll() is None and not records(other.pid):
                time.sleep(0.05)
            yield other
        finally:
            other.send_signal(signal.SIGINT)


def records(pid: int) -> bool:
    """Whether that process records."""
    for folder in Path(place(), "instances").glob(f"fourtuple-{pid}-*-calls"):
        with suppress(OSError):  # it is gone by now (ENOENT) or going (ENODEV)
            # a new instance records, and has no event yet
            armed = (folder / "events/sched/sched_process_exit/enable").read_text() == "1\n"
            return armed and (folder / "tracing_on").read_text() == "1\n"
    return False


def test_what_was_kept_is_the_same_when_it_is_read_back() -> None:
    from io import BytesIO

    from fourtuple.event.recording import write_recording
    from fourtuple.source import read

    with running(SERVER) as (_, port):
        session, _ = watching(Wish(script(CLIENT, port), frames=True, keep=gettempdir()))
    timeline = session.recording()
    stream = BytesIO()
    write_recording(timeline, stream)
    stream.seek(0)
    again = read(stream)
    assert again.events == tuple(timeline.events)
    assert again.frames == timeline.frames


C_CLIENT = r"""
#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
int main(int argc, char **argv) {
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
    inet_pton(AF_INET, "127.0.0.1", &there.sin_addr);
    int sock = socket(AF_INET, SOCK_STREAM, 0);
    char bytes[14] = {0};
    return connect(sock, (void *)&there, sizeof there) || write(sock, bytes, 14) != 14
        || read(sock, bytes, 14) != 14 || close(sock);
}
"""


@pytest.mark.slow
def test_a_static_program_of_c_is_seen_like_any_other(tmp_path: "os.PathLike[str]") -> None:
    if shutil.which("gcc") is None:
        pytest.skip("there is no C compiler")
    program = os.path.join(tmp_path, "client")
    subprocess.run(["gcc", "-static", "-x", "c", "-", "-o", program], input=C_CLIENT, text=True,
                   check=True)  # fmt: skip
    with running(SERVER) as (_, port):
        session, news = watching(Wish([program, str(port)], frames=True, keep=gettempdir()))
    (end,) = ended(news)
    assert end.pair and end.pair.client and end.pair.client.owner
    assert session.status == 0
    calls = names(session.recording(), end.pair.client.owner.pid)
    assert calls == ["socket", "connect", "write", "read", "close"]


def test_the_kernel_s_word_makes_the_cause_of_a_reset_certain() -> None:
    session, _ = watching(Wish(script(UNREAD), frames=True, keep=gettempdir()))
    timeline = session.recording()
    (found,) = connections(timeline)
    (reset,) = found.resets
    assert (reset.sender, reset.cause, reset.confidence, reset.kernel_reason) == (
        "server", "unread-data", "certain", "TCP_ABORT_ON_CLOSE",
    )  # fmt: skip
    whys = [
        Translator().text(Message(one.rule.why, one.params)) for one in findings(found, timeline)
    ]
    assert any("gave TCP_ABORT_ON_CLOSE as its reason" in why for why in whys)
