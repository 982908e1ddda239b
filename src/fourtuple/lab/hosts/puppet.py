"""A program that does what it is told: the calls of a script, carried out in a host's own process.

Requests are ``{id, method, handle, args, background}``, answers ``{id, value}`` or ``{id, errno,
text}``. A socket is named by its descriptor. A call begun in the background has a thread of its
own, so that the script goes on while it blocks.
"""

import os
import socket
import threading
from collections.abc import Callable
from typing import Any, NoReturn

from fourtuple.errors import HostLost
from fourtuple.lab.channel import Channel
from fourtuple.lab.hosts.recorded_socket import RecordedSocket, Recorder, recording

__all__ = ["serve_calls"]


def serve_calls(channel: Channel, recorder: Recorder) -> NoReturn:
    """Carry out requests until the other end closes the channel."""
    channel.send({"id": 0, "value": recorder.pid})
    with recording(recorder):
        puppet = _Puppet(channel)
        while True:
            try:
                request = channel.receive()
            except HostLost:
                os._exit(0)  # at once: nothing that ends here is a call of the script
            if request["background"]:
                threading.Thread(target=puppet.answer, args=(request,), daemon=True).start()
            else:
                puppet.answer(request)


class _Puppet:
    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._sockets: dict[int, RecordedSocket] = {}

    def answer(self, request: dict[str, Any]) -> None:
        number = request["id"]
        try:
            self._channel.send({"id": number, "value": self._result(request)})
        except HostLost:
            raise
        except Exception as error:  # an OSError is the kernel's word, any other is Python's
            text = getattr(error, "strerror", None) or (
                str(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
            )
            errno = getattr(error, "errno", None) or 0
            self._channel.send({"id": number, "errno": errno, "text": text})

    def _result(self, request: dict[str, Any]) -> Any:
        method: Callable[..., Any]
        if request["method"] == "socket":
            method = self._socket
        elif request["method"] == "accept":
            method = self._accept_on(request["handle"])
        else:
            method = getattr(self._sockets[request["handle"]], request["method"])
        args: list[Any] = [tuple(arg) if isinstance(arg, list) else arg for arg in request["args"]]
        return method(*args)

    def _socket(self, family: int, kind: int) -> int:
        return self._keep(RecordedSocket(family, kind))

    def _accept_on(self, handle: int) -> Callable[[], tuple[int, Any]]:
        def accept() -> tuple[int, Any]:
            made, address = self._sockets[handle].accept()
            return self._keep(made), address

        return accept

    def _keep(self, made: socket.socket) -> int:
        assert isinstance(made, RecordedSocket)
        self._sockets[made.fileno()] = made
        return made.fileno()
