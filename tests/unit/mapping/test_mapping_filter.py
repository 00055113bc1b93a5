"""Filters bound to the target's attributes."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from mapping_samples import CORE, ENTERPRISE, OWN, bind, definition, employees, teams

from isthmus.mapping.bound import (
    FALSE,
    TRUE,
    BoundAnd,
    BoundComparison,
    BoundNot,
    BoundOr,
    BoundPresence,
    BoundReference,
)
from isthmus.mapping.definition import Deprovisioning, Flow
from isthmus.scim.errors import ScimError

RT = employees()


def text(attribute: str, operator: str, value: str, *, exact: bool = False, indexed: bool = False) -> BoundComparison:
    return BoundComparison(attribute, operator, value, "text", exact, indexed, value)  # type: ignore[arg-type]


LOGIN = text("Login", "eq", "x", indexed=True)
EMAIL = text("Email", "eq", "x", indexed=True)
DISABLED = BoundComparison("Disabled", "eq", True, "boolean", native=True)


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ('userName eq "x"', LOGIN),
        ('USERNAME EQ "x"', LOGIN),
        (f'{CORE}:userName eq "x"', LOGIN),
        (f'{OWN}:Login eq "x"', LOGIN),
        (f'{OWN.lower()}:login eq "x"', LOGIN),
        ('Login eq "x"', LOGIN),
        ('userName co "x"', text("Login", "co", "x")),
        ('userName ne "x"', text("Login", "ne", "x")),
        ('userName eq "tom and jerry"', text("Login", "eq", "tom and jerry", indexed=True)),
        ('userName eq "*"', text("Login", "eq", "*", indexed=True)),
        ('userName eq "a\\u0000b"', text("Login", "eq", "a\x00b", indexed=True)),
        ('userName eq ""', FALSE),
        ('userName ne ""', TRUE),
        ('title co ""', BoundPresence("Title")),
        ('emails[type eq "work"].value eq "x"', EMAIL),
        ('emails[type eq "work" and value eq "x"]', EMAIL),
        ('emails[TYPE eq "Work"].Value eq "x"', EMAIL),
        ('emails[primary eq true].value eq "x"', EMAIL),
        ('emails.value eq "x"', BoundOr((EMAIL, text("HomeEmail", "eq", "x")))),
        ('emails eq "x"', BoundOr((EMAIL, text("HomeEmail", "eq", "x")))),
        ('emails.value ne "x"', BoundNot(BoundOr((EMAIL, text("HomeEmail", "eq", "x"))))),
        ('emails[type eq "work"]', BoundPresence("Email")),
        ('emails.type eq "home"', BoundPresence("HomeEmail")),
        ('emails[type eq "fax"].value eq "x"', FALSE),
        ("emails pr", BoundOr((BoundPresence("Email"), BoundPresence("HomeEmail")))),
        ('emails[type eq "work" and not (value eq "x")]', BoundAnd((BoundPresence("Email"), BoundNot(EMAIL)))),
        ('roles[primary eq "True"].value eq "r"', text("Role", "eq", "r")),
        (
            'addresses[type eq "work" and locality eq "U" and streetAddress sw "M"]',
            BoundAnd((text("City", "eq", "U"), text("Street", "sw", "M"))),
        ),
        ("title pr", BoundPresence("Title")),
        ("name pr", BoundOr((BoundPresence("FirstName"), BoundPresence("LastName")))),
        ("title eq null", BoundNot(BoundPresence("Title"))),
        ("title ne null", BoundPresence("Title")),
        ("emails eq null", BoundNot(BoundOr((BoundPresence("Email"), BoundPresence("HomeEmail"))))),
        ("emails ne null", BoundOr((BoundPresence("Email"), BoundPresence("HomeEmail")))),
        ("emails.value eq null", BoundNot(BoundOr((BoundPresence("Email"), BoundPresence("HomeEmail"))))),
        ("addresses.locality eq null", BoundNot(BoundPresence("City"))),
        ("name eq null", BoundNot(BoundOr((BoundPresence("FirstName"), BoundPresence("LastName"))))),
        ("manager eq null", BoundNot(BoundPresence("Manager"))),
        ("meta.created eq null", FALSE),
        ("active ne null", TRUE),
        ('not (userName eq "x")', BoundNot(LOGIN)),
        ('userName eq "x" and emails[type eq "work"].value eq "x"', BoundAnd((LOGIN, EMAIL))),
        ("active eq true", BoundNot(DISABLED)),
        ("active eq false", DISABLED),
        ("active ne true", DISABLED),
        ('active eq "True"', BoundNot(DISABLED)),
        ("active eq False", DISABLED),
        ("active pr", TRUE),
        (f"{OWN}:Disabled eq true", DISABLED),
        (f'{ENTERPRISE}:employeeNumber eq "701"', BoundComparison("Number", "eq", 701, "number", native=701)),
        ("employeeNumber gt 700", BoundComparison("Number", "gt", 700, "number", native=700)),
        ('employeeNumber eq "abc"', FALSE),
        ('employeeNumber ne "abc"', TRUE),
        (f'{OWN}:Number eq "5f0c9d6e-aaaa-bbbb-cccc-ddddeeeeffff"', FALSE),
        (f"{OWN}:Salary ge 1.50", BoundComparison("Salary", "ge", 1.5, "number", native=Decimal("1.50"))),
        (f"{OWN}:Salary eq 3", BoundComparison("Salary", "eq", 3, "number", native=Decimal(3))),
        (f'{OWN}:Photo eq "AAEC"', BoundComparison("Photo", "eq", "AAEC", "binary", native=b"\x00\x01\x02")),
        (f'{OWN}:Tags eq "a"', text("Tags", "eq", "a")),
        (f'{OWN}:Tags[value eq "a"]', text("Tags", "eq", "a")),
        (f'{OWN}:Code eq "a"', text("Code", "eq", "a", exact=True)),
        ("title eq 5", text("Title", "eq", "5")),
        ("title eq bare", text("Title", "eq", "bare")),
        ('manager eq "b"', BoundReference("Manager", "b")),
        (f'{ENTERPRISE}:manager.value eq "b"', BoundReference("Manager", "b")),
        ('manager ne "b"', BoundNot(BoundReference("Manager", "b"))),
        ("manager pr", BoundPresence("Manager")),
        ('manager eq ""', FALSE),
        ("externalId eq jyoung", BoundComparison("#externalId", "eq", "jyoung", "text", True, native="jyoung")),
        ("externalId eq 4711", BoundComparison("#externalId", "eq", "4711", "text", True, native="4711")),
        (f'{OWN}:-dn- eq "cn=x"', BoundComparison("#dn", "eq", "cn=x", "text", True, native="cn=x")),
        (
            'id eq "a" and manager eq "b"',
            BoundAnd((BoundComparison("#id", "eq", "a", "text", True), BoundReference("Manager", "b"))),
        ),
        ("id pr", TRUE),
        (
            'meta.lastModified gt "2025-01-31T08:00:00Z"',
            BoundComparison("#modified", "gt", "2025-01-31T08:00:00.000000Z", "datetime", True),
        ),
        (
            'meta.created le "2025-01-31T09:00:00.1239+01:00"',
            BoundComparison("#created", "le", "2025-01-31T08:00:00.123900Z", "datetime", True),
        ),
        ('meta.version eq "W/\\"7\\""', BoundComparison("#version", "eq", "7", "text", True)),
        ("meta.version eq 7", BoundComparison("#version", "eq", "7", "text", True)),
        ('meta.resourceType eq "User"', TRUE),
        ('meta.resourceType eq "Group"', FALSE),
        (f'schemas eq "{CORE}"', TRUE),
        ('schemas eq "urn:other"', FALSE),
        ('PLACEHOLDER eq "6f7d0b5e"', FALSE),
        ('placeholder eq "x"', FALSE),
        (f'{OWN}:PLACEHOLDER eq "x"', FALSE),
        ('userName eq "x" and PLACEHOLDER eq "y"', FALSE),
        ('userName eq "x" or PLACEHOLDER eq "y"', LOGIN),
    ],
)
def test_binding(filter: str, expected: Any) -> None:
    assert bind(RT, filter) == expected


@pytest.mark.parametrize(
    ("filter", "says"),
    [
        ('usrName eq "x"', "userName"),
        ('nickName eq "x"', "not mapped"),
        (f'{OWN}:Logn eq "x"', "Login"),
        ('urn:example:Custom:thing eq "x"', "not an attribute"),
        ('emails.display2 eq "x"', "schema"),
        ('addresses[type eq "work"].region eq "x"', "not mapped"),
        ('name.middleName eq "x"', "not mapped"),
        ('name eq "x"', "parts"),
        ('name[givenName eq "x"]', "one value"),
        ('groups.value eq "x"', "mapped"),
        ('password eq "x"', "never returned"),
        ("password pr", "never returned"),
        (f'{OWN}:Pin eq "x"', "never returned"),
        (f'{OWN}:export_password eq "x"', "never returned"),
        ("active eq 1", "true or false"),
        ('active eq "maybe"', "true or false"),
        ("active gt true", "eq and ne"),
        (f"{OWN}:Remote co true", "eq and ne"),
        ("employeeNumber gt abc", "integer"),
        ("employeeNumber co 7", "cannot be compared with co"),
        (f'{OWN}:Photo gt "AAEC"', "cannot be compared with gt"),
        ('manager co "b"', "eq and ne"),
        ('manager.displayName eq "b"', "mapped"),
        ("meta.created gt yesterday", "date and time"),
        ('meta.location eq "x"', "of meta"),
        ('meta.created co "2025"', "cannot be compared with co"),
        ("title gt null", "null"),
        (f'{OWN}:Tags[value sw "a" and value ew "b"]', "only one"),
    ],
)
def test_what_cannot_be_filtered_by(filter: str, says: str) -> None:
    with pytest.raises(ScimError) as caught:
        bind(RT, filter)
    assert (caught.value.status, caught.value.scim_type) == (400, "invalidFilter")
    assert says in caught.value.detail


def test_a_name_that_scim_has_as_well_is_suggested_with_its_urn() -> None:
    flows = {path: flow for path, flow in definition().flows.items() if path not in {"title", "department"}}
    rt = employees(flows=flows, attributes=(*definition().attributes, "Title", "Department"))
    for name in ("title", "department"):
        with pytest.raises(ScimError, match=f"did you mean '{OWN}:{name.capitalize()}'"):
            bind(rt, f'{name} eq "x"')
        assert bind(rt, f'{OWN}:{name} eq "x"') == text(name.capitalize(), "eq", "x")


def test_moments_are_compared_in_utc() -> None:
    moment = datetime(2025, 1, 31, 8, tzinfo=UTC)
    for sent in ("2025-01-31T08:00:00Z", "2025-01-31T09:00:00+01:00"):
        bound = bind(RT, f'{OWN}:Hired gt "{sent}"')
        assert bound == BoundComparison("Hired", "gt", "2025-01-31T08:00:00.000000Z", "datetime", native=moment)
    naive = bind(RT, f'{OWN}:Hired gt "2025-01-31T08:00:00"')
    assert naive.value == "2025-01-31T08:00:00.000000Z"
    assert naive.native == datetime(2025, 1, 31, 8)


def test_an_indexed_moment_is_looked_up_in_one_form() -> None:
    rt = employees(matching=("Hired",))
    bound = bind(rt, f'{OWN}:Hired eq "2025-01-31T09:00:00+01:00"')
    assert bound.indexed
    assert rt.normalise("Hired", bound.value) == rt.normalise("Hired", datetime(2025, 1, 31, 8, tzinfo=UTC))


def test_active_by_values_and_by_nothing() -> None:
    flows = {path: flow for path, flow in definition().flows.items() if path != "active"}
    rt = employees(flows=flows, disable=Deprovisioning(action="set", values={"Status": "gone", "Title": None}))
    gone = BoundAnd((text("Status", "eq", "gone"), BoundNot(BoundPresence("Title"))))
    assert bind(rt, "active eq false") == gone
    assert bind(rt, "active eq true") == BoundNot(gone)
    nothing = employees(flows=flows, disable=None)
    assert bind(nothing, "active eq true") == TRUE
    assert bind(nothing, "active eq false") == FALSE


def test_active_by_a_number() -> None:
    flows = definition().flows | {"active": Flow(attribute="Number")}
    del flows[f"{ENTERPRISE}:employeeNumber"]
    rt = employees(flows=flows, disable=None)
    zero = BoundComparison("Number", "eq", 0, "number", native=0)
    assert bind(rt, "active eq false") == zero
    assert bind(rt, "active eq true") == BoundNot(zero)
    turned = employees(flows=flows | {"active": Flow(attribute="Number", invert=True)}, disable=None)
    assert bind(turned, "active eq false") == BoundAnd((BoundPresence("Number"), BoundNot(zero)))


def test_members() -> None:
    rt = teams()
    for text_ in ('members eq "c"', 'members.value eq "c"', 'members[value eq "c"]'):
        assert bind(rt, text_) == BoundReference("members", "c")
    assert bind(rt, "members pr") == BoundPresence("members")
    assert bind(rt, 'id eq "a" and members eq "c"').parts[1] == BoundReference("members", "c")
    assert bind(rt, 'displayName eq "S"') == BoundComparison("name", "eq", "S", "text", True, True, "S")


def test_emails_in_one_multi_valued_attribute() -> None:
    rt = employees(flows={"emails": Flow(attribute="Tags"), "userName": Flow(attribute="Login")}, disable=None)
    assert bind(rt, 'emails.value eq "x"') == text("Tags", "eq", "x")
    assert bind(rt, 'emails[value eq "x"]') == text("Tags", "eq", "x")
    with pytest.raises(ScimError):
        bind(rt, 'emails[type eq "work"].value eq "x"')
