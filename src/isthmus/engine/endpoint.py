"""One connector as the SCIM endpoint sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from isthmus.config.documents import ConnectorDocument
from isthmus.engine.bulk import BulkRun
from isthmus.engine.caller import Caller
from isthmus.engine.creating import Creator
from isthmus.engine.deleting import Deleter
from isthmus.engine.entries import Entries
from isthmus.engine.reading import Reader, etag
from isthmus.engine.recovery import Recovery
from isthmus.engine.resource import Resource
from isthmus.engine.searching import Searcher
from isthmus.engine.sending import Sender
from isthmus.engine.target import Target
from isthmus.engine.updating import Plan, Updater
from isthmus.mapping.resource_type import ResourceType
from isthmus.scim.bulk import BulkRequest, BulkResult
from isthmus.scim.etag import Conditions
from isthmus.scim.listing import ListRequest
from isthmus.scim.patch import parse_operations
from isthmus.scim.projection import Projection


class Endpoint:
    """Everything a client can ask of one connector. Every failure is a `ScimError`."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.recovery = Recovery(target)
        self._reader = Reader(target)
        self._searcher = Searcher(target, self._reader, cursor_timeout=target.cursor_timeout)
        entries = Entries(target, self.recovery)
        sender = Sender(target, self.recovery)
        self._updater = Updater(target, self._reader, entries, sender)
        self._creator = Creator(target, self._reader, entries, sender, self._updater)
        self._deleter = Deleter(target, self._reader, entries, sender, self._updater)

    @property
    def name(self) -> str:
        return self.target.name

    @property
    def document(self) -> ConnectorDocument:
        return self.target.document

    def resource_types(self) -> dict[str, ResourceType]:
        """Return the published resource types by casefolded endpoint name ("users")."""
        return self.target.resource_types()

    def get(self, rt: ResourceType, id: str, *, projection: Projection | None, caller: Caller) -> Resource:
        """Return one resource (RFC 7644 3.4.1)."""
        return self._reader.get(rt, id, projection=projection, caller=caller)

    def list(
        self,
        rt: ResourceType,
        *,
        filter: str | None,
        start: int,
        count: int | None,
        projection: Projection | None,
        caller: Caller,
    ) -> bytes:
        """Return a ListResponse as JSON text (RFC 7644 3.4.2)."""
        return self._reader.search(rt, filter=filter, start=start, count=count, projection=projection, caller=caller)

    def search(self, types: Sequence[ResourceType], request: ListRequest, *, caller: Caller) -> bytes:
        """Return a ListResponse over one or several resource types, sorted and paged as asked for."""
        if len(types) == 1 and request.sort_by is None and request.cursor is None:
            return self._reader.search(
                types[0],
                filter=request.filter,
                start=request.start_index,
                count=request.count,
                projection=request.projection,
                caller=caller,
            )
        return self._searcher.search(types, request, caller)

    def create(
        self, rt: ResourceType, body: dict[str, Any], *, caller: Caller, projection: Projection | None = None
    ) -> Resource:
        """Create a resource (RFC 7644 3.3)."""
        return self._creator.create(rt, body, caller, projection)

    def replace(
        self,
        rt: ResourceType,
        id: str,
        body: dict[str, Any],
        *,
        if_match: str | None,
        caller: Caller,
        if_none_match: str | None = None,
        projection: Projection | None = None,
    ) -> Resource:
        """Replace a resource (RFC 7644 3.5.1)."""
        return self._change(
            rt,
            id,
            lambda current: rt.plan_replace(body, current),
            operation="replace",
            fresh=rt.keeps_parts(body),
            conditions=Conditions(if_match, if_none_match),
            caller=caller,
            projection=projection,
        )

    def patch(
        self,
        rt: ResourceType,
        id: str,
        body: dict[str, Any],
        *,
        if_match: str | None,
        caller: Caller,
        if_none_match: str | None = None,
        projection: Projection | None = None,
    ) -> Resource:
        """Change a resource (RFC 7644 3.5.2); a client that names attributes to be returned is answered with them."""
        operations = parse_operations(body, strict=self.document.strict)
        return self._change(
            rt,
            id,
            lambda current: rt.plan_patch(operations, current),
            operation="patch",
            fresh=any(map(rt.depends_on_values, operations)) or rt.judged_on_values(operations),
            conditions=Conditions(if_match, if_none_match),
            caller=caller,
            projection=projection,
            with_body=projection is not None or not self._answers_without_body(rt),
        )

    def delete(
        self, rt: ResourceType, id: str, *, if_match: str | None, caller: Caller, if_none_match: str | None = None
    ) -> None:
        """Deprovision a resource (RFC 7644 3.6)."""
        self._deleter.delete(rt, id, conditions=Conditions(if_match, if_none_match), caller=caller)

    def bulk(self, request: BulkRequest, *, caller: Caller) -> Sequence[BulkResult]:
        """Carry out a bulk request (RFC 7644 3.7); what fails is in the results."""
        return BulkRun(self, request, caller).run()

    def _change(
        self,
        rt: ResourceType,
        id: str,
        plan: Plan,
        *,
        operation: str,
        fresh: bool,
        conditions: Conditions,
        caller: Caller,
        projection: Projection | None = None,
        with_body: bool = True,
    ) -> Resource:
        stored = self._updater.update(
            rt, id, plan, operation=operation, fresh=fresh, conditions=conditions, caller=caller
        )
        if stored is None:  # active = false, and the disable flow is to delete
            before = self._reader.resource(rt, self._reader.stored(rt, id), caller)
            self._deleter.delete(rt, id, conditions=conditions, caller=caller, action="delete")
            return Resource(body=b"", etag=before.etag, id=id, location=before.location, with_body=False)
        if not with_body:  # of a group of 100,000 members nothing is made that nobody reads
            location = f"{caller.base_url}/{rt.endpoint}/{stored.id}"
            return Resource(body=b"", etag=etag(stored), id=stored.id, location=location, with_body=False)
        return self._reader.resource(rt, stored, caller, projection)

    def _answers_without_body(self, rt: ResourceType) -> bool:
        wanted = self.document.patch_response
        return wanted == "none" or (wanted == "auto" and rt.name == "Group")
