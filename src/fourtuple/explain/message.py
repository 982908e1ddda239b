"""A sentence before it has a language. Quick to load, without a library: every command has some."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

__all__ = ["Message"]

_NONE: Mapping[str, Any] = MappingProxyType({})


class Message:
    """A message id (English, with {fields}) and its values. Not to be changed.

    `plural` is the English plural form and `count` what selects it. A value that is itself a
    Message is translated too. `context` tells apart messages that are the same word in English.
    """

    __slots__ = ("context", "count", "params", "plural", "text")

    def __init__(
        self,
        text: str,
        params: Mapping[str, Any] = _NONE,
        plural: str = "",
        count: int = 1,
        context: str = "",
    ) -> None:
        self.text, self.params = text, params
        self.plural, self.count, self.context = plural, count, context

    def _values(self) -> tuple[object, ...]:
        return self.text, self.params, self.plural, self.count, self.context

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Message) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash((self.text, self.plural, self.count, self.context))

    def __repr__(self) -> str:
        return f"Message{self._values()!r}"
