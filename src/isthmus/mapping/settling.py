"""Close a draft: what it says becomes a plan, once required attributes, the anchor and the disable flow are judged."""

from __future__ import annotations

from isthmus.mapping.activity import Activity, Values
from isthmus.mapping.draft import Draft
from isthmus.mapping.index import normaliser
from isthmus.mapping.layout import DN, EXTERNAL_ID, PASSWORD, Layout, Simple, slots_of
from isthmus.mapping.plans import UNSET, CreatePlan, CurrentObject, Unset, UpdatePlan
from isthmus.scim.errors import InvalidValue, NotMutable
from isthmus.spi import AttributeDefinition, ObjectType, Operation, Secret


class Settler:
    """Compiled once for each resource type."""

    def __init__(self, object_type: ObjectType, layout: Layout, activity: Activity) -> None:
        self._object_type = object_type
        self._layout = layout
        self._activity = activity
        self._anchor = frozenset(object_type.anchor)
        self._renamable = Operation.RENAME in object_type.operations
        self._required = [
            definition
            for definition in object_type.attributes
            if definition.required
            and not definition.readonly
            and not definition.generated
            and definition.name != object_type.correlation_attribute
        ]
        user_name = layout.main.find("userName")
        self._user_name = user_name.slot if isinstance(user_name, Simple) and user_name.slot.writable else None
        self._paths = _paths(layout)

    # -- create

    def create(self, draft: Draft, *, by_own_names: bool) -> CreatePlan:
        """Return the plan for a new object. `by_own_names`: the body used the ECMA2Host extension."""
        active = self._activate_new(draft)
        references = draft.linked()
        dn = self._dn(draft, None)
        self._check_required(draft, {attribute for attribute, _ in references}, dn, by_own_names=by_own_names)
        external_id = draft.values.get(EXTERNAL_ID) or (None,)
        return CreatePlan(
            attributes=draft.created_values(),
            references=tuple(references),
            password=_password(draft),
            external_id=None if external_id[0] is None else str(external_id[0]),
            active=active,
            dn=dn,
            warnings=draft.warnings,
        )

    def _activate_new(self, draft: Draft) -> bool | None:
        activity = self._activity
        if draft.active is False:
            self._require_disable()
            if activity.action == "delete":
                raise InvalidValue(
                    "active = false deletes here (setting 'disable'), so an inactive object cannot be created"
                )
            if activity.action == "nothing":
                draft.warn(_NOTHING)
                return None
            _merge(draft, activity.disabling())
            return False
        if draft.active is True and activity.action != "nothing":
            _merge(draft, activity.restoring(inactive=False))
        required = {definition.name for definition in self._required}
        for name, values in activity.enabling().items():
            if name in required:
                draft.values.setdefault(name, values)
        return draft.active

    def _check_required(self, draft: Draft, referenced: set[str], dn: str | None, *, by_own_names: bool) -> None:
        missing = [
            definition
            for definition in self._required
            if not draft.now(definition.name)
            and definition.name not in referenced
            and not (dn is not None and definition.name == self._object_type.dn)
        ]
        names = [self._describe(definition) for definition in missing]
        slot = self._user_name
        if slot is not None and not by_own_names and not draft.now(slot.attribute) and slot.definition not in missing:
            names.insert(0, slot.path)  # RFC 7643 4.1.1: required, whatever the target says
        if names:
            raise InvalidValue(f"required but missing: {', '.join(names)}")

    def _describe(self, definition: AttributeDefinition) -> str:
        paths = self._paths.get(definition.name)
        if not paths:
            return f"{definition.name} (the target requires it, but it is not among the selected attributes)"
        return paths[0] if paths[0].rpartition(":")[2] == definition.name else f"{paths[0]} ({definition.name})"

    # -- update

    def update(self, draft: Draft, current: CurrentObject) -> UpdatePlan:
        """Return the plan for a changed object."""
        was_active = self._activity.is_active(current.attributes) if current.active is None else current.active
        active = self._activate(draft, was_active=was_active)
        self._settle_anchor(draft)
        cleared = draft.required_but_cleared()
        if cleared is not None:
            message = f"{cleared.path} is required and cannot be cleared"
            raise NotMutable(message) if draft.patch else InvalidValue(message)  # RFC 7644 3.5.2.2 names mutability
        changes = draft.attribute_changes()
        if active is None and was_active and self._activity.action != "delete" and self._turns_inactive(draft, current):
            active = False  # disabled under the attribute's own name, as Microsoft's host is told to
        return UpdatePlan(
            changes=tuple(changes),
            references=draft.reference_changes(),
            password=_password(draft),
            external_id=_external_id(draft),
            active=active,
            new_dn=self._dn(draft, current),
            warnings=draft.warnings,
            clears_members=draft.clears_members,
        )

    def _activate(self, draft: Draft, *, was_active: bool) -> bool | None:
        activity, wanted = self._activity, draft.active
        if wanted is None:
            return None
        if activity.action == "nothing":
            if wanted is not was_active:
                draft.warn(_NOTHING)
            return None
        if wanted:
            _merge(draft, activity.restoring(inactive=not was_active))
            if not was_active and not any(draft.now(name) != draft.before(name) for name in activity.attributes):
                draft.warn("the object stays inactive: the setting 'disable' does not say what to restore")
            return True
        if activity.action is None and not was_active:
            return None
        self._require_disable()
        if activity.action == "set":
            _merge(draft, activity.disabling())
        return False

    def _require_disable(self) -> None:
        if self._activity.action is None:
            raise InvalidValue(
                "active = false is not set up: the setting 'disable' of this resource type must say what it does "
                "(nothing, set or delete)"
            )

    def _turns_inactive(self, draft: Draft, current: CurrentObject) -> bool:
        touched = {name: draft.now(name) for name in self._activity.attributes if name in draft.values}
        return bool(touched) and not self._activity.is_active({**current.attributes, **touched})

    def _settle_anchor(self, draft: Draft) -> None:
        """Drop an anchor sent with its present value; refuse another one where the target cannot rename."""
        for name in self._anchor & draft.values.keys():
            values, before = draft.values[name], draft.before(name)
            slot = draft.slot_of(name)
            assert slot is not None
            if values == before:
                del draft.values[name]
            elif not values:
                raise NotMutable(f"{slot.path} identifies the object and cannot be cleared")
            elif not self._renamable:
                same = normaliser(slot.definition)
                if [same(value) for value in values] != [same(value) for value in before]:
                    raise NotMutable(f"{slot.path} identifies the object and cannot be changed in this target")
                del draft.values[name]

    def _dn(self, draft: Draft, current: CurrentObject | None) -> str | None:
        values = draft.values.get(DN)
        if not values:
            if values is not None:
                draft.warn("-dn- cannot be cleared; it was left as it is")
            return None
        dn = str(values[0])
        if current is not None and dn == current.dn:
            return None
        if self._object_type.dn is None:
            draft.warn("-dn- was dropped: objects of this target have no dn")
            return None
        if current is not None and not self._renamable:
            raise NotMutable("-dn- cannot be changed in this target")
        return dn


_NOTHING = "active was left as it is: the setting 'disable' of this resource type is 'nothing'"


def _merge(draft: Draft, values: Values) -> None:
    """Add what the disable flow writes; an attribute sent under its own name must agree or be unchanged."""
    for name, wanted in values.items():
        sent = draft.values.get(name)
        if sent is not None and sent != wanted:
            before = draft.before(name) if draft.current is not None else None
            if wanted == before:
                continue
            if sent != before:
                raise InvalidValue(f"active and {name!r} contradict each other; send one of them")
        draft.values[name] = wanted


def _password(draft: Draft) -> Secret | None:
    values = draft.values.get(PASSWORD)
    return Secret(str(values[0])) if values else None


def _external_id(draft: Draft) -> str | Unset | None:
    values = draft.values.get(EXTERNAL_ID)
    if values is None:
        return UNSET
    return str(values[0]) if values else None


def _paths(layout: Layout) -> dict[str, list[str]]:
    """Return the paths by which each attribute can be written, flows first."""
    paths: dict[str, list[str]] = {}
    for section in layout.sections:
        for node in section.nodes.values():
            for slot in slots_of(node):
                if slot.writable:
                    paths.setdefault(slot.attribute, []).append(slot.path)
    return paths
