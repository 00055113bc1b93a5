"""Cases in which gateways were seen to fail, with the answer a good server gives."""

from __future__ import annotations

import json
import time
import uuid

import pytest

from harness import CORE, OWN, PATCH_OP, Bench, Client, SqlPeople, at_once, memory_document, quoted
from isthmus.connectors.memory import MemoryTarget

HOSTILE = [
    "*", "user0004*", "100%", "a_b", "(cn=*)", "a)(b", "back\\slash", "a, b", "a+b", "a=b", 'say "hi"', "a;b", "<a>",
    "#a", "a/b", "a/../b", "O'Brien", "' OR 1=1 --", "tom and jerry", "x pr", "Ünïcödé", "漢字", "🙂", "ﬁ", "a b", " a",
    "a?b", "a&b", "a%2Fb", "..", "ß",
]  # fmt: skip


def term(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


# -- names are literal


@pytest.mark.parametrize("value", [*HOSTILE, "\x00", "a\x07b", "\u202e", "x" * 5000, "'"])
def test_a_filter_value_is_literal(client: Client, name: str, value: str) -> None:
    client.created(name)
    answer = client.get(f"/Users?filter={quoted(f'userName eq {term(value + name[2:])}')}")
    assert (answer.status, answer.json["totalResults"], answer.json["Resources"]) == (200, 0, [])


@pytest.mark.parametrize("value", HOSTILE)
def test_any_name_makes_the_whole_way(client: Client, name: str, value: str) -> None:
    login = f"{value}{name}"
    ident = client.created(login)
    assert all(character.isalnum() or character in "-._~" for character in ident), "an id is safe in a URL"
    for spelling in (ident, "".join(f"%{byte:02x}" for byte in ident.encode())):
        answer = client.get(f"/Users/{spelling}")
        assert (answer.status, answer.json["userName"]) == (200, login)
    assert [user["id"] for user in client.find(f"userName eq {term(login)}")] == [ident]
    assert client.patch(ident, {"op": "replace", "path": "displayName", "value": value}).json["displayName"] == value
    renamed = client.patch(ident, {"op": "replace", "path": "userName", "value": f"{login}2"})
    assert (renamed.status, renamed.id, renamed.json["userName"]) == (200, ident, f"{login}2")
    assert client.delete(ident).status == 204
    client.get(f"/Users/{ident}").refused(404)


@pytest.mark.parametrize("value", ["a\x00b", "a\x07b", "line\nbreak", "\x7f"])
def test_control_characters_in_a_new_name_are_refused(client: Client, name: str, value: str) -> None:
    client.post({"userName": f"{name}{value}"}).refused(400, "invalidValue")


def test_an_empty_name_belongs_to_nobody(client: Client, name: str) -> None:
    client.created(name)
    assert client.find('userName eq ""') == []
    client.post({"userName": ""}).refused(400, "invalidValue")


def test_a_new_person_whose_name_holds_words_of_the_filter_language(client: Client, name: str) -> None:
    ident = client.created(f"tom and jerry {name}")
    assert [user["id"] for user in client.find(f'userName eq "tom and jerry {name}"')] == [ident]


# -- filters


def test_every_operator(client: Client, name: str) -> None:
    one = client.created(f"{name}-1", displayName="Anna", title="A")
    two = client.created(f"{name}-2", displayName="Bert")
    three = client.created(f"{name}-3", displayName="Carl", active=False)
    mine = f'userName sw "{name}-"'

    def ids(condition: str) -> set[str]:
        return {user["id"] for user in client.find(f"{mine} and ({condition})")}

    assert ids("active eq true") == {one, two}
    assert ids("active ne true") == {three}
    assert ids("active eq false") == {three}
    assert ids("title pr") == {one}
    assert ids("not (title pr)") == {two, three}
    assert ids('displayName sw "an"') == ({one} if client.connector == "app" else set())
    assert ids('displayName sw "An"') == {one}
    assert ids('displayName co "er"') == {two}
    assert ids('displayName ew "rl"') == {three}
    assert ids('displayName ne "Bert"') == {one, three}
    assert ids('displayName gt "Anna"') == {two, three}
    assert ids('displayName le "Bert"') == {one, two}
    assert ids('(displayName eq "Anna" or displayName eq "Carl") and not (title pr)') == {three}
    assert ids(f'userName eq "{name}-1" or userName eq "{name}-3"') == {one, three}


def test_names_and_operators_have_no_case(client: Client, name: str) -> None:
    ident = client.created(name)
    for condition in (f'USERNAME EQ "{name}"', f'username Eq "{name}"', f'{CORE.upper()}:userName eq "{name}"'):
        assert [user["id"] for user in client.find(condition)] == [ident], condition


def test_paths_of_every_form(client: Client, name: str) -> None:
    ident = client.created(name, name={"familyName": name}, emails=[{"type": "work", "value": f"{name}@x.org"}])
    for condition in (
        f'emails[type eq "work"].value eq "{name}@x.org"',
        f'emails[type eq "work" and value eq "{name}@x.org"]',
        f'emails.value eq "{name}@x.org"',
        f'emails eq "{name}@x.org"',
        f'emails.value co "{name}@"',
        f'{CORE}:userName eq "{name}"',
        f'{CORE}:name.familyName eq "{name}"',
        f'{OWN}:mail eq "{name}@x.org"',
    ):
        assert [user["id"] for user in client.find(condition)] == [ident], condition


@pytest.mark.parametrize(
    ("condition", "hint"),
    [
        ('userNam eq "x"', "userName"),
        ('nickName eq "x"', "mapped"),
        (f'{OWN}:logn eq "x"', "login"),
        ('emails.valeu eq "x"', "value"),
        ('userName eq "x" and nosuch pr', "nosuch"),
        ('not (nosuch eq "x")', "nosuch"),
    ],
)
def test_an_unknown_attribute_is_never_an_empty_list(client: Client, condition: str, hint: str) -> None:
    detail = client.get(f"/Users?filter={quoted(condition)}").refused(400, "invalidFilter")
    assert hint in detail


@pytest.mark.parametrize(
    "condition",
    ["userName", "userName eq", 'userName eq "x', 'userName xx "x"', '(userName eq "x"', 'userName eq "x" and', "",
     'eq "x"', "(" * 2000 + "userName pr" + ")" * 2000],
)  # fmt: skip
def test_a_filter_that_cannot_be_parsed_is_refused(client: Client, condition: str) -> None:
    answer = client.get(f"/Users?filter={quoted(condition)}")
    answer.refused(400, "invalidFilter")


# -- paging


def test_exactly_ten_from_the_eleventh(client: Client, name: str) -> None:
    for number in range(25):
        client.created(f"{name}-{number:02}")
    condition = quoted(f'userName sw "{name}-"')
    page = client.get(f"/Users?filter={condition}&startIndex=11&count=10").json
    assert (page["totalResults"], page["startIndex"], page["itemsPerPage"]) == (25, 11, 10)
    whole = client.get(f"/Users?filter={condition}&count=1000").json["Resources"]
    assert page["Resources"] == whole[10:20]
    assert client.get(f"/Users?filter={condition}&startIndex=26").json["Resources"] == []
    assert client.get(f"/Users?filter={condition}&startIndex=99999999999999999999").json["totalResults"] == 25
    client.get("/Users?startIndex=one").refused(400, "invalidValue")


# -- changes


def test_values_are_removed(client: Client, name: str) -> None:
    for operation in (
        {"op": "remove", "path": "title"},
        {"op": "replace", "path": "title", "value": None},
        {"op": "replace", "path": "title", "value": ""},
        {"op": "replace", "value": {"title": None}},
        {"op": "replace", "path": "title", "value": []},
    ):
        ident = client.created(f"{name}-{uuid.uuid4().hex[:6]}", title="T")
        answer = client.patch(ident, operation)
        assert answer.status == 200, operation
        assert "title" not in answer.json
        assert "title" not in client.user(ident)


def test_a_removed_value_is_gone_in_the_target(hr: Client, people: SqlPeople, name: str) -> None:
    ident = hr.created(name, title="T", phoneNumbers=[{"type": "work", "value": "1"}])
    assert hr.patch(ident, {"op": "remove", "path": "title"}).status == 200
    assert hr.patch(ident, {"op": "remove", "path": 'phoneNumbers[type eq "work"]'}).status == 200
    row = people.row(name)
    assert row is not None
    assert (row["title"], row["phone"]) == (None, None)


@pytest.mark.parametrize(
    ("operations", "kind"),
    [
        ([{"op": "explode", "path": "title", "value": "x"}], "invalidSyntax"),
        ([{"op": "replace", "path": "emails[type eq", "value": "x"}], "invalidPath"),
        ([{"op": "replace", "path": "no.such.path", "value": "x"}], "invalidPath"),
        ([], "invalidSyntax"),
        ({"op": "replace"}, "invalidSyntax"),
        ([{"op": "replace", "path": "id", "value": "x"}], "mutability"),
        ([{"op": "remove"}], "noTarget"),
        (["replace"], "invalidSyntax"),
    ],
)
def test_a_broken_patch_does_nothing_at_all(client: Client, name: str, operations: object, kind: str) -> None:
    ident = client.created(name, displayName="before")
    good = {"op": "replace", "path": "displayName", "value": "after"}
    sent = [good, *operations] if isinstance(operations, list) and operations else operations
    client("PATCH", f"/Users/{ident}", {"schemas": [PATCH_OP], "Operations": sent}).refused(400, kind)
    assert client.user(ident)["displayName"] == "before"


def test_a_core_attribute_without_flow_is_dropped_with_a_warning(served: Bench, client: Client, name: str) -> None:
    answer = client.post({"userName": name, "nickName": "Nick", "displayName": "D"})
    assert answer.status == 201, answer
    assert "nickName" not in answer.json
    patched = client.patch(answer.id, {"op": "replace", "path": "nickName", "value": "Nick"})
    assert patched.status == 200, patched
    assert "nickName" not in patched.json
    records = served.audit(connector=client.connector, name=name)
    assert [record.operation for record in records if "nickName" in record.message] == ["create", "patch"]


def test_an_unknown_name_under_our_own_urn(client: Client, name: str) -> None:
    ident = client.created(name)
    client.patch(ident, {"op": "replace", "path": f"{OWN}:nosuch", "value": "x"}).refused(400, "invalidPath")
    client.put(ident, {"userName": name, OWN: {"nosuch": "x"}}).refused(400, "invalidValue")


def test_all_members_are_removed_by_a_bare_remove_and_some_by_a_list(app: Client, name: str) -> None:
    users = [app.created(f"{name}-{number}") for number in range(3)]
    ident = app.created(name, "/Groups", members=[{"value": user} for user in users])
    app.patch(ident, {"op": "Remove", "path": "members", "value": [{"value": users[0]}]}, path="/Groups")
    assert {member["value"] for member in app.get(f"/Groups/{ident}").json["members"]} == set(users[1:])
    assert app.patch(ident, {"op": "remove", "path": "members"}, path="/Groups").status == 204
    assert app.get(f"/Groups/{ident}").json["members"] == []


# -- unknown ids


def test_an_unknown_id(client: Client) -> None:
    for ident in (str(uuid.uuid4()), "x", "0", "a%2Fb", "%00", "'", "null", "x" * 300):
        client.get(f"/Users/{ident}").refused(404)
        client("PUT", f"/Users/{ident}", {"userName": "x"}).refused(404)
        change = {"schemas": [PATCH_OP], "Operations": [{"op": "replace", "path": "title", "value": "x"}]}
        client("PATCH", f"/Users/{ident}", change).refused(404)
        client("DELETE", f"/Users/{ident}").refused(404)


def test_another_type_s_id(app: Client, name: str) -> None:
    user, group = app.created(name), app.created(f"{name}-g", "/Groups")
    app.get(f"/Users/{group}").refused(404)
    app.get(f"/Groups/{user}").refused(404)
    app.delete(group).refused(404)


# -- bodies


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"not json", 400),
        (b"", 400),
        (b"[]", 400),
        (b'"text"', 400),
        (b"null", 400),
        (b'{"userName": "a"} {"userName": "b"}', 400),
        (b'{"userName": "a", "userName": "b"}', 400),
        (b'{"userName": "a", "USERNAME": "b"}', 400),
        (b'\xef\xbb\xbf{"userName": "a"}', 400),
        (b'{"userName": "\xff"}', 400),
        (b'{"userName": "\\ud800"}', 400),
        (b'{"userName": NaN}', 400),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, 400),
        (b"[" * 200_000, 400),
        (b'{"userName": "' + b"x" * 10_000_000 + b'"}', 413),
    ],
)
def test_a_body_that_means_nothing_is_refused_at_once(client: Client, body: bytes, status: int) -> None:
    answer = client("POST", "/Users", body)
    answer.refused(status, "invalidSyntax" if status == 400 else None)


def test_another_character_set_and_another_type(client: Client) -> None:
    body = '{"userName": "ü"}'.encode("latin-1")
    client("POST", "/Users", body, {"Content-Type": "application/json; charset=iso-8859-1"}).refused(
        400, "invalidSyntax"
    )
    client("POST", "/Users", b"<user/>", {"Content-Type": "application/xml"}).refused(415)


# -- doubles


def test_a_double_made_behind_our_back_is_a_conflict(hr: Client, people: SqlPeople, name: str) -> None:
    people.run("INSERT INTO people (login) VALUES (?)", name)
    hr.post({"userName": name}).refused(409, "uniqueness")
    assert [user["userName"] for user in hr.named(name)] == [name], "and the client finds it"


def test_a_double_of_a_matching_attribute(client: Client, name: str) -> None:
    mail = [{"type": "work", "value": f"{name}@x.org"}]
    client.created(name, emails=mail)
    client.post({"userName": f"{name}-2", "emails": mail}).refused(409, "uniqueness")
    other = client.created(f"{name}-3")
    client.patch(other, {"op": "add", "path": "emails", "value": mail}).refused(409, "uniqueness")
    client.patch(other, {"op": "replace", "path": "userName", "value": name}).refused(409, "uniqueness")


def test_two_at_the_same_moment(client: Client, name: str) -> None:
    answers = at_once(*[lambda: client.post({"userName": name})] * 4)
    assert sorted(answer.status for answer in answers) == [201, 409, 409, 409]
    assert len(client.named(name)) == 1


# -- a person the space has not seen yet


def test_a_person_added_a_second_ago_is_found(hr: Client, app: Client, people: SqlPeople, target: MemoryTarget) -> None:
    name = uuid.uuid4().hex
    people.run("INSERT INTO people (login, mail) VALUES (?, ?)", name, f"{name}@x.org")
    target.put("user", {"login": (name,), "mail": (f"{name}@x.org",)})
    for client in (hr, app):
        [user] = client.find(f'emails[type eq "work"].value eq "{name}@x.org"')
        assert user["userName"] == name
        client.post({"userName": name}).refused(409, "uniqueness")


# -- disable and delete: each setting has a connector of its own


def test_disable_without_a_disable_flow(served: Bench, memory: tuple[str, MemoryTarget], name: str) -> None:
    served.reconfigure("nothing-said", memory_document(memory[0], disable="", delete="", more_flows={"active": ""}))
    client = served.client("nothing-said")
    ident = client.created(name)
    detail = client.patch(ident, {"op": "replace", "path": "active", "value": False}).refused(400, "invalidValue")
    assert "disable" in detail
    assert "delete" in client.delete(ident).refused(400)
    assert client.user(ident)["userName"] == name


def test_disable_with_an_explicit_nothing(served: Bench, memory: tuple[str, MemoryTarget], name: str) -> None:
    nothing = '{ action = "nothing" }'
    served.reconfigure("nothing", memory_document(memory[0], disable=nothing, delete=nothing))
    client = served.client("nothing")
    ident = client.created(name)
    answer = client.patch(ident, {"op": "replace", "path": "active", "value": False})
    assert (answer.status, answer.json["active"]) == (200, True)
    [record] = [record for record in served.audit(connector="nothing", name=name) if record.operation == "patch"]
    assert "nothing" in record.message


# -- the service's own description


def test_the_service_provider_configuration_tells_the_truth(served: Bench, client: Client, name: str) -> None:
    stated = client.get("/ServiceProviderConfig").json
    assert stated["patch"]["supported"] is True
    assert stated["filter"]["supported"] is True
    assert stated["filter"]["maxResults"] == served.host.configuration.host.scim.max_count
    assert stated["etag"]["supported"] is True
    passwords = client.post({"userName": name, "password": "Marker-7-Truth"}).status == 201
    passwords = passwords and "password" not in served.audit(connector=client.connector, name=name)[-1].message
    assert stated["changePassword"]["supported"] is passwords
    assert "oauthbearertoken" in {scheme["type"] for scheme in stated["authenticationSchemes"]}
    if stated["bulk"]["supported"]:
        assert stated["bulk"]["maxOperations"] > 0
    else:
        assert client("POST", "/Bulk", {"schemas": [], "Operations": []}).status in {404, 501}


def test_answers_come_at_once(client: Client, name: str) -> None:
    """Not a measurement: it fails where an answer waits for a timeout."""
    began = time.monotonic()
    client.created(name)
    client.named(name)
    assert time.monotonic() - began < 4


# -- strict connectors


@pytest.fixture
def strict(served: Bench, memory: tuple[str, MemoryTarget]) -> Client:
    """A connector that takes nothing but what the RFCs say."""
    served.reconfigure("strict", memory_document(memory[0], extra="strict = true", guard="provider_objects = 100000"))
    return served.client("strict")


def test_strict_connectors_refuse_what_others_drop(strict: Client, name: str) -> None:
    strict.post({"userName": name, "nickName": "N"}).refused(400, "invalidValue")
    strict.post({"userName": name, "active": "True"}).refused(400, "invalidValue")
    ident = strict.created(name, title="T", displayName="D")
    strict.patch(ident, {"op": "replace", "path": "nickName", "value": "N"}).refused(400, "invalidPath")
    absent = {"op": "replace", "path": 'emails[type eq "work"].value', "value": "x@x.org"}
    strict.patch(ident, absent).refused(400, "noTarget")
    strict("PATCH", f"/Users/{ident}", {"Operations": [absent]}).refused(400, "invalidSyntax")


def test_a_strict_put_clears_what_it_leaves_out(strict: Client, name: str) -> None:
    ident = strict.created(name, title="T", displayName="D", active=False)
    user = strict.put(ident, {"schemas": [CORE], "userName": name, "displayName": "E"}).json
    assert "title" not in user
    assert (user["displayName"], user["active"]) == ("E", False)


@pytest.mark.parametrize(("setting", "user", "group"), [("full", 200, 200), ("none", 204, 204), ("auto", 200, 204)])
def test_what_a_patch_answers_is_a_setting(
    served: Bench, memory: tuple[str, MemoryTarget], name: str, setting: str, user: int, group: int
) -> None:
    served.reconfigure("patching", memory_document(memory[0], extra=f'patch_response = "{setting}"'))
    client = served.client("patching")
    ident, other = client.created(name), client.created(name, "/Groups")
    answers = [
        client.patch(ident, {"op": "replace", "path": "title", "value": "x"}),
        client.patch(other, {"op": "replace", "path": "displayName", "value": f"{name}2"}, path="/Groups"),
    ]
    for answer, status, kind in zip(answers, (user, group), ("User", "Group"), strict=True):
        assert answer.status == status
        assert answer.headers["etag"].startswith("W/")
        assert (answer.raw == b"") == (status == 204)
        assert status == 204 or answer.json["meta"]["resourceType"] == kind
