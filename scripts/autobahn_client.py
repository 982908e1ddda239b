"""Autobahn's fuzzing client under Jython, a Python 2.7: run by scripts/autobahn.py.

    jython autobahn_client.py SITE PORT CASES REPORTS

SITE holds the suite and what it needs, unpacked side by side. What of it needs a C extension or a
descriptor that Java does not have is replaced here by empty forms: TLS, standard streams, and the
pipe by which Twisted wakes itself (a pair of sockets does it too).
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
