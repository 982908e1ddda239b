"""One connection over time, drawn."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from fourtuple.errors import CapabilityMissing, FourtupleError, UsageError
from fourtuple.explain.text import Translator
from fourtuple.reading import extras, plots
from fourtuple.reading.plots import course_of, steps_of, write_plot
from reading.kept import both, kept
from story import Story, opened

pytest.importorskip("matplotlib")


def transfer() -> Story:
    """Three segments of the client, the second of which is lost and sent again."""
    story = opened(complete=False)
    client, server = story.client, story.server
    client.send(100)
    server.ack()
    second = client.next
    client.send(100, lost=True)
    client.send(100)
    server.ack()
    story.wait(300)
    client.send(100, seq=second)
    server.ack(ack=301)
    return story


def test_the_course_tells_what_was_sent_again_and_what_was_on_its_way(tmp_path: Path) -> None:
    whole, _ = both(kept(transfer().timeline(), tmp_path / "x.pcap"))
    course = course_of(steps_of(whole, 0))
    assert course.from_client
    assert [stroke[1:] for stroke in course.sent] == [(1, 101), (101, 201), (201, 301)]
    assert [stroke[1:] for stroke in course.again] == [(101, 201)]
    assert max(octets for _, octets in course.flight) == 200
    assert course.flight[-1][1] == 0
    assert [acked for _, acked in course.acked] == [1, 101, 101, 301]
    # what came twice tells no round trip, nor does what waited behind it
    assert [seconds for _, seconds in course.trips] == [pytest.approx(0.001)]


def test_who_sent_more_is_followed(tmp_path: Path) -> None:
    story = opened(complete=False)
    story.server.send(50)
    story.client.send(10)
    whole, _ = both(kept(story.timeline(), tmp_path / "x.pcap"))
    assert not course_of(steps_of(whole, 0)).from_client


def test_both_ways_draw_the_same(tmp_path: Path) -> None:
    whole, large = both(kept(transfer().timeline(), tmp_path / "x.pcap"))
    assert steps_of(whole, 0) == steps_of(large, 0)
    assert whole.ends(0) == large.ends(0)


@pytest.mark.parametrize(
    ("name", "magic"), [("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.PDF", b"%PDF")]
)
def test_the_endings_name_the_format(name: str, magic: bytes, tmp_path: Path) -> None:
    whole, _ = both(kept(transfer().timeline(), tmp_path / "x.pcap"))
    write_plot(whole, 0, str(tmp_path / name))
    assert (tmp_path / name).read_bytes().startswith(magic)


def test_labels_are_in_the_language_if_a_font_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plots, "_CHINESE_FONTS", ("No Such Font",))
    translator, fonts = plots._language(Translator("zh"))
    assert (translator.language, fonts) == ("en", {})
    monkeypatch.setattr(plots, "_CHINESE_FONTS", ("DejaVu Sans",))
    translator, fonts = plots._language(Translator("zh"))
    assert translator.language == "zh_CN"
    assert fonts == {"font.family": ["DejaVu Sans", "sans-serif"]}


def test_a_drawing_is_of_the_connection_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import matplotlib

    monkeypatch.setitem(matplotlib.rcParams, "svg.fonttype", "none")
    whole, _ = both(kept(transfer().timeline(), tmp_path / "x.pcap"))
    write_plot(whole, 0, str(tmp_path / "a.svg"))
    root = ElementTree.fromstring((tmp_path / "a.svg").read_text("utf-8"))
    texts = {"".join(node.itertext()).strip() for node in root.iter() if node.tag.endswith("text")}
    assert {"10.77.0.1:40000 → 10.77.0.2:8888", "sent again", "bytes in flight"} <= texts


def test_other_endings_datagrams_and_closed_directories_are_refused(tmp_path: Path) -> None:
    story = transfer()
    story.datagram(story.client, 5)
    whole, _ = both(kept(story.timeline(), tmp_path / "x.pcap"))
    with pytest.raises(UsageError, match="ends in none of them"):
        write_plot(whole, 0, "a.gif")
    with pytest.raises(UsageError, match="Connection 1 has no TCP segments"):
        write_plot(whole, 1, "a.png")
    with pytest.raises(FourtupleError, match="cannot be written: No such file or directory"):
        write_plot(whole, 0, str(tmp_path / "none" / "a.png"))


def test_without_the_extra_the_remedy_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(extras, "import_module", missing)
    whole, _ = both(kept(transfer().timeline(), tmp_path / "x.pcap"))
    with pytest.raises(CapabilityMissing, match="matplotlib"):
        write_plot(whole, 0, "a.png")
