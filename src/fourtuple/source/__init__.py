"""Where events come from. `read` makes the Timeline of a capture file."""

from fourtuple.source.capture import read

__all__ = ["read"]
