"""The small services of old: each answer depends on one message alone.

echo is RFC 862's, discard RFC 863's, time a readable form of RFC 867's daytime.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from fourtuple.talk.app import Answer, App, Client, Finish, Send

__all__ = ["Clock", "Discard", "Echo", "Upper"]


class Echo(App):
    """Whatever comes goes back."""

    answer = staticmethod(bytes)

    def received(self, client: Client, data: bytes) -> Answer:
        return data


class Upper(App):
    """Whatever comes goes back in capitals (ASCII letters; all other bytes as they are)."""

    answer = staticmethod(bytes.upper)

    def received(self, client: Client, data: bytes) -> Answer:
        return data.upper()


class Discard(App):
    """Whatever comes is thrown away."""


def _now() -> datetime:
    return datetime.now(UTC)


class Clock(App):
    """Says the time and hangs up; to a datagram it answers with the time."""

    text = True

    def __init__(self, now: Callable[[], datetime] = _now) -> None:
        self._now = now

    def opened(self, client: Client) -> Answer:
        if client.scheme in ("udp", "raw"):
            return None
        return [Send(client, self._line()), Finish(client)]

    def received(self, client: Client, data: bytes) -> Answer:
        return self._line() if client.scheme in ("udp", "raw") else None

    def _line(self) -> bytes:
        return f"{self._now():%Y-%m-%d %H:%M:%S} UTC\r\n".encode()
