"""The raw engine: probes sent by ourselves, answers read off a ring, no socket a port."""
