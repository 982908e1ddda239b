"""What the director asks of the wire: MessagePack, one order a message, one answer each.

Only data: what an order means is decided in the wire's process (lab.wire.actions,
lab.wire.carrier).
"""

import msgspec

from fourtuple.lab.wire.header_fields import Changes
from fourtuple.lab.wire.select import Selector

__all__ = [
    "Absent",
    "Action",
    "Coalesce",
    "Corrupt",
    "Delay",
    "Drop",
    "Duplicate",
    "Hold",
    "Inject",
    "Injected",
    "Install",
    "Limit",
    "Mtu",
    "Order",
    "Release",
    "Reorder",
    "Report",
    "Rewrite",
    "Status",
    "StopRule",
    "StopWire",
    "Watch",
    "WireStatus",
]

# what a rule does with a frame that it is about


class Watch(msgspec.Struct, frozen=True, tag="watch"):
    """Count it, and let it go on."""


class Drop(msgspec.Struct, frozen=True, tag="drop"):
    """It goes no further."""


class Hold(msgspec.Struct, frozen=True, tag="hold"):
    """Keep it until the rule is released, or a frame of `until` has passed."""

    until: Selector | None = None


class Delay(msgspec.Struct, frozen=True, tag="delay"):
    """It goes on so long after it entered."""

    seconds: float


class Duplicate(msgspec.Struct, frozen=True, tag="duplicate"):
    """It goes on, and so many copies of it."""

    times: int


class Reorder(msgspec.Struct, frozen=True, tag="reorder"):
    """It goes on when so many later frames of its sender have."""

    behind: int


class Corrupt(msgspec.Struct, frozen=True, tag="corrupt"):
    """One bit of it is turned over: of byte `offset`, counted from the transport header's first;
    None: of its last byte."""

    offset: int | None = None


class Rewrite(msgspec.Struct, frozen=True, tag="rewrite"):
    """Other values in some fields (lab.wire.header_fields)."""

    changes: Changes
    checksums: bool = True


class Limit(msgspec.Struct, frozen=True, tag="limit"):
    """A queue for each sender, emptied at that rate; what finds it full is dropped."""

    bytes_per_s: float
    queue_bytes: int


class Mtu(msgspec.Struct, frozen=True, tag="mtu"):
    """Larger packets do not pass: cut into fragments where they allow it, else dropped, and (with
    `icmp`) their sender told."""

    size: int
    icmp: bool = True


class Coalesce(msgspec.Struct, frozen=True, tag="coalesce"):
    """The receiver's network card waits for so many of them, or so long, before it hands them to
    its kernel together."""

    frames: int
    seconds: float


class Absent(msgspec.Struct, frozen=True, tag="absent"):
    """Nobody has this address, but a link-layer address is found for it."""

    address: str


class Inject(msgspec.Struct, frozen=True, tag="inject"):
    """It goes on, and then a frame that no host has sent goes to `to`: these bytes, or the frame
    itself where there are none, with changes. `cable` names one of several to that host."""

    to: str
    frame: bytes
    changes: Changes
    cable: str = ""


Action = (
    Watch | Drop | Hold | Delay | Duplicate | Reorder | Corrupt | Rewrite | Limit | Mtu | Absent
    | Inject | Coalesce
)  # fmt: skip

# orders


class Install(msgspec.Struct, frozen=True, tag="install"):
    """A new rule, behind all others. The answer is its number."""

    selector: Selector
    action: Action


class Release(msgspec.Struct, frozen=True, tag="release"):
    """What the rule holds goes on."""

    rule: int


class StopRule(msgspec.Struct, frozen=True, tag="stop-rule"):
    """The rule is about no frame any more, and what it holds goes on."""

    rule: int


class Injected(msgspec.Struct, frozen=True, tag="inject-now"):
    """Give a frame to a host now. The answer is its number."""

    inject: Inject


class Status(msgspec.Struct, frozen=True, tag="status"):
    """The answer is a WireStatus; it comes when no frame waits to be carried."""


class StopWire(msgspec.Struct, frozen=True, tag="stop-wire"):
    """The end."""


Order = Install | Release | StopRule | Injected | Status | StopWire

# answers


class Report(msgspec.Struct, frozen=True):
    """Of a rule: the frames that it met, and how many of them it keeps back."""

    frames: tuple[int, ...]
    held: int


class WireStatus(msgspec.Struct, frozen=True):
    """`frames` have entered so far, `lost` for want of buffer since the last time; `under_way` will
    be delivered when their time comes. `error` is a message id, and `params`, of what an order or
    rule could not do; "" where all is well."""

    frames: int
    lost: int
    under_way: int
    rules: tuple[Report, ...]
    error: str = ""
    params: dict[str, str | int | float] = {}
