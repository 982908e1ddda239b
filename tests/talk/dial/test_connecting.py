"""From a name to a connection: several addresses, several rounds, zones."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from fourtuple.errors import FourtupleError
from fourtuple.explain.model import Message
from fourtuple.talk.dial import connecting
from fourtuple.talk.dial.connecting import Connecting, Wish
from fourtuple.talk.journal import Journal
from fourtuple.talk.url import parse_url


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


def known_as(monkeypatch: pytest.MonkeyPatch, port: int, *addresses: str) -> None:
    """A name that has these addresses, whatever this machine's resolver knows."""
    found: list[Any] = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)


def attempt(port: int, told: list[Message] | None = None, retries: int = 0) -> Connecting:
    wish = Wish(parse_url(f"tcp://many.example:{port}"), timeout_s=5.0, retries=retries)
    return Connecting(wish, Journal(), (told if told is not None else []).append)


def test_every_address_of_a_name_is_tried_until_one_answers(
    monkeypatch: pytest.MonkeyPatch, listener: socket.socket
) -> None:
    port = listener.getsockname()[1]
    known_as(monkeypatch, port, "127.0.0.2", "127.0.0.3", "127.0.0.1", "127.0.0.4")
    trying = attempt(port)
    link = trying.connect()
    assert link.address == ("127.0.0.1", port)
    assert [address for _, (address, _) in trying.tried] == ["127.0.0.2", "127.0.0.3", "127.0.0.1"]
    assert [trouble.what.params["address"] for trouble in trying.troubles] == [
        "127.0.0.2",
        "127.0.0.3",
    ]
    assert trying.steps[0].detail == "127.0.0.2, 127.0.0.3, 127.0.0.1, 127.0.0.4"
    link.close()


def test_each_round_tries_all_of_them_and_the_last_word_is_the_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    known_as(monkeypatch, port, "127.0.0.2", "127.0.0.1")
    monkeypatch.setattr(connecting, "_PAUSE_S", 0.01)
    told: list[Message] = []
    trying = attempt(port, told, retries=2)
    with pytest.raises(FourtupleError, match="nobody listens"):
        trying.connect()
    assert len(trying.tried) == len(trying.troubles) == 6
    assert [message.params["number"] for message in told] == [1, 2]


@pytest.mark.parametrize("written", ["[fe80::1%lo]", "[fe80::1%25lo]"])
def test_a_zone_may_be_written_as_people_or_as_urls_do(written: str) -> None:
    url = parse_url(f"tcp://{written}:8888")
    assert (url.host, url.port) == ("fe80::1%lo", 8888)
    try:
        found = Connecting(Wish(url), Journal(), [].append)._places()
    except FourtupleError:
        pytest.fail("the zone was not understood")
    assert found[0][1][3] == socket.if_nametoindex("lo")
