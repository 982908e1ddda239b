#!/usr/bin/env python3
"""How much `fourtuple watch` can be relied on, on this machine. As root.

measure_watch.py attribution [COUNT]    processes of some milliseconds: whose is each?
measure_watch.py requests [RATE]        nginx, "Connection: close": what is lost? RATE 0: as many
                                        as it answers
measure_watch.py frames                 small packets: how many are dropped?
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fourtuple.system.tapping import FrameTap, frames_of
from fourtuple.system.tracefs import place
from fourtuple.watch.frames import Frames
from fourtuple.watch.pairs import News
from fourtuple.watch.session import Session
from fourtuple.watch.wish import Wish

#: how long requests are made, and frames sent
SECONDS = 10
_SHORT = """
import os, socket, sys
for _ in range(int(sys.argv[2])):
    pid = os.fork()
    if not pid:
        sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
        os.write(1, b"%d %d\\n" % (os.getpid(), sock.getsockname()[1]))
        os._exit(0)
    os.waitpid(pid, 0)
"""
_CONF = """
daemon off; master_process on; worker_processes 1; pid {folder}/pid; error_log {folder}/error;
events {{ worker_connections 4096; }}
http {{ access_log off;
  server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ return 200 ok; }} }} }}
"""


def attribution(count: int) -> None:
    """Each child connects, says who it is, and ends: what is told must be what it said."""
    ended: list[News] = []
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listener:
        port = listener.getsockname()[1]
        words = [sys.executable, "-c", _SHORT, str(port), str(count)]
        with tempfile.TemporaryFile() as output:
            wish = Wish(words, output=output.fileno())
            session = Session(wish, lambda news: ended.append(news) if news.pair else None)
            session.run()
            output.seek(0)
            lines = output.readlines()
    said = {int(port): int(pid) for pid, port in (line.split() for line in lines)}
    seen = {
        one.pair.ends[0].port: one.pair.client.owner.pid
        for one in ended
        if one.pair and one.pair.client and one.pair.client.owner
    }
    right = sum(seen.get(port) == pid for port, pid in said.items())
    print(f"{right} of {len(said)} attributed right; {session.lost} events lost")


def requests(rate: int) -> None:
    """nginx with one worker, watched by its process."""
    with tempfile.TemporaryDirectory() as folder:
        load = _compiled("requests.c", folder)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        conf = Path(folder, "conf")
        conf.write_text(_CONF.format(folder=folder, port=port))
        with subprocess.Popen(["nginx", "-e", f"{folder}/error", "-c", conf]) as nginx:
            time.sleep(1)
            alone = _loaded(load, port, rate)
            print(f"not watched: {alone[0] / SECONDS:.0f} requests/s answered, {alone[1]} not")
            _watched(load, port, rate, nginx.pid)
            nginx.terminate()


def _loaded(load: str, port: int, rate: int) -> tuple[int, int]:
    words = [load, str(port), str(rate or 1e9), str(SECONDS)]
    answered, failed = subprocess.run(words, capture_output=True, check=True).stdout.split()
    return int(answered), int(failed)


def _armed(pid: int) -> bool:
    """Whether that process records; a new instance does so, and has no event yet."""
    for folder in Path(place(), "instances").glob(f"fourtuple-{pid}-*-calls"):
        wanted = ("tracing_on", "events/sched/sched_process_exit/enable")
        return all((folder / name).read_text() == "1\n" for name in wanted)
    return False


def _watched(load: str, port: int, rate: int, pid: int) -> None:
    words = [sys.executable, "-m", "fourtuple", "watch", "--json", "--pid", str(pid)]
    with tempfile.TemporaryFile() as output, subprocess.Popen(words, stdout=output) as watch:
        while not _armed(watch.pid):
            time.sleep(0.1)
        answered, failed = _loaded(load, port, rate)
        time.sleep(1)
        watch.send_signal(2)
        began_s = time.monotonic()
        usage = os.wait4(watch.pid, 0)[2]
        late_s = time.monotonic() - began_s
        output.seek(0)
        told = [json.loads(line) for line in output]
    ended = [one for one in told if one["kind"] == "ended"]
    owned = sum(bool(one["server"].get("owners")) for one in ended)
    summary = told[-1]
    print(f"watched: {answered / SECONDS:.0f} requests/s answered, {failed} not")
    print(f"told of {len(ended)} of {answered + failed} connections, {owned} with their owner")
    print(
        f"{summary['events']} events, {summary['lost']} lost; all told of {late_s:.1f} s after the "
        f"end, for {usage.ru_utime:.1f} s of user time"
    )


def frames() -> None:
    """As many small datagrams as one core sends over loopback, for some seconds; each must be taken
    or counted."""
    with tempfile.TemporaryDirectory() as folder, FrameTap() as tap:
        flood = _compiled("flood.c", folder)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unread:
            unread.bind(("127.0.0.1", 0))
            port = unread.getsockname()[1]
            words = [flood, str(port), str(SECONDS)]
            with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as sender:
                kept, taken = Frames(frozenset([port])), 0
                while sender.poll() is None:
                    taken += _taken(tap, kept, port)
                    time.sleep(0.02)
                assert sender.stdout
                sent = int(sender.stdout.read())
        time.sleep(0.1)
        taken += _taken(tap, kept, port)
        print(f"{sent / SECONDS:.0f} sent a second: {sent}")
        print(f"{taken} taken, {tap.dropped()} dropped (of all frames of this machine)")


def _taken(tap: FrameTap, kept: Frames, port: int) -> int:
    """How many frames of that port wait; they are worked through as watch does."""
    ends, count = port.to_bytes(2, "big"), 0
    for block in tap.blocks():
        found = list(frames_of(block))
        kept.add(found)
        count += sum(1 for one in found if one.data[36:38] == ends)
        kept.forget_idle(time.time_ns() - 10**9, frozenset())
    return count


def _compiled(name: str, folder: str) -> str:
    source, program = Path(__file__).resolve().parents[1] / "bench" / name, f"{folder}/program"
    subprocess.run(["cc", "-O2", source, "-o", program], check=True)
    return program


if __name__ == "__main__":
    words = sys.argv[1:] or [""]
    if words[0] == "attribution":
        attribution(int(words[1]) if words[1:] else 1000)
    elif words[0] == "requests":
        requests(int(words[1]) if words[1:] else 10_000)
    elif words[0] == "frames":
        frames()
    else:
        sys.exit(__doc__)
