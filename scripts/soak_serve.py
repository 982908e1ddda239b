"""Servers under trouble: many clients, slow ones, vanished ones, and no descriptors left.

    python scripts/soak_serve.py [--model epoll asyncio ...] [--clients 10000] [--trial NAME ...]

Every model but one-at-a-time, which serves one; select with fewer clients, as it can watch no
descriptor above 1023, and threads with fewer, as each takes two. Each server is a `fourtuple serve`
of its own, on loopback. Prints a line a trial, and ends with status 1 if any promise was broken:
everyone is served, nothing in the room is lost or out of order (each line bears a number), memory
stays bounded, and nobody waits for a client that does not read.
"""

import argparse
import errno
import os
import re
import resource
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

START_S = 60.0
WAIT_S = 60.0
#: what a server may grow by for each connection that is open, beyond what it is when it starts
MOST_BYTES_A_CLIENT = 32 * 1024
#: and where each has two threads, with stacks of their own
MOST_BYTES_WITH_THREADS = 64 * 1024
MOST_DELAY_S = 0.1
TCP_REPAIR = 19
MODELS = ("epoll", "asyncio", "poll", "select", "threads")
#: how many clients stay in a crowd, where that is not for the options to say
MOST_CLIENTS = {"select": 400, "threads": 2000}


class Serving:
    """A server process; `words` are the options of fourtuple serve."""

    def __init__(self, words: Sequence[str], descriptors: int = 0) -> None:
        self._log = tempfile.NamedTemporaryFile("w+")  # noqa: SIM115 - closed with the server
        command = [sys.executable, "-u", "-m", "fourtuple", "serve", "tcp://127.0.0.1:0", *words]
        limit = (lambda: _limit(descriptors)) if descriptors else None
        self.process = subprocess.Popen(command, stdout=self._log, preexec_fn=limit)
        self.address = ("127.0.0.1", int(self.await_said(r"127\.0\.0\.1:(\d+)")))

    def await_said(self, pattern: str) -> str:
        until_s = time.monotonic() + START_S
        while time.monotonic() < until_s:
            if found := re.search(pattern, Path(self._log.name).read_text()):
                return found[1] if found.groups() else found[0]
            time.sleep(0.1)
        raise AssertionError(f"the server never said {pattern}")

    def resident_bytes(self) -> int:
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def client(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=WAIT_S)

    def stop(self) -> int:
        self.process.terminate()
        status = self.process.wait(WAIT_S)
        self._log.close()
        return status


def _limit(count: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))


@contextmanager
def serving(*words: str, descriptors: int = 0) -> Iterator[Serving]:
    server = Serving(words, descriptors)
    try:
        yield server
        assert server.stop() == 0, "it did not end in order"
    finally:
        server.process.kill()
        server.process.wait()


def crowd(model: str, options: argparse.Namespace) -> str:
    """So many clients at once, each with a word of its own; then resets, vanished peers, bursts."""
    with serving("--model", model) as server, ExitStack() as stack:
        before = server.resident_bytes()
        began_s = time.monotonic()
        count = min(options.clients, MOST_CLIENTS.get(model, options.clients))
        clients = [stack.enter_context(server.client()) for _ in range(count)]
        _each_hears_its_own(clients)
        took_s = time.monotonic() - began_s
        grown = (server.resident_bytes() - before) // count
        most = MOST_BYTES_WITH_THREADS if model == "threads" else MOST_BYTES_A_CLIENT
        assert grown < most, f"{grown} bytes a client"
        for _ in range(2000):
            _reset(server)
        vanished = _vanish(server, 500)
        _burst(server, 3000)
        _each_hears_its_own(clients)
        return (
            f"{len(clients)} clients in {took_s:.1f} s, {grown / 1024:.1f} KiB each; all answered"
            f" again after 2000 resets, {vanished} peers gone without a segment, a burst of 3000"
        )


def _each_hears_its_own(clients: Sequence[socket.socket]) -> None:
    for number, client in enumerate(clients):
        client.sendall(b"%064d" % number)
    for number, client in enumerate(clients):
        assert client.recv(64, socket.MSG_WAITALL) == b"%064d" % number


def _reset(server: Serving) -> None:
    with server.client() as client:
        client.sendall(b"x")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _vanish(server: Serving, count: int) -> int:
    """Clients that close without a segment (TCP_REPAIR): the server's half stays open."""
    gone = 0
    for _ in range(count):
        with server.client() as client, suppress(PermissionError):
            client.sendall(b"x")
            client.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
            gone += 1
    return gone


def _burst(server: Serving, count: int) -> None:
    """So many SYNs as fast as they can be sent, from clients that do not stay."""
    clients = [socket.socket() for _ in range(count)]
    for client in clients:
        client.setblocking(False)
        assert client.connect_ex(server.address) in (0, errno.EINPROGRESS)
    for client in clients:
        client.close()


def room(model: str, options: argparse.Namespace) -> str:
    """Every member hears every line of every speaker, in the order in which it was said."""
    members, speakers, lines = 300, 5, 100
    with serving("--model", model, "--app", "chat") as server, ExitStack() as stack:
        files = [_member(server, stack, number) for number in range(members)]
        for file in files:
            _heard_until(file, b"%d Member has come" % (members - 1), file is files[-1])
        orders: list[list[bytes]] = [[] for _ in files]
        listeners = [
            threading.Thread(target=_listen, args=(file, order, speakers * lines, number, lines))
            for number, (file, order) in enumerate(zip(files, orders, strict=True))
        ]
        for thread in listeners:
            thread.start()
        for line in range(lines):
            for number in range(speakers):
                files[number].write(b"line %d\n" % line)
                files[number].flush()
        for thread in listeners:
            thread.join(WAIT_S)
            assert not thread.is_alive(), "somebody did not hear everything"
        outsiders = orders[speakers:]
        assert all(order == outsiders[0] for order in outsiders), "not one order for all"
        for number in range(speakers):
            said = [line for line in outsiders[0] if line.startswith(b"%d Member:" % number)]
            wanted = [b"%d Member: line %d\n" % (number, line) for line in range(lines)]
            assert said == wanted, "lost, or out of order"
        heard = sum(map(len, orders))
        return f"{heard} lines heard by {members} members, none lost, in one order"


def _member(server: Serving, stack: ExitStack, number: int) -> "socket.SocketIO":
    client = stack.enter_context(server.client())
    file = stack.enter_context(client.makefile("rwb"))
    file.readline()
    file.write(b"%d Member\n" % number)
    file.flush()
    file.readline()
    return file


def _heard_until(file: "socket.SocketIO", words: bytes, own: bool) -> None:
    while not own and words not in file.readline():
        pass


def _listen(file: "socket.SocketIO", order: list[bytes], total: int, number: int, own: int) -> None:
    """Take down all lines; one's own do not come back."""
    for _ in range(total - own if number * own < total else total):
        order.append(file.readline())


def stopped_reader(model: str, options: argparse.Namespace) -> str:
    """A member that reads nothing for a while delays nobody, and loses nothing. What the machine
    itself delays is measured first, with everybody reading."""
    with serving("--model", model, "--app", "chat") as server, ExitStack() as stack:
        stopped, speaker, *others = [_member(server, stack, number) for number in range(20)]
        for file in others:
            _heard_until(file, b"19 Member has come", file is others[-1])
        usual = _delays(speaker, [stopped, *others], options.stopped / 3, 0)
        delays = _delays(speaker, others, options.stopped, len(usual))
        said = len(usual) + len(delays)
        numbers: list[int] = []
        while len(numbers) < len(delays):
            if found := re.match(rb"1 Member: (\d+) ", stopped.readline()):
                numbers.append(int(found[1]))
        assert numbers == list(range(len(usual), said)), "the stopped reader missed something"
        worst, before = max(delays), max(usual)
        assert worst < MOST_DELAY_S + before, f"{worst * 1000:.0f} ms, before {before * 1000:.0f}"
        return (
            f"{len(delays)} lines while one member did not read for {options.stopped:g} s: others"
            f" waited {_in_ms(delays)}; with everybody reading {_in_ms(usual)}; it lost none"
        )


def _delays(
    speaker: "socket.SocketIO", others: Sequence["socket.SocketIO"], seconds: float, first: int
) -> list[float]:
    """How long each line took until the last of the others had heard it, in seconds."""
    delays: list[float] = []
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        line = b"%d " % (first + len(delays)) + b"x" * 1000 + b"\n"
        began_s = time.monotonic()
        speaker.write(line)
        speaker.flush()
        for file in others:
            while not file.readline().endswith(line):
                pass
        delays.append(time.monotonic() - began_s)
        time.sleep(0.01)
    return delays


def _in_ms(delays: Sequence[float]) -> str:
    ordered = sorted(delays)
    middle, high = ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]
    shown = (f"{each * 1000:.1f}" for each in (middle, high, ordered[-1]))
    return "{} ms (median), {} (99 of 100), {} (at most)".format(*shown)


def deaf_clients(model: str, options: argparse.Namespace) -> str:
    """Clients that send and never read are not read from either: memory stays where it is."""
    with serving("--model", model) as server, ExitStack() as stack:
        before = server.resident_bytes()
        for _ in range(100):
            client = stack.enter_context(server.client())
            client.settimeout(0.05)
            with suppress(TimeoutError):
                while True:
                    client.send(b"x" * 65536)
        grown = (server.resident_bytes() - before) / 100
        assert grown < 2 << 20, f"{grown} bytes a client"
        with server.client() as client:
            _each_hears_its_own([client])
        return f"100 clients that never read: {grown / 1024:.0f} KiB each"


def no_descriptors(model: str, options: argparse.Namespace) -> str:
    """With 64 descriptors and 500 clients, those inside are served, and others when these leave."""
    with serving("--model", model, descriptors=64) as server:
        with server.client() as early, ExitStack() as stack:
            _each_hears_its_own([early])
            for _ in range(500):
                stack.enter_context(server.client())
            server.await_said("Clients are turned away")
            _each_hears_its_own([early])
        until_s = time.monotonic() + WAIT_S
        while True:
            with suppress(OSError, AssertionError), server.client() as late:
                _each_hears_its_own([late])
                return "500 clients with 64 descriptors: those inside served, later ones too"
            assert time.monotonic() < until_s, "nobody is served any more"
            time.sleep(0.1)


def beyond_select(model: str, options: argparse.Namespace) -> str:
    """Of more clients than select() can watch, those above are turned away, which is said."""
    if model != "select":
        return ""
    with serving("--model", model) as server, ExitStack() as stack:
        clients = [stack.enter_context(server.client()) for _ in range(1000)]
        _each_hears_its_own(clients)
        for _ in range(100):
            stack.enter_context(server.client())
        server.await_said("watches descriptors below 1024 only")
        _each_hears_its_own(clients)
        return "of 1100 clients 1000 served; that there are descriptors above 1023 was said"


TRIALS: tuple[Callable[[str, argparse.Namespace], str], ...] = (
    crowd,
    room,
    stopped_reader,
    deaf_clients,
    no_descriptors,
    beyond_select,
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--model", nargs="+", default=MODELS)
    parser.add_argument("--clients", type=int, default=10_000)
    parser.add_argument("--stopped", type=float, default=30.0)
    names = [trial.__name__ for trial in TRIALS]
    parser.add_argument("--trial", nargs="+", default=names, choices=names)
    options = parser.parse_args()
    _limit(resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    failed = 0
    for model in options.model:
        for trial in (each for each in TRIALS if each.__name__ in options.trial):
            try:
                outcome = trial(model, options)
            except (AssertionError, OSError) as error:
                failed += 1
                outcome = f"FAILED: {error!r}"
            if outcome:
                print(f"{model}, {trial.__name__}: {outcome}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
