"""The schema a connector discovers, and the scopes it offers."""

from __future__ import annotations

from collections import Counter

from isthmus.spi import (
    AttributeDefinition,
    AttributeType,
    ObjectType,
    Operation,
    Schema,
    SupportsCreate,
    SupportsDelete,
    SupportsFullImport,
    SupportsLookup,
    SupportsPassword,
    SupportsUpdate,
)
from isthmus.testing.hooks import Hooks
from isthmus.testing.subject import Subject

BACKING: dict[Operation, tuple[type, ...]] = {
    Operation.IMPORT: (SupportsFullImport,),  # deltas and watches begin from one
    Operation.LOOKUP: (SupportsLookup,),
    Operation.CREATE: (SupportsCreate,),
    Operation.UPDATE: (SupportsUpdate,),
    Operation.RENAME: (SupportsUpdate,),
    Operation.DELETE: (SupportsDelete,),
    Operation.PASSWORD: (SupportsPassword,),
}


def _faults_of_attribute(a: AttributeDefinition, schema: Schema) -> list[str]:
    faults = []
    if not a.name:
        faults.append("has no name")
    if a.reference_to is not None and a.type is not AttributeType.REFERENCE:
        faults.append("has reference_to but is not a reference")
    if a.reference_to is not None and a.reference_to not in schema.object_types:
        faults.append(f"refers to {a.reference_to!r}, which is no object type")
    if a.max_length is not None and a.max_length < 1:
        faults.append("has a max_length below 1")
    if a.required and a.readonly:
        faults.append("is required and read-only: no create could succeed")
    faults += _faults_of_parts(a)
    return [f"{a.name}: {fault}" for fault in faults]


def _faults_of_parts(a: AttributeDefinition) -> list[str]:
    if a.type is not AttributeType.COMPLEX:
        return ["has sub_attributes but is not complex"] if a.sub_attributes else []
    faults = [] if a.sub_attributes else ["is complex but has no sub_attributes"]
    faults += [
        f"its part {part.name!r} is complex, a reference, multi-valued or secret"
        for part in a.sub_attributes
        if part.type in {AttributeType.COMPLEX, AttributeType.REFERENCE} or part.multivalued or part.secret
    ]
    names = Counter(part.name for part in a.sub_attributes)
    return faults + [f"its part {name!r} occurs {n} times" for name, n in names.items() if n > 1]


def _faults_of_type(key: str, t: ObjectType, schema: Schema) -> list[str]:
    faults = []
    if t.name != key:
        faults.append(f"listed as {key!r} but named {t.name!r}")
    if not t.anchor:
        faults.append("no anchor")
    faults += [
        f"attribute {name!r} occurs {n} times" for name, n in Counter(a.name for a in t.attributes).items() if n > 1
    ]
    for name in t.anchor:
        a = t.attribute(name)
        if a is None:
            faults.append(f"anchor {name!r} is not an attribute")
        elif a.multivalued or a.secret:
            faults.append(f"anchor {name!r} is multi-valued or secret")
    faults += [
        f"{role} {name!r} is not an attribute"
        for role, name in (("dn", t.dn), ("correlation_attribute", t.correlation_attribute))
        if name is not None and t.attribute(name) is None
    ]
    if t.correlation_attribute and (a := t.attribute(t.correlation_attribute)) and (a.readonly or a.multivalued):
        faults.append("correlation_attribute must be writable and single-valued")
    if Operation.RENAME in t.operations and Operation.UPDATE not in t.operations:
        faults.append("can be renamed but not updated")
    for a in t.attributes:
        faults += _faults_of_attribute(a, schema)
    return [f"{key}: {fault}" for fault in faults]


class DiscoveredSchema(Hooks):
    def test_schema_is_consistent(self, subject: Subject) -> None:
        schema = subject.schema
        assert subject.object_type.name == self.object_type
        faults = [fault for key, t in schema.object_types.items() for fault in _faults_of_type(key, t, schema)]
        assert not faults, "\n".join(faults)

    def test_schema_is_stable(self, subject: Subject) -> None:
        with subject.watched("read_schema"):
            again = subject.connector.read_schema(call=subject.call())
            elsewhere = subject.open().read_schema(call=subject.call())
        assert again == subject.schema, "two readings of an unchanged target differ"
        assert elsewhere == subject.schema, "another session discovers another schema"

    def test_schema_is_not_cached(self, subject: Subject) -> None:
        before = subject.schema
        with (
            subject.needs_hook("changed_schema", self.changed_schema(subject.settings)),
            subject.watched("read_schema"),
        ):
            changed = subject.connector.read_schema(call=subject.call())
        assert changed != before, "read_schema() is never answered from a cache"

    def test_operations_are_backed_by_the_class(self, subject: Subject) -> None:
        for name, object_type in subject.schema.object_types.items():
            for operation in object_type.operations:
                kinds = BACKING[operation]
                backed = isinstance(subject.connector, kinds)
                if operation is Operation.PASSWORD and subject.type.password_in_create:
                    backed = True
                wanted = " or ".join(k.__name__ for k in kinds)
                assert backed, f"{name} claims {operation.value!r} but the connector does not implement {wanted}"

    def test_scopes_cover_every_object_type_once(self, subject: Subject) -> None:
        with subject.watched("scopes"):
            scopes = subject.connector.scopes()
        keys = Counter(scope.key for scope in scopes)
        assert all(n == 1 for n in keys.values()), f"scope keys must differ: {keys}"
        covered = Counter(name for scope in scopes for name in scope.object_types)
        assert covered == Counter(dict.fromkeys(subject.schema.object_types, 1))
