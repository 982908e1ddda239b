"""What a script can do, and what happens when it does not hold."""

import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

from fourtuple.analyze import connections
from fourtuple.errors import CallFailed
from fourtuple.event.model import Call, Note
from fourtuple.event.timeline import Timeline
from fourtuple.explain.model import Message
from fourtuple.explain.text import Translator
from fourtuple.lab.experiment import Experiment
from fourtuple.lab.hosts import processes
from fourtuple.lab.hosts.baseline import PATIENT
from fourtuple.lab.runner import Options, run
from fourtuple.lab.script import Lab
from fourtuple.lab.session import NO_MORE
from fourtuple.render.verdicts import failures_of, measured_in, passed
from lab.running import held, run_script

pytestmark = pytest.mark.kernel


def failure(timeline: Timeline) -> Any:
    (note,) = [note for note in timeline.of(Note) if note.kind == "failure"]
    assert failures_of(timeline, connections(timeline))
    assert not passed(timeline)
    text = Translator("en").text(Message(note.message, note.params))
    return {"error": note.params["error"], "text": text}


def values(timeline: Timeline) -> list[Any]:
    """What the script expected of itself: (actual) of each check."""
    return [note.params["actual"] for note in timeline.of(Note) if note.kind == "check"]


def connected(lab: Lab) -> Any:
    client, server = lab.pair()
    listener = server.socket().listen(8888)
    sock = client.socket().connect(server, 8888)
    return client, server, sock, listener.accept()


def test_a_failed_expectation_names_field_expected_actual_and_frames() -> None:
    def script(lab: Lab) -> None:
        connected(lab)
        lab.settle()
        lab.expect(lab.segments()[1].ack, 7, "ack of the SYN ACK")

    params = failure(run_script(script))
    assert params["error"] == "ExpectationFailed"
    assert params["text"] == "ack of the SYN ACK [ack]: expected 7, actual 1 (frame 4)"


def test_what_is_measured_is_told_and_read_back() -> None:
    def script(lab: Lab) -> None:
        _, _, sock, _ = connected(lab)
        sent = {f"{n} bytes": (n, sock.send(b"x" * n)) for n in (1, 3)}
        lab.measured("{count} calls", ("asked", "sent"), sent, evidence=[6], count=2)

    timeline = run_script(script)
    (found,) = measured_in(timeline)
    assert (found.what, found.frames) == (Message("{count} calls", {"count": 2}), (6,))
    assert [numbers for _, numbers in found.rows] == [(1, 1), (3, 3)]
    assert passed(timeline)


def test_nothing_after_a_failed_expectation_is_carried_out() -> None:
    def script(lab: Lab) -> None:
        lab.expect(1, 2, "one")
        lab.expect(3, 3, "three")

    timeline = run_script(script)
    assert failure(timeline)["error"] == "ExpectationFailed"
    assert values(timeline) == ["1"]


def test_a_call_that_never_returns_ends_the_run_at_its_limit() -> None:
    def script(lab: Lab) -> None:
        _, server = lab.pair()
        server.socket().listen(8888).accept()

    timeline = run_script(script, limit_s=5)
    assert failure(timeline) == {
        "error": "OutOfTime",
        "text": "server: accept() has not returned in time.",
    }
    accept = timeline.of(Call)[-1]
    assert (accept.name, accept.end_ns) == ("accept", None)


def test_a_program_that_goes_on_is_named_when_time_is_up() -> None:
    def script(lab: Lab) -> None:
        _, server = lab.pair()
        server.run(["sh", "-c", "while :; do :; done"])
        lab.settle()

    timeline = run_script(script, limit_s=5)
    told = failure(timeline)["text"]
    assert told == "The lab did not come to rest in time: on server, sh is running."
    remedy = failures_of(timeline, connections(timeline))[-1]
    assert remedy.text == "A larger limit gives the run more time: --limit SECONDS"


def test_a_run_whose_director_is_killed_has_failed() -> None:
    def script(lab: Lab) -> None:
        del lab
        os._exit(0)

    assert failure(run_script(script))["text"] == "The lab ended before the script did."


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_a_run_without_standard_streams_runs(closed: int) -> None:
    code = f"""
import os
os.close({closed})
from fourtuple.lab.experiment import find_experiment
from fourtuple.lab.runner import run
from fourtuple.render.verdicts import passed
os._exit(0 if passed(run(find_experiment("handshake"))) else 1)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_script_that_never_ends_is_stopped_from_outside() -> None:
    def script(lab: Lab) -> None:
        del lab
        signal.pause()

    assert failure(run_script(script, limit_s=0.5))["text"] == "The run was stopped after 0.5 s."


def test_a_refused_call_is_an_error_with_the_kernels_number() -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair()
        lab.expect_error(
            "ECONNREFUSED", lambda: client.socket().connect(server, 9), "nobody listens"
        )
        client.socket().connect(server, 9)

    timeline = run_script(script)
    text = failure(timeline)["text"]
    assert "client: connect(): Connection refused" in text
    assert values(timeline) == ["ECONNREFUSED"]
    assert [call.errno for call in timeline.of(Call) if call.name == "connect"] == [
        "ECONNREFUSED",
        "ECONNREFUSED",
    ]


def test_a_mistake_in_the_script_is_shown_with_its_traceback() -> None:
    def script(lab: Lab) -> None:
        del lab
        raise ZeroDivisionError("in the script")

    assert "ZeroDivisionError: in the script" in failure(run_script(script))["text"]


@pytest.mark.parametrize("leave", [SystemExit, KeyboardInterrupt])
def test_a_script_that_leaves_has_failed(leave: type[BaseException]) -> None:
    def script(lab: Lab) -> None:
        lab.pair()
        raise leave

    assert failure(run_script(script))["text"] == leave.__name__


def test_a_process_that_the_script_forked_does_not_go_on_with_the_run() -> None:
    def script(lab: Lab) -> None:
        lab.pair()
        child = os.fork()
        if child:
            os.waitpid(child, 0)

    assert "both processes went on with it" in failure(run_script(script))["text"]


def test_a_call_can_be_begun_and_awaited() -> None:
    def script(lab: Lab) -> None:
        _, _, sock, peer = connected(lab)
        pending = peer.begin.recv(100)
        lab.settle()
        lab.expect(pending.returned, False, "before there is data")
        sock.send(b"now")
        lab.expect(pending.result(), b"now", "after")
        lab.expect(pending.returned, True, "and it has returned")

    timeline = run_script(script)
    assert values(timeline) == ["False", "3 bytes: now", "True"]
    held(timeline)


def test_a_slow_reply_does_not_settle_before_it_came() -> None:
    """A program that sleeps for a while moves, as far as settle() is concerned."""

    def slow_server(port: int) -> None:
        with socket.create_server(("", port)) as listener:
            sock, _ = listener.accept()
            with sock:
                sock.recv(100)
                time.sleep(0.3)
                sock.sendall(b"late")
                sock.recv(100)

    def script(lab: Lab) -> None:
        client, server = lab.pair()
        server.run(slow_server, 8888)
        lab.settle()
        sock = client.socket().connect(server, 8888)
        sock.send(b"?")
        lab.settle()
        lab.expect(lab.connection(client).recv_q, 4, "the reply has come")

    assert values(run_script(script)) == ["4"]


def textbook_client(address: str) -> None:
    with socket.create_connection((address, 8888)) as sock, sock.makefile("rwb") as stream:
        stream.write(b"hello\n")
        stream.flush()
        print(stream.readline().decode().strip())


def textbook_server(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, 8888))
    listener.listen(1)
    sock, _ = listener.accept()
    sock.sendall(sock.recv(1024).upper())
    sock.close()
    listener.close()


@pytest.mark.parametrize("family", [4, 6])
def test_textbook_programs_run_beside_each_other_and_every_call_is_kept(family: int) -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair()
        serving = server.run(textbook_server, server.address)
        lab.settle()
        calling = client.run(textbook_client, server.address)
        lab.expect(calling.wait(), 0, "exit status of the client")
        lab.expect(serving.wait(), 0, "exit status of the server")
        lab.expect(calling.output, "HELLO\n", "what it printed")

    timeline = run_script(script, family=family)
    held(timeline)
    calls = {
        host: [c for c in timeline.of(Call) if c.host == host] for host in ("client", "server")
    }
    assert [c.name for c in calls["server"]] == [
        "socket", "setsockopt", "bind", "listen", "accept", "recv", "sendall", "close", "close",
    ]  # fmt: skip
    assert calls["server"][1].args == ("SOL_SOCKET", "SO_REUSEADDR", 1)
    names = [c.name for c in calls["client"]]
    assert names == ["socket", "connect", "send", "recv_into", "close"]
    accept, connect = calls["server"][4], calls["client"][1]
    assert accept.new_inode == calls["server"][5].inode != calls["server"][4].inode
    assert connect.local == calls["server"][5].remote
    assert connect.remote == calls["server"][5].local
    assert calls["server"][5].data == b"hello\n"


def test_an_executable_runs_in_the_host_and_its_output_and_end_are_kept() -> None:
    def script(lab: Lab) -> None:
        client, _ = lab.pair()
        listing = client.run(["cat", "/proc/net/dev"])
        lab.expect(listing.wait(), 0, "exit status")
        lab.expect("eth0" in listing.output, True, "it sees the host's interface")
        endless = client.run(["sleep", "1000"])
        endless.kill()
        lab.expect(endless.wait(), 128 + signal.SIGKILL, "exit status of a killed one")

    timeline = run_script(script)
    assert values(timeline) == ["0", "True", "137"]
    ended = [n.params for n in timeline.of(Note) if n.kind == "program" and "status" in n.params]
    assert [params["status"] for params in ended] == [0, 137]


@pytest.mark.parametrize(
    ("what", "told"),
    [
        (["no-such-program-anywhere"], "The program no-such-program-anywhere is not installed."),
        (["./no-such-file"], "client cannot run ./no-such-file: No such file or directory"),
        (["/proc/version"], "client cannot run /proc/version: Permission denied"),
        ("cat /proc/net/dev", "It was given 'cat /proc/net/dev'."),
        (["sleep", 1000], "It was given ['sleep', 1000]."),
        ([], "It was given []."),
    ],
)
def test_a_program_that_cannot_be_run_fails_the_run_at_once_and_is_named(
    what: Any, told: str
) -> None:
    def script(lab: Lab) -> None:
        client, _ = lab.pair()
        client.run(what)
        lab.expect(1, 1, "not reached")

    timeline = run_script(script)
    note = next(note for note in timeline.of(Note) if note.kind == "failure")
    assert told in note.message.format_map(note.params)
    assert values(timeline) == []


def test_the_seed_decides_what_is_sent() -> None:
    def script(lab: Lab) -> None:
        lab.expect(lab.bytes(4), lab.bytes(4), "two draws")

    experiment = Experiment(name="draws", question="?", script=script)
    first, second, other = (
        failure(run(experiment, Options(seed=seed)))["text"] for seed in (1, 1, 2)
    )
    assert first == second != other


def test_settings_of_a_pair_are_in_force() -> None:
    def script(lab: Lab) -> None:
        client, _ = lab.pair(
            timestamps=False, sysctls={"net.ipv4.ip_local_port_range": "40000 40000"}
        )
        listener = client.socket().listen(9000)
        del listener
        reading = client.run(["cat", "/proc/sys/net/ipv4/tcp_timestamps"])
        reading.wait()
        lab.expect(reading.output.strip(), "0", "timestamps")

    assert values(run_script(script)) == ["0"]


def test_hosts_are_made_once() -> None:
    def script(lab: Lab) -> None:
        lab.pair()
        lab.hosts("one", "two")

    told = failure(run_script(script))
    assert told["text"].startswith("There are hosts already: client, server.")
    assert told["error"] == "UsageError"


def test_a_setting_that_the_kernel_refuses_is_named() -> None:
    def script(lab: Lab) -> None:
        lab.pair(sysctls={"net.ipv4.tcp_sack": "perhaps"})

    assert "net.ipv4.tcp_sack = perhaps: Invalid argument" in failure(run_script(script))["text"]


def test_a_program_that_raises_ends_as_a_program_does_and_the_run_goes_on() -> None:
    def refused_client(address: str) -> None:
        socket.create_connection((address, 9))

    def script(lab: Lab) -> None:
        client, server = lab.pair()
        program = client.run(refused_client, server.address)
        lab.expect(program.wait(), 1, "exit status")
        lab.expect("ConnectionRefusedError" in program.output, True, "its traceback")

    timeline = run_script(script)
    held(timeline)
    assert values(timeline) == ["1", "True"]


def test_half_a_connection_can_be_closed_and_an_option_set() -> None:
    def script(lab: Lab) -> None:
        client, server, sock, peer = connected(lab)
        sock.set_option(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.shutdown("write")
        lab.settle()
        lab.expect(lab.state(client), "FIN_WAIT2", "the client has said all")
        lab.expect(peer.recv(), b"", "the server knows")
        peer.send(b"and yet")
        lab.expect(sock.recv_exactly(7), b"and yet", "the other direction is open")
        lab.expect(lab.state(server), "CLOSE_WAIT", "the server has not closed")

    timeline = run_script(script)
    held(timeline)
    arguments = {call.name: call.args for call in timeline.of(Call)}
    assert arguments["setsockopt"] == ("IPPROTO_TCP", "TCP_NODELAY", 1)
    assert arguments["shutdown"] == ("SHUT_WR",)


def test_a_second_program_of_a_host_is_another_process() -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair()
        listener = server.socket().listen(8888)
        client.socket().connect(server, 8888)
        client.program("another").socket().connect(server, 8888)
        lab.settle()
        lab.expect(len(lab.sockets(server)), 2, "connections at the server")
        listener.accept()

    timeline = run_script(script)
    assert values(timeline) == ["2"]
    pids = {call.program: call.pid for call in timeline.of(Call)}
    assert set(pids) == {"client", "another", "server"}
    assert len(set(pids.values())) == 3


def test_evidence_that_is_no_frame_number_fails_the_script_and_loses_nothing() -> None:
    def script(lab: Lab) -> None:
        lab.expect(1, 1, "one")
        lab.expect(2, 2, "two", evidence=["frame 3"])  # type: ignore[list-item]

    timeline = run_script(script)
    assert "Expected `int`, got `str`" in failure(timeline)["text"]
    assert values(timeline) == ["1"]


def test_what_a_call_cannot_take_fails_the_call_and_not_the_lab() -> None:
    def script(lab: Lab) -> None:
        client, _ = lab.pair()
        with pytest.raises(CallFailed, match=r"bind\(\): OverflowError: bind\(\): port must be"):
            client.socket().bind(70_000)
        pending = client.socket().begin.recv(-1)
        with pytest.raises(CallFailed, match="ValueError: negative buffersize"):
            pending.result()
        client.socket().listen(8888)

    held(run_script(script))


def test_calls_with_odd_arguments_are_recorded() -> None:
    def odd() -> None:
        with socket.socket() as sock:
            sock.listen(True)
            with pytest.raises(TypeError):
                sock.listen(None)  # type: ignore[arg-type]
            sock.settimeout(0.01)
            with pytest.raises(OSError):
                sock.recv(True)

    def script(lab: Lab) -> None:
        lab.expect(lab.pair()[0].run(odd).wait(), 0, "exit status")

    timeline = run_script(script)
    held(timeline)
    listens = [call.args for call in timeline.of(Call) if call.name == "listen"]
    assert listens == [("True",), ("None",)]


@pytest.mark.parametrize(
    ("code", "status", "output"),
    [(None, 0, ""), (3, 3, ""), (256, 0, ""), (2**70, 0, ""), ("no more", 1, "no more\n")],
)
def test_a_program_may_end_with_exit(code: Any, status: int, output: str) -> None:
    def leaving() -> None:
        raise SystemExit(code)

    def script(lab: Lab) -> None:
        program = lab.pair()[0].run(leaving)
        lab.expect(program.wait(), status, "exit status")
        lab.expect(program.output, output, "what it printed")

    held(run_script(script))


def test_a_program_ends_when_its_threads_have() -> None:
    def threaded() -> None:
        def later() -> None:
            time.sleep(0.1)
            print("from a thread")

        threading.Thread(target=later).start()

    def script(lab: Lab) -> None:
        program = lab.pair()[0].run(threaded)
        lab.expect(program.wait(), 0, "exit status")
        lab.expect(program.output, "from a thread\n", "what it printed")

    held(run_script(script))


def test_a_program_that_prints_without_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_MOST_BYTES", 1 << 24)

    def endless() -> None:
        while True:
            os.write(1, bytes(1 << 20))

    def script(lab: Lab) -> None:
        lab.expect(lab.pair()[0].run(endless).wait(), 128 + signal.SIGXFSZ, "exit status")

    held(run_script(script))


def test_a_process_of_the_lab_that_is_interrupted_leaves_no_traceback() -> None:
    def script(lab: Lab) -> None:
        client, _ = lab.pair()
        sock = client.socket()
        with open(f"/proc/{client.programs[0].pid}/status") as status:
            (numbers,) = [line.split() for line in status if line.startswith("NSpid:")]
        os.kill(int(numbers[-1]), signal.SIGINT)
        sock.listen(8888)

    params = [n.params for n in run_script(script).of(Note) if n.kind == "failure"]
    assert params
    assert not any("Traceback" in str(one) for one in params)


def test_a_limit_beyond_all_measure_is_none() -> None:
    def script(lab: Lab) -> None:
        lab.expect(1, 1, "one")

    held(run_script(script, limit_s=1e308))


def test_what_a_shell_does_not_allow_is_named() -> None:
    def script(lab: Lab) -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (10, 10))
        lab.pair()

    (note,) = [n for n in run_script(script).of(Note) if n.kind == "failure"]
    assert (note.message, note.params["reason"]) == (NO_MORE, "Too many open files")


def test_many_connections_may_wait_in_time_wait_at_once() -> None:
    """The socket hash is small; Linux would allow half as many connections as it has buckets."""

    def many_clients(address: str) -> None:
        for _ in range(40):
            with socket.create_connection((address, 8888)) as sock:
                sock.shutdown(socket.SHUT_WR)
                sock.recv(1)  # one after the other: on a busy machine none repeats its FIN

    def many_servers(address: str) -> None:
        with socket.create_server((address, 8888), backlog=100) as listener:
            for _ in range(40):
                sock = listener.accept()[0]
                sock.recv(1)
                sock.close()

    def script(lab: Lab) -> None:
        client, server = lab.pair(sysctls=PATIENT)
        serving = server.run(many_servers, server.address)
        lab.settle()
        lab.expect(client.run(many_clients, server.address).wait(), 0, "exit status")
        lab.expect(serving.wait(), 0, "exit status")
        lab.settle()
        states = [row.state for host in (client, server) for row in lab.sockets(host)]
        lab.expect(states.count("TIME_WAIT"), 40, "connections in TIME_WAIT")

    timeline = run_script(script)
    held(timeline)
