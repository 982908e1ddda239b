"""Where a server listens, and who is in the way."""

import os
import socket
from collections.abc import Sequence
from typing import Any

import pytest

from fourtuple.errors import UsageError
from fourtuple.system.owners import owners_of
from fourtuple.talk.opening import addresses_of, listening_sockets
from fourtuple.talk.url import Url


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.fixture
def two_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """localhost as it is on most machines, whatever this one's /etc/hosts says."""

    def found(host: str, *_: object, **__: object) -> Sequence[Any]:
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 0, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", found)


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on this machine's loopback")
@pytest.mark.parametrize("scheme", ["tcp", "udp"])
def test_a_name_is_served_at_all_of_its_addresses(scheme: str, two_addresses: None) -> None:
    sockets = listening_sockets(Url(scheme, "localhost", 0))
    try:
        assert [sock.family for sock in sockets] == [socket.AF_INET6, socket.AF_INET]
        assert len({sock.getsockname()[1] for sock in sockets}) == 1
    finally:
        for sock in sockets:
            sock.close()


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on this machine's loopback")
def test_one_address_in_use_leaves_none_open(two_addresses: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
        with pytest.raises(UsageError, match="is in use"):
            listening_sockets(Url("tcp", "localhost", port))
        with socket.create_server(("::1", port), family=socket.AF_INET6):
            pass


def test_an_address_that_is_not_here_is_passed_over_if_another_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    (sock,) = listening_sockets(Url("tcp", "somewhere", 0), authorized=True)
    with sock:
        assert sock.getsockname()[0] == "127.0.0.1"
    with pytest.raises(UsageError, match="reachable from other machines"):
        listening_sockets(Url("tcp", "somewhere", 0))


def test_a_port_that_another_process_only_bound_is_in_use_by_somebody() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        with pytest.raises(UsageError) as refusal:
            listening_sockets(Url("tcp", "127.0.0.1", sock.getsockname()[1]))
    assert "is in use" in refusal.value.message


def test_a_name_without_an_address() -> None:
    with pytest.raises(UsageError, match="has no address"):
        addresses_of(Url("tcp", "no-such-name.invalid", 1))


def test_the_owner_of_a_socket_is_found_by_its_inode() -> None:
    with socket.socket() as sock:
        inode = os.fstat(sock.fileno()).st_ino
        (owner,) = owners_of([inode])[inode]
        assert (owner.pid, owner.fd) == (os.getpid(), sock.fileno())
        assert owner.command
    assert owners_of([inode]) == {inode: []}
