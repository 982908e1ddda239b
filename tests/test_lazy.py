"""Packages that load what they export when it is asked for."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

PACKAGES = ("fourtuple.wire", "fourtuple.analyze", "fourtuple.source")


@pytest.mark.parametrize("package", PACKAGES)
def test_what_type_checkers_read_and_what_is_loaded_agree(package):
    module = import_module(package)
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    plain = {
        alias.name: node.module.removeprefix(f"{package}.")
        for node in imports
        if node.module.startswith(f"{package}.")
        for alias in node.names
    }
    assert module._homes == plain
    assert set(module.__all__) == set(plain)
    assert all(getattr(module, name) is not None for name in module.__all__)


def test_importing_a_module_does_not_hide_the_function_of_its_name():
    import fourtuple.wire
    import fourtuple.wire.dissect

    assert callable(fourtuple.wire.dissect)
    assert sys.modules["fourtuple.wire.dissect"].dissect is fourtuple.wire.dissect


def test_a_name_that_nobody_exports_is_missing():
    import fourtuple.wire

    with pytest.raises(AttributeError, match="nothing_like_it"):
        fourtuple.wire.nothing_like_it  # noqa: B018


def test_one_module_of_a_package_comes_without_the_others():
    script = "import sys, fourtuple.wire._row; print('fourtuple.wire.arp' in sys.modules)"
    command = [sys.executable, "-c", script]
    assert subprocess.run(command, capture_output=True, text=True).stdout == "False\n"
