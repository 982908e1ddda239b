"""Experiments are meant by name, row, tag or file."""

from pathlib import Path

import pytest

from fourtuple.errors import UsageError
from fourtuple.lab.choose import choose
from fourtuple.lab.experiment import all_experiments

KNOWN = all_experiments()
SLOW = {one.name for one in KNOWN.values() if one.slow}


def names(*words: str, **how: object) -> list[str]:
    return [one.name for one in choose(words, **how).experiments]  # type: ignore[arg-type]


def test_names_come_in_the_order_in_which_they_are_given_each_once() -> None:
    assert names("segments", "close", "segments") == ["segments", "close"]


@pytest.mark.parametrize("word", ["A7", "a7"])
def test_a_row_means_all_that_cover_it(word: str) -> None:
    assert names(word) == [one.name for one in KNOWN.values() if "A7" in one.covers]


def test_a_cause_of_a_reset_is_a_row_too() -> None:
    assert "linger-zero" in names("cause:linger-zero")


def test_a_tag_and_everything() -> None:
    tag = KNOWN["handshake"].tags[0]
    assert "handshake" in names(tags=[tag])
    everything = names(everything=True)
    assert set(everything) == set(KNOWN) - SLOW
    assert set(names(everything=True, slow=True)) == set(KNOWN)


def test_a_name_without_its_path_refers_to_the_file_of_that_experiment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lost_one.py").write_text("")
    (tmp_path / "close.py").write_text("")
    with pytest.raises(UsageError, match=r"fourtuple lab run \./lost_one\.py$"):
        names("lost-one")
    assert names("close") == ["close"]


def test_slow_ones_are_left_out_unless_named() -> None:
    choice = choose([], everything=True)
    assert {one.name for one in choice.left_out} == SLOW
    for name in SLOW:
        assert names(name) == [name]


def test_own_files_are_named_by_their_path(tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text(
        "from fourtuple.lab.experiment import experiment\n"
        "@experiment(question='?')\n"
        "def my_own(lab): pass\n"
    )
    assert names(str(file), "close") == ["my-own", "close"]


@pytest.mark.parametrize(
    ("words", "how", "told"),
    [
        ((), {}, "--all"),
        (("clsoe",), {}, "Did you mean close"),
        ((), {"tags": ["nonsense"]}, "No experiment has the tag nonsense"),
        (("./nowhere.py",), {}, "No such file"),
    ],
)
def test_a_word_that_means_nothing_is_told(
    words: tuple[str, ...], how: dict[str, list[str]], told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        choose(words, **how)  # type: ignore[arg-type]
