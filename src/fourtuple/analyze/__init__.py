"""Timeline -> Facts: what the evidence proves of each connection, without judgement. Pure."""

from typing import TYPE_CHECKING

from fourtuple.lazy import export

if TYPE_CHECKING:
    from fourtuple.analyze.check import disagreements
    from fourtuple.analyze.hosts import host_of
    from fourtuple.analyze.tracking import connections

__all__ = ["connections", "disagreements", "host_of"]

export(
    __name__,
    check="disagreements",
    hosts="host_of",
    tracking="connections",
)
