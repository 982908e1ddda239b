"""Timeline -> Facts: what the evidence proves of each connection, without judgement. Pure."""

from fourtuple.analyze.check import disagreements
from fourtuple.analyze.hosts import host_of
from fourtuple.analyze.tracking import connections

__all__ = ["connections", "disagreements", "host_of"]
