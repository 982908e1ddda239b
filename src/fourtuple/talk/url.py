"""Where to listen, or whom to talk to: `tcp://127.0.0.1:8888`, `ws://[::1]:8080/chat`, `unix:///p`.

Rules: the scheme names the transport and what runs on it; a port that is not written is the
scheme's own, or the documents' 8888. Names are not looked up here. What cannot be meant is refused
with the form that would do. Pure: no socket, no file.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from fourtuple.errors import N_, UsageError

__all__ = ["SCHEMES", "Scheme", "Url", "parse_url"]

_DEFAULT_PORT = 8888
_HIGHEST_PORT = 65535
_HIGHEST_PROTOCOL = 255

NOT_A_URL = N_(
    "{text} is no address to talk to. Write scheme://host:port, for example tcp://127.0.0.1:8888;"
    " schemes: {schemes}."
)
NO_SCHEME = N_("There is no scheme {scheme}. There are {schemes}.")
NO_HOST = N_("{text} names no host. Write, for example, {scheme}://127.0.0.1:{port}.")
BAD_PORT = N_("{port} is no port; ports are whole numbers from 0 to 65535.")
BAD_PROTOCOL = N_(
    "{protocol} is no protocol number. raw:// takes one from 0 to 255 where others take a port:"
    " raw://127.0.0.1:253 (253 and 254 are for experiments, RFC 3692)."
)
BAD_ADDRESS = N_("[{host}] is no IPv6 address.")
BARE_IPV6 = N_(
    "{host} looks like an IPv6 address: write it in brackets, {scheme}://[{host}]:{port}."
)
NO_PATH = N_("unix:// wants the path of a socket: unix:///run/app.sock.")
PATH_UNUSED = N_("{scheme}:// takes no path; {path} would mean nothing.")


@dataclass(frozen=True, slots=True)
class Scheme:
    """`transport` is tcp, udp, raw or unix; `over` what runs on it: "" (bytes), http or ws."""

    transport: str
    over: str = ""
    tls: bool = False
    port: int = _DEFAULT_PORT


SCHEMES: Mapping[str, Scheme] = MappingProxyType(
    {
        "tcp": Scheme("tcp"),
        "udp": Scheme("udp"),
        "raw": Scheme("raw", port=253),
        "unix": Scheme("unix", port=0),
        "tls": Scheme("tcp", tls=True),
        "http": Scheme("tcp", "http", port=80),
        "https": Scheme("tcp", "http", tls=True, port=443),
        "ws": Scheme("tcp", "ws", port=80),
        "wss": Scheme("tcp", "ws", tls=True, port=443),
    }
)


@dataclass(frozen=True, slots=True)
class Url:
    """A parsed address. `host` has no brackets; `port` is a protocol number for raw://; `path` is
    the resource with its query for http and ws, the file for unix, else ""."""

    scheme: str
    host: str
    port: int
    path: str = ""

    @property
    def kind(self) -> Scheme:
        return SCHEMES[self.scheme]

    @property
    def authority(self) -> str:
        """host:port, IPv6 in brackets, the port left out where it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = self.kind.over and self.port == self.kind.port
        return host if usual else f"{host}:{self.port}"

    def __str__(self) -> str:
        if self.kind.transport == "unix":
            return f"unix://{self.path}"
        return f"{self.scheme}://{self.authority}{self.path}"


def parse_url(text: str, port: int | None = None) -> Url:
    """The address that was written; UsageError where it is none.

    `port` is what stands for a port that is not written, if not the scheme's own: a server asks for
    8080 where a client means 80.
    """
    written = re.fullmatch(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^#]*)(#.*)?", text)
    schemes = ", ".join(SCHEMES)
    if written is None or any(c.isspace() or not c.isprintable() for c in text):
        raise UsageError(NOT_A_URL, {"text": repr(text), "schemes": schemes})
    scheme, authority, path = written[1].lower(), written[2], written[3]
    if scheme not in SCHEMES:
        raise UsageError(NO_SCHEME, {"scheme": scheme, "schemes": schemes})
    if scheme == "unix":
        return _unix(authority, path)
    kind = SCHEMES[scheme]
    host, number = _split(authority, scheme, text, kind.port if port is None else port)
    if kind.over:
        path = path if path.startswith("/") else f"/{path}"
    elif path not in ("", "/"):
        raise UsageError(PATH_UNUSED, {"scheme": scheme, "path": path})
    return Url(scheme, host, number, path if kind.over else "")


def _unix(authority: str, path: str) -> Url:
    if not authority + path.strip("/"):
        raise UsageError(NO_PATH)
    return Url("unix", "", 0, authority + path)


def _split(authority: str, scheme: str, text: str, default: int) -> tuple[str, int]:
    """Host and port (or protocol number) of what stands between // and the path."""
    shown = default or _DEFAULT_PORT
    if authority.count(":") > 1 and not authority.startswith("["):
        params = {"host": authority, "scheme": scheme, "port": shown}
        raise UsageError(BARE_IPV6, params)
    parts = re.fullmatch(r"(?:\[([^\]]*)\]|([^:\[\]@]*))(?::(.*))?", authority)
    if parts is None:
        raise UsageError(NOT_A_URL, {"text": repr(text), "schemes": ", ".join(SCHEMES)})
    bracketed, name, port = parts.groups()
    bracketed = bracketed and bracketed.replace("%25", "%", 1)  # a zone, as RFC 6874 writes it
    if not (bracketed or name):
        raise UsageError(NO_HOST, {"text": repr(text), "scheme": scheme, "port": shown})
    if bracketed is not None and not _is_ipv6(bracketed):
        raise UsageError(BAD_ADDRESS, {"host": bracketed})
    return bracketed or name, default if port in (None, "") else _number(port, scheme)


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _number(text: str, scheme: str) -> int:
    raw = scheme == "raw"
    most = _HIGHEST_PROTOCOL if raw else _HIGHEST_PORT
    if not re.fullmatch(r"[0-9]{1,6}", text) or int(text) > most:
        params = {"protocol" if raw else "port": repr(text)}
        raise UsageError(BAD_PROTOCOL if raw else BAD_PORT, params)
    return int(text)
