"""What one socket of a process says of itself (row C7)."""

import os
import socket
import struct

import pytest

from fourtuple.errors import InputError, UsageError
from fourtuple.explain.text import Translator
from fourtuple.render.text import width_of
from fourtuple.sockets.asking import ask, descriptor_of, taken
from fourtuple.sockets.detail import asked_record, told
from fourtuple.sockets.info import FIELDS, info_record
from fourtuple.sockets.options import OPTIONS

pytestmark = pytest.mark.kernel


def values(sock: socket.socket) -> dict[str, str]:
    return {one.option.name: one.value for one in ask(sock).answers}


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_new_tcp_socket_differs_in_nothing(family: int) -> None:
    with socket.socket(family) as sock:
        asked = ask(sock)
    assert [one.option.name for one in asked.answers if one.differs] == []
    assert len(asked.answers) > 50
    assert not asked.elsewhere


def test_what_was_set_is_marked_with_its_default() -> None:
    with socket.socket() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 5))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        sock.settimeout(None)
        asked = ask(sock)
    differing = {one.option.name: (one.value, one.default) for one in asked.answers if one.differs}
    assert differing["TCP_NODELAY"] == ("1", "0")
    assert differing["SO_LINGER"] == ("(1, 5)", "(0, 0)")
    assert differing["SO_RCVBUF"][0] == "16384", "the kernel doubles it"
    assert set(differing) == {"TCP_NODELAY", "SO_LINGER", "SO_RCVBUF", "SO_BUF_LOCK"}


def test_the_numbers_of_options_are_those_of_the_socket_module() -> None:
    known = [one for one in OPTIONS if hasattr(socket, one.name)]
    assert len(known) > 30
    assert [one.name for one in known if getattr(socket, one.name) != one.number] == []
    assert len({(one.level, one.number) for one in OPTIONS}) == len(OPTIONS)


def test_reading_takes_no_pending_error_away() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
            gone.bind(("127.0.0.1", 0))
            where = gone.getsockname()
        sock.connect(where)
        sock.send(b"?")  # the answer is port unreachable
        assert ask(sock).answers
        with pytest.raises(ConnectionRefusedError):
            sock.recv(1)


def test_the_descriptor_of_a_process_is_copied_and_given_back() -> None:
    with socket.socket() as sock:
        before = len(os.listdir("/proc/self/fd"))
        with taken(os.getpid(), sock.fileno()) as copy:
            assert values(copy)["SO_COOKIE"] == values(sock)["SO_COOKIE"]
        assert len(os.listdir("/proc/self/fd")) == before
        assert sock.getsockname()


@pytest.mark.parametrize(
    "text", ["", "5", "/", "1/", "/2", "a/1", "1/2/3", "-1/2", "0/3", "9" * 12 + "/1"]
)
def test_what_is_no_descriptor_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="PID/FD"):
        descriptor_of(text)


def test_what_is_not_there_or_no_socket_is_said() -> None:
    reading, writing = os.pipe()
    for pid, fd, said in ((os.getpid(), reading, "is no socket"), (os.getpid(), 4000, "has no"),
                          (2**22 + 1, 0, "no such process")):  # fmt: skip
        with pytest.raises(InputError, match=said), taken(pid, fd):
            pass
    os.close(reading)
    os.close(writing)


def test_tcp_info_counts_what_was_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
        client.sendall(bytes(500))
        accepted.recv(500)
        found = info_record(ask(accepted).tcp_info)
        assert found["bytes_received"] == 500
        assert found["data_segs_in"] == 1
        assert found["ca_state"] == "Open"
        assert info_record(ask(client).tcp_info)["bytes_sent"] == 500
        client.close()
        accepted.close()


def test_an_older_kernel_s_tcp_info_has_fewer_fields() -> None:
    assert dict(info_record(b"")) == {}
    assert dict(info_record(bytes(7))).keys() == {field.name for field in FIELDS[:7]}
    assert list(info_record(bytes(4096))) == [field.name for field in FIELDS]


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_options_fit_the_terminal(width: int, language: str) -> None:
    with socket.socket(socket.AF_INET6) as sock:
        asked = ask(sock)
    lines = [*told(asked, Translator(language), width)]
    assert max(map(width_of, lines)) <= max(width, 60)
    assert asked_record(asked, 1, 2)["options"][0]["level"] == "SOL_SOCKET"
