"""Listen addresses: `host:port`, `[ipv6]:port` or `unix:/path`."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

_HOST = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*\.?")
_SOCKET_PATH = 107  # bytes: sun_path of Linux has 108 with the closing NUL (unix(7))


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Either `host` and `port`, or the path of a Unix socket."""

    host: str = ""
    port: int = 0
    path: str | None = None

    @property
    def local(self) -> bool:
        """Whether only this machine can connect: a Unix socket or a loopback address."""
        return self.path is not None or is_loopback(self.host)

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address is this machine's loopback; names other than localhost are not resolved."""
    if host.casefold() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def parse_listen(text: str) -> ListenAddress:
    """Return the address.

    Raises:
        ValueError: with what is wrong, in words for an operator.
    """
    form = 'write "127.0.0.1:8585", "[::1]:8585" or "unix:/run/isthmus/scim.sock"'
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        if not path.startswith("/") or path.endswith("/") or not path.isprintable():
            raise ValueError(f"the path of a Unix socket must be absolute; {form}")
        if len(path.encode()) > _SOCKET_PATH:
            raise ValueError(f"the path of a Unix socket may have at most {_SOCKET_PATH} bytes")
        return ListenAddress(path=path)
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or len(port) > 5:
        raise ValueError(f"the port is missing or not a number; {form}")
    if not 1 <= int(port) <= 65535:
        raise ValueError("the port must be between 1 and 65535")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            raise ValueError(f"there is no IPv6 address between the brackets; {form}") from None
    elif not _HOST.fullmatch(host):
        raise ValueError(f"the host is neither an address nor a name; {form}")
    elif re.fullmatch(r"[0-9.]+", host):
        try:
            ipaddress.IPv4Address(host)
        except ValueError:
            raise ValueError(f"the host is not an IPv4 address; {form}") from None
    return ListenAddress(host=host, port=int(port))


def network_problem(text: str) -> str | None:
    """Return what is wrong with a network in CIDR form, or None."""
    try:
        ipaddress.ip_network(text)
    except ValueError:
        pass
    else:
        return None
    try:
        meant = ipaddress.ip_interface(text).network
    except ValueError:
        return 'this is not a network; write "10.1.0.0/16", "2001:db8::/32" or a single address'
    return f'bits after the prefix are set; write "{meant}"'
