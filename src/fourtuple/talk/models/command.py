"""A program for each client, whose standard input and output are the connection (as inetd did).

The socket itself is handed over: what the program reads is what the client sends, and
when it ends the kernel closes the connection. Nothing of it passes through this process.
"""

import os
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import closing, suppress

from fourtuple.explain.model import Message
from fourtuple.talk.codecs.stream import Plain
from fourtuple.talk.hall import GONE, Hall, Seat
from fourtuple.talk.models.listener import DRAIN_S, Door, Listener, Stop
from fourtuple.talk.models.waiting import noted_selector

__all__ = ["serve_command"]

_TICK_S = 0.2


def serve_command(
    command: Sequence[str], listeners: Sequence[Listener], hall: Hall, stop: Stop
) -> None:
    """Start `command` for each client until told to stop; then its programs are ended."""
    sockets = [each.socket for each in listeners]
    running: dict[subprocess.Popen[bytes], Seat] = {}
    try:
        with noted_selector(sockets) as selector, closing(Door(hall)) as door:
            selector.register(stop, selectors.EVENT_READ)
            for listener in listeners:
                selector.register(listener.socket, selectors.EVENT_READ, listener)
            while not stop.asked:
                for key, _ in selector.select(_TICK_S):
                    if key.data is not None:
                        _start(command, door.accept(key.data), key.data.scheme, hall, running)
                _bury(hall, running)
    finally:
        for listener in listeners:
            listener.socket.close()
        _end(hall, running)


def _start(
    command: Sequence[str],
    accepted: tuple[socket.socket, str] | None,
    scheme: str,
    hall: Hall,
    running: dict[subprocess.Popen[bytes], Seat],
) -> None:
    if accepted is None:
        return
    connection, peer = accepted
    with connection:
        seat = hall.open(peer, scheme, Plain())
        if seat is None:
            return
        try:
            process = subprocess.Popen(
                command,
                stdin=connection.fileno(),
                stdout=connection.fileno(),
                start_new_session=True,
            )
        except OSError as error:
            hall.drop(seat, Message(GONE, {"reason": f"{command[0]}: {error.strerror}"}))
            hall.close(seat)
            return
        running[process] = seat


def _bury(hall: Hall, running: dict[subprocess.Popen[bytes], Seat]) -> None:
    for process in [each for each in running if each.poll() is not None]:
        hall.close(running.pop(process), counted=False)


def _end(hall: Hall, running: dict[subprocess.Popen[bytes], Seat]) -> None:
    for process in running:
        _signal(process, signal.SIGTERM)
    until_s = time.monotonic() + DRAIN_S
    for process in running:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, until_s - time.monotonic()))
        _signal(process, signal.SIGKILL)
        process.wait()
    for process in list(running):
        hall.close(running.pop(process), counted=False)


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """To a program and all that it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
