"""What this machine lacks: `kernel` and `oracle` tests skip with its name; in CI they fail.

@pytest.mark.kernel                         needs what `fourtuple doctor` calls the lab
@pytest.mark.oracle("tshark", "editcap")    needs these programs (tshark where none is named)
@pytest.mark.root                           only root may
@pytest.mark.slow                           waits for minutes; left out without --slow
"""

import os
import shutil
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from fourtuple.errors import CapabilityMissing
from fourtuple.system.capabilities import require_lab
from fourtuple.system.tracefs import place

pytest_plugins = ["pytester"]

# timing never decides a test: on a busy machine an example may take its time. In CI the examples
# are the same each time, so that a change is judged by what it changes; elsewhere they are new
settings.register_profile(
    "fourtuple",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("fourtuple")

#: where Debian keeps tcpdump and ip; an ordinary user's PATH may lack them
SYSTEM_PATH = ":/usr/sbin:/sbin"


def pytest_configure() -> None:
    os.environ["PATH"] += SYSTEM_PATH


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="also tests that wait for minutes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--slow"):
        slow = [item for item in items if item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]


def pytest_runtest_setup(item: pytest.Item) -> None:
    lacking = missing_for(item)
    if lacking:
        pytest.skip(lacking)


def missing_for(item: pytest.Item) -> str:
    """What a test needs and this machine does not have, in words; "" where nothing is missing."""
    for mark in item.iter_markers("oracle"):
        for tool in mark.args or ("tshark",):
            if not shutil.which(tool):
                return f"{tool} is not installed"
    if item.get_closest_marker("kernel"):
        try:
            require_lab()
        except CapabilityMissing as missing:
            return str(missing)
    if item.get_closest_marker("root") and os.geteuid() != 0:
        return "only root may"
    return ""


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The terminal that the tests were started in is not that of what they test, and what failed
    runs leave is not for the user's folder."""
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state"))


@pytest.fixture(scope="session")
def kept_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of this session share: who has run an experiment keeps its
    recording there (NAME-FAMILY.pcapng) for who wants to look at it once more."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "runs"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    fail_instead_of_skipping(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    fail_instead_of_skipping(report)
    return report


def fail_instead_of_skipping(report: pytest.TestReport | pytest.CollectReport) -> None:
    """In CI every machine has everything: what would be skipped there is a mistake."""
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI does not allow: {report.longreprtext}"


@pytest.fixture
def kernel_trace() -> None:
    """Skips where the kernel's trace may not be read."""
    try:
        place()
    except CapabilityMissing as missing:
        pytest.skip(str(missing))
