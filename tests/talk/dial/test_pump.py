"""The end of a conversation whose protocol leaves it to the other side to close the connection."""

import socket
import threading
from collections.abc import Iterator

import pytest

from fourtuple.talk.codecs.base import Received
from fourtuple.talk.dial import pump as pump_module
from fourtuple.talk.dial.codecs import Bytes
from fourtuple.talk.dial.link import Link
from fourtuple.talk.dial.pump import Habits, Pump
from fourtuple.talk.dial.source import Nothing
from fourtuple.talk.journal import Journal

WAIT_S = 90.0


class Farewell(Bytes):
    """A good-bye is answered with one; then it is over."""

    closes_itself = awaits_fin = True

    def receive(self, data: bytes) -> Received:
        return Received([], data, ended=True)


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.settimeout(WAIT_S)
    with ours, theirs:
        yield ours, theirs


def conversation(ours: socket.socket) -> Link:
    link = Link(ours, "", Farewell(), Journal())
    Pump(link, Nothing(), Habits(), lambda _: None, lambda _: None).run()
    return link


def test_the_other_side_has_a_moment_to_close_first(
    ends: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pump_module, "_GOODBYE_S", WAIT_S)
    ours, theirs = ends

    def close_after_our_word() -> None:
        theirs.sendall(b"bye")
        assert theirs.recv(100) == b"bye"
        theirs.close()

    other = threading.Thread(target=close_after_our_word)
    other.start()
    assert conversation(ours).heard_fin
    other.join(WAIT_S)


def test_one_that_does_not_close_is_not_waited_for_for_ever(
    ends: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pump_module, "_GOODBYE_S", 0.01)
    ours, theirs = ends
    theirs.sendall(b"bye")
    assert not conversation(ours).heard_fin
    assert theirs.recv(100) == b"bye"
