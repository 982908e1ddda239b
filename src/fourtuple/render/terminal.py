"""What the output can show: a width, perhaps colour, perhaps more than ASCII.

Colour only repeats what a glyph or a word says already.
"""

from typing import NamedTuple

from fourtuple.render import text

__all__ = ["ASCII", "UNICODE", "Glyphs", "Terminal"]


class Glyphs(NamedTuple):
    """The drawing characters of one alphabet. `cross`, `tee` and `foot` join lanes and rules."""

    bar: str
    rule: str
    cross: str
    tee: str
    foot: str
    begin: str
    going: str
    end: str
    shaft: str
    gap: str
    double: str
    dotted: str
    rewritten: str
    right: str
    left: str
    dropped: str
    held: str
    injected: str
    same: str
    ellipsis: str
    to: str
    separator: str
    corners: str


UNICODE = Glyphs(
    bar="│",
    rule="─",
    cross="┼",
    tee="┬",
    foot="┴",
    begin="┌",
    going="│",
    end="└",
    shaft="─",
    gap="─ ",
    double="═",
    dotted="┄",
    rewritten="~",
    right="▶",
    left="◀",
    dropped="✕",
    held="⏸",
    injected="⚡",
    same="·",
    ellipsis="…",
    to="→",
    separator=" · ",
    corners="┌┐└┘├┤",
)

ASCII = Glyphs(
    bar="|",
    rule="-",
    cross="+",
    tee="+",
    foot="+",
    begin="/",
    going="|",
    end="\\",
    shaft="-",
    gap="- ",
    double="=",
    dotted=".",
    rewritten="~",
    right=">",
    left="<",
    dropped="x",
    held="#",
    injected="!",
    same=".",
    ellipsis="...",
    to="->",
    separator="; ",
    corners="++++++",
)

#: punctuation of the messages that ASCII lacks
_PLAIN = str.maketrans({"…": "...", "→": "->", "×": "x", "·": ";", "–": "-", "—": "-", "’": "'"})

_COLOURS = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
}


class Terminal(NamedTuple):
    """Where a picture goes. `width` is in cells and at least 20."""

    width: int = 120
    colour: bool = False
    glyphs: Glyphs = UNICODE

    def paint(self, style: str, piece: str) -> str:
        """The piece in a style (a word or two of bold dim red green ...), where colour is on."""
        if not self.colour or not style or not piece.strip():
            return piece
        codes = ";".join(_COLOURS[word] for word in style.split())
        return f"\x1b[{codes}m{piece}\x1b[0m"

    def drawable(self, piece: str) -> str:
        """The piece without punctuation that the alphabet lacks."""
        return piece.translate(_PLAIN) if self.glyphs is ASCII else piece

    def pad(self, piece: str, width: int, *, right: bool = False) -> str:
        return text.pad(piece, width, self.glyphs.ellipsis, right=right)

    def clip(self, piece: str, width: int) -> str:
        return text.clip(piece, width, self.glyphs.ellipsis)
