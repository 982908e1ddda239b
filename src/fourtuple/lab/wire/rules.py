"""The rules of the wire: what a script asks of it, as `lab.wire`.

    from fourtuple.lab.wire.select import data, fin, pure_ack, segment, syn

    lost = lab.wire.drop(data.sent_by(client).nth(2))        # exactly that one
    late = lab.wire.hold(fin.sent_by(client).first())        # until late.release()
    lab.wire.hold(data.first(), until=pure_ack.to(client))   # until such a frame has passed
    lab.wire.delay(segment.to(client), 0.2)                  # the others are not held up
    lab.wire.duplicate(syn.first(), times=1)
    lab.wire.reorder(data.nth(1), behind=2)                  # after two later ones of its sender
    lab.wire.corrupt(data.first())                           # the receiver's kernel discards it
    lab.wire.rewrite(syn, mss=536)                           # checksums are made right again
    lab.wire.limit(segment.sent_by(client), bytes_per_s=100_000, queue_bytes=3000)
    lab.wire.mtu(client, 1000, icmp=False)                   # a path MTU black hole
    lab.wire.coalesce(data.to(server), frames=3)             # as its network card may (GRO)
    lab.wire.cut(server); lab.wire.restore()
    lab.wire.absent("10.77.0.9")                             # a host that is away
    lab.wire.inject(like=reset, seq=5)                       # now, and ...
    lab.wire.inject_after(data.first(), to=client, flags="RST")
    lab.wire.watch(fin.sent_by(server)).wait()               # changes nothing, counts

A rule holds from the moment when its call has returned. Rules work in the order in which they were
made: each sees what the ones before it let go on, as those left it, and what one keeps back goes on
to those behind it. Frames that the wire makes itself meet no rule.

Each call gives a `Rule`: `count` and `frames` of what it met, `release()`, `stop()`, `wait()`. A
rule that never met a frame fails the experiment at its end, unless it is `optional`.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from fourtuple.errors import N_, RuleFailed, UsageError
from fourtuple.lab.log import FrameEntered
from fourtuple.lab.wire import orders
from fourtuple.lab.wire.forging import ROUTER_MAC
from fourtuple.lab.wire.header_fields import changes_of
from fourtuple.lab.wire.orders import Report
from fourtuple.lab.wire.rule import Rule
from fourtuple.lab.wire.select import (
    Named,
    Selector,
    any_frame,
    hosts_named,
    name_of,
    packet,
    written_values,
)
from fourtuple.wire import Ethernet, Value, frame, ip_bytes

if TYPE_CHECKING:
    from fourtuple.lab.network import Network

__all__ = ["Rule", "Wire"]

#: IPv4's smallest MTU (RFC 791, section 3.2): a header of 60 bytes and 8 of data
_SMALLEST_MTU = 68

NEVER_MET = N_("A rule of the wire never met a frame: {rule}")
NO_SELECTOR = N_(
    "{method}() takes a selector, as data.sent_by(client).first() is one; {given} is none."
)
TOO_SMALL = N_("{method}({name}={value}): it takes a number from {least} on.")
NO_ADDRESS = N_("{address} is no address.")
NOTHING_TO_INJECT = N_("inject() takes a frame, or one like which it is to be (like=).")
NOBODYS = N_("Frame {frame} did not enter the wire from a host: say where to (to=).")


class Wire:
    """The wire of a lab, in a script's hands. Each method makes a rule; see the module."""

    def __init__(self, network: "Network", recorded: Callable[[int], FrameEntered]) -> None:
        self._network = network
        self._recorded = recorded
        self._rules: list[Rule] = []
        self._cuts: list[Rule] = []

    # rules

    def watch(self, selector: Selector, *, optional: bool = False) -> Rule:
        """Only count them."""
        return self._rule("watch", selector, orders.Watch(), {}, optional)

    def drop(self, selector: Selector, *, optional: bool = False) -> Rule:
        """They go no further."""
        return self._rule("drop", selector, orders.Drop(), {}, optional)

    def hold(
        self, selector: Selector, *, until: Selector | None = None, optional: bool = False
    ) -> Rule:
        """They are kept until the rule is released, or a frame of `until` has passed."""
        shown = {} if until is None else {"until": _Written(until)}
        if until is not None:
            _check_selector("hold", until)
            for name in hosts_named(until):
                self._network.known(name)
        return self._rule("hold", selector, orders.Hold(until), shown, optional)

    def delay(self, selector: Selector, seconds: float, *, optional: bool = False) -> Rule:
        """They go on so long after they entered. None of them overtakes another."""
        _at_least("delay", 0, seconds=seconds)
        delay = orders.Delay(float(seconds))
        return self._rule("delay", selector, delay, {"seconds": seconds}, optional)

    def duplicate(self, selector: Selector, times: int = 1, *, optional: bool = False) -> Rule:
        """So many copies follow each."""
        _at_least("duplicate", 1, times=times)
        return self._rule(
            "duplicate", selector, orders.Duplicate(times), {"times": times}, optional
        )

    def reorder(self, selector: Selector, behind: int = 1, *, optional: bool = False) -> Rule:
        """They go on when so many later frames of the same sender have."""
        _at_least("reorder", 1, behind=behind)
        return self._rule("reorder", selector, orders.Reorder(behind), {"behind": behind}, optional)

    def corrupt(
        self, selector: Selector, offset: int | None = None, *, optional: bool = False
    ) -> Rule:
        """One bit of each is turned over, and no checksum put right: the lowest of byte `offset`,
        counted from the first byte of its TCP, UDP or ICMP header, else of its last byte. A frame
        that has no such byte ends the run."""
        shown = {} if offset is None else {"offset": offset}
        if offset is not None:
            _at_least("corrupt", 0, offset=offset)
        return self._rule("corrupt", selector, orders.Corrupt(offset), shown, optional)

    def rewrite(
        self,
        selector: Selector,
        *,
        checksums: bool = True,
        optional: bool = False,
        **changes: Any,
    ) -> Rule:
        """Fields get other values (their names: lab.wire.header_fields); lengths and, unless
        `checksums` is False, checksums are made right."""
        shown = changes if checksums else {**changes, "checksums": False}
        action = orders.Rewrite(changes_of(changes), checksums)
        return self._rule("rewrite", selector, action, shown, optional)

    def limit(
        self,
        selector: Selector,
        bytes_per_s: float,
        queue_bytes: int = 15_000,
        *,
        optional: bool = False,
    ) -> Rule:
        """They leave at that rate, one after another; what finds more than `queue_bytes` waiting
        is dropped. Each sender has a queue of its own. Bytes are those of whole frames."""
        _at_least("limit", 1, bytes_per_s=bytes_per_s, queue_bytes=queue_bytes)
        shown = {"bytes_per_s": bytes_per_s, "queue_bytes": queue_bytes}
        action = orders.Limit(float(bytes_per_s), queue_bytes)
        return self._rule("limit", selector, action, shown, optional)

    def mtu(
        self,
        where: Selector | Named | str,
        size: int,
        *,
        icmp: bool = True,
        optional: bool = False,
    ) -> Rule:
        """Larger packets do not pass: packets of a selector, or all that a host sends or gets.

        IPv4 packets that may be cut are cut into fragments; the others are dropped, and their
        sender is told (fragmentation needed, packet too big) unless `icmp` is False.
        """
        _at_least("mtu", _SMALLEST_MTU, size=size)
        chosen = where if isinstance(where, Selector) else packet.at(where)
        shown = {"size": size} if icmp else {"size": size, "icmp": False}
        return self._rule("mtu", chosen, orders.Mtu(size, icmp), shown, optional)

    def absent(self, address: str, *, optional: bool = False) -> Rule:
        """Nobody has this address of the hosts' own network, though a link-layer address is found
        for it: as of a host that has just gone away."""
        try:
            ip_bytes(address)
        except ValueError:
            raise UsageError(NO_ADDRESS, {"address": address}) from None
        chosen = any_frame.about(address)
        return self._rule("absent", chosen, orders.Absent(address), {}, optional)

    def coalesce(
        self, selector: Selector, frames: int, seconds: float = 0.5, *, optional: bool = False
    ) -> Rule:
        """The network card of a host that offloads gathers so many of them, or for so long, before
        it hands them over: segments that follow one another become one. It is the last thing that
        meets a frame, whatever rules are made later."""
        _at_least("coalesce", 1, frames=frames)
        _at_least("coalesce", 0, seconds=seconds)
        action = orders.Coalesce(frames, float(seconds))
        return self._rule("coalesce", selector, action, {"frames": frames}, optional)

    # the path

    def cut(self, host: Named | str | None = None) -> Rule:
        """Nothing passes any more, or nothing from and to a host. It need not meet a frame."""
        chosen = any_frame if host is None else any_frame.at(host)
        rule = self._rule("cut", chosen, orders.Drop(), {}, True)
        self._cuts.append(rule)
        return rule

    def restore(self) -> None:
        """Mend every cut."""
        for rule in self._cuts:
            rule.stop()
        self._cuts.clear()

    # frames that no host sends

    def inject(
        self,
        content: bytes | Sequence[Value | bytes] = b"",
        *,
        like: Any = None,
        to: Named | str | None = None,
        **changes: Any,
    ) -> int:
        """Give a host a frame now; its number.

        `content` is a whole frame, or the layers of a packet, from IP on, as values of
        `fourtuple.wire`; `to` says whose it is. Or it is made `like` a frame that has crossed (a
        segment of `lab.segments`, or a frame's number) and goes the same way. `changes` are those
        of `rewrite`.
        """
        number: int = self.order(orders.Injected(self._frame(content, like, to, changes)))
        return number

    def inject_after(
        self,
        selector: Selector,
        content: bytes | Sequence[Value | bytes] = b"",
        *,
        like: Any = None,
        to: Named | str | None = None,
        optional: bool = False,
        **changes: Any,
    ) -> Rule:
        """Give a host a frame each time that a frame of the selector has gone on.

        Without `content` and `like` it is made like that very frame, and goes the same way.
        """
        if content or like is not None:
            action = self._frame(content, like, to, changes)
        else:
            action = orders.Inject(name_of(to) if to else "", b"", changes_of(changes))
        return self._rule("inject_after", selector, action, changes, optional)

    def _frame(
        self, content: bytes | Sequence[Value | bytes], like: Any, to: Any, changes: Any
    ) -> orders.Inject:
        host = self._network.known(name_of(to)).name if to is not None else ""
        if like is not None:
            number = int(getattr(like, "frame", like))
            crossed = self._recorded(number)
            towards = self._network.opposite(crossed.vantage, crossed.sender)
            if not host and not towards:
                raise UsageError(NOBODYS, {"frame": number})
            cable = "" if host else crossed.vantage
            return orders.Inject(host or towards, crossed.data, changes_of(changes), cable)
        if not content or not host:
            raise UsageError(NOTHING_TO_INJECT)
        if not isinstance(content, bytes):
            link = Ethernet(ROUTER_MAC, self._network.hardware_address(host))
            content = frame(link, *content)
        return orders.Inject(host, content, changes_of(changes))

    # what the rules and the runner ask

    @property
    def deadline_s(self) -> float:
        """When the run has to be over, on time.monotonic()'s scale."""
        return self._network.deadline_s

    def order(self, order: orders.Order) -> Any:
        """Have an order carried out; RuleFailed where that, or a rule, was not possible."""
        answer = self._network.order(order)
        self._network.wire_status()
        return answer

    def report(self, index: int) -> Report:
        """What a rule has met so far."""
        return self._network.wire_status().rules[index]

    def check(self) -> None:
        """RuleFailed where a rule has met no frame, and was to."""
        reports = self._network.wire_status().rules if self._rules else ()
        for rule, report in zip(self._rules, reports, strict=True):
            if not rule.optional and not report.frames:
                raise RuleFailed(NEVER_MET, {"rule": str(rule)})

    def _rule(
        self,
        verb: str,
        selector: Selector,
        action: orders.Action,
        shown: dict[str, Any],
        optional: bool,
    ) -> Rule:
        _check_selector(verb, selector)
        for name in hosts_named(selector):
            self._network.known(name)
        text = f"{verb}({', '.join(filter(None, (str(selector), written_values(shown))))})"
        index = int(self.order(orders.Install(selector, action)))
        self._rules.append(Rule(self, index, text, optional))
        return self._rules[-1]


class _Written:
    """A selector within the values that are shown."""

    def __init__(self, selector: Selector) -> None:
        self._selector = selector

    def __str__(self) -> str:
        return str(self._selector)


def _check_selector(method: str, selector: object) -> None:
    if not isinstance(selector, Selector):
        raise UsageError(NO_SELECTOR, {"method": method, "given": repr(selector)})


def _at_least(method: str, least: int, **values: float) -> None:
    for name, value in values.items():
        if not value >= least:
            given = {"method": method, "name": name, "value": value, "least": least}
            raise UsageError(TOO_SMALL, given)
