"""What a recording says beside each frame: the sentence of its segment, for other tools to show."""

from collections.abc import Mapping

from fourtuple.analyze import connections
from fourtuple.event.timeline import Timeline
from fourtuple.explain.segments import sentence
from fourtuple.explain.text import Translator

__all__ = ["comments"]


def comments(timeline: Timeline, translator: Translator) -> Mapping[int, str]:
    """Frame number -> its sentence in the translator's language."""
    return {
        segment.frame: translator.text(sentence(connection, segment, timeline))
        for connection in connections(timeline)
        for segment in connection.segments
    }
