"""A private OpenLDAP server as in production, with made-up people and groups, and the host's document for it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks import people
from benchmarks.testing import GROUPS, PEOPLE, SUFFIX, SlapdServer, Variant, find_slapd, unprivileged

STAFF = f"ou=staff,{SUFFIX}"
"""People who are there from the beginning."""
FLOOR = f"ou=floor,{SUFFIX}"
"""Where `ldapadd` puts the people that the host puts below `PEOPLE`."""
ATTRIBUTES = ("uid", "cn", "sn", "givenName", "mail", "title", "departmentNumber", "employeeNumber", "employeeType")


class DurableSlapd(SlapdServer):
    """OpenLDAP with mdb: every change is on disk before it is acknowledged."""

    @classmethod
    def started(cls, *, staff: int, groups: dict[str, int]) -> DurableSlapd:
        """Return a server that has so many people of the staff, and groups of so many of them."""
        programs = find_slapd()
        if programs is None:
            raise SystemExit("OpenLDAP is not installed; 'make servers' installs it")
        server = cls(programs, Variant())
        server.start()
        for dn in (STAFF, FLOOR):
            server.add(dn, {"objectClass": ["organizationalUnit"], "ou": [dn[3:8]]})
        server.stop()
        server.load_ldif(
            [*(entry(number, STAFF) for number in range(staff)), *(group(n, size) for n, size in groups.items())]
        )
        server.start()
        return server

    def _configuration(self) -> str:
        return super()._configuration().replace("dbnosync\n", "")

    def load_ldif(self, entries: Iterable[str]) -> None:
        """Put entries into the database, past the server, which must not run."""
        path = self.folder / "entries.ldif"
        path.write_text("".join(entries))
        program = str(Path(self.program).with_name("slapadd"))
        command = [program, "-q", "-f", str(self.folder / "slapd.conf"), "-b", SUFFIX, "-l", str(path)]
        subprocess.run(unprivileged(command), check=True, capture_output=True)

    def seconds(self, program: str, *arguments: str) -> float:
        """Run one of OpenLDAP's programs to nowhere and return how long it took."""
        command = [program, "-x", "-H", self.url, "-D", self.user, "-w", self.password, *arguments]
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        return time.perf_counter() - began

    def count(self, base: str, wanted: str) -> int:
        """Return how many entries `ldapsearch` shows, as an administrator without limits."""
        return len(self.search(base, wanted, ["1.1"]))

    def document(self, base: str) -> str:
        """Return a connector for the people below this base and all groups."""
        return f"""type = "ldap"
autosync_minutes = 0
[settings]
url = "{self.url}"
user = "{self.user}"
password = {{ env = "DIRECTORY_PASSWORD" }}
tls = "none"
[[settings.object_types]]
name = "inetOrgPerson"
bases = ["{base}"]
dn_template = "uid={{uid}},{base}"
[[settings.object_types]]
name = "groupOfNames"
bases = ["{GROUPS}"]
dn_template = "cn={{cn}},{GROUPS}"
[[resource_types]]
object_type = "inetOrgPerson"
attributes = [{", ".join(f'"{name}"' for name in ATTRIBUTES)}]
matching = ["uid"]
disable = {{ action = "set", values = {{ employeeType = "disabled" }}, restore = {{ employeeType = "staff" }} }}
delete = {{ action = "delete" }}
[resource_types.flows]
"userName" = {{ attribute = "uid" }}
"displayName" = {{ attribute = "cn" }}
"name.givenName" = {{ attribute = "givenName" }}
"name.familyName" = {{ attribute = "sn" }}
"title" = {{ attribute = "title" }}
'emails[type eq "work"].value' = {{ attribute = "mail" }}
"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department" = {{ attribute = "departmentNumber" }}
"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber" = {{ attribute = "employeeNumber" }}
[[resource_types]]
object_type = "groupOfNames"
name = "Group"
endpoint = "Groups"
attributes = ["cn", "member"]
matching = ["cn"]
delete = {{ action = "delete" }}
[resource_types.flows]
"displayName" = {{ attribute = "cn" }}
"members" = {{ attribute = "member" }}
[guard]
provider_objects = 10000000
"""


def dn(number: int, base: str) -> str:
    return f"uid={people.row(number)[0]},{base}"


def entry(number: int, base: str) -> str:
    """Return the person with this number as LDIF: what the host sends for `scim` of the same number."""
    login, first, last, email, title, department, employee, _ = people.row(number)
    return (
        f"dn: {dn(number, base)}\nobjectClass: top\nobjectClass: person\nobjectClass: organizationalPerson\n"
        f"objectClass: inetOrgPerson\nuid: {login}\ncn: {first} {last}\nsn: {last}\ngivenName: {first}\nmail: {email}\n"
        f"title: {title}\ndepartmentNumber: {department}\nemployeeNumber: {employee}\n\n"
    )


def scim(number: int) -> object:
    """Return the person with this number as a client of SCIM sends it."""
    login, first, last, email, title, department, employee, _ = people.row(number)
    enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
    return {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", enterprise],
        "userName": login,
        "displayName": f"{first} {last}",
        "name": {"givenName": first, "familyName": last},
        "emails": [{"type": "work", "value": email}],
        "title": title,
        enterprise: {"department": department, "employeeNumber": str(employee)},
    }


def group(name: str, size: int) -> str:
    members = "".join(f"member: {dn(number, STAFF)}\n" for number in range(size))
    return f"dn: cn={name},{GROUPS}\nobjectClass: groupOfNames\ncn: {name}\n{members}\n"


def additions(name: str, numbers: Sequence[int], *, verb: str = "add") -> str:
    """Return what gives `ldapmodify` one more member of the group after the other; or takes them away (`delete`)."""
    return "".join(
        f"dn: cn={name},{GROUPS}\nchangetype: modify\n{verb}: member\nmember: {dn(number, STAFF)}\n\n"
        for number in numbers
    )


__all__ = [
    "ATTRIBUTES",
    "FLOOR",
    "PEOPLE",
    "STAFF",
    "DurableSlapd",
    "additions",
    "dn",
    "entry",
    "group",
    "scim",
]
