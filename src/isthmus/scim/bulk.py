"""Read the body of a bulk request (RFC 7644 3.7), and write its answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

from isthmus.scim import urns
from isthmus.scim.errors import InvalidPath, InvalidSyntax, InvalidValue, ScimError, TooLarge

METHODS: Final = ("POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True, slots=True)
class BulkOperation:
    """One operation as sent. `problem`: what is wrong with it in itself; it is answered with that, the others go on."""

    number: int
    method: str
    endpoint: str = ""
    id: str = ""
    bulk_id: str | None = None
    version: str | None = None
    data: Any = None
    problem: ScimError | None = None


@dataclass(frozen=True, slots=True)
class BulkRequest:
    """The operations in the order sent. `fail_on_errors`: how many may fail before no more are begun; None: all."""

    operations: tuple[BulkOperation, ...]
    fail_on_errors: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkResult:
    """What became of one operation. `location` is missing only where a POST made nothing (RFC 7644 3.7.3)."""

    operation: BulkOperation
    status: int
    location: str | None = None
    version: str | None = None
    error: ScimError | None = None


def parse_bulk(body: Mapping[str, Any], *, max_operations: int, strict: bool = False) -> BulkRequest:
    """Return the operations of a BulkRequest message.

    Names of members and methods may be in any case. A missing or foreign `schemas` is tolerated unless `strict`.

    Raises:
        InvalidSyntax: it is no BulkRequest.
        TooLarge: it has more than `max_operations` operations.
    """
    if strict:
        schemas = _member(body, "schemas")
        if not isinstance(schemas, list) or urns.BULK_REQUEST not in schemas:
            raise InvalidSyntax(f"schemas must be [{urns.BULK_REQUEST!r}]")
    operations = _member(body, "Operations")
    if not isinstance(operations, list) or not operations:
        raise InvalidSyntax("a bulk request needs Operations, an array of at least one operation")
    if len(operations) > max_operations:
        raise TooLarge(f"{len(operations)} operations in one bulk request; at most {max_operations} are taken")
    limit = _member(body, "failOnErrors")
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 1):
        raise InvalidSyntax("failOnErrors is a whole number of at least 1")
    seen: set[str] = set()
    return BulkRequest(tuple(_operation(each, number, seen) for number, each in enumerate(operations, 1)), limit)


def bulk_response(results: Sequence[BulkResult]) -> dict[str, Any]:
    """Return the BulkResponse message; `status` is a string there."""
    return {"schemas": [urns.BULK_RESPONSE], "Operations": [_shown(result) for result in results]}


def _shown(result: BulkResult) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    if result.location is not None:
        shown["location"] = result.location
    shown["method"] = result.operation.method
    if result.operation.bulk_id is not None:
        shown["bulkId"] = result.operation.bulk_id
    if result.version:
        shown["version"] = result.version
    shown["status"] = str(result.status)
    if result.error is not None:
        shown["response"] = result.error.document()
    return shown


def _operation(sent: Any, number: int, seen: set[str]) -> BulkOperation:
    if not isinstance(sent, dict):
        raise InvalidSyntax(f"operation {number} is not an object")
    method = _member(sent, "method")
    if not isinstance(method, str) or method.strip().upper() not in METHODS:
        raise InvalidSyntax(f"operation {number} has no method; it is one of {', '.join(METHODS)}")
    method = method.strip().upper()
    bulk_id, version, data = (_member(sent, name) for name in ("bulkId", "version", "data"))
    known = bulk_id if isinstance(bulk_id, str) and bulk_id else None
    try:
        if bulk_id is not None and known is None:
            raise InvalidSyntax("bulkId is a text of at least one character")
        if known is not None and known in seen:
            raise InvalidSyntax("another operation of this request has the same bulkId")
        endpoint, ident = _place(method, _member(sent, "path"))
        if method == "POST" and known is None:
            raise InvalidSyntax("a POST within a bulk request needs a bulkId (RFC 7644 3.7)")
        if version is not None and not isinstance(version, str):
            raise InvalidSyntax("version is the text of an entity tag")
        return BulkOperation(number, method, endpoint, ident, known, _tag(version), _data(method, data))
    except ScimError as problem:
        return BulkOperation(number, method, bulk_id=known, problem=problem)
    finally:
        if known is not None:
            seen.add(known)


def _place(method: str, path: Any) -> tuple[str, str]:
    """Return endpoint and id of `/Users` or `/Users/ID`."""
    if not isinstance(path, str):
        raise InvalidPath("the operation needs a path: /Users for a POST, /Users/ID for everything else")
    parts = [unquote(part) for part in path.strip().split("/") if part]
    if method == "POST":
        if len(parts) != 1:
            raise InvalidPath("the path of a POST is that of a resource type, such as /Users")
        return parts[0], ""
    if len(parts) != 2:
        raise InvalidPath(f"the path of a {method} is that of a resource, such as /Users/ID")
    return parts[0], parts[1]


def _data(method: str, data: Any) -> Any:
    if method == "DELETE":
        return None
    if method == "PATCH" and isinstance(data, list):
        return {"schemas": [urns.PATCH_OP], "Operations": data}  # as RFC 7644 3.7.3 prints it
    if not isinstance(data, dict):
        raise InvalidValue(f"a {method} within a bulk request needs data, an object")
    return data


def _tag(version: str | None) -> str | None:
    # RFC 7644 3.7.3 prints W\/"...": a backslash that JSON does not need and that ends up in the text.
    return None if version is None else version.replace("\\/", "/")


def _member(message: Mapping[str, Any], name: str) -> Any:
    """Return a member by its name in any case; the exact spelling wins."""
    if name in message:
        return message[name]
    lowered = name.lower()
    return next((value for key, value in message.items() if key.lower() == lowered), None)
