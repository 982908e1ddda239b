"""What a server sees of itself: every model's calls, its kernel's states, its frames, within
bounds."""

import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from fourtuple.event.model import Call, Note, State
from fourtuple.event.recording import encode_recording
from fourtuple.event.timeline import Datagram, Segment, Timeline
from fourtuple.explain.text import Translator
from fourtuple.render.summary import report
from fourtuple.render.terminal import Terminal
from fourtuple.source import read
from fourtuple.talk import journal as journal_module
from fourtuple.talk import witness as witness_module
from fourtuple.talk.models import MODELS
from fourtuple.talk.server import NO_UVLOOP, Server, Service
from fourtuple.talk.url import parse_url
from fourtuple.talk.witness import Witness

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="packet sockets need CAP_NET_RAW")
Address = tuple[str, int]
WAIT_S = 90.0


def recorded(
    visit: Callable[[Address], None],
    *,
    model: str = "epoll",
    url: str = "tcp://127.0.0.1:0",
    **options: object,
) -> Timeline:
    """A server in this process, visited by a thread of it, which then stops it."""
    service = Service((parse_url(url),), model=model, **options)  # type: ignore[arg-type]
    failed: list[BaseException] = []

    def visitor() -> None:
        try:
            visit((server.addresses[0].host, server.addresses[0].port))
        except BaseException as error:
            failed.append(error)
        finally:
            server.stop()

    with Witness() as witness, Server(service, lambda _: None, witness=witness) as server:
        thread = threading.Thread(target=visitor)
        thread.start()
        server.run()
        thread.join()
    assert not failed, failed
    return witness.timeline(str(server.addresses[0]), server.unseen())


def hello(address: Address) -> None:
    """As a textbook's client: it closes first."""
    with socket.create_connection(address, timeout=WAIT_S) as sock:
        sock.sendall(b"hello")
        assert sock.recv(100) == b"HELLO"
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(100) == b""


def names(timeline: Timeline) -> list[str]:
    return [call.name for call in timeline.of(Call) if call.errno is None]


def notes(timeline: Timeline) -> list[str]:
    return [note.message for note in timeline.of(Note)]


def picture(timeline: Timeline) -> str:
    return report(timeline, Translator(), Terminal(120))


@pytest.mark.parametrize("model", sorted(MODELS))
def test_the_calls_of_every_model_are_those_of_a_server(model: str) -> None:  # C1
    timeline = recorded(hello, model=model, app="upper")
    told = names(timeline)
    order = ["socket", "bind", "listen", "accept", "recv", "recv", "close"]
    rest = iter(told)
    assert all(any(name == each for each in rest) for name in order), told
    assert told.index("send") > told.index("recv")  # with threads, beside the second recv()
    accepted = next(call for call in timeline.of(Call) if call.name == "accept" and not call.errno)
    served = {call.inode for call in timeline.of(Call) if call.name in ("recv", "send")}
    assert served == {accepted.new_inode}
    assert {(call.host, call.program) for call in timeline.of(Call)} == {("server", "serve")}
    assert next(call.data for call in timeline.of(Call) if call.name == "recv") == b"hello"
    assert (NO_UVLOOP in notes(timeline)) == (model == "asyncio")


#: what each model waits in: Python's selectors, and so asyncio, are epoll
WAITS = {"select": "select", "poll": "poll"}


@pytest.mark.parametrize("model", sorted(MODELS))
def test_what_a_model_waits_in_is_told_by_the_sockets_that_it_reported(model: str) -> None:  # C8
    calls = recorded(hello, model=model, app="upper").of(Call)
    waits = [call for call in calls if call.reported]
    assert {call.name for call in waits} == {WAITS.get(model, "epoll_wait")}
    accepted = next(call for call in calls if call.new_inode)
    heard = next(call for call in calls if call.name == "recv" and call.data)
    told = [accepted] if model == "threads" else [accepted, heard]  # a thread waits in recv()
    for call in told:
        before = [wait for wait in waits if call.inode in wait.reported and wait.t_ns < call.t_ns]
        assert before and before[-1].end_ns is not None and before[-1].end_ns <= call.t_ns
    assert all(isinstance(call.result, int) and call.result >= len(call.reported) for call in waits)
    if model == "select":  # looks at all numbers up to the highest that it was given
        assert all(accepted.fd is not None and call.args[0] > accepted.fd for call in waits)
    if model == "poll":  # is handed all of them each time: the listener, two of the loop's own
        assert [call.args for call in waits if accepted.inode in call.reported] == [(3,)]


def test_a_wait_is_drawn_with_whom_it_reported_and_with_no_other() -> None:
    def one_after_the_other(address: Address) -> None:
        for _ in range(2):
            hello(address)

    timeline = recorded(one_after_the_other, app="upper")
    for shown in picture(timeline).split("four-tuple  ")[1:]:
        waits = [line for line in shown.splitlines() if "epoll_wait()" in line]
        # who has come, what it says, its end
        assert len(waits) == 3, shown
        assert "1 ready" in shown


@pytest.mark.parametrize("model", ["epoll", "threads", "asyncio"])
def test_states_go_from_listening_to_the_end_of_the_connection(model: str) -> None:
    timeline = recorded(hello, model=model, app="upper")
    states = timeline.of(State)
    assert states[0].new == "LISTEN"
    told = [state.new for state in states[1:] if state.host == "server"]
    assert told[0] in ("ESTABLISHED", "CLOSE_WAIT")  # accept() may come late
    assert told[-1] == "CLOSED"
    assert [state.new for state in states if state.host == "client"][-1] == "TIME_WAIT"


@needs_root
@pytest.mark.parametrize("url", ["tcp://127.0.0.1:0", "tcp://[::1]:0"])
def test_all_four_views_in_one_file_that_reads_the_same(url: str, tmp_path: Path) -> None:
    timeline = recorded(hello, url=url, app="upper")
    segments = [
        frame
        for frame in (timeline.frame(n + 1) for n in range(len(timeline.frames)))
        if isinstance(frame, Segment)
    ]
    assert [s.packet.payload for s in segments if s.packet.payload] == [b"hello", b"HELLO"]
    (tmp_path / "kept.pcapng").write_bytes(encode_recording(timeline))
    shown = picture(timeline)
    assert picture(read(tmp_path / "kept.pcapng")) == shown
    for words in (
        "LISTEN",
        "accept() → fd",
        "recv() → 5 bytes",
        "PSH ACK seq 1 len 5",
        "TIME_WAIT",
    ):
        assert words in shown


@needs_root
def test_datagrams_are_told_by_who_sent_them() -> None:
    def twice(address: Address) -> None:
        for word in (b"first", b"second one"):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.settimeout(WAIT_S)
                sock.sendto(word, address)
                assert sock.recv(100) == word.upper()

    timeline = recorded(twice, url="udp://127.0.0.1:0", app="upper")
    frames = [timeline.frame(n + 1) for n in range(len(timeline.frames))]
    assert [len(f.packet.payload) for f in frames if isinstance(f, Datagram)] == [5, 5, 10, 10]
    first, second = picture(timeline).split("four-tuple")[1:]
    assert "→ 5 bytes" in first and "→ 10 bytes" not in first
    assert "sendto(10) → 10" in second and "sendto(5) → 5" not in second


def test_without_the_right_to_frames_calls_and_states_are_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(witness_module, "may_sniff", lambda: False)
    shown = picture(recorded(hello, app="upper"))
    assert "frames: none recorded" in " ".join(shown.split())
    assert "accept() → fd" in shown
    assert "recv() → 0: the end" in shown
    assert "TIME_WAIT" in shown
    assert "needs CAP_NET_RAW" in shown
    assert "▶" not in shown


def test_datagrams_without_frames_are_no_tcp(monkeypatch: pytest.MonkeyPatch) -> None:
    def once(address: Address) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(WAIT_S)
            sock.sendto(b"hello", address)
            assert sock.recv(100) == b"HELLO"

    monkeypatch.setattr(witness_module, "may_sniff", lambda: False)
    shown = picture(recorded(once, url="udp://127.0.0.1:0", app="upper"))
    assert "four-tuple UDP 127.0.0.1:" in " ".join(shown.split())
    assert "→ 5 bytes" in shown and "sendto(5) → 5" in shown


def test_nobody_came() -> None:
    shown = picture(recorded(lambda _: None))
    assert "TCP ? → tcp://127.0.0.1:" in shown
    assert "listen(4096) → 0" in shown
    assert "▶" not in shown


def test_many_clients_are_a_table_after_the_first() -> None:
    def crowd(address: Address) -> None:
        for _ in range(6):
            hello(address)

    timeline = recorded(crowd, app="upper")
    shown = picture(timeline)
    framed = len(timeline.frames) > 0
    assert shown.count("four-tuple  ") == 4
    assert ("6 connections in" if framed else "2 further connections are not drawn") in shown


def test_memory_is_bounded_and_what_is_left_out_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def long_talk(address: Address) -> None:
        with socket.create_connection(address, timeout=WAIT_S) as sock:
            for _ in range(50):
                sock.sendall(b"x")
                assert sock.recv(1) == b"X"

    monkeypatch.setattr(journal_module, "MOST_CALLS", 20)
    timeline = recorded(long_talk, app="upper")
    assert len(timeline.of(Call)) == 21  # the end of a connection that was kept is kept too
    assert [call.name for call in timeline.of(Call)][-1] == "close"
    (left_out,) = [note for note in timeline.of(Note) if "calls were left out" in note.message]
    assert left_out.params["count"] >= 80


def test_clients_that_come_when_no_more_is_kept_leave_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def crowd(address: Address) -> None:
        for _ in range(20):
            hello(address)

    monkeypatch.setattr(journal_module, "MOST_CALLS", 20)
    timeline = recorded(crowd, app="upper")
    assert len(timeline.of(Call)) <= 22
    assert len({state.remote for state in timeline.of(State)}) < 10


def test_a_program_that_has_the_socket_is_said_to_be_out_of_sight() -> None:
    def at_once(address: Address) -> None:
        with socket.create_connection(address, timeout=WAIT_S) as sock:
            sock.sendall(b"hello")
            sock.shutdown(socket.SHUT_WR)
            assert sock.recv(100) == b"HELLO"
            assert sock.recv(100) == b""

    timeline = recorded(at_once, command=("tr", "a-z", "A-Z"))
    assert "accept" in names(timeline)
    assert not {"recv", "send"} & set(names(timeline))
    assert any("--exec" in note for note in notes(timeline))


def test_a_unix_socket_has_calls_and_nothing_else(tmp_path: Path) -> None:
    def local(_: Address) -> None:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(tmp_path / "s"))
            sock.sendall(b"hello")
            assert sock.recv(100) == b"HELLO"

    timeline = recorded(local, url=f"unix://{tmp_path}/s", app="upper")
    assert {"bind", "listen", "accept", "recv", "send"} <= set(names(timeline))
    assert not timeline.of(State) and not len(timeline.frames)
    assert "5 bytes" in picture(timeline)
    assert "CAP_NET_RAW" not in picture(timeline)
