"""Directories as the host's target: the connector's document, and the configurations of servers that are tested."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import harness
from connectors.servers.slapd import GROUPS, PEOPLE, LdapPrograms
from harness import ENTERPRISE

FLOWS = {
    "userName": "uid", "displayName": "cn", "name.familyName": "sn", "name.givenName": "givenName", "title": "title",
    'emails[type eq "work"].value': "mail", 'phoneNumbers[type eq "work"].value': "telephoneNumber",
    'phoneNumbers[type eq "mobile"].value': "mobile", 'addresses[type eq "work"].streetAddress': "street",
    'addresses[type eq "work"].locality': "l", "preferredLanguage": "preferredLanguage",
    f"{ENTERPRISE}:manager": "manager", f"{ENTERPRISE}:department": "departmentNumber",
    f"{ENTERPRISE}:employeeNumber": "employeeNumber",
}  # fmt: skip
"""SCIM paths by attributes of inetOrgPerson."""


@dataclass(frozen=True)
class Configuration:
    """A server (the name of a fixture) and how it is spoken to."""

    server: str
    settings: str = 'tls = "none"'
    anchor: str = ""

    def __str__(self) -> str:
        return "-".join(filter(None, (self.server, self.settings.partition('"')[2].strip('"'), self.anchor)))


CONFIGURATIONS = (
    Configuration("plain_slapd"),
    Configuration("slapd", 'tls = "starttls"'),
    Configuration("directory_389"),
)
"""Without overlays in clear text; with accesslog, syncprov and memberOf over StartTLS; another implementation."""


def document(
    server: LdapPrograms,
    secret: Path,
    *,
    settings: str = 'tls = "none"',
    anchor: str = "",
    group: str = "groupOfNames",
    template: str = f"uid={{uid}},{PEOPLE}",
    guard: str = "provider_objects = 100000",
    own_names: str = "escaped",
) -> str:
    """Return a connector that publishes people (inetOrgPerson) and one kind of group."""
    member = {"groupOfNames": "member", "groupOfUniqueNames": "uniqueMember", "posixGroup": "memberUid"}[group]
    posix = group == "posixGroup"
    own = ', "gidNumber"' if posix else ""
    names = ", ".join(f'"{name}"' for name in dict.fromkeys((*FLOWS.values(), "roomNumber")))
    declared = f'anchor = "{anchor}"\n' if anchor else ""
    return f"""type = "ldap"
timeout = 20
[settings]
url = "{server.url}"
user = "{server.user}"
password = {{ file = "{secret}" }}
{f'tls_ca = "{server.ca}"' if server.ca else ""}
create_parents = true
mend_references = true
{settings}
[[settings.object_types]]
name = "inetOrgPerson"
bases = ["{PEOPLE}"]
dn_template = "{template}"
{declared}
[[settings.object_types]]
name = "{group}"
bases = ["{GROUPS}"]
dn_template = "cn={{cn}},{GROUPS}"
{declared}{'member_uid_type = "inetOrgPerson"' if posix else ""}
[[resource_types]]
own_names = "{own_names}"
object_type = "inetOrgPerson"
attributes = [{names}]
matching = ["uid", "mail"]
disable = {{ action = "set", values = {{ employeeType = "disabled" }}, restore = {{ employeeType = "staff" }} }}
delete = {{ action = "delete" }}
[resource_types.flows]
{harness.flows(FLOWS)}
[[resource_types]]
own_names = "{own_names}"
object_type = "{group}"
name = "Group"
endpoint = "Groups"
attributes = ["cn", "description", "{member}"{own}]
matching = ["cn"]
delete = {{ action = "delete" }}
[resource_types.flows]
"displayName" = {{ attribute = "cn" }}
"members" = {{ attribute = "{member}" }}
[guard]
{guard}
"""


@contextmanager
def directory_host(folder: Path, server: LdapPrograms, **more: str) -> Iterator[harness.Bench]:
    """Serve the connector `people` on a server, in this process."""
    secrets = folder / "isthmus" / "secrets"
    secrets.mkdir(parents=True)
    secret = secrets / "directory"
    secret.touch(0o600)
    secret.write_text(server.password)
    with harness.bench(folder, {"people": document(server, secret, **more)}) as made:
        yield made
