"""The core User and the enterprise extension (RFC 7643 4.1, 4.3; characteristics from 8.7.1, descriptions ours)."""

from __future__ import annotations

from isthmus.scim import urns
from isthmus.scim.schema import ScimAttribute, ScimSchema, multi_valued_complex

_NAME = ScimAttribute(
    name="name",
    type="complex",
    description="The parts of the person's name.",
    sub_attributes=(
        ScimAttribute(name="formatted", description="The whole name as it is shown, titles included."),
        ScimAttribute(name="familyName", description="Family name."),
        ScimAttribute(name="givenName", description="Given name."),
        ScimAttribute(name="middleName", description="Middle names."),
        ScimAttribute(name="honorificPrefix", description="Title before the name, such as Dr."),
        ScimAttribute(name="honorificSuffix", description="Title after the name, such as III."),
    ),
)

_ADDRESSES = ScimAttribute(
    name="addresses",
    type="complex",
    multi_valued=True,
    description="Postal addresses.",
    sub_attributes=(
        ScimAttribute(name="formatted", description="The whole address as it is printed, with line breaks."),
        ScimAttribute(name="streetAddress", description="Street, house number, post office box; may have line breaks."),
        ScimAttribute(name="locality", description="Town."),
        ScimAttribute(name="region", description="State or region."),
        ScimAttribute(name="postalCode", description="Postal code."),
        ScimAttribute(name="country", description="Country as an ISO 3166-1 alpha-2 code."),
        ScimAttribute(
            name="type", description="What this address is used for.", canonical_values=("work", "home", "other")
        ),
        ScimAttribute(
            name="primary",
            type="boolean",
            description="True for the preferred address, of which there is at most one.",
        ),
    ),
)

_GROUPS = ScimAttribute(
    name="groups",
    type="complex",
    multi_valued=True,
    description="Groups the person belongs to; changed through the group.",
    mutability="readOnly",
    sub_attributes=(
        ScimAttribute(name="value", description="The group's id.", mutability="readOnly"),
        ScimAttribute(
            name="$ref",
            type="reference",
            description="The group's URL.",
            mutability="readOnly",
            reference_types=("Group",),
        ),
        ScimAttribute(name="display", description="The group's name.", mutability="readOnly"),
        ScimAttribute(
            name="type",
            description="Whether the person is a member or only a member of a member.",
            mutability="readOnly",
            canonical_values=("direct", "indirect"),
        ),
    ),
)

USER = ScimSchema(
    id=urns.USER,
    name="User",
    description="A person's account",
    attributes=(
        ScimAttribute(
            name="userName",
            description="Name the person signs in with; unique whatever its case.",
            required=True,
            uniqueness="server",
        ),
        _NAME,
        ScimAttribute(name="displayName", description="Name to show to others."),
        ScimAttribute(name="nickName", description="What the person is called in daily life."),
        ScimAttribute(
            name="profileUrl",
            type="reference",
            description="Web page about the person.",
            reference_types=("external",),
        ),
        ScimAttribute(name="title", description="Position in the organisation, such as Vice President."),
        ScimAttribute(name="userType", description="Relation to the organisation, such as Employee or Contractor."),
        ScimAttribute(name="preferredLanguage", description="Languages in the form of an Accept-Language header."),
        ScimAttribute(name="locale", description="Locale for dates, numbers and currency, as a BCP 47 tag."),
        ScimAttribute(name="timezone", description="Time zone by its IANA name, such as Europe/Berlin."),
        ScimAttribute(name="active", type="boolean", description="Whether the account may be used."),
        ScimAttribute(
            name="password", description="Password to set; never shown.", mutability="writeOnly", returned="never"
        ),
        multi_valued_complex(
            "emails",
            "E-mail addresses.",
            ScimAttribute(name="value", description="The address (RFC 5321)."),
            types=("work", "home", "other"),
        ),
        multi_valued_complex(
            "phoneNumbers",
            "Telephone numbers.",
            ScimAttribute(name="value", description="The number; RFC 3966 form is suggested."),
            types=("work", "home", "mobile", "fax", "pager", "other"),
        ),
        multi_valued_complex(
            "ims",
            "Addresses for instant messages.",
            ScimAttribute(name="value", description="The address."),
            types=("aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo"),
        ),
        multi_valued_complex(
            "photos",
            "Pictures of the person.",
            ScimAttribute(
                name="value",
                type="reference",
                description="URL of the picture.",
                case_exact=True,
                reference_types=("external",),
            ),
            types=("photo", "thumbnail"),
        ),
        _ADDRESSES,
        _GROUPS,
        multi_valued_complex(
            "entitlements",
            "Things the person is entitled to.",
            ScimAttribute(name="value", description="The entitlement."),
        ),
        multi_valued_complex("roles", "Roles of the person.", ScimAttribute(name="value", description="The role.")),
        multi_valued_complex(
            "x509Certificates",
            "Certificates of the person.",
            ScimAttribute(name="value", type="binary", description="The certificate, DER in Base64.", case_exact=True),
        ),
    ),
)

ENTERPRISE_USER = ScimSchema(
    id=urns.ENTERPRISE_USER,
    name="EnterpriseUser",
    description="A person's place in an organisation",
    attributes=(
        ScimAttribute(name="employeeNumber", description="Number or code the organisation gave the person."),
        ScimAttribute(name="costCenter", description="Cost centre."),
        ScimAttribute(name="organization", description="Organisation."),
        ScimAttribute(name="division", description="Division."),
        ScimAttribute(name="department", description="Department."),
        ScimAttribute(
            name="manager",
            type="complex",
            description="The person's superior.",
            sub_attributes=(
                ScimAttribute(name="value", description="Id of the superior's User resource.", case_exact=True),
                ScimAttribute(
                    name="$ref", type="reference", description="The superior's URL.", reference_types=("User",)
                ),
                ScimAttribute(name="displayName", description="The superior's name.", mutability="readOnly"),
            ),
        ),
    ),
)
"""`manager.value` and `$ref` are optional here: RFC 7643 4.3 says RECOMMENDED, its example in 8.7.1 required."""
