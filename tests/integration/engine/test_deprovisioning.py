"""Disable, delete, revive, and passwords that take a call of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import variants
from harness import Bench, until
from isthmus.spi import Secret
from memory_host import MemoryHost, Serve

NOTHING = '{ action = "nothing" }'
SET = (
    '{ action = "set", values = { active = false, costCentre = "left" }, restore = { active = true, costCentre = "" } }'
)
DISABLE = {"op": "replace", "path": "active", "value": False}


# -- DELETE


@pytest.mark.parametrize("delete", [NOTHING, SET])
def test_after_a_delete_the_object_is_hidden_also_across_imports(serve: Serve, delete: str) -> None:
    app = serve(delete=delete)
    ident = app.client.created("anna", displayName="A", externalId="e")
    assert app.client.delete(ident).status == 204
    for _ in range(2):
        app.client.get(f"/Users/{ident}").refused(404)
        app.client.delete(ident).refused(404)
        app.client.patch(ident, DISABLE).refused(404)
        app.client.put(ident, {"userName": "anna"}).refused(404)
        assert app.client.named("anna") == []
        assert app.client.find('externalId eq "e"') == []
        assert app.client.find("userName pr") == []
        assert app.client.get("/Users").total == 0
        app.target.change("user", ("anna",), displayName=("changed behind our back",))
        app.bench.imported("app")
    kept = app.target.get("user", ("anna",))
    assert kept is not None
    assert kept["active"] == ((False,) if delete == SET else ())
    assert kept["costCentre"] == (("left",) if delete == SET else ())


@pytest.mark.parametrize(
    ("delete", "old"),
    [('{ action = "delete" }', {"displayName": ["A"], "active": [True]}), (SET, {"active": [True], "costCentre": []})],
    ids=["delete", "set"],
)
def test_the_audit_keeps_what_a_delete_took(serve: Serve, delete: str, old: dict[str, object]) -> None:
    app = serve(delete=delete)
    ident = app.client.created("anna", displayName="A", active=True)
    assert app.client.delete(ident).status == 204
    record = app.bench.audit(name="anna")[-1]
    assert record.operation == "delete"
    assert old.items() <= record.old.items()


@pytest.mark.parametrize("delete", [NOTHING, SET])
def test_a_post_revives_with_the_same_id(serve: Serve, delete: str) -> None:
    app = serve(delete=delete)
    ident = app.client.created("anna", displayName="A", externalId="e")
    app.client.delete(ident)
    app.bench.imported("app")
    creates = app.asked["create"]
    answer = app.client.post({"userName": "anna", "displayName": "New", "externalId": "f", "active": True})
    assert answer.status == 201, answer
    assert answer.id == ident
    assert answer.headers["location"].endswith(ident)
    assert app.asked["create"] == creates, "by an update"
    user = app.client.user(ident)
    assert (user["displayName"], user["externalId"], user["active"]) == ("New", "f", True)
    assert len(app.client.named("anna")) == 1
    app.client.post({"userName": "anna"}).refused(409, "uniqueness")


def test_a_post_with_another_matching_value_revives_as_well(serve: Serve) -> None:
    app = serve(delete=NOTHING)
    mail = [{"type": "work", "value": "anna@x.org"}]
    ident = app.client.created("anna", emails=mail)
    app.client.delete(ident)
    answer = app.client.post({"userName": "anna.smith", "emails": mail})
    assert (answer.status, answer.id) == (201, ident)
    assert app.logins() == ["anna.smith"]


def test_a_hidden_object_that_has_gone_is_created_anew(serve: Serve) -> None:
    app = serve(delete=NOTHING)
    ident = app.client.created("anna")
    app.client.delete(ident)
    app.target.drop("user", ("anna",))
    answer = app.client.post({"userName": "anna"})
    assert answer.status == 201
    assert answer.id != ident
    assert app.logins() == ["anna"]


def test_a_real_delete_and_a_new_person_of_the_same_name(app: MemoryHost) -> None:
    ident = app.client.created("anna")
    assert app.client.delete(ident).status == 204
    assert app.logins() == []
    again = app.client.created("anna")
    assert again != ident
    app.client.get(f"/Users/{ident}").refused(404)


def test_a_delete_of_what_is_gone_already(app: MemoryHost) -> None:
    ident = app.client.created("anna")
    app.target.drop("user", ("anna",))
    app.client.delete(ident).refused(404)
    assert app.client.get("/Users").total == 0, "the stale object is removed"


def test_without_a_delete_flow_nothing_happens(serve: Serve) -> None:
    app = serve(delete="")
    ident = app.client.created("anna")
    assert "delete" in app.client.delete(ident).refused(400)
    assert app.logins() == ["anna"]


# -- disable


def test_disable_and_enable_by_setting(app: MemoryHost) -> None:
    ident = app.client.created("anna")
    assert app.client.patch(ident, DISABLE).json["active"] is False
    assert app.target.get("user", ("anna",))["active"] == (False,)  # type: ignore[index]
    assert app.client.patch(ident, {**DISABLE, "value": True}).json["active"] is True
    assert app.target.get("user", ("anna",))["active"] == (True,)  # type: ignore[index]


def test_disable_by_delete(serve: Serve) -> None:
    app = serve(disable='{ action = "delete" }')
    ident = app.client.created("anna")
    assert app.client.patch(ident, DISABLE).status == 204
    assert app.logins() == []
    app.client.get(f"/Users/{ident}").refused(404)
    [record] = app.bench.audit(name="anna")[-1:]
    assert (record.operation, record.outcome, record.status) == ("delete", "done", 204)


def test_disable_of_what_is_gone_already(app: MemoryHost) -> None:
    ident = app.client.created("anna")
    app.target.drop("user", ("anna",))
    app.client.patch(ident, DISABLE).refused(404)
    app.client.get(f"/Users/{ident}").refused(404)


# -- passwords


@pytest.fixture
def two_calls(serve: Serve) -> Iterator[MemoryHost]:
    app = serve(type="second-call")
    yield app
    variants.fail_passwords.discard(app.name)


def test_a_password_in_the_create(app: MemoryHost) -> None:
    app.client.created("anna", password="Marker-1-Anna")
    assert app.target.password_is("user", ("anna",), Secret("Marker-1-Anna"))


def test_a_password_by_a_second_call(two_calls: MemoryHost) -> None:
    app = two_calls
    ident = app.client.created("anna", password="Marker-1-Anna")
    assert app.target.password_is("user", ("anna",), Secret("Marker-1-Anna"))
    assert app.client.user(ident)["userName"] == "anna"


def test_until_the_password_is_set_the_object_is_hidden(two_calls: MemoryHost) -> None:
    app = two_calls
    variants.fail_passwords.add(app.name)
    body = {"userName": "anna", "displayName": "A", "externalId": "e", "password": "Marker-1-Anna"}
    app.client.post(body).refused(503)
    assert app.logins() == ["anna"]
    assert app.client.named("anna") == []
    assert app.client.get("/Users").total == 0
    app.bench.imported("app")
    assert app.client.get("/Users").total == 0, "also across imports"
    app.client.post(body).refused(503)
    assert app.client.named("anna") == [], "and after a second failure"
    variants.fail_passwords.discard(app.name)
    answer = app.client.post({**body, "displayName": "B"})
    assert answer.status == 201, answer
    assert app.asked["create"] == 1
    assert app.target.password_is("user", ("anna",), Secret("Marker-1-Anna"))
    user = app.client.user(answer.id)
    assert (user["displayName"], user["externalId"]) == ("B", "e")
    app.client.post(body).refused(409, "uniqueness")


def test_a_lost_answer_before_the_second_call(two_calls: MemoryHost) -> None:
    app = two_calls
    app.client.get("/Users")
    app.target.weather.lose_answers = 1
    body = {"userName": "anna", "password": "Marker-1-Anna"}
    app.client.post(body).refused(503)
    app.host.repair()
    assert app.bench.unfinished() == []
    assert app.client.named("anna") == [], "created, but without a password"
    assert app.client.post(body).status == 201
    assert app.asked["create"] == 1
    assert app.target.password_is("user", ("anna",), Secret("Marker-1-Anna"))


def test_a_post_without_password_completes_as_well(two_calls: MemoryHost) -> None:
    app = two_calls
    variants.fail_passwords.add(app.name)
    app.client.post({"userName": "anna", "password": "Marker-1-Anna"}).refused(503)
    answer = app.client.post({"userName": "anna"})
    assert answer.status == 201
    assert app.client.user(answer.id)["userName"] == "anna", "what is answered with 201 can be read"


def test_a_revived_object_stays_hidden_until_its_password_is_set(serve: Serve) -> None:
    app = serve(type="second-call", delete=NOTHING)
    ident = app.client.created("anna", password="Marker-1-Anna")
    app.client.delete(ident)
    variants.fail_passwords.add(app.name)
    body = {"userName": "anna", "password": "Marker-2-Anna"}
    app.client.post(body).refused(503)
    assert app.client.named("anna") == []
    variants.fail_passwords.discard(app.name)
    answer = app.client.post(body)
    assert (answer.status, answer.id) == (201, ident)
    assert app.target.password_is("user", ("anna",), Secret("Marker-2-Anna"))


@pytest.mark.parametrize("kind", ["watched", "second-call"])
def test_a_password_is_changed_together_with_the_name(serve: Serve, kind: str) -> None:
    app = serve(type=kind)
    ident = app.client.created("anna")
    answer = app.client.patch(
        ident,
        {"op": "replace", "path": "userName", "value": "anne"},
        {"op": "replace", "path": "password", "value": "Marker-3-Anna"},
    )
    assert answer.status == 200, answer
    assert app.target.password_is("user", ("anne",), Secret("Marker-3-Anna"))


# -- secrets stay out of everything that is kept


def test_no_secret_is_kept_anywhere(
    serve: Serve, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    app = serve(type="second-call")
    own = "urn:ietf:params:scim:schemas:extension:ECMA2Host:2.0:User"
    secrets = [f"S3cret-Marker-{number}" for number in range(6)]
    ident = app.client.created("anna", password=secrets[0], **{own: {"pin": secrets[1]}})
    app.client.patch(ident, {"op": "replace", "path": "password", "value": secrets[2]})
    app.client.put(ident, {"userName": "anna", own: {"pin": secrets[3], "export_password": secrets[4]}})
    app.target.weather.lose_answers = 1
    app.client.post({"userName": "bert", "password": secrets[5], own: {"pin": secrets[5]}})
    app.client.patch(ident, {"op": "replace", "path": f"{own}:pin", "value": [secrets[5], {}]})
    app.client("POST", "/Users", f'{{"userName": "x", "password": "{secrets[5]}'.encode())
    app.client.get(f"/Users?filter={own}:pin eq %22{secrets[1]}%22").refused(400, "invalidFilter")
    app.host.repair()
    app.bench.imported("app")
    kept = app.target.get("user", ("anna",))
    assert kept is not None
    assert kept["pin"] == (secrets[3],), "the target has it"
    assert app.target.password_is("user", ("anna",), Secret(secrets[4]))
    shown = app.client.get("/Users").raw + app.client.get("/Schemas").raw
    logged = "".join(capfd.readouterr()) + caplog.text
    for secret in secrets:
        assert secret.encode() not in app.bench.stored_bytes()
        assert secret.encode() not in shown
        assert secret not in logged
        assert secret not in repr(app.bench.audit())
        assert secret not in repr(app.host.store.journal.all())


def test_the_provider_s_token_is_kept_as_a_hash_only(app: MemoryHost) -> None:
    app.client.get("/Users")
    assert app.bench.token("app").encode() not in app.bench.stored_bytes()


# -- tokens


def test_tokens(app: MemoryHost) -> None:
    tokens = app.host.tokens
    client = app.bench

    def status(token: Secret, method: str = "GET") -> int:
        return client.request("app", method, "/Users", token=token.reveal()).status

    random, text = tokens.create("App", name="random")
    assert len(text.reveal()) >= 43
    chosen, _ = tokens.create("app", name="chosen", text=Secret("a-chosen-token-of-mine"))
    _, reading = tokens.create("app", name="reading", scope="read")
    _, elsewhere = tokens.create("other", name="elsewhere")
    assert status(text) == status(Secret("a-chosen-token-of-mine")) == status(reading) == 200
    assert client.request("app", "POST", "/Users", {"userName": "x"}, token=reading.reveal()).status == 403
    assert status(elsewhere) == 401
    rotated = tokens.rotate(random.id, overlap=60)
    assert rotated is not None
    assert status(text) == status(rotated[1]) == 200
    assert tokens.rotate(random.id, overlap=-1) is not None
    assert status(text) == 401
    assert tokens.revoke(chosen.id)
    assert status(Secret("a-chosen-token-of-mine")) == 401
    _, expired = tokens.create("app", name="expired", expires=1.0)
    assert status(expired) == 401
    assert not tokens.revoke("nosuch")
    assert {token.name for token in tokens.list("APP")} == {"random", "chosen", "reading", "expired"}
    used = {token.name for token in tokens.list("app") if token.last_used is not None}
    assert used == {"random", "chosen", "reading"}


def test_a_token_revoked_in_another_process_ends_within_seconds(app: MemoryHost) -> None:
    token, text = app.host.tokens.create("app", name="t")
    assert app.bench.request("app", "GET", "/Users", token=text.reveal()).status == 200
    other = Bench(app.bench.folder)
    try:
        other.host.tokens.revoke(token.id)
    finally:
        other.close()
    until(lambda: app.bench.request("app", "GET", "/Users", token=text.reveal()).status == 401, timeout=3)


@pytest.mark.parametrize("text", ["short", "blank in the middle", "ümläut-is-not-ascii", ""])
def test_a_chosen_token_that_cannot_be_used(app: MemoryHost, text: str) -> None:
    with pytest.raises(ValueError) as refused:
        app.host.tokens.create("app", name="t", text=Secret(text))
    assert not text or text not in str(refused.value)
