"""Processes that do part of a scan: forked, with sockets of their own, telling through a pipe.

A process ends with its parent, kill -9 included. Ctrl-C is the parent's to hear: it asks the
process to stop (SIGTERM), which then tells what it knows. Messages are what `marshal` can write.
"""

import marshal
import os
import select
import signal
import struct
import sys
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

from fourtuple.errors import N_, FourtupleError
from fourtuple.scan.interrupt import Interrupt
from fourtuple.system.namespaces import die_with_parent

__all__ = ["Emit", "Message", "Worker", "gather", "read_message", "write_message"]

Message = tuple[Any, ...]
Emit = Callable[[Message], None]
Main = Callable[[Emit, Interrupt], None]

_ENDED = N_("A process of the scan was ended by somebody else.")
_LENGTH = struct.Struct("=I")
_AT_ONCE = 1 << 18
#: how often to look whether an interrupt came
_LOOK_S = 0.1


class Worker:
    """A process that carries out `main(emit, stop)`, from when it is made until `close`.

    `inherited` are descriptors of the parent's that the process has no use for.
    """

    def __init__(self, main: Main, inherited: Sequence[int] = ()) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        self._pipe, theirs = os.pipe()
        self._rest = b""
        self.ended = False
        self._pid = os.fork()
        if not self._pid:
            for descriptor in (self._pipe, *inherited):
                os.close(descriptor)
            _live(main, theirs, parent)
        os.close(theirs)

    def fileno(self) -> int:
        return self._pipe

    def read(self) -> list[Message]:
        """Messages, once some are there; none, and `ended`, when it has ended well. RuntimeError
        where it has not."""
        data = os.read(self._pipe, _AT_ONCE)
        if not data:
            self.ended = True
            status = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
            if status < 0:
                raise FourtupleError(_ENDED)
            if status != 0:
                raise RuntimeError(f"a process of the scan ended with status {status}")
        self._rest += data
        return self._whole()

    def _whole(self) -> list[Message]:
        found, offset = [], 0
        while offset + _LENGTH.size <= len(self._rest):
            (length,) = _LENGTH.unpack_from(self._rest, offset)
            end = offset + _LENGTH.size + length
            if end > len(self._rest):
                break
            found.append(marshal.loads(self._rest[offset + _LENGTH.size : end]))
            offset = end
        self._rest = self._rest[offset:]
        return found

    def stop(self) -> None:
        """Ask it to stop and to tell what it knows."""
        if not self.ended:
            os.kill(self._pid, signal.SIGTERM)

    def until(self, kinds: Collection[str], stop: Interrupt) -> Iterator[Message]:
        """Messages up to the first of one of these kinds; pass an interrupt on to it."""
        told = False
        while not self.ended:
            if select.select([self], [], [], _LOOK_S)[0]:
                for message in self.read():
                    yield message
                    if message[0] in kinds:
                        return
            if stop.asked and not told:
                told = True
                self.stop()
        raise FourtupleError(_ENDED)

    def leave(self) -> None:
        """Hear no more of it, and do not wait for its end."""
        os.close(self._pipe)

    def close(self) -> None:
        """End it, whatever it is at."""
        if not self.ended:
            self.ended = True
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        os.close(self._pipe)


def _live(main: Main, pipe: int, parent: int) -> None:
    status = 1
    try:
        die_with_parent(parent)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        stop = Interrupt()
        signal.signal(signal.SIGTERM, stop.ask)
        main(lambda message: write_message(pipe, message), stop)
        status = 0
    except BrokenPipeError:
        status = 0  # nobody listens any more
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def gather(workers: Iterable[Worker], take: Callable[[Message], None], stop: Interrupt) -> None:
    """Take what they tell until all have ended; pass an interrupt on to them."""
    running = list(workers)
    told = False
    try:
        while running:
            for worker in select.select(running, [], [], _LOOK_S)[0]:
                for message in worker.read():
                    take(message)
            if stop.asked and not told:
                told = True
                for worker in running:
                    worker.stop()
            for worker in [one for one in running if one.ended]:
                running.remove(worker)
                worker.close()
    finally:
        for worker in running:
            worker.close()


def write_message(pipe: int, message: Message) -> None:
    """Write a message into a pipe, in the form that `Worker.read` and `read_message` understand."""
    body = marshal.dumps(message)
    view = memoryview(_LENGTH.pack(len(body)) + body)
    while view:
        view = view[os.write(pipe, view) :]


def read_message(pipe: int) -> Message | None:
    """The next message out of a pipe; None at its end."""
    head = _read_exactly(pipe, _LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    message: Message = marshal.loads(_read_exactly(pipe, *_LENGTH.unpack(head)))
    return message


def _read_exactly(pipe: int, size: int) -> bytes:
    parts = b""
    while len(parts) < size and (part := os.read(pipe, size - len(parts))):
        parts += part
    return parts
