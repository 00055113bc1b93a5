"""What clients send of multi-valued and complex attributes, and types of their own, against whole values in the target.

Each test names the client whose request it is; sources as in test_entra.py and test_okta.py.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from harness import CORE, ENTERPRISE, OWN, PATCH_OP, Bench, Client, bench, memory_target, quoted
from isthmus.connectors.memory import MemoryTarget
from isthmus.engine import operations
from isthmus.spi import Complex, Value
from isthmus.store.records import EntryState

DEVICE = "urn:isthmus:params:scim:schemas:core:2.0:Device"
ASSIGNMENT = "urn:isthmus:params:scim:schemas:core:2.0:Assignment"

DOCUMENT = """type = "memory"
timeout = 5
{extra}
[settings]
name = "{target}"
[[resource_types]]
object_type = "user"
attributes = ["login", "displayName", "phones", "emails", "addresses", "position", "active", "manager"]
matching = ["login"]
disable = {{ action = "set", values = {{ active = false }} }}
delete = {{ action = "delete" }}
[resource_types.flows]
userName = {{ attribute = "login" }}
displayName = {{ attribute = "displayName" }}
emails = {{ attribute = "emails" }}
phoneNumbers = {{ attribute = "phones" }}
addresses = {{ attribute = "addresses", sub_attributes = {{ streetAddress = "street" }} }}
name = {{ attribute = "position", sub_attributes = {{ honorificPrefix = "title" }} }}
active = {{ attribute = "active" }}
manager = {{ attribute = "manager" }}
[[resource_types]]
object_type = "group"
name = "Group"
endpoint = "Groups"
attributes = ["name", "members"]
delete = {{ action = "delete" }}
flows = {{ displayName = {{ attribute = "name" }}, members = {{ attribute = "members" }} }}
[[resource_types]]
object_type = "device"
name = "Device"
endpoint = "Devices"
attributes = ["number", "label", "owner"]
matching = ["label"]
delete = {{ action = "delete" }}
[[resource_types]]
object_type = "assignment"
name = "Assignment"
endpoint = "Assignments"
attributes = ["person", "application", "role", "until"]
delete = {{ action = "delete" }}
[guard]
provider_objects = 100000
"""


@pytest.fixture(scope="module")
def target_name() -> Iterator[str]:
    with memory_target() as (name, _):
        yield name


@pytest.fixture(scope="module")
def host(folder: Path, target_name: str) -> Iterator[Bench]:
    documents = {
        "app": DOCUMENT.format(target=target_name, extra=""),
        "strict": DOCUMENT.format(target=target_name, extra="strict = true"),
    }
    with bench(folder / "host-multivalued", documents) as opened:
        yield opened


@pytest.fixture
def target(target_name: str) -> MemoryTarget:
    return MemoryTarget.named(target_name)


@pytest.fixture
def app(host: Bench) -> Client:
    return host.client("app")


@pytest.fixture
def strict(host: Bench) -> Client:
    return host.client("strict")


def held(target: MemoryTarget, name: str, attribute: str, object_type: str = "user") -> set[Value]:
    found = target.get(object_type, (name,))
    assert found is not None
    return set(found[attribute])


def c(**parts: Any) -> Complex:
    return Complex(parts)


# -- Entra


def test_entra_creates_a_person_with_lists(app: Client, target: MemoryTarget, name: str) -> None:
    answer = app.post(
        {
            "schemas": [CORE, ENTERPRISE],
            "externalId": str(uuid.uuid4()),
            "userName": name,
            "active": True,
            "addresses": [
                {"primary": False, "type": "work", "country": "US", "locality": "Seattle", "streetAddress": "1 Way"},
                {"type": "other", "formatted": None, "region": ""},
            ],
            "emails": [{"primary": True, "type": "work", "value": f"{name}@x.org"}],
            "phoneNumbers": [{"type": "work", "value": "+1 (555) 0100"}, {"type": "mobile", "value": "1"}],
            "meta": {"resourceType": "User"},
            "name": {"formatted": "givenName familyName", "honorificPrefix": "Dr."},
            "roles": [],
        }
    )
    assert answer.status == 201, answer
    assert answer.json["emails"] == [{"value": f"{name}@x.org", "type": "work", "primary": True}]
    assert answer.json["addresses"] == [
        {"streetAddress": "1 Way", "locality": "Seattle", "country": "US", "type": "work", "primary": False}
    ]
    assert answer.json["phoneNumbers"] == [{"value": "+1 (555) 0100"}, {"value": "1"}]
    assert answer.json["name"] == {"honorificPrefix": "Dr."}
    assert answer.json == app.user(answer.id)
    assert held(target, name, "emails") == {c(value=f"{name}@x.org", type="work", primary=True)}
    assert held(target, name, "addresses") == {
        c(street="1 Way", locality="Seattle", country="US", type="work", primary=False)
    }


@pytest.mark.parametrize("verb", ["Add", "Replace"])
def test_entra_writes_an_element_that_is_not_there(app: Client, target: MemoryTarget, name: str, verb: str) -> None:
    ident = app.created(name)
    answer = app.patch(
        ident,
        {"op": verb, "path": 'emails[type eq "work"].value', "value": f"{name}@x.org"},
        {"op": verb, "path": 'addresses[type eq "work"].streetAddress', "value": "Main 1"},
        {"op": verb, "path": 'addresses[type eq "work"].locality', "value": "Ulm"},
    )
    assert answer.status == 200, answer
    assert answer.json["emails"] == [{"value": f"{name}@x.org", "type": "work"}]
    assert answer.json["addresses"] == [{"streetAddress": "Main 1", "locality": "Ulm", "type": "work"}]
    again = app.patch(ident, {"op": verb, "path": 'emails[type eq "work"].Value', "value": "new@x.org"})
    assert again.json["emails"] == [{"value": "new@x.org", "type": "work"}]
    assert held(target, name, "addresses") == {c(type="work", street="Main 1", locality="Ulm")}


def test_entra_changes_several_in_one_operation_without_a_path(app: Client, name: str) -> None:
    ident = app.created(name, emails=[{"type": "work", "value": "a@x"}, {"type": "home", "value": "b@x"}])
    value = {'emails[type eq "work"].value': "c@x", 'emails[type eq "other"].value': "d@x", "displayName": "D"}
    answer = app.patch(ident, {"op": "replace", "value": value})
    assert answer.status == 200
    assert {(e["type"], e["value"]) for e in answer.json["emails"]} == {
        ("work", "c@x"), ("home", "b@x"), ("other", "d@x"),
    }  # fmt: skip
    assert answer.json["displayName"] == "D"


def test_entra_clears_and_removes_elements(app: Client, target: MemoryTarget, name: str) -> None:
    emails = [{"type": "work", "value": "a@x"}, {"type": "home", "value": "b@x"}, {"type": "other", "value": "o@x"}]
    ident = app.created(name, emails=emails)
    assert app.patch(ident, {"op": "Remove", "path": 'emails[type eq "work"].value'}).status == 200
    assert app.patch(ident, {"op": "Replace", "path": 'emails[type eq "other"].value', "value": ""}).status == 200
    assert held(target, name, "emails") == {c(type="home", value="b@x")}
    assert app.patch(ident, {"op": "Remove", "path": "emails", "value": [{"value": "B@x"}]}).status == 200
    assert "emails" not in app.user(ident)


def test_entra_writes_booleans_as_text_also_in_filters(app: Client, name: str) -> None:
    ident = app.created(
        name, emails=[{"value": "a@x", "primary": "True"}, {"value": "b@x", "type": "home", "primary": "False"}]
    )
    answer = app.patch(ident, {"op": "Replace", "path": 'emails[primary eq "True"].value', "value": "c@x"})
    assert {"value": "c@x", "primary": True} in answer.json["emails"]
    assert len(answer.json["emails"]) == 2


def test_entra_finds_by_an_element(app: Client, name: str) -> None:
    ident = app.created(name, emails=[{"type": "work", "value": f"{name}@x.org"}, {"type": "home", "value": "h@x"}])
    other = app.created(f"{name}-2", emails=[{"type": "home", "value": f"{name}@x.org"}])
    for condition, expected in {
        f'emails[type eq "work"].value eq "{name}@x.org"': [ident],
        f'emails[type eq "work" and value eq "{name.upper()}@x.org"]': [ident],
        f'emails.value eq "{name}@x.org"': [ident, other],
        f'emails eq "{name}@x.org" and emails[type eq "work"]': [ident],
        f'{OWN}:emails[value sw "{name}"]': [ident, other],
        f'userName sw "{name}" and not (emails[type eq "work"])': [other],
        f'emails[type eq "fax"].value eq "{name}@x.org"': [],
        'emails.value eq ""': [],
        f'emails[value eq "{name}@x.org" or type eq "{name}"]': [ident, other],
    }.items():
        assert [user["id"] for user in app.find(condition)] == expected, condition
    containing = quoted(f'emails.value co "{name}@"')
    page = app.get(f"/Users?filter={containing}&startIndex=2&count=1").json
    assert (page["totalResults"], [user["id"] for user in page["Resources"]]) == (2, [other])


def test_filters_by_what_no_element_has_are_refused(app: Client) -> None:
    for condition in (
        'emails.region eq "x"',
        'emails[valeu eq "x"]',
        'addresses[region eq "x"]',
        "phoneNumbers.type pr",
    ):
        app.get(f"/Users?filter={quoted(condition)}").refused(400, "invalidFilter")


# -- Okta


def test_okta_puts_the_whole_user(app: Client, target: MemoryTarget, name: str) -> None:
    ident = app.created(name, emails=[{"type": "work", "value": "old@x"}], addresses=[{"locality": "Ulm"}])
    body = {
        "schemas": [CORE],
        "id": ident,
        "userName": name,
        "emails": [
            {"primary": True, "value": f"{name}@x.org", "type": "work"},
            {"primary": False, "value": "home@x.org", "type": "home"},
        ],
        "groups": [],
        "meta": {"resourceType": "User"},
        "active": True,
    }
    answer = app.put(ident, body)
    assert answer.status == 200
    assert answer.json["emails"] == [
        {"value": f"{name}@x.org", "type": "work", "primary": True},
        {"value": "home@x.org", "type": "home", "primary": False},
    ]
    assert held(target, name, "addresses") == {c(locality="Ulm")}, "what it leaves out is kept"
    version = answer.json["meta"]["version"]
    assert app.put(ident, body).json["meta"]["version"] == version, "the same again changes nothing"
    assert "emails" not in app.put(ident, {**body, "emails": []}).json


def test_a_strict_put_clears_what_it_leaves_out(strict: Client, name: str) -> None:
    ident = strict.created(name, emails=[{"value": "a@x"}], name={"honorificPrefix": "Dr."})
    answer = strict.put(ident, {"schemas": [CORE], "userName": name})
    assert answer.status == 200
    assert not {"emails", "name"} & answer.json.keys()


# -- SailPoint, and everybody


def test_a_complex_attribute_with_one_value_is_replaced_part_by_part(
    app: Client, target: MemoryTarget, name: str
) -> None:
    ident = app.created(name)
    position = f"{OWN}:position"
    answer = app.patch(ident, {"op": "replace", "path": position, "value": {"title": "Clerk", "share": "0.50"}})
    assert answer.json[OWN]["position"] == {"title": "Clerk", "share": 0.5}
    answer = app.patch(
        ident,
        {"op": "replace", "path": f"{position}.grade", "value": 7},
        {"op": "add", "path": f"{position}.since", "value": "2025-01-31T08:00:00Z"},
    )
    assert answer.json[OWN]["position"] == {
        "title": "Clerk", "share": 0.5, "grade": 7, "since": "2025-01-31T08:00:00Z",
    }  # fmt: skip
    assert answer.json["name"] == {"honorificPrefix": "Clerk"}
    assert [user["id"] for user in app.find(f'userName eq "{name}" and {position}.since gt "2025-01-31"')] == [ident]
    assert app.patch(ident, {"op": "remove", "path": "name"}).status == 200
    assert held(target, name, "position") == set()


def test_the_primary_mark_moves(app: Client, name: str) -> None:
    ident = app.created(name, emails=[{"value": "a@x", "primary": True}, {"value": "b@x"}])
    answer = app.patch(ident, {"op": "replace", "path": 'emails[value eq "b@x"].primary', "value": True})
    assert {(e["value"], e.get("primary")) for e in answer.json["emails"]} == {("a@x", False), ("b@x", True)}
    answer = app.patch(ident, {"op": "add", "path": "emails", "value": [{"value": "c@x", "primary": True}]})
    assert [e["value"] for e in answer.json["emails"] if e.get("primary")] == ["c@x"]
    assert len(answer.json["emails"]) == 3


def test_two_primary_elements(app: Client, strict: Client, name: str) -> None:
    emails = [{"value": "a@x", "primary": True}, {"value": "b@x", "primary": True}]
    answer = app.post({"userName": name, "emails": emails})
    assert [e.get("primary") for e in answer.json["emails"]] == [True, False]
    strict.post({"userName": f"{name}-2", "emails": emails}).refused(400, "invalidValue")


def test_a_patch_is_judged_on_what_the_target_has_now(app: Client, target: MemoryTarget, name: str) -> None:
    ident = app.created(name, emails=[{"type": "work", "value": "old@x"}])
    target.change("user", (name,), emails=(c(type="work", value="changed@x"), c(type="home", value="h@x")))
    answer = app.patch(ident, {"op": "replace", "path": "emails.display", "value": "D"})
    assert answer.status == 200
    assert held(target, name, "emails") == {
        c(type="work", value="changed@x", display="D"), c(type="home", value="h@x", display="D"),
    }  # fmt: skip


def test_a_put_that_names_some_parts_keeps_the_others_as_the_target_has_them(
    app: Client, target: MemoryTarget, name: str
) -> None:
    ident = app.created(name, name={"honorificPrefix": "Dr."}, addresses=[{"type": "work", "locality": "Ulm"}])
    since = datetime(2025, 1, 31, tzinfo=UTC)
    target.change("user", (name,), position=(c(title="Dr.", grade=3, since=since),))
    assert app.put(ident, {"userName": name, "name": {"honorificPrefix": "Prof."}}).status == 200
    assert held(target, name, "position") == {c(title="Prof.", grade=3, since=since)}
    target.change("user", (name,), position=(c(title="Prof.", grade=4, share=Decimal("0.5")),))
    assert app.put(ident, {"userName": name, OWN: {"position": {"grade": 5}}}).status == 200
    assert held(target, name, "position") == {c(title="Prof.", grade=5, share=Decimal("0.5"))}
    assert app.put(ident, {"userName": name, "name": None}).status == 200
    assert held(target, name, "position") == set()


def test_a_put_of_whole_values_asks_the_target_for_nothing(
    host: Bench, app: Client, target: MemoryTarget, name: str
) -> None:
    rt = host.endpoint("app").resource_types()["users"]
    assert not rt.keeps_parts({"userName": name, "displayName": "D", "active": True, "name": None})
    assert not rt.keeps_parts({"userName": name, "emails": [{"value": "a@x"}]})
    assert rt.keeps_parts({"userName": name, "name": {"honorificPrefix": "Dr."}})
    assert rt.keeps_parts({"userName": name, OWN: {"Position": {"grade": 1}}})
    strict = host.endpoint("strict").resource_types()["users"]
    assert not strict.keeps_parts({"userName": name, "name": {"honorificPrefix": "Dr."}})


def test_what_the_target_changes_is_imported(host: Bench, app: Client, target: MemoryTarget, name: str) -> None:
    ident = app.created(name, emails=[{"value": "a@x"}, {"value": "b@x"}])
    before = app.user(ident)
    target.change("user", (name,), emails=(c(value="b@x"), c(value="a@x")))
    host.imported("app")
    assert app.user(ident)["meta"] == before["meta"], "the order of elements does not count"
    target.change("user", (name,), emails=(c(value="b@x", type="home"), c(value="a@x")))
    host.imported("app")
    assert {"value": "b@x", "type": "home"} in app.user(ident)["emails"]


def test_a_change_of_an_element_whose_answer_was_lost(
    host: Bench, app: Client, target: MemoryTarget, name: str
) -> None:
    ident = app.created(name, emails=[{"type": "work", "value": "a@x"}, {"type": "home", "value": "h@x"}])
    target.weather.lose_answers = 1
    operation = {"op": "replace", "path": 'emails[type eq "work"].value', "value": "b@x"}
    app.patch(ident, operation).refused(503)
    [entry] = host.unfinished()
    assert entry.intent["changes"] == {
        "emails": {"add": [{"type": "work", "value": "b@x"}], "remove": [{"type": "work", "value": "a@x"}]}
    }
    assert app.patch(ident, {"op": "replace", "path": "displayName", "value": "D"}).status == 200
    assert host.unfinished() == []
    done = operations.journal_show(host.host, entry.id)
    assert (done.state, done.reason) == (EntryState.DONE, "the target has the change")
    assert {e["value"] for e in app.user(ident)["emails"]} == {"b@x", "h@x"}


def test_the_audit_keeps_old_and_new_elements(host: Bench, app: Client, name: str) -> None:
    ident = app.created(name, emails=[{"value": "a@x"}])
    assert app.patch(ident, {"op": "replace", "path": "emails.value", "value": "b@x"}).status == 200
    record = host.audit(object_id=ident)[-1]
    assert record.old == {"emails": [{"value": "a@x"}]}
    assert record.new == {"emails": {"add": [{"value": "b@x"}], "remove": [{"value": "a@x"}]}}


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ({"op": "replace", "path": "emails.colour", "value": "x"}, "invalidPath"),
        ({"op": "replace", "path": 'emails[colour eq "x"]', "value": {"value": "x"}}, "invalidFilter"),
        ({"op": "replace", "path": "emails[value eq", "value": "x"}, "invalidPath"),
        ({"op": "replace", "path": 'emails[value co "nobody"].type', "value": "x"}, "noTarget"),
        ({"op": "add", "path": "emails", "value": [{"value": "x" * 300}]}, "invalidValue"),
        ({"op": "add", "path": "emails", "value": [{"value": "x", "primary": "perhaps"}]}, "invalidValue"),
        ({"op": "add", "path": f"{OWN}:emails", "value": [{"value": "x", "colour": "y"}]}, "invalidValue"),
        ({"op": "replace", "path": f"{OWN}:position.grade", "value": "many"}, "invalidValue"),
    ],
)
def test_a_broken_patch_changes_nothing(app: Client, name: str, operation: dict[str, Any], kind: str) -> None:
    ident = app.created(name, emails=[{"value": "a@x"}])
    before = app.user(ident)
    app.patch(ident, {"op": "replace", "path": "displayName", "value": "D"}, operation).refused(400, kind)
    assert app.user(ident) == before


@pytest.mark.parametrize(
    ("body", "tolerated"),
    [
        ({"emails": [{"type": "work", "value": "a@x", "display": "A"}]}, True),
        ({"emails": ["a@x"]}, False),
        ({"emails": {"value": "a@x"}}, False),
        ({"phoneNumbers": "1"}, False),
        ({"name": [{"honorificPrefix": "Dr."}]}, False),
        ({"displayName": {"value": "x"}}, False),
        ({"name.honorificPrefix": "Dr."}, False),
        ({'emails[type eq "work"].value': "a@x"}, False),
        ({f"{OWN}:displayName": "x"}, True),
        ({"emails": [], "name": None, "addresses": None, "displayName": None}, True),
        ({"emails": [{"value": "a@x", "primary": "True"}]}, False),
        ({"emails": [{"value": 5}]}, False),
        ({"addresses": [{"region": "x", "locality": "y"}]}, False),
        ({"nickName": "x"}, False),
        ({"phoneNumbers": [{"type": "work", "value": "1"}]}, True),
    ],
)
def test_tolerant_takes_what_strict_refuses(
    app: Client, strict: Client, name: str, body: dict[str, Any], tolerated: bool
) -> None:
    assert app.post({"schemas": [CORE], "userName": name, **body}).status == 201
    answer = strict.post({"schemas": [CORE], "userName": f"{name}-s", **body})
    assert answer.status == (201 if tolerated else 400), answer


def test_a_strict_patch_of_an_absent_element_has_no_target(strict: Client, name: str) -> None:
    ident = strict.created(name, emails=[{"value": "a@x"}])
    path = 'emails[type eq "work"].value'
    strict.patch(ident, {"op": "replace", "path": path, "value": "x"}).refused(400, "noTarget")
    strict.patch(ident, {"op": "remove", "path": path}).refused(400, "noTarget")
    added = strict.patch(ident, {"op": "add", "path": 'emails[type eq "work"].value', "value": "w@x"})
    assert {"value": "w@x", "type": "work"} in added.json["emails"]


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ({"op": "Remove", "path": "emails", "value": [{"value": "a@x"}]}, "invalidValue"),
        ({"op": "replace", "value": {"name.honorificPrefix": "Dr."}}, "invalidValue"),
        ({"op": "replace", "path": "active", "value": "False"}, "invalidValue"),
        ({"op": "replace", "path": "displayName", "value": ["x"]}, "invalidValue"),
        ({"op": "replace", "path": "manager", "value": "boss"}, "invalidValue"),
        ({"op": "replace", "path": "manager", "value": [{"value": "boss"}]}, "invalidValue"),
        ({"op": "replace", "path": "nickName", "value": "x"}, "invalidPath"),
        ({"op": "replace", "path": 'emails[display eq "x"].colour', "value": "x"}, "invalidPath"),
    ],
)
def test_a_strict_patch_refuses_dialects(strict: Client, name: str, operation: dict[str, Any], kind: str) -> None:
    ident = strict.created(name, emails=[{"value": "a@x"}])
    before = strict.user(ident)
    strict.patch(ident, operation).refused(400, kind)
    assert strict.user(ident) == before


# -- types of their own


def test_discovery_lists_every_type(app: Client) -> None:
    types = {each["name"]: each for each in app.get("/ResourceTypes").resources}
    assert {name: (each["endpoint"], each["schema"]) for name, each in types.items()} == {
        "User": ("/Users", CORE),
        "Group": ("/Groups", "urn:ietf:params:scim:schemas:core:2.0:Group"),
        "Device": ("/Devices", DEVICE),
        "Assignment": ("/Assignments", ASSIGNMENT),
    }
    assert app.get("/ResourceTypes/Device").json["id"] == "Device"
    schema = app.get(f"/Schemas/{DEVICE}").json
    found = {attribute["name"]: attribute for attribute in schema["attributes"]}
    assert (found["number"]["mutability"], found["number"]["uniqueness"]) == ("readOnly", "server")
    assert (found["label"]["required"], found["owner"]["type"]) == (True, "complex")
    refers = {sub["name"]: sub for sub in found["owner"]["subAttributes"]}["$ref"]
    assert refers["referenceTypes"] == ["User"]
    listed = {each["id"] for each in app.get("/Schemas").resources}
    assert {each["schema"] for each in types.values()} <= listed
    for each in types.values():
        assert {extension["schema"] for extension in each["schemaExtensions"]} <= listed


def test_a_device_and_its_owner(app: Client, target: MemoryTarget, name: str) -> None:
    owner, heir = app.created(name), app.created(f"{name}-2")
    answer = app.post({"schemas": [DEVICE], "label": f"Lamp {name}", "owner": {"value": owner}}, "/Devices")
    assert answer.status == 201, answer
    device = answer.json
    assert (device["meta"]["resourceType"], device["label"]) == ("Device", f"Lamp {name}")
    assert device["meta"]["location"].endswith(f"/Devices/{device['id']}")
    assert device["owner"]["value"] == owner
    assert device["owner"]["$ref"].endswith(f"/Users/{owner}")
    number = device["number"]
    for condition in (f'label eq "Lamp {name}"', f'{DEVICE}:label eq "Lamp {name}"', f'owner.value eq "{owner}"'):
        assert [each["id"] for each in app.get(f"/Devices?filter={quoted(condition)}").resources] == [device["id"]]
    changed = app.patch(device["id"], {"op": "replace", "path": "owner", "value": {"value": heir}}, path="/Devices")
    assert changed.json["owner"]["value"] == heir
    app.patch(device["id"], {"op": "replace", "path": "number", "value": 0}, path="/Devices").refused(400, "mutability")
    app.patch(device["id"], {"op": "remove", "path": "label"}, path="/Devices").refused(400, "mutability")
    app.post({"schemas": [DEVICE], "owner": {"value": owner}}, "/Devices").refused(400, "invalidValue")
    app.post({"label": "x", "owner": {"value": "nobody"}}, "/Devices").refused(400, "invalidValue")
    app.get(f"/Users/{device['id']}").refused(404)
    put = app("PUT", f"/Devices/{device['id']}", {**changed.json, "label": f"Lamp of {name}"})
    assert (put.status, put.json["label"], put.json["owner"]["value"]) == (200, f"Lamp of {name}", heir)
    assert app("DELETE", f"/Devices/{device['id']}").status == 204
    assert target.get("device", (str(number),)) is None


def test_a_type_whose_objects_have_two_keys(app: Client, name: str) -> None:
    body = {"person": name, "application": "Mail", "role": "reader", "until": "2030-01-01T00:00:00Z"}
    made = app.post(body, "/Assignments")
    assert made.status == 201, made
    assert made.json | body == made.json
    app.post(body, "/Assignments").refused(409, "uniqueness")
    assert app.post({**body, "application": "mail"}, "/Assignments").status == 201, "this target tells them apart"
    condition = quoted(f'person eq "{name.upper()}" and application eq "Mail"')
    listed = app.get(f"/Assignments?filter={condition}")
    assert [each["id"] for each in listed.resources] == [made.id]
    answer = app("PATCH", f"/Assignments/{made.id}", {
        "schemas": [PATCH_OP], "Operations": [{"op": "replace", "path": "role", "value": "writer"}],
    })  # fmt: skip
    assert (answer.status, answer.json["role"]) == (200, "writer")
