"""A server put together, in this process: how it is told to end."""

import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from fourtuple.talk.models import MODELS
from fourtuple.talk.server import Server, Service
from fourtuple.talk.url import parse_url

WAIT_S = 100.0


@pytest.mark.parametrize("model", sorted(MODELS))
def test_a_signal_that_another_thread_got_ends_it_all_the_same(model: str) -> None:
    """The kernel may choose any thread: then no call of the waiting one is interrupted."""

    def visit_and_end() -> None:
        where = server.addresses[0]
        with socket.create_connection((where.host, where.port), timeout=WAIT_S) as sock:
            sock.sendall(b"hello")
            assert sock.recv(100) == b"hello"
            time.sleep(0.1)  # time enough for the server to wait again, though it need not
            signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
            assert sock.recv(100) == b""

    with Server(Service((parse_url("tcp://127.0.0.1:0"),), model=model), lambda _: None) as server:
        other = threading.Thread(target=visit_and_end)
        other.start()
        server.run()
        other.join(WAIT_S)
    assert not other.is_alive()


def test_a_server_that_is_not_recorded_loads_no_numpy() -> None:
    """Nor the threads that come with it, which make every call on a descriptor dearer."""
    what = "server", "codecs.websocket", "codecs.http", "models.with_asyncio"
    names = ", ".join(f"fourtuple.talk.{each}" for each in what)
    program = f"import sys, fourtuple.cli.serve, {names}; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
