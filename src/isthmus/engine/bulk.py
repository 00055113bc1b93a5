"""Carry out the operations of a bulk request (RFC 7644 3.7), each as if it had come alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from isthmus.engine.answers import fault
from isthmus.engine.caller import Caller
from isthmus.mapping.resource_type import ResourceType
from isthmus.scim import urns
from isthmus.scim.bulk import BulkOperation, BulkRequest, BulkResult
from isthmus.scim.bulk_references import cut, ordered, references, resolved, resolved_text
from isthmus.scim.errors import Conflict, InvalidValue, NotFound, ScimError, Unavailable

if TYPE_CHECKING:
    from isthmus.engine.endpoint import Endpoint
    from isthmus.engine.resource import Resource

MARGIN = 1.0
"""Seconds that must be left for an operation to be begun: what is begun is carried through, and answered."""


class BulkRun:
    """One bulk request on its way through one connector."""

    def __init__(self, endpoint: Endpoint, request: BulkRequest, caller: Caller) -> None:
        self._endpoint = endpoint
        self._caller = caller
        self._limit = request.fail_on_errors
        self._order = ordered(request.operations)
        self._results: dict[int, BulkResult] = {}
        self._failed: set[int] = set()
        self._ids: dict[str, str] = {}
        self._makers = {each.bulk_id for each in request.operations if each.method == "POST" and each.problem is None}
        self._incomplete: list[tuple[BulkOperation, ResourceType, str, set[str], list[dict[str, Any]]]] = []

    def run(self) -> list[BulkResult]:
        """Return the results in the order of the request; operations never begun because others failed have none.

        An operation of which nothing was begun when time ran out has 503. Operations that refer to one another in a
        circle are created without the reference that closes it, which is added as soon as that can be; where it
        cannot, the result is 409 for the resource that is there without it.
        """
        for operation in self._order.operations:
            if self._limit is not None and len(self._failed) >= self._limit:
                break
            with self._endpoint.target.turns.lent():
                pass  # others have had to wait for this operation; not for all of them
            self._note(self._perform(operation))
            self._complete()
        self._complete(last=True)
        return [self._results[number] for number in sorted(self._results)]

    def _note(self, result: BulkResult) -> None:
        self._results[result.operation.number] = result
        if result.error is not None:
            self._failed.add(result.operation.number)

    def _perform(self, operation: BulkOperation) -> BulkResult:
        location = None
        try:
            if operation.problem is not None:
                raise operation.problem
            if self._caller.remaining() < MARGIN:
                raise Unavailable(
                    "the time for this bulk request was over before this operation was begun; send it again"
                )
            later = self._order.deferred.get(operation.number, set())
            self._require(references(operation) - later)
            rt = self._resource_type(operation.endpoint)
            if operation.method == "POST":
                made = self._create(operation, rt, later)
                return BulkResult(operation=operation, status=201, location=made.location, version=made.etag)
            ident = resolved_text(operation.id, self._ids)
            location = f"{self._caller.base_url}/{rt.endpoint}/{ident}"
            return self._change(operation, rt, ident, location)
        except Exception as exc:  # noqa: BLE001 - a fault in one operation must not lose the results of the others
            error = self._answer(exc, operation)
            return BulkResult(operation=operation, status=error.status, location=location, error=error)

    def _answer(self, problem: Exception, operation: BulkOperation) -> ScimError:
        """Return what a client is told; a fault of ours fails one operation, and the log has it."""
        if isinstance(problem, ScimError):
            return problem
        return fault(problem, self._caller.correlation, operation=operation.number)

    def _require(self, names: Iterable[str]) -> None:
        for name in sorted(names):
            if name in self._ids:
                continue
            if name not in self._makers:
                raise InvalidValue(f"no POST of this request has the bulkId {_short(name)}")
            raise Conflict(f"this refers to bulkId {_short(name)}, whose resource was not created")

    def _resource_type(self, name: str) -> ResourceType:
        types = self._endpoint.resource_types()
        found = types.get(name.casefold())
        if found is None:
            names = ", ".join(f"/{rt.endpoint}" for rt in types.values())
            raise NotFound(f"a bulk request has no operations on this path; it has those on {names}")
        return found

    def _create(self, operation: BulkOperation, rt: ResourceType, later: set[str]) -> Resource:
        body, added = cut(operation.data, later) if later else (operation.data, [])
        made = self._endpoint.create(rt, resolved(body, self._ids), caller=self._caller)
        assert operation.bulk_id is not None
        self._ids[operation.bulk_id] = made.id
        if added:
            self._incomplete.append((operation, rt, made.id, later, added))
        return made

    def _change(self, operation: BulkOperation, rt: ResourceType, id: str, location: str) -> BulkResult:
        if operation.method == "DELETE":
            self._endpoint.delete(rt, id, if_match=operation.version, caller=self._caller)
            return BulkResult(operation=operation, status=204, location=location)
        change = self._endpoint.replace if operation.method == "PUT" else self._endpoint.patch
        body = resolved(operation.data, self._ids)
        done = change(rt, id, body, if_match=operation.version, caller=self._caller)
        return BulkResult(operation=operation, status=200, location=location, version=done.etag)

    def _complete(self, *, last: bool = False) -> None:
        """Add references that had to wait to what was created without them."""
        waiting, self._incomplete = self._incomplete, []
        for each in waiting:
            operation, rt, ident, names, added = each
            missing = names - self._ids.keys()
            if missing and not last:
                self._incomplete.append(each)
                continue
            before = self._results[operation.number]
            body = {"schemas": [urns.PATCH_OP], "Operations": added}
            try:
                if missing:
                    raise Conflict(f"bulkId {_short(min(missing))} was not created")
                done = self._endpoint.patch(rt, ident, resolved(body, self._ids), if_match=None, caller=self._caller)
            except Exception as exc:  # noqa: BLE001 - as above
                problem = self._answer(exc, operation)
                error = Conflict(f"created, but without what refers to other operations: {problem.detail}")
                self._note(
                    BulkResult(
                        operation=operation, status=409, location=before.location, version=before.version, error=error
                    )
                )
            else:
                self._note(BulkResult(operation=operation, status=201, location=before.location, version=done.etag))


def _short(name: str) -> str:
    return repr(name if len(name) <= 40 else name[:40] + "...")
