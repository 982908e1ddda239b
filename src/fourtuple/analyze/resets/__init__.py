"""Who sent an RST, and why: as far as the evidence goes, and no further."""
