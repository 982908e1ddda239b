"""Servers for many clients: one at a time, a thread each, select, poll, epoll, asyncio
(rows A3, C8, E9)."""

import asyncio
import os
import select
import socket
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from fourtuple.errors import N_
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.hosts.baseline import PATIENT
from fourtuple.lab.hosts.host import Host
from fourtuple.lab.hosts.sockets import HostSocket
from fourtuple.lab.script import Lab

# Each program answers what it is sent in capitals; only who is served when differs.


def one_at_a_time(listener: socket.socket) -> None:
    while True:
        serve(listener.accept()[0])


def thread_each(listener: socket.socket) -> None:
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=serve, args=(sock,), daemon=True).start()


def serve(sock: socket.socket) -> None:
    with sock:
        while data := sock.recv(1024):
            sock.sendall(data.upper())


def with_select(listener: socket.socket) -> None:
    socks = [listener]
    while True:
        for sock in select.select(socks, [], [])[0]:
            if sock is listener:
                socks.append(listener.accept()[0])
            elif data := sock.recv(1024):
                sock.sendall(data.upper())
            else:
                socks.remove(sock)
                sock.close()


def with_poll(listener: socket.socket) -> None:
    wait_and_serve(listener, select.poll())


def with_epoll(listener: socket.socket) -> None:
    wait_and_serve(listener, select.epoll())


def wait_and_serve(listener: socket.socket, poller: Any) -> None:
    """poll and epoll are used alike: register once, then ask which descriptors are ready."""
    socks = {listener.fileno(): listener}
    poller.register(listener, select.POLLIN)
    while True:
        for fd, _ in poller.poll():
            sock = socks[fd]
            if sock is listener:
                made, _ = listener.accept()
                socks[made.fileno()] = made
                poller.register(made, select.POLLIN)
            elif data := sock.recv(1024):
                sock.sendall(data.upper())
            else:
                poller.unregister(fd)
                socks.pop(fd).close()


def with_asyncio(listener: socket.socket) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1024):
            writer.write(data.upper())
            await writer.drain()
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(answer, sock=listener)
        await server.serve_forever()

    asyncio.run(main())


MODELS: dict[str, Callable[[socket.socket], None]] = {
    "one at a time": one_at_a_time,
    "a thread each": thread_each,
    "select": with_select,
    "poll": with_poll,
    "epoll": with_epoll,
    "asyncio": with_asyncio,
}


def upper_casing_server(address: str, port: int, model: str) -> None:
    """A program that serves clients in one of the ways of MODELS."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, port), family=family) as listener:
        MODELS[model](listener)


@experiment(
    covers="E9 C8",
    question="A server serves one client at a time: what happens to the others meanwhile?",
    background=(
        "The kernel completes each handshake and puts the connection at the end of the accept "
        "queue; accept() takes the first (inet_csk_accept). What the clients send waits in the "
        "receive buffers. They notice nothing but that no answer comes."
    ),
    try_next=(
        N_("Serve each in a thread, or all in one: lab run concurrency-models"),
        N_("Let more clients come than the queue holds: lab run accept-queue"),
    ),
    tags="programs queues",
    mutation=Mutation(N_("each client has a thread"), values={"model": "a thread each"}),
)
def one_at_a_time_server(lab: Lab) -> None:
    client, server = lab.pair(sysctls=PATIENT)
    model = lab.value("model", "one at a time")
    server.run(upper_casing_server, server.address, 8888, model)
    lab.settle()
    names = [b"alice", b"bob", b"carol", b"dave"]
    programs = [client.program(name.decode()) for name in names]
    socks = [program.socket().connect(server, 8888) for program in programs]
    for sock, name in reversed(list(zip(socks, names, strict=True))):
        sock.send(name)
    answers = [sock.begin.recv() for sock in socks]
    lab.settle()

    listener = lab.sockets(server, listening=True)[0]
    lab.expect(listener.recv_q, 3, "connections that wait in the accept queue")
    waiting = [row for row in lab.sockets(server) if row.inode == 0]
    lab.expect(
        sorted(row.recv_q for row in waiting),
        [3, 4, 5],
        "bytes that wait with them: bob, dave, ...",
    )
    served: list[bytes] = []
    for sock, answer in zip(socks, answers, strict=True):
        done = [one.returned for one in answers]
        lab.expect(
            sum(done), len(served) + 1, "clients with an answer, {ended} of whom have gone",
            ended=len(served),
        )  # fmt: skip
        served.append(answer.result())
        sock.close()
        lab.settle()
    lab.expect(
        served,
        [b"ALICE", b"BOB", b"CAROL", b"DAVE"],
        "answers in the order of connecting, though dave had sent his name first",
    )
    lab.claim(
        "waiting clients are served first come, first served",
        True,
        "dave, who had connected last but spoken first, was served last",
        source="E",
        evidence=lab.segments(flags="SYN").frames,
    )


def numbering_server(address: str, port: int, locked: bool) -> None:
    """A thread for each client, and (as in a textbook) one lock around all that a thread does."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    lock: AbstractContextManager[Any] = threading.Lock() if locked else nullcontext()
    with socket.create_server((address, port), family=family, backlog=32) as listener:
        number = 0
        while True:
            sock, _ = listener.accept()
            number += 1
            threading.Thread(target=greet, args=(sock, number, lock), daemon=True).start()


def greet(sock: socket.socket, number: int, lock: AbstractContextManager[Any]) -> None:
    with lock, sock:
        while data := sock.recv(1024):
            sock.sendall(b"client %d: %s" % (number, data))


@experiment(
    covers="A3",
    question="Twenty clients come at once: whom does a silent one keep waiting?",
    background=(
        "With a thread for each client nobody waits for anybody. A lock that each thread holds as "
        "long as its client stays takes that back: recv() of a silent client then blocks all "
        "threads. A lock belongs around shared data, for the moment of its use."
    ),
    try_next=(
        N_("Count threads: each client costs one. One thread for all: lab run concurrency-models"),
        N_("Find the threads that wait: ls /proc/PID/task, and wchan of each."),
    ),
    tags="programs",
    mutation=Mutation(N_("the second server has the lock too"), values={"locked": True}),
)
def many_clients(lab: Lab) -> None:
    client, server = lab.pair(sysctls=PATIENT)
    server.run(numbering_server, server.address, 8888, True)
    lab.settle()
    silent, eager = (client.socket().connect(server, 8888) for _ in range(2))
    lab.settle()
    eager.send(b"hello")
    answer = eager.begin.recv()
    lab.settle()
    lab.expect(lab.sockets(server, listening=True)[0].recv_q, 0, "connections not yet accepted")
    lab.expect(answer.returned, False, "the lock: the second client has an answer")
    silent.close()
    lab.expect(answer.result(), b"client 2: hello", "its answer, once the silent one has gone")

    server.run(numbering_server, server.address, 8889, lab.value("locked", False))
    lab.settle()
    socks = [client.socket().connect(server, 8889) for _ in range(20)]
    lab.settle()
    socks[1].send(b"hello")
    second = socks[1].begin.recv()
    lab.settle()
    lab.expect(second.returned, True, "no lock, the first is silent: the second has an answer")
    answers = [second.result(), *(_answer(sock) for sock in socks[2:])]
    expected = [b"client %d: hello" % number for number in range(2, 21)]
    lab.expect(answers, expected, "so have all the others; each has a number of its own")
    for number in range(21, 24):
        later = client.socket().connect(server, 8889)
        lab.expect(_answer(later), b"client %d: hello" % number, "one after another: the next")
        later.close()
    lab.claim(
        "a thread for each client is enough to serve all at once",
        "what the threads share: with one lock held for a whole client, one silent client "
        "stops all",
        "with the lock the second client got nothing while the first was silent; without it 19 "
        "of 20 were answered",
        source="A",
        evidence=lab.segments(flags="SYN").frames[:2],
    )


@experiment(
    covers="C8 E9 A3",
    question="One at a time, threads, select, poll, epoll, asyncio: who waits for whom?",
    background=(
        "A thread that calls recv() waits for one client. select(), poll() and epoll_wait() wait "
        "for many descriptors at once and say which are ready, so that one thread serves all; "
        "asyncio does that with epoll. select() takes descriptors up to 1023 only (select(2))."
    ),
    try_next=(
        N_(
            "Let a server compute for a second for each answer: which models then make others wait?"
        ),
        N_("See what a socket that does not block returns: lab run non-blocking"),
    ),
    tags="programs",
    mutation=Mutation(N_("no client is silent"), values={"silent": 0}),
)
def concurrency_models(lab: Lab) -> None:
    client, server = lab.pair(sysctls=PATIENT)
    answered, threads = {}, {}
    for port, model in enumerate(MODELS, 8001):
        program = server.run(upper_casing_server, server.address, port, model)
        lab.settle()
        silent = [client.socket().connect(server, port) for _ in range(lab.value("silent", 1))]
        lab.settle()
        answer = _ask(client, server, port)
        lab.settle()
        answered[model] = answer.returned
        threads[model] = len(os.listdir(f"/proc/{program.pid}/task"))
        for sock in silent:
            sock.close()
        lab.expect(answer.result(), b"HELLO", "{model}: what the second client reads", model=model)
        lab.settle()
    for model, count in threads.items():
        lab.expect(
            answered[model],
            model != "one at a time",
            "{model}: the second client is answered while the first is silent",
            model=model,
        )
        expected = 3 if model == "a thread each" else 1
        lab.expect(count, expected, "{model}: threads of the server, two clients", model=model)
    lab.claim(
        "serving many clients at once takes many threads",
        False,
        "with select, poll, epoll and asyncio one thread answered the second client while the "
        "first was silent",
        source="C",
        evidence=[
            frame
            for port in range(8003, 8007)
            for frame in lab.segments(sent_by=server, payload=True, port=port).frames
        ],
    )


def _answer(sock: HostSocket) -> bytes:
    sock.send(b"hello")
    return sock.recv()


def _ask(client: Host, server: Host, port: int) -> Any:
    """A further client that speaks: its recv(), which has begun."""
    sock: HostSocket = client.socket().connect(server, port)
    sock.send(b"hello")
    return sock.begin.recv()
