"""`fourtuple talk` at a terminal: a pseudo-terminal stands in for it."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .foreign import BYE, ECHO, UDP_ECHO, WAIT_S, free_port, textbook

UP, CTRL_C, CTRL_D, ENTER = b"\x1b[A", b"\x03", b"\x04", b"\r"


class Person:
    """Types, and waits for what is to be seen."""

    def __init__(self, pid: int, terminal: int) -> None:
        self._pid, self._terminal = pid, terminal
        self._unread = b""
        self.screen = b""

    def types(self, keys: bytes) -> None:
        os.write(self._terminal, keys)

    def sees(self, words: bytes) -> None:
        """These words, after all that was seen before."""
        until = time.monotonic() + WAIT_S
        while words not in self._unread:
            assert time.monotonic() < until, (words, self._unread)
            assert self._look() or words in self._unread, (words, self._unread)
        self._unread = self._unread.partition(words)[2]

    def _look(self) -> bool:
        if not select.select([self._terminal], [], [], 0.1)[0]:
            return True
        try:
            data = os.read(self._terminal, 4096)
        except OSError:  # the program has ended
            return False
        self._unread += data
        self.screen += data
        return bool(data)

    def status(self) -> int:
        """With what the program ended; all that it said is on the screen."""
        until = time.monotonic() + WAIT_S
        while self._look():
            assert time.monotonic() < until, self.screen
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])


@contextmanager
def person_at(*arguments: str) -> Iterator[Person]:
    pid, terminal = pty.fork()
    if not pid:
        os.environ.update(TERM="xterm", LC_ALL="C.UTF-8", COLUMNS="100")
        os.execv(sys.executable, [sys.executable, "-m", "fourtuple", "talk", *arguments])
    try:
        yield Person(pid, terminal)
    finally:
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        os.close(terminal)


#: the prompt is drawn, and the cursor put behind it: someone may type
PROMPT = b"?25h"


def begun(person: Person, greeting: bytes = b"Each line is sent; q ends it.") -> None:
    person.sees(greeting)
    person.sees(b"0m>")
    person.sees(PROMPT)


def test_lines_go_out_answers_come_in_and_q_ends_it() -> None:  # A2, E6
    with textbook(ECHO) as server, person_at(server.tcp) as person:
        begun(person)
        person.types(b"hello" + ENTER)
        person.sees(b"HELLO")
        person.types(b"q" + ENTER)
        person.sees(b"Ended.")
        assert person.status() == 0
        assert b"Q" not in person.screen.partition(b"HELLO")[2]  # q itself was never sent


def test_the_two_terminals_of_the_readme() -> None:
    """Word for word, but for the port, which may be taken here."""
    port = free_port()
    text = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
    told = text.partition("in two terminals")[2].partition("[Serve]")[0].replace("8888", str(port))
    lines = [line.strip() for line in told.splitlines() if line.startswith("    ")]
    second = next(at for at, line in enumerate(lines) if line.startswith("$ fourtuple talk"))
    command, *printed = lines[:second]
    server = subprocess.Popen(
        [sys.executable, "-m", *command.split()[1:]], stdout=subprocess.PIPE, text=True
    )
    with server:
        assert server.stdout is not None
        assert server.stdout.readline().strip() == printed[0]
        with person_at(lines[second].split()[3]) as person:
            for at, line in enumerate(lines[second + 1 :]):
                if line.startswith("> "):
                    person.types(line[2:].encode() + ENTER)
                else:
                    person.sees(line.encode())
                if at == 0:
                    person.sees(PROMPT)
            assert person.status() == 0
        for line in printed[1:]:
            words = re.escape(line).replace("127\\.0\\.0\\.1:47566", r"127\.0\.0\.1:[0-9]+")
            assert re.fullmatch(words, server.stdout.readline().strip())
        server.terminate()


def test_an_earlier_line_comes_back() -> None:
    with textbook(ECHO) as server, person_at(server.tcp) as person:
        begun(person)
        person.types(b"first" + ENTER)
        person.sees(b"FIRST")
        person.types(b"second" + ENTER)
        person.sees(b"SECOND")
        person.types(UP + UP + ENTER)
        person.sees(b"FIRST")
        person.types(CTRL_D)
        assert person.status() == 0


def test_an_empty_line_is_explained_and_nothing_is_sent() -> None:  # E7
    with textbook(ECHO) as server, person_at(server.tcp, "--explain") as person:
        begun(person)
        person.types(ENTER)
        person.sees(b"An empty line: nothing is sent.")
        person.types(b"q" + ENTER)
        person.sees(b"Sent 0 bytes with 0 calls of send()")
        assert person.status() == 0


def test_an_empty_line_is_an_empty_datagram_over_udp() -> None:
    with textbook(UDP_ECHO) as server, person_at(server.udp, "--explain") as person:
        begun(person, b"Nothing is connected")
        person.types(ENTER)
        person.types(b"x" + ENTER)
        person.sees(b"X")
        person.types(b"q" + ENTER)
        person.sees(b"2 datagrams came back")
        assert person.status() == 0


def test_ctrl_d_ends_it_and_ctrl_c_breaks_it_off() -> None:
    with textbook(ECHO) as server:
        with person_at(server.tcp) as person:
            begun(person)
            person.types(CTRL_D)
            person.sees(b"Ended.")
            assert person.status() == 0
        with person_at(server.tcp) as person:
            begun(person)
            person.types(b"half a line" + CTRL_C)
            assert person.status() == 130
        with person_at(server.tcp) as person:  # the server has survived both (E8)
            begun(person)
            person.types(b"still there?" + ENTER)
            person.sees(b"STILL THERE?")


def test_ctrl_d_before_there_is_a_prompt_is_not_lost() -> None:
    with textbook(ECHO) as server, person_at(server.tcp) as person:
        person.types(CTRL_D)  # the terminal's driver takes it: no program reads yet
        person.sees(b"Ended.")
        assert person.status() == 0


def test_the_other_side_ends_it_while_a_line_is_being_written() -> None:
    with textbook(BYE) as server, person_at(server.tcp) as person:
        person.sees(b"bye")
        person.sees(b"The other side has ended it.")
        assert person.status() == 0


def test_half_close_leaves_the_other_direction_open() -> None:
    with textbook(BYE) as server, person_at(server.tcp, "--half-close") as person:
        person.sees(b"bye")
        person.sees(b"0m>")
        person.sees(PROMPT)
        person.types(b"after the end" + ENTER)
        person.types(CTRL_D)
        assert person.status() == 0
        assert server.line() == str(len("after the end\n"))


def test_control_characters_of_the_other_side_do_nothing() -> None:
    program = BYE.replace(rb"bye\n".decode(), r"a\x1b[2Jb\xc3\xa9\n")
    with textbook(program) as server, person_at(server.tcp) as person:
        person.sees("bé".encode())
        person.status()
        assert b"a\x1b[2J" not in person.screen


def test_refused_before_there_is_a_prompt() -> None:
    with person_at("tcp://127.0.0.1:1") as person:
        person.sees(b"Refused: nobody listens on port 1 of 127.0.0.1,")
        assert person.status() == 1
        assert b"0m>" not in person.screen
