"""The schema and message URNs of RFC 7643 and RFC 7644, spelt once."""

from __future__ import annotations

from typing import Final

USER: Final = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP: Final = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE_USER: Final = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
SERVICE_PROVIDER_CONFIG: Final = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
RESOURCE_TYPE: Final = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"
SCHEMA: Final = "urn:ietf:params:scim:schemas:core:2.0:Schema"

ERROR: Final = "urn:ietf:params:scim:api:messages:2.0:Error"
LIST_RESPONSE: Final = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
PATCH_OP: Final = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
SEARCH_REQUEST: Final = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
BULK_REQUEST: Final = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
BULK_RESPONSE: Final = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"

OWN_TYPE_PREFIX: Final = "urn:isthmus:params:scim:schemas:core:2.0:"
"""Before the name of a resource type that is neither User nor Group: its schema."""

ECMA2HOST_PREFIX: Final = "urn:ietf:params:scim:schemas:extension:ECMA2Host:2.0:"
"""Before the resource type's name: the extensions whose attribute names are the target's own, whatever they contain."""


def ecma2host(resource_type: str) -> str:
    """Return the URN under which a resource type shows the target's attributes by their own names."""
    return ECMA2HOST_PREFIX + resource_type
