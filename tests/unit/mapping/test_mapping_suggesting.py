"""Suggested flows, from names as they occur in real tables and directories."""

from __future__ import annotations

import pytest
from composite_samples import made_of
from mapping_samples import EMPLOYEE, TEAM, T, attribute

from isthmus.connectors.memory.schema import OBJECT_TYPES
from isthmus.mapping.definition import Flow
from isthmus.mapping.resource_type import compile_resource_type
from isthmus.mapping.suggesting import looks_like_a_switch, looks_secret, suggest_flows
from isthmus.mapping.wording import words
from isthmus.spi import ObjectType


def table(*names: str, anchor: str | None = None, **types: T) -> ObjectType:
    return ObjectType(
        name="Employees",
        anchor=(anchor or names[0],),
        attributes=tuple(attribute(name, types.get(name, T.STRING)) for name in names),
    )


def flows(*names: str, **types: T) -> dict[str, str]:
    suggested = suggest_flows(table(*names, **types))
    return {path: ("!" if flow.invert else "") + flow.attribute for path, flow in suggested.flows.items()}


def test_display_name_goes_where_a_value_is_asked_for() -> None:
    object_type = ObjectType(
        name="inetOrgPerson",
        anchor=("id",),
        attributes=(attribute("id"), attribute("uid"), attribute("displayName"), attribute("cn", required=True)),
    )
    assert suggest_flows(object_type).flows["displayName"].attribute == "cn"


def test_the_tutorials_table() -> None:
    names = ("ContosoLogin", "FirstName", "LastName", "Email", "InternalGUID", "AzureID", "textID", "Disabled")
    suggested = suggest_flows(table(*names, Disabled=T.BOOLEAN))
    assert suggested.flows == {
        "userName": Flow(attribute="ContosoLogin"),
        "name.givenName": Flow(attribute="FirstName"),
        "name.familyName": Flow(attribute="LastName"),
        'emails[type eq "work"].value': Flow(attribute="Email"),
        "active": Flow(attribute="Disabled", invert=True),
    }
    assert suggested.attributes == names
    assert suggested.matching == ("ContosoLogin",)
    assert suggested.disable is None
    assert suggested.delete is None


def test_what_may_tell_who_may_log_in() -> None:
    names = ("login", "locked", "account_status", "Vip", "State", "nsAccountLock", "userAccountControl")
    types = {"locked": T.INTEGER, "Vip": T.BOOLEAN, "nsAccountLock": T.BOOLEAN, "userAccountControl": T.INTEGER}
    object_type = table(*names, **types)
    found = [one.name for one in object_type.attributes if looks_like_a_switch(one)]
    assert found == ["locked", "account_status", "Vip", "nsAccountLock", "userAccountControl"]
    assert not looks_like_a_switch(attribute("locked", T.INTEGER, readonly=True))


def test_names_of_one_word() -> None:
    assert flows("login", "given", "family") == {
        "userName": "login",
        "name.givenName": "given",
        "name.familyName": "family",
    }


def test_snake_case_and_german_and_ldap() -> None:
    assert flows(
        "user_name", "first_name", "last_name", "work_email", "job_title", "is_active", is_active=T.BOOLEAN
    ) == {
        "userName": "user_name",
        "name.givenName": "first_name",
        "name.familyName": "last_name",
        'emails[type eq "work"].value': "work_email",
        "title": "job_title",
        "active": "is_active",
    }
    assert flows("Benutzername", "Vorname", "Nachname", "Abteilung", "PLZ", "gesperrt", gesperrt=T.BOOLEAN) == {
        "userName": "Benutzername",
        "name.givenName": "Vorname",
        "name.familyName": "Nachname",
        "department": "Abteilung",
        'addresses[type eq "work"].postalCode': "PLZ",
        "active": "!gesperrt",
    }
    assert flows("uid", "givenName", "sn", "cn", "mail", "telephoneNumber", "mobile", "employeeNumber", "l") == {
        "userName": "uid",
        "name.givenName": "givenName",
        "name.familyName": "sn",
        "displayName": "cn",
        'emails[type eq "work"].value': "mail",
        'phoneNumbers[type eq "work"].value': "telephoneNumber",
        'phoneNumbers[type eq "mobile"].value': "mobile",
        "employeeNumber": "employeeNumber",
    }


def test_a_number_is_nobodys_name() -> None:
    assert flows("user_id", "email", "employee_id", user_id=T.INTEGER, employee_id=T.INTEGER) == {
        "userName": "email",
        'emails[type eq "work"].value': "email",
        "employeeNumber": "employee_id",
    }


def test_what_does_not_fit_leaves_the_place_to_the_next() -> None:
    found = flows(
        "user_id", "upn", "email", "mail", "title", "position", user_id=T.INTEGER, mail=T.BOOLEAN, title=T.INTEGER
    )
    assert found == {"userName": "upn", 'emails[type eq "work"].value': "email", "title": "position"}


def test_an_email_serves_as_user_name_where_there_is_none() -> None:
    assert flows("id", "email")["userName"] == "email"


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "PasswordHash",
        "pwd",
        "user_passwd",
        "salt",
        "api_key",
        "ApiKey",
        "SSN",
        "access_token",
        "client_secret",
        "Pin",
        "PASSWORT",
        "passwordhash",  # a server that folds names to lower case leaves no words apart
        "userpassword",
        "pwdhash",
        "mfasecret",
        "resettoken",
        "api_keys",
        "refresh_tokens",
        "user_activation_key",
        "two_factor_recovery_codes",
        "BackupCode",
        "SecurityAnswer",
        "passphrase",
        "krbPrincipalKey",
        "userPKCS12",
    ],
)
def test_secrets_are_not_suggested(name: str) -> None:
    assert looks_secret(attribute(name))
    assert name not in suggest_flows(table("login", name)).attributes


@pytest.mark.parametrize(
    "name",
    [
        "Shipping", "Passage", "keyword", "Tokyo", "hashtagless", "Compass", "login", "secretary", "users_alt",
        "sshPublicKey", "licence_key", "postal_codes", "Bypass",
    ],
)  # fmt: skip
def test_what_only_resembles_a_secret_is_suggested(name: str) -> None:
    assert not looks_secret(attribute(name))


def test_what_the_target_marks_as_secret_is_skipped() -> None:
    assert "Pin" not in suggest_flows(EMPLOYEE).attributes


def test_groups_are_recognised() -> None:
    suggested = suggest_flows(TEAM)
    assert (suggested.name, suggested.endpoint) == ("Group", "Groups")
    assert suggested.flows == {"displayName": Flow(attribute="displayName"), "members": Flow(attribute="members")}
    assert suggested.matching == ("displayName",)


def group(*names: str, anchor: tuple[str, ...], members: str | None = None) -> ObjectType:
    links = () if members is None else (attribute(members, T.REFERENCE, multivalued=True, reference_to="MITARBEITER"),)
    return ObjectType(name="GRUPPE", anchor=anchor, attributes=(*(attribute(name) for name in names), *links))


def test_one_part_of_a_groups_key_is_not_its_name() -> None:
    suggested = suggest_flows(group("MANDANT", "GRPNR", anchor=("MANDANT", "GRPNR")))
    assert "displayName" not in suggested.flows, "all groups of a client have the same"
    assert suggested.matching == ()
    assert suggest_flows(group("GRPNR", anchor=("GRPNR",))).flows["displayName"].attribute == "GRPNR"


def test_the_only_references_of_a_group_are_its_members() -> None:
    suggested = suggest_flows(group("name", anchor=("name",), members="MITARBEITER"))
    assert suggested.flows["members"].attribute == "MITARBEITER"


def test_a_name_beside_a_given_name_is_the_family_name() -> None:
    assert flows("KENNUNG", "NAME", "VORNAME") == {
        "userName": "KENNUNG",
        "name.givenName": "VORNAME",
        "name.familyName": "NAME",
    }
    assert flows("login", "name") == {"userName": "login", "displayName": "name"}
    assert flows("login", "first_name", "last_name", "name")["displayName"] == "name"


def test_the_address_of_a_user_is_an_email() -> None:
    assert flows("user_login", "user_email")['emails[type eq "work"].value'] == "user_email"


def test_a_state_is_a_region_only_in_an_address() -> None:
    assert flows("login", "state") == {"userName": "login"}, "more likely tells whether the account is blocked"
    address = flows("login", "city", "state")
    assert address['addresses[type eq "work"].region'] == "state"


def test_a_state_of_few_words_is_no_region() -> None:
    state = attribute("state", choices=("active", "blocked"))
    object_type = ObjectType(name="users", anchor=("login",), attributes=(attribute("login"), attribute("city"), state))
    assert 'addresses[type eq "work"].region' not in suggest_flows(object_type).flows
    assert looks_like_a_switch(state)


def test_read_only_attributes_flow_one_way() -> None:
    object_type = ObjectType(
        name="t", anchor=("id",), attributes=(attribute("id"), attribute("displayName", readonly=True))
    )
    assert suggest_flows(object_type).flows["displayName"].direction == "import"


@pytest.mark.parametrize("object_type", [EMPLOYEE, TEAM, *OBJECT_TYPES], ids=lambda object_type: object_type.name)
def test_every_suggestion_compiles(object_type: ObjectType) -> None:
    suggested = suggest_flows(object_type)
    rt = compile_resource_type(suggested, object_type, shape=1)
    assert set(suggested.attributes) <= set(rt.read_attributes)


def test_lists_are_recognised() -> None:
    object_type = ObjectType(
        name="person",
        anchor=("login",),
        attributes=(
            attribute("login"),
            attribute("mail"),
            made_of("person_emails", attribute("address"), attribute("kind"), attribute("is_default", T.BOOLEAN)),
            made_of("Telephones", attribute("number"), attribute("type"), multivalued=True),
            made_of("addresses", attribute("street"), attribute("zip"), attribute("city"), attribute("typ")),
            made_of("audit_log", attribute("at", T.DATETIME), multivalued=True),
            made_of("sessions", attribute("token"), multivalued=True),
            attribute("roles", multivalued=True),
            attribute("photo", T.BINARY, multivalued=True),
        ),
    )
    suggested = suggest_flows(object_type)
    assert suggested.flows == {
        "userName": Flow(attribute="login"),
        "emails": Flow(
            attribute="person_emails", sub_attributes={"value": "address", "type": "kind", "primary": "is_default"}
        ),
        "phoneNumbers": Flow(attribute="Telephones", sub_attributes={"value": "number"}),
        "addresses": Flow(
            attribute="addresses",
            sub_attributes={"streetAddress": "street", "locality": "city", "postalCode": "zip", "type": "typ"},
        ),
        "roles": Flow(attribute="roles"),
    }
    assert "sessions" not in suggested.attributes, "a token among its parts"
    assert "audit_log" in suggested.attributes
    compile_resource_type(suggested, object_type, shape=1)


def test_a_list_that_is_no_address_stays_in_the_extension() -> None:
    object_type = ObjectType(
        name="person",
        anchor=("login",),
        attributes=(attribute("login"), made_of("emails", attribute("count", T.INTEGER), multivalued=True)),
    )
    assert set(suggest_flows(object_type).flows) == {"userName"}


def test_words() -> None:
    assert words("userPrincipalName") == ["user", "principal", "name"]
    assert words("HR_employee-ID2") == ["hr", "employee", "id", "2"]
    assert words("APIKey") == ["api", "key"]
    assert words("GrößeÄnderung") == ["größe", "änderung"]
