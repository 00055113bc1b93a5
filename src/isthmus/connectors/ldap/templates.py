"""The DN of a new entry, made from its attributes: `uid={uid},ou={department},dc=example,dc=org`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from isthmus.connectors.ldap.dn import BadName, escape, parse
from isthmus.spi import InvalidValue, MisconfiguredConnector, Value

_PART = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Template:
    """Text with attribute names in braces."""

    text: str
    attributes: tuple[str, ...]

    def fill(self, values: Mapping[str, Sequence[Value]]) -> str:
        """Return the DN; values are escaped (RFC 4514), so that none of them can add or end a name.

        Raises:
            InvalidValue: an attribute has no value.
        """

        def value(found: re.Match[str]) -> str:
            given = values.get(found[1], ())
            if not given:
                raise InvalidValue(f"{found[1]} is needed: the DN is made from it", attribute=found[1])
            text = str(given[0])
            if "\x00" in text:
                raise InvalidValue(f"{found[1]} stands in the DN and cannot hold the character NUL", attribute=found[1])
            return escape(text)

        return _PART.sub(value, self.text)

    def supplied(self) -> frozenset[str]:
        """Return the types of the entry's own name, in lower case: they get their values from the DN."""
        return frozenset(kind.casefold() for kind, _ in parse(_PART.sub("x", self.text))[0])

    def sole_name(self) -> str | None:
        """Return the attribute that alone makes the DN: its value stands in no two entries."""
        if len(self.attributes) == 1 and re.match(r"[^=,]+=\{[^{}]+\}(,|$)", self.text) and self.text.count("{") == 1:
            return self.attributes[0]
        return None


def respelled(text: str, spelled: Callable[[str], str]) -> str:
    """Return the text of a template with other names for its attributes."""
    return _PART.sub(lambda found: f"{{{spelled(found[1])}}}", text)


def template(text: str, *, what: str) -> Template:
    """Return a template.

    Raises:
        MisconfiguredConnector: what it makes would be no DN.
    """
    rest = _PART.sub("x", text)
    try:
        if "{" in rest or "}" in rest or not parse(rest):
            raise BadName(f"{text!r} is no DN with attributes in braces")
    except BadName as exc:
        raise MisconfiguredConnector(f"{what}: {exc}; an example: uid={{uid}},ou=people,dc=example,dc=org") from exc
    names = tuple(dict.fromkeys(_PART.findall(text)))
    if not all(names):
        raise MisconfiguredConnector(f"{what}: braces without an attribute between them")
    return Template(text, names)
