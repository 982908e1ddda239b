"""zstd's compressor, from where this Python has it."""

import sys

if sys.version_info >= (3, 14):
    from compression.zstd import compress as zstd
else:
    from backports.zstd import compress as zstd

__all__ = ["zstd"]
