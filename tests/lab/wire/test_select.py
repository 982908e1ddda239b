"""What a selector says of itself, and what it does not take."""

import msgspec
import pytest

from fourtuple.errors import UsageError
from fourtuple.lab.wire.select import (
    Selector,
    any_frame,
    data,
    fin,
    packet,
    pure_ack,
    segment,
    synack,
)


class Client:
    name = "client"


ALL = [
    (data.sent_by(Client()).nth(2), "data.sent_by(client).nth(2)"),
    (fin.to("server").first(), "fin.to(server).first()"),
    (data.nth(1, 3), "data.nth(1, 3)"),
    (segment.port(80).times(3), "segment.port(80).times(3)"),
    (packet.every(20).chance(0.5), "packet.every(20).chance(0.5)"),
    (data.after(synack.first()), "data.after(synack.first())"),
    (pure_ack.where(client="FIN_WAIT1"), 'pure_ack.where(client="FIN_WAIT1")'),
    (
        segment.matching(flags="PSH ACK", len=range(1, 100), ttl=64),
        'segment.matching(flags="PSH ACK", len=range(1, 100), ttl=64)',
    ),
    (any_frame.at("router").about("10.77.0.9"), 'any_frame.at(router).about("10.77.0.9")'),
]


@pytest.mark.parametrize(("selector", "text"), ALL, ids=[text for _, text in ALL])
def test_it_says_how_it_is_written(selector: Selector, text: str) -> None:
    assert str(selector) == text


@pytest.mark.parametrize("selector", [one for one, _ in ALL], ids=str)
def test_it_comes_to_the_wire_as_it_was_made(selector: Selector) -> None:
    sent = msgspec.msgpack.encode(selector)
    assert msgspec.msgpack.decode(sent, type=Selector) == selector


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: data.nth(0), "nth() counts from 1: there is no frame 0."),
        (lambda: data.times(0), "times(0): it takes a number from 1 on."),
        (lambda: data.every(-1), "every(-1): it takes a number from 1 on."),
        (lambda: data.chance(1.5), "chance(1.5): a probability is from 0 to 1."),
        (lambda: data.port(70_000), "port(70000): a port is from 0 to 65535."),
        (lambda: data.where(client="OPEN"), "OPEN is no state of a socket. There are CLOSED, "),
        (lambda: data.sent_by(None), "None is no host"),
        (lambda: data.matching(windw=1), "windw is no header field. There are seq, ack, mss, len"),
        (lambda: data.matching(flags="PUSH"), "PUSH is no TCP flag. There are SYN, FIN, RST"),
        (lambda: data.matching(window=70_000), "window is 70000: the field has room for numbers"),
        (lambda: data.matching(source="10.0.0"), "source cannot be '10.0.0': "),
        (lambda: data.matching(payload=b"x"), "payload is no header field."),
    ],
)
def test_what_makes_no_sense_is_refused_at_once_and_says_what_does(make, told):
    with pytest.raises(UsageError) as refused:
        make()
    assert told in str(refused.value)
