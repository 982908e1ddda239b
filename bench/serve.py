"""Messages a second of server processor time: fourtuple serve and other echo servers, in one run.

    python bench/serve.py [--rounds 25] [--seconds 0.4]

200 connections over loopback; each sends 64 bytes, waits until they have come back, sends the next
(bench/load.c, compiled here). All servers run at once, one is under load at a time, round after
round in turn; figures are medians of messages divided by the processor time that the kernel charged
to the server (/proc/PID/task/*/schedstat). So neither the client's cost nor a busy machine's
other work counts, but for what that does to caches: hence many short rounds.
"""

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
CONNECTIONS = 200
START_S = 30
#: what is promised: (ours, theirs, least ratio); 0.67 is 100 k/s where uvloop does 149
PROMISES = (
    ("fourtuple tcp", "uvloop Protocol", 0.8),
    ("fourtuple ws", "uvloop Protocol", 0.67),
)

UVLOOP = """
import asyncio, uvloop
class Echo(asyncio.Protocol):
    def connection_made(self, transport): self.transport = transport
    def data_received(self, data): self.transport.write(data)
async def main():
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0)
    print("port", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
uvloop.run(main())
"""
BUFFERED = """
import asyncio
class Echo(asyncio.BufferedProtocol):
    def connection_made(self, transport):
        self.transport, self.buffer = transport, memoryview(bytearray(65536))
    def get_buffer(self, hint): return self.buffer
    def buffer_updated(self, count): self.transport.write(self.buffer[:count])
async def main():
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0)
    print("port", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""
WEBSOCKETS = """
import asyncio, uvloop
from websockets.asyncio.server import serve
async def echo(socket):
    async for message in socket: await socket.send(message)
async def main():
    async with serve(echo, "127.0.0.1", 0, compression=None) as server:
        print("port", server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()
uvloop.run(main())
"""
AIOHTTP = """
import asyncio, uvloop
from aiohttp import web
async def echo(request):
    socket = web.WebSocketResponse(compress=False)
    await socket.prepare(request)
    async for message in socket: await socket.send_bytes(message.data)
    return socket
async def main():
    app = web.Application()
    app.router.add_get("/", echo)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print("port", site._server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()
uvloop.run(main())
"""
PICOWS = """
import asyncio, uvloop
from picows import WSListener, WSMsgType, ws_create_server
class Echo(WSListener):
    def on_ws_frame(self, transport, frame):
        transport.send(frame.msg_type, frame.get_payload_as_bytes())
async def main():
    server = await ws_create_server(lambda request: Echo(), "127.0.0.1", 0)
    print("port", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
uvloop.run(main())
"""


@dataclass(slots=True)
class Echoer:
    """A server in a process of its own, which prints the port that it was given."""

    name: str
    over: str
    words: Sequence[str]
    rates: list[float] = field(default_factory=list)
    process: "subprocess.Popen[bytes] | None" = None
    port: int = 0

    def start(self) -> None:
        # what a server says goes into a file, as into a log: a pipe that nobody reads would fill
        with tempfile.NamedTemporaryFile("w+") as log:
            quiet = subprocess.DEVNULL
            self.process = subprocess.Popen(self.words, stdout=log, stderr=quiet)
            until_s = time.monotonic() + START_S
            while time.monotonic() < until_s:
                log.seek(0)
                if found := re.search(r"port (\d+)|127\.0\.0\.1:(\d+)", log.read()):
                    self.port = int(found[1] or found[2])
                    return
                time.sleep(0.1)
        raise SystemExit(f"{self.name} did not start")

    def processor_s(self) -> float:
        assert self.process is not None
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def ours(scheme: str, *options: str) -> list[str]:
    serve = [sys.executable, "-u", "-m", "fourtuple", "serve", f"{scheme}://127.0.0.1:0"]
    return [*serve, "--no-compress", *options]


def all_echoers() -> list[Echoer]:
    def script(text: str) -> list[str]:
        return [sys.executable, "-c", text]

    return [
        Echoer("fourtuple tcp", "tcp", ours("tcp")),
        Echoer("fourtuple tcp, asyncio", "tcp", ours("tcp", "--model", "asyncio")),
        Echoer("uvloop Protocol", "tcp", script(UVLOOP)),
        Echoer("asyncio BufferedProtocol", "tcp", script(BUFFERED)),
        Echoer("fourtuple ws", "ws", ours("ws")),
        Echoer("fourtuple ws, asyncio", "ws", ours("ws", "--model", "asyncio")),
        Echoer("websockets", "ws", script(WEBSOCKETS)),
        Echoer("aiohttp", "ws", script(AIOHTTP)),
        Echoer("picows", "ws", script(PICOWS)),
    ]


def measure(load: Path, echoer: Echoer, seconds: float) -> None:
    """One round: messages by processor time, from the first message on."""
    command = [str(load), str(echoer.port), echoer.over, str(CONNECTIONS), str(seconds)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as client:
        assert client.stdin is not None and client.stdout is not None
        if client.stdout.readline() != "connected\n":
            raise SystemExit(f"{echoer.name} does not take {CONNECTIONS} connections")
        before_s = echoer.processor_s()
        client.stdin.write("\n")
        client.stdin.flush()
        said = client.stdout.readline()
        if not said:
            raise SystemExit(f"{echoer.name} does not answer")
        echoer.rates.append(int(said) / (echoer.processor_s() - before_s))


def report(echoers: Sequence[Echoer]) -> bool:
    """Print all figures; whether they are what was promised."""
    named = {each.name: each for each in echoers}
    first = {"tcp": named["uvloop Protocol"], "ws": named["picows"]}
    for each in echoers:
        median, of_first = statistics.median(each.rates), ratio(each, first[each.over])
        spread = f"{min(each.rates) / 1e3:.0f}-{max(each.rates) / 1e3:.0f}"
        print(f"{each.name:26}{median / 1e3:8.1f} k/s ({spread:>9}){of_first:7.2f}")
    return all(ratio(named[one], named[other]) >= least for one, other, least in PROMISES)


def ratio(one: Echoer, other: Echoer) -> float:
    """The median over rounds: in each, the machine was as busy for both."""
    return statistics.median(a / b for a, b in zip(one.rates, other.rates, strict=True))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--seconds", type=float, default=0.4)
    options = parser.parse_args()
    echoers = all_echoers()
    with tempfile.TemporaryDirectory() as directory:
        load = Path(directory) / "load"
        subprocess.run(["cc", "-O2", "-o", load, HERE / "load.c"], check=True)
        try:
            for each in echoers:
                each.start()
            for _ in range(options.rounds):
                for each in echoers:
                    measure(load, each, options.seconds)
        finally:
            for each in echoers:
                if each.process is not None:
                    each.process.kill()
                    each.process.wait()
    return 0 if report(echoers) else 1


if __name__ == "__main__":
    sys.exit(main())
