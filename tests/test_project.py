"""What holds for the project as a whole: one version, small modules, honest pages."""

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import fourtuple

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "fourtuple"
MODULES = sorted(SOURCE.rglob("*.py"))
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
#: tables of data may be longer
LINES_LIMIT = 600


def name_of(path: Path) -> str:
    """src/fourtuple/wire/tcp.py is the module fourtuple.wire.tcp."""
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


modules = pytest.mark.parametrize("path", MODULES, ids=name_of)
pages = pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))


def test_the_version_is_written_in_one_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"]["path"] == "src/fourtuple/__init__.py"
    assert f"[{fourtuple.__version__}]" in (ROOT / "CHANGELOG.md").read_text()


def test_the_version_is_told_before_anything_heavy_is_imported() -> None:
    script = (
        "import sys; sys.argv = ['fourtuple', '--version']\n"
        "from fourtuple.cli import main\n"
        "try: status = main()\n"
        "except SystemExit as end: status = end.code\n"
        "print('status', status or 0, *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    version, _, rest = done.stdout.partition("\n")
    _, status, *loaded = rest.split()
    assert version == f"fourtuple {fourtuple.__version__}"
    assert status == "0"
    assert not {"typer", "click", "rich", "numpy", "msgspec", "pyroute2"} & set(loaded)


def test_the_processes_of_the_lab_can_do_without_numpy() -> None:
    system = [name_of(path) for path in MODULES if path.parent.name == "system"]
    wanted = ["fourtuple.errors", "fourtuple.event.model", "fourtuple.wire", *system]
    imports = "; ".join(f"import {name}" for name in wanted)
    script = f"import sys; {imports}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    loaded = done.stdout.split()
    assert "fourtuple.event.model" in loaded, done.stderr
    assert "numpy" not in loaded


@modules
def test_a_module_opens_with_what_it_does_and_stays_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)), f"{path} has no docstring"
    assert len(text.splitlines()) <= LINES_LIMIT


@modules
def test_the_list_of_public_names_is_exact(path: Path) -> None:
    module = importlib.import_module(name_of(path))
    listed = getattr(module, "__all__", None)
    if listed is None:
        return
    assert len(set(listed)) == len(listed)
    for name in listed:
        assert hasattr(module, name), f"{name} is listed in __all__ and not there"
    assert set(public_definitions(path)) <= set(listed)


def public_definitions(path: Path) -> Iterator[str]:
    """The functions and classes that a module's names call public, but not a command's function."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        if path.parent.name != "cli" or not node.decorator_list:
            yield node.name


@modules
def test_what_is_public_has_a_docstring(path: Path) -> None:
    module = importlib.import_module(name_of(path))
    for name in getattr(module, "__all__", ()):
        value = getattr(module, name)
        if callable(value) and getattr(value, "__module__", "") == module.__name__:
            assert value.__doc__, f"{name} has no docstring"


def test_the_generated_pages_say_what_the_code_says() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "generate_docs.py", "--check"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pages
def test_links_between_pages_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), f"{target} is not there"


def test_every_page_of_the_docs_can_be_reached_from_the_readme() -> None:
    seen, ahead = set(), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page in seen:
            continue
        seen.add(page)
        for target in re.findall(r"\]\((?!https?:)([^)#]+\.md)", page.read_text(encoding="utf-8")):
            ahead.append((page.parent / target).resolve())
    assert {page for page in PAGES if page.is_relative_to(ROOT / "docs")} <= seen


def test_no_file_knows_the_machine_that_it_was_written_on() -> None:
    folders = ("src", "tests", "scripts", "bench", "docs", ".ci")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    for path in (*files, *ROOT.glob("*.*"), ROOT / "Makefile"):
        if path.is_file() and "__pycache__" not in path.parts and path != Path(__file__):
            home = re.search(r"/(home|Users)/\w+|/root/", path.read_text("utf-8", "ignore"))
            assert not home, f"{path} names {home}"
