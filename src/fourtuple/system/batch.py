"""Many packets in one system call: sendmmsg(2), over memory that the caller laid out."""

import ctypes
import errno
import os
import select
import socket
from functools import cache

__all__ = ["IOVEC_WORDS", "MMSGHDR_WORDS", "raw_ip_socket", "send_messages", "sending_socket"]

#: struct iovec and struct mmsghdr as 64-bit words: (base, length); (name, name length, iov,
#: iov count, control, control length, flags, sent length)
IOVEC_WORDS = 2
MMSGHDR_WORDS = 8
_SOL_PACKET = 263
_PACKET_QDISC_BYPASS = 20
#: a full queue of the device: it empties by itself
_BUSY = frozenset((errno.EAGAIN, errno.ENOBUFS))


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def sending_socket(interface: str, recorded: bool) -> socket.socket:
    """For whole frames into one interface. Receives nothing.

    They go past the interface's queueing discipline, and thereby past whoever records its frames
    (dev_direct_xmit), unless they are to be `recorded`.
    """
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    made.setsockopt(_SOL_PACKET, _PACKET_QDISC_BYPASS, int(not recorded))
    made.bind((interface, 0))
    return made


def raw_ip_socket(family: int) -> socket.socket:
    """For whole IP packets that the kernel routes: to itself, or over a link without Ethernet."""
    return socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)


def send_messages(descriptor: int, headers: int, count: int) -> int:
    """Send `count` messages whose mmsghdr structures lie at address `headers`, in order.

    A message that the kernel refuses (a filter here forbids it, a route is gone) is passed over.
    Returns how many were sent.
    """
    done = sent = 0
    while done < count:
        at = ctypes.c_void_p(headers + done * MMSGHDR_WORDS * 8)
        status = _libc().sendmmsg(descriptor, at, count - done, 0)
        if status > 0:
            done += status
            sent += status
            continue
        number = ctypes.get_errno()
        if number in _BUSY:
            select.select([], [descriptor], [], 0.001)
        elif number in (errno.EPERM, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EINVAL):
            done += 1
        elif number != errno.EINTR:
            raise OSError(number, f"sendmmsg: {os.strerror(number)}")
    return sent
