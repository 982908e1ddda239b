"""Port scanning: strategies (pure), engines (I/O), results. Makes events, never findings."""

__all__: list[str] = []
