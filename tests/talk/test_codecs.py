"""Bytes in, messages out: however the bytes are cut into pieces, the messages are the same."""

import re
import ssl
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import enable_client_permessage_deflate
from websockets.frames import Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from fourtuple.explain.text import Translator
from fourtuple.talk.apps.pages import Files, Hello, Request
from fourtuple.talk.certificate import server_context
from fourtuple.talk.codecs import Broken, Codec, Lines, Plain
from fourtuple.talk.codecs.http import Http
from fourtuple.talk.codecs.tls import Tls
from fourtuple.talk.codecs.websocket import WebSocket

UPGRADE = (
    b"GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Version: 13\r\n\r\n"
)


def fed(codec: Codec, pieces: Iterable[bytes]) -> tuple[list[bytes], bytes, bool]:
    """All that comes of the pieces: messages, answer (bodies included), whether it has ended."""
    messages, answer, ended = [], b"", False
    for piece in pieces:
        found = codec.receive(piece)
        if found.broken is not None:
            raise found.broken
        messages += found.messages
        answer += found.answer
        ended = ended or found.ended
        while more := codec.more():
            answer += more
    return messages, answer, ended


def pieces_of(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    ends = sorted({min(cut, len(data)) for cut in cuts} | {len(data)})
    return [data[a:b] for a, b in zip([0, *ends], ends, strict=False) if a < b]


cuts = st.lists(st.integers(0, 400), max_size=12)


@given(st.lists(st.binary(max_size=20).filter(lambda b: b"\n" not in b and b"\r" not in b)), cuts)
def test_lines_are_the_same_however_they_come(lines: list[bytes], where: list[int]) -> None:
    data = b"".join(line + b"\r\n" for line in lines)
    assert fed(Lines(100), pieces_of(data, where))[0] == lines


def test_what_stands_after_the_last_end_of_line_is_a_line_too() -> None:
    assert fed(Lines(100), [b"one\ntw", b"o", b""]) == ([b"one", b"two"], b"", True)


def test_a_line_may_not_be_endless() -> None:
    with pytest.raises(Broken, match="longer than"):
        fed(Lines(10), [b"12345", b"67890", b"1"])


def test_bytes_are_passed_on_as_they_come() -> None:
    assert fed(Plain(), [b"a", b"bc", b""]) == ([b"a", b"bc"], b"", True)


# HTTP


def web(limit: int = 1000) -> Http:
    return Http(Hello(), limit, rooms=("/chat",))


REQUESTS = (
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
    b"HEAD /index.html HTTP/1.1\r\nHost: a\r\n\r\n"
    b"GET /nowhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
)


@given(cuts)
def test_requests_of_one_connection_are_answered_in_order(where: list[int]) -> None:
    messages, answer, _ = fed(web(), pieces_of(REQUESTS, where))
    statuses = re.findall(rb"HTTP/1.1 (\d+)", answer)
    assert statuses == [b"200", b"405", b"200", b"404"]
    assert answer.count(b"Hello, world!") == 1
    assert messages == []


def test_after_the_last_request_the_connection_ends() -> None:
    codec = web()
    assert fed(codec, [REQUESTS, b""])[2]


def test_what_is_no_request_is_told_so() -> None:
    with pytest.raises(Broken, match="does not speak HTTP") as broken:
        fed(web(), [b"\x16\x03\x01 nonsense\r\n\r\n"])
    assert broken.value.last_words.startswith(b"HTTP/1.1 400 ")


def test_what_is_said_of_mistakes_is_in_the_language_of_who_serves() -> None:
    chinese = Translator("zh_CN")
    status, page = get(Hello(chinese), "/nowhere")
    assert (status, page.decode()) == (404, "404：/nowhere 处什么也没有\n")
    with pytest.raises(Broken) as refused:
        Http(Hello(chinese), 1000, translator=chinese).receive(b"\0\r\n\r\n")
    assert "这不是 HTTP。".encode() in refused.value.last_words


def test_a_body_has_its_limit() -> None:
    request = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000
    with pytest.raises(Broken, match="larger than") as broken:
        fed(web(limit=1000), [request])
    assert broken.value.last_words.startswith(b"HTTP/1.1 413 ")


def test_headers_without_end_are_not_collected_for_ever() -> None:
    with pytest.raises(Broken, match="does not speak HTTP"):
        fed(web(), [b"GET / HTTP/1.1\r\n" + b"X-A: " + b"b" * 200_000])


@given(st.binary(max_size=300), cuts)
def test_any_bytes_are_http_or_refused(data: bytes, where: list[int]) -> None:
    try:
        fed(web(), [*pieces_of(data, where), b""])
    except Broken as error:
        assert error.message.text


# WebSocket: RFC 6455


def test_the_handshake_of_the_rfc(  # section 1.3
) -> None:
    codec = WebSocket(1000)
    assert not codec.joined
    _, answer, _ = fed(codec, [UPGRADE])
    assert answer.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in answer
    assert codec.joined


def opened(limit: int = 1000) -> WebSocket:
    codec = WebSocket(limit, compress=False)
    fed(codec, [UPGRADE])
    return codec


#: section 5.7: frames from a client
MASKED_HELLO = bytes.fromhex("818537fa213d7f9f4d5158")
PING_HELLO = bytes.fromhex("898537fa213d7f9f4d5158")


def test_a_masked_text_message() -> None:
    codec = opened()
    assert fed(codec, [MASKED_HELLO])[0] == [b"Hello"]
    assert codec.send(b"Hello") == bytes.fromhex("810548656c6c6f")


def test_a_ping_is_answered_with_its_own_bytes() -> None:
    assert fed(opened(), [PING_HELLO])[1] == bytes.fromhex("8a0548656c6c6f")


def masked(first: int, payload: bytes) -> bytes:
    assert len(payload) < 126
    return bytes([first, 0x80 | len(payload), 0, 0, 0, 0]) + payload


@given(cuts)
def test_fragments_are_put_together_and_pings_may_stand_between(where: list[int]) -> None:
    data = masked(0x01, b"Hel") + masked(0x89, b"?") + masked(0x80, b"lo") + masked(0x82, b"\xff")
    messages, answer, _ = fed(opened(), pieces_of(data, where))
    assert messages == [b"Hello", b"\xff"]
    assert answer == bytes.fromhex("8a013f")


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (bytes.fromhex("810548656c6c6f"), 1002),  # not masked
        (masked(0x83, b""), 1002),  # a reserved opcode
        (masked(0xC1, b"a"), 1002),  # a reserved bit
        (masked(0x80, b"a"), 1002),  # goes on with nothing
        (masked(0x09, b"a"), 1002),  # a control frame in fragments
        (masked(0x81, b"\xff"), 1007),  # text that is no UTF-8
        (masked(0x82, b"x" * 101), 1009),  # longer than allowed
    ],
)
def test_what_the_rfc_forbids_ends_the_connection_with_its_code(frames: bytes, code: int) -> None:
    codec = opened(limit=100)
    with pytest.raises(Broken, match="does not speak WebSocket") as broken:
        fed(codec, [frames])
    assert broken.value.last_words[:1] == b"\x88"
    assert int.from_bytes(broken.value.last_words[2:4], "big") == code


def client_of(codec: WebSocket, compress: bool) -> ClientProtocol:
    """The library's client, after its handshake with the codec."""
    extensions = enable_client_permessage_deflate(None) if compress else None
    client = ClientProtocol(parse_uri("ws://localhost/"), extensions=extensions)
    client.send_request(client.connect())
    client.receive_data(codec.receive(b"".join(client.data_to_send())).answer)
    assert client.state is State.OPEN
    client.events_received()
    return client


said = st.lists(st.one_of(st.text(max_size=150), st.binary(max_size=150)), max_size=8)


@given(said, st.booleans(), st.booleans(), cuts)
def test_any_messages_go_there_and_back(
    messages: list[str | bytes], compress: bool, chatty: bool, where: list[int]
) -> None:
    """Short messages and all others, masks and compression of a client that is not ours."""
    codec = WebSocket(1000)
    client = client_of(codec, compress)
    echo = codec.direct(bytes)
    assert echo is not None
    for message in messages:
        if isinstance(message, str):
            client.send_text(message.encode())
        else:
            client.send_binary(message)
        if chatty:
            client.send_ping(b"?")
        frames = b"".join(client.data_to_send())
        data = message.encode() if isinstance(message, str) else message
        answer = echo(frames)
        if answer is None:
            heard, answer, _ = fed(codec, pieces_of(frames, where))
            assert heard == [data]
            answer += codec.send(data)
        client.receive_data(answer)
        back = [event for event in client.events_received() if event.opcode is not Opcode.PONG]
        assert [bytes(frame.data) for frame in back] == [data]
        assert back[0].opcode is (Opcode.TEXT if isinstance(message, str) else Opcode.BINARY)


@pytest.mark.parametrize(
    ("before", "frame"),
    [
        (b"", b"\x81\x05Hello"),  # not masked
        (b"", masked(0x81, b"\xff")),  # no UTF-8
        (b"", masked(0x82, b"x" * 101)),  # more than is allowed
        (b"", MASKED_HELLO[:-1]),  # not whole
        (b"", MASKED_HELLO * 2),
        (b"", masked(0x89, b"Hello")),  # a ping
        (MASKED_HELLO[:1], MASKED_HELLO),  # in the middle of another frame
        (masked(0x82, b"x" * 80)[:20], MASKED_HELLO),
        (masked(0x01, b"Hel"), MASKED_HELLO),  # in the middle of a message
    ],
)
def test_the_short_way_is_for_whole_short_messages_only(before: bytes, frame: bytes) -> None:
    codec = WebSocket(100)
    client_of(codec, compress=False)
    echo = codec.direct(bytes)
    assert echo is not None
    assert echo(MASKED_HELLO) == bytes.fromhex("810548656c6c6f")
    if before:
        codec.receive(before)
    assert echo(frame) is None


def test_what_was_said_before_a_mistake_is_heard_and_answered() -> None:
    codec = opened()
    found = codec.receive(MASKED_HELLO + masked(0x83, b"") + MASKED_HELLO)
    assert found.messages == [b"Hello"]
    assert found.broken is not None
    assert found.ended
    assert codec.send(b"Hello") == bytes.fromhex("810548656c6c6f")
    assert codec.send(b"x" * 200) == b""  # that way is closed by now


def test_a_close_is_answered_with_a_close() -> None:
    _, answer, ended = fed(opened(), [masked(0x88, (1000).to_bytes(2, "big"))])
    assert answer == bytes.fromhex("880203e8")
    assert ended


def test_a_close_may_come_between_the_parts_of_a_message() -> None:
    data = masked(0x01, b"Hel") + masked(0x88, (1000).to_bytes(2, "big")) + masked(0x80, b"lo")
    messages, answer, ended = fed(opened(), [data])
    assert (messages, answer, ended) == ([], bytes.fromhex("880203e8"), True)


def test_a_request_that_is_none_is_refused() -> None:
    with pytest.raises(Broken, match="does not speak WebSocket") as broken:
        fed(WebSocket(1000), [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"])
    assert broken.value.last_words.startswith(b"HTTP/1.1 426 ")


@given(st.binary(max_size=200), cuts)
def test_any_bytes_are_websocket_or_refused(data: bytes, where: list[int]) -> None:
    codec = opened()
    try:
        fed(codec, [*pieces_of(data, where), b""])
    except Broken as error:
        assert error.last_words[:1] == b"\x88"


@given(cuts)
def test_a_page_and_a_room_at_one_address(where: list[int]) -> None:
    data = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + UPGRADE
    codec = web()
    messages, answer, _ = fed(codec, [*pieces_of(data, where), MASKED_HELLO])
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"200", b"101"]
    assert messages == [b"Hello"]
    assert codec.joined


# TLS


def client_and_server(inner: Callable[[], Codec]) -> tuple[ssl.SSLObject, Tls, Callable[[], bytes]]:
    """A client that has shaken hands, and what carries bytes both ways and gives the plain ones."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(into, out, server_hostname="localhost")
    server = Tls(server_context("localhost")[0], inner())
    messages: list[bytes] = []

    def carry() -> bytes:
        while data := out.read():
            found = server.receive(data)
            messages.extend(found.messages)
            into.write(found.answer)
            if found.broken is not None:
                into.write(found.broken.last_words)
                raise found.broken
            while more := server.more():
                into.write(more)
        heard = b"".join(messages)
        messages.clear()
        return heard

    while True:
        try:
            client.do_handshake()
            carry()
            return client, server, carry
        except ssl.SSLWantReadError:
            carry()


def test_tls_carries_messages_both_ways() -> None:
    client, server, carry = client_and_server(Plain)
    assert server.joined
    client.write(b"hello")
    assert carry() == b"hello"


def test_http_in_tls() -> None:
    client, _, carry = client_and_server(web)
    client.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    carry()
    assert b"Hello, world!" in client.read(10_000)


def test_a_mistake_inside_of_tls_is_answered_in_tls() -> None:
    client, _, carry = client_and_server(web)
    client.write(b"this is no HTTP\r\n\r\n")
    with pytest.raises(Broken, match="does not speak HTTP"):
        carry()
    assert client.read(10_000).startswith(b"HTTP/1.1 400 ")


def test_what_is_no_tls_is_refused() -> None:
    with pytest.raises(Broken, match="TLS handshake failed"):
        fed(Tls(server_context("localhost")[0], Plain()), [b"GET / HTTP/1.1\r\n\r\n"])


# Pages


def get(site: Files | Hello, target: str, method: str = "GET") -> tuple[int, bytes]:
    response = site.respond(Request(method, target))
    return response.status.value, b"".join(response.body)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    inside = tmp_path / "public"
    (inside / "sub").mkdir(parents=True)
    (inside / "a <b>.txt").write_text("hello")
    (tmp_path / "secret").write_text("secret")
    (inside / "out").symlink_to(tmp_path / "secret")
    return Files(inside)


def test_a_file_and_a_directory(files: Files) -> None:
    assert get(files, "/a%20%3Cb%3E.txt") == (200, b"hello")
    status, page = get(files, "/")
    assert status == 200
    assert b"a &lt;b&gt;.txt" in page
    assert b"<b>" not in page
    assert get(files, "/sub")[0] == 301


@pytest.mark.parametrize(
    "path",
    ["/../secret", "/%2e%2e/secret", "/out", "/sub/../../secret", "//etc/passwd", "/\0", "/x"],
)
def test_nothing_outside_is_served(files: Files, path: str) -> None:
    assert get(files, path)[0] == 404


@given(st.text(max_size=40))
def test_no_path_is_an_error(path: str) -> None:
    assert get(Files(Path("tests")), "/" + path)[0] in (200, 301, 404)


def test_a_whole_address_means_its_path() -> None:
    assert get(Hello(), "http://127.0.0.1:8080/index.html?a=b")[0] == 200
    assert get(Hello(), "//[")[0] == 404


def test_a_file_that_is_shorter_than_promised_ends_the_connection(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * 1_000_000)
    codec = Http(Files(tmp_path), 1000)
    found = codec.receive(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
    assert b"Content-Length: 1000000" in found.answer
    path.write_bytes(b"")
    while codec.more():
        pass
    assert codec.receive(b"").ended
