"""Broken in reading and finding."""

from __future__ import annotations

import dataclasses
import re

from connectors.broken.registry import broken
from isthmus.connectors.memory import MemoryConnector
from isthmus.spi import Anchor, Identity


def _with(found, **attributes):
    return found and dataclasses.replace(found, attributes={**found.attributes, **attributes})


@broken(
    "test_unknown_object_type_is_refused",
    because="read of an unknown type",
)
class KnowsEveryType(MemoryConnector):
    """Reads None from an object type that does not exist."""

    def read(self, object_type, identity, **named):
        return super().read(object_type, identity, **named) if object_type in self._types else None


@broken(
    "test_unknown_object_type_is_refused",
    because="KeyError escape",
)
class LetsKeyErrorEscape(MemoryConnector):
    """Lets a KeyError of its own tables escape."""

    def read(self, object_type, identity, **named):
        {name: name for name in self._types}[object_type]
        return super().read(object_type, identity, **named)


@broken(
    "test_unknown_attribute_is_refused",
    because="read of an unknown attribute",
)
class InventsAttributes(MemoryConnector):
    """Reads an attribute that does not exist as one without a value."""

    def read(self, object_type, identity, *, attributes, call):
        known = {a.name for a in self._target.type_named("user").attributes}
        asked = [name for name in attributes if name in known] if object_type == "user" else attributes
        found = super().read(object_type, identity, attributes=asked, call=call)
        return _with(found, **{name: () for name in attributes if name not in asked})


@broken(
    "test_only_asked_attributes_are_read",
    because="as well",
)
class ReadsEverything(MemoryConnector):
    """Reads more than was asked."""

    def read(self, object_type, identity, *, attributes, call):
        return super().read(object_type, identity, attributes={*attributes, "displayName"}, call=call)


@broken(
    "test_no_value_is_an_empty_tuple",
    because="displayName",
    also=("test_empty_replacement_clears",),
)
class LeavesOutWhatIsEmpty(MemoryConnector):
    """Reads an attribute without a value as one that was not asked for."""

    def read(self, object_type, identity, **named):
        found = super().read(object_type, identity, **named)
        if found is None or found.attributes.get("displayName") != ():
            return found
        return dataclasses.replace(found, attributes={k: v for k, v in found.attributes.items() if k != "displayName"})


@broken(
    "test_secret_attributes_are_never_read",
    because="",
    also=("test_only_asked_attributes_are_read",),
)
class ReadsSecrets(MemoryConnector):
    """Returns a secret attribute."""

    def read(self, object_type, identity, **named):
        return _with(super().read(object_type, identity, **named), pin=("x",))


@broken(
    "test_find_takes_wildcards_literally",
    because="was taken as a pattern",
)
class FindsByPattern(MemoryConnector):
    """Takes * for any text."""

    def find(self, object_type, attribute, value, *, attributes, call):
        if not isinstance(value, str) or "*" not in value:
            return super().find(object_type, attribute, value, attributes=attributes, call=call)
        pattern = re.compile(".*".join(map(re.escape, value.split("*"))), re.DOTALL | re.IGNORECASE)
        readable = [*attributes, attribute]
        found = [
            self.read(object_type, Identity(Anchor(anchor)), attributes=readable, call=call)
            for anchor in self._target.anchors(object_type)
        ]
        return [f for f in found if f and any(pattern.fullmatch(v) for v in f.attributes[attribute])]


@broken(
    "test_find_takes_the_whole_value",
    because="that only hold it",
)
class FindsByPrefix(MemoryConnector):
    """Finds whoever's name begins so."""

    def find(self, object_type, attribute, value, *, attributes, call):
        found = list(super().find(object_type, attribute, value, attributes=attributes, call=call))
        if attribute != "displayName" or value != "middle":
            return found
        everybody = [
            self.read("user", Identity(Anchor(anchor)), attributes=[*attributes, attribute], call=call)
            for anchor in self._target.anchors("user")
        ]
        return [each for each in everybody if each.attributes[attribute][0].startswith(value)]


@broken(
    "test_find_by_every_attribute",
    because="of type 'person'",
)
class FindsUnderAnotherName(MemoryConnector):
    """Gives what it found by number another type than it was asked for."""

    def find(self, object_type, attribute, value, **named):
        found = super().find(object_type, attribute, value, **named)
        return [dataclasses.replace(f, object_type="person") for f in found] if attribute == "salary" else found


@broken(
    "test_find_follows_case_exact",
    because="case_exact=True",
)
class FindsInAnyCase(MemoryConnector):
    """Ignores case where the schema says that it counts."""

    def find(self, object_type, attribute, value, *, attributes, call):
        if attribute != "costCentre" or not value.isalpha():
            for variant in (value,) if attribute != "costCentre" else (value, "CaSe-aO"):
                found = super().find(object_type, attribute, variant, attributes=attributes, call=call)
                if found:
                    return found
        return super().find(object_type, attribute, value, attributes=attributes, call=call)


@broken(
    "test_anchor_text_follows_case_exact",
    because="another anchor text",
)
class EchoesTheAnchor(MemoryConnector):
    """Gives the anchor as it was asked for instead of as the target has it."""

    def find(self, object_type, attribute, value, **named):
        found = super().find(object_type, attribute, value, **named)
        if attribute != "login" or len(found) != 1 or value == value.lower() or not value.startswith("LOGIN-"):
            return found
        return [dataclasses.replace(found[0], identity=Identity(Anchor((value,))))]


@broken(
    "test_find_returns_at_most_100",
    because="find() returned",
)
class FindsTooMany(MemoryConnector):
    """Returns as many objects as there are."""

    def find(self, object_type, attribute, value, *, attributes, call):
        found = super().find(object_type, attribute, value, attributes=attributes, call=call)
        return [*found, *found[:5]] if len(found) == 100 else found


@broken(
    "test_find_by_every_attribute",
    because="not found by badge",
)
class CannotFindBinary(MemoryConnector):
    """Finds nothing by a binary value, and does not say that it cannot."""

    def find(self, object_type, attribute, value, **named):
        found = super().find(object_type, attribute, value, **named)
        return [] if isinstance(value, bytes) else found


@broken(
    "test_find_many_finds_for_each_value",
    because="among others gave",
)
class ForgetsTheOrder(MemoryConnector):
    """Finds for several values, and gives what it found in another order."""

    def find_many(self, object_type, attribute, values, **named):
        return sorted(super().find_many(object_type, attribute, values, **named), key=len)


@broken(
    "test_find_many_takes_values_literally",
    because="was taken as a pattern",
)
class FindsManyByPattern(MemoryConnector):
    """Takes * for any text where several values are asked for."""

    def find_many(self, object_type, attribute, values, *, attributes, call):
        found = super().find_many(object_type, attribute, values, attributes=attributes, call=call)
        if "*" not in values:
            return found
        anchors = self._target.anchors(object_type)
        everybody = [
            self.read(object_type, Identity(Anchor(each)), attributes=attributes, call=call) for each in anchors
        ]
        return [everybody if value == "*" else each for value, each in zip(values, found, strict=True)]
