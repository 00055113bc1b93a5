"""Distinguished names (RFC 4514): escaped when they are made, one spelling when they are compared."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import ldap
import ldap.dn

Rdn = tuple[tuple[str, str], ...]
"""The (type, value) pairs of one name; more than one in `cn=a+uid=b`."""

_SIMPLE = re.compile(
    r"[A-Za-z][A-Za-z0-9-]*=[^\\\"+,;<>=# \t\r\n\x00-\x1f](?:[^\\\"+,;<>=\x00-\x1f]*[^\\\"+,;<>= \x00-\x1f])?"
)
"""One RDN that every spelling rule leaves as it is."""

_SPECIAL = re.compile(r'[\\"+,;<>=\x00-\x1f\x7f]')
_BLANKS = re.compile("  +")
_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


class BadName(ValueError):
    """A text that is no distinguished name."""


def ascii_lower(text: str) -> str:
    """Return text with the letters A to Z in lower case, which every server takes for equal."""
    return text.translate(_LOWER)


def escape(value: str) -> str:
    """Return an attribute value as it stands in a DN (RFC 4514 2.4)."""
    text = _SPECIAL.sub(lambda m: f"\\{m[0]}" if m[0] > "\x1f" and m[0] != "\x7f" else f"\\{ord(m[0]):02X}", value)
    if text.startswith((" ", "#")):
        text = "\\" + text
    if text.endswith(" ") and value != " ":
        text = text[:-1] + "\\ "
    return text


def parse(dn: str) -> tuple[Rdn, ...]:
    """Return the names of a DN, the entry's own first; the empty DN has none.

    Raises:
        BadName: it is no DN.
    """
    if not dn.strip():
        return ()
    try:
        names = ldap.dn.str2dn(dn, ldap.DN_FORMAT_LDAPV3)
    except (ldap.DECODING_ERROR, ldap.LDAPError, ValueError, UnicodeError, TypeError) as exc:
        shown = dn if len(dn) <= 120 else dn[:120] + "..."
        raise BadName(
            f"{shown!r} is not a distinguished name (RFC 4514), such as uid=bjensen,dc=example,dc=org"
        ) from exc
    if any(not pair[0] or pair[1] is None for rdn in names for pair in rdn):
        raise BadName(f"{dn!r} has a name without type or value")
    return tuple(tuple((pair[0], pair[1]) for pair in rdn) for rdn in names)


def text(names: Iterable[Rdn]) -> str:
    """Return the DN made of these names."""
    return ",".join("+".join(f"{kind}={escape(value)}" for kind, value in rdn) for rdn in names)


def split(dn: str) -> tuple[str, str]:
    """Return an entry's own name and the DN of its parent."""
    names = parse(dn)
    if not names:
        raise BadName("the empty DN has no name of its own")
    return text(names[:1]), text(names[1:])


def is_below(dn: str, base: str) -> bool:
    """Whether an entry is the base or below it; both as `Names.key` gives them."""
    return not base or dn == base or dn.endswith("," + base)


class Names:
    """Spells DNs in one way, so that equal DNs are equal text.

    Types and ASCII letters become lower case, escapes and blanks between names take one form, several blanks become one
    (RFC 4518 2.6.1). Letters beyond ASCII stay as they are: servers differ in which they take for equal, and a DN in
    this form still means the same entry. Values of the attribute types in `exact` keep their letters.
    """

    def __init__(self, exact: Iterable[str] = ()) -> None:
        self._exact = frozenset(name.lower() for name in exact)

    def key(self, dn: str) -> str:
        """Return the one spelling.

        Raises:
            BadName: it is no DN.
        """
        if "  " not in dn and all(_SIMPLE.fullmatch(part) for part in dn.split(",")):
            lowered = dn.translate(_LOWER)
            if not self._exact or all(part.partition("=")[0] not in self._exact for part in lowered.split(",")):
                return lowered
        return text(tuple(sorted(self._pair(*pair) for pair in rdn)) for rdn in parse(dn))

    def _pair(self, kind: str, value: str) -> tuple[str, str]:
        kind, value = kind.translate(_LOWER), _BLANKS.sub(" ", value)
        return kind, value if kind in self._exact else value.translate(_LOWER)


def outermost(bases: Sequence[str]) -> list[str]:
    """Return the bases that are not below another one; all as `Names.key` gives them, each once."""
    chosen: list[str] = []
    for base in sorted(set(bases), key=len):
        if not any(is_below(base, other) for other in chosen):
            chosen.append(base)
    return sorted(chosen)
