"""The steps of adding a connector, apart from terminal and target."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from isthmus.config.documents import Configuration, ConnectorDocument, HostDocument
from isthmus.config.errors import ConfigError
from isthmus.mapping.definition import Deprovisioning, ResourceTypeDefinition
from isthmus.spi import AttributeDefinition, AttributeType, ObjectType, Operation, Schema
from isthmus.wizard import adding, rules
from isthmus.wizard.adding import Answers, Draft

PEOPLE = ObjectType(
    name="people",
    anchor=("login",),
    attributes=(
        AttributeDefinition(name="login", type=AttributeType.STRING, required=True),
        AttributeDefinition(name="disabled", type=AttributeType.BOOLEAN),
        AttributeDefinition(name="level", type=AttributeType.INTEGER),
        AttributeDefinition(name="password", type=AttributeType.STRING, required=True),
        AttributeDefinition(name="salt", type=AttributeType.STRING),
    ),
    operations=frozenset(Operation),
)
TEAMS = ObjectType(
    name="groups",
    anchor=("name",),
    attributes=(AttributeDefinition(name="name", type=AttributeType.STRING, required=True),),
    operations=frozenset(Operation),
)
NOBODY = ResourceTypeDefinition(object_type="", attributes=())


def draft(*object_types: ObjectType, **answers: Any) -> Draft:
    return Draft(
        answers=Answers(name="hr", **answers),
        settings={},
        schema=Schema({one.name: one for one in object_types}),
        object_type=None,
        definition=NOBODY,
    )


@pytest.mark.parametrize(
    ("texts", "settings"),
    [
        (["port=5432", "schema=hr", "tls=require"], {"port": 5432, "schema": "hr", "tls": "require"}),
        (["session_locks=false", 'pragmas=["a=1"]'], {"session_locks": False, "pragmas": ["a=1"]}),
        (["a.b=1", 'a."c.d"=x=y'], {"a": {"b": 1, "c.d": "x=y"}}),
        (['password={ secret = "x" }'], {"password": {"secret": "x"}}),
    ],
)
def test_settings_are_toml_values_or_text(texts: list[str], settings: dict[str, Any]) -> None:
    assert adding.parse_settings(texts) == settings


@pytest.mark.parametrize("texts", [["port"], ["=1"], ["a[0]=1"], ["a=1", "a.b=2"], ["a b=1"]])
def test_settings_that_lead_nowhere_are_refused(texts: list[str]) -> None:
    with pytest.raises(ConfigError):
        adding.parse_settings(texts)


def test_what_disable_and_delete_do_is_typed_as_the_target_is() -> None:
    assert rules.deprovisioning("nothing", PEOPLE) == Deprovisioning(action="nothing")
    assert rules.deprovisioning("delete", PEOPLE) == Deprovisioning(action="delete")
    assert rules.deprovisioning("disabled=true, level=0", PEOPLE).values == {"disabled": True, "level": 0}
    for wrong in ("", "drop", "disabld=true", "disabled=perhaps", "level=high", "level=1,level=2"):
        with pytest.raises(ConfigError):
            rules.deprovisioning(wrong, PEOPLE)


def test_what_disable_cannot_write_is_refused_when_it_is_said() -> None:
    state = AttributeDefinition(name="state", choices=("on", "off"))
    made = AttributeDefinition(name="made", readonly=True)
    people = ObjectType(name="people", anchor=("login",), attributes=(*PEOPLE.attributes, state, made))
    for text, says in (("state=gone", "'on', 'off'"), ("login=gone", "identifies"), ("made=x", "computes")):
        with pytest.raises(ConfigError, match=says):
            rules.deprovisioning(text, people)
    with pytest.raises(ConfigError, match="still show the object as active"):
        adding.complete(adding.choose(draft(PEOPLE), "people"), disable="disabled=false", delete="nothing")


def test_secrets_are_left_out_and_the_operator_is_told() -> None:
    chosen = adding.choose(draft(PEOPLE, TEAMS), "people")
    assert chosen.definition.attributes == ("login", "disabled", "level")
    assert chosen.switches() == ["disabled"]
    told = "\n".join(chosen.notes)
    assert "every row needs a value: password" in told
    assert "look like secrets: salt" in told


def test_the_document_holds_what_was_said_and_no_defaults() -> None:
    chosen = adding.choose(draft(PEOPLE), "people")
    document = adding.complete(chosen, disable="disabled=true", delete="nothing")
    assert document["type"] == "sql"
    assert document["settings"] == {"object_types": [{"name": "people"}]}
    [published] = document["resource_types"]
    assert published["disable"] == {"action": "set", "values": {"disabled": True}}
    assert published["delete"] == {"action": "nothing"}
    assert published["flows"]["active"] == {"attribute": "disabled", "invert": True}
    assert "autosync_minutes" not in document


def test_enabling_takes_back_what_has_just_one_other_value() -> None:
    active = AttributeDefinition(name="active", choices=("Y", "N"), required=True)
    status = AttributeDefinition(name="status", choices=("active", "suspended", "deleted"))
    switched = ObjectType(name="people", anchor=("login",), attributes=(*PEOPLE.attributes, active, status))
    chosen = adding.choose(draft(switched), "people")
    document = adding.complete(chosen, disable="active=N", delete="delete")
    assert document["resource_types"][0]["disable"] == {
        "action": "set", "values": {"active": "N"}, "restore": {"active": "Y"},
    }  # fmt: skip
    assert rules.lasting(document, chosen.object_type, "hr") == []
    lasting = adding.complete(chosen, disable="status=suspended,disabled=true", delete="status=deleted")
    told = rules.lasting(lasting, chosen.object_type, "hr")
    assert len(told) == 2, "one for disable, one for delete"
    assert 'restore = { "status" = ... }' in told[0]


def test_groups_have_no_disable() -> None:
    chosen = adding.choose(draft(TEAMS), "groups")
    assert not chosen.disables
    assert adding.choose(draft(PEOPLE), "people").disables
    [published] = adding.complete(chosen, disable=None, delete="delete")["resource_types"]
    assert published["disable"] is None


def test_a_group_without_name_or_members_is_told_of() -> None:
    nameless = ObjectType(
        name="role", anchor=("client", "number"), attributes=(PEOPLE.attributes[2],), operations=frozenset(Operation)
    )
    told = "\n".join(adding.choose(draft(nameless), "role").notes)
    assert "displayName or members" in told
    assert "looks like members" in "\n".join(adding.choose(draft(TEAMS), "groups").notes)


def test_an_email_that_is_the_user_name_too_is_told_of() -> None:
    email = AttributeDefinition(name="email", required=True)
    people = ObjectType(name="people", anchor=("email",), attributes=(email,), operations=frozenset(Operation))
    chosen = adding.choose(draft(people), "people")
    assert chosen.definition.flows["userName"] == chosen.definition.flows['emails[type eq "work"].value']
    assert 'emails[type eq "work"].value are both email' in "\n".join(chosen.notes)
    assert "are both" not in "\n".join(adding.choose(draft(PEOPLE), "people").notes)


def test_an_unknown_table_or_matching_attribute_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean people"):
        adding.choose(draft(PEOPLE, TEAMS), "peple")
    with pytest.raises(ConfigError, match="did you mean login"):
        adding.choose(draft(PEOPLE, matching=("logon",)), "people")


def test_a_name_or_type_that_cannot_be_is_refused() -> None:
    configuration = Configuration(
        path=Path("isthmus.toml"),
        host=HostDocument(),
        connectors={"hr": ConnectorDocument(type="sql")},
        names={"hr": "HR"},
    )
    adding.check_name(configuration, "hr2")
    for name in ("hr", "Hr", "", "a/b", ".a"):
        with pytest.raises(ConfigError):
            adding.check_name(configuration, name)
    adding.check_type("sql")
    with pytest.raises(ConfigError, match="did you mean sql"):
        adding.check_type("sqll")
