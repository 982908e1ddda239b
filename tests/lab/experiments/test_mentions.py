"""What an experiment tells its reader to try next is there."""

import re

from fourtuple.lab.experiment import all_experiments


def test_each_experiment_that_is_named_exists() -> None:
    known = all_experiments()
    named = {
        (one.name, name)
        for one in known.values()
        for text in one.try_next
        for name in re.findall(r"lab run (?:--slow )?([a-z0-9-]+)", text)
    }
    assert len(named) > 20
    assert {pair for pair in named if pair[1] not in known} == set()
