"""A private OpenLDAP server, in several configurations."""

from __future__ import annotations

import base64
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors.servers.certificates import write_certificates
from connectors.servers.process import Server, give_away, unprivileged
from isthmus.connectors.ldap.settings import LdapSettings
from isthmus.spi import Secret
from ports import free_port

SUFFIX = "dc=example,dc=org"
PEOPLE = f"ou=people,{SUFFIX}"
GROUPS = f"ou=groups,{SUFFIX}"

SCHEMA = """
attributetype ( 1.3.6.1.4.1.32473.1.1 NAME 'testText' EQUALITY caseExactMatch SUBSTR caseExactSubstringsMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.32473.1.2 NAME 'testWords' EQUALITY caseIgnoreMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.32473.1.3 NAME 'testNumber' EQUALITY integerMatch ORDERING integerOrderingMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.32473.1.4 NAME 'testFlag' EQUALITY booleanMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.7 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.32473.1.5 NAME 'testMoment' EQUALITY generalizedTimeMatch
  ORDERING generalizedTimeOrderingMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.24 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.32473.1.6 NAME 'testBytes' EQUALITY octetStringMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.32473.1.7 NAME 'testMany' EQUALITY caseIgnoreMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.3.6.1.4.1.32473.1.8 NAME 'testFriend' SUP distinguishedName SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.32473.1.9 NAME 'testUsn' EQUALITY integerMatch ORDERING integerOrderingMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
objectclass ( 1.3.6.1.4.1.32473.2.1 NAME 'testPerson' SUP top STRUCTURAL MUST ( uid $ sn )
  MAY ( testText $ testWords $ testNumber $ testFlag $ testMoment $ testBytes $ testMany $ testFriend $ manager $
  userPassword $ cn $ mail ) )
"""


def find_programs() -> tuple[str, str] | None:
    """Return slapd and ldapsearch, or None."""
    path = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/libexec:/usr/lib/openldap"
    server, search = shutil.which("slapd", path=path), shutil.which("ldapsearch", path=path)
    return (server, search) if server and search else None


def module_folder() -> str:
    known = ("/usr/lib/ldap", "/usr/lib64/openldap", "/usr/lib/openldap", "/usr/local/libexec/openldap")
    return next((each for each in known if Path(each).is_dir()), known[0])


@dataclass(frozen=True)
class Variant:
    """What a server is told beyond the plain configuration."""

    accesslog: bool = False
    syncprov: bool = False
    sessionlog: int = 100_000
    memberof: bool = False
    ppolicy: bool = False
    policy: str = ""
    refint: bool = False
    referral: str = ""
    updateref: bool = True
    size_limit: str = ""
    extra: str = ""
    access: str = ""
    second: bool = False
    """Whether there is another database, `o=second`, without overlays."""
    root: str = ""


class LdapPrograms:
    """Works on a server past the connector, by OpenLDAP's own programs."""

    host: str
    port: int
    administrator: str
    user: str
    password: str
    ca: str | None = None
    search_program: str

    @property
    def url(self) -> str:
        return f"ldap://{self.host}:{self.port}"

    def answers(self) -> bool:
        found = subprocess.run(
            [self.search_program, "-x", "-H", self.url, "-b", "", "-s", "base", "1.1"], capture_output=True
        )
        return found.returncode == 0

    def run(self, program: str, *arguments: str, text: str = "", check: bool = True) -> str:
        found = subprocess.run(
            [program, "-x", "-H", self.url, "-D", self.administrator, "-w", self.password, *arguments],
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if check and found.returncode != 0:
            raise AssertionError(f"{program}: {found.stderr}\n{text[:1000]}")
        return found.stdout

    def add(self, dn: str, values: Mapping[str, Iterable[str | bytes]]) -> None:
        self.run("ldapadd", text=ldif(dn, values))

    def modify(self, text: str) -> None:
        self.run("ldapmodify", text=text)

    def delete(self, dn: str, *arguments: str) -> None:
        self.run("ldapdelete", *arguments, dn)

    def search(
        self, base: str, filter: str, attributes: Sequence[str] = (), *, scope: str = "sub"
    ) -> dict[str, dict[str, list[bytes]]]:
        """Return entries as `ldapsearch` shows them; a base that is not there has none."""
        output = self.run(
            self.search_program, "-LLL", "-o", "ldif-wrap=no", "-b", base, "-s", scope, filter, *attributes, check=False
        )
        return parsed(output)

    def remove_all(self) -> None:
        """Delete everything below the two containers."""
        found = [*self.search(PEOPLE, "(objectClass=*)", ["1.1"]), *self.search(GROUPS, "(objectClass=*)", ["1.1"])]
        gone = [dn for dn in found if dn.casefold() not in {PEOPLE, GROUPS}]
        if gone:
            gone.sort(key=lambda dn: -dn.count(","))
            self.run("ldapmodify", text="".join(ldif(dn, {"changetype": ["delete"]}) for dn in gone))

    def settings(self, **changes: Any) -> LdapSettings:
        given: dict[str, Any] = {
            "url": self.url,
            "user": self.user,
            "password": Secret(self.password),
            "tls": "none",
            "tls_ca": self.ca,
            "connect_timeout": 2.0,
        }
        return LdapSettings(**{**given, **changes})


class SlapdServer(LdapPrograms, Server):
    """`user` is the account of the connector; `administrator` may do all. StartTLS and LDAPS are on (`ca`)."""

    administrator = f"cn=admin,{SUFFIX}"
    user = f"cn=isthmus,{SUFFIX}"
    password = "correct horse/battery@staple%41"

    def __init__(self, programs: tuple[str, str], variant: Variant = Variant()) -> None:
        super().__init__("slapd")
        self.program, self.search_program = programs
        self.variant = variant
        self.tls_port = free_port()
        write_certificates(self.folder)
        self.ca = str(self.folder / "ca.pem")
        self.socket = str(self.folder / "socket")
        self._write("test.schema", SCHEMA)
        self._write("slapd.conf", self._configuration())
        for name in ("db", "log", "second"):
            (self.folder / name).mkdir()
            give_away(self.folder / name)

    def _write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.write_text(text)
        give_away(path)

    def _configuration(self) -> str:
        v = self.variant
        schema = Path("/etc/ldap/schema")
        if not schema.is_dir():
            schema = Path("/etc/openldap/schema")
        lines = [f"include {schema}/{name}.schema" for name in ("core", "cosine", "inetorgperson", "nis")]
        lines += [f"include {self.folder}/test.schema", f"modulepath {module_folder()}", "moduleload back_mdb"]
        chosen = ("accesslog", "syncprov", "memberof", "ppolicy", "refint")
        lines += [f"moduleload {name}" for name in chosen if getattr(v, name)]
        lines += [
            f"pidfile {self.folder}/pid",
            f"TLSCACertificateFile {self.ca}",
            f"TLSCertificateFile {self.folder}/server.pem",
            f"TLSCertificateKeyFile {self.folder}/server.key",
            "TLSVerifyClient try",
            "threads 4",
            f"authz-regexp cn=client cn=isthmus,{SUFFIX}",
            v.extra,
            f"rootDSE {self.folder}/root.ldif" if v.root else "",
        ]
        if v.root:
            self._write("root.ldif", v.root)
        if v.accesslog:
            lines += [
                "database mdb",
                "suffix cn=accesslog",
                f"directory {self.folder}/log",
                "maxsize 1073741824",
                "dbnosync",
                f"rootdn {self.administrator}",
                "index reqStart,entryCSN eq",
                f'access to * by dn.exact="{self.user}" read by * none',
                f'limits dn.exact="{self.user}" size=unlimited time=unlimited',
            ]
        lines += [
            "database mdb",
            f"suffix {SUFFIX}",
            f"directory {self.folder}/db",
            "maxsize 2147483648",
            "dbnosync",
            f"rootdn {self.administrator}",
            f'rootpw "{self.password}"',
            "index objectClass,entryUUID,entryCSN,uid,cn,member,uniqueMember,memberUid,mail eq",
            v.access,
            f'access to attrs=userPassword by dn.exact="{self.user}" write by anonymous auth by * none',
            f'access to * by dn.exact="{self.user}" write by * none',
            f'limits dn.exact="{self.user}" {v.size_limit or "size=unlimited"} time=unlimited',
        ]
        if v.syncprov:
            lines += ["overlay syncprov", "syncprov-checkpoint 1000 60"]
            lines += [f"syncprov-sessionlog {v.sessionlog}"] if v.sessionlog else []
        if v.accesslog:
            lines += ["overlay accesslog", "logdb cn=accesslog", "logops writes", "logsuccess TRUE"]
        if v.memberof:
            lines += ["overlay memberof"]
        if v.refint:
            lines += ["overlay refint", "refint_attributes member manager"]
        if v.ppolicy:
            lines += ["overlay ppolicy", f"ppolicy_default cn=policy,{SUFFIX}", v.policy]
        if v.referral:
            # A replica: it takes writes from its provider only, and this one never calls.
            lines += [
                f"syncrepl rid=1 provider={v.referral} type=refreshOnly interval=30:00:00:00",
                f'  retry="3600 +" searchbase="{SUFFIX}" bindmethod=simple',
                f"updateref {v.referral}" if v.updateref else "",
            ]
        if v.second:
            lines += ["database mdb", "suffix o=second", f"directory {self.folder}/second", "dbnosync"]
            lines += [f"rootdn {self.administrator}", f'access to * by dn.exact="{self.user}" write']
        return "\n".join(lines) + "\n"

    def command(self) -> Sequence[str]:
        socket = self.socket.replace("/", "%2F")
        listen = f"ldap://{self.host}:{self.port} ldaps://{self.host}:{self.tls_port} ldapi://{socket}"
        return [self.program, "-f", str(self.folder / "slapd.conf"), "-h", listen, "-d", "0"]

    @property
    def tls_url(self) -> str:
        return f"ldaps://{self.host}:{self.tls_port}"

    def wipe(self) -> None:
        """Take its database away; it must not run."""
        for name in ("db", "log"):
            shutil.rmtree(self.folder / name)
            (self.folder / name).mkdir()
            give_away(self.folder / name)

    def back_up(self) -> None:
        """Put its databases by; it must not run."""
        for name in ("db", "log"):
            shutil.copytree(self.folder / name, self.folder / f"{name}.backup")

    def restore(self) -> None:
        """Put back what was put by; it must not run."""
        self.wipe()
        for name in ("db", "log"):
            for path in (self.folder / f"{name}.backup").iterdir():
                give_away(Path(shutil.copy(path, self.folder / name)))

    def start(self, *, filled: bool = True) -> None:
        """Start it, with the containers and the account in it unless `filled` is off."""
        super().start()
        if filled and not self.search(SUFFIX, "(objectClass=*)", ["1.1"], scope="base"):
            self.add(SUFFIX, {"objectClass": ["domain"], "dc": ["example"]})
            for name in ("people", "groups"):
                self.add(f"ou={name},{SUFFIX}", {"objectClass": ["organizationalUnit"], "ou": [name]})
            account = {"objectClass": ["person", "simpleSecurityObject"], "cn": ["isthmus"], "sn": ["isthmus"]}
            self.add(self.user, {**account, "userPassword": [self.password]})

    def load(self, other: SlapdServer) -> None:
        """Take over what another server has; this one must not run."""
        content = other.run(other.search_program, "-LLL", "-o", "ldif-wrap=no", "-b", SUFFIX)
        program = str(Path(self.program).with_name("slapadd"))
        subprocess.run(
            unprivileged([program, "-f", str(self.folder / "slapd.conf"), "-b", SUFFIX]),
            input=content.encode(),
            check=True,
            capture_output=True,
        )


def line(name: str, value: str | bytes) -> str:
    raw = value.encode() if isinstance(value, str) else value
    return f"{name}:: {base64.b64encode(raw).decode()}\n"


def ldif(dn: str, values: Mapping[str, Iterable[str | bytes]]) -> str:
    return line("dn", dn) + "".join(line(name, value) for name, given in values.items() for value in given) + "\n"


def parsed(text: str) -> dict[str, dict[str, list[bytes]]]:
    """Return the entries of LDIF without wrapped lines, by DN; attribute names in lower case."""
    found: dict[str, dict[str, list[bytes]]] = {}
    values: dict[str, list[bytes]] = {}
    for each in text.splitlines():
        if not each or each.startswith("#"):
            continue
        name, _, rest = each.partition(":")
        raw = base64.b64decode(rest[1:].strip()) if rest.startswith(":") else rest.strip().encode()
        if name == "dn":
            values = found.setdefault(raw.decode(), {})
        else:
            values.setdefault(name.lower(), []).append(raw)
    return found
