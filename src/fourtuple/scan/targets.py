"""What is to be scanned: targets and ports as people write them -> addresses and numbers.

Targets: a name, an address, a network (10.0.0.0/28), nmap's octet ranges (10.0.0.1-9,20), an IPv6
address or network, @FILE with any of these. Ports: nmap's -p. Names are looked up by the caller's
`resolve`, so that nothing here touches a network.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path

from msgspec import Struct

from fourtuple.errors import N_, InputError
from fourtuple.scan.services import services

__all__ = ["Target", "parse_ports", "parse_targets", "port_text"]

#: as many addresses as one scan may have: more is a mistake in writing
_MOST = 1 << 20
_LAST_PORT = 65535
#: as many digits as any number may have that is worth reading
_RANGE = r"[0-9]{0,9}-[0-9]{0,9}|[0-9]{1,9}"
_OCTETS = re.compile(r"(?:[0-9,-]{1,999}\.){3}[0-9,-]{1,999}")

#: a name -> addresses, best first; OSError where there are none
Resolver = Callable[[str], Sequence[str]]


class Target(Struct, frozen=True):
    """An address to scan, and the name that it was given by ("" where it was an address)."""

    address: str
    name: str = ""


def parse_targets(
    texts: Iterable[str], excluded: Iterable[str] = (), resolve: Resolver | None = None
) -> list[Target]:
    """The addresses meant, each once, in the order given. InputError says what is not one."""
    without = {one.address for one in _all(excluded, resolve)}
    found = {one.address: one for one in _all(texts, resolve) if one.address not in without}
    return list(found.values())


def _all(texts: Iterable[str], resolve: Resolver | None) -> Iterator[Target]:
    count = 0
    for text in texts:
        for one in _expand(text, resolve):
            count += 1
            if count > _MOST:
                raise InputError(
                    N_("{text}: more than {most} addresses"), {"text": text, "most": _MOST}
                )
            yield one


def _expand(text: str, resolve: Resolver | None) -> Iterator[Target]:
    if text.startswith("@"):
        for line in _lines(text[1:]):
            yield from _expand(line, resolve)
    elif "/" in text:
        yield from _network(text)
    elif _OCTETS.fullmatch(text) and not re.fullmatch(r"[\d.]+", text):
        yield from _octet_ranges(text)
    else:
        address = _address(text)
        yield Target(address) if address else _named(text, resolve)


def _lines(name: str) -> Iterator[str]:
    try:
        text = Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            N_("{file}: cannot read it: {reason}"), {"file": name, "reason": reason}
        ) from None
    for line in text.splitlines():
        for word in line.partition("#")[0].split():
            if word.startswith("@"):
                raise InputError(
                    N_("{file}: a file of targets names no other file"), {"file": name}
                )
            yield word


def _address(text: str) -> str:
    """The address in its one form; "" where the text is none. An IPv4 address in IPv6's clothes
    (::ffff:10.0.0.1) is the IPv4 one: that is what the kernel would send."""
    plain, percent, scope = text.strip("[]").partition("%")
    try:
        address = ipaddress.ip_address(plain)
    except ValueError:
        return ""
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address) + percent + scope


def _network(text: str) -> Iterator[Target]:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise InputError(N_("{text}: not a network"), {"text": text}) from None
    if network.num_addresses > _MOST:
        raise InputError(N_("{text}: more than {most} addresses"), {"text": text, "most": _MOST})
    return (Target(str(address)) for address in network)


def _octet_ranges(text: str) -> Iterator[Target]:
    octets = [sorted(_numbers(part, text, 0, 255)) for part in text.split(".")]
    return (Target(".".join(map(str, chosen))) for chosen in product(*octets))


def _named(text: str, resolve: Resolver | None) -> Target:
    try:
        addresses = resolve(text) if resolve and text else ()
    except (OSError, UnicodeError):
        addresses = ()
    if not addresses:
        raise InputError(N_("{text}: no such host, address or network"), {"text": text})
    return Target(addresses[0], text)


def parse_ports(text: str, protocol: str = "tcp") -> list[int]:
    """The port numbers of nmap's -p, ascending: 22,80,1000-2000, -100, 60000-, - (all), names with
    * and ?, [1-1024] for those of a range that are some service's, T: and U: before those of one
    protocol. InputError says what is not one."""
    found: set[int] = set()
    chosen = ""
    for part in text.split(","):
        word = part.strip()
        if match := re.match(r"([TU]):", word):
            chosen, word = {"T": "tcp", "U": "udp"}[match[1]], word[2:]
        ports = _ports(word, chosen or protocol, text)
        if chosen in ("", protocol):
            found.update(ports)
    return sorted(found)


def _ports(word: str, protocol: str, text: str) -> Iterable[int]:
    if re.fullmatch(_RANGE, word):
        return _port_numbers(word, text)
    known = services(protocol)
    if match := re.fullmatch(rf"\[({_RANGE})\]", word):
        found = set(known.values()) & set(_port_numbers(match[1], text))
    else:
        found = {port for name, port in known.items() if fnmatchcase(name, word)}
    if not found:
        raise InputError(
            N_("-p {text}: {word} is no port and no service of {protocol}"),
            {"text": text, "word": word, "protocol": protocol},
        )
    return found


def _port_numbers(word: str, text: str) -> Iterable[int]:
    if word.isdecimal() and int(word) == 0:
        raise InputError(
            N_("-p {text}: port 0 is reserved, and no program can listen at it"), {"text": text}
        )
    return _numbers(word, text, 1, _LAST_PORT)


def _numbers(words: str, text: str, first: int, last: int) -> Iterable[int]:
    """The numbers of "1,3-5,-7,9-", each within first to last."""
    found: set[int] = set()
    for word in words.split(","):
        low, dash, high = word.partition("-")
        begin = int(low) if low else first
        end = int(high) if high else last if dash else begin
        if not (word and first <= begin <= end <= last):
            raise InputError(
                N_("{text}: {word} is not within {first} to {last}"),
                {"text": text, "word": word or "?", "first": first, "last": last},
            )
        found.update(range(begin, end + 1))
    return found


def port_text(ports: Iterable[int]) -> str:
    """The shortest text of some ports: 22,80,1000-2000."""
    runs: list[list[int]] = []
    for port in sorted(ports):
        if runs and runs[-1][1] == port - 1:
            runs[-1][1] = port
        else:
            runs.append([port, port])
    return ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in runs)
