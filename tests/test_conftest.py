"""A test that this machine cannot run says what is missing, and in CI fails."""

from pathlib import Path

import pytest

from fourtuple.errors import CapabilityMissing

CONFTEST = Path(__file__).with_name("conftest.py").read_text()
MARKERS = "[pytest]\nmarkers =\n    kernel: namespaces\n    oracle: tools\n"


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A suite of its own under our conftest; not in CI unless a test says so."""
    monkeypatch.delenv("CI", raising=False)
    pytester.makeconftest(CONFTEST.replace('pytest_plugins = ["pytester"]', ""))
    pytester.makeini(MARKERS)
    return pytester


NEEDS_A_TOOL = """
import pytest

@pytest.mark.oracle("sh", "no-such-tool")
def test_beside_a_tool():
    pass
"""


def test_a_missing_tool_is_named(suite: pytest.Pytester) -> None:
    suite.makepyfile(NEEDS_A_TOOL)
    result = suite.runpytest("-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines("*no-such-tool is not installed*")


def test_in_ci_a_missing_tool_fails(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    suite.makepyfile(NEEDS_A_TOOL)
    result = suite.runpytest()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines("*CI does not allow*no-such-tool is not installed*")


def test_in_ci_a_module_that_skips_itself_fails(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    suite.makepyfile('import pytest\npytest.importorskip("no_such_module")')
    assert suite.runpytest().ret != pytest.ExitCode.OK


def test_in_ci_an_expected_failure_stays_one(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    suite.makepyfile("import pytest\n@pytest.mark.xfail\ndef test_it():\n    assert False")
    suite.runpytest().assert_outcomes(xfailed=1)


def test_a_missing_capability_is_named_with_its_remedy(suite: pytest.Pytester) -> None:
    def refuse() -> None:
        raise CapabilityMissing("No namespaces.", "sudo allow them")

    suite.makepyfile("import pytest\n@pytest.mark.kernel\ndef test_it():\n    pass")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fourtuple.system.capabilities.require_lab", refuse)
        result = suite.runpytest("-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines("*No namespaces*")


def test_where_nothing_is_missing_the_test_runs(suite: pytest.Pytester) -> None:
    suite.makepyfile('import pytest\n@pytest.mark.oracle("sh")\ndef test_it():\n    pass')
    suite.runpytest().assert_outcomes(passed=1)
