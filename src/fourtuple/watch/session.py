"""Watching by the kernel's trace: everything is armed, then the command may run.

What was recorded is taken from the kernel by a process of its own and worked through when there is
time, so that a burst costs memory and not evidence. Both sides of a connection on this machine are
followed: beside what was asked for, the processes that listen here when it begins.
"""

import os
import select
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from fourtuple.errors import N_
from fourtuple.event.model import Note
from fourtuple.event.timeline import Timeline
from fourtuple.source.trace.feed import Feed
from fourtuple.source.trace.join import Joiner
from fourtuple.source.trace.keeper import KEPT_BYTES
from fourtuple.source.trace.sockets import Changed, Sock, call_event, events_of
from fourtuple.system.packet import WallClock
from fourtuple.system.sock_diag import DiagSocket, SockDiag
from fourtuple.system.tapping import FrameTap, frames_of
from fourtuple.system.tracefs import ending_in_order
from fourtuple.watch import looking
from fourtuple.watch.command import Command
from fourtuple.watch.frames import Frames
from fourtuple.watch.manners import Asked, Modest
from fourtuple.watch.pairs import News, Pair, Pairs
from fourtuple.watch.record import recorded, timeline_of
from fourtuple.watch.spool import Spool
from fourtuple.watch.wish import Wish

__all__ = ["Session"]

LACKING = N_("this kernel's trace does not have {events}: what they would tell is missing")
LOST_EVENTS = N_("{count} events of the kernel's trace found no room: calls or states are missing")
LOST_FRAMES = N_("{count} frames were lost to the recording: there were too many at once")
LEFT_OUT_CALLS = N_("{count} calls were left out: more than can be kept")
HANDED = N_(
    "connections that were passed on to a process that is not followed: {count}; its calls on them "
    "are missing"
)
URING = N_("a program uses io_uring: what it does through that is no system call, and is not seen")
STEPPED = N_("the wall clock stepped: times of frames before and after do not fit together")
DAMAGED = N_("{count} pages of the kernel's trace made no sense")
LATE = N_(
    "More happens than can be worked through at once: what is told is late, now by {seconds} s. "
    "It is kept until then."
)
TO_DO = N_(
    "Recording has ended; what the last {seconds} s of it say is still to be told. Ctrl-C leaves "
    "that out."
)
LEFT = N_("the last {seconds} s of what was recorded were left out: the end was asked for twice")

_WAIT_MS, _PAUSE_S = 100, 0.02
#: after what was watched has ended, so long for last segments, and for the other ends to follow
_LINGER_S, _MOST_LINGER_S = 0.15, 2.0
#: work for so long, then look again whether it is enough
_WORK_S = 0.05
#: frames that wait until the events of their time are worked through
_MOST_WAITING_BYTES = 512 << 20
#: a descriptor is what it was so short a time ago
_FRESH_NS = 100_000_000
_FOREVER_NS = 1 << 62
#: who is so late should know
_LATE_NS = 1_000_000_000
#: connections that are over, and of which a program may still call something
_MOST_OVER = 1000
#: frames of what nobody watches are kept for as long as a trace may take to tell whose they are
_IDLE_NS = 3_000_000_000


@dataclass
class Session:
    """`run()` watches until the end, and gives `tell` the news in order.

    `events` counts what the trace recorded, `lost` what it had no room for; `frames_lost` likewise.
    `status` is the command's exit status. `remark` is called with a message about the watching
    itself where it is late.
    """

    wish: Wish
    tell: Callable[[News], None]
    remark: Callable[[str, Mapping[str, object]], None] = lambda message, params: None
    events: int = 0
    lost: int = 0
    frames_seen: int = 0
    frames_lost: int = 0
    connections: int = 0
    status: int | None = None
    _over: dict[Pair, None] = field(default_factory=dict)
    _listeners: dict[Sock, None] = field(default_factory=dict)
    _blocks: deque[tuple[int, list[bytes]]] = field(default_factory=deque)
    _blocks_bytes: int = 0
    _blocks_ns: int = 0
    _handed: int = 0
    _stepped: bool = False
    _asked: Asked = field(default_factory=Asked)
    _modest: Modest = field(default_factory=Modest)
    _late: bool = False
    _left_ns: int = 0

    def __post_init__(self) -> None:
        wish = self.wish
        self.clock = WallClock()
        self._diag = SockDiag()
        self.frames = Frames(frozenset([wish.port]) if wish.port else frozenset())
        self._netns = looking.namespace_of(os.getpid())
        self.joiner = Joiner(
            looking.process_of,
            looking.namespace_of,
            source_of=looking.source_of,
            ends_of=looking.udp_ends,
            all_watched=wish.everything,
            all_matter=wish.port is not None,
        )
        self._spool = Spool(wish.keep) if wish.keep else None
        self.pairs = Pairs(self.wish.wants, self.wish.wants_listener, self._forget)

    def run(self) -> None:
        """Watch. CapabilityMissing where the trace may not be read, UsageError where there is
        nothing of that kind to watch."""
        with ending_in_order(), ExitStack() as stack:
            command = Command(self.wish.command, self.wish.output) if self.wish.command else None
            if command is not None:
                stack.callback(command.end)
            rows = looking.socket_rows()
            roots = [command.pid] if command else self.wish.family()
            self._feed = stack.enter_context(self._armed(roots, rows))
            self._tap = stack.enter_context(FrameTap()) if self.wish.frames else None
            with self._asked:
                self._feed.start()
                if command is not None:
                    command.go()
                with self._modest:
                    self._watch(roots, command)
                    self._finish()
            self.status = command.reap() if command else None

    def _armed(self, roots: Sequence[int], rows: list[DiagSocket]) -> Feed:
        """The feed, not started, and the joiner told of all that is there already."""
        everybody = self.wish.everything or self.wish.port is not None
        peers = looking.listening_processes(rows) | looking.receiving_processes()
        peers -= {*roots, os.getpid()}
        if self.wish.port is not None:
            peers |= looking.holders_of_port(rows, self.wish.port) - {os.getpid()}
        known = looking.known_sockets([*roots, *peers], rows)
        for pid in (*roots, *peers):
            command = looking.command_of(pid)
            self.joiner.adopt(pid, command, known.get(pid, {}), watched=pid in roots)
        threads = None if everybody else looking.threads_of([*roots, *peers])
        ignored = looking.threads_of([os.getpid()]) if everybody else ()
        shown = bool(self.wish.keep or self.wish.draw)
        return Feed(threads, ignored, self.wish.buffer_kb, self.wish.port, all_calls=shown)

    def _watch(self, roots: Sequence[int], command: Command | None) -> None:
        began_s = time.monotonic()
        self._poll = select.poll()
        self._poll.register(self._feed, select.POLLIN)
        while not self._enough(began_s, roots, command):
            self._step()
        limited = self.wish.enough(time.monotonic() - began_s, self.connections)
        self._linger(_LINGER_S if limited or self._asked.times else _MOST_LINGER_S)

    def _linger(self, most_s: float) -> None:
        """Last segments follow, and the other ends of connections whose process has ended."""
        began_s = time.monotonic()
        while (waited_s := time.monotonic() - began_s) < most_s:
            if waited_s > _LINGER_S and not self._feed.behind_bytes and not self._ending():
                return
            time.sleep(_PAUSE_S)
            self._step()

    def _step(self) -> None:
        """Have what there is, and work for a moment."""
        if not self._feed.behind_bytes:
            self._poll.poll(_WAIT_MS)
        self._take_frames()
        self._work(_WORK_S)
        if self._feed.behind_bytes > KEPT_BYTES // 2:
            self._modest.hurry()
        if self._feed.behind_ns > _LATE_NS and not self._late:
            self._late = True
            self.remark(LATE, self._seconds_late())

    def _seconds_late(self) -> dict[str, object]:
        return {"seconds": round(self._feed.behind_ns / 1e9, 1)}

    def _ending(self) -> bool:
        """Whether a connection has ended at one side, and may soon at the other."""
        return any(
            any(sock.ended_ns for sock in pair.socks)
            and not any(sock.elsewhere for sock in pair.socks)
            for pair in self.pairs
            if not pair.over and self.wish.wants(pair)
        )

    def _enough(self, began_s: float, roots: Sequence[int], command: Command | None) -> bool:
        if self._asked.times or self.wish.enough(time.monotonic() - began_s, self.connections):
            return True
        if command is not None:
            return command.reap() is not None
        return bool(roots) and not any(os.path.isdir(f"/proc/{pid}") for pid in roots)

    def _take_frames(self) -> None:
        """Have the frames that the kernel has recorded; where too many of them wait already, let
        the kernel keep and count them."""
        self._stepped |= bool(self.clock.sample())
        if self._tap is None or self._blocks_bytes > _MOST_WAITING_BYTES:
            return
        blocks = list(self._tap.blocks())
        self._blocks.append((self._blocks_ns, blocks))
        self._blocks_bytes += sum(map(len, blocks))
        self._blocks_ns = time.monotonic_ns()

    def _sort_frames(self, until_ns: int) -> None:
        """Work through the frames up to a time."""
        while self._blocks and self._blocks[0][0] <= until_ns:
            _, blocks = self._blocks.popleft()
            for block in blocks:
                self._blocks_bytes -= len(block)
                found = list(frames_of(block))
                self.frames_seen += len(found)
                self.frames.add(found)

    def _work(self, limit_s: float) -> None:
        """Work through what was recorded, for so long."""
        began_s = time.monotonic()
        while time.monotonic() - began_s <= limit_s:
            batch = self._feed.drain()
            if batch is None:
                return
            self._sort_frames(batch.until_ns)
            records = self._feed.records(batch)
            self.events += len(records)
            self.joiner.take(records)
            self._tell_news(batch.until_ns)

    def _tell_news(self, until_ns: int) -> None:
        for news in self.pairs.update(self.joiner.fresh()):
            self._tell(news)
        for news in self.pairs.settled(until_ns):
            self.connections += 1
            self._tell(news)
            self._ended(news)
        self._keep_what_is_over()
        if self.wish.frames and not self._blocks:
            wanted = frozenset(pair.key for pair in (*self.pairs, *self._over))
            self.frames.forget_idle(time.time_ns() - _IDLE_NS, wanted)

    def _tell(self, news: News) -> None:
        fresh = self._feed.behind_ns < _FRESH_NS  # else the descriptor may be another socket by now
        for sock in news.pair.socks if news.pair and fresh else ():
            if not sock.inode and sock.owner and sock.open_at > 0:
                sock.inode = looking.inode_behind(sock.owner.pid, sock.owner.fd)
        if news.what == "ended" and news.pair and self.wish.frames:
            self._look_for_time_wait(news.pair)
        self.tell(news)

    def _ended(self, news: News) -> None:
        assert news.pair is not None
        self._handed += any(sock.elsewhere for sock in news.pair.socks)
        if self._spool is None:
            self._forget(news.pair)
        else:
            self._over[news.pair] = None

    def _keep_what_is_over(self) -> None:
        """Write what will not change any more: connections whose descriptors are closed, those that
        ended first where there are many, and frames where they take too much room."""
        if self._spool is None:
            return
        too_many = len(self._over) - _MOST_OVER
        closed = [pair for place, pair in enumerate(self._over)
                  if place < too_many or all(sock.open_at <= 0 for sock in pair.socks)]  # fmt: skip
        for pair in closed:
            self._keep(pair, self._spool)
            del self._over[pair]
        if self.frames.many and not self.wish.draw:
            for pair in self.pairs:
                self._keep_frames(pair, self._spool)

    def _keep(self, pair: Pair, spool: Spool) -> None:
        for sock in pair.socks:
            spool.add_events(events_of(sock))
            if sock.listener is not None:
                self._listeners[sock.listener] = None
        self._keep_frames(pair, spool)
        self._forget(pair)

    def _keep_frames(self, pair: Pair, spool: Spool) -> None:
        if pair.seen_from(self._netns):
            spool.add_frames(self.frames.of(pair.key), self.clock)
            self.frames.forget([pair.key])

    def _forget(self, pair: Pair) -> None:
        """Nobody will ask for it again."""
        self.frames.forget([pair.key])
        for sock in pair.socks:
            self.joiner.network.forget(sock)

    def _look_for_time_wait(self, pair: Pair) -> None:
        """To the trace a socket is closed when a small one in TIME_WAIT takes its place: only the
        socket table has that."""
        for sock in pair.socks:
            if sock.first_end == "own" and sock.local and sock.changes:
                found = self.queues(sock)
                if found is not None and found[0] == "TIME_WAIT":
                    sock.changes.append(
                        Changed(sock.ended_ns, sock.changes[-1].old, "TIME_WAIT", None, "sock_diag")
                    )

    def _finish(self) -> None:
        """The last of all, then those that are still open."""
        self._feed.stop()
        self._modest.hurry()
        self._take_frames()
        self.frames_lost = self._tap.dropped() if self._tap else 0
        self._work_off()
        self._sort_frames(_FOREVER_NS)
        self.joiner.finish()
        self._tell_news(_FOREVER_NS)
        self.lost = self._feed.lost()
        now_ns = time.monotonic_ns()
        for pair in self.pairs:
            if self.wish.wants(pair):
                self._over[pair] = None
                self._handed += self._found_elsewhere(pair)
                self._tell(News(now_ns, "open", pair))

    def _work_off(self) -> None:
        """All that was recorded, unless the end is asked for again."""
        if self._feed.behind_ns > _LATE_NS:
            self.remark(TO_DO, self._seconds_late())
        while not self._feed.over:
            if self._asked.times > 1 and self._feed.behind_bytes:
                self._left_ns = self._feed.behind_ns
                return
            self._poll.poll(_WAIT_MS)
            self._work(_WORK_S)

    def _found_elsewhere(self, pair: Pair) -> bool:
        """Whether a process that nobody follows has a socket of it; who that is, the kernel's
        table of descriptors tells."""
        socks = [sock for sock in pair.socks if sock.elsewhere]
        for sock in socks:
            row = looking.row_of(self._diag, sock) if sock.netns in (0, self._netns) else None
            sock.inode = sock.inode or (row.inode if row else 0)
        holders = looking.holders_of([sock.inode for sock in socks if sock.inode])
        for sock in socks:
            for holder in holders.get(sock.inode, ()):
                sock.held_by(holder, watched=False)
        return bool(socks)

    def queues(self, sock: Sock) -> tuple[str, int, int] | None:
        """State, what is unread, and what is not acknowledged, of a socket as it is now; None where
        it is gone, or in another network namespace."""
        if sock.netns not in (0, self._netns):
            return None
        return looking.queues_of(self._diag, sock)

    def figures(self) -> dict[str, int]:
        """How much was recorded, and how much was lost."""
        return {
            "events": self.events,
            "lost": self.lost,
            "frames": self.frames_seen,
            "frames_lost": self.frames_lost + self.frames.left_out,
        }

    def notes(self) -> list[Note]:
        """What is missing from what was seen, as far as is known."""
        counted = (
            (LOST_EVENTS, self.lost),
            (LOST_FRAMES, self.frames_lost + self.frames.left_out),
            (LEFT_OUT_CALLS, self.joiner.left_out if self.wish.keep or self.wish.draw else 0),
            (HANDED, self._handed),
            (DAMAGED, self._feed.damaged),
        )
        said: list[tuple[str, dict[str, object]]] = [
            (message, {"count": count}) for message, count in counted if count
        ]
        if self._feed.lacking:
            said.append((LACKING, {"events": ", ".join(self._feed.lacking)}))
        if self.joiner.uring:
            said.append((URING, {}))
        if self._stepped:
            said.append((STEPPED, {}))
        if self._left_ns:
            said.append((LEFT, {"seconds": round(self._left_ns / 1e9, 1)}))
        t_ns = time.monotonic_ns()
        return [Note(t_ns=t_ns, kind="degraded", message=m, params=p) for m, p in said]

    def timeline(self, pair: Pair) -> Timeline:
        """What was seen of a connection; of one that is kept on disk already, nothing."""
        frames = self.frames.of(pair.key) if pair.seen_from(self._netns) else ()
        return timeline_of(self.wish.title, pair, frames, self.clock)

    def recording(self) -> Timeline:
        """All that was kept, once watching is over; its frames and events stay on disk."""
        assert self._spool is not None
        for pair in self._over:
            self._keep(pair, self._spool)
        self._over.clear()
        for listener in self._listeners:
            self._spool.add_events(events_of(listener))
        self._spool.add_events(map(call_event, self.joiner.unjoined))
        self._spool.add_events(self.notes())
        timeline = recorded(self.wish.title, self._spool, self.clock)
        self._spool.close()
        return timeline
