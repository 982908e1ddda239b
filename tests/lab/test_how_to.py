"""What the how-to says of the wire runs as it stands there."""

import re
from pathlib import Path

import pytest

from fourtuple.lab.experiment import Experiment
from fourtuple.lab.own import own_experiments
from fourtuple.lab.script import Lab
from fourtuple.lab.wire.rules import Wire
from lab.running import fates, held, ran, run_script, talk

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "script-the-wire.md"
FIRST, LAST = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.mark.kernel
def test_an_experiment_that_drops_the_second_data_segment_takes_less_than_15_lines(
    tmp_path: Path,
) -> None:
    assert len(FIRST.splitlines()) < 15
    file = tmp_path / "second_lost.py"
    file.write_text(FIRST)
    (experiment,) = own_experiments(str(file))
    assert isinstance(experiment, Experiment)
    assert fates(ran(experiment)) == ["dropped"]


@pytest.mark.kernel
def test_a_link_of_ones_own() -> None:
    scope: dict[str, type] = {}
    exec(LAST, scope)

    def script(lab: Lab) -> None:
        client, server = lab.pair(link=scope["Twice"]())
        talk(lab, client, server, 10)
        answers = lab.segments(sent_by=server, payload=False, flags="ACK")
        lab.expect(answers.every("ack"), [11, 11], "each copy is acknowledged")

    held(run_script(script))


def test_the_page_names_every_rule() -> None:
    rules = {name for name in vars(Wire) if not name.startswith("_")}
    others = {"order", "report", "check", "deadline_s"}
    text = PAGE.read_text()
    missing = [name for name in rules - others if f"`{name}(" not in text]
    assert missing == []
