"""`isthmus config ...`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from isthmus.cli.output import write_json
from isthmus.cli.session import Json, Session, complete, session

app = typer.Typer(help="The configuration files.", no_args_is_help=True)


@app.command("check")
def check(context: typer.Context, json: Json = False) -> None:
    """Check every file and show all problems, each with file, line and key. Exit code 1 if there is one.

    Attributes and flows are compared with what is known of the target; where they do not fit, it is asked whether it
    has changed. `isthmus doctor` asks in any case.

    Example: isthmus config check
    """
    from isthmus.config.loading import problems

    current = session(context)
    found = [str(problem) for problem in problems(current.path)]
    if not found:
        found = later_problems(current)
    if json:
        write_json({"ok": not found, "problems": found})
    elif found:
        for problem in found:
            typer.secho(f"error: {problem}", err=True, fg="red")
    else:
        configuration = current.configuration()
        count = len(configuration.connectors)
        typer.echo(f"{configuration.path}: good, with {count} {'connector' if count == 1 else 'connectors'}")
    if found:
        raise typer.Exit(1)


def later_problems(current: Session) -> list[str]:
    """Return what the connectors' own settings and the files' permissions have wrong.

    Resource types are compared with the schemas that the store knows; before the first look at a target, nothing is.
    """
    from isthmus.config.errors import ConfigError
    from isthmus.config.exposed import exposed_files
    from isthmus.config.tls import server_files
    from isthmus.engine.fitting import misfits, unopened
    from isthmus.store import StoreError
    from isthmus.store.store import FILE

    configuration = current.configuration()
    found: list[str] = []
    if (configuration.state_dir / FILE).exists():
        try:
            with current.host(configuration) as host:
                for name in host.names():
                    found += map(str, misfits(host, name, ask="misfit"))
        except StoreError as exc:
            found.append(str(exc))
    else:  # a check leaves nothing behind
        for name in configuration.names.values():
            found += map(str, unopened(configuration, name))
    try:
        server_files(configuration)
    except ConfigError as exc:
        found.append(str(exc))
    found += [str(exposed) for exposed in exposed_files(configuration)]
    return found


@app.command("show")
def show(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(help="A connector; left out: the host.", autocompletion=complete, show_default=False)
    ] = None,
) -> None:
    """Show the configuration as it is in force, defaults included, as JSON. Secrets are references here, never values.

    Example: isthmus config show
    """
    import msgspec

    from isthmus.cli.session import existing

    configuration = session(context).configuration()
    document: Any = configuration.host
    if name is not None:
        document = configuration.connectors[existing(configuration, name).casefold()]
    write_json(msgspec.to_builtins(document))
