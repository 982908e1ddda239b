"""What a command line of `fourtuple sockets` asks for."""

import pytest

from fourtuple.errors import UsageError
from fourtuple.sockets.choose import ports_of, wanted
from fourtuple.system.inet_dump import EVERY_STATE


def test_nothing_said_is_everything() -> None:
    choice = wanted()
    assert choice.protocols == ("tcp", "udp", "raw", "unix")
    assert choice.states == EVERY_STATE
    assert choice.matches() is None
    assert not choice.by_process


def test_ports_are_numbers_and_ranges() -> None:
    assert ports_of("80") == (range(80, 81),)
    assert ports_of("443, 8000-8100") == (range(443, 444), range(8000, 8101))


@pytest.mark.parametrize(
    "text", ["", "0", "65536", "-", "80-", "-80", "90-80", "http", "٣", "1-2-3"]
)
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--port"):
        ports_of(text)


def test_states_are_told_in_any_spelling() -> None:
    bits = wanted(state="LISTEN,time_wait,Time-Wait").states
    assert bits == 1 << 10 | 1 << 6
    with pytest.raises(UsageError, match="there are established"):
        wanted(state="open")


def test_a_name_of_a_host_is_no_address() -> None:
    with pytest.raises(UsageError, match="--host"):
        wanted(host="localhost")


def test_those_that_wait_to_be_spoken_to() -> None:
    choice = wanted(listening=True)
    assert choice.states_of("tcp") == 1 << 10
    assert choice.states_of("udp") == 1 << 7
    assert wanted(listening=True, state="established").states_of("tcp") == 0


def test_unix_sockets_have_no_ports() -> None:
    assert "unix" not in wanted(port="80").protocols
    assert wanted(["unix"], port="80").protocols == ("unix",)
