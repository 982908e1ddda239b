"""The hosts of the lab: their programs, sockets and settings, and who looks at their kernels."""
