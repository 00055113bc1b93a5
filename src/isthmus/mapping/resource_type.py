"""A resource type, compiled: everything the engine asks about how an object type is published."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from isthmus.mapping.activity import Activity, Values
from isthmus.mapping.binding import Binder
from isthmus.mapping.bound import BoundFilter
from isthmus.mapping.catalogue import extension_urn
from isthmus.mapping.codec import Codec
from isthmus.mapping.compiling import LayoutCompiler
from isthmus.mapping.definition import ResourceTypeDefinition
from isthmus.mapping.digests import Digest
from isthmus.mapping.finishing import Finisher, Target
from isthmus.mapping.index import Index, Normalise
from isthmus.mapping.layout import Activation, Layout, Link, Simple
from isthmus.mapping.naming import check_names, published_attributes
from isthmus.mapping.planning import Planner
from isthmus.mapping.plans import CreatePlan, CurrentObject, UpdatePlan
from isthmus.mapping.problems import MappingProblem
from isthmus.mapping.rendering import Renderer
from isthmus.mapping.schema_documents import SchemaWriter
from isthmus.mapping.settling import Settler
from isthmus.mapping.sorting import BoundSort, SortBinder
from isthmus.mapping.templates import Templates, Texts
from isthmus.mapping.values import plain_text
from isthmus.scim.patch import PatchOperation
from isthmus.scim.projection import Projection
from isthmus.scim.syntax import AttributePath, Filter
from isthmus.spi import Attributes, AttributeType, Columns, Complex, ConnectorObject, ObjectType, Value


def compile_resource_type(
    definition: ResourceTypeDefinition,
    object_type: ObjectType,
    *,
    shape: int,
    strict: bool = False,
    names: Mapping[str, str] | None = None,
    groups: bool = False,
) -> ResourceType:
    """Return the resource type that publishes an object type as the definition says.

    `shape` numbers this way of rendering. `names`: resource type by object type, of all that the connector publishes,
    for references. `groups`: a User shows the groups that refer to it.

    Raises:
        MappingProblem: names, paths or types that do not fit; all of them at once.
    """
    return ResourceType(definition, object_type, shape=shape, strict=strict, names=names or {}, groups=groups)


class ResourceType:
    """What SCIM shows of an object type, made by `compile_resource_type`. Immutable, safe to share between threads."""

    def __init__(
        self,
        definition: ResourceTypeDefinition,
        object_type: ObjectType,
        *,
        shape: int,
        strict: bool,
        names: Mapping[str, str],
        groups: bool = False,
    ) -> None:
        problems = check_names(definition, object_type)
        if problems:
            raise MappingProblem(problems)
        published = published_attributes(definition)
        indexed = _indexed(definition, object_type)
        compiler = LayoutCompiler(
            definition, object_type, published=published, keys=frozenset(indexed), strict=strict, groups=groups
        )
        layout = compiler.compile()
        main_schema, extensions = compiler.schemas
        active = layout.main.find("active")
        flow = active.slot if isinstance(active, Activation) and not active.slot.attribute.startswith("#") else None
        activity = Activity(definition, object_type, flow)
        if compiler.problems or activity.problems:
            raise MappingProblem([*compiler.problems, *activity.problems])

        self.definition = definition
        self.object_type = object_type
        self.name = definition.name
        self.endpoint = definition.endpoint
        self.shape = shape
        self.strict = strict
        self.extension_urn = extension_urn(definition.name)
        self.secret_attributes = frozenset(a.name for a in object_type.attributes if a.secret)
        wanted = [*object_type.anchor, *published, *activity.attributes]
        self.read_attributes = tuple(dict.fromkeys(name for name in wanted if name not in self.secret_attributes))
        self.reference_attributes = tuple(
            name for name in self.read_attributes if _type(object_type, name) is AttributeType.REFERENCE
        )
        self.has_references = bool(self.reference_attributes)
        self.lists = frozenset(name for name in self.reference_attributes if _is_list(object_type, name))
        """The references that may be many: they are changed by difference and never read without need."""
        members = layout.main.find("members")
        self.members = members.slot.attribute if isinstance(members, Link) and members.slot.readable else None
        """The attribute behind a Group's `members`."""
        password = layout.main.find("password")
        self.takes_password = isinstance(password, Simple) and password.slot.writable
        self.indexed = indexed
        self._writer = SchemaWriter(
            definition, object_type, layout, schema=main_schema, extensions=extensions, names=names
        )
        self.schemas = tuple(schema.id for schema in self._writer.schemas())
        self._activity = activity
        self._codec = Codec(object_type, self.read_attributes)
        self._index = Index(object_type, indexed, self.reference_attributes)
        self._digest = Digest(object_type, self._codec, self._index)
        shows_active = isinstance(active, Activation)
        self._renderer = Renderer(layout, list(self.schemas), activity.is_active if shows_active else None)
        self._templates = Templates(
            object_type,
            self._codec,
            self._index,
            layout,
            list(self.schemas),
            activity.is_active if shows_active else None,
            activity.attributes,
        )
        self._finisher = Finisher(layout, self.name, self.schemas)
        self.whole = self._finisher.whole
        self._planner = Planner(
            layout, Settler(object_type, layout, activity), strict=strict, anchor=object_type.anchor
        )
        self._binder = Binder(layout, activity, name=self.name, schemas=self.schemas, indexed=indexed)
        self._sorting = SortBinder(layout, activity)
        self._naming = _naming(layout, object_type)
        self.display_attributes = _displaying(layout)
        """What names an object for people, best first: `display` of references to it."""

    # -- what the resource type looks like

    def schema_documents(self) -> list[dict[str, Any]]:
        """Return the Schema resources, the main one first, without `meta`."""
        return [schema.to_json() for schema in self._writer.schemas()]

    def resource_type_document(self) -> dict[str, Any]:
        """Return the ResourceType resource without `meta`."""
        return self._writer.resource_type()

    # -- the target's objects, to store and SCIM

    def encode(self, attributes: Attributes) -> bytes:
        """Return the attributes as JSON `{"name": [values]}`, references and secrets left out; nothing is lost."""
        return self._codec.encode(attributes)

    def decode(self, raw: bytes) -> dict[str, tuple[Value, ...]]:
        """Return what `encode` was given."""
        return self._codec.decode(raw)

    def plain(self, value: Value) -> Any:
        """Return one value as JSON holds it for people and for `normalise`; numbers and booleans stay what they are."""
        if isinstance(value, Complex):
            return {name: self.plain(part) for name, part in value.parts}
        return value if isinstance(value, str | bool | int) else plain_text(value)

    def canonical(self, obj: ConnectorObject, encoded: bytes | None = None) -> int:
        """Return a signed 64-bit digest of everything SCIM can show of the object; `encoded`: what `encode` gave."""
        return self._digest.canonical(obj, encoded)

    def canonical_changed(
        self,
        canonical: int,
        before: ConnectorObject,
        after: ConnectorObject,
        *,
        add: Iterable[tuple[str, str]],
        remove: Iterable[tuple[str, str]],
    ) -> int:
        """Return `canonical` of an object of which only the references that came and went are known."""
        return self._digest.changed(canonical, before, after, add=add, remove=remove)

    def keys(self, obj: ConnectorObject) -> list[tuple[str, str]]:
        """Return (attribute, normalised value) for every value of every indexed attribute."""
        return self._index.keys(obj)

    def links(self, obj: ConnectorObject) -> list[tuple[str, str]]:
        """Return (attribute, canonical key text) for every reference."""
        return self._index.links(obj)

    def normalise(self, attribute: str, value: object) -> str:
        """Return the text under which a value is indexed: by the attribute's case rule, canonical for other types."""
        return self._index.normalise(attribute, value)

    def render(
        self, attributes: Attributes, *, id: str | None = None, dn: str | None = None, external_id: str | None = None
    ) -> bytes:
        """Return ready-made SCIM text without `meta` and references; `id` and `externalId` may wait for `finish`."""
        return self._renderer.render(attributes, id=id, dn=dn, external_id=external_id)

    def texts(self, columns: Columns) -> Texts | None:
        """Return what `encode`, `render`, `canonical` and `keys` give of objects that have neither dn nor references.

        None if they must be asked object by object.
        """
        return self._templates.texts(columns)

    def shown_references(self, projection: Projection | None) -> tuple[str, ...]:
        """Return the reference attributes, and `GROUPS`, of which a request wants to see anything."""
        return self._finisher.shown(projection)

    def finish(
        self,
        scim: bytes,
        *,
        meta: Mapping[str, Any] | bytes,
        references: Mapping[str, Sequence[Target]] | None = None,
        projection: Projection | None = None,
        id: str | None = None,
        external_id: str | None = None,
    ) -> bytes:
        """Return the full answer.

        `references`: (id, name or None, URL, resource type) by attribute, the groups of a user under `GROUPS`; one left
        out has none.
        """
        return self._finisher.finish(
            scim, meta=meta, references=references or {}, projection=projection, id=id, external_id=external_id
        )

    def display_name(self, attributes: Attributes) -> str:
        """Return what people know the object by: userName, a group's displayName, or the anchor."""
        for name in self._naming:
            values = attributes.get(name)
            if values and values[0] != "":
                return plain_text(values[0])
        parts = [plain_text(attributes[name][0]) for name in self.object_type.anchor if attributes.get(name)]
        return "+".join(parts)

    # -- active, disable, delete

    def is_active(self, attributes: Attributes) -> bool:
        """Return what `active` shows for an object with these attributes."""
        return self._activity.is_active(attributes)

    def disabling(self) -> Values:
        """Return what `active` = false writes; empty unless the action is *set*."""
        return self._activity.disabling()

    def enabling(self) -> Values:
        """Return what brings back an object that a disable or delete flow had changed."""
        return self._activity.reviving()

    def deleting(self) -> Values:
        """Return what DELETE writes; empty unless the action is *set*."""
        return self._activity.deleting()

    # -- SCIM to the target

    def plan_create(self, body: dict[str, Any]) -> CreatePlan:
        """Return what a POST means.

        Raises:
            ScimError: 400; every required attribute that is missing is named at once.
        """
        return self._planner.create(body)

    def plan_replace(self, body: dict[str, Any], current: CurrentObject) -> UpdatePlan:
        """Return what a PUT means: what it leaves out is kept (strict: cleared); null and [] clear.

        Raises:
            ScimError: 400.
        """
        return self._planner.replace(body, current)

    def plan_patch(self, operations: Iterable[PatchOperation], current: CurrentObject) -> UpdatePlan:
        """Return what a PATCH means; all of its operations or, if one is wrong, none.

        Raises:
            ScimError: 400.
        """
        return self._planner.patch(operations, current)

    def depends_on_values(self, operation: PatchOperation) -> bool:
        """Tell whether an operation of a PATCH is judged on the values the target has now.

        A path with a filter is, unless it names references by their ids: whatever others there are, these are meant.
        """
        return self._planner.depends_on_values(operation)

    def judged_on_values(self, operations: Iterable[PatchOperation]) -> bool:
        """Tell whether a PATCH depends on values that the target has at this moment, besides those with a filter."""
        return self._planner.judged_on_values(operations)

    def keeps_parts(self, body: dict[str, Any]) -> bool:
        """Tell whether a PUT leaves parts of a value as they are, so that it depends on what the target has now."""
        return self._planner.keeps_parts(body)

    def equality(self, path: AttributePath) -> tuple[str, Normalise] | None:
        """Return the indexed text attribute that `path eq "..."` asks for, and how the value is found in the index.

        None where the comparison is anything else, or an error: `bind` tells. A value that is not empty means the same
        to both.
        """
        attribute = self._binder.indexed_text(path)
        return None if attribute is None else (attribute, self._index.normaliser(attribute))

    def bind(self, condition: Filter) -> BoundFilter:
        """Return the filter over the target's attributes.

        Raises:
            InvalidFilter: an attribute is unknown, unmapped or never returned, or the comparison makes no sense.
        """
        return self._binder.bind(condition)

    def bind_sort(self, path: str) -> BoundSort:
        """Return what `sortBy` means over the target's attributes.

        Raises:
            InvalidValue: nothing has that name here, or it has no order.
        """
        return self._sorting.bind(path)


def _indexed(definition: ResourceTypeDefinition, object_type: ObjectType) -> tuple[str, ...]:
    """Return what look-ups go by: the anchor, matching attributes, and what is behind userName or a group's name."""
    naming = "displayname" if definition.name == "Group" else "username"
    named = [flow.attribute for path, flow in definition.flows.items() if path.lower().rpartition(":")[2] == naming]
    names = dict.fromkeys([*object_type.anchor, *definition.matching, *named])
    made = {AttributeType.REFERENCE, AttributeType.COMPLEX}
    return tuple(name for name in names if _type(object_type, name) not in made)


def _type(object_type: ObjectType, name: str) -> AttributeType | None:
    found = object_type.attribute(name)
    return None if found is None else found.type


def _is_list(object_type: ObjectType, name: str) -> bool:
    found = object_type.attribute(name)
    return found is not None and found.multivalued


def _displaying(layout: Layout) -> tuple[str, ...]:
    found = []
    for name in ("displayName", "userName"):
        node = layout.main.find(name)
        if isinstance(node, Simple) and node.slot.readable and not node.slot.attribute.startswith("#"):
            found.append(node.slot.attribute)
    return tuple(dict.fromkeys(found))


def _naming(layout: Layout, object_type: ObjectType) -> tuple[str, ...]:
    found = []
    for name in ("userName", "displayName"):
        node = layout.main.find(name)
        if isinstance(node, Simple):
            found.append(node.slot.attribute)
    return (*found[:1], *object_type.anchor[:1]) if len(object_type.anchor) == 1 else tuple(found[:1])
