"""What the kernel's trace says: `formats` reads the descriptions of events, `pages` the ring
buffers, `feed` has both instances and gives records in order of time, `join` makes events of
them."""
