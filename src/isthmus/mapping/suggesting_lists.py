"""Suggest flows for attributes with several values or made of parts: e-mails, telephones, addresses."""

from __future__ import annotations

from collections.abc import Iterable

from isthmus.mapping.composing import Misfit, flow_composite
from isthmus.mapping.definition import Flow
from isthmus.mapping.slots import clash
from isthmus.mapping.wording import words
from isthmus.scim.schema import ScimAttribute
from isthmus.scim.user_schema import USER
from isthmus.spi import AttributeDefinition, AttributeType

# SCIM attribute -> words that a table or an attribute is called by, in the singular
_LISTS: dict[str, tuple[str, ...]] = {
    "emails": ("email", "mail", "emailaddress", "mailaddress", "emailadresse"),
    "phoneNumbers": ("phone", "phonenumber", "telephone", "telephonenumber", "telefon", "telefonnummer", "rufnummer"),
    "addresses": ("address", "postaladdress", "adresse", "anschrift", "addresse"),
    "ims": ("im", "instantmessenger", "messenger"),
    "photos": ("photo", "picture", "foto", "bild"),
    "roles": ("role", "rolle"),
    "entitlements": ("entitlement", "permission", "berechtigung", "license", "lizenz"),
    "x509Certificates": ("certificate", "usercertificate", "x509certificate", "zertifikat"),
    "name": ("name", "fullname", "personname"),
}
# sub-attribute -> names of columns, besides its own
_PARTS: dict[str, tuple[str, ...]] = {
    "value": (
        "email", "mail", "emailaddress", "address", "phone", "phonenumber", "number", "telephone", "telephonenumber",
        "role", "name", "certificate", "url", "permission", "adresse", "nummer", "telefon", "wert", "rolle",
    ),
    "type": ("kind", "label", "category", "typ", "art"),
    "primary": ("isprimary", "preferred", "ispreferred", "default", "isdefault", "main", "ismain", "haupt"),
    "display": ("displayname", "description", "caption", "bezeichnung"),
    "streetAddress": ("street", "streetline", "addressline", "line", "strasse"),
    "locality": ("city", "town", "ort", "stadt"),
    "region": ("state", "province", "bundesland"),
    "postalCode": ("zip", "zipcode", "postcode", "postal", "plz"),
    "country": ("countrycode", "land"),
    "formatted": ("full", "formattedaddress", "fullname"),
    "givenName": ("firstname", "first", "forename", "vorname"),
    "familyName": ("lastname", "last", "surname", "nachname"),
    "middleName": ("middle", "secondname"),
}  # fmt: skip


def suggest_lists(attributes: Iterable[AttributeDefinition]) -> dict[str, Flow]:
    """Return flows for attributes that are made of parts or have several values, by SCIM attribute."""
    flows: dict[str, Flow] = {}
    candidates = [a for a in attributes if a.type is AttributeType.COMPLEX or a.multivalued]
    for name, called in _LISTS.items():
        scim = USER.attribute(name)
        assert scim is not None
        for definition in candidates:
            flow = _flow(scim, definition) if _is_called(definition.name, called) else None
            if flow is not None:
                flows[name] = flow
                candidates.remove(definition)
                break
    return flows


def _is_called(name: str, called: tuple[str, ...]) -> bool:
    """Tell whether a name ends in one of the words, in the singular or the plural (`person_emails`, `Addresses`)."""
    parts = words(name)
    ends = {"".join(parts[start:]) for start in range(len(parts))}
    singular = {end.removesuffix("s") for end in ends} | {end.removesuffix("es") for end in ends} | ends
    return not singular.isdisjoint(called)


def _flow(scim: ScimAttribute, definition: AttributeDefinition) -> Flow | None:
    direction = "import" if definition.readonly else "both"
    if definition.type is not AttributeType.COMPLEX:
        value = scim.sub("value")
        fits = value is not None and scim.multi_valued and _suits(value, definition)
        return Flow(attribute=definition.name, direction=direction) if fits else None  # type: ignore[arg-type]
    names = _sub_attributes(scim, definition)
    try:
        flow_composite(scim.name, definition, scim, names=names, direction=direction)
    except Misfit:
        return None
    return Flow(attribute=definition.name, direction=direction, sub_attributes=names)  # type: ignore[arg-type]


def _sub_attributes(scim: ScimAttribute, definition: AttributeDefinition) -> dict[str, str]:
    """Return the part behind each sub-attribute that no part is called like."""
    left = {part.name: part for part in definition.sub_attributes}
    own = {part.name.lower(): part.name for part in definition.sub_attributes}
    wanted = [sub for sub in scim.sub_attributes if sub.name.lower() not in own]
    for sub in scim.sub_attributes:
        left.pop(own.get(sub.name.lower(), ""), None)
    names: dict[str, str] = {}
    for sub in sorted(wanted, key=lambda each: each.name == "value"):  # `value` takes what the others leave
        for called in (sub.name.lower(), *_PARTS.get(sub.name, ())):
            found = next((n for n, part in left.items() if _fits(called, sub, part)), None)
            if found is not None:
                names[sub.name] = found
                del left[found]
                break
    return {sub.name: names[sub.name] for sub in scim.sub_attributes if sub.name in names}


def _fits(called: str, sub: ScimAttribute, part: AttributeDefinition) -> bool:
    return "".join(words(part.name)) == called and _suits(sub, part)


def _suits(sub: ScimAttribute, part: AttributeDefinition) -> bool:
    """Tell whether the type goes with the place: moments and pictures can be shown as text, but are no address."""
    if sub.type in {"string", "reference"} and part.type not in {AttributeType.STRING, AttributeType.INTEGER}:
        return False
    return clash(sub.type, part, invert=False) is None
