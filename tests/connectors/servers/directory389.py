"""A private 389 Directory Server, with its change log, memberOf and content synchronisation plugins."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from connectors.servers.process import Server, give_away
from connectors.servers.slapd import GROUPS, PEOPLE, SCHEMA, SUFFIX, LdapPrograms

_SHARE = Path("/usr/share/dirsrv")
_PLUGINS = (
    "Retro Changelog Plugin",
    "MemberOf Plugin",
    "Content Synchronization",
    "referential integrity postoperation",
)
_FOLDERS = ("bak", "cert", "config", "config/schema", "db", "inst", "ldif", "lock", "log", "run", "tmp")


def find_programs() -> tuple[str, str] | None:
    """Return ns-slapd and ldapsearch, or None."""
    server, search = shutil.which("ns-slapd", path="/usr/sbin:/usr/bin"), shutil.which("ldapsearch")
    return (server, search) if server and search and _SHARE.is_dir() else None


class Directory389(LdapPrograms, Server):
    """`administrator` may do all; the connector uses it too."""

    administrator = "cn=Directory Manager"
    user = administrator
    password = "correct horse/battery@staple%41"

    def __init__(self, programs: tuple[str, str]) -> None:
        super().__init__("389")
        self.program, self.search_program = programs
        for name in _FOLDERS:
            (self.folder / name).mkdir()
        config = self.folder / "config"
        (config / "dse.ldif").write_text(self._configuration())
        shutil.copy("/etc/dirsrv/config/slapd-collations.conf", config)
        shutil.copy("/etc/dirsrv/config/certmap.conf", config)
        shutil.copy("/etc/dirsrv/schema/99user.ldif", config / "schema")  # without it the server ends without a word
        (config / "schema/98test.ldif").write_text(_schema())
        for path in [self.folder, *self.folder.rglob("*")]:
            give_away(path)

    def _configuration(self) -> str:
        values = {
            **{f"{name}_dir": str(self.folder / name) for name in _FOLDERS},
            "schema_dir": str(self.folder / "config/schema"),
            "db_home_dir": str(self.folder / "db"),
            "db_lib": "bdb",
            "ds_passwd": _hashed(self.password),
            "ds_port": str(self.port),
            "ds_suffix": SUFFIX,
            "ds_user": "nobody" if os.geteuid() == 0 else os.environ.get("USER", "nobody"),
            "fqdn": "localhost",
            "ldapi": str(self.folder / "run/ldapi"),
            "ldapi_autobind": "off",
            "ldapi_enabled": "off",
            "rootdn": self.administrator,
        }
        text = (_SHARE / "data/template-dse.ldif").read_text()
        for name, value in values.items():
            text = text.replace(f"%{name}%", value)
        entries = text.split("\n\n")
        for number, entry in enumerate(entries):
            if entry.lstrip().startswith("dn: cn=config\n"):
                entries[number] = entry + "\nnsslapd-listenhost: 127.0.0.1"
            for plugin in _PLUGINS:
                if entry.lstrip().startswith(f"dn: cn={plugin},"):
                    lines = [x for x in entry.splitlines() if not x.casefold().startswith("nsslapd-pluginenabled")]
                    lines.append("nsslapd-pluginEnabled: on")
                    if plugin.startswith("Retro"):
                        lines.append("nsslapd-attribute: nsuniqueid:targetUniqueId")
                    entries[number] = "\n".join(lines)
        return "\n\n".join(entries)

    def command(self) -> Sequence[str]:
        return [self.program, "-D", str(self.folder / "config"), "-i", str(self.folder / "run/pid"), "-d", "0"]

    def start(self) -> None:
        super().start()
        if self.search(SUFFIX, "(objectClass=*)", ["1.1"], scope="base"):
            return
        backend = {"objectClass": ["extensibleObject", "nsBackendInstance"], "cn": ["userRoot"]}
        self.add("cn=userRoot,cn=ldbm database,cn=plugins,cn=config", {**backend, "nsslapd-suffix": [SUFFIX]})
        tree = {"objectClass": ["extensibleObject", "nsMappingTree"], "cn": [SUFFIX], "nsslapd-state": ["backend"]}
        self.add(f'cn="{SUFFIX}",cn=mapping tree,cn=config', {**tree, "nsslapd-backend": ["userRoot"]})
        self.add(SUFFIX, {"objectClass": ["domain"], "dc": ["example"]})
        for dn, name in ((PEOPLE, "people"), (GROUPS, "groups")):
            self.add(dn, {"objectClass": ["organizationalUnit"], "ou": [name]})


def _schema() -> str:
    """Return the test schema as 389 takes it: LDIF, one definition a line."""
    lines = " ".join(SCHEMA.split()).replace("attributetype (", "\nattributeTypes: (")
    return "dn: cn=schema" + lines.replace("objectclass (", "\nobjectClasses: (") + "\n"


def _hashed(password: str) -> str:
    salt = os.urandom(16)
    digest = hashlib.sha512(password.encode() + salt).digest()
    return "{SSHA512}" + base64.b64encode(digest + salt).decode()
