"""Every label that a header view shows: the message ids of this layer."""

from collections.abc import Iterator

from fourtuple.wire import tlv
from fourtuple.wire.view import View

__all__ = ["labels"]


def labels() -> tuple[str, ...]:
    """The names of all headers and the labels of all their fields, sorted."""
    return tuple(sorted({*tlv.LABELS, *_labels_below(View)}))


def _labels_below(kind: type[View]) -> Iterator[str]:
    for view in kind.__subclasses__():
        if view.name:
            yield view.name
        yield from (row.label for row in view.FIELDS)
        yield from view.LABELS
        yield from _labels_below(view)
