"""RSTs of a host that was watched from within: what calls and socket tables prove.

A capture has neither, and every rule here says None then. Rules: a table is that of the last look
before the RST; a call counts once it has begun. What a program's end closes is no call.
"""

from fourtuple.analyze.resets.scene import UNKNOWN, Cause, Scene
from fourtuple.event.model import Call

__all__ = [
    "asking",
    "by_calls",
    "by_timer",
    "forgotten",
    "let_in",
    "linger_set",
    "nobody_waits",
    "of_handshake",
    "of_refusal",
]

#: states that a program's socket has: without an owner it has not been accepted
_WITH_OWNER = frozenset(("ESTABLISHED", "CLOSE_WAIT"))


def by_calls(scene: Scene) -> Cause | None:
    """Why an end gave its connection up, as its program's calls and its rows tell."""
    if not scene.recorded:
        return None
    return (
        _disconnected(scene)
        or _unread(scene)
        or _lingered(scene)
        or _queued(scene)
        or _from_outside(scene)
    )


def _disconnected(scene: Scene) -> Cause | None:
    """connect() to AF_UNSPEC: net/ipv4/tcp.c, tcp_disconnect. The socket lives on, and may have
    been disconnected from another peer before."""
    call = scene.end.called(("connect",), scene.rst.t_ns)
    if call is None or call.args != ("AF_UNSPEC",) or call.t_ns < scene.connection.start_ns:
        return None
    return "disconnected", "certain", ()


def _unread(scene: Scene) -> Cause | None:
    """Linux: net/ipv4/tcp.c, __tcp_close, data_was_unread."""
    frames = _held(scene)
    if not frames or not scene.end.called(("close",), scene.rst.t_ns):
        return None
    return "unread-data", "certain", frames


def _held(scene: Scene) -> tuple[int, ...]:
    """The frames whose bytes may be those that the table still counted as unread; none: it counted
    none. A FIN that was received counts one there."""
    row = scene.end.before(scene.rst.t_ns)
    held = row is not None and row.recv_q > int(row.state == "CLOSE_WAIT")
    if not held or not scene.side.data:
        return ()
    frames = tuple(s.frame for s in scene.side.waiting)
    return frames or (max(s.frame for s in scene.side.data.values()),)


def _lingered(scene: Scene) -> Cause | None:
    """SO_LINGER with time 0, then close(): net/ipv4/tcp.c, __tcp_close."""
    end, t_ns = scene.end, scene.rst.t_ns
    closed = end.called(("close",), t_ns)
    asked = [call for call in end.calls if call.t_ns < t_ns and _asks_for_none(call)]
    if closed is None or not asked:
        return None
    return "linger-zero", "certain", ()


def _asks_for_none(call: Call) -> bool:
    return call.name == "setsockopt" and call.args[1:] == ("SO_LINGER", "0 s")


def _queued(scene: Scene) -> Cause | None:
    """A connection that nobody had accepted ends with its listener: net/ipv4/
    inet_connection_sock.c, inet_csk_listen_stop. Another may listen there soon."""
    end, rst = scene.end, scene.rst
    row = end.before(rst.t_ns)
    if rst.from_client or row is None or row.inode:
        return None
    listener, other = end.listener(rst.t_ns), end.listener(rst.t_ns, later=True)
    if listener is None:  # the last look may have been when it was gone already
        gone = end.looked(rst.t_ns) and row.state in _WITH_OWNER
    else:
        same = other is not None and other.cookie == listener.cookie
        gone = end.looked(rst.t_ns, later=True) and not same
    return ("listener-closed", "certain", ()) if gone else None


def _from_outside(scene: Scene) -> Cause | None:
    """Nobody had closed the socket, and its program met what became of it: tcp_abort(), an
    administrator's way, leaves ECONNABORTED, and connect() to AF_UNSPEC leaves nothing."""
    end, t_ns = scene.end, scene.rst.t_ns
    if not end.calls or end.called(("close", "shutdown"), t_ns):
        return None
    met = [call for call in end.calls if call.end_ns is None or call.end_ns >= t_ns]
    if any(call.errno == "ECONNABORTED" for call in met):
        return "destroyed", "certain", ()
    if any(call.t_ns > t_ns for call in met):
        return UNKNOWN  # the program still held the socket, so it did not end it by closing
    if frames := _held(scene):
        return "unread-data", "likely", frames  # as when a program ends, or is killed
    return None if scene.side.waiting or linger_set(scene) else UNKNOWN


def linger_set(scene: Scene) -> bool:
    """Whether the program had set a linger time of 0 on any socket: a listener's is inherited."""
    programs = {(call.host, call.pid) for call in scene.end.calls}
    calls = (call for call in scene.timeline.of(Call) if (call.host, call.pid) in programs)
    return any(_asks_for_none(call) for call in calls)


def nobody_waits(scene: Scene) -> bool:
    """Whether TCP_LINGER2 below 0 says that nobody waits in FIN_WAIT2: the connection ends with an
    RST once the FIN was confirmed (net/ipv4/tcp.c, __tcp_close; tcp_rcv_state_process)."""
    end, t_ns = scene.end, scene.rst.t_ns
    if scene.side.fin is None or scene.answered_data or not end.called(("close",), t_ns):
        return False
    asked = [call.args[2:] for call in end.calls if call.args[1:2] == ("TCP_LINGER2",)]
    return any(isinstance(value, int) and value < 0 for value in (asked[-1] if asked else ()))


def by_timer(scene: Scene) -> str | None:
    """Which timer had run out: where a program's calls are known, so are the times it set."""
    if not scene.end.calls or scene.end.called(("close",), scene.rst.t_ns):
        return None
    times = [call.args[2:] for call in scene.end.calls if call.args[1:2] == ("TCP_USER_TIMEOUT",)]
    return "user-timeout" if times and times[-1] != (0,) else "keepalive-timeout"


def let_in(scene: Scene) -> bool:
    """Whether the third step had given the sender a socket: then what it answers came later,
    however soon after it."""
    confirmed, t_ns = scene.side.confirmed, scene.rst.t_ns
    return confirmed is not None and any(
        row.state in _WITH_OWNER and confirmed.left_ns <= look.t_ns <= t_ns
        for look, row in scene.end.rows
    )


def of_handshake(scene: Scene) -> Cause | None:
    """Why a handshake was broken off at its last step: the listener's row just before."""
    if not scene.recorded or scene.side.confirmed is None:
        return None
    row = scene.end.listener(scene.rst.t_ns)
    frames = (scene.side.confirmed.frame,)
    if row is None:
        return "listener-closed", "certain", frames
    return ("backlog-overflow", "certain", frames) if row.recv_q > row.send_q else None


def of_refusal(scene: Scene) -> tuple[str, str] | None:
    """Why a port refused: without a listener it is closed, with one it was not its kernel."""
    end, t_ns = scene.end, scene.rst.t_ns
    # on a host where no program had called anything the first look is the one after the SYN
    later = not end.looked(t_ns)
    if not scene.recorded or not end.looked(t_ns, later=later):
        return None
    row = end.listener(t_ns, later=later)
    if row is None:
        return "port-closed", "certain"
    # a program that ends takes its listener along, unseen until the next look
    gone = end.looked(t_ns, later=True) and end.listener(t_ns, later=True) is None
    # one on :: may be for IPv6 alone (IPV6_V6ONLY), which the table does not tell
    apart = row.local.address == "::" and "." in end.local.address
    return None if gone or apart else ("firewall", "certain")


def asking(scene: Scene) -> bool:
    """Whether the sender's kernel still knew of its SYN, and waited for the answer to it."""
    row = scene.end.seen(scene.rst.t_ns) if scene.recorded else None
    return row is not None and row.state == "SYN_SENT"


def forgotten(scene: Scene) -> bool:
    """Whether the sender's host had no socket for the connection when the segment came."""
    end, t_ns = scene.end, scene.rst.t_ns
    return scene.recorded and end.looked(t_ns) and end.seen(t_ns) is None
