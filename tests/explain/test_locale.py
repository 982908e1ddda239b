"""The catalogs are complete: every message of the code, in Chinese too, with the same fields."""

import ast
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from fourtuple.explain.catalog import RULES
from fourtuple.explain.po import Entry, parse
from fourtuple.explain.text import Translator

ROOT = Path(__file__).parents[2]


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "update_catalog", ROOT / "scripts/update_catalog.py"
    )
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


script = _script()


@pytest.fixture(scope="module")
def messages() -> list[Entry]:
    found: list[Entry] = script.collect()
    return found


def test_every_message_is_translated_and_none_is_stale(messages):
    for path in script.LOCALE.glob("*/LC_MESSAGES/fourtuple.po"):
        assert list(script.amiss(parse(path.read_text("utf-8")), messages)) == []


def test_chinese_is_punctuated_as_chinese_is():
    (path,) = script.LOCALE.glob("zh_CN/LC_MESSAGES/fourtuple.po")
    texts = [string for entry in parse(path.read_text("utf-8")) for string in entry.strings]
    half_width = re.compile(r"[\u4e00-\u9fff）”][?:,;!]|[?:,;!] ?[\u4e00-\u9fff]")
    assert [text for text in texts if half_width.search(text)] == []


def test_references_are_written_in_chinese_too():
    chinese = Translator("zh")
    for rule in RULES.values():
        assert "section" not in chinese.text(rule.reference)
    assert chinese.text(RULES["larger-than-mss"].reference).endswith("lab run offload")
    both = chinese.text(RULES["simultaneous-close"].reference)
    assert both.startswith("RFC 9293 第 3.6 节图 13；")


def test_the_template_holds_every_message(messages):
    template = {(e.context, e.id, e.plural) for e in parse(script.TEMPLATE.read_text("utf-8"))}
    assert template == {("", "", "")} | {(m.context, m.id, m.plural) for m in messages}


def test_messages_are_found_wherever_they_are_marked():
    source = """
N_("a" " b")
Message("c {n}", {}, "d {n}", 2)
Message(text="e", context="verb")
about.says("f" if x else "g", n=1)
lab.claim("h", "depends on i", "j", source="A")
lab.expect(1, 1, "k")
experiment(covers="A1", question="l", background="m")
Note(t_ns=1, kind="n", message="o")
other("p"); N_(name)
"""
    found = list(script._marked(ast.parse(source), "x.py"))
    assert "".join(sorted(e.id[0] for e in found)) == "acdefghjklmo"
    by_id = {e.id: e for e in found}
    assert by_id["a b"].references == ("x.py",)
    assert by_id["c {n}"].plural == "d {n}"
    assert by_id["e"].context == "verb"


@pytest.mark.parametrize("call", ['N_(f"a {b}")', 'Message("a" + b)', 'says("a %s" % b)'])
def test_a_message_put_together_at_run_time_is_refused(call):
    with pytest.raises(script.NotLiteral, match=r"x\.py:1"):
        list(script._marked(ast.parse(call), "x.py"))


def test_each_way_of_being_wrong_is_named():
    wanted = [Entry("new"), Entry("{a} b"), Entry("guess"), Entry("ok")]
    catalog = [
        Entry("{a} b", strings=("{c} b",)),
        Entry("guess", strings=("x",), fuzzy=True),
        Entry("ok", strings=("好",)),
        Entry("old", strings=("旧",)),
    ]
    problems = list(script.amiss(catalog, wanted))
    assert [problem.split(":")[0] for problem in problems] == [
        "not translated",
        "fields differ",
        "fuzzy",
        "no such message any more",
    ]


def test_merging_keeps_what_is_translated_and_drops_what_is_gone():
    old = [Entry("", strings=("Language: zh_CN\n",)), Entry("a", strings=("甲",)), Entry("z")]
    merged = script.merge(old, [Entry("b"), Entry("a", references=("x.py",))])
    assert [(e.id, e.strings) for e in merged] == [
        ("", ("Language: zh_CN\n",)),
        ("b", ()),
        ("a", ("甲",)),
    ]
    assert merged[-1].references == ("x.py",)
