"""What the output can show."""

from fourtuple.render.terminal import ASCII, UNICODE, Terminal


def test_colour_is_only_painted_where_it_is_on() -> None:
    assert Terminal(colour=False).paint("bold red", "x") == "x"
    assert Terminal(colour=True).paint("bold red", "x") == "\x1b[1;31mx\x1b[0m"


def test_blanks_are_not_painted() -> None:
    assert Terminal(colour=True).paint("dim", "   ") == "   "


def test_the_ascii_alphabet_is_ascii() -> None:
    assert all(getattr(ASCII, name).isascii() for name in ASCII._fields)


def test_a_message_is_drawable_in_either_alphabet() -> None:
    assert Terminal(glyphs=ASCII).drawable("1 → 2 … — ’") == "1 -> 2 ... - '"
    assert Terminal(glyphs=UNICODE).drawable("1 → 2") == "1 → 2"
