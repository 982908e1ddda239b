"""Results as a table for people: one method with its evidence, or several methods side by side."""

from collections.abc import Iterator, Mapping

from fourtuple.explain.model import Message
from fourtuple.explain.text import N_, Translator
from fourtuple.render.terminal import Terminal
from fourtuple.render.text import clean, width_of
from fourtuple.scan.model import PortResult, State
from fourtuple.scan.results import HostResults, Results

__all__ = ["found_line", "seconds_text", "table"]

_STYLES = {State.OPEN: "bold green", State.CLOSED: "dim", State.FILTERED: "yellow"}
_GAP = "  "


def found_line(result: PortResult, name: str = "") -> str:
    """The line that tells of an open port as soon as it is found."""
    address = f"[{result.address}]" if ":" in result.address else result.address
    return f"{name or address}:{result.port} IS OPEN"


def seconds_text(seconds: float | None) -> str:
    """A short time, in the unit that suits it; "" for None."""
    if seconds is None:
        return ""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} us"
    return f"{seconds * 1e3:.3g} ms" if seconds < 1 else f"{seconds:.2f} s"


def table(
    results: Results, banners: Mapping[tuple[str, int], str], tr: Translator, terminal: Terminal
) -> Iterator[str]:
    """The lines: host by host, then what each method sent and got."""
    for host in results.hosts():
        yield ""
        target = host.target
        title = f"{target.name} ({target.address})" if target.name else target.address
        yield terminal.paint("bold", clean(title))
        yield from _rows(host, results, tr, terminal)
        for (address, port), banner in sorted(banners.items()):
            if address == target.address:
                yield terminal.clip(f"  {port}: {clean(banner)}", terminal.width)
    yield ""
    for method, summary in results.summaries.items():
        states = sorted(results.tables[method].states().items())
        counts = ", ".join(f"{count} {state}" for state, count in states)
        params = {
            "method": method,
            "counts": counts or "0",
            "seconds": f"{summary.seconds:.2f}",
            "sent": summary.sent,
            "received": summary.received,
        }
        text = N_("{method}: {counts}; {sent} probes, {received} answers in {seconds} s")
        yield tr.text(Message(text, params))


def _rows(host: HostResults, results: Results, tr: Translator, terminal: Terminal) -> Iterator[str]:
    methods = list(results.summaries)
    single = len(methods) == 1
    head = [tr.text(N_("port")), tr.text(N_("service"))]
    head += (
        [tr.text(N_("state")), tr.text(N_("reason")), tr.text(N_("time"))] if single else methods
    )
    lines: list[list[tuple[str, str]]] = [[("bold", cell) for cell in head]]
    for row in host.rows:
        cells = [("", f"{row.port}/{row.protocol}"), ("", row.service)]
        for method in methods:
            state, reason = row.verdicts.get(method, ("", ""))
            style = _STYLES.get(state, "")
            if single:
                cells += [(style, state), ("", reason), ("", seconds_text(row.rtt_s))]
            else:
                cells.append((style, f"{state} ({reason})" if state else "-"))
        lines.append(cells)
    if host.rows:
        yield from _laid_out(lines, terminal)
    for count, protocol, verdicts in host.counted:
        several = len(verdicts) > 1
        words = ", ".join(
            f"{method}: {state} ({reason})" if several else f"{state} ({reason})"
            for method, (state, reason) in sorted(verdicts.items())
        )
        known = tr.text(
            Message(
                "{count} {protocol} port: {verdicts}",
                {"count": count, "protocol": protocol, "verdicts": words},
                plural="{count} {protocol} ports: {verdicts}",
                count=count,
            )
        )
        yield f"{_GAP}{known}"


def _laid_out(lines: list[list[tuple[str, str]]], terminal: Terminal) -> Iterator[str]:
    widths = [max(width_of(line[i][1]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        cells = [
            terminal.paint(style, terminal.pad(text, width)) if style else terminal.pad(text, width)
            for (style, text), width in zip(line, widths, strict=True)
        ]
        yield (_GAP + _GAP.join(cells)).rstrip()
