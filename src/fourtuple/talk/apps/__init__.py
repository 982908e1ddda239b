"""The applications that `fourtuple serve` offers, by name."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from fourtuple.talk.app import App
from fourtuple.talk.apps.bytestream import Clock, Discard, Echo, Upper
from fourtuple.talk.apps.chat import Chat

__all__ = ["STREAM_APPS"]

#: applications for any transport that carries messages or bytes; http has its own (apps.pages)
STREAM_APPS: Mapping[str, Callable[[], App]] = MappingProxyType(
    {"echo": Echo, "upper": Upper, "discard": Discard, "time": Clock, "chat": Chat}
)
