"""The compiled way through a capture of any size; its slow twin is in `analyze`."""
