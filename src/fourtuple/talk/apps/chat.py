"""A room in which everyone hears everyone.

Rules: the first line a client sends is its identity and name ("20231234 Wang Fang"), as in the
documents' exercise; from then on each line goes to all others who have given theirs. `q` leaves.
What one client says is heard by all in the order in which the server got it. Control characters are
taken out: a name must not move another's cursor.
"""

import unicodedata

from fourtuple.explain.model import Message
from fourtuple.explain.text import N_, Translator
from fourtuple.talk.app import Action, Answer, App, Client, Finish, Send, Tell

__all__ = ["Chat"]

_LONGEST_NAME = 40
_LEAVE = b"q"
NAMED = N_("Client {number} is {name}.")
WHO = N_("Who are you? Send your identity and name in one line; q leaves.")
WELCOME = N_("* Welcome, {name}. Here: {present}.")
NOBODY = N_("nobody else")
CAME = N_("* {name} has come.")
LEFT = N_("* {name} has left.")


class Chat(App):
    """The room; one object holds everybody in it. It speaks the language of whoever runs it."""

    by_lines = True
    text = True

    def __init__(self, translator: Translator | None = None) -> None:
        self._members: dict[int, Client] = {}
        self._translator = translator or Translator()

    def opened(self, client: Client) -> Answer:
        return self._line(WHO)

    def received(self, client: Client, data: bytes) -> Answer:
        line = _readable(data)
        if data.strip() == _LEAVE:
            return [*self._left(client), Finish(client)]
        if client.number in self._members:
            return self._to_others(client, f"{client.name}: {line}\n".encode()) if line else None
        return self._enter(client, line) if line else self._line(WHO)

    def ended(self, client: Client) -> Answer:
        return [*self._left(client), Finish(client)]

    def closed(self, client: Client) -> Answer:
        return self._left(client)

    def _enter(self, client: Client, name: str) -> list[Action]:
        client.name = name[:_LONGEST_NAME]
        others = ", ".join(member.name for member in self._members.values())
        present = others or Message(NOBODY)
        self._members[client.number] = client
        return [
            Tell(Message(NAMED, {"number": client.number, "name": client.name})),
            Send(client, self._line(WELCOME, name=client.name, present=present)),
            *self._to_others(client, self._line(CAME, name=client.name)),
        ]

    def _left(self, client: Client) -> list[Action]:
        if self._members.pop(client.number, None) is None:
            return []
        return self._to_others(client, self._line(LEFT, name=client.name))

    def _line(self, text: str, **params: str | Message) -> bytes:
        return f"{self._translator.text(Message(text, params))}\n".encode()

    def _to_others(self, client: Client, line: bytes) -> list[Action]:
        others = (member for member in self._members.values() if member is not client)
        return [Send(member, line) for member in others]


def _readable(data: bytes) -> str:
    text = data.decode("utf-8", "replace")
    return "".join(c for c in text if unicodedata.category(c)[0] != "C").strip()
