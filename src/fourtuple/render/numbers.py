"""Times and amounts as people read them."""

__all__ = ["byte_count", "duration", "milliseconds"]


def milliseconds(t_ns: int) -> str:
    """Nanoseconds as milliseconds: two decimals, as far as a human cares on a ladder."""
    return f"{t_ns / 1e6:.2f}"


def duration(t_ns: int) -> str:
    """A length of time in the unit that suits it: 350 us, 40.2 ms, 1.02 s, 2 min 5 s."""
    for unit, size_ns, most in (("us", 1e3, 999.5), ("ms", 1e6, 999.5), ("s", 1e9, 99.5)):
        if t_ns / size_ns < most:
            return f"{_short(t_ns / size_ns)} {unit}"
    minutes, seconds = divmod(round(t_ns / 1e9), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"


def byte_count(octets: int) -> str:
    """A number of bytes in the unit that suits it: 512 B, 40.2 kB, 1.02 GB. A kB is 1000 bytes."""
    for unit, size in (("B", 1), ("kB", 10**3), ("MB", 10**6), ("GB", 10**9)):
        if octets / size < 999.5:
            return f"{_short(octets / size)} {unit}"
    return f"{_short(octets / 10**12)} TB"


def _short(value: float) -> str:
    """Three digits, without zeros that say nothing."""
    decimals = 2 if value < 9.995 else 1 if value < 99.95 else 0
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if decimals else text
