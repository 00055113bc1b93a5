"""`isthmus connector ...`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli.adding import add
from isthmus.cli.faults import Refused
from isthmus.cli.output import facts, printable, say, table, write_json
from isthmus.cli.session import Json, Name, existing, operator, session

if TYPE_CHECKING:
    from isthmus.config.documents import Configuration
    from isthmus.engine.diagnosis import Finding
    from isthmus.mapping.definition import Deprovisioning

app = typer.Typer(help="Connectors: one for each application.", no_args_is_help=True)
app.command("add")(add)


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
            state = "paused" if target.document.paused else target.attention.reason or "ready"
            kind = target.document.type
            rows.append(
                {
                    "name": name,
                    "type": kind,
                    "objects": objects,
                    "state": state,
                    "endpoint": endpoint(host.configuration, name),
                }
            )
    if json:
        write_json(rows)
        return
    table(
        ("name", "type", "objects", "state", "endpoint"),
        [tuple(row.values()) for row in rows],
        empty="no connectors; 'isthmus connector add NAME' makes one",
    )


@app.command("show")
def show(context: typer.Context, name: Name, json: Json = False) -> None:
    """Show a connector: endpoint, resource types, flows, deprovisioning, and whether it is watched.

    Example: isthmus connector show hr
    """
    import msgspec

    configuration = session(context).configuration()
    written = existing(configuration, name)
    document = configuration.connectors[written.casefold()]
    with session(context).host() as host:
        watches = {run.scope: run.message or run.state for run in host.store.runs.watches(written.casefold())}
    values: dict[str, Any] = {
        "name": written,
        "file": str(configuration.connectors_dir / f"{written}.toml"),
        "endpoint": endpoint(configuration, written),
        **msgspec.to_builtins(document),
        "watches": watches,
    }
    if json:
        write_json(values)
        return
    settings = values.pop("settings")
    tables = {key: settings.pop(key) for key in list(settings) if is_tables(settings[key])}
    settings = {f"settings.{key}": value for key, value in settings.items()}
    facts(
        {
            **{key: value for key, value in values.items() if key not in ("resource_types", "guard", "watches")},
            **settings,
        }
    )
    for key, entries in tables.items():
        typer.echo(f"\nsettings.{key}")
        show_tables(entries, indent="  ")
    typer.echo("\nguard")
    facts(values["guard"], indent="  ")
    if watches:
        typer.echo("\nwatches")
        facts(watches, indent="  ")
    for definition in document.resource_types:
        typer.echo(f"\n/{definition.endpoint} from {printable(definition.object_type)}")
        facts(
            {
                "attributes": definition.attributes,
                "matching": definition.matching,
                **({"disable": effect(definition.disable)} if definition.endpoint == "Users" else {}),
                "delete": effect(definition.delete),
            },
            indent="  ",
        )
        typer.echo("  flows")
        arrows = {"both": "<->", "import": "<-", "export": "->"}
        flows = definition.flows.items()
        facts(
            {
                path: f"{arrows[flow.direction]} {flow.attribute}" + (" (inverted)" if flow.invert else "")
                for path, flow in flows
            },
            indent="    ",
        )


def is_tables(value: Any) -> bool:
    """Tell whether a setting is a list of tables, which one line cannot show."""
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def show_tables(entries: list[dict[str, Any]], *, indent: str) -> None:
    """Write tables one after the other, and those within them further in."""
    for entry in entries:
        (_, head), *rest = entry.items()
        typer.echo(f"{indent}{printable(head)}")
        facts({key: value for key, value in rest if not is_tables(value)}, indent=f"{indent}  ")
        for key, value in rest:
            if is_tables(value):
                typer.echo(f"{indent}  {key}")
                show_tables(value, indent=f"{indent}    ")


def endpoint(configuration: Configuration, name: str) -> str:
    """Return the base URL that an identity provider is given."""
    import socket

    from isthmus.config.listening import parse_listen

    host = configuration.host
    if host.public_url is not None:
        return f"{host.public_url.rstrip('/')}/ecma2host_{name}/scim"
    address = parse_listen(host.scim.listen)
    if address.path is not None:
        return f"/ecma2host_{name}/scim on {address}"
    if address.host in ("0.0.0.0", "::"):  # every address: show one that others can call
        address = replace(address, host=socket.gethostname())
    return f"{'https' if host.scim.tls.enabled else 'http'}://{address}/ecma2host_{name}/scim"


def effect(rule: Deprovisioning | None) -> str:
    """Return what disable or delete does, in words."""
    if rule is None:
        return "not set"
    if rule.action != "set":
        return rule.action
    return f"set {printable(rule.values)}" + (f"; back: {printable(rule.restore)}" if rule.restore else "")


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


def report(findings: list[Finding], *, json: bool) -> None:
    """Show findings and end with exit code 1 if one is a failure."""
    if json:
        write_json([{"check": f.check, "state": f.state, "message": f.message} for f in findings])
    else:
        marks = {"ok": ("ok  ", "green"), "warning": ("warn", "yellow"), "failure": ("FAIL", "red")}
        for finding in findings:
            mark, colour = marks[finding.state]
            typer.echo(f"{typer.style(mark, fg=colour)}  {printable(finding.check)}: {printable(finding.message)}")
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
        operations = ", ".join(sorted(object_type.operations))
        typer.echo(f"{printable(object_type.name)}: anchor {printable(object_type.anchor)}; {operations}")
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
                    f"  {attribute.name}",
                    attribute.type,
                    attribute.native_type,
                    " ".join(marks),
                    "published" if published else "",
                )
            )
        table(("  attribute", "type", "in the target", "", ""), rows, empty="no attributes")


@app.command("rebuild")
def rebuild(context: typer.Context, name: Name, json: Json = False) -> None:
    """Take over a changed anchor or type: forget the known schema, read it anew and import everything.

    Example: isthmus connector rebuild hr
    """
    from isthmus.engine.operations import note
    from isthmus.engine.scheduling import request_import
    from isthmus.web.claim import claimant

    with session(context).host() as host:
        target = host.target(existing(host.configuration, name))
        target.discover(anew=True)
        runs = request_import(host, target.name, requested_by=operator())
        note(host, "rebuild connector", actor=operator(), connector=target.name)
        served = claimant(host.configuration.state_dir) is not None
    queued = f"{len(runs)} {'import is' if len(runs) == 1 else 'imports are'} queued"
    follow = "" if served else f"; 'isthmus run start {name}' carries {'it' if len(runs) == 1 else 'them'} out"
    say(f"schema taken over; {queued}{follow}", {"name": name, "runs": [run.id for run in runs]}, json=json)


@app.command("pause")
def pause(context: typer.Context, name: Name, json: Json = False) -> None:
    """Stop writes and imports of a connector; reads go on, writes answer 503 so that clients send them again later.

    Example: isthmus connector pause hr
    """
    set_paused(context, name, paused=True, json=json)


@app.command("resume")
def resume(context: typer.Context, name: Name, json: Json = False) -> None:
    """End a pause.

    Example: isthmus connector resume hr
    """
    set_paused(context, name, paused=False, json=json)


def set_paused(context: typer.Context, name: str, *, paused: bool, json: bool) -> None:
    """Write the setting; a running server takes it over within seconds."""
    from isthmus.config.editing import connector_path, set_value
    from isthmus.engine.operations import end_imports, note

    current = session(context)
    configuration = current.configuration()
    path: Path = connector_path(configuration, name)
    written = existing(configuration, name)
    values = {"name": written, "paused": paused}
    if configuration.connectors[written.casefold()].paused is paused:
        say(f"{written} {'is paused already' if paused else 'is not paused'}", values, json=json)
        return
    with current.host(configuration) as host:
        set_value(path, "paused", True if paused else None, host=configuration.host)
        note(host, "pause connector" if paused else "resume connector", actor=operator(), connector=written)
        if paused:
            end_imports(host, written)
    say(f"{written} is {'paused' if paused else 'resumed'}", values, json=json)


@app.command("remove")
def remove(
    context: typer.Context,
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Remove a connector and its connector space. The target is not touched; ids are never given to others.

    Example: isthmus connector remove hr --yes
    """
    import sys

    from isthmus.config.editing import remove_connector
    from isthmus.engine.operations import connector_forget, note

    current = session(context)
    configuration = current.configuration()
    written = existing(configuration, name)
    if not yes:
        if not sys.stdin.isatty():
            raise typer.BadParameter("--yes is missing: nobody can be asked here")
        typer.confirm(f"Remove connector {written} and what is known of its objects?", abort=True)
    with current.host() as host:
        if host.store.journal.unfinished(written.casefold()):
            raise Refused(f"writes of {written} are not settled yet; see 'isthmus journal list {written}'")
        note(host, "remove connector", actor=operator(), connector=written)
        for token in host.tokens.list(written):
            host.tokens.revoke(token.id)  # first: they must not outlive it, and open another connector of this name
        remove_connector(configuration, written)
        connector_forget(host, written, actor=operator())
    say(f"removed {written}", {"name": written}, json=json)
