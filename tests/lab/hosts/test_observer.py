"""Looks at a host's sockets: whole while they are few, of what is concerned when they are many."""

import socket

import pytest

from fourtuple.analyze import connections
from fourtuple.event.model import Snapshot, State
from fourtuple.event.timeline import Timeline
from fourtuple.lab.experiment import Experiment
from fourtuple.lab.hosts.baseline import PATIENT
from fourtuple.lab.script import Lab
from lab.running import ran

pytestmark = pytest.mark.kernel

COUNT = 70


def opens_many(address: str) -> None:
    socks = []
    for _ in range(COUNT):
        sock = socket.create_connection((address, 8888))
        sock.sendall(b"?")
        sock.recv(1)
        socks.append(sock)
    for sock in socks:
        sock.shutdown(socket.SHUT_WR)
        sock.recv(1)


def serves_many(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    socks = []
    with socket.create_server(("", 8888), family=family) as listener:
        for _ in range(COUNT):
            sock, _ = listener.accept()
            sock.sendall(sock.recv(1))
            socks.append(sock)
    for sock in socks:
        sock.recv(1)
        sock.close()


def many_connections(lab: Lab) -> None:
    client, server = lab.pair(sysctls=PATIENT)
    serving = server.run(serves_many, server.address)
    lab.settle()
    lab.expect(client.run(opens_many, server.address).wait(), 0, "exit status")
    lab.expect(serving.wait(), 0, "exit status")
    lab.settle()
    states = [row.state for row in lab.sockets(client)]
    lab.expect(states, ["TIME_WAIT"] * COUNT, "what is left")


@pytest.mark.parametrize("family", [4, 6])
def test_with_many_sockets_looks_are_of_parts_and_nothing_is_missed(family: int) -> None:
    experiment = Experiment(name="many", question="?", script=many_connections)
    timeline = ran(experiment, family)
    found = connections(timeline)
    assert len(found) == COUNT
    snapshots = timeline.of(Snapshot)
    assert {snapshot.about is None for snapshot in snapshots} == {True, False}
    for one in found:
        states = states_of(timeline, "client", one.client.port)
        # FIN_WAIT2 only where the server's ACK left before its FIN
        assert [state for state in states if state != "FIN_WAIT2"] == [
            *("SYN_SENT", "ESTABLISHED", "FIN_WAIT1", "TIME_WAIT")
        ]


def states_of(timeline: Timeline, host: str, port: int) -> list[str]:
    return [s.new for s in timeline.of(State) if s.host == host and s.local.port == port]
