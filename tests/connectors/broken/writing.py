"""Broken in writing."""

from __future__ import annotations

import dataclasses
import threading
import unicodedata
from contextlib import suppress
from decimal import Decimal

from connectors.broken.registry import broken
from isthmus.connectors.memory import MemoryConnector
from isthmus.spi import (
    AlreadyExists,
    Anchor,
    AttributeChange,
    AttributeType,
    Complex,
    ConnectorError,
    Identity,
    InvalidValue,
    NotFound,
)


def _changed(changes, rule):
    """Return the changes with every new value passed through a rule."""
    return [dataclasses.replace(c, replace=None if c.replace is None else tuple(map(rule, c.replace))) for c in changes]


class Rewrites(MemoryConnector):
    """Writes other values than it was given."""

    def rule(self, value):
        raise NotImplementedError

    def create(self, object_type, attributes, **named):
        rewritten = {name: tuple(map(self.rule, values)) for name, values in attributes.items()}
        return super().create(object_type, rewritten, **named)

    def update(self, object_type, identity, changes, **named):
        return super().update(object_type, identity, _changed(changes, self.rule), **named)


@broken(
    "test_edge_values_round_trip_or_are_refused",
    because="neither exact nor refused",
)
class RoundsDecimals(Rewrites):
    """Passes decimals through floating point."""

    def rule(self, value):
        return Decimal(repr(float(value))) if isinstance(value, Decimal) and value.is_finite() else value


@broken(
    "test_edge_values_round_trip_or_are_refused",
    because="neither exact nor refused",
)
class WrapsIntegers(Rewrites):
    """Keeps 32 bits of an integer."""

    def rule(self, value):
        if type(value) is not int:
            return value
        return (value + 2**31) % 2**32 - 2**31


@broken(
    "test_moments_are_kept_across_zones",
    because="hiredAt: sent",
)
class DropsTheZone(Rewrites):
    """Keeps the wall clock of a moment and drops its zone."""

    def rule(self, value):
        return value.replace(tzinfo=None) if hasattr(value, "tzinfo") else value


@broken(
    "test_empty_string_is_kept_or_no_value",
    because="",
)
class FillsEmptyText(Rewrites):
    """Turns empty text into a word."""

    def rule(self, value):
        return "(empty)" if value == "" else value


@broken(
    "test_hostile_text_round_trips_or_is_refused",
    because="neither exact nor refused",
    also=(
        "test_hostile_text_is_found_literally",
        "test_hostile_anchor_is_taken_literally",
        "test_create_keeps_values_as_update_does",
        "test_multivalued_text_is_kept_or_refused",
    ),
)
class NormalisesText(Rewrites):
    """Normalises text to NFC."""

    def rule(self, value):
        return unicodedata.normalize("NFC", value) if isinstance(value, str) else value


@broken(
    "test_hostile_text_round_trips_or_is_refused",
    because="nul",
    also=("test_hostile_text_is_found_literally", "test_multivalued_text_is_kept_or_refused"),
)
class EndsTextAtNul(Rewrites):
    """Cuts text at the first NUL, as a C library does."""

    def rule(self, value):
        return value.split("\x00")[0] + "#" if isinstance(value, str) and value.startswith("nul\x00") else value

    def create(self, object_type, attributes, **named):
        return MemoryConnector.create(self, object_type, attributes, **named)


@broken(
    "test_max_length_is_kept",
    because="",
    also=(
        "test_huge_value_is_kept_or_refused",
        "test_update_is_all_or_nothing",
    ),
)
class CutsLongText(MemoryConnector):
    """Cuts text that is too long."""

    def update(self, object_type, identity, changes, **named):
        cut = [
            dataclasses.replace(c, replace=tuple(v[:64] for v in c.replace))
            if c.name in {"givenName", "familyName"} and c.replace and isinstance(c.replace[0], str)
            else c
            for c in changes
        ]
        return super().update(object_type, identity, cut, **named)


@broken(
    "test_several_values_for_a_single_valued_attribute_are_refused",
    because="two values for",
)
class TakesTheFirst(MemoryConnector):
    """Takes the first of several values for a single-valued attribute."""

    def create(self, object_type, attributes, **named):
        if object_type not in self._types:
            return super().create(object_type, attributes, **named)
        single = {a.name for a in self._target.type_named(object_type).attributes if not a.multivalued}
        first = {k: v[:1] if k in single else v for k, v in attributes.items()}
        return super().create(object_type, first, **named)


@broken(
    "test_create_twice_is_already_exists",
    because="create",
    also=(
        "test_anchor_text_follows_case_exact",
        "test_one_of_two_creates_at_once_succeeds",
    ),
)
class CreatesOver(MemoryConnector):
    """Updates an object when it should be created and exists."""

    def create(self, object_type, attributes, **named):
        try:
            return super().create(object_type, attributes, **named)
        except AlreadyExists as error:
            if error.attribute != "login":
                raise
        found = self.find(object_type, "login", attributes["login"][0], attributes=list(attributes), call=named["call"])
        return found[0]


@broken(
    "test_create_returns_what_a_read_returns",
    because="was made by the target",
)
class ReturnsWhatWasSent(MemoryConnector):
    """Returns the object as it was sent, without what the target made of it."""

    def create(self, object_type, attributes, **named):
        created = super().create(object_type, attributes, **named)
        return dataclasses.replace(created, attributes={k: v for k, v in created.attributes.items() if k != "serial"})


@broken(
    "test_required_attributes_are_required",
    because="create without required login",
)
class MakesUpALogin(MemoryConnector):
    """Makes up a value for a required attribute."""

    def create(self, object_type, attributes, **named):
        made_up = {} if "login" in attributes or not attributes else {"login": ("unnamed",)}
        return super().create(object_type, {**made_up, **attributes}, **named)


@broken(
    "test_create_is_all_or_nothing",
    because="AlreadyExists",
)
class CreatesInTwoSteps(MemoryConnector):
    """Creates the object, then refuses an attribute it does not know."""

    def create(self, object_type, attributes, **named):
        if object_type != "user":
            return super().create(object_type, attributes, **named)
        known = {a.name for a in self._target.type_named(object_type).attributes}
        created = super().create(object_type, {k: v for k, v in attributes.items() if k in known}, **named)
        if set(attributes) - known:
            raise InvalidValue("the target does not know one of the attributes")
        return created


@broken(
    "test_update_is_all_or_nothing",
    because="a part of the refused update was applied",
)
class UpdatesOneByOne(MemoryConnector):
    """Sends one request for each change."""

    def update(self, object_type, identity, changes, **named):
        for change in changes[:-1]:
            super().update(object_type, identity, [change], **named)
        return super().update(object_type, identity, changes[-1:], **named)


@broken(
    "test_empty_replacement_clears",
    because="",
)
class NeverClears(MemoryConnector):
    """Takes a replacement by nothing for no change."""

    def update(self, object_type, identity, changes, **named):
        kept = [c for c in changes if c.replace != () or c.name != "displayName"]
        return super().update(object_type, identity, kept, **named)


@broken(
    "test_update_changes_only_what_it_names",
    because="costCentre",
    also=(
        "test_rename_keeps_the_rest",
        "test_updates_at_once_do_not_lose_each_other",
    ),
)
class ClearsWhatIsNotNamed(MemoryConnector):
    """Writes the whole object, without the attribute it was not told of."""

    def update(self, object_type, identity, changes, **named):
        if object_type == "user" and changes and "costCentre" not in {c.name for c in changes}:
            changes = [*changes, AttributeChange("costCentre", replace=())]
        return super().update(object_type, identity, changes, **named)


@broken(
    "test_update_applies_every_change",
    because="changes in one update, and these were not made",
    also=("test_update_is_all_or_nothing",),
)
class AppliesTheFirstChange(MemoryConnector):
    """Applies one change of several."""

    def update(self, object_type, identity, changes, **named):
        one = len({change.name for change in changes} & {"login"}) == 0 and len(changes) > 1
        return super().update(object_type, identity, changes[:1] if one else changes, **named)


@broken(
    "test_update_tells_objects_apart_that_are_alike",
    because="was changed too",
)
class UpdatesByName(MemoryConnector):
    """Updates everybody who has the same name."""

    def update(self, object_type, identity, changes, **named):
        if object_type == "user":
            family = self._family(identity, named["call"])
            for anchor in self._target.anchors("user"):
                if family and anchor != identity.anchor.values:
                    self._like(family, Identity(Anchor(anchor)), changes, named)
        return super().update(object_type, identity, changes, **named)

    def _family(self, identity, call):
        found = super().read("user", identity, attributes=["familyName"], call=call)
        return found and found.attributes["familyName"]

    def _like(self, family, other, changes, named):
        if self._family(other, named["call"]) == family:
            with suppress(ConnectorError):
                super().update("user", other, changes, **named)


@broken(
    "test_what_was_returned_does_not_change",
    because="changed with the target",
)
class SharesItsRows(MemoryConnector):
    """Returns the same row at each read, brought up to date."""

    def read(self, object_type, identity, *, attributes, call):
        found = super().read(object_type, identity, attributes=attributes, call=call)
        if found is None:
            return None
        rows = self.__dict__.setdefault("_rows", {})
        row = rows.setdefault((object_type, identity.anchor.values, tuple(attributes)), {})
        row.update(found.attributes)
        return dataclasses.replace(found, attributes=row)


@broken(
    "test_additions_at_once_do_not_lose_each_other",
    because="values were added to",
)
class AddsToWhatItRead(MemoryConnector):
    """Reads a list, adds to it and writes the whole."""

    def update(self, object_type, identity, changes, **named):
        if object_type == "user" and len(changes) == 1 and changes[0].add and not changes[0].remove:
            (change,) = changes
            found = self.read(object_type, identity, attributes=[change.name], call=named["call"])
            if found is None:
                raise NotFound("the target has no such object")
            threading.Event().wait(0.005)
            values = tuple(dict.fromkeys([*found.attributes[change.name], *change.add]))
            changes = [AttributeChange(change.name, replace=values)]
        return super().update(object_type, identity, changes, **named)


@broken(
    "test_an_anchor_that_begins_another_is_not_the_other",
    because="was deleted with",
)
class DeletesByPrefix(MemoryConnector):
    """Deletes whoever's login begins so."""

    def delete(self, object_type, identity, *, call):
        super().delete(object_type, identity, call=call)
        if object_type != "user":
            return
        for anchor in self._target.anchors("user"):
            if anchor[0].startswith(identity.anchor.values[0]):
                self._target.drop("user", anchor)


@broken(
    "test_delete_tells_objects_apart_that_are_alike",
    because="was deleted as well",
)
class DeletesByName(MemoryConnector):
    """Deletes everybody who has the same name."""

    def delete(self, object_type, identity, *, call):
        asked = {"attributes": ["familyName"], "call": call}
        own = self.read("user", identity, **asked) if object_type == "user" else None
        super().delete(object_type, identity, call=call)
        for anchor in self._target.anchors("user") if own and own.attributes["familyName"] else ():
            if self.read("user", Identity(Anchor(anchor)), **asked).attributes == own.attributes:
                self._target.drop("user", anchor)


@broken(
    "test_create_keeps_values_as_update_does",
    because="neither exact nor refused",
)
class TrimsInCreate(MemoryConnector):
    """Trims text in a create, not in an update."""

    def create(self, object_type, attributes, **named):
        trimmed = {
            name: tuple(v.strip() if isinstance(v, str) and name == "displayName" else v for v in values)
            for name, values in attributes.items()
        }
        return super().create(object_type, trimmed, **named)


@broken(
    "test_text_that_identifies_is_kept_or_refused",
    because="neither exact nor refused",
)
class CutsLogins(MemoryConnector):
    """Has room for 100 letters of a login, and tells nobody."""

    def create(self, object_type, attributes, **named):
        cut = {n: tuple(x[:100] if isinstance(x, str) else x for x in v) for n, v in attributes.items() if n == "login"}
        return super().create(object_type, {**attributes, **cut}, **named)


@broken(
    "test_multivalued_text_is_kept_or_refused",
    because="neither exact nor refused",
)
class SplitsAtCommas(MemoryConnector):
    """Keeps several values in one text, with commas between them."""

    def update(self, object_type, identity, changes, **named):
        split = [
            dataclasses.replace(c, replace=tuple(part for value in c.replace for part in value.split(",")))
            if c.name == "phones" and c.replace and all(isinstance(value, str) for value in c.replace)
            else c
            for c in changes
        ]
        return super().update(object_type, identity, split, **named)


@broken(
    "test_updates_at_once_do_not_lose_each_other",
    because="were lost",
)
class WritesBackWhatItRead(MemoryConnector):
    """Reads the object, waits a little, and writes all of it."""

    FIELDS = ("displayName", "givenName", "familyName", "employeeNumber")

    def update(self, object_type, identity, changes, **named):
        if len(changes) != 1 or changes[0].name not in self.FIELDS:
            return super().update(object_type, identity, changes, **named)
        call = named["call"]
        found = self.read(object_type, identity, attributes=self.FIELDS, call=call)
        if found is None:
            raise NotFound("the target has no such object")
        threading.Event().wait(0.005)
        rest = [AttributeChange(n, replace=v) for n, v in found.attributes.items() if n != changes[0].name]
        return super().update(object_type, identity, [*rest, *changes], **named)


@broken(
    "test_values_are_added_and_removed",
    because="values are removed before others are added",
)
class AddsBeforeItRemoves(MemoryConnector):
    """Applies `add` first and `remove` after it."""

    def update(self, object_type, identity, changes, **named):
        if len(changes) == 1 and changes[0].add and changes[0].remove:
            (change,) = changes
            super().update(object_type, identity, [AttributeChange(change.name, add=change.add)], **named)
            changes = [AttributeChange(change.name, remove=change.remove)]
        return super().update(object_type, identity, changes, **named)


@broken(
    "test_delete_of_unknown_is_not_found",
    because="delete",
    also=("test_one_of_two_deletes_at_once_succeeds",),
)
class DeletesQuietly(MemoryConnector):
    """Says that it deleted what was not there."""

    def delete(self, object_type, identity, **named):
        try:
            super().delete(object_type, identity, **named)
        except NotFound:
            return


@broken(
    "test_password_twice_succeeds",
    because="InvalidValue",
)
class RemembersPasswords(MemoryConnector):
    """Refuses the password that the object has."""

    def set_password(self, object_type, identity, password, **named):
        there = object_type == "user" and self._target.get(object_type, identity.anchor.values)
        if there and self._target.password_is(object_type, identity.anchor.values, password):
            raise InvalidValue("the password was used before")
        super().set_password(object_type, identity, password, **named)


@broken(
    "test_password_works_afterwards",
    because="password",
)
class IgnoresPasswords(MemoryConnector):
    """Says that it set a password and did not."""

    def set_password(self, object_type, identity, password, *, call):
        self.update(object_type, identity, (), call=call)


@broken(
    "test_elements_that_differ_in_one_part_are_two",
    because="after removing the one with another",
)
class RemovesByTheFirstPart(MemoryConnector):
    """Removes every e-mail address and every postal address that shares its first part with the one to remove."""

    def update(self, object_type, identity, changes, **named):
        wider = []
        for change in changes:
            gone = {value.parts[0] for value in change.remove if isinstance(value, Complex)}
            if not gone:
                wider.append(change)
                continue
            found = self.read(object_type, identity, attributes=[change.name], call=named["call"])
            alike = [value for value in found.attributes[change.name] if value.parts[0] in gone]
            wider.append(dataclasses.replace(change, remove=(*change.remove, *alike)))
        return super().update(object_type, identity, wider, **named)


@broken(
    "test_absent_parts_stay_absent",
    because="sent Complex",
)
class FillsAbsentParts(MemoryConnector):
    """Reads a part without a value as empty text."""

    def read(self, object_type, identity, **named):
        found = super().read(object_type, identity, **named)
        if found is None or object_type != "user":
            return found
        parts = {a.name: a.sub_attributes for a in self._target.type_named(object_type).attributes}

        def filled(name, value):
            if not isinstance(value, Complex):
                return value
            empty = {part.name: "" for part in parts[name] if part.type is AttributeType.STRING}
            return Complex({**empty, **value.as_dict()})

        attributes = {name: tuple(filled(name, v) for v in values) for name, values in found.attributes.items()}
        return dataclasses.replace(found, attributes=attributes)


@broken(
    "test_sessions_at_once_do_not_lose_writes",
    because="was lost by what another wrote",
    may_fail=("test_threads_at_once", "test_imports_while_threads_write"),
)
class WritesTheWholeFile(MemoryConnector):
    """Reads everybody, adds one, and writes everybody back, without keeping other sessions out."""

    def create(self, object_type, attributes, **named):
        there = set(self._target.anchors(object_type)) if object_type == "user" else None
        if there is not None:
            threading.Event().wait(0.01)
        created = super().create(object_type, attributes, **named)
        for anchor in (
            set(self._target.anchors(object_type)) - {created.identity.anchor.values} if there is not None else ()
        ):
            if anchor not in there:
                self._target.drop(object_type, anchor)
        return created
