"""Where a request really comes from and by which URL: forwarded headers count only from trusted proxies."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Networks:
    """A set of networks in CIDR form; answers are remembered per address."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._networks: tuple[Network, ...] = tuple(ipaddress.ip_network(text) for text in texts)
        self.contains = lru_cache(4096)(self._contains)

    def __bool__(self) -> bool:
        return bool(self._networks)

    def _contains(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
            parsed = parsed.ipv4_mapped
        return any(parsed.version == network.version and parsed in network for network in self._networks)


class Origin:
    """Tells address, scheme and host of a request.

    `X-Forwarded-For` is read from the right: each trusted proxy appended the address it saw, so the first entry that
    is not a trusted proxy is the client; whatever stands left of it was written by the client itself.
    """

    def __init__(self, trusted: Sequence[str], public_url: str | None, fallback: str) -> None:
        self._trusted = Networks(trusted)
        self._public = public_url.rstrip("/") if public_url else None
        self._fallback = fallback

    def address(self, environ: Mapping[str, Any]) -> str:
        """Return the client's address; a connection through a Unix socket has none of its own and counts as trusted."""
        peer: str = environ.get("REMOTE_ADDR") or ""
        if not self._from_proxy(peer):
            return peer
        for hop in reversed(environ.get("HTTP_X_FORWARDED_FOR", "").split(",")):
            name = hop.strip()
            if name.startswith("["):
                name = name[1:].partition("]")[0]
            elif name.count(":") == 1:
                name = name.partition(":")[0]
            if not _is_address(name):
                break
            peer = name
            if not self._trusted.contains(name):
                break
        return peer

    def root(self, environ: Mapping[str, Any]) -> str:
        """Return scheme and host for `meta.location`, without a slash at the end."""
        if self._public is not None:
            return self._public
        scheme: str = environ.get("wsgi.url_scheme", "https")
        host: str = environ.get("HTTP_HOST", "")
        if self._trusted and self._from_proxy(environ.get("REMOTE_ADDR") or ""):
            forwarded = environ.get("HTTP_X_FORWARDED_PROTO", "").split(",")[-1].strip().lower()
            scheme = forwarded if forwarded in {"http", "https"} else scheme
            host = environ.get("HTTP_X_FORWARDED_HOST", "").split(",")[-1].strip() or host
        return _root(scheme, host, self._fallback)

    def _from_proxy(self, peer: str) -> bool:
        return bool(self._trusted) and (not peer or peer.startswith("/") or self._trusted.contains(peer))


@lru_cache(256)
def _root(scheme: str, host: str, fallback: str) -> str:
    return f"{scheme}://{host if _HOST.fullmatch(host) else fallback}"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
