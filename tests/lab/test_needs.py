"""What an experiment needs, and what a machine lacks of it."""

from pathlib import Path

import pytest

from fourtuple.errors import CapabilityMissing
from fourtuple.lab import needs
from fourtuple.lab.experiment import Experiment
from fourtuple.system.capabilities import Capability


def needing(*what: str) -> Experiment:
    return Experiment(name="x", question="?", script=lambda _: None, needs=what)


def told(experiment: Experiment) -> list[tuple[str, str]]:
    return [
        (missing.what.format_map(missing.params), missing.remedy.format_map(missing.params))
        for missing in needs.lacking(experiment)
    ]


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One that allows the trace, not the packet sockets, and has the program `curl`."""
    found = (
        Capability("tracefs", "trace", (), "yes", "mounted"),
        Capability("net_raw", "raw", (), "no", "This process does not hold {it}.", "Be {who}.",
                   {"it": "CAP_NET_RAW", "who": "root"}),
    )  # fmt: skip
    monkeypatch.setattr(needs, "capabilities", lambda: found)
    monkeypatch.setattr(needs, "_SYSTEM_PATH", "")
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "curl").write_text("#!/bin/sh\n")
    (tmp_path / "curl").chmod(0o755)


def test_what_is_there_is_not_told() -> None:
    assert told(needing("tracefs", "curl")) == []
    assert needs.program_path("curl").endswith("/curl")


def test_a_capability_that_the_machine_denies_is_told_with_its_remedy() -> None:
    assert told(needing("net_raw")) == [("This process does not hold CAP_NET_RAW.", "Be root.")]


def test_a_program_that_is_not_installed_is_told_with_its_package() -> None:
    assert told(needing("nft", "tracefs", "socat")) == [
        ("The program nft is not installed.", "Install it: sudo apt install nftables"),
        ("The program socat is not installed.", "Install it: sudo apt install socat"),
    ]
    with pytest.raises(CapabilityMissing):
        needs.program_path("nft")
