"""Messages become text in the reader's language, and never anything else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourtuple.explain.model import Message
from fourtuple.explain.text import LANGUAGES, N_, Translator, language_from, language_of

english, chinese = Translator("en"), Translator("zh")


def test_the_marker_changes_nothing():
    assert N_("three-way handshake") == "three-way handshake"


def test_a_message_has_its_fields_filled_in_in_both_languages():
    message = Message("The wire delivered it {ms} ms after it had entered.", {"ms": 5})
    assert english.text(message) == "The wire delivered it 5 ms after it had entered."
    assert "5 毫秒" in chinese.text(message)


def test_a_message_within_a_message_is_translated_too():
    message = Message("{first} {second}", {"first": Message("The client"), "second": "x"})
    assert english.text(message) == "The client x"
    assert chinese.text(message) == "客户端x"


def test_a_plain_text_is_a_message_without_fields():
    assert english.text("refused {x}") == "refused {x}"
    assert chinese.text("the server") == "服务器"
    assert chinese.text("never heard of") == "never heard of"


def test_english_has_two_plural_forms_and_chinese_one():
    def waiting(count: int) -> Message:
        one, many = "frame {frames}", "frames {frames}"
        return Message(one, {"frames": count}, many, count)

    assert [english.text(waiting(n)) for n in (1, 2, 0)] == ["frame 1", "frames 2", "frames 0"]
    assert [chinese.text(waiting(n)) for n in (1, 2)] == ["第 1 帧", "第 2 帧"]


def test_a_context_keeps_one_english_word_apart():
    assert english.text(Message("close", context="verb")) == "close"
    assert chinese.text(Message("the server", context="of a kind unknown")) == "the server"


def test_a_list_is_written_as_the_language_writes_lists():
    lengths = Message("{lengths}", {"lengths": [1460, 1460, Message("the client")]})
    assert english.text(lengths) == "1460, 1460, the client"
    assert chinese.text(lengths) == "1460、1460、客户端"


def test_braces_that_are_meant_stay():
    assert english.text(Message("{{{name}}}", {"name": 5})) == "{5}"


@pytest.mark.parametrize("field", ["{x.__class__}", "{x[0]}", "{x!r}", "{x:>99999999999}", "{}"])
def test_a_message_id_from_a_hostile_file_is_never_evaluated(field):
    assert english.text(Message(field, {"x": "secret"})) == field


@given(st.text(), st.dictionaries(st.text(max_size=3), st.text(max_size=3)))
def test_any_message_id_becomes_a_text(text, params):
    assert isinstance(chinese.text(Message(text, params)), str)


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("en", "en"),
        ("zh", "zh_CN"),
        ("zh_CN", "zh_CN"),
        ("zh-CN.UTF-8", "zh_CN"),
        ("ZH_cn@pinyin", "zh_CN"),
        ("en_GB.UTF-8", "en"),
        ("C.UTF-8", "en"),
        ("de_DE", None),
        ("", None),
    ],
)
def test_a_locale_s_name_says_which_language(name, language):
    assert language_of(name) == language


@pytest.mark.parametrize(
    ("environ", "language"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh_CN"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_CN"}, "zh_CN"),
        ({"LANG": "en_US.UTF-8", "LANGUAGE": "de:zh_CN:en"}, "zh_CN"),
        ({"LANG": "C.UTF-8", "LANGUAGE": "zh_CN"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
    ],
)
def test_the_environment_says_which_language_as_gettext_reads_it(environ, language):
    assert language_from(environ) == language


def test_an_unknown_language_is_refused_by_name():
    with pytest.raises(ValueError, match=r"'de'.*en, zh_CN"):
        Translator("de")
    assert [Translator(language).language for language in LANGUAGES] == list(LANGUAGES)
