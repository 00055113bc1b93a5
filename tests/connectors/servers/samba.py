"""A private Samba Active Directory domain controller: LDAP with Active Directory's rules, and its KDC.

It cannot be told other ports than Active Directory's, so each gets a loopback address of its own, and needs root.
"""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from connectors.servers.certificates import write_certificates
from connectors.servers.process import Server
from connectors.servers.slapd import GROUPS, PEOPLE, SUFFIX, LdapPrograms, ldif

REALM = "EXAMPLE.ORG"
_TEMPLATES = Path("/usr/share/samba/setup")


def find_programs() -> tuple[str, str, str] | None:
    """Return samba, samba-tool and ldapsearch, or None."""
    path = "/usr/sbin:/usr/bin:/usr/local/samba/sbin:/usr/local/samba/bin"
    server, tool, search = (shutil.which(name, path=path) for name in ("samba", "samba-tool", "ldapsearch"))
    return (server, tool, search) if server and tool and search and _TEMPLATES.is_dir() else None


class SambaServer(LdapPrograms, Server):
    """`user` is the connector's account, a domain administrator. LDAPS and StartTLS are on (`ca`).

    It takes passwords, and log-ins with one, over an encrypted connection only.
    """

    privileged = True
    administrator = f"CN=Administrator,CN=Users,{SUFFIX}"
    user = f"cn=isthmus,cn=users,{SUFFIX}"
    password = "Correct horse/battery@staple%41"

    def __init__(self, programs: tuple[str, str, str]) -> None:
        super().__init__("samba")
        self.program, self.tool, self.search_program = programs
        self.host = _free_address()
        self.port = 389
        self.folder.chmod(0o700)
        certificates = self.folder / "tls"
        certificates.mkdir()
        write_certificates(certificates, address=self.host)
        for path in certificates.iterdir():
            os.chown(path, 0, 0)  # it refuses a key that is somebody else's
        self.ca = str(certificates / "ca.pem")
        self.configuration = self.folder / "smb.conf"
        self.configuration.write_text(self._configuration())
        self.run_tool(
            "domain", "provision", f"--realm={REALM}", "--domain=EXAMPLE", f"--adminpass={self.password}",
            "--server-role=dc", "--host-name=dc", f"--host-ip={self.host}", "--dns-backend=NONE",
        )  # fmt: skip

    def _configuration(self) -> str:
        folder = self.folder
        for name in ("cache", "lock", "ncalrpc", "private", "run", "state", "sysvol"):
            (folder / name).mkdir()
        return f"""[global]
netbios name = DC
realm = {REALM}
workgroup = EXAMPLE
server role = active directory domain controller
server services = ldap kdc
interfaces = {self.host}/8
bind interfaces only = yes
private dir = {folder}/private
lock directory = {folder}/lock
state directory = {folder}/state
cache directory = {folder}/cache
pid directory = {folder}/run
ncalrpc dir = {folder}/ncalrpc
binddns dir = {folder}/bind-dns
log file = {folder}/samba.log
tls certfile = {folder}/tls/server.pem
tls keyfile = {folder}/tls/server.key
tls cafile = {self.ca}
posix:eadb = {folder}/private/eadb.tdb
ldb:nosync = true
old password allowed period = 0
ldap server require strong auth = allow_sasl_over_tls
[sysvol]
path = {folder}/sysvol
read only = no
[netlogon]
path = {folder}/sysvol/example.org/scripts
read only = no
"""

    def command(self) -> Sequence[str]:
        return [self.program, "-i", "-M", "single", "-s", str(self.configuration), "--debug-stdout"]

    @property
    def tls_url(self) -> str:
        return f"ldaps://{self.host}"

    def run_tool(self, *arguments: str) -> str:
        """Run samba-tool on its database."""
        done = subprocess.run(
            [self.tool, *arguments, "-s", str(self.configuration)], capture_output=True, text=True, timeout=120
        )
        if done.returncode != 0:
            raise RuntimeError(f"samba-tool {arguments[0]} {arguments[1]}:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
        return done.stdout

    def run(self, program: str, *arguments: str, text: str = "", check: bool = True) -> str:
        found = subprocess.run(
            [program, "-x", "-H", self.tls_url, "-D", self.administrator, "-w", self.password, *arguments],
            input=text,
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, "LDAPTLS_CACERT": str(self.ca)},
        )
        if check and found.returncode != 0:
            raise AssertionError(f"{program}: {found.stderr}\n{text[:1000]}")
        return found.stdout

    def start(self) -> None:
        super().start()
        if self.search(PEOPLE, "(objectClass=*)", ["1.1"], scope="base"):
            return
        for dn, name in ((PEOPLE, "people"), (GROUPS, "groups")):
            self.add(dn, {"objectClass": ["organizationalUnit"], "ou": [name]})
        self.add(
            self.user,
            {
                "objectClass": ["user"],
                "sAMAccountName": ["isthmus"],
                "userAccountControl": ["512"],
                "unicodePwd": [f'"{self.password}"'.encode("utf-16-le")],
            },
        )
        member = {"changetype": ["modify"], "add": ["member"], "member": [self.user]}
        self.modify(ldif(f"CN=Domain Admins,CN=Users,{SUFFIX}", member))

    def export_key(self, account: str, keytab: Path) -> None:
        """Write the key of an account into a keytab."""
        self.run_tool("domain", "exportkeytab", str(keytab), f"--principal={account}@{REALM}")

    def known_to_kerberos(self, *, known: bool = True) -> None:
        """Tell the KDC that the name in our addresses is this server's, or that it is not."""
        dn, name = f"CN=DC,OU=Domain Controllers,{SUFFIX}", "servicePrincipalName"
        there = (
            f"ldap/{self.host}".encode() in next(iter(self.search(dn, f"({name}=*)", [name]).values()))[name.lower()]
        )
        if there != known:
            change = {"changetype": ["modify"], "add" if known else "delete": [name], name: [f"ldap/{self.host}"]}
            self.modify(ldif(dn, change))

    def lets_in(self, dn: str, password: str) -> bool:
        """Tell whether this password is the account's; one that is disabled is not let in at all."""
        found = subprocess.run(
            [self.search_program, "-x", "-H", self.tls_url, "-D", dn, "-w", password, "-b", "", "-s", "base", "1.1"],
            capture_output=True,
            env={**os.environ, "LDAPTLS_CACERT": str(self.ca)},
        )
        assert found.returncode in {0, 49}, found.stderr
        return found.returncode == 0

    def remove_all(self) -> None:
        """Delete everything below the two containers; groups first, for a member's end changes the groups it is in."""
        for base in (GROUPS, PEOPLE):
            gone = [dn for dn in self.search(base, "(objectClass=*)", ["1.1"]) if dn.casefold() != base]
            gone.sort(key=lambda dn: -dn.count(","))
            if gone:
                self.run("ldapmodify", text="".join(ldif(dn, {"changetype": ["delete"]}) for dn in gone))

    def settings(self, **changes: Any) -> Any:
        return super().settings(**{"tls": "starttls", "allow_active_directory": True, **changes})


def _free_address() -> str:
    """Return a loopback address on which nothing listens."""
    for _ in range(100):
        address = f"127.{random.randint(64, 254)}.{random.randint(1, 254)}.{random.randint(1, 254)}"
        with socket.socket() as probe:
            try:
                probe.bind((address, 389))
            except OSError as exc:
                last = exc
                continue
        return address
    raise RuntimeError(f"no loopback address can be bound: {last}")
