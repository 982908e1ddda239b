"""Six ways for one program to serve many clients, each with the same applications.

one-at-a-time  a loop of accept, serve, close: whoever comes meanwhile waits in the backlog
threads        two threads a client: one waits in recv(), one in send()
select, poll,  one thread that asks the kernel which of its sockets are ready
epoll
asyncio        the same, by Python's event loop (uvloop where it is installed)
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from fourtuple.talk.hall import Hall
from fourtuple.talk.models.listener import Listener, Stop
from fourtuple.talk.models.one_at_a_time import serve_one_at_a_time
from fourtuple.talk.models.readiness import EpollWaiter, PollWaiter, SelectWaiter
from fourtuple.talk.models.ready import serve_ready
from fourtuple.talk.models.threads import serve_threads

__all__ = ["MODELS", "Listener", "Model", "Stop"]

Model = Callable[[Sequence[Listener], Hall, Stop], None]


def _asyncio(listeners: Sequence[Listener], hall: Hall, stop: Stop) -> None:
    from fourtuple.talk.models.with_asyncio import serve_asyncio

    serve_asyncio(listeners, hall, stop)


MODELS: Mapping[str, Model] = MappingProxyType(
    {
        "one-at-a-time": serve_one_at_a_time,
        "threads": serve_threads,
        "select": lambda listeners, hall, stop: serve_ready(SelectWaiter(), listeners, hall, stop),
        "poll": lambda listeners, hall, stop: serve_ready(PollWaiter(), listeners, hall, stop),
        "epoll": lambda listeners, hall, stop: serve_ready(EpollWaiter(), listeners, hall, stop),
        "asyncio": _asyncio,
    }
)
