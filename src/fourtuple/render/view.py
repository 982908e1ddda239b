"""The View: one connection as lanes, rows and notes, neutral of any output.

A terminal, an SVG or a web page draws the same View. Text in it is either a `Message` (translated
where it is drawn) or data (a plain str, never translated, and possibly hostile: whoever draws it
cleans it). Times are nanoseconds from `zero_ns`. It knows no width, no colour and no language.
"""

import msgspec

from fourtuple.explain.model import Finding, Message

__all__ = [
    "BarPhase",
    "CallBar",
    "Check",
    "Claim",
    "Explanation",
    "KernelCell",
    "Measured",
    "ProgramCell",
    "Row",
    "RowKind",
    "Text",
    "View",
    "WireCell",
]

Text = Message | str


class RowKind:
    """What a row of the ladder is."""

    MOMENT = "moment"  # something happened: up to five cells
    NOTE = "note"  # a sentence between two moments
    SILENCE = "silence"  # nothing happened for `t_ns` nanoseconds
    ELIDED = "elided"  # `count` moments of a long connection are left out here


class BarPhase:
    """Where a call stands in a row."""

    WHOLE = "whole"  # begins and returns here
    BEGIN = "begin"
    GOING = "going"
    END = "end"


class CallBar(msgspec.Struct, frozen=True):
    """One call in one row. `slot` counts the calls of a lane that are in progress at once.

    `full` is the call with its arguments, `brief` with few or none; `outcome` what the kernel
    answered, "" before it has; `failed` where that was an error.
    """

    phase: str
    slot: int
    full: str
    brief: str
    outcome: Text = ""
    failed: bool = False


class ProgramCell(msgspec.Struct, frozen=True):
    """What a program does at a moment: the calls in progress, by slot."""

    bars: tuple[CallBar, ...] = ()


class KernelCell(msgspec.Struct, frozen=True):
    """The state of a socket: `changed` where it became so in this row, else it continues."""

    state: str = ""
    changed: bool = False


class WireCell(msgspec.Struct, frozen=True):
    """A segment or datagram on its way. Numbers are relative; `raw_` ones are the header's.

    `shows` names the numbers worth showing of seq, ack and len (a pure ACK's seq is not).
    `labels` are words about it (retransmission, dropped ...). `phase` is "whole", or "leaves" and
    "arrives" for the two rows of a frame that others overtook.
    """

    frame: int
    flags: str
    from_client: bool
    verdict: str
    length: int
    seq: int | None = None
    ack: int | None = None
    raw_seq: int | None = None
    raw_ack: int | None = None
    shows: tuple[str, ...] = ()
    labels: tuple[Message, ...] = ()
    phase: str = "whole"


class Row(msgspec.Struct, frozen=True):
    """A line of the picture. `t_ns` counts from the view's zero; a silence's is its length."""

    kind: str
    t_ns: int
    client_program: ProgramCell = ProgramCell()
    client_kernel: KernelCell = KernelCell()
    wire: WireCell | None = None
    server_kernel: KernelCell = KernelCell()
    server_program: ProgramCell = ProgramCell()
    note: Message | None = None
    count: int = 0


class Explanation(msgspec.Struct, frozen=True):
    """The sentence that belongs to a frame."""

    frame: int
    text: Message


class Claim(msgspec.Struct, frozen=True):
    """A textbook sentence, this kernel's verdict on it (confirmed, differs, depends), the reason,
    and what it depends on if it does."""

    claim: Text
    source: str
    verdict: str
    because: Text
    depends_on: Text = ""
    frames: tuple[int, ...] = ()


class Check(msgspec.Struct, frozen=True):
    """An expectation of a lab run and whether it held."""

    what: Text
    expected: str
    actual: str
    ok: bool
    frames: tuple[int, ...] = ()


class Measured(msgspec.Struct, frozen=True):
    """Figures of a lab run to compare: `rows` are names, each with a number for each column."""

    what: Text
    columns: tuple[Text, ...]
    rows: tuple[tuple[Text, tuple[float, ...]], ...]
    frames: tuple[int, ...] = ()


class View(msgspec.Struct, frozen=True):
    """Everything that is shown of one connection.

    `title` and `question` are those of the experiment or of the file. `four_tuple` is (client,
    server) as text. `programs` tells whether the two program lanes exist. `offset_ns` is how long
    after the timeline's own beginning this connection's first row is.
    """

    title: Text
    question: Text
    protocol: str
    four_tuple: tuple[str, str]
    client_known: bool
    headline: Message | None
    evidence: tuple[Message, ...]
    programs: bool
    offset_ns: int
    rows: tuple[Row, ...]
    explanations: tuple[Explanation, ...] = ()
    findings: tuple[Finding, ...] = ()
