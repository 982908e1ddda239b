"""A user's own file: its experiments, and what is wrong with it."""

from pathlib import Path

import pytest

from fourtuple.errors import UsageError
from fourtuple.explain.text import Translator
from fourtuple.lab.own import own_experiments
from fourtuple.lab.template import experiment_file

GOOD = experiment_file("mine", "./mine.py", Translator("en").text)


def test_the_experiments_of_a_file_are_its_own_in_their_order(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(GOOD + GOOD.partition("\n\n\n")[2].replace("def mine", "def another_one"))
    assert [one.name for one in own_experiments(str(file))] == ["mine", "another-one"]


def test_a_file_may_import_what_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "beside_it.py").write_text("from fourtuple.lab.experiments.close import close\n")
    file = tmp_path / "importing.py"
    file.write_text("from beside_it import close\n" + GOOD)
    assert [one.name for one in own_experiments(str(file))] == ["mine"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = (\n", r"mine\.py, line 1: '\(' was never closed"),
        ("\n\nimport nothing_of_this_name\n", r"mine\.py, line 3: ModuleNotFoundError"),
        ("\n1 / 0\n", r"mine\.py, line 2: ZeroDivisionError: division by zero"),
        ("def f(): raise ValueError('x')\nf()\n", r"mine\.py, line 1: ValueError: x"),
        ("\0", r"mine\.py, line \d: (ValueError: )?source code"),
        ("x = 1\n", r"There is no experiment in .*mine\.py"),
        (GOOD.replace("question=", "quesiton="), r"mine\.py, line 7: TypeError"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "mine.py"
    file.write_text(text)
    with pytest.raises(UsageError, match=told):
        own_experiments(str(file))


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_bytes(b"# \xff\xfe\n")
    with pytest.raises(UsageError, match=r"mine\.py"):
        own_experiments(str(file))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_file_to_begin_with_is_short_and_an_experiment(tmp_path: Path, language: str) -> None:
    file = tmp_path / "mine.py"
    text = experiment_file("mine", "./mine.py", Translator(language).text)
    file.write_text(text)
    (mine,) = own_experiments(str(file))
    assert mine.question
    assert mine.mutation is not None
    script = text.partition("def mine")[2].splitlines()[1:]
    assert len([line for line in script if line.strip() and "#" not in line[:6]]) < 15
    assert max(map(len, text.splitlines())) <= 100
