"""The raw engine: probes sent by ourselves, answers read off a ring, no socket a port.

Here everything that a scan holds is opened, and closed again; `rounds` does the scanning. The
answered kernel knows nothing of us: our own one answers a SYN+ACK by RST (see own_ports).
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager

from fourtuple.errors import N_, CapabilityMissing
from fourtuple.scan.board import Board
from fourtuple.scan.interrupt import Interrupt
from fourtuple.scan.model import BatchSink, ProgressSink, ScanOptions, ScanSummary
from fourtuple.scan.payloads import PAYLOADS
from fourtuple.scan.raw.lanes import plan_lanes
from fourtuple.scan.raw.own_ports import OwnPorts
from fourtuple.scan.raw.receiver import Receiver
from fourtuple.scan.raw.rounds import Rounds, Sinks
from fourtuple.scan.raw.sender import quick_turns
from fourtuple.scan.strategy import PROBES

__all__ = ["prepared", "scan"]

#: how long to wait for a neighbour's link address, each time that it is asked for
_NEIGHBOR_S = 0.3


def scan(
    targets: Sequence[str],
    ports: Sequence[int],
    options: ScanOptions,
    on_batch: BatchSink,
    on_progress: ProgressSink,
    done: bytes = b"",
) -> ScanSummary:
    """Scan every port of every target (addresses as text) by one raw method.

    `done` has a byte a cell (`model.Batch`), other than 0 where no scan is needed any more. Ctrl-C
    ends the scan early; what is known then has been told. CapabilityMissing where the machine does
    not give us raw sockets.
    """
    with prepared(targets, ports, options, on_batch, on_progress, done) as rounds:
        return rounds.carry_out()


@contextmanager
def prepared(
    targets: Sequence[str],
    ports: Sequence[int],
    options: ScanOptions,
    on_batch: BatchSink,
    on_progress: ProgressSink,
    done: bytes = b"",
) -> Iterator[Rounds]:
    """What `scan` is about to carry out. At the end of the block its sockets are closed; for each
    of them the kernel waits some 10 ms until no processor uses it any more."""
    udp = options.method == "udp"
    payloads = {port: PAYLOADS[port] for port in ports if udp and port in PAYLOADS}
    wait_s = min(_NEIGHBOR_S, options.timeout_s)
    with ExitStack() as held:
        stop = held.enter_context(Interrupt())
        held.enter_context(quick_turns())
        own = held.enter_context(OwnPorts(options.method))
        try:
            receiver = held.enter_context(closing(Receiver(17 if udp else 6, own.ports)))
        except PermissionError as error:
            raise _missing(options.method) from error
        board = Board(options, targets, ports, own.ports, done)
        lanes = plan_lanes(targets, PROBES[options.method], payloads, wait_s, options.recorded)
        plan = held.enter_context(closing(lanes))
        yield Rounds(board, plan, receiver, options, Sinks(on_batch, on_progress, stop))


def _missing(method: str) -> CapabilityMissing:
    return CapabilityMissing(
        N_("{method} needs raw sockets, and this process may not open them (CAP_NET_RAW)"),
        N_(
            "Use --method connect, which needs no privilege; or run as root; or scan from a host of"
            " the lab, where an ordinary user may."
        ),
        {"method": method},
    )
