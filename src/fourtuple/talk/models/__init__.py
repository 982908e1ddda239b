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
from fourtuple.talk.models.readiness import EpollWaiter, PollWaiter, SelectWaiter, Waiter
from fourtuple.talk.models.ready import serve_ready
from fourtuple.talk.models.threads import serve_threads
from fourtuple.talk.models.waiting import noted_waiter

__all__ = ["MODELS", "Listener", "Model", "Stop"]

Model = Callable[[Sequence[Listener], Hall, Stop], None]


def _by_readiness(make: Callable[[], Waiter]) -> Model:
    def serve(listeners: Sequence[Listener], hall: Hall, stop: Stop) -> None:
        waiter = noted_waiter(make(), [each.socket for each in listeners])
        serve_ready(waiter, listeners, hall, stop)

    return serve


def _asyncio(listeners: Sequence[Listener], hall: Hall, stop: Stop) -> None:
    from fourtuple.talk.models.with_asyncio import serve_asyncio

    serve_asyncio(listeners, hall, stop)


MODELS: Mapping[str, Model] = MappingProxyType(
    {
        "one-at-a-time": serve_one_at_a_time,
        "threads": serve_threads,
        "select": _by_readiness(SelectWaiter),
        "poll": _by_readiness(PollWaiter),
        "epoll": _by_readiness(EpollWaiter),
        "asyncio": _asyncio,
    }
)
