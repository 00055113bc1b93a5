"""`isthmus connector add`: the wizard's steps, with options or with questions at a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, NoReturn, TypedDict, TypeVar
from urllib.parse import urlsplit

import typer

from isthmus.cli.faults import Refused
from isthmus.cli.output import printable, write_json
from isthmus.cli.secret import read_secret
from isthmus.cli.session import Json, operator, session

if TYPE_CHECKING:
    from isthmus.config.documents import Configuration
    from isthmus.wizard.adding import Answers, Draft


T = TypeVar("T")


def add(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(help="Name; it becomes part of the endpoint's URL.", show_default=False)
    ] = None,
    type: Annotated[
        str | None, typer.Option(help="Connector type; left out: ldap for a URL of a directory, else sql.")
    ] = None,
    url: Annotated[str | None, typer.Option(help="URL of the database or directory, without a password.")] = None,
    table: Annotated[
        str | None, typer.Option(help="Table or view that holds the people; in a directory, their class.")
    ] = None,
    anchor: Annotated[
        list[str] | None,
        typer.Option(help="Column that identifies a row for life; left out: the primary key, or the directory's id."),
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

        isthmus connector add

        isthmus connector add hr --url sqlite:////srv/hr.db --table Employees --disable Disabled=true --delete delete

        isthmus connector add hr --url postgresql://me@db/hr --table people --password --disable nothing --delete delete
    """
    from isthmus.config.editing import add_connector
    from isthmus.engine.operations import note
    from isthmus.wizard import adding, rules

    if anchor and table is None:
        raise typer.BadParameter("--anchor needs --table: the table whose rows it identifies")
    current = session(context)
    configuration = current.configuration()
    if name is None:
        if not at_terminal():
            missing("NAME")
        name = until_right(lambda: adding.check_name(configuration, typer.prompt("Name of the connector").strip()))
    name = adding.check_name(configuration, name)
    if type is not None:
        adding.check_type(type)
    refuse_secret_in(url)
    answers = adding.Answers(
        name=name,
        type=type or adding.type_of(url or ""),
        url=url,
        table=table,
        anchor=tuple(anchor or ()),
        matching=tuple(matching or ()),
        settings=adding.parse_settings(setting or []),
    )
    with current.host() as host, ExitStack() as kept:
        draft = reach(configuration, answers, kept, type_given=type is not None, password=ask_password)
        for remark in draft.notes:
            typer.echo(f"note: {printable(remark)}", err=True)
        document = adding.complete(draft, **deprovisioning(draft, disable, delete))
        assert draft.object_type is not None
        notes = [*draft.notes, *(later := rules.lasting(document, draft.object_type, name))]
        for remark in later:
            typer.echo(f"note: {printable(remark)}", err=True)
        path = add_connector(configuration, name, document)
        note(host, "add connector", actor=operator(), connector=name, message=str(path))
    if json:
        write_json({"path": path, "notes": notes, "document": document})
        return
    typer.echo(f"made {path}")
    for flow, attribute in sorted(draft.definition.flows.items()):
        typer.echo(f"  {flow} <-> {printable(attribute.attribute)}")
    typer.echo(f"  found before a create by: {printable(draft.definition.matching) or 'nothing'}")
    if draft.groups is not None:
        typer.echo(f"and {printable(draft.groups.object_type)} as groups")
        for flow, attribute in sorted(draft.groups.flows.items()):
            typer.echo(f"  {flow} <-> {printable(attribute.attribute)}")
    command = current.command
    typer.echo(f"Next: {command} connector test {name}, {command} token create {name}, {command} serve")


def reach(
    configuration: Configuration, answers: Answers, kept: ExitStack, *, type_given: bool, password: bool
) -> Draft:
    """Return what the target has. What is missing is asked for, again while the target refuses it.

    `kept` takes the stored password along; it is removed if nothing comes of the connector.
    """
    from isthmus.config.errors import ConfigError
    from isthmus.spi import ConnectorError
    from isthmus.wizard import adding

    needed = adding.wants_url(answers)
    if needed and not at_terminal():
        missing("--url")
    if needed:
        example = "postgresql://isthmus@db.example.org/hr, sqlite:////srv/hr.db, ldap://directory.example.org"
        typer.echo(f"Where is the target? For example {example}")
    asked = answers
    while True:
        if at_terminal():
            asked = ask_where(answers, asked, url=needed, type_given=type_given)
        try:
            with ExitStack() as attempt:
                known = attempt.enter_context(stored_password(configuration, asked, wanted=password))
                draft = discover(configuration, known)
                kept.push(attempt.pop_all())
                return draft
        except (ConfigError, ConnectorError) as exc:
            if not needed or answers.table is not None:
                raise
            text = printable(exc.message if isinstance(exc, ConnectorError) else exc)
            typer.secho(text, err=True, fg="red")
            if "tls_ca" in text:
                file = ask("PEM file of the authority", "--set tls_ca=FILE")
                asked = replace(asked, settings={**asked.settings, "tls_ca": file})


def ask_where(given: Answers, before: Answers, *, url: bool, type_given: bool) -> Answers:
    """Return what was given with the target's URL and account; what was said before is offered again."""
    from isthmus.wizard.adding import type_of, wants_account

    answers = given
    if url:
        text = until_right(lambda: without_secret(ask("URL, without a password", "--url", before.url)))
        answers = replace(answers, url=text, type=answers.type if type_given else type_of(text))
    settings = {name: before.settings[name] for name in ("tls_ca",) if name in before.settings}
    if wants_account(answers):
        account = before.settings.get("user")
        settings["user"] = ask("DN of the connector's account", "--set user=DN", account)
    return replace(answers, settings={**settings, **answers.settings})


@contextmanager
def stored_password(configuration: Configuration, answers: Answers, *, wanted: bool) -> Iterator[Answers]:
    """Keep the password, if one is given, under the connector's name; what was there before if nothing comes of it."""
    from isthmus.config.secrets import Secrets
    from isthmus.wizard.adding import with_password

    prompt = f"Password of {answers.name}"
    given = None
    if wanted:
        given = read_secret(prompt)
    elif at_terminal() and "password" not in answers.settings and has_account(answers):
        from isthmus.spi import Secret

        given = Secret(typer.prompt(f"{prompt} (empty: none)", hide_input=True, default="", show_default=False))
    if not given:
        if wanted:
            raise Refused("the password is empty; give it by standard input, or leave --password out")
        yield answers
        return
    secrets = Secrets(configuration)
    secret_name = f"{answers.name}.password"
    reference = {"secret": secret_name}
    before = secrets.resolve(reference) if secret_name in secrets.names() else None
    secrets.set(secret_name, given)
    try:
        yield with_password(answers, secret_name)
    except BaseException:
        if before is None:
            secrets.remove(secret_name)
        else:
            secrets.set(secret_name, before)  # other connectors may use it
        raise


def has_account(answers: Answers) -> bool:
    """Tell whether the target is told who we are, so that a password belongs to it."""
    try:
        return bool(urlsplit(answers.url or "").username) or "user" in answers.settings
    except ValueError:
        return False  # what is wrong with the URL is told by the connector


def discover(configuration: Configuration, answers: Answers) -> Draft:
    """Return what the target has, once one table is chosen."""
    from isthmus.spi import MisconfiguredConnector
    from isthmus.wizard import adding

    try:
        draft = adding.discover(configuration, answers)
    except MisconfiguredConnector as exc:
        if answers.table is not None and not answers.anchor and "'anchor'" in exc.message:
            raise Refused(f"{exc.message} (--anchor COLUMN)") from exc
        raise
    if draft.object_type is not None:
        return draft
    tables = ", ".join(draft.choices) + (f" ({draft.reason})" if draft.reason else "")
    if not at_terminal():
        missing("--table", f"the target has {tables}")
    typer.echo(f"The target has these {answers.kinds}: {printable(tables)}")
    question = "Table that holds the people" if answers.type == "sql" else "Class of the entries that are people"
    return until_right(lambda: adding.choose(draft, ask(question, "--table")))


class Meaning(TypedDict):
    disable: str | None
    delete: str


def deprovisioning(draft: Draft, disable: str | None, delete: str | None) -> Meaning:
    """Return what disable and delete mean. Neither is guessed: the wrong guess deletes people, or does not."""
    from isthmus.wizard import rules

    assert draft.object_type is not None
    object_type = draft.object_type
    switches = printable(draft.switches())
    forms = "nothing, delete, or ATTRIBUTE=VALUE" + (f" (ATTRIBUTE may be: {switches})" if switches else "")
    lacking = ["--disable"] if draft.disables and disable is None else []
    lacking += ["--delete"] if delete is None else []
    if lacking and not at_terminal():
        raise typer.BadParameter(f"give {' and '.join(lacking)}: what active=false and DELETE shall do: {forms}")
    if lacking:
        typer.echo(f"An identity provider disables people and deletes them. Either can do: {forms}")

    def answer(question: str, option: str) -> str:
        text = ask(question, option)
        rules.deprovisioning(text, object_type)
        return text

    if "--disable" in lacking:
        disable = until_right(partial(answer, "What shall active=false do", "--disable"))
    if delete is None:
        delete = until_right(partial(answer, "What shall DELETE do", "--delete"))
    return {"disable": disable, "delete": delete}


def at_terminal() -> bool:
    """Tell whether somebody can be asked."""
    return sys.stdin.isatty()


def ask(prompt: str, option: str, before: str | None = None) -> str:
    """Ask at a terminal; the option is what a script would give, `before` what an empty answer means."""
    return str(typer.prompt(f"{prompt} ({option})", default=before)).strip()


def until_right(step: Callable[[], T]) -> T:
    """Return what a step returns, asked again while the answer is not right."""
    from isthmus.config.errors import ConfigError

    while True:
        try:
            return step()
        except ConfigError as exc:
            typer.secho(printable(str(exc)), err=True, fg="red")


def missing(option: str, why: str = "") -> NoReturn:
    """Say which option is missing where nobody can be asked."""
    raise typer.BadParameter(f"{option} is missing" + (f": {why}" if why else ""))


def without_secret(url: str) -> str:
    """Return the URL that was asked for; a password is asked for by itself, without echo."""
    from isthmus.config.errors import ConfigError

    try:
        refuse_secret_in(url)
    except Refused as exc:
        raise ConfigError("leave the password out of the URL; it is asked for next, and kept encrypted") from exc
    return url


def refuse_secret_in(url: str | None) -> None:
    """Refuse a password on the command line: other accounts can read it there, and the shell keeps it."""
    try:
        password = urlsplit(url or "").password
    except ValueError:
        return  # what is wrong with the URL is told by the connector
    if password:
        raise Refused(
            "the URL holds a password, which other accounts can read from the list of processes; change it, "
            "leave it out of --url, and give --password: it is asked for, or read from standard input"
        )
