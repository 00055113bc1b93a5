"""`isthmus search`."""

from __future__ import annotations

import time
import uuid
from typing import Annotated

import orjson
import typer

from isthmus.cli.output import table, write_json
from isthmus.cli.session import Json, Name, existing, operator, session


def search(
    context: typer.Context,
    name: Name,
    filter: Annotated[str | None, typer.Argument(help="A SCIM filter.")] = None,
    endpoint: Annotated[str, typer.Option(help="Resource type to search.")] = "Users",
    count: Annotated[int, typer.Option(min=0, max=1000)] = 20,
    start: Annotated[int, typer.Option(help="Index of the first result.", min=1)] = 1,
    json: Json = False,
) -> None:
    """Search as an identity provider does: in the connector space, and in the target where nobody matches.

    Examples:

        isthmus search hr 'userName eq "b.simon@contoso.com"'

        isthmus search hr 'name.familyName sw "Sim"' --json
    """
    from isthmus.engine.caller import Caller
    from isthmus.scim.errors import NotFound

    with session(context).host() as host:
        connector = existing(host.configuration, name)
        caller = Caller(
            actor=operator(),
            address="",
            correlation=uuid.uuid4().hex,
            deadline=time.monotonic() + host.configuration.host.scim.request_timeout,
            base_url=f"/ecma2host_{connector}/scim",
        )
        found = host.endpoint(connector)
        assert found is not None
        types = found.resource_types()
        rt = types.get(endpoint.casefold())
        if rt is None:
            raise NotFound(f"{connector} has no {endpoint}; it has {', '.join(one.endpoint for one in types.values())}")
        answer = orjson.loads(found.list(rt, filter=filter, start=start, count=count, projection=None, caller=caller))
    if json:
        write_json(answer)
        return
    rows = [
        (one["id"], one.get("userName") or one.get("displayName"), one.get("active"), one["meta"]["lastModified"])
        for one in answer["Resources"]
    ]
    table(("id", "name", "active", "changed"), rows, empty="nobody matches")
    typer.echo(f"{len(rows)} of {answer['totalResults']}")
