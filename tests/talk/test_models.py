"""Every application behaves alike under every model: real sockets on loopback, plain clients."""

import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import SimpleNamespace

import pytest

from fourtuple.explain.model import Message
from fourtuple.talk.app import App
from fourtuple.talk.apps import STREAM_APPS
from fourtuple.talk.codecs import Codec, Lines, Plain
from fourtuple.talk.hall import Hall, Limits
from fourtuple.talk.models import MODELS, Listener, Stop, listener, ready
from fourtuple.talk.models.readiness import EpollWaiter, Ready
from fourtuple.talk.models.ready import serve_ready

TOGETHER = sorted(set(MODELS) - {"one-at-a-time"})
WAIT_S = 90.0


class Service:
    """A server in a thread, and clients for it."""

    def __init__(self, model: str, app: App, limits: Limits | None = None) -> None:
        self.told: list[Message] = []
        limits = limits or Limits()
        self._hall = Hall(app, limits, self.told.append)
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.address = self._listening.getsockname()
        codec: Callable[[], Codec] = Plain
        if app.by_lines:
            codec = lambda: Lines(limits.message_bytes)  # noqa: E731 - two forms of one thing
        self.stop = Stop()
        listeners = [Listener(self._listening, "tcp", codec)]
        self.thread = threading.Thread(
            target=MODELS[model], args=(listeners, self._hall, self.stop), daemon=True
        )
        self.thread.start()

    def client(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=WAIT_S)

    def texts(self) -> list[str]:
        return [message.text.format_map(message.params) for message in self.told]


@contextmanager
def service(model: str, app: str | App, limits: Limits | None = None) -> Iterator[Service]:
    running = Service(model, STREAM_APPS[app]() if isinstance(app, str) else app, limits)
    try:
        yield running
    finally:
        running.stop.set()
        running.thread.join(WAIT_S)
        assert not running.thread.is_alive()


def all_of(client: socket.socket) -> bytes:
    """What the server sends until its FIN."""
    parts = []
    while part := client.recv(65536):
        parts.append(part)
    return b"".join(parts)


#: asyncio's model without uvloop, as on a machine that has none
OWN_LOOP = "asyncio, its own loop"


@pytest.fixture(params=[*sorted(MODELS), OWN_LOOP])
def model(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == OWN_LOOP:
        monkeypatch.setitem(sys.modules, "uvloop", None)
        return "asyncio"
    return str(request.param)


def test_echo_gives_back_every_byte_and_then_its_fin(model: str) -> None:
    sent = bytes(range(256)) * 4096
    with service(model, "echo") as server, server.client() as client:
        writer = threading.Thread(target=lambda: (client.sendall(sent), client.shutdown(1)))
        writer.start()
        assert all_of(client) == sent
        writer.join(WAIT_S)


def test_a_client_may_close_its_side_and_still_be_answered(model: str) -> None:
    with service(model, "upper") as server, server.client() as client:
        client.sendall(b"half close\n")
        client.shutdown(socket.SHUT_WR)
        assert all_of(client) == b"HALF CLOSE\n"


def test_what_is_discarded_brings_nothing_back(model: str) -> None:
    with service(model, "discard") as server, server.client() as client:
        client.sendall(b"x" * 100_000)
        client.shutdown(socket.SHUT_WR)
        assert all_of(client) == b""


def test_the_server_of_time_hangs_up_first(model: str) -> None:
    with service(model, "time") as server, server.client() as client:
        assert all_of(client).endswith(b" UTC\r\n")


@pytest.mark.parametrize("together", TOGETHER)
def test_a_silent_first_client_keeps_nobody_waiting(together: str) -> None:
    with service(together, "echo") as server, server.client(), server.client() as second:
        second.sendall(b"hello")
        assert second.recv(100) == b"hello"


def test_one_at_a_time_the_second_client_waits_in_the_backlog() -> None:
    with service("one-at-a-time", "echo") as server:
        first, second = server.client(), server.client()
        with first, second:
            second.sendall(b"second")
            first.sendall(b"first")
            assert first.recv(100) == b"first"
            second.settimeout(0.2)
            with pytest.raises(TimeoutError):
                second.recv(100)
            first.close()
            second.settimeout(WAIT_S)
            assert second.recv(100) == b"second"


@pytest.mark.parametrize("together", TOGETHER)
def test_a_room_is_heard_by_all_others_in_one_order(together: str) -> None:
    with service(together, "chat") as server:
        clients = [server.client() for _ in range(3)]
        files = [client.makefile("rwb") for client in clients]
        for number, file in enumerate(files):
            assert file.readline().startswith(b"Who are you?")
            file.write(b"2023%d Name %d\r\n" % (number, number))
            file.flush()
            assert file.readline().startswith(b"* Welcome, 2023%d Name" % number)
        assert files[0].readline() == b"* 20231 Name 1 has come.\n"
        assert files[0].readline() == b"* 20232 Name 2 has come.\n"
        assert files[1].readline() == b"* 20232 Name 2 has come.\n"
        for number in range(50):
            files[0].write(b"line %d\n" % number)
        files[0].flush()
        for file in files[1:]:
            heard = [file.readline() for _ in range(50)]
            assert heard == [b"20230 Name 0: line %d\n" % number for number in range(50)]
        files[0].write(b"q\n")
        files[0].flush()
        assert files[0].read() == b""
        assert files[1].readline() == b"* 20230 Name 0 has left.\n"
        for client, file in zip(clients, files, strict=True):
            file.close()
            client.close()


def test_a_line_that_is_too_long_ends_the_connection(model: str) -> None:
    with service(model, "chat", Limits(message_bytes=100)) as server, server.client() as client:
        client.sendall(b"x" * 101)
        with pytest.raises((ConnectionError, EOFError)):
            while True:
                if not client.recv(1000):
                    raise EOFError
        client.close()
    assert any("longer than" in str(m.params.get("why")) for m in server.told)


def test_a_client_that_resets_disturbs_nobody(model: str) -> None:
    with service(model, "echo") as server:
        with server.client() as client:
            client.sendall(b"x")
            client.recv(1)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        with server.client() as client:
            client.sendall(b"still here")
            assert client.recv(100) == b"still here"


@pytest.mark.parametrize("together", TOGETHER)
def test_a_client_that_reads_nothing_is_not_waited_for(together: str) -> None:
    with service(together, "echo") as server, server.client() as deaf, server.client() as other:
        deaf.settimeout(0.2)
        with pytest.raises(TimeoutError):
            while True:
                deaf.send(b"x" * 65536)
        other.sendall(b"hello")
        assert other.recv(100) == b"hello"


@pytest.mark.parametrize("together", TOGETHER)
def test_a_server_that_is_full_turns_clients_away(together: str) -> None:
    with service(together, "echo", Limits(clients=1)) as server, server.client() as first:
        first.sendall(b"a")
        assert first.recv(1) == b"a"
        with server.client() as second, suppress(ConnectionResetError):
            assert second.recv(1) == b""


def test_a_client_that_stays_does_not_keep_it_from_ending(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told the end and given a moment to close: less than sending what waits may take."""
    monkeypatch.setattr(listener, "DRAIN_S", 3600.0)
    with service(model, "echo") as server, server.client() as client:
        client.sendall(b"hello")
        assert client.recv(100) == b"hello"
        server.stop.set()
        assert client.recv(100) == b""
        server.thread.join(WAIT_S)
        assert not server.thread.is_alive()


@contextmanager
def loop_client(waiter: EpollWaiter, idle_s: float) -> Iterator[socket.socket]:
    """A client of a readiness loop that waits with this waiter."""
    stop, hall = Stop(), Hall(STREAM_APPS["echo"](), Limits(idle_s=idle_s))
    listening = socket.create_server(("127.0.0.1", 0))
    address, listeners = listening.getsockname(), [Listener(listening, "tcp", Plain)]
    thread = threading.Thread(target=serve_ready, args=(waiter, listeners, hall, stop))
    thread.start()
    try:
        with socket.create_connection(address, timeout=WAIT_S) as client:
            yield client
    finally:
        stop.set()
        thread.join(WAIT_S)


class Overheard(EpollWaiter):
    """Remembers how long it was to wait each time."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[float | None] = []

    def wait(self, seconds: float | None) -> list[Ready]:
        self.told.append(seconds)
        return super().wait(seconds)


@pytest.mark.parametrize("idle_s", [0.0, 60.0])
def test_a_readiness_loop_looks_at_the_clock_only_if_somebodys_time_may_run_out(
    idle_s: float,
) -> None:
    waiter = Overheard()
    with loop_client(waiter, idle_s) as client:
        client.sendall(b"hello")
        assert client.recv(100) == b"hello"
        client.shutdown(socket.SHUT_WR)
        assert client.recv(100) == b""
        assert {seconds is None for seconds in waiter.told} == {not idle_s}


class Rounds(EpollWaiter):
    """Counts the rounds of a loop; each is begun by a wait."""

    def __init__(self) -> None:
        super().__init__()
        self._count = 0
        self._news = threading.Condition()

    def wait(self, seconds: float | None) -> list[Ready]:
        with self._news:
            self._count += 1
            self._news.notify_all()
        return super().wait(seconds)

    def await_a_whole_one(self) -> None:
        with self._news:
            until = self._count + 2
            assert self._news.wait_for(lambda: self._count >= until, WAIT_S)


def test_who_is_answered_the_short_way_is_not_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [1000.0]
    monkeypatch.setattr(ready, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
    waiter = Rounds()
    with loop_client(waiter, 60.0) as client:
        for _ in range(4):
            client.sendall(b"hello")
            assert client.recv(100) == b"hello"
            waiter.await_a_whole_one()
            now_s[0] += 50
            waiter.await_a_whole_one()
        for _ in range(2):  # the first look may be the first to see what was said last
            now_s[0] += 61
            waiter.await_a_whole_one()
        with suppress(ConnectionResetError):
            assert client.recv(100) == b""


def test_stopping_sends_what_waits_and_closes(model: str) -> None:
    with service(model, "echo") as server, server.client() as client:
        client.sendall(b"last words")
        assert client.recv(100) == b"last words"
        server.stop.set()
        assert client.recv(100) == b""
        client.close()
        server.thread.join(WAIT_S)
        with pytest.raises(ConnectionRefusedError):
            server.client()
