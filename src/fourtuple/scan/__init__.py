"""Port scanning: strategies (pure), engines (I/O), results. Makes events, never findings."""

import os

__all__: list[str] = []

# numpy's linear algebra, which no scan uses, starts a thread a processor when it is imported: 30 ms
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
