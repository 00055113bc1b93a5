"""Turn what a connector returned into what the store keeps."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from isthmus.engine.answers import Unkept, connector_edge
from isthmus.engine.target import Target, now_text
from isthmus.mapping.resource_type import ResourceType
from isthmus.spi import Attributes, Columnar, ConnectorObject, Identity
from isthmus.store.records import ObjectWrite, Space, StoredObject


def write_of(rt: ResourceType, obj: ConnectorObject, *, wire: int | None = None) -> ObjectWrite:
    """Return the whole of what the space shall hold of an object."""
    attributes = rt.encode(obj.attributes)
    return ObjectWrite(
        anchor=obj.identity.anchor.values,
        dn=obj.identity.dn,
        attributes=attributes,
        scim=rt.render(obj.attributes, dn=obj.identity.dn),
        shape=rt.shape,
        canonical=rt.canonical(obj, attributes),
        wire=wire,
        keys=rt.keys(obj),
        links=rt.links(obj),
    )


def writes_of(
    rt: ResourceType, objects: Sequence[ConnectorObject], indexes: Sequence[int], wires: Sequence[int]
) -> list[ObjectWrite]:
    """Return `write_of` the objects at these places, whose wire digests are in the same order."""
    if isinstance(objects, Columnar):
        columns = objects.columns(indexes)
        texts = None if columns is None else rt.texts(columns)
        if columns is not None and texts is not None:
            shape = rt.shape
            return [
                ObjectWrite(
                    anchor=anchor,
                    attributes=attributes,
                    scim=scim,
                    shape=shape,
                    canonical=canonical,
                    wire=wire,
                    keys=keys,
                )
                for anchor, attributes, scim, canonical, wire, keys in zip(
                    columns.anchors, texts.attributes, texts.scim, texts.canonical, wires, texts.keys, strict=True
                )
            ]
    return [write_of(rt, objects[index], wire=wire) for index, wire in zip(indexes, wires, strict=True)]


def checked(rt: ResourceType, returned: object) -> ConnectorObject:
    """Return what a connector returned for an object of this type; call it where `connector_edge` holds.

    Raises:
        Unkept: it is none, or nothing could find it again.
    """
    if not isinstance(returned, ConnectorObject):
        raise Unkept(f"returned {type(returned).__name__} in place of an object")
    if returned.object_type != rt.definition.object_type:
        raise Unkept("returned an object of another type")
    values = returned.identity.anchor.values
    if len(values) != len(rt.object_type.anchor) or not all(isinstance(value, str) for value in values):
        raise Unkept("returned an object whose anchor is not one text for each of its attributes")
    return returned


def apply_live(
    target: Target, rt: ResourceType, space: Space, objects: Sequence[ConnectorObject], *, noted: int, operation: str
) -> None:
    """Record objects just read from the target, unless the space learnt something newer since `noted`."""
    if objects:
        with connector_edge(target.name, operation):
            writes = [write_of(rt, obj) for obj in objects]
        target.store.space.apply(space, writes, noted=noted, now=now_text())


def anchor_text(anchor: Sequence[str]) -> str:
    """Return the canonical text of an anchor, or of any target key: a JSON array."""
    return orjson.dumps(list(anchor)).decode()


def identity_of(obj: StoredObject) -> Identity:
    """Return what identifies a stored object to its target."""
    from isthmus.spi import Anchor

    return Identity(Anchor(obj.anchor), obj.dn)


def completed(rt: ResourceType, obj: ConnectorObject, before: Attributes | None) -> ConnectorObject:
    """Return the object as the space keeps it: what it does not carry is taken from `before`, unpublished names go."""
    merged = dict(before or {})
    merged.update(obj.attributes)
    wanted = {name: merged[name] for name in rt.read_attributes if name in merged}
    return ConnectorObject(object_type=obj.object_type, identity=obj.identity, attributes=wanted)
