"""Reads are answered from the space; what the space cannot know is asked of the target, and never guessed."""

from __future__ import annotations

import time
from typing import Any

import pytest

import variants
from harness import Answer, Bench, at_once, bench, meanwhile, memory_document, memory_target, until
from isthmus.connectors.memory import MemoryConnector, MemoryTarget
from isthmus.engine import asking
from isthmus.spi import InvalidValue
from memory_host import MemoryHost, Serve

OWN = "urn:ietf:params:scim:schemas:extension:ECMA2Host:2.0:User"
TITLE = {"op": "replace", "path": "title", "value": "x"}


def by_name(app: MemoryHost, name: str) -> Answer:
    return app.client.get(f'/Users?filter=userName eq "{name}"')


# -- asking the target


def test_a_name_the_space_knows_is_not_asked_for(app: MemoryHost) -> None:
    app.client.created("anna")
    asked = app.asked["find"]
    assert by_name(app, "anna").total == 1
    assert app.client.find("displayName pr") == []
    assert app.client.find('title eq "x"') == [], "only what identifies is asked for"
    assert app.asked["find"] == asked


def test_a_name_the_space_does_not_know_is_asked_for_and_learnt(app: MemoryHost) -> None:
    app.put("anna")
    assert by_name(app, "anna").total == 1
    assert app.asked["find"] == 1
    assert by_name(app, "anna").total == 1
    assert app.asked["find"] == 1
    assert app.listed() == ["anna"]


def test_by_every_matching_attribute_and_within_and_and_or(app: MemoryHost) -> None:
    for number, condition in enumerate(
        (
            'emails[type eq "work"].value eq "{}@x.org"',
            'userName eq "{}" and active ne false',
            'userName eq "{}" or userName eq "nobody"',
            OWN + ':login eq "{}"',
        )
    ):
        name = f"u{number}"
        app.put(name, mail=(f"{name}@x.org",))
        assert [user["userName"] for user in app.client.find(condition.format(name))] == [name], condition


def test_many_who_ask_the_same_ask_once(app: MemoryHost) -> None:
    app.client.get("/Users")
    app.put("anna")
    app.target.weather.stop_answering()
    with meanwhile(lambda: at_once(*[lambda: by_name(app, "anna")] * 5)) as answers:
        until(lambda: app.asked["find"])
        until(lambda: sum(app.host.waiting().values()) == 5)
        app.target.weather.answer_again()
    assert [answer.total for answer in answers[0]] == [1] * 5
    assert app.asked["find"] == 1


def _asks(app: MemoryHost) -> int:
    """Return how many questions wait until the one under way is answered."""
    live = app.bench.endpoint("app")._reader.live
    return sum(len(asking._waiting) for asking in live._askings.values())


@pytest.mark.parametrize("refused", [False, True], ids=["answered", "refused"])
def test_who_asks_meanwhile_is_asked_for_together(
    app: MemoryHost, monkeypatch: pytest.MonkeyPatch, *, refused: bool
) -> None:
    monkeypatch.setattr(asking, "LATE", 20.0)
    if refused:

        def refuse(*_given: Any, **_named: Any) -> Any:
            raise InvalidValue("not with these values")

        monkeypatch.setattr(MemoryConnector, "find_many", refuse)
    app.client.get("/Users")
    app.put("anna")
    app.put("carl")
    app.target.weather.stop_answering()
    names = ["anna", "bert", "carl", "dora", "carl"]
    with meanwhile(lambda: by_name(app, "first")) as first:
        until(lambda: app.asked["find"])
        with meanwhile(lambda: at_once(*[lambda n=n: by_name(app, n) for n in names])) as answers:
            until(lambda: _asks(app) == 4)
            app.target.weather.answer_again()
    assert first[0].total == 0
    assert [answer.total for answer in answers[0]] == [1, 0, 1, 0, 1]
    for name, answer in zip(names, answers[0], strict=True):
        assert [user["userName"] for user in answer.resources] in ([], [name])
    assert app.asked["find_many"] == 1
    assert app.asked["find"] == 1 or refused, "where all are refused together, each is asked for alone"
    assert app.listed() == ["anna", "carl"]


@pytest.mark.parametrize("trouble", ["outage", "hang", "login"])
def test_a_miss_that_cannot_be_checked_is_no_empty_list(serve: Serve, trouble: str) -> None:
    app = serve(timeout=0.5)
    ident = app.client.created("anna")
    weather = app.target.weather
    if trouble == "outage":
        weather.down = True
    elif trouble == "hang":
        weather.stop_answering()
    else:
        from isthmus.spi import Secret

        app.target.protect(Secret("another"))
    try:
        by_name(app, "bert").refused(503)
        assert by_name(app, "anna").total == 1, "what is known is answered"
        assert app.client.user(ident)["userName"] == "anna"
        assert app.client.get("/Users").total == 1
        assert app.client.get(f'/Users?filter={OWN}:PLACEHOLDER eq "x"').total == 0
        app.client.post({"userName": "bert"}).refused(503)
    finally:
        weather.down = False
        weather.answer_again()
        app.target.protect(None)
    app.host.repair()
    assert by_name(app, "carl").total == 0, "the next request works, without a restart"


def test_a_bug_in_the_connector_is_a_503_without_the_value(serve: Serve, capfd: pytest.CaptureFixture[str]) -> None:
    app = serve(type="buggy")
    detail = by_name(app, "secret-name").refused(503)
    assert "bug in connector" in detail
    assert "secret-name" not in detail
    assert "secret-name" not in "".join(capfd.readouterr())


def test_live_read_all_asks_for_each_object(app: MemoryHost) -> None:
    app.reconfigure(extra='live_read = "all"')
    ident = app.client.created("anna")
    app.target.change("user", ("anna",), displayName=("fresh",))
    assert app.client.user(ident)["displayName"] == "fresh"
    app.target.drop("user", ("anna",))
    app.client.get(f"/Users/{ident}").refused(404)


def test_a_restart_answers_from_the_space_while_the_target_is_down(app: MemoryHost) -> None:
    ident = app.client.created("anna", title="T")
    with app.target.weather.outage():
        app.bench.reopen()
        assert app.client.user(ident)["title"] == "T"
        assert app.client.get("/Users").total == 1
        assert app.client.get("/Schemas").status == 200


def test_a_connector_whose_target_was_never_reached(app: MemoryHost) -> None:
    with app.target.weather.outage():
        app.client.get("/Users").refused(503)
    assert app.client.get("/Users").status == 200


# -- a target that hangs holds few threads, and not those of others


@pytest.fixture
def two(tmp_path: Any) -> Any:
    with memory_target() as (one, slow), memory_target() as (other, quick):
        documents = {
            "slow": memory_document(one, type="watched", timeout=6),
            "quick": memory_document(other, type="watched"),
        }
        with bench(tmp_path, documents, threads=16) as opened:
            for name in documents:
                opened.client(name).created("anna")
            try:
                yield opened, slow, quick
            finally:
                slow.weather.answer_again()


def test_a_hung_target_stops_neither_reads_nor_others(two: tuple[Bench, MemoryTarget, MemoryTarget]) -> None:
    opened, slow, _ = two
    slow.weather.stop_answering()
    client = opened.client("slow")
    with meanwhile(
        lambda: at_once(*[lambda n=n: client.get(f'/Users?filter=userName eq "n{n}"') for n in range(12)])
    ) as answers:
        until(lambda: opened.host.waiting() == {"slow": 4})
        began = time.monotonic()
        client.get('/Users?filter=userName eq "someone"').refused(503)
        assert [user["userName"] for user in client.named("anna")] == ["anna"]
        assert client.get("/Users").total == 1
        other = opened.client("quick")
        assert other.named("bert") == []
        assert other.post({"userName": "bert"}).status == 201
        assert time.monotonic() - began < 4, "none of these waited for the target that hangs"
        slow.weather.answer_again()
    statuses = [answer.status for answer in answers[0]]
    assert 4 <= statuses.count(200) <= 8, "four ask, and four more wait a second for a place"
    assert statuses.count(503) == 12 - statuses.count(200)


def test_many_who_wait_for_one_question_count_too(two: tuple[Bench, MemoryTarget, MemoryTarget]) -> None:
    opened, slow, _ = two
    slow.weather.stop_answering()
    client = opened.client("slow")
    with meanwhile(lambda: at_once(*[lambda: client.named("same")] * 12)) as answers:
        until(lambda: opened.host.waiting() == {"slow": 4})
        until(lambda: opened.application.work.oldest() > 0.2)
        assert len(opened.application.work._began) <= 8, "the others were answered at once"
        slow.weather.answer_again()
    assert 4 <= sum(isinstance(answer, list) for answer in answers[0]) <= 8


def test_many_who_wait_for_one_object_count_too(two: tuple[Bench, MemoryTarget, MemoryTarget]) -> None:
    opened, slow, _ = two
    client = opened.client("slow")
    [user] = client.named("anna")
    slow.weather.stop_answering()
    with meanwhile(lambda: at_once(*[lambda: client.patch(user["id"], TITLE)] * 14)) as answers:
        until(opened.host.store.journal.unfinished)
        until(lambda: len(opened.application.work._began) <= 5)
        assert client.get("/Users").total == 1
        slow.weather.answer_again()
    assert len(answers[0]) == 14


def test_a_connector_that_takes_one_call_at_a_time(serve: Serve) -> None:
    app = serve(type="serial", timeout=0.6)
    app.client.created("anna")
    app.target.weather.stop_answering()
    try:
        answers = at_once(*[lambda n=n: by_name(app, f"n{n}") for n in range(3)])
    finally:
        app.target.weather.answer_again()
    details = [answer.refused(503) for answer in answers]
    assert not any("bug in connector" in detail for detail in details), details


# -- the object as it is now


def test_if_match_is_judged_on_the_live_object(app: MemoryHost) -> None:
    ident = app.client.created("anna", title="T")
    old = app.client.user(ident)["meta"]["version"]
    app.target.change("user", ("anna",), costCentre=("other",))
    change = {"op": "replace", "path": "displayName", "value": "D"}
    app.client.patch(ident, change, headers={"If-Match": old}).refused(412)
    app.client.put(ident, {"userName": "anna", "displayName": "D"}, {"If-Match": old}).refused(412)
    app.client.delete(ident, {"If-Match": old}).refused(412)
    now = app.client.user(ident)["meta"]["version"]
    assert now != old
    answer = app.client.patch(ident, change, headers={"If-Match": now})
    assert answer.status == 200
    assert answer.headers["etag"] == answer.json["meta"]["version"] != now
    assert app.client.delete(ident, {"If-Match": "*"}).status == 204


def test_a_value_path_is_judged_on_the_live_object(app: MemoryHost) -> None:
    ident = app.client.created("anna", emails=[{"type": "work", "value": "old@x.org"}])
    app.target.change("user", ("anna",), mail=("behind@x.org",))
    answer = app.client.patch(ident, {"op": "remove", "path": 'emails[value eq "behind@x.org"]'})
    assert answer.status == 200
    assert app.target.get("user", ("anna",))["mail"] == ()  # type: ignore[index]


def test_a_list_of_what_to_remove_is_judged_on_the_live_object(app: MemoryHost) -> None:
    ident = app.client.created("anna", emails=[{"type": "work", "value": "old@x.org"}])
    app.target.change("user", ("anna",), mail=("behind@x.org",))
    answer = app.client.patch(ident, {"op": "Remove", "path": "emails", "value": [{"value": "old@x.org"}]})
    assert (answer.status, answer.json["emails"][0]["value"]) == (200, "behind@x.org")
    assert app.target.get("user", ("anna",))["mail"] == ("behind@x.org",)  # type: ignore[index]


@pytest.mark.parametrize("verb", ["PUT", "PATCH", "PATCH without path"])
def test_values_that_a_path_does_not_show_stay_as_the_target_has_them(serve: Serve, verb: str) -> None:
    """A flow shows the first of several values; the others belong to whoever wrote them, a moment ago or long since."""
    app = serve(more_flows={"nickName": "phones"})
    ident = app.client.created("anna", **{OWN: {"phones": ["a", "b"]}})
    app.target.change("user", ("anna",), phones=("a", "b", "behind"))
    if verb == "PUT":
        answer = app.client.put(ident, {"userName": "anna", "nickName": "z"})
    elif verb == "PATCH":
        answer = app.client.patch(ident, {"op": "replace", "path": "nickName", "value": "z"})
    else:
        answer = app.client.patch(ident, {"op": "replace", "value": {"nickName": "z"}})
    assert (answer.status, answer.json["nickName"]) == (200, "z")
    assert app.target.get("user", ("anna",))["phones"] == ("z", "b", "behind")  # type: ignore[index]


def test_what_a_request_names_is_sent_also_if_the_space_shows_it(app: MemoryHost) -> None:
    ident = app.client.created("anna", title="T")
    app.target.change("user", ("anna",), costCentre=("behind",))
    answer = app.client.patch(ident, {"op": "replace", "path": "title", "value": "T"})
    assert (answer.status, answer.json["title"]) == (200, "T")
    assert app.target.get("user", ("anna",))["costCentre"] == ("T",)  # type: ignore[index]


def test_what_a_write_does_not_name_is_learnt_from_its_answer(app: MemoryHost) -> None:
    ident = app.client.created("anna")
    app.target.change("user", ("anna",), displayName=("behind",))
    answer = app.client.patch(ident, TITLE)
    assert answer.json["displayName"] == "behind"


def test_not_found_from_a_write_removes_the_stale_object(app: MemoryHost) -> None:
    ident = app.client.created("anna")
    app.target.drop("user", ("anna",))
    assert app.client.user(ident)["userName"] == "anna"
    app.client.patch(ident, TITLE).refused(404)
    app.client.get(f"/Users/{ident}").refused(404)
    assert app.listed() == []
    assert app.client.created("anna") != ident


def test_a_duplicate_that_is_gone_in_the_target_does_not_stand_in_the_way(app: MemoryHost) -> None:
    ident = app.client.created("anna")
    app.target.drop("user", ("anna",))
    answer = app.client.post({"userName": "anna"})
    assert answer.status == 201
    assert answer.id != ident


def test_a_double_that_the_target_itself_would_not_refuse(serve: Serve) -> None:
    app = serve(matching='["login", "costCentre"]')
    app.client.get("/Users")
    app.put("stranger", costCentre=("badge-7",))
    for _ in range(2):  # asked of the target first, and then known to the space
        detail = app.client.post({"userName": "anna", "title": "badge-7"}).refused(409, "uniqueness")
        assert "costCentre" in detail
        assert "login" not in detail, "that is free"
    assert app.logins() == ["stranger"]
    answers = at_once(*[lambda n=n: app.client.post({"userName": f"u{n}", "title": "badge-8"}) for n in range(4)])
    assert sorted(answer.status for answer in answers) == [201, 409, 409, 409]


def test_only_the_user_name_itself_identifies(tmp_path: Any) -> None:
    """Not every path that ends so: who used a device last may have used another one before."""
    with memory_target() as (name, _):
        document = f"""type = "memory"
[settings]
name = "{name}"
[[resource_types]]
object_type = "device"
name = "Device"
endpoint = "Devices"
attributes = ["number", "label"]
flows = {{ lastUserName = {{ attribute = "label" }} }}
"""
        with bench(tmp_path, {"app": document}) as opened:
            client = opened.client("app")
            assert [client.post({"lastUserName": "anna"}, "/Devices").status for _ in range(2)] == [201, 201]


# -- references


def test_references_are_joined_on_reading(app: MemoryHost) -> None:
    urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
    boss = app.client.created("boss")
    ident = app.client.created("anna", **{urn: {"manager": {"value": boss}}})
    group = app.client.created("staff", "/Groups", members=[{"value": boss}, {"value": ident}])
    assert app.client.user(ident)[urn]["manager"]["value"] == boss
    renamed = app.client.patch(boss, {"op": "replace", "path": "userName", "value": "chief"})
    assert renamed.status == 200
    app.bench.imported("app")
    assert app.client.user(ident)[urn]["manager"]["value"] == boss, "a renamed object keeps its id"
    members = app.client.get(f"/Groups/{group}").json["members"]
    assert {member["value"] for member in members} == {boss, ident}
    assert all(member["$ref"].endswith(f"/Users/{member['value']}") for member in members)
    app.client.delete(boss)
    app.bench.imported("app")
    assert "manager" not in app.client.user(ident).get(urn, {})
    assert [member["value"] for member in app.client.get(f"/Groups/{group}").json["members"]] == [ident]


def test_members_come_with_an_import_in_any_order(app: MemoryHost) -> None:
    from isthmus.spi import Reference

    app.put("anna", "bert")
    both = (Reference(("anna",), "user"), Reference(("bert",), "user"))
    app.target.put("group", {"name": ("staff",), "members": both})
    app.bench.imported("app")
    [group] = app.client.get("/Groups").resources
    assert len(group["members"]) == 2
    before = group["meta"]["version"]
    app.target.change("group", ("staff",), members=both[::-1])
    app.bench.imported("app")
    assert app.client.get("/Groups").resources[0]["meta"]["version"] == before, "the order means nothing"


def test_a_hidden_member_is_not_shown_and_not_added_but_removed(serve: Serve) -> None:
    app = serve(delete='{ action = "nothing" }')
    one, other = app.client.created("anna"), app.client.created("bert")
    group = app.client.created("staff", "/Groups", members=[{"value": one}, {"value": other}])
    app.client.delete(one)
    assert [member["value"] for member in app.client.get(f"/Groups/{group}").json["members"]] == [other]
    add = {"op": "add", "path": "members", "value": [{"value": one}]}
    app.client.patch(group, add, path="/Groups").refused(400, "invalidValue")
    remove = {"op": "remove", "path": "members", "value": [{"value": one}]}
    assert app.client.patch(group, remove, path="/Groups").status == 204
    assert len(app.target.get("group", ("staff",))["members"]) == 1  # type: ignore[index]


# -- identities


def composite(app: MemoryHost) -> Any:
    app.bench.reconfigure(
        "assignments",
        f"""type = "watched"
[settings]
name = "{app.name}"
[[resource_types]]
object_type = "assignment"
name = "Assignment"
endpoint = "Assignments"
attributes = ["person", "application", "role"]
delete = {{ action = "delete" }}
""",
    )
    return app.bench.client("assignments")


def test_an_anchor_of_two_attributes(app: MemoryHost) -> None:
    client = composite(app)
    urn = "urn:ietf:params:scim:schemas:extension:ECMA2Host:2.0:Assignment"

    def body(person: str, application: str, role: str = "user") -> Any:
        return {"schemas": [urn], urn: {"person": person, "application": application, "role": role}}

    pairs = [("anna", "crm"), ("anna", "erp"), ("a,b", "c"), ("a", "b,c")]
    ids = []
    for pair in pairs:
        made = client.post(body(*pair), "/Assignments")
        assert made.status == 201, made
        ids.append(made.id)
    assert len(set(ids)) == 4
    client.post(body("ANNA", "crm"), "/Assignments").refused(409, "uniqueness")
    found = client.get(f'/Assignments?filter={urn}:person eq "anna" and {urn}:application eq "erp"').resources
    assert [resource["id"] for resource in found] == [ids[1]]
    app.target.put("assignment", {"person": ("bert",), "application": ("crm",)})
    assert client.get(f'/Assignments?filter={urn}:person eq "bert"').total == 1
    change = {"op": "replace", "path": f"{urn}:role", "value": "admin"}
    assert client.patch(ids[0], change, path="/Assignments").status == 200
    assert app.target.get("assignment", ("anna", "crm"))["role"] == ("admin",)  # type: ignore[index]
    app.target.weather.lose_answers = 1
    client.post(body("carl", "crm"), "/Assignments").refused(503)
    app.host.repair()
    assert app.bench.unfinished() == []
    assert client.get("/Assignments").total == 6
    assert app.bench.imported("assignments").removed == 0
    assert client.get(f"/Assignments/{ids[0]}").status == 200
    assert client("DELETE", f"/Assignments/{ids[0]}").status == 204
    answers = at_once(*[lambda: client.post(body("dora", "crm"), "/Assignments")] * 3)
    assert sorted(answer.status for answer in answers) == [201, 409, 409]


def test_anchors_as_ids(app: MemoryHost) -> None:
    app.reconfigure(extra='id_form = "anchor"')
    ident = app.client.created("anna smith/1")
    assert ident == "anna~20smith~2F1"
    assert app.client.user(ident)["userName"] == "anna smith/1"
    assert app.client.delete(ident).status == 204
    again = app.client.created("anna smith/1")
    assert again != ident, "an id is never given to another object"
    renamed = app.client.created("bert")
    app.client.patch(renamed, {"op": "replace", "path": "userName", "value": "carl"})
    assert app.client.user(renamed)["userName"] == "carl"
    other = app.client.created("bert")
    assert other != renamed


# -- the target's schema changes


def test_an_attribute_that_vanishes_stops_writes_and_imports_but_not_reads(app: MemoryHost) -> None:
    ident = app.client.created("anna", displayName="D")
    variants.without[app.name] = {"displayName"}
    try:
        run = app.bench.run_import("app")
        assert run.state == "failed"
        assert "displayName" in run.message
        for answer in (
            app.client.patch(ident, TITLE),
            app.client.put(ident, {"userName": "anna"}),
            app.client.post({"userName": "bert"}),
            app.client.delete(ident),
        ):
            assert "displayName" in answer.refused(503)
        assert app.client.user(ident)["displayName"] == "D", "it does not mean that values were cleared"
        assert by_name(app, "anna").total == 1
    finally:
        del variants.without[app.name]
    assert app.bench.run_import("app").state == "done"
    assert app.client.patch(ident, TITLE).status == 200


def test_a_changed_type_stops_writes_until_it_is_taken_over(app: MemoryHost) -> None:
    from isthmus.spi import AttributeDefinition, AttributeType

    text = AttributeDefinition(name="grade")
    number = AttributeDefinition(name="grade", type=AttributeType.INTEGER)
    with app.target.extended("user", text):
        app.reconfigure(attributes=("login", "displayName", "mail", "costCentre", "active", "grade"), groups=False)
        ident = app.client.created("anna")
    with app.target.extended("user", number):
        assert app.bench.run_import("app").state == "failed"
        assert "grade" in app.client.patch(ident, TITLE).refused(503)
        assert app.client.user(ident)["userName"] == "anna"
        app.host.target("app").discover(anew=True)
        app.bench.imported("app")
        answer = app.client.patch(ident, {"op": "replace", "path": f"{OWN}:grade", "value": 7})
        assert (answer.status, answer.json[OWN]["grade"]) == (200, 7)


def test_new_attributes_of_the_target_change_nothing(app: MemoryHost) -> None:
    from isthmus.spi import AttributeDefinition

    ident = app.client.created("anna")
    version = app.client.user(ident)["meta"]["version"]
    with app.target.extended("user", AttributeDefinition(name="fresh")):
        assert app.bench.imported("app").changed == 0
        assert app.client.user(ident)["meta"]["version"] == version
        assert app.client.patch(ident, TITLE).status == 200


def test_a_flow_that_is_added_shows_at_once_without_an_import(app: MemoryHost) -> None:
    ident = app.client.created("anna", **{OWN: {"familyName": "F"}})
    app.reconfigure(more_flows={"nickName": "familyName"}, attributes=("login", "familyName", "mail", "active"))
    assert app.client.user(ident)["nickName"] == "F"


def test_a_paused_connector_reads_only(app: MemoryHost) -> None:
    ident = app.client.created("anna")
    app.reconfigure(extra="paused = true")
    app.client.patch(ident, TITLE).refused(503)
    app.client.post({"userName": "bert"}).refused(503)
    assert app.client.user(ident)["userName"] == "anna"


# -- the audit


def test_the_audit_says_who_did_what_to_whom_and_with_what_outcome(app: MemoryHost) -> None:
    ident = app.client.created("anna", displayName="A")
    app.client.patch(ident, {"op": "replace", "path": "displayName", "value": "B"}, headers={"X-Correlation-Id": "c-7"})
    app.client.post({"userName": "anna"}).refused(409, "uniqueness")
    with app.target.weather.outage():
        app.client.patch(ident, TITLE).refused(503)
    app.target.weather.lose_answers = 1
    app.client.patch(ident, TITLE).refused(503)
    app.host.repair()
    app.client.delete(ident)
    records = app.bench.audit(connector="app")
    told = [(record.operation, record.outcome, record.status) for record in records]
    assert told == [
        ("create", "done", 201),
        ("patch", "done", 200),
        ("create", "refused", 409),
        ("patch", "failed", 503),
        ("patch", "unknown", 503),
        ("repair patch", "done", 0),
        ("delete", "done", 204),
    ]
    created, patched = records[:2]
    assert (created.actor, created.address, created.name, created.object_id) == ("provider", "127.0.0.1", "anna", ident)
    assert created.new["displayName"] == ["A"]
    assert (patched.old["displayName"], patched.new["displayName"]) == (["A"], ["B"])
    assert patched.correlation == "c-7"
    assert patched.sent
    assert patched.duration > 0
    assert len(app.bench.audit(name="anna")) == len(records)
    assert len(app.bench.audit(object_id=ident)) == len(records)
    assert [record.operation for record in app.bench.audit(correlation="c-7")] == ["patch"]


def test_requests_that_wait_for_each_other_leave_one_record_each(app: MemoryHost) -> None:
    ident = app.client.created("anna")
    at_once(*[lambda n=n: app.client.patch(ident, {**TITLE, "value": str(n)}) for n in range(5)])
    patches = [record for record in app.bench.audit() if record.operation == "patch"]
    assert [record.outcome for record in patches] == ["done"] * 5


# -- a document that does not fit the target


def test_a_selected_attribute_that_the_target_lacks_is_the_operator_s_matter(app: MemoryHost) -> None:
    ident = app.client.created("anna")
    attributes = ("login", "mail", "costCentre", "active", "badge2")
    app.reconfigure(attributes=attributes, groups=False)
    for answer in (app.client.get("/Users"), app.client.get(f"/Users/{ident}"), app.client.post({"userName": "b"})):
        assert "badge2" in answer.refused(503)
    run = app.bench.run_import("app")
    assert run.state == "failed"
    assert "badge2" in run.message
    app.reconfigure(groups=False)
    assert app.client.user(ident)["userName"] == "anna"


def test_an_attribute_that_is_new_in_the_target_can_be_selected_at_once(app: MemoryHost) -> None:
    from isthmus.spi import AttributeDefinition

    ident = app.client.created("anna")
    with app.target.extended("user", AttributeDefinition(name="badge2")):
        app.reconfigure(attributes=("login", "mail", "costCentre", "active", "badge2"), groups=False)
        answer = app.client.patch(ident, {"op": "replace", "path": f"{OWN}:badge2", "value": "7"})
        assert (answer.status, answer.json[OWN]["badge2"]) == (200, "7")
