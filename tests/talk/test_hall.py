"""Who is served, what waits for each, and who has to go. No sockets."""

from fourtuple.explain.model import Message
from fourtuple.explain.text import Translator
from fourtuple.talk.app import Answer, App, Client, Finish, Send
from fourtuple.talk.apps.bytestream import Echo, Upper
from fourtuple.talk.apps.chat import Chat
from fourtuple.talk.codecs import Lines, Plain
from fourtuple.talk.hall import Hall, Limits, Seat


class Told(list[str]):
    def __call__(self, message: Message) -> None:
        self.append(Translator().text(message))


def come(hall: Hall, peer: str = "192.0.2.1:5") -> Seat:
    codec = Lines(hall.limits.message_bytes) if hall.app.by_lines else Plain()
    seat = hall.open(peer, "tcp", codec)
    assert seat is not None
    return seat


def taken(hall: Hall, seat: Seat) -> bytes:
    """What a driver would send now."""
    data = bytes(seat.waiting)
    hall.sent(seat, len(data))
    return data


def test_clients_are_numbered_and_their_coming_and_going_is_told() -> None:
    told = Told()
    hall = Hall(Echo(), tell=told)
    first, second = come(hall, "192.0.2.1:5"), come(hall, "192.0.2.2:6")
    hall.receive(first, b"abc")
    taken(hall, first)
    hall.close(first)
    third = come(hall)
    assert [seat.client.number for seat in (first, second, third)] == [1, 2, 3]
    assert told == [
        "Client 1 has come from 192.0.2.1:5 (tcp). Here now: 1.",
        "Client 2 has come from 192.0.2.2:6 (tcp). Here now: 2.",
        "Client 1 has left: 3 bytes received, 3 sent. Here now: 1.",
        "Client 3 has come from 192.0.2.1:5 (tcp). Here now: 2.",
    ]


def test_a_connection_is_closed_once() -> None:
    told = Told()
    hall = Hall(Echo(), tell=told)
    seat = come(hall)
    hall.close(seat)
    hall.close(seat)
    assert len(hall) == 0
    assert len(told) == 2


def test_what_the_short_way_answers_is_what_the_application_would() -> None:
    for app in (Echo(), Upper()):
        hall = Hall(app)
        seat = come(hall)
        assert seat.direct is not None
        hall.receive(seat, b"one\xff Two")
        assert taken(hall, seat) == app.received(seat.client, b"one\xff Two")


def test_who_was_told_good_bye_has_no_short_way() -> None:
    hall = Hall(Echo())
    seat = come(hall)
    hall.finish_all()
    assert seat.direct is None
    hall.receive(seat, b"too late")
    assert not seat.waiting


def test_a_client_that_does_not_read_is_dropped_once_too_much_waits_for_it() -> None:
    told = Told()
    hall = Hall(Chat(), Limits(send_queue_bytes=500), told)
    talker, deaf = come(hall), come(hall)
    woken: list[int] = []
    deaf.wake = lambda: woken.append(len(deaf.waiting))
    hall.receive(deaf, b"2 Deaf\n")
    hall.receive(talker, b"1 Talker\n")
    while not deaf.dropped:
        taken(hall, talker)
        hall.receive(talker, b"x" * 50 + b"\n")
    assert 500 < len(deaf.waiting) < 600
    assert not talker.dropped
    assert any("2 was dropped: it left" in line for line in told)
    assert woken == sorted(woken)
    before = len(deaf.waiting)
    hall.receive(talker, b"more\n")
    assert len(deaf.waiting) == before


def test_who_was_told_good_bye_is_not_heard_any_more() -> None:
    hall = Hall(Chat())
    leaver, other = come(hall), come(hall)
    for seat, name in ((leaver, b"1 Leaver"), (other, b"2 Other")):
        hall.receive(seat, name + b"\n")
    taken(hall, other)
    hall.receive(leaver, b"q\nstill here?\n")
    hall.receive(leaver, b"hello?\n")
    assert leaver.finishing
    assert not leaver.over  # its welcome still waits
    taken(hall, leaver)
    assert leaver.over
    assert taken(hall, other) == b"* 1 Leaver has left.\n"


def test_what_cannot_be_understood_ends_a_connection_after_what_was_said_before() -> None:
    told = Told()
    hall = Hall(Chat(), Limits(message_bytes=10), told)
    seat = come(hall)
    hall.receive(seat, b"x" * 11)
    assert not seat.over
    assert taken(hall, seat).startswith(b"Who are you?")
    assert seat.over
    assert told[-1] == "Client 1 was dropped: a line was longer than 10 bytes (--max-message)."


def test_saying_good_bye_to_all_leaves_what_waits_for_them() -> None:
    hall = Hall(Echo())
    seats = [come(hall) for _ in range(3)]
    for seat in seats:
        hall.receive(seat, b"last words")
    hall.finish_all()
    assert not any(seat.over for seat in seats)
    assert [taken(hall, seat) for seat in seats] == [b"last words"] * 3
    assert all(seat.over for seat in seats)


def test_a_message_of_nothing_is_a_message() -> None:
    class Sized(Lines):
        def send(self, message: bytes) -> bytes:
            return b"%d:%b;" % (len(message), message)

    hall = Hall(Echo())
    seat = hall.open("192.0.2.1:5", "ws", Sized(100))
    assert seat is not None
    hall.receive(seat, b"\nab\n")
    assert taken(hall, seat) == b"0:;2:ab;"


def test_nobody_is_let_in_beyond_the_limit() -> None:
    told = Told()
    hall = Hall(Echo(), Limits(clients=1), told)
    first = come(hall)
    assert hall.open("192.0.2.9:1", "tcp", Plain()) is None
    assert "192.0.2.9:1 was turned away: 1 clients are here" in told[-1]
    hall.close(first)
    assert hall.open("192.0.2.9:1", "tcp", Plain()) is not None


def test_an_application_may_speak_to_a_client_that_has_just_left() -> None:
    class Gossip(App):
        def __init__(self) -> None:
            self.seen: list[Client] = []

        def received(self, client: Client, data: bytes) -> Answer:
            self.seen.append(client)
            return [*(Send(each, data) for each in self.seen), Finish(self.seen[0])]

    hall = Hall(Gossip())
    first, second = come(hall), come(hall)
    hall.receive(first, b"a")
    hall.close(first)
    hall.receive(second, b"b")
    assert taken(hall, second) == b"b"


def test_the_room_in_chinese() -> None:
    hall = Hall(Chat(Translator("zh_CN")))
    seat = come(hall)
    hall.receive(seat, "20231234 王芳\n".encode())
    said = taken(hall, seat).decode()
    assert said.splitlines()[1] == "* 欢迎，20231234 王芳。在场的有：没有别人。"


def test_a_name_cannot_move_the_cursor_of_others() -> None:
    hall = Hall(Chat())
    first, second = come(hall), come(hall)
    hall.receive(first, b"1 First\n")
    taken(hall, first)
    hall.receive(second, b"2 \x1b[2JSecond\x07\n\n")
    assert taken(hall, first) == b"* 2 [2JSecond has come.\n"
