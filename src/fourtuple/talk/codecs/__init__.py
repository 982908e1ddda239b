"""What stands between a socket's bytes and an application's messages. No I/O, no clock."""

from fourtuple.talk.codecs.base import Broken, Codec, Received
from fourtuple.talk.codecs.stream import Lines, Plain

__all__ = ["Broken", "Codec", "Lines", "Plain", "Received"]
