"""Texts that are compared with a file in tests/golden, byte for byte.

Run with UPDATE_GOLDEN=1 to write the files anew; then read the difference before it is kept.
"""

import os
from pathlib import Path

__all__ = ["same_as_golden"]

FOLDER = Path(__file__).parent / "golden"


def same_as_golden(name: str, text: str) -> None:
    """Fail unless the file of that name holds just this text."""
    path = FOLDER / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
