"""Autobahn's fuzzing client under Jython, a Python 2.7: run by scripts/autobahn.py.

    jython autobahn_client.py SITE PORT CASES REPORTS

SITE holds the suite and what it needs, unpacked side by side. What of it needs a C extension or a
descriptor that Java does not have is replaced here by empty forms: TLS, standard streams, and the
pipe by which Twisted wakes itself (a pair of sockets does it too). What looks at every byte,
masking and the check of UTF-8, is done by Java's library: chapters 12 and 13 send ten gigabytes.
"""

import sys
import types

site, port, cases, reports = sys.argv[1:5]
sys.path.insert(0, site)

import twisted.internet  # noqa: E402
import twisted.internet.posixbase as posixbase  # noqa: E402

posixbase._Waker = posixbase._SocketWaker

from twisted.internet import reactor  # noqa: E402


def stand_in(name, **content):
    """A module in the place of one that cannot be imported here."""
    module = types.ModuleType(name)
    for key, value in content.items():
        setattr(module, key, value)
    sys.modules[name] = module
    return module


def empty(name):
    return type(name, (object,), {})


twisted.internet.stdio = stand_in(
    "twisted.internet.stdio", PipeAddress=empty("PipeAddress"), StandardIO=empty("StandardIO")
)
twisted.internet.ssl = stand_in(
    "twisted.internet.ssl",
    ClientContextFactory=empty("ClientContextFactory"),
    ContextFactory=empty("ContextFactory"),
    DefaultOpenSSLContextFactory=empty("DefaultOpenSSLContextFactory"),
)
import autobahn.websocket.utf8validator as utf8validator  # noqa: E402
import autobahn.websocket.xormasker as xormasker  # noqa: E402
from java.nio import ByteBuffer  # noqa: E402
from java.nio.charset import CharacterCodingException, Charset  # noqa: E402
from java.util import BitSet  # noqa: E402
from org.python.core.util import StringUtil  # noqa: E402

UTF_8 = Charset.forName("UTF-8")


class Masker(object):  # noqa: UP004 - Python 2
    """A frame's mask, applied to all bytes at once."""

    def __init__(self, mask):
        self._mask = mask
        self._at = 0

    def pointer(self):
        return self._at

    def reset(self):
        self._at = 0

    def process(self, data):
        turned = self._mask[self._at & 3 :] + self._mask[: self._at & 3]
        self._at += len(data)
        bits = bits_of(data)
        bits.xor(bits_of((turned * (len(data) // 4 + 1))[: len(data)]))
        # a set of bits does not know of zeros at its end
        return StringUtil.fromBytes(bits.toByteArray()).encode("latin-1").ljust(len(data), "\0")


def bits_of(data):
    return BitSet.valueOf(StringUtil.toBytes(data))


class Validator(utf8validator.Utf8Validator):
    """Text that is whole and right is seen by Java; for the rest the suite's own validator tells
    where it is wrong, or where it stopped."""

    def validate(self, data):
        if self.state != utf8validator.UTF8_ACCEPT or not is_whole(data):
            return super(Validator, self).validate(data)  # noqa: UP008 - Python 2
        self.i += len(data)
        return True, True, len(data), self.i


def is_whole(data):
    try:
        UTF_8.newDecoder().decode(ByteBuffer.wrap(StringUtil.toBytes(data)))
    except CharacterCodingException:
        return False
    return True


xormasker.createXorMasker = lambda mask, length=None: Masker(mask)
utf8validator.Utf8Validator = Validator

# of the suite only its fuzzing client: the rest wants a web server and more
suite = site + "/autobahntestsuite"
stand_in("autobahntestsuite", __path__=[suite], __file__=suite + "/__init__.py", version="0.8.2")

from autobahntestsuite.fuzzing import FuzzingClientFactory  # noqa: E402

FuzzingClientFactory(
    {
        "outdir": reports,
        "servers": [{"agent": "fourtuple", "url": "ws://127.0.0.1:" + port}],
        "cases": cases.split(","),
        "exclude-cases": [],
        "exclude-agent-cases": {},
        "options": {"failByDrop": False},
    }
)
reactor.run()
