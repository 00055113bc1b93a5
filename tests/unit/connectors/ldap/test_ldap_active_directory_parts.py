"""What AD and its relatives need, without a server: schema, moments, ranges, the order of a Kerberos log-in."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("ldap", reason="python-ldap is not installed")

from ldap.schema import SubSchema

from isthmus.connectors.ldap import kerberos, syntaxes
from isthmus.connectors.ldap.directory import DOMAIN_SCOPE, Directory
from isthmus.connectors.ldap.errors import Failure, Kind
from isthmus.connectors.ldap.link import Answer, Entry
from isthmus.connectors.ldap.reading import all_ranges
from isthmus.connectors.ldap.schema import read_layouts
from isthmus.connectors.ldap.servers import AD_DS, GENERIC, LDS, OPENLDAP, Product
from isthmus.connectors.ldap.settings import LdapObjectType, LdapSettings
from isthmus.connectors.ldap.strategy import contexts_of
from isthmus.connectors.ldap.templates import template
from isthmus.spi import AttributeType, Secret

BYTES = "1.3.6.1.4.1.1466.115.121.1.40"
TEXT = "1.3.6.1.4.1.1466.115.121.1.15"
TOP = (
    "( 2.5.6.0 NAME 'top' ABSTRACT MUST ( objectClass $ instanceType ) "
    "MAY ( objectGUID $ whenCreated $ replPropertyMetaData ) )"
)
SCHEMA = {
    "attributeTypes": (
        f"( 2.5.4.3 NAME 'cn' SYNTAX '{TEXT}' SINGLE-VALUE )",
        "( 2.5.4.0 NAME 'objectClass' SYNTAX '1.3.6.1.4.1.1466.115.121.1.38' NO-USER-MODIFICATION )",
        f"( 1.2.840.113556.1.4.221 NAME 'sAMAccountName' SYNTAX '{TEXT}' SINGLE-VALUE )",
        f"( 1.2.840.113556.1.4.2 NAME 'objectGUID' SYNTAX '{BYTES}' SINGLE-VALUE NO-USER-MODIFICATION )",
        "( 1.2.840.113556.1.4.90 NAME 'unicodePwd' SYNTAX '1.3.6.1.4.1.1466.115.121.1.40' SINGLE-VALUE )",
        "( 1.2.840.113556.1.2.1 NAME 'instanceType' SYNTAX '1.3.6.1.4.1.1466.115.121.1.27' SINGLE-VALUE )",
        "( 1.2.840.113556.1.2.2 NAME 'whenCreated' SYNTAX '1.3.6.1.4.1.1466.115.121.1.24' NO-USER-MODIFICATION )",
        f"( 1.2.840.113556.1.4.3 NAME 'replPropertyMetaData' SYNTAX '{BYTES}' NO-USER-MODIFICATION )",
    ),
    "objectClasses": (
        TOP,
        "( 1.2.840.113556.1.5.9 NAME 'user' SUP top STRUCTURAL MAY ( cn $ unicodePwd ) )",
        "( 1.2.840.113556.1.5.8 NAME 'group' SUP top STRUCTURAL MAY cn )",
    ),
    "dITContentRules": (
        "( 1.2.840.113556.1.5.9 NAME 'user' AUX ( securityPrincipal ) MUST ( sAMAccountName $ cn ) )",
        "( 1.2.840.113556.1.5.8 NAME 'group' AUX ( securityPrincipal ) MUST ( sAMAccountName $ cn ) )",
    ),
}  # fmt: skip


def directory(product: Product = AD_DS, *, rules: bool = True, **root: tuple[str, ...]) -> Directory:
    told = {name: given for name, given in SCHEMA.items() if rules or name != "dITContentRules"}
    given = {"namingcontexts": ("DC=x", "CN=Configuration,DC=x"), "supportedcontrol": (DOMAIN_SCOPE,), **root}
    return Directory(given, product, SubSchema(told, check_uniqueness=0))


def settings(**changes: Any) -> LdapSettings:
    return LdapSettings(**{"url": "ldap://127.0.0.1", "user": "cn=me,dc=x", "password": Secret("pw"), **changes})


def layout(name: str, product: Product = AD_DS, *, rules: bool = True, **changes: Any) -> Any:
    (found,) = read_layouts(
        directory(product, rules=rules), settings(), [LdapObjectType(name=name, **changes)]
    ).values()
    return found


def test_what_content_rules_add() -> None:
    found = layout("user")
    columns = found.columns
    assert found.anchor == "objectGUID"
    assert columns["sAMAccountName"].definition.unique
    assert found.required == ("cn",), "the server supplies the rest"
    assert "replPropertyMetaData" not in columns
    assert columns["whenCreated"].codec is syntaxes.DECIMAL_TIME
    assert "unicodePwd" not in layout("group").columns
    assert "unicodePwd" in layout("group", rules=False).columns, "not told whether it has one"
    plain = layout("user", GENERIC, anchor="cn")
    assert set(plain.required) == {"cn", "sAMAccountName", "instanceType"}
    assert "replPropertyMetaData" in plain.columns


@pytest.mark.parametrize(
    ("text", "supplied"),
    [
        ("CN={cn},dc=x", {"cn"}),
        ("CN={sAMAccountName},dc=x", {"cn"}),
        ("UID={cn}+ou=b,ou={ou},dc=x", {"uid", "ou"}),
    ],
)
def test_what_a_template_gives_a_value_to(text: str, supplied: set[str]) -> None:
    assert template(text, what="").supplied() == supplied


def test_a_name_made_of_another_attribute_need_not_be_given() -> None:
    assert layout("user", dn_template="CN={sAMAccountName},dc=x").required == ()
    assert layout("user", dn_template="CN={cn},dc=x").required == ("cn",)


def test_moments_have_a_decimal() -> None:
    moment = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
    assert syntaxes.DECIMAL_TIME.encode(moment) == b"20010203040506.0Z"
    assert syntaxes.DECIMAL_TIME.encode(moment.replace(microsecond=120_000)) == b"20010203040506.12Z"
    assert syntaxes.DECIMAL_TIME.decode(b"20010203040506.0Z") == moment
    assert syntaxes.DECIMAL_TIME.type is AttributeType.DATETIME


def test_references_are_kept_off_only_where_every_search_has_them() -> None:
    assert [each.controlType for each in directory(LDS).within] == [DOMAIN_SCOPE]
    assert directory(OPENLDAP).within == (), "there they are a part of the tree on another server"
    assert directory(LDS, supportedcontrol=()).within == ()


def test_the_contexts_of_the_bases() -> None:
    below = layout("user", bases=("ou=a,DC=X", "ou=b,dc=x"))
    assert contexts_of(directory(), below) == ["dc=x"]
    # A context of people below another one, as application partitions are.
    root = {"namingcontexts": ("DC=x", "DC=zone,DC=x")}
    assert contexts_of(directory(**root), replace(below, bases=("ou=a,dc=zone,dc=x", "ou=b,dc=x"))) == [
        "dc=x", "dc=zone,dc=x",
    ]  # fmt: skip


class _Ranges:
    """A server that gives at most `most` values at once."""

    def __init__(self, values: Sequence[bytes], most: int) -> None:
        self.values = list(values)
        self.most = most
        self.asked: list[str] = []
        self.on_ask: Callable[[], None] = lambda: None
        self.gone = False

    def part(self, start: int) -> Entry:
        found = self.values[start : start + self.most]
        last = start + self.most >= len(self.values)
        end = "*" if last else str(start + self.most - 1)
        return Entry("cn=g,dc=x", {f"member;range={start}-{end}": found} if found else {})

    def search(self, dn: str, scope: int, wanted: str, asked: Sequence[str], *, seconds: float) -> Answer:
        self.asked += asked
        self.on_ask()
        if self.gone:
            raise Failure(Kind.NO_ENTRY, "")
        return Answer([self.part(int(asked[0].partition("=")[2].partition("-")[0]))])


def complete(server: Any, first: Entry) -> list[bytes]:
    found: list[bytes] = all_ranges(server, first, lambda: 1.0).values["member"]
    return found


def test_ranges_are_joined() -> None:
    values = [f"cn={i}".encode() for i in range(47)]
    for most in (1, 10, 46, 47):
        server = _Ranges(values, most)
        first = server.part(0)
        first.values["cn"] = [b"g"]
        whole = all_ranges(server, first, lambda: 1.0)  # type: ignore[arg-type]
        assert whole.values == {"cn": [b"g"], "member": values}
    assert server.asked == []


def test_members_that_go_while_ranges_are_read() -> None:
    server = _Ranges([f"cn={i}".encode() for i in range(30)], 10)
    first = server.part(0)
    server.on_ask = lambda: server.values.__delitem__(slice(10, None))
    assert complete(server, first) == [f"cn={i}".encode() for i in range(10)]

    server = _Ranges([f"cn={i}".encode() for i in range(30)], 10)
    first = server.part(0)
    server.on_ask = lambda: server.values.insert(0, b"cn=new")  # what was last in the first part comes once more
    assert len(set(complete(server, first))) == len(complete(server, first))

    server = _Ranges([f"cn={i}".encode() for i in range(30)], 10)
    first = server.part(0)
    server.gone = True
    with pytest.raises(Failure) as told:
        complete(server, first)
    assert told.value.kind is Kind.CHANGED, "half of the members is no group"


class _Context:
    """A context that is complete after the server's first token."""

    def __init__(self) -> None:
        self.complete = False
        self.offer = b"\x07\0\0\xff"

    def step(self, token: bytes) -> bytes:
        assert token == b"proof"
        self.complete = True
        return b""

    def unwrap(self, wrapped: bytes) -> bytes:
        return self.offer

    def wrap(self, content: bytes) -> bytes:
        return b"signed " + content


def talk(context: Any, *answers: object) -> list[bytes]:
    """Run the negotiation with these answers of a server; return what it was sent."""
    sent: list[bytes] = []
    left = iter(answers)

    def bind(dn: str, mechanism: str, token: bytes) -> object:
        assert (dn, mechanism) == ("", "GSSAPI")
        sent.append(token)
        return next(left)

    link: Any = SimpleNamespace(library=SimpleNamespace(sasl_bind_s=bind), run=lambda action, seconds: action())
    kerberos._negotiate(link, context, b"first", time.monotonic() + 1.0)
    return sent


def test_the_order_of_a_kerberos_log_in() -> None:
    assert talk(_Context(), b"proof", b"offer", 0) == [b"first", b"", b"signed \x01\0\0\0"]


@pytest.mark.parametrize("answers", [(0,), (b"proof", 0), (b"proof", b"offer", b"more"), (b"proof", b"offer", 14)])
def test_a_server_that_leaves_something_out_is_not_trusted(answers: tuple[object, ...]) -> None:
    with pytest.raises(Failure) as told:
        talk(_Context(), *answers)
    assert told.value.kind is Kind.LOGIN


@pytest.mark.parametrize("offer", [b"\x06\0\0\xff", b"", b"\x01"])
def test_a_server_that_wants_its_own_encryption(offer: bytes) -> None:
    context = _Context()
    context.offer = offer
    with pytest.raises(Failure) as told:
        talk(context, b"proof", b"offer", 0)
    assert told.value.kind is Kind.WEAK
