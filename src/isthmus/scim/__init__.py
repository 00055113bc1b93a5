"""The SCIM protocol, pure: nothing here knows a target, a store or HTTP.

Text in: `parse_json`, `parse_filter`, `parse_path`, `parse_operations`, `parse_list_request`, `Projection.parse`. Text
out: `documents`. Schemas as data: `schema`, `user_schema`, `group_schema`, `service_schemas`. One error tree: `errors`.
"""

from isthmus.scim.body import check_content_type, parse_json
from isthmus.scim.documents import list_of, list_response, resource_type, schema_document, service_provider_config
from isthmus.scim.errors import ScimError
from isthmus.scim.filter import parse_filter, parse_path
from isthmus.scim.group_schema import GROUP
from isthmus.scim.listing import ListRequest, parse_list_request, parse_search_request
from isthmus.scim.notation import parse_attribute_path
from isthmus.scim.patch import PatchOperation, parse_operations
from isthmus.scim.projection import Projection
from isthmus.scim.schema import COMMON_ATTRIBUTES, ScimAttribute, ScimSchema
from isthmus.scim.service_schemas import RESOURCE_TYPE, SCHEMA, SERVICE_PROVIDER_CONFIG, SERVICE_SCHEMAS
from isthmus.scim.syntax import And, AttributePath, Comparison, Filter, Not, Or, PatchPath, Presence, ValueFilter
from isthmus.scim.user_schema import ENTERPRISE_USER, USER

__all__ = [
    "COMMON_ATTRIBUTES",
    "ENTERPRISE_USER",
    "GROUP",
    "RESOURCE_TYPE",
    "SCHEMA",
    "SERVICE_PROVIDER_CONFIG",
    "SERVICE_SCHEMAS",
    "USER",
    "And",
    "AttributePath",
    "Comparison",
    "Filter",
    "ListRequest",
    "Not",
    "Or",
    "PatchOperation",
    "PatchPath",
    "Presence",
    "Projection",
    "ScimAttribute",
    "ScimError",
    "ScimSchema",
    "ValueFilter",
    "check_content_type",
    "list_of",
    "list_response",
    "parse_attribute_path",
    "parse_filter",
    "parse_json",
    "parse_list_request",
    "parse_operations",
    "parse_path",
    "parse_search_request",
    "resource_type",
    "schema_document",
    "service_provider_config",
]
