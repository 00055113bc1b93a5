"""Names of the target that SCIM does not allow, in a form that it does, and back.

RFC 7643 2.1 wants a letter of ASCII first, then letters, digits, `$`, `-` and `_`. Every other character becomes
`_xHHHH_`, its code point in four or six hexadecimal digits, as ISO/IEC 9075-14 does for names of columns in XML:
`First Name` is `First_x0020_Name`, `userCertificate;binary` is `userCertificate_x003B_binary`. A name that would not
begin with a letter gets an `x` before it: `2nd` is `x_x0032_nd`. A name that is valid already stays as it is, unless
it holds what could be read as such a code; in a name that is changed, every `_` before an `x` becomes a code as well.
"""

from __future__ import annotations

import re

_VALID = re.compile(r"[A-Za-z][A-Za-z0-9$_-]*")
_LETTER = re.compile(r"[A-Za-z]")
_KEPT = re.compile(r"[A-Za-z0-9$_-]")
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{6}|[0-9A-Fa-f]{4})_")
_MARK = re.compile(r"x_x(?:[0-9A-Fa-f]{6}|[0-9A-Fa-f]{4})_")


def is_valid(name: str) -> bool:
    """Return whether a name is an ATTRNAME of RFC 7643 2.1."""
    return _VALID.fullmatch(name) is not None


def escaped(name: str) -> str:
    """Return the form in which a name of the target is published; different names give different forms."""
    if is_valid(name) and _ESCAPE.search(name) is None:
        return name
    shown = "".join(_shown(name, index) for index in range(len(name)))
    if name and _LETTER.match(name) and _MARK.match(shown) is None:
        return shown
    return "x" + "".join([_code(name[:1]), *(_shown(name, index) for index in range(1, len(name)))])


def unescaped(shown: str) -> str:
    """Return the name whose published form this is."""
    if _MARK.match(shown) is not None:
        shown = shown[1:]
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), shown)


def _shown(name: str, index: int) -> str:
    character = name[index]
    if _KEPT.match(character) is None or name.startswith("_x", index):
        return _code(character)
    return character


def _code(character: str) -> str:
    if not character:
        return ""
    number = ord(character)
    return f"_x{number:04X}_" if number < 0x10000 else f"_x{number:06X}_"
