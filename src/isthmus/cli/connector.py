"""`isthmus connector ...`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from isthmus.cli.output import facts, table, write_json
from isthmus.cli.secret import read_secret
from isthmus.cli.session import Json, Name, existing, session

app = typer.Typer(help="Connectors: one for each application.", no_args_is_help=True)


@app.command("add")
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name; it becomes part of the endpoint's URL.")],
    type: Annotated[str, typer.Option(help="Connector type.")] = "sql",
    url: Annotated[str | None, typer.Option(help="Database URL, without a password.")] = None,
    table: Annotated[str | None, typer.Option(help="Table or view that holds the people.")] = None,
    anchor: Annotated[
        list[str] | None, typer.Option(help="Column that identifies a row for life; left out: the primary key.")
    ] = None,
    matching: Annotated[
        list[str] | None, typer.Option(help="Attribute by which clients find people; left out: suggested.")
    ] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="Another setting, as key=value (TOML value or text).")
    ] = None,
    disable: Annotated[
        str | None, typer.Option(help="What active=false does: nothing, delete, or ATTRIBUTE=VALUE.")
    ] = None,
    delete: Annotated[str | None, typer.Option(help="What DELETE does: nothing, delete, or ATTRIBUTE=VALUE.")] = None,
    ask_password: Annotated[
        bool,
        typer.Option("--password", help="Ask for a password (or read it from standard input) and keep it encrypted."),
    ] = False,
    json: Json = False,
) -> None:
    """Add a connector: asks the target for its schema, suggests flows, and writes connectors/NAME.toml.

    The file is yours to edit afterwards. At a terminal, what is missing is asked for.

    Examples:

        isthmus connector add hr --url sqlite:////srv/hr.db --table Employees --disable Disabled=true --delete delete

        isthmus connector add hr --url postgresql://me@db/hr --table people --password --disable nothing --delete delete
    """
    from isthmus.config.editing import add_connector
    from isthmus.config.secrets import Secrets
    from isthmus.wizard import adding

    current = session(context)
    configuration = current.configuration()
    if type == "sql" and url is None and not setting:
        url = ask("Database URL", url, "--url")
    answers = adding.Answers(
        name=name,
        type=type,
        url=url,
        table=table,
        anchor=tuple(anchor or ()),
        matching=tuple(matching or ()),
        settings=adding.parse_settings(setting or []),
    )
    adding.check_name(configuration, name)
    if ask_password:
        secret_name = f"{name.casefold()}-password"
        Secrets(configuration).set(secret_name, read_secret(f"Password of {name}"))
        answers = adding.with_password(answers, secret_name)
    draft = adding.discover(configuration, answers)
    if draft.object_type is None:
        draft = adding.choose(draft, ask("Table", None, "--table", choices=list(draft.schema.object_types)))
    for note in draft.notes:
        typer.echo(f"note: {note}", err=True)
    boolean = ", ".join(draft.boolean_attributes()) or "none"
    hint = f"nothing, delete, or ATTRIBUTE=VALUE (boolean attributes: {boolean})"
    document = adding.complete(
        draft,
        disable=ask(f"What shall active=false do: {hint}", disable, "--disable"),
        delete=ask(f"What shall DELETE do: {hint}", delete, "--delete"),
    )
    path = add_connector(configuration, name, document)
    if json:
        write_json({"path": path, "notes": list(draft.notes), "document": document})
        return
    typer.echo(f"made {path}")
    for flow, attribute in sorted(draft.definition.flows.items()):
        typer.echo(f"  {flow} <-> {attribute.attribute}")
    typer.echo(f"Next: isthmus connector test {name}, isthmus token create {name}, isthmus serve")


def ask(prompt: str, given: str | None, option: str, *, choices: list[str] | None = None) -> str:
    """Return what was given, or ask for it at a terminal; elsewhere name the option that is missing."""
    if given is not None:
        return given
    if choices is not None:
        prompt = f"{prompt} ({', '.join(choices)})"
    if not sys.stdin.isatty():
        raise typer.BadParameter(f"give {option}. {prompt}")
    return str(typer.prompt(prompt))


@app.command("list")
def list_connectors(context: typer.Context, json: Json = False) -> None:
    """List the connectors and how they are.

    Example: isthmus connector list
    """
    with session(context).host() as host:
        rows = []
        for name in sorted(host.names()):
            target = host.target(name)
            objects = sum(
                host.store.space.count(space) for space in host.store.space.all() if space.connector == target.key
            )
            state = "paused" if target.document.paused else target.attention or "ready"
            rows.append({"name": name, "type": target.document.type, "objects": objects, "state": state})
    if json:
        write_json(rows)
        return
    table(
        ("name", "type", "objects", "state"),
        [tuple(row.values()) for row in rows],
        empty="no connectors; 'isthmus connector add NAME' makes one",
    )


@app.command("show")
def show(context: typer.Context, name: Name, json: Json = False) -> None:
    """Show a connector: endpoint, resource types, flows, deprovisioning.

    Example: isthmus connector show hr
    """
    import msgspec

    configuration = session(context).configuration()
    written = existing(configuration, name)
    document = configuration.connectors[written.casefold()]
    url = configuration.host.public_url or f"https://{configuration.host.scim.listen}"
    values: dict[str, Any] = {
        "name": written,
        "endpoint": f"{url}/ecma2host_{written}/scim",
        **msgspec.to_builtins(document),
    }
    if json:
        write_json(values)
    else:
        facts({key: value for key, value in values.items() if key != "resource_types"})
        for definition in document.resource_types:
            typer.echo(f"\n/{definition.endpoint} from {definition.object_type}")
            facts(
                {
                    "attributes": definition.attributes,
                    "matching": definition.matching,
                    **{path: flow.attribute for path, flow in definition.flows.items()},
                    "disable": None if definition.disable is None else msgspec.to_builtins(definition.disable),
                    "delete": None if definition.delete is None else msgspec.to_builtins(definition.delete),
                }
            )


@app.command("test")
def examine_target(context: typer.Context, name: Name, json: Json = False) -> None:
    """Ask the target: can it be reached and read, does its schema fit, can every write be repaired?

    Only reads. Exit code 1 if something hinders provisioning.

    Example: isthmus connector test hr
    """
    from isthmus.engine.diagnosis import examine

    with session(context).host() as host:
        findings = examine(host, existing(host.configuration, name))
    report(findings, json=json)


def report(findings: Any, *, json: bool) -> None:
    """Show findings and end with exit code 1 if one is a failure."""
    if json:
        write_json([{"check": f.check, "state": f.state, "message": f.message} for f in findings])
    else:
        marks = {"ok": ("ok  ", "green"), "warning": ("warn", "yellow"), "failure": ("FAIL", "red")}
        for finding in findings:
            mark, colour = marks[finding.state]
            typer.echo(f"{typer.style(mark, fg=colour)}  {finding.check}: {finding.message}")
    if any(finding.state == "failure" for finding in findings):
        raise typer.Exit(1)


@app.command("schema")
def schema(
    context: typer.Context,
    name: Name,
    refresh: Annotated[bool, typer.Option("--refresh", help="Read it from the target now.")] = False,
    json: Json = False,
) -> None:
    """Show the target's object types and attributes, and which are published.

    Example: isthmus connector schema hr --refresh
    """
    import msgspec

    with session(context).host() as host:
        target = host.target(existing(host.configuration, name))
        found = target.discover() if refresh or target.schema() is None else target.schema()
        assert found is not None
        selected = {definition.object_type: definition.attributes for definition in target.document.resource_types}
    if json:
        write_json(msgspec.to_builtins(found))
        return
    for object_type in found.object_types.values():
        typer.echo(
            f"{object_type.name}: anchor {', '.join(object_type.anchor)}; {', '.join(sorted(object_type.operations))}"
        )
        rows = []
        for attribute in object_type.attributes:
            marks = [
                mark
                for mark in ("required", "readonly", "generated", "unique", "multivalued", "secret")
                if getattr(attribute, mark)
            ]
            published = attribute.name in selected.get(object_type.name, ())
            rows.append(
                (
                    attribute.name,
                    attribute.type,
                    attribute.native_type,
                    " ".join(marks),
                    "published" if published else "",
                )
            )
        table(("  attribute", "type", "in the target", "", ""), rows, empty="no attributes")


@app.command("rebuild")
def rebuild(context: typer.Context, name: Name) -> None:
    """Take over a changed anchor or type: forget the known schema, read it anew and import everything.

    Example: isthmus connector rebuild hr
    """
    from isthmus.engine.scheduling import request_import

    with session(context).host() as host:
        target = host.target(existing(host.configuration, name))
        target.forget_schema()
        target.discover()
        runs = request_import(host, target.name, requested_by="rebuild")
    typer.echo(f"schema taken over; {len(runs)} imports are queued")


@app.command("pause")
def pause(context: typer.Context, name: Name) -> None:
    """Stop writes and imports of a connector; reads go on, writes answer 503 so that clients send them again later.

    Example: isthmus connector pause hr
    """
    set_paused(context, name, paused=True)


@app.command("resume")
def resume(context: typer.Context, name: Name) -> None:
    """End a pause.

    Example: isthmus connector resume hr
    """
    set_paused(context, name, paused=False)


def set_paused(context: typer.Context, name: str, *, paused: bool) -> None:
    """Write the setting; a running server takes it over within seconds."""
    from isthmus.config.editing import connector_path, set_value

    configuration = session(context).configuration()
    path: Path = connector_path(configuration, name)
    set_value(path, "paused", True if paused else None, host=configuration.host)
    typer.echo(f"{existing(configuration, name)} is {'paused' if paused else 'resumed'}")


@app.command("remove")
def remove(
    context: typer.Context,
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove a connector and its connector space. The target is not touched; ids are never given to others.

    Example: isthmus connector remove hr --yes
    """
    from isthmus.config.editing import remove_connector

    current = session(context)
    configuration = current.configuration()
    written = existing(configuration, name)
    if not yes:
        typer.confirm(f"Remove connector {written} and what is known of its objects?", abort=True)
    with current.host() as host:
        if host.store.journal.unfinished(written.casefold()):
            raise typer.BadParameter("writes of this connector are still open; see 'isthmus journal list'")
        remove_connector(configuration, written)
        for token in host.tokens.list(written):
            host.tokens.revoke(token.id)
        host.store.schedules.remove(written.casefold())
        host.store.space.drop(written.casefold())
    typer.echo(f"removed {written}")
