"""Someone at a terminal: lines with history, what comes in printed above the line being written.

The prompt has the main thread, so that Ctrl-C comes to it; the conversation has another. `q` and
Ctrl-D end it; an empty line says nothing on a stream, where nothing can be sent that has no bytes
(row E7), and is an empty message elsewhere.
"""

import sys
import threading
from collections.abc import Callable

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.patch_stdout import patch_stdout

from fourtuple.explain.model import Message
from fourtuple.explain.text import N_
from fourtuple.talk.dial.source import Typed

__all__ = ["EMPTY", "Terminal"]

EMPTY = N_(
    "An empty line: nothing is sent. On a stream there is no message without bytes, so the other"
    " side would wait on in recv(), and you for its answer. Type something, or q to end."
)
_QUIT = "q"


def _early_end() -> KeyBindings:
    """Ctrl-D that was typed before there was a prompt: the terminal's line discipline took it for
    the end of a line and kept a null byte in its place, which comes as Ctrl-@."""
    bindings = KeyBindings()

    @bindings.add("c-@", filter=Condition(lambda: not get_app().current_buffer.text))
    def _(event: KeyPressEvent) -> None:
        event.app.exit(exception=EOFError())

    return bindings


class _Over(Exception):
    """The conversation has ended while a line was being written."""


class Terminal:
    """`talk(source)` is carried out while lines are read; `end` is put behind each line. With
    `half_close` Ctrl-D ends this side's part only."""

    def __init__(
        self,
        tell: Callable[[Message], None],
        *,
        end: bytes,
        stream: bool,
        half_close: bool,
    ) -> None:
        self._tell = tell
        self._end = end
        self._stream = stream
        self._half_close = half_close
        output = Vt100_Output.from_pty(sys.stdout)
        output.enable_cpr = False
        self._session: PromptSession[str] = PromptSession(
            history=InMemoryHistory(), output=output, key_bindings=_early_end()
        )
        self._over = threading.Event()
        self._failed: list[BaseException] = []

    def run(self, talk: Callable[[Typed], None]) -> None:
        """Until the conversation is over. What `talk` raises is raised here."""
        source = Typed()
        thread = threading.Thread(target=self._talk, args=(talk, source), daemon=True)
        with patch_stdout(raw=True):
            thread.start()
            try:
                self._read(source)
            except KeyboardInterrupt:
                source.end(quits=True)
                thread.join()
                raise
            thread.join()
        source.close()
        if self._failed:
            raise self._failed[0]

    def _talk(self, talk: Callable[[Typed], None], source: Typed) -> None:
        try:
            talk(source)
        except BaseException as error:
            self._failed.append(error)
        finally:
            self._over.set()
            app = self._session.app
            if app.is_running and app.loop is not None:
                app.loop.call_soon_threadsafe(self._leave)

    def _leave(self) -> None:
        if self._session.app.is_running and not self._session.app.is_done:
            self._session.app.exit(exception=_Over())

    def _read(self, source: Typed) -> None:
        while not self._over.is_set():
            try:
                line = self._session.prompt("> ", pre_run=self._check)
            except _Over:
                return None
            except EOFError:
                return source.end(quits=not self._half_close)
            if line == _QUIT:
                return source.end(quits=True)
            if not line and self._stream:
                self._tell(Message(EMPTY))
            else:
                source.put(line.encode(errors="surrogateescape") + self._end)
        return None

    def _check(self) -> None:
        """The conversation may have ended between two prompts."""
        if self._over.is_set():
            self._leave()
