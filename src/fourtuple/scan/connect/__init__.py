"""The connect engine: the kernel makes the probes, and nobody needs a privilege."""
