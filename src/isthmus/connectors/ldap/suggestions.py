"""What the wizard can offer, learned from the entries that are there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import ldap
from ldap.controls import RequestControl, SimplePagedResultsControl

from isthmus.connectors.ldap import filters
from isthmus.connectors.ldap.directory import PAGED, Directory
from isthmus.connectors.ldap.dn import BadName, is_below, outermost, parse, text
from isthmus.connectors.ldap.errors import Failure, Kind
from isthmus.connectors.ldap.link import Entry, Link
from isthmus.connectors.ldap.settings import LdapObjectType, LdapSettings
from isthmus.spi import Suggestion

SAMPLE = 1000
"""Entries that are looked at below each naming context: enough to see the habits, quick on any server."""

_CONTAINERS = {
    "organizationalunit", "organization", "domain", "dcobject", "locality", "country", "container",
    "organizationalrole", "alias", "referral", "subentry", "simplesecurityobject", "applicationprocess", "device",
    "nscontainer", "pwdpolicy", "top",
}  # fmt: skip
_PEOPLE = ("inetorgperson", "user", "person", "organizationalperson", "account", "posixaccount")
_GROUPS = ("groupofnames", "groupofuniquenames", "posixgroup", "group", "groupofmembers", "groupofurls")


@dataclass(slots=True)
class _Seen:
    """What the entries of one structural class have in common."""

    count: int = 0
    naming: Counter[str] = field(default_factory=Counter)
    parents: Counter[str] = field(default_factory=Counter)
    auxiliary: Counter[str] = field(default_factory=Counter)


def types_in_use(
    directory: Directory, settings: LdapSettings, link: Link, seconds: Callable[[], float]
) -> tuple[LdapObjectType, ...]:
    """Return an object type for each structural class whose entries are more than containers, people first."""
    seen = _look_round(directory, settings, link, seconds)
    return _types(_in_order(seen), directory)


def suggest(
    directory: Directory, settings: LdapSettings, link: Link, seconds: Callable[[], float]
) -> Mapping[str, Suggestion]:
    seen = _look_round(directory, settings, link, seconds)
    ordered = _in_order(seen)
    counts = ", ".join(f"{found.count} of {name}" for name, found in ordered)
    anchor = next((a for a in directory.product.anchors if directory.attribute(a) is not None), "dn")
    return {
        "bases": Suggestion(directory.contexts, "the server's naming contexts"),
        "object_types": Suggestion(
            _types(ordered, directory),
            f"of the first {SAMPLE} entries: {counts or 'none but containers'}; "
            f"{directory.product.title}, anchor {anchor}",
        ),
        "delta": Suggestion(
            directory.product.deltas, f"what {directory.product.title} may offer, best first; auto tries in this order"
        ),
    }


def _in_order(seen: Mapping[str, _Seen]) -> list[tuple[str, _Seen]]:
    def rank(item: tuple[str, _Seen]) -> tuple[int, int, str]:
        folded = item[0].casefold()
        kind = 0 if folded in _PEOPLE else 1 if folded in _GROUPS else 2
        return kind, -item[1].count, item[0]

    return sorted(seen.items(), key=rank)


def _types(ordered: Sequence[tuple[str, _Seen]], directory: Directory) -> tuple[LdapObjectType, ...]:
    """Return the object types; the members of posixGroup are of the first kind of people that is named by uid."""
    people = next((name for name, found in ordered if name.casefold() in _PEOPLE and found.naming["uid"]), "")
    names = [name for name, _ in ordered]
    types = (_type(name, found, directory, _derived(directory, name, names)) for name, found in ordered)
    return tuple(replace(one, member_uid_type=people) if one.name == "posixGroup" else one for one in types)


def _derived(directory: Directory, name: str, others: Sequence[str]) -> list[str]:
    """Return which of these classes are made of this one: a search for it finds their entries as well."""
    folded = name.casefold()
    return [o for o in others if folded in {s.casefold() for s in _superiors(directory, directory.object_class(o))}]


def _type(name: str, found: _Seen, directory: Directory, derived: Sequence[str]) -> LdapObjectType:
    bases = outermost([directory.names.key(parent) for parent in found.parents])
    common = [each for each, count in found.auxiliary.most_common() if count * 2 > found.count]
    return LdapObjectType(
        name=name,
        auxiliary_classes=tuple(sorted(common)),
        bases=tuple(bases),
        filter=f"(!{filters.either(filters.equal('objectClass', d.encode()) for d in derived)})" if derived else "",
        dn_template=_template(found),
    )


def _template(found: _Seen) -> str:
    """Return the DN template that most entries follow."""
    if not found.naming or not found.parents:
        return ""
    naming, parent = found.naming.most_common(1)[0][0], found.parents.most_common(1)[0][0]
    return f"{naming}={{{naming}}},{parent}" if parent else ""


def _look_round(
    directory: Directory, settings: LdapSettings, link: Link, seconds: Callable[[], float]
) -> dict[str, _Seen]:
    seen: dict[str, _Seen] = {}
    for base in settings.bases or directory.contexts:
        for entry in _sample(directory, link, base, seconds):
            classes = [value.decode("utf-8", "replace") for value in entry.values.get("objectclass", ())]
            structural = _structural(directory, classes)
            if structural is None or structural.casefold() in _CONTAINERS or _of_the_server(directory, base, entry):
                continue
            try:
                (own, *above) = parse(entry.dn)
            except (BadName, ValueError):
                continue
            found = seen.setdefault(structural, _Seen())
            found.count += 1
            naming = directory.attribute(own[0][0])
            found.naming[naming.name if naming is not None else own[0][0]] += 1
            found.parents[text(above)] += 1
            found.auxiliary.update(_auxiliary(directory, classes))
    return seen


def _of_the_server(directory: Directory, base: str, entry: Entry) -> bool:
    """Tell whether an entry is the base itself, or among those that AD keeps for its own working."""
    key, above = directory.names.key(entry.dn), directory.names.key(base)
    return key == above or (directory.product.ad and is_below(key, f"cn=system,{above}"))


def _sample(directory: Directory, link: Link, base: str, seconds: Callable[[], float]) -> Sequence[Entry]:
    """Return the first entries below a base, as many as the server's limits allow."""
    paged = directory.supports(PAGED)
    found: list[Entry] = []
    size, cookie = SAMPLE, b""
    while len(found) < SAMPLE:
        controls: list[RequestControl] = [*directory.within]
        controls += [SimplePagedResultsControl(False, size=size, cookie=cookie)] if paged else []
        limit = 0 if paged else SAMPLE
        try:
            for answer in link.stream(
                base, ldap.SCOPE_SUBTREE, filters.EVERYTHING, ("objectClass",),
                seconds=seconds(), controls=controls, size_limit=limit,
            ):  # fmt: skip
                found += answer.entries
                cookie = next((c.cookie for c in answer.controls if c.controlType == PAGED), b"")
        except Failure as failure:
            if failure.kind not in {Kind.NO_ENTRY, Kind.LIMIT}:
                raise
            if failure.kind is Kind.LIMIT and paged and not found and size > 1:
                size //= 2  # a limit for one page; any other lets come what it lets come
                continue
            break
        if not cookie:
            break
    return found


def _structural(directory: Directory, classes: Sequence[str]) -> str | None:
    """Return the most derived structural class of an entry."""
    known = [c for c in (directory.object_class(name) for name in classes) if c is not None and c.kind == 0]
    above = {name.casefold() for each in known for name in _superiors(directory, each)}
    for each in known:
        if not any(name.casefold() in above for name in each.names):
            return str(each.names[0])
    return None


def _superiors(directory: Directory, declared: object) -> set[str]:
    found: set[str] = set()
    pending = list(getattr(declared, "sup", ()))
    while pending:
        name = pending.pop()
        if name in found:
            continue
        found.add(name)
        parent = directory.object_class(name)
        if parent is not None:
            found |= set(parent.names)
            pending += parent.sup
    return found


def _auxiliary(directory: Directory, classes: Sequence[str]) -> list[str]:
    found = [directory.object_class(name) for name in classes]
    return [str(c.names[0]) for c in found if c is not None and c.kind == 2]
