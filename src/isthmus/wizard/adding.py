"""Add a connector: settings, then what the target has, then what disable and delete mean."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import msgspec

from isthmus.config.documents import Configuration, ConnectorDocument
from isthmus.config.editing import parse_key
from isthmus.config.errors import ConfigError, nearest
from isthmus.config.names import connector_name_problem
from isthmus.config.registry import connector_type, connector_type_ids
from isthmus.config.settings import open_connector
from isthmus.engine.answers import connector_edge
from isthmus.mapping.definition import Deprovisioning, ResourceTypeDefinition
from isthmus.mapping.problems import MappingProblem
from isthmus.mapping.resource_type import compile_resource_type
from isthmus.mapping.suggesting import looks_like_a_switch, suggest_flows
from isthmus.spi import (
    Call,
    Connector,
    ConnectorError,
    MisconfiguredConnector,
    ObjectType,
    Schema,
    SupportsSuggestions,
    settings_of,
)
from isthmus.wizard.belonging import as_settings, belonging
from isthmus.wizard.notes import GROUPS, PEOPLE, group_notes, notes_on
from isthmus.wizard.rules import deprovisioning

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the operator has said so far."""

    name: str
    type: str = "sql"
    url: str | None = None
    table: str | None = None
    anchor: tuple[str, ...] = ()
    matching: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kinds(self) -> str:
        """What object types are called in the target."""
        return "tables" if self.type == "sql" else "object types"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What the target has, and what is suggested. `object_type` None: one of several must be chosen.

    `suggested`: object types with the tables that belong to them, as settings; `read_again` gives the schema with
    others. `groups`: how the groups are published whose members the objects are.
    """

    answers: Answers
    settings: Mapping[str, Any]
    schema: Schema
    object_type: ObjectType | None
    definition: ResourceTypeDefinition
    notes: tuple[str, ...] = ()
    suggested: tuple[Mapping[str, Any], ...] = ()
    read_again: Callable[[dict[str, Any]], Schema] | None = None
    groups: ResourceTypeDefinition | None = None
    learned: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By object type: settings that the target itself suggests, such as base DNs and a DN template."""
    reason: str = ""
    """What the suggestions rest on, in words: how many entries of each class were seen, for example."""

    @property
    def choices(self) -> list[str]:
        """Return the object types to choose from, as the target orders them: the likeliest first."""
        known = self.schema.object_types
        return [*(name for name in self.learned if name in known), *sorted(set(known) - set(self.learned))]

    @property
    def disables(self) -> bool:
        """Whether the identity provider disables such objects: people have `active`, groups do not (RFC 7643 4.2)."""
        return self.definition.endpoint == PEOPLE

    def switches(self) -> list[str]:
        """Return the attributes that disabling somebody seems to be made for."""
        if self.object_type is None:
            return []
        return [one.name for one in self.object_type.attributes if looks_like_a_switch(one)]


def check_name(configuration: Configuration, name: str) -> str:
    """Return the name, or refuse one that is not valid or taken."""
    problem = connector_name_problem(name)
    if problem is not None:
        raise ConfigError(problem)
    if name.casefold() in configuration.connectors:
        taken = configuration.names[name.casefold()]
        raise ConfigError(f"there is already a connector {taken}; take another name, or edit connectors/{taken}.toml")
    return name


def check_type(id: str) -> None:
    """Refuse a connector type that is not installed."""
    known = connector_type_ids()
    if id not in known:
        raise ConfigError(f"no connector type {id!r} is installed; {nearest(id, known, what='connector types')}")


def type_of(url: str) -> str:
    """Return the connector type that a target's URL asks for: databases are the rule."""
    return "ldap" if url.partition("://")[0].casefold() in ("ldap", "ldaps", "ldapi") else "sql"


def wants_url(answers: Answers) -> bool:
    """Tell whether the URL has to be asked for; a database may be told by `dialect`, `host` and the like instead."""
    told = {"url"} if answers.type == "ldap" else {"url", "dialect", "host", "database"}
    return answers.type in ("sql", "ldap") and answers.url is None and told.isdisjoint(answers.settings)


def wants_account(answers: Answers) -> bool:
    """Tell whether the account has to be asked for apart from the URL: a directory's has no place in it."""
    simple = answers.settings.get("bind", "simple") == "simple"
    return answers.type == "ldap" and simple and "user" not in answers.settings


def parse_settings(texts: Sequence[str]) -> dict[str, Any]:
    """Return `key=value` texts as settings; a dotted key leads into a table, a value that is not TOML is a text."""
    result: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise ConfigError(f"{text!r} is not of the form key=value")
        parsed = parse_key(key.strip())
        path = [part for part in parsed if isinstance(part, str)]
        if len(path) < len(parsed):
            raise ConfigError(f"{key} names a place in a list; give the whole list, as in {path[0]}=[...]")
        *tables, last = path
        table = result
        for part in tables:
            table = table.setdefault(part, {})
            if not isinstance(table, dict):
                raise ConfigError(f"{key} leads into something that is not a table")
        try:
            table[last] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            table[last] = value
    return result


def with_password(answers: Answers, secret_name: str) -> Answers:
    """Return the answers with a reference to the stored password."""
    return replace(answers, settings={**answers.settings, "password": {"secret": secret_name}})


def discover(configuration: Configuration, answers: Answers) -> Draft:
    """Ask the target for its schema with these settings; nothing is written.

    Raises:
        ConfigError: a setting is wrong, or the target has no such table.
        ConnectorError: the target cannot be reached or read; the message says why.
    """
    settings: dict[str, Any] = dict(answers.settings)
    if answers.url is not None:
        settings["url"] = answers.url
    everything = dict(settings)
    learned: dict[str, Mapping[str, Any]] = {}
    reason = ""
    if answers.type != "sql" and "object_types" not in settings:
        found, reason = _suggested(configuration, answers, settings)
        learned = {each["name"]: each for each in found}
    if answers.table is not None and answers.table in learned:
        settings["object_types"] = [_declared(answers, learned[answers.table])]
    elif answers.table is not None:
        chosen: dict[str, Any] = {"name": answers.table}
        if answers.anchor:
            chosen["anchor"] = list(answers.anchor)
        settings["object_types"] = [chosen]
    try:
        schema = _read(configuration, answers, settings)
    except MisconfiguredConnector as exc:
        about_anchor = "anchor" in exc.message  # then the table is there
        hint = "" if answers.table is None or about_anchor else _other_tables(configuration, answers, everything)
        if not hint:
            raise
        raise ConfigError(f"{exc.message}; {hint}") from exc
    if not schema.object_types and answers.type == "sql":
        where = _other_schemas(configuration, answers, settings)
        hint = f"; {where}" if where else ""
        raise ConfigError(
            f"the target shows no table or view with a primary key; name one with --table and --anchor{hint}"
        )
    if not schema.object_types:
        raise ConfigError(
            "the target shows no objects to this account; name a class with --table, or where they are with "
            "--set 'bases=[\"ou=people,dc=example,dc=org\"]'"
        )
    in_tables = answers.type == "sql" and "object_types" not in answers.settings
    suggested = _suggested(configuration, answers, everything)[0] if in_tables else ()
    draft = Draft(
        answers=answers,
        settings=settings,
        schema=_choices(schema, suggested) if answers.table is None else schema,
        object_type=None,
        definition=ResourceTypeDefinition(object_type="", attributes=()),
        suggested=suggested,
        read_again=lambda changed: _read(configuration, answers, changed),
        learned=learned,
        reason=reason,
    )
    if len(draft.schema.object_types) == 1:
        return choose(draft, next(iter(draft.schema.object_types)))
    return draft


def _declared(answers: Answers, learned: Mapping[str, Any]) -> dict[str, Any]:
    """Return a suggested object type on its own: what it says of other types is left out."""
    alone = {key: value for key, value in learned.items() if key != "member_uid_type"}
    return {**alone, **({"anchor": answers.anchor[0]} if answers.anchor else {})}


def _choices(schema: Schema, suggested: Sequence[Mapping[str, Any]]) -> Schema:
    """Return the schema without the tables that belong to others, if that leaves any."""
    names = {each["name"] for each in suggested}
    kept = {name: found for name, found in schema.object_types.items() if name in names}
    return Schema(kept) if kept else schema


def _suggested(
    configuration: Configuration, answers: Answers, settings: dict[str, Any]
) -> tuple[tuple[Mapping[str, Any], ...], str]:
    """Return the object types that the target suggests, and why."""

    def ask(connector: Connector, call: Call) -> tuple[tuple[Mapping[str, Any], ...], str]:
        if not isinstance(connector, SupportsSuggestions):
            return (), ""
        offered = connector.suggest(call=call).get("object_types")
        return ((), "") if offered is None else (tuple(as_settings(each) for each in offered.values), offered.reason)

    return _asked(configuration, answers, settings, ask)


def _read(configuration: Configuration, answers: Answers, settings: dict[str, Any]) -> Schema:
    def read(connector: Connector, call: Call) -> Schema:
        connector.test(call=call)
        return connector.read_schema(call=call)

    return _asked(configuration, answers, settings, read)


def _asked(
    configuration: Configuration, answers: Answers, settings: dict[str, Any], ask: Callable[[Connector, Call], T]
) -> T:
    """Return what a connector with these settings answers; it is closed again."""
    document = ConnectorDocument(type=answers.type, settings=settings)
    key = answers.name.casefold()
    trial = msgspec.structs.replace(
        configuration,
        connectors={**configuration.connectors, key: document},
        names={**configuration.names, key: answers.name},
    )
    try:
        connector = open_connector(trial, answers.name)
    except ConfigError as exc:  # the file that it would name has not been written
        raise ConfigError(": ".join(part for part in (exc.where.key, exc.problem) if part)) from exc
    try:
        with connector_edge(answers.name, "test"):
            return ask(connector, Call(timeout=document.timeout))
    finally:
        connector.close()


def _other_tables(configuration: Configuration, answers: Answers, settings: dict[str, Any]) -> str:
    """Return which tables there are where the one that was named cannot be used; empty if it is there."""
    assert answers.table is not None
    try:
        known = _read(configuration, answers, settings).object_types
    except (ConnectorError, ConfigError):
        return ""  # the first error says what is wrong
    if answers.table in known:
        return ""
    hints = [nearest(answers.table, known, what="tables")] if known else []
    hints.append(_other_schemas(configuration, answers, settings))
    return "; ".join(hint for hint in hints if hint)


def _other_schemas(configuration: Configuration, answers: Answers, settings: dict[str, Any]) -> str:
    """Return where else tables may be; empty where the target has one schema."""

    def ask(connector: Connector, call: Call) -> tuple[Any, ...]:
        offered = connector.suggest(call=call).get("schema") if isinstance(connector, SupportsSuggestions) else None
        return () if offered is None else tuple(offered.values)

    found = _asked(configuration, answers, settings, ask)
    others = [name for name in found if name != settings.get("schema")]
    if len(found) < 2 or not others:
        return ""
    return f"tables of another schema are seen with --set schema=NAME: there are {', '.join(others)}"


def choose(draft: Draft, object_type: str) -> Draft:
    """Return the draft for one object type, with suggested attributes, matching and flows."""
    found = draft.schema.object_types.get(object_type)
    if found is None:
        raise ConfigError(
            f"the target has no {object_type!r}; "
            f"{nearest(object_type, draft.schema.object_types, what=draft.answers.kinds)}"
        )
    settings = dict(draft.settings)
    types, notes = [found], list[str]()
    groups: ResourceTypeDefinition | None = None
    if draft.answers.type == "sql" and "object_types" not in draft.answers.settings:
        chosen: dict[str, Any] = {"name": object_type}
        if draft.answers.anchor:
            chosen["anchor"] = list(draft.answers.anchor)
        settings["object_types"] = [chosen]
        types, settings, notes = _with_belonging(draft, chosen, found, settings)
        groups = suggest_flows(types[1]) if len(types) > 1 else None
    elif object_type in draft.learned:
        settings.setdefault("object_types", [_declared(draft.answers, draft.learned[object_type])])
        types, settings, notes = _with_groups(draft, found, settings)
        groups = suggest_flows(types[1]) if len(types) > 1 else None
    definition = suggest_flows(types[0])
    if draft.answers.matching:
        for name in draft.answers.matching:
            if found.attribute(name) is None:
                known = [one.name for one in found.attributes]
                raise ConfigError(
                    f"{object_type!r} has no attribute {name!r}; {nearest(name, known, what='attributes')}"
                )
        definition = msgspec.structs.replace(definition, matching=draft.answers.matching)
    return replace(
        draft,
        settings=settings,
        schema=Schema({each.name: each for each in types}),
        object_type=types[0],
        definition=definition,
        groups=groups,
        notes=(*notes_on(types[0], definition), *([] if groups is None else group_notes(groups)), *notes),
    )


def _with_belonging(
    draft: Draft, chosen: dict[str, Any], found: ObjectType, settings: dict[str, Any]
) -> tuple[list[ObjectType], dict[str, Any], list[str]]:
    """Return the chosen object type with its child tables, and the groups that it belongs to, if there are any."""
    read = draft.read_again
    wanted = belonging(draft.suggested, chosen)
    if read is None or wanted == [chosen]:
        return [found], settings, []
    try:
        types = _types(read({**settings, "object_types": wanted}), wanted)
        published = [types[0]]
        groups = [each for each in types[1:] if suggest_flows(each).endpoint == GROUPS]
        if suggest_flows(types[0]).endpoint == PEOPLE:
            published += groups[:1]
        if len(published) < len(types):
            names = {each.name for each in published}
            wanted = belonging([each for each in draft.suggested if each["name"] in names], chosen)
            published = _types(read({**settings, "object_types": wanted}), wanted)
    except MisconfiguredConnector as exc:
        return [found], settings, [f"references, child tables and groups are left out: {exc.message}"]
    notes = [f"not published: the groups in {each.name}; a connector has one kind" for each in groups[1:]]
    return published, {**settings, "object_types": wanted}, notes


def _with_groups(
    draft: Draft, found: ObjectType, settings: dict[str, Any]
) -> tuple[list[ObjectType], dict[str, Any], list[str]]:
    """Return people with the first kind of groups that the target suggests beside them."""
    read, people = draft.read_again, settings["object_types"][0]
    others = [
        each
        for name, each in draft.learned.items()
        if name != found.name and each.get("member_uid_type", found.name) == found.name
    ]
    if read is None or not others or suggest_flows(found).endpoint != PEOPLE:
        return [found], settings, []
    try:
        everything = _types(read({**settings, "object_types": [people, *others]}), others)
        kinds = [each for each in everything if suggest_flows(each).endpoint == GROUPS]
        if not kinds:
            return [found], settings, []
        wanted = [people, *(each for each in others if each["name"] == kinds[0].name)]
        types = _types(read({**settings, "object_types": wanted}), wanted)
    except MisconfiguredConnector as exc:
        return [found], settings, [f"groups are left out: {exc.message}"]
    notes = [f"not published: the groups of {each.name}; a connector has one kind" for each in kinds[1:]]
    return types, {**settings, "object_types": wanted}, notes


def _types(schema: Schema, wanted: Sequence[Mapping[str, Any]]) -> list[ObjectType]:
    return [schema.object_types[each["name"]] for each in wanted]


def complete(draft: Draft, *, disable: str | None, delete: str) -> dict[str, Any]:
    """Return the connector's document, checked against the discovered schema.

    `disable` None: the object type is no people (`disables` tells), so that nothing is ever disabled.
    """
    assert draft.object_type is not None
    definition = msgspec.structs.replace(
        draft.definition,
        disable=None if disable is None else deprovisioning(disable, draft.object_type),
        delete=deprovisioning(delete, draft.object_type),
    )
    definitions = [definition]
    if draft.groups is not None:
        # What is set on people has no counterpart in groups; deleted they are only if people are.
        same = Deprovisioning(action="delete" if delete == "delete" else "nothing")
        definitions.append(msgspec.structs.replace(draft.groups, delete=same))
    for one in definitions:
        try:
            compile_resource_type(one, draft.schema.object_types[one.object_type], shape=0)
        except MappingProblem as exc:
            raise ConfigError(f"{one.object_type}: {exc.message}") from exc
    document = ConnectorDocument(type=draft.answers.type, settings=_in_order(draft), resource_types=tuple(definitions))
    plain: dict[str, Any] = msgspec.to_builtins(document)
    defaults = msgspec.to_builtins(ConnectorDocument(type=draft.answers.type))
    kept = {key: value for key, value in plain.items() if key in ("type", "settings") or value != defaults[key]}
    for one in kept["resource_types"]:
        for flow in one["flows"].values():
            if flow.get("direction") == "both":
                del flow["direction"]
            if not flow.get("invert", True):
                del flow["invert"]
            if not flow.get("sub_attributes", True):
                del flow["sub_attributes"]
        for name in ("disable", "delete"):
            one[name] = None if one[name] is None else {key: value for key, value in one[name].items() if value}
    return kept


def _in_order(draft: Draft) -> dict[str, Any]:
    """Return the settings as the connector type declares them: address, account, password, object types."""
    declared = [one.name for one in settings_of(connector_type(draft.answers.type).settings)]
    return {name: draft.settings[name] for name in sorted(draft.settings, key=declared.index)}
