"""A capture that is open, whichever way it is read: whole, or surveyed where it has many frames.

Both ways say the same of every connection; who asks need not know which one it is.
"""

from typing import TYPE_CHECKING

from fourtuple.lazy import export

if TYPE_CHECKING:
    from fourtuple.reading.api import ConnectionRead, Connections, Reading, read
    from fourtuple.reading.large import Large
    from fourtuple.reading.opening import opened
    from fourtuple.reading.whole import Whole

__all__ = ["ConnectionRead", "Connections", "Large", "Reading", "Whole", "opened", "read"]

export(
    __name__,
    api="ConnectionRead Connections Reading read",
    large="Large",
    opening="opened",
    whole="Whole",
)
