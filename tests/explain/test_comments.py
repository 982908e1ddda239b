"""What a recording carries beside its frames for other tools to show."""

from fourtuple.explain.comments import comments
from fourtuple.explain.text import Translator
from story import exchange


def test_every_segment_is_commented_on_in_the_reader_s_language():
    timeline = exchange().timeline()
    english, chinese = (comments(timeline, Translator(name)) for name in ("en", "zh"))
    assert list(english) == list(chinese) == list(range(1, 12))
    assert english[5] == "ack 15 = 1 + 14: every byte up to 14 has arrived; 15 is expected next."
    assert chinese[5].startswith("ack 15 = 1 + 14：")
