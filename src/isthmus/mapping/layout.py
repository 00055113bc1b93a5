"""Where the target's attributes are found in a SCIM resource: the tree the compile step makes of a definition."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from isthmus.mapping.values import Accept
from isthmus.scim.syntax import AttributePath
from isthmus.spi import AttributeDefinition

ID = "#id"
EXTERNAL_ID = "#externalId"
DN = "#dn"
PASSWORD = "#password"  # noqa: S105 - the name of a place, not a password
ACTIVE = "#active"
CREATED = "#created"
MODIFIED = "#modified"
VERSION = "#version"


@dataclass(frozen=True, slots=True, eq=False)
class Slot:
    """One place in a resource that shows or takes one attribute of the target, or one of the pseudo attributes above.

    `path` is as published, `name` its last part; `scim_type` as in /Schemas. `single`: SCIM has one value here,
    whatever the target has. `show` None: the value is shown as it is. `invert` is already part of `accept` and `show`.
    """

    path: str
    name: str
    attribute: str
    definition: AttributeDefinition
    scim_type: str
    accept: Accept
    show: Callable[[Any], Any] | None = None
    single: bool = True
    invert: bool = False
    readable: bool = True
    writable: bool = True
    plain: bool = field(init=False)
    """Nothing stands in the way of a write: not read-only, and one value in the target as well."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "plain", self.writable and not self.definition.multivalued)


@dataclass(frozen=True, slots=True, eq=False)
class Simple:
    """An attribute without sub-attributes, for one value or several."""

    slot: Slot


@dataclass(frozen=True, slots=True, eq=False)
class Activation:
    """The core attribute `active`: not written as it is, but as the disable flow says."""

    slot: Slot


@dataclass(frozen=True, slots=True, eq=False)
class Complex:
    """A single-valued attribute with sub-attributes, such as `name`. Names are in lower case; `known`: the schema's."""

    path: str
    subs: Mapping[str, Slot]
    known: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class Element:
    """One element of a multi-valued complex attribute, picked by constants such as `type` = "work".

    `primary`: the element that is shown as the primary one and that takes a value sent without a type.
    """

    path: str
    selector: Mapping[str, str | bool]
    subs: Mapping[str, Slot]
    known: frozenset[str]
    primary: bool


@dataclass(frozen=True, slots=True, eq=False)
class Plural:
    """A multi-valued complex attribute: `elements` picked by selectors, or `whole`, a multi-valued target attribute."""

    path: str
    elements: tuple[Element, ...]
    whole: Slot | None
    known: frozenset[str]
    has_primary: bool
    by_type: dict[str, Element] = field(init=False, repr=False, default_factory=dict)
    """The elements by their `type` alone, casefolded, if nothing else tells any of them apart."""

    def __post_init__(self) -> None:
        if all(element.selector.keys() == {"type"} for element in self.elements):
            self.by_type.update((str(element.selector["type"]).casefold(), element) for element in self.elements)


@dataclass(frozen=True, slots=True, eq=False)
class Composite:
    """A complex attribute behind which one attribute of the target stands that is made of parts itself.

    `slot` is the attribute as a whole, `parts` its parts by their SCIM name in lower case, in the order they are shown
    (`Slot.attribute` is the target's name of the part). `plural`: SCIM has a list here. `open` as in `Section`.
    """

    path: str
    slot: Slot
    parts: Mapping[str, Slot]
    known: frozenset[str]
    plural: bool
    open: bool = True
    primary: Slot | None = field(init=False)
    """The part that marks at most one element as the preferred one (RFC 7643 2.4)."""

    def __post_init__(self) -> None:
        marks = self.parts.get("primary")
        marks = marks if self.plural and marks is not None and marks.scim_type == "boolean" else None
        object.__setattr__(self, "primary", marks)


@dataclass(frozen=True, slots=True, eq=False)
class Link:
    """A reference to other resources by id: `manager`, `members`."""

    slot: Slot
    plural: bool


@dataclass(frozen=True, slots=True, eq=False)
class ServerOwned:
    """What only this server assigns: `id`, `meta`, `schemas`, `groups`."""

    path: str


@dataclass(frozen=True, slots=True, eq=False)
class Memberships(ServerOwned):
    """`groups` of a user, computed from the groups that refer to it (RFC 7643 4.1.2)."""


@dataclass(frozen=True, slots=True, eq=False)
class Unmapped:
    """An attribute the schema knows and no flow serves."""

    path: str


Node = Simple | Activation | Complex | Plural | Composite | Link | ServerOwned | Unmapped


def slots_of(node: Node) -> list[Slot]:
    """Return every slot of a node."""
    match node:
        case Simple(slot=slot) | Activation(slot=slot) | Link(slot=slot) | Composite(slot=slot):
            return [slot]
        case Complex(subs=subs):
            return list(subs.values())
        case Plural(elements=elements, whole=whole):
            slots = [slot for element in elements for slot in element.subs.values()]
            return slots if whole is None else [*slots, whole]
        case _:
            return []


@dataclass(frozen=True, slots=True, eq=False)
class Section:
    """The attributes of one schema, by the name as published. Names are found exactly, else ignoring case."""

    urn: str
    nodes: Mapping[str, Node]
    open: bool = True
    """False: an unknown name is an error, not something to be ignored."""
    aliases: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Other spellings that are understood: the name in use by the name as published."""
    elsewhere: Mapping[str, Node] = field(default_factory=dict, repr=False)
    """What is shown by another section and understood here too, by name."""
    removable: bool = True
    """Whether a PATCH may remove all of it at once."""
    _folded: dict[str, Node] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        for name, node in self.nodes.items():
            self._folded.setdefault(name.lower(), node)
        for name, published in self.aliases.items():
            self._folded.setdefault(name.lower(), self.nodes[published])
        for name, node in self.elsewhere.items():
            self._folded.setdefault(name.lower(), node)

    def find(self, name: str) -> Node | None:
        return self.nodes.get(name) or self._folded.get(name.lower())

    def names(self) -> list[str]:
        """Return the published names, without what no flow serves."""
        return [name for name, node in self.nodes.items() if not isinstance(node, Unmapped)]


@dataclass(frozen=True, slots=True)
class Place:
    """What a path leads to: a node of a section, a section as a whole (`node` None and `whole`), or nothing."""

    section: Section | None
    node: Node | None
    sub: str | None = None
    whole: bool = False


class Layout:
    """Every section of a resource type: the schema's own attributes, then the extensions."""

    __slots__ = ("_by_urn", "_tolerant", "extension", "extensions", "main")

    def __init__(
        self, main: Section, extensions: Iterable[Section], extension: Section, *, tolerant: bool = True
    ) -> None:
        self._tolerant = tolerant
        self.main = main
        self.extension = extension
        self.extensions = (*extensions, extension)
        self._by_urn = {section.urn.lower(): section for section in (main, *self.extensions)}

    @property
    def sections(self) -> tuple[Section, ...]:
        return (self.main, *self.extensions)

    def section(self, urn: str) -> Section | None:
        """Return the schema's section, unless strict also for the misspelt enterprise URNs that clients send."""
        folded = urn.lower().rstrip(":")
        found = self._by_urn.get(folded)
        if found is None and self._tolerant and "enterprise" in folded and folded.endswith(":user"):
            return next((section for key, section in self._by_urn.items() if ":enterprise:" in key), None)
        return found

    def names(self) -> list[str]:
        """Return every published name, for "did you mean"; with its URN where it alone means something else."""
        names: list[str] = []
        taken: set[str] = set()
        for section in self.sections:
            names += [f"{section.urn}:{name}" if name.lower() in taken else name for name in section.names()]
            taken |= {name.lower() for name in section.nodes}
        return names

    def locate(self, path: AttributePath) -> Place:
        """Return where a path leads. A name without URN is looked for in the schema itself, then in the extensions.

        (Entra sends `manager` without its URN.)
        """
        if path.urn is None:
            node = self.main.find(path.name)
            if node is not None:
                return Place(self.main, node, path.sub)
            whole = path.name if path.sub is None else f"{path.name}.{path.sub}"
            for section in self.extensions:
                node = section.find(path.name)
                if node is not None:
                    return Place(section, node, path.sub)
                if section is self.extension and (node := section.find(whole)) is not None:
                    return Place(section, node)
            return Place(None, None)
        return self._locate_qualified(path.urn, path.name, path.sub)

    def _locate_qualified(self, urn: str, name: str, sub: str | None) -> Place:
        whole = name if sub is None else f"{name}.{sub}"
        section = self.section(urn)
        if section is not None:
            if section is self.extension and sub is not None and (node := section.find(whole)) is not None:
                return Place(section, node)  # the target's own names may hold dots
            return Place(section, section.find(name), sub)
        named = self.section(f"{urn}:{whole}")
        if named is not None:
            return Place(named, None, None, whole=True)
        prefix = self.extension.urn.lower() + ":"
        if urn.lower().startswith(prefix):  # ... and colons
            own = f"{urn[len(prefix) :]}:{whole}"
            return Place(self.extension, self.extension.find(own))
        return Place(None, None)
