"""A real browser (Chromium): the page of greeting, and the room."""

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from .served import WAIT_S, served

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = pytest.mark.oracle("chromium")

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)


@pytest.fixture(scope="module")
def browser() -> Iterator["playwright.Browser"]:
    executable = shutil.which("chromium")
    assert executable is not None
    with playwright.sync_playwright() as run:
        browser = run.chromium.launch(executable_path=executable, args=list(FLAGS))
        yield browser
        browser.close()


def page_of(browser: "playwright.Browser", **options: object) -> "playwright.Page":
    page = browser.new_context(**options).new_page()
    page.set_default_timeout(WAIT_S * 1000)
    return page


@pytest.mark.parametrize("model", ["asyncio", "epoll", "threads", "one-at-a-time"])
def test_a_browser_shows_the_greeting_and_the_404(
    browser: "playwright.Browser", model: str
) -> None:
    """Row A14. A browser opens connections ahead of need: one at a time has to bear that too."""
    patience = ("--idle", "5") if model == "one-at-a-time" else ()
    with served("http://127.0.0.1:0", "--model", model, *patience) as server:
        page = page_of(browser)
        response = page.goto(server.urls[0])
        assert response is not None and response.status == 200
        assert page.inner_text("h1") == "Hello, world!"
        response = page.goto(f"{server.urls[0]}nowhere")
        assert response is not None and response.status == 404
        page.context.close()


def test_two_browsers_and_a_terminal_in_one_room(browser: "playwright.Browser") -> None:
    urls = ("tcp://127.0.0.1:0", "http://127.0.0.1:0")
    with served(*urls, "--app", "chat") as server:
        wrong: list[str] = []
        pages = [page_of(browser) for _ in range(2)]
        for number, page in enumerate(pages):
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else 0)
            page.goto(server.urls[1])
            page.wait_for_selector("text=Who are you?")
            page.fill("#line", f"2023000{number} Browser {number}")
            page.press("#line", "Enter")
            page.wait_for_selector(f"text=* Welcome, 2023000{number} Browser {number}.")
        with socket.create_connection(server.address, timeout=WAIT_S) as terminal:
            terminal.sendall(b"20239999 Terminal\n<b>plain text</b>\n")
            for page in pages:
                line = page.wait_for_selector("li:last-child:has-text('plain text')")
                assert line.inner_text() == "20239999 Terminal: <b>plain text</b>"
            pages[0].fill("#line", "to all")
            pages[0].click("button")
            pages[1].wait_for_selector("text=20230000 Browser 0: to all")
            heard = b""
            while b"to all\n" not in heard:
                heard += terminal.recv(1000)
        assert [text for text in wrong if "favicon" not in text] == []
        server.stop()
        pages[0].wait_for_selector("text=The connection has ended.")
        for page in pages:
            page.context.close()


def test_the_room_over_tls_with_a_certificate_made_on_request(
    browser: "playwright.Browser",
) -> None:
    with served("https://127.0.0.1:0", "--app", "chat", "--lang", "zh") as server:
        page = page_of(browser, ignore_https_errors=True)
        page.goto(server.urls[0])
        page.wait_for_selector("text=你是谁？")
        assert page.inner_text("h1") == "聊天室"
        page.context.close()


def test_a_page_from_elsewhere_cannot_join(browser: "playwright.Browser", tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<title>elsewhere</title>")
    (tmp_path / "page.html").write_text("<title>elsewhere</title>")
    files = ("--app", "files", "--directory", os.fspath(tmp_path))
    with (
        served("http://127.0.0.1:0", "--app", "chat") as room,
        served("http://127.0.0.1:0", *files) as elsewhere,
    ):
        page = page_of(browser)
        page.goto(f"{elsewhere.urls[0]}page.html")
        told = page.evaluate(
            """url => new Promise(done => {
                const socket = new WebSocket(url);
                socket.onopen = () => done("open");
                socket.onerror = () => done("refused");
            })""",
            f"ws://127.0.0.1:{room.port()}/chat",
        )
        assert told == "refused"
        page.context.close()
