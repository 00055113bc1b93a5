"""`active`, disable and delete: what shows whether an account may be used, and what is written to change that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from isthmus.mapping.bound import FALSE, BoundFilter, BoundPresence, every, negated
from isthmus.mapping.definition import Deprovisioning, ResourceTypeDefinition
from isthmus.mapping.index import Normalise, normaliser
from isthmus.mapping.layout import Slot
from isthmus.mapping.literals import comparison, truth
from isthmus.mapping.problems import Where
from isthmus.mapping.values import Unfit, acceptor
from isthmus.spi import AttributeDefinition, Attributes, AttributeType, ObjectType, Value

Values = dict[str, tuple[Value, ...]]


@dataclass(frozen=True, slots=True)
class _Setting:
    """A deprovisioning with action *set*, its values in the target's types."""

    values: Values
    restore: Values


class Activity:
    """The disable flow and the delete flow of one resource type, and the attribute that `active` flows from, if any."""

    def __init__(self, definition: ResourceTypeDefinition, object_type: ObjectType, slot: Slot | None) -> None:
        self.problems: list[tuple[Where, str]] = []
        self._definitions = {attribute.name: attribute for attribute in object_type.attributes}
        self._anchor = object_type.anchor
        self.slot = slot
        self.action = None if definition.disable is None else definition.disable.action
        self._disable = self._setting("disable", definition.disable)
        self._delete = self._setting("delete", definition.delete)
        shows = slot is not None and slot.readable
        self._shown_by = () if shows or self._disable is None else tuple(self._disable.values.items())
        self._told = tuple(self._telling(name, wanted) for name, wanted in self._shown_by)
        self._flow = slot if shows else None
        named = () if self._disable is None else tuple(self._disable.values)
        self._disabling = self._written(self._disable, active=False)
        self._enabling = {} if self.action == "nothing" else self._written(self._disable, active=True)
        self.attributes = tuple(dict.fromkeys([*named, *([slot.attribute] if slot is not None and shows else [])]))

    def is_active(self, attributes: Attributes) -> bool:
        """Return what `active` shows; True where nothing tells."""
        if self._flow is not None:
            values = attributes.get(self._flow.attribute)
            if not values:
                return True
            return bool(values[0] if self._flow.show is None else self._flow.show(values[0]))
        if not self._told:
            return True
        for name, normalise, wanted in self._told:
            found = attributes.get(name)
            if found is None or {normalise(value) for value in found if value != ""} != wanted:
                return True
        return False

    def _telling(self, name: str, wanted: tuple[Value, ...]) -> tuple[str, Normalise, set[str]]:
        normalise = normaliser(self._definitions[name])
        return name, normalise, {normalise(value) for value in wanted}

    def disabling(self) -> Values:
        """Return what `active` = false writes; empty unless the action is *set*."""
        return self._disabling

    def enabling(self) -> Values:
        """Return what `active` = true writes."""
        return self._enabling

    def restoring(self, *, inactive: bool) -> Values:
        """Return what `active` = true writes to an object; other values than booleans only if it is `inactive`.

        "active" is not to overwrite a status such as "on leave", which is not what the disable flow had written.
        """
        flow = set() if self.slot is None else {self.slot.attribute}
        return {
            name: values
            for name, values in self.enabling().items()
            if inactive or name in flow or self._definitions[name].type is AttributeType.BOOLEAN
        }

    def deleting(self) -> Values:
        """Return what DELETE writes; empty unless the action is *set*."""
        return self._written(self._delete, active=False)

    def reviving(self) -> Values:
        """Return what a POST writes to an object that had been disabled or deleted."""
        revived = {} if self._delete is None else self._written(self._delete, active=True)
        return {**revived, **self.enabling()}

    def _written(self, setting: _Setting | None, *, active: bool) -> Values:
        written: Values = {}
        if setting is None and not active:
            return written
        if self.slot is not None and self.slot.writable:
            written[self.slot.attribute] = (self.slot.accept(active),)
        if setting is not None:
            written |= setting.restore if active else setting.values
        return written

    def condition(self, *, active: bool) -> BoundFilter:
        """Return the filter that is true for objects that show this `active`."""
        if self._flow is not None:
            inactive = truth(self._flow.definition, wanted=self._flow.invert)
        elif self._shown_by:
            inactive = every([self._matches(name, wanted) for name, wanted in self._shown_by])
        else:
            inactive = FALSE
        return negated(inactive) if active else inactive

    def _matches(self, name: str, wanted: tuple[Value, ...]) -> BoundFilter:
        if not wanted:
            return negated(BoundPresence(name))
        return every([comparison(self._definitions[name], "eq", value, indexed=False) for value in wanted])

    def _setting(self, key: str, flow: Deprovisioning | None) -> _Setting | None:
        if flow is None or flow.action != "set":
            if flow is not None and (flow.values or flow.restore):
                self.problems.append(
                    ((key, "action"), f'{flow.action!r} writes nothing; for values use action = "set"')
                )
            return None
        if not flow.values and (self.slot is None or not self.slot.writable):
            self.problems.append(((key, "values"), "say which attributes to set, or add a flow for active"))
        values = self._converted(key, "values", flow.values)
        restore = self._converted(key, "restore", flow.restore)
        for name, value in values.items():
            if name not in restore and value and isinstance(value[0], bool):
                restore[name] = (not value[0],)
        if key == "disable" and self.slot is not None and self.slot.attribute in values:
            self._check_agreement(self.slot, values[self.slot.attribute])
        return _Setting(values, restore)

    def _check_agreement(self, slot: Slot, value: tuple[Value, ...]) -> None:
        if value != (slot.accept(False),):
            where = ("disable", "values", slot.attribute)
            self.problems.append((where, f"the flow {slot.path!r} would still show the object as active"))

    def _converted(self, key: str, part: str, sent: Mapping[str, object]) -> Values:
        converted: Values = {}
        for name, raw in sent.items():
            definition = self._definitions.get(name)
            if definition is None:
                continue  # reported with all other unknown names
            problem = self._unwritable(definition)
            try:
                converted[name] = () if _clears(definition, raw) else (_accept(definition, raw),)
                problem = problem or _unlisted(definition, converted[name])
            except Unfit as exc:
                problem = str(exc)
            if problem is not None:
                self.problems.append(((key, part, name), problem))
        return converted

    def _unwritable(self, definition: AttributeDefinition) -> str | None:
        if definition.readonly:
            return "the target computes this attribute; it cannot be set"
        if definition.name in self._anchor:
            return "this attribute identifies the object; one value for all would make them one"
        if definition.type is AttributeType.REFERENCE:
            return "a reference cannot be set to a constant"
        if definition.type is AttributeType.COMPLEX:
            return "an attribute made of parts cannot be set to a constant"
        return "a secret attribute cannot show whether an object is active" if definition.secret else None


def no_way_back(rule: Deprovisioning | None, object_type: ObjectType) -> list[str]:
    """Return what disable or delete writes and `active` = true leaves as it is: only booleans have one other value."""
    if rule is None or rule.action != "set":
        return []
    written = (object_type.attribute(name) for name in rule.values if name not in rule.restore)
    return [one.name for one in written if one is not None and one.type is not AttributeType.BOOLEAN]


def _unlisted(definition: AttributeDefinition, values: tuple[Value, ...]) -> str | None:
    """Return what is wrong with a text that is none of those the target takes."""
    same = normaliser(definition)
    if not definition.choices or {same(one) for one in values} <= {same(one) for one in definition.choices}:
        return None
    return f"the target takes only {', '.join(map(repr, definition.choices))}"


def _clears(definition: AttributeDefinition, raw: object) -> bool:
    """Tell whether no value is meant: TOML has no null, so an empty text says so, where there may be none."""
    return raw is None or (raw == "" and not definition.required and not definition.generated)


def _accept(definition: AttributeDefinition, raw: object) -> Value:
    if definition.type is AttributeType.INTEGER and isinstance(raw, bool):
        return int(raw)
    return acceptor(definition)(raw)
