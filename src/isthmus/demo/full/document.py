"""The connector of the full demo, as a person would write it."""

from __future__ import annotations

CONNECTOR = "full"

_PLURAL = """
[[settings.object_types.child_tables]]
attribute = "{attribute}"
table = "{prefix}{table}"
columns = ["value", "kind", "label", "is_primary"]
names = ["value", "type", "display", "primary"]
order_column = "id"
"""

_PLURALS = (
    ("emails", "emails"),
    ("phoneNumbers", "phones"),
    ("ims", "messengers"),
    ("photos", "photos"),
    ("entitlements", "entitlements"),
    ("roles", "roles"),
    ("x509Certificates", "certificates"),
)

_DOCUMENT = """\
# One connector to a dozen tables: people, what they have several of, teams, devices.
type = "sql"
description = "The full demo's database"

[settings]
{connection}
[[settings.object_types]]
name = "person"
table = "{prefix}people"
reference_columns = [{{ column = "manager", object_type = "person" }}]
{plurals}
[[settings.object_types.child_tables]]
attribute = "addresses"
table = "{prefix}addresses"
columns = ["formatted", "street", "city", "region", "postal_code", "country", "kind", "is_primary"]
names = ["formatted", "streetAddress", "locality", "region", "postalCode", "country", "type", "primary"]
order_column = "id"

[[settings.object_types]]
name = "team"
table = "{prefix}teams"
child_tables = [{{ attribute = "members", table = "{prefix}team_members", reference_to = "person" }}]

[[settings.object_types]]
name = "device"
table = "{prefix}devices"
reference_columns = [{{ column = "owner", object_type = "person" }}]

[[resource_types]]
object_type = "person"
name = "User"
endpoint = "Users"
own_names = "unmapped" # nothing is published twice
attributes = [
  "login", "display_name", "formatted_name", "family_name", "given_name", "middle_name", "prefix", "suffix",
  "nick_name", "title", "user_type", "language", "locale", "timezone", "employee_number", "cost_center",
  "organization", "division", "department", "profile_url", "manager", "disabled",
  "emails", "phoneNumbers", "ims", "photos", "entitlements", "roles", "x509Certificates", "addresses",
]
matching = ["login"]

[resource_types.flows] # SCIM path = column, or child table
userName = {{ attribute = "login" }}
displayName = {{ attribute = "display_name" }}
"name.formatted" = {{ attribute = "formatted_name" }}
"name.familyName" = {{ attribute = "family_name" }}
"name.givenName" = {{ attribute = "given_name" }}
"name.middleName" = {{ attribute = "middle_name" }}
"name.honorificPrefix" = {{ attribute = "prefix" }}
"name.honorificSuffix" = {{ attribute = "suffix" }}
nickName = {{ attribute = "nick_name" }}
profileUrl = {{ attribute = "profile_url" }}
title = {{ attribute = "title" }}
userType = {{ attribute = "user_type" }}
preferredLanguage = {{ attribute = "language" }}
locale = {{ attribute = "locale" }}
timezone = {{ attribute = "timezone" }}
active = {{ attribute = "disabled", invert = true }}
emails = {{ attribute = "emails" }}
phoneNumbers = {{ attribute = "phoneNumbers" }}
ims = {{ attribute = "ims" }}
photos = {{ attribute = "photos" }}
entitlements = {{ attribute = "entitlements" }}
roles = {{ attribute = "roles" }}
x509Certificates = {{ attribute = "x509Certificates" }}
addresses = {{ attribute = "addresses" }}
"{enterprise}:employeeNumber" = {{ attribute = "employee_number" }}
"{enterprise}:costCenter" = {{ attribute = "cost_center" }}
"{enterprise}:organization" = {{ attribute = "organization" }}
"{enterprise}:division" = {{ attribute = "division" }}
"{enterprise}:department" = {{ attribute = "department" }}
"{enterprise}:manager" = {{ attribute = "manager" }}

[resource_types.disable] # active = false sets the column of the flow above
action = "set"

[resource_types.delete] # DELETE removes the row, and those of the person in the other tables
action = "delete"

[[resource_types]]
object_type = "team"
name = "Group"
endpoint = "Groups"
own_names = "unmapped" # nothing is published twice
attributes = ["name", "purpose", "members"]
matching = ["name"]
delete = {{ action = "delete" }}

[resource_types.flows]
displayName = {{ attribute = "name" }}
members = {{ attribute = "members" }}

[[resource_types]] # a type of its own: no flows, every attribute under its own name
object_type = "device"
name = "Device"
endpoint = "Devices"
attributes = ["serial", "model", "memory_gb", "price", "bought", "encrypted", "owner"]
matching = ["serial"]
delete = {{ action = "delete" }}
"""

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


def document(connection: str, *, prefix: str) -> str:
    """Return the connector's file; `connection` is the lines of `[settings]` that say where the database is."""
    plurals = "".join(_PLURAL.format(attribute=attribute, table=table, prefix=prefix) for attribute, table in _PLURALS)
    return _DOCUMENT.format(connection=connection, prefix=prefix, plurals=plurals, enterprise=ENTERPRISE)
