"""Attributes with options and with several names, and values that are one value to the directory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("ldap", reason="python-ldap is not installed")

from connectors.servers.slapd import PEOPLE, LdapPrograms, SlapdServer
from isthmus.connectors.ldap import LdapObjectType, connector_type
from isthmus.spi import AttributeChange, Call, ConnectorObject, InvalidValue, TargetRejected

SEVERAL = ("mail", "telephoneNumber", "cn")


def call() -> Call:
    return Call(timeout=20)


def opened(server: LdapPrograms, *, naming: str = "uid", options: tuple[str, ...] = (), **more: Any) -> Any:
    person = LdapObjectType(
        name="person",
        structural_class="inetOrgPerson",
        bases=(PEOPLE,),
        dn_template=f"{naming}={{{naming}}},{PEOPLE}",
        **more,
    )
    return connector_type.open(server.settings(object_types=(person,), attribute_options=options))


def stored(server: LdapPrograms, name: str) -> dict[str, list[bytes]]:
    (values,) = server.search(PEOPLE, f"(cn={name})").values()
    return values


def test_an_attribute_with_an_option_is_another_one(plain_slapd: SlapdServer) -> None:
    plain_slapd.remove_all()
    connector = opened(plain_slapd, naming="cn", options=("cn;lang-de",))
    connector.create("person", {"sn": ("x",)}, dn=f"cn=Anna,{PEOPLE}", call=call())
    assert stored(plain_slapd, "Anna").keys() == {"objectclass", "cn", "sn"}
    connector.create("person", {"cn": ("Bertha",), "cn;lang-de": ("Berta",), "sn": ("x",)}, call=call())
    names = ("cn", "cn;lang-de")
    for name, german in (("Anna", ()), ("Bertha", ("Berta",))):
        (found,) = connector.find("person", "cn", name, attributes=names, call=call())
        assert [found.attributes[each] for each in names] == [(name,), german]
    (found,) = connector.find("person", "cn;lang-de", "berta", attributes=(), call=call())
    changed = connector.update("person", found.identity, [AttributeChange("cn", replace=("Betty",))], call=call())
    assert changed.identity.dn == f"cn=betty,{PEOPLE}"
    assert stored(plain_slapd, "Betty")["cn;lang-de"] == [b"Berta"]
    connector.close()


def test_an_attribute_is_left_out_by_any_of_its_names(plain_slapd: SlapdServer) -> None:
    connector = opened(
        plain_slapd, excluded_attributes=("gn", "RFC822Mailbox", "2.5.4.12", "CN;lang-de"), options=("cn;lang-de",)
    )
    offered = {each.name for each in connector.read_schema(call=call()).object_types["person"].attributes}
    connector.close()
    assert not offered & {"givenName", "mail", "title", "cn;lang-de"}
    assert {"cn", "sn", "uid"} <= offered


def test_settings_go_by_any_name_of_an_attribute(plain_slapd: SlapdServer) -> None:
    plain_slapd.remove_all()
    connector = opened(
        plain_slapd,
        naming="commonName",
        multivalued_attributes=("RFC822mailbox",),
        single_attributes=("X121ADDRESS",),
        secret_attributes=("SURNAME",),
    )
    known = connector.read_schema(call=call()).object_types["person"]
    assert known.attribute("mail").multivalued
    assert not known.attribute("x121Address").multivalued
    assert known.attribute("sn").secret
    made = connector.create("person", {"cn": ("Anna",), "sn": ("x",), "mail": ("a@x", "b@x")}, call=call())
    assert made.identity.dn == f"cn=anna,{PEOPLE}"
    changed = connector.update("person", made.identity, [AttributeChange("cn", replace=("Berta",))], call=call())
    assert changed.identity.dn == f"cn=berta,{PEOPLE}"
    connector.close()


@pytest.mark.parametrize("which", ["plain_slapd", "directory_389"])
def test_a_new_entry_that_is_none_of_the_type(request: pytest.FixtureRequest, which: str) -> None:
    """The next import would not find it: said at once, and not that all is well."""
    server: LdapPrograms = request.getfixturevalue(which)
    server.remove_all()
    connector = opened(server, filter="(employeeType=staff)")
    given = {"uid": ("a",), "cn": ("a",), "sn": ("a",)}
    with pytest.raises(TargetRejected, match="does not match the type's filter"):
        connector.create("person", given, call=call())
    assert not server.search(PEOPLE, "(uid=a)"), "an account that nobody knows of would stay"
    assert connector.create("person", {**given, "employeeType": ("Staff",)}, call=call()).attributes["uid"] == ("a",)
    connector.close()


@pytest.fixture(params=["plain_slapd", "directory_389"])
def made(request: pytest.FixtureRequest) -> Iterator[tuple[Any, ConnectorObject]]:
    server: LdapPrograms = request.getfixturevalue(request.param)
    server.remove_all()
    connector = opened(server, multivalued_attributes=SEVERAL)
    given = {"uid": ("a",), "cn": ("a", "A"), "sn": ("a",), "mail": ("a@x", "A@X")}
    yield connector, connector.create("person", given, call=call())
    connector.close()


def shown(made: tuple[Any, ConnectorObject], name: str, **how: Any) -> set[str]:
    """Change an attribute and return what it has then."""
    connector, person = made
    connector.update("person", person.identity, [AttributeChange(name, **how)], call=call())
    return set(connector.read("person", person.identity, attributes=(name,), call=call()).attributes[name])


def test_values_that_differ_by_letters_and_blanks_are_one(made: tuple[Any, ConnectorObject]) -> None:
    assert made[1].attributes["mail"] == ("a@x",)
    assert shown(made, "mail", replace=("B@x", "b@x", "c@x")) == {"B@x", "c@x"}
    assert shown(made, "mail", add=("d@x", "D@x", "b@X")) in ({"B@x", "c@x", "d@x"}, {"b@X", "c@x", "d@x"})
    assert shown(made, "mail", remove=("B@X", "b@x")) == {"c@x", "d@x"}
    assert shown(made, "cn", replace=("a", "a b", "a  B")) == {"a", "a b"}


@pytest.mark.parametrize("how", ["replace", "add"])
def test_values_that_only_the_server_takes_for_one(made: tuple[Any, ConnectorObject], how: str) -> None:
    """Sending them again would never help."""
    connector, person = made
    change = AttributeChange("telephoneNumber", **{how: ("+49 1", "+491")})
    with pytest.raises(InvalidValue, match="there twice"):
        connector.update("person", person.identity, [change], call=call())
