"""What a command line of `fourtuple read` asks for."""

from ipaddress import ip_network
from typing import Any

import pytest

from fourtuple.cli.asked import Asked, Moment
from fourtuple.errors import UsageError

NOTHING: dict[str, Any] = {
    "connection": None,
    "frame": None,
    "frames": False,
    "host": None,
    "port": None,
    "since": None,
    "until": None,
    "findings": None,
    "json": False,
    "csv": False,
    "parquet": None,
    "plot": None,
    "raw": False,
}


def asked(**values: Any) -> Asked:
    return Asked.of(["x.pcap"], **NOTHING | values)


def test_nothing_more_asks_for_everything() -> None:
    assert not asked().chooses
    assert asked().choice(5).everything


def test_values_are_parted_by_commas() -> None:
    found = asked(host="10.0.0.1,fd00::/8", port="80, 443", findings="half-open,forged-reset")
    assert found.networks == (ip_network("10.0.0.1"), ip_network("fd00::/8"))
    assert found.ports == (80, 443)
    assert found.codes == ("half-open", "forged-reset")
    assert found.chooses


def test_a_network_may_be_told_by_any_of_its_addresses() -> None:
    assert asked(host="10.1.2.3/8").networks == (ip_network("10.0.0.0/8"),)


@pytest.mark.parametrize(
    ("text", "t_ns", "after"),
    [
        ("2.5", 2_500_000_000, True),
        ("0", 0, True),
        (".5s", 500_000_000, True),
        ("250ms", 250_000_000, True),
        ("7us", 7_000, True),
        ("5m", 300_000_000_000, True),
        ("1h", 3_600_000_000_000, True),
        ("@1700000000.000000001", 1_700_000_000_000_000_001, False),
        ("@-1", -1_000_000_000, False),
        ("2023-11-14T22:13:20.5Z", 1_700_000_000_500_000_000, False),
        ("2023-11-14 22:13:20+00:00", 1_700_000_000_000_000_000, False),
        ("2023-11-15T00:13:20+02:00", 1_700_000_000_000_000_000, False),
    ],
)
def test_times_are_counted_from_the_first_frame_or_are_moments(
    text: str, t_ns: int, after: bool
) -> None:
    assert asked(since=text).since == Moment(t_ns, after)
    begin = 10**18
    assert asked(until=text).choice(begin).until_ns == t_ns + begin * after


def test_a_date_without_a_zone_is_of_this_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "UTC-8")
    time.tzset()
    try:
        assert asked(since="2023-11-15T06:13:20").since == Moment(1_700_000_000 * 10**9, False)
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"host": "example.org"}, "--host takes addresses and networks"),
        ({"host": ""}, "--host takes addresses and networks"),
        ({"host": "10.0.0.1,"}, "--host takes addresses and networks"),
        ({"port": "http"}, "--port takes port numbers"),
        ({"port": "65536"}, "--port takes port numbers"),
        ({"port": "-1"}, "--port takes port numbers"),
        ({"since": "soon"}, "--since takes a time after the first frame"),
        ({"since": ""}, "--since takes a time after the first frame"),
        ({"until": "@nan"}, "--until takes a time after the first frame"),
        ({"until": "@1e400"}, "--until takes a time after the first frame"),
        ({"until": "9" * 30}, "--until takes a time after the first frame"),
        ({"until": "2023-13-01"}, "--until takes a time after the first frame"),
        ({"findings": "half-opn"}, "There is no finding 'half-opn'. Did you mean half-open?"),
        ({"findings": "xyzzy"}, "There is no finding 'xyzzy'"),
        ({"connection": "x"}, "--connection takes a whole number"),
        ({"json": True, "csv": True}, "--json and --csv cannot both be asked for."),
        ({"parquet": "d", "plot": "p.png"}, "--parquet and --plot cannot both be asked for."),
        ({"parquet": ""}, "--parquet needs a name"),
        ({"plot": ""}, "--plot needs a name"),
    ],
)
def test_what_is_wrong_is_told_with_the_option(values: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UsageError) as caught:
        asked(**values)
    assert str(caught.value).startswith(complaint)
