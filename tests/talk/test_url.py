"""Addresses to listen at and to talk to, as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourtuple.errors import UsageError
from fourtuple.talk.url import SCHEMES, Url, parse_url


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("tcp://127.0.0.1:9000", Url("tcp", "127.0.0.1", 9000)),
        ("TCP://localhost", Url("tcp", "localhost", 8888)),
        ("tcp://127.0.0.1/", Url("tcp", "127.0.0.1", 8888)),
        ("udp://[::1]:53", Url("udp", "::1", 53)),
        ("tcp://[fe80::1%eth0]:80", Url("tcp", "fe80::1%eth0", 80)),
        ("raw://127.0.0.1:254", Url("raw", "127.0.0.1", 254)),
        ("http://example.test", Url("http", "example.test", 80, "/")),
        ("https://example.test:8443/a?b=c", Url("https", "example.test", 8443, "/a?b=c")),
        ("ws://[::1]:8080/chat", Url("ws", "::1", 8080, "/chat")),
        ("wss://example.test?room=1", Url("wss", "example.test", 443, "/?room=1")),
        ("http://example.test/#part", Url("http", "example.test", 80, "/")),
        ("unix:///run/app.sock", Url("unix", "", 0, "/run/app.sock")),
        ("unix://here.sock", Url("unix", "", 0, "here.sock")),
    ],
)
def test_an_address_is_read(text: str, url: Url) -> None:
    assert parse_url(text) == url


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is no address to talk to"),
        ("127.0.0.1:8888", "is no address to talk to"),
        ("tcp:/127.0.0.1", "is no address to talk to"),
        ("tcp://a b", "is no address to talk to"),
        ("tcp://user@host", "is no address to talk to"),
        ("gopher://host", "no scheme gopher"),
        ("tcp://:8888", "names no host"),
        ("tcp://[]:8888", "names no host"),
        ("tcp://host:99999", "is no port"),
        ("tcp://host:-1", "is no port"),
        ("tcp://host:8O8O", "is no port"),
        ("raw://host:256", "is no protocol number"),
        ("tcp://::1:8888", "in brackets"),
        ("tcp://[fe80::x]:1", "is no IPv6 address"),
        ("tcp://host/path", "takes no path"),
        ("unix://", "wants the path"),
        ("unix:///", "wants the path"),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        parse_url(text)


def test_a_server_has_its_own_idea_of_the_port_that_is_not_written() -> None:
    assert parse_url("http://localhost", port=8080).port == 8080
    assert parse_url("http://localhost:81", port=8080).port == 81


@pytest.mark.parametrize(
    ("text", "authority"),
    [
        ("http://example.test:80", "example.test"),
        ("http://[::1]:8080", "[::1]:8080"),
        ("tcp://127.0.0.1:8888", "127.0.0.1:8888"),
    ],
)
def test_the_authority_leaves_out_what_is_usual(text: str, authority: str) -> None:
    assert parse_url(text).authority == authority


hosts = st.sampled_from(["127.0.0.1", "localhost", "::1", "2001:db8::5"])
network_schemes = st.sampled_from(sorted(set(SCHEMES) - {"unix", "raw"}))


@given(network_schemes, hosts, st.integers(0, 65535), st.text("abc/?=&", max_size=8))
def test_what_is_written_can_be_read_again(scheme: str, host: str, port: int, path: str) -> None:
    url = Url(scheme, host, port, f"/{path}" if SCHEMES[scheme].over else "")
    assert parse_url(str(url)) == url


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        url = parse_url(f"tcp://{text}")
    except UsageError:
        return
    assert url.host
    assert 0 <= url.port <= 65535
