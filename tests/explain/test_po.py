"""Message catalogs in gettext's text form."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourtuple.explain.po import Entry, format_catalog, header_fields, parse

HAND_WRITTEN = """
# translators' remark
msgid ""
msgstr ""
"Language: zh_CN\\n"
"Plural-Forms: nplurals=1; plural=0;\\n"

#: fourtuple/a.py fourtuple/b.py
#, python-format
msgid "one line"
msgstr "一行"

#, fuzzy
msgid ""
"two "
"parts"
msgstr "两部分"

msgctxt "verb"
msgid "close"
msgstr "关闭"
msgid "{n} byte"
msgid_plural "{n} bytes"
msgstr[0] "{n} 字节"

#~ msgid "gone"
#~ msgstr "没了"
"""


def test_entries_are_read_with_all_that_belongs_to_them():
    header, line, parts, close, plural = parse(HAND_WRITTEN)
    assert header_fields([header])["Language"] == "zh_CN"
    files = ("fourtuple/a.py", "fourtuple/b.py")
    assert line == Entry("one line", strings=("一行",), references=files)
    assert (parts.id, parts.fuzzy, parts.translated) == ("two parts", True, False)
    assert (close.context, close.strings) == ("verb", ("关闭",))
    assert (plural.plural, plural.strings) == ("{n} bytes", ("{n} 字节",))


def test_a_broken_line_is_named():
    with pytest.raises(ValueError, match="line 2"):
        parse('msgid "a"\nmsgstr nonsense')


texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]))
lines = st.lists(texts, max_size=3).map("\n".join)
entries = st.builds(
    Entry,
    id=lines.filter(bool),
    context=texts,
    strings=st.tuples(lines),
    fuzzy=st.booleans(),
    references=st.lists(st.sampled_from(["a.py", "b/c.py"]), unique=True).map(tuple),
)


@given(st.lists(entries, max_size=5))
def test_what_is_written_is_read_back(catalog):
    assert parse(format_catalog(catalog)) == catalog


@given(st.text(alphabet='ab \\"\n\t\r', min_size=1, max_size=300))
def test_any_mix_of_escapes_and_long_lines_survives(text):
    entry = Entry(text, strings=(text[::-1],))
    assert parse(format_catalog([entry])) == [entry]
    assert max(map(len, format_catalog([entry]).splitlines())) < 620


def test_plural_forms_survive():
    entry = Entry("{n} byte", "{n} bytes", strings=("{n} 字节",))
    assert parse(format_catalog([entry])) == [entry]


def test_babel_reads_the_same(tmp_path):
    read_po = pytest.importorskip("babel.messages.pofile").read_po
    catalog = [
        Entry("", strings=("Content-Type: text/plain; charset=UTF-8\n",)),
        Entry('a "quoted" word\nand a \\ backslash', strings=("甲\n乙",)),
        Entry("word " * 40, context="long", strings=("词" * 80,)),
    ]
    theirs = read_po(io.BytesIO(format_catalog(catalog).encode()))
    messages = [(m.id, m.context or "", m.string) for m in theirs if m.id]
    assert messages == [(e.id, e.context, e.strings[0]) for e in catalog if e.id]
