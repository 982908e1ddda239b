"""Servers and clients: an application core without I/O, and thin drivers around it."""

__all__: list[str] = []
