"""The wire of the lab: a process that carries every frame by hand, and the rules it obeys."""
