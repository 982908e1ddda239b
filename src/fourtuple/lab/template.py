"""The file that `lab new` writes: an experiment that runs as it stands, with comments that say what
to change. Its words are messages of the catalog; whoever writes the file translates them."""

from collections.abc import Callable
from string import Template

from fourtuple.errors import N_
from fourtuple.explain.model import Message

__all__ = ["experiment_file"]

_FILE = Template('''\
"""$about"""

from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.wire.select import data


@experiment(
    question="$question",
    # $mutation
    mutation=Mutation("$other", values={"lost": 1}),
)
def $function(lab):
    # $hosts
    client, server = lab.pair()
    listener = server.socket().listen(8888)
    sock = client.socket().connect(server, 8888)
    lab.settle()  # $settle
    peer = listener.accept()

    # $rule
    lost = lab.wire.drop(data.sent_by(client).nth(lab.value("lost", 2)))

    # $calls
    message = lab.bytes(4000)
    sock.send(message)
    lab.expect(peer.recv_exactly(4000), message, "$received")
    lab.settle()

    # $expect
    lab.expect(lost.count, 1, "$count")
    sent = lab.segments(sent_by=client, payload=True)
    lab.expect(sent[-1].seq, sent[1].seq, "$again")
''')

_WORDS = {
    "about": N_("An experiment of my own. Run it with: fourtuple lab run {file}"),
    "question": N_("What happens when the second data segment is lost?"),
    "mutation": N_(
        "Under this the expectations must fail. Try it: fourtuple lab run --mutate {file}"
    ),
    "other": N_("the first one is lost"),
    "hosts": N_("Two hosts, each in a network namespace of its own."),
    "settle": N_("wait until nothing moves"),
    "rule": N_("The wire: drop, hold, delay, duplicate, reorder, corrupt, rewrite, cut ..."),
    "calls": N_("Each method of a socket is one system call, made in that host's process."),
    "received": N_("what the server's program reads"),
    "expect": N_("What was seen, what is expected, and in words what it is."),
    "count": N_("data segments that the wire dropped"),
    "again": N_("the last segment repeats the second one"),
}


def experiment_file(function: str, file: str, say: Callable[[Message], str]) -> str:
    """The text of the file, for a script of that name. `say` puts a message into the reader's
    language."""
    words = {key: say(Message(text, {"file": file})) for key, text in _WORDS.items()}
    return _FILE.substitute(words, function=function)
