"""What a connector author sees. Standard library only, so that a connector pins nothing of ours.

Start with `Connector` and the `Supports...` classes in `connector`, then `ConnectorType`, which an entry
point in the group `isthmus.connectors` names.
"""

from isthmus.spi.call import Call
from isthmus.spi.connector import (
    Connector,
    ConnectorType,
    SupportsCreate,
    SupportsDelete,
    SupportsDeltaImport,
    SupportsFullImport,
    SupportsLookup,
    SupportsPassword,
    SupportsSettling,
    SupportsSuggestions,
    SupportsUpdate,
)
from isthmus.spi.errors import (
    AlreadyExists,
    Cancelled,
    ConnectorError,
    InvalidValue,
    MisconfiguredConnector,
    NotFound,
    NotPermitted,
    TargetRejected,
    TargetUnavailable,
    Throttled,
    Unsupported,
    WatermarkExpired,
)
from isthmus.spi.objects import (
    Anchor,
    AttributeChange,
    Attributes,
    ConnectorObject,
    DeletedObject,
    Identity,
    ImportPage,
    ImportScope,
    Reference,
    Suggestion,
    Value,
    Watermark,
)
from isthmus.spi.schema import AttributeDefinition, AttributeType, ObjectType, Operation, Schema
from isthmus.spi.secret import Secret
from isthmus.spi.settings import Setting, setting, settings_of

__all__ = [
    "AlreadyExists",
    "Anchor",
    "AttributeChange",
    "AttributeDefinition",
    "AttributeType",
    "Attributes",
    "Call",
    "Cancelled",
    "Connector",
    "ConnectorError",
    "ConnectorObject",
    "ConnectorType",
    "DeletedObject",
    "Identity",
    "ImportPage",
    "ImportScope",
    "InvalidValue",
    "MisconfiguredConnector",
    "NotFound",
    "NotPermitted",
    "ObjectType",
    "Operation",
    "Reference",
    "Schema",
    "Secret",
    "Setting",
    "Suggestion",
    "SupportsCreate",
    "SupportsDelete",
    "SupportsDeltaImport",
    "SupportsFullImport",
    "SupportsLookup",
    "SupportsPassword",
    "SupportsSettling",
    "SupportsSuggestions",
    "SupportsUpdate",
    "TargetRejected",
    "TargetUnavailable",
    "Throttled",
    "Unsupported",
    "Value",
    "Watermark",
    "WatermarkExpired",
    "setting",
    "settings_of",
]
