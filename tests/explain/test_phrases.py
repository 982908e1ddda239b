"""Phrases that sentences share."""

import pytest

from fourtuple.analyze.model import Arithmetic
from fourtuple.explain.model import Message
from fourtuple.explain.phrases import frames_text, join, runs, summed
from fourtuple.explain.text import Translator

text = Translator("en").text


@pytest.mark.parametrize(
    ("numbers", "drawn"),
    [((), []), ((3,), ["3"]), ((3, 4, 5, 9), ["3-5", "9"]), ((9, 1, 2, 2), ["1-2", "9"])],
)
def test_runs_of_numbers_are_drawn_together(numbers, drawn):
    assert runs(numbers) == drawn


def test_one_frame_or_several():
    assert text(frames_text((7,))) == "frame 7"
    assert text(frames_text((7, 8))) == "frames 7-8"
    assert text(frames_text((7, 8, 10))) == "frames 7-8, 10"
    assert Translator("zh").text(frames_text((7, 8, 10))) == "第 7-8、10 帧"


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ((1, 14, 0, 0, 15), "ack 15 = 1 + 14"),
        ((0, 0, 1, 0, 1), "ack 1 = 0 + 1 (SYN counts one)"),
        ((1001, 500, 0, 1, 1502), "ack 1502 = 1001 + 500 + 1 (FIN counts one)"),
        ((0, 5, 1, 1, 7), "ack 7 = 0 + 5 + 1 + 1 (SYN and FIN count one each)"),
        ((15, 0, 0, 0, 15), "ack 15 = 15"),
    ],
)
def test_a_sum_is_written_out(terms, words):
    assert text(summed(Arithmetic("ack", *terms, actual=terms[-1]))) == words


def test_sentences_are_joined():
    assert text(join([Message("The client"), Message("The server")])) == "The client The server"
    assert text(join([])) == ""
