"""The core Group (RFC 7643 4.2, characteristics from 8.7.1; descriptions are ours)."""

from __future__ import annotations

from isthmus.scim import urns
from isthmus.scim.schema import ScimAttribute, ScimSchema

GROUP = ScimSchema(
    id=urns.GROUP,
    name="Group",
    description="A group of people and groups",
    attributes=(
        ScimAttribute(name="displayName", description="Name of the group.", required=True),
        ScimAttribute(
            name="members",
            type="complex",
            multi_valued=True,
            description="Members of the group.",
            sub_attributes=(
                ScimAttribute(name="value", description="The member's id.", mutability="immutable"),
                ScimAttribute(
                    name="$ref",
                    type="reference",
                    description="The member's URL.",
                    mutability="immutable",
                    reference_types=("User", "Group"),
                ),
                ScimAttribute(
                    name="type",
                    description="Resource type of the member.",
                    mutability="immutable",
                    canonical_values=("User", "Group"),
                ),
                ScimAttribute(name="display", description="Name of the member.", mutability="readOnly"),
            ),
        ),
    ),
)
