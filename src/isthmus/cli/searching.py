"""`isthmus search`."""

from __future__ import annotations

import time
import uuid
from typing import Annotated, Any

import typer

from isthmus.cli.faults import Refused
from isthmus.cli.output import table, write_json
from isthmus.cli.session import Json, Name, existing, operator, session


def search(
    context: typer.Context,
    name: Name,
    filter: Annotated[
        str | None, typer.Argument(help="A SCIM filter; left out: everybody.", show_default=False)
    ] = None,
    endpoint: Annotated[str, typer.Option(help="Resource type to search.")] = "Users",
    count: Annotated[int, typer.Option(min=0, max=1000, help="How many results at most.")] = 20,
    start: Annotated[int, typer.Option(min=1, max=10**18, help="Index of the first result.")] = 1,
    json: Json = False,
) -> None:
    """Search as an identity provider does: in the connector space, and in the target where nobody matches.

    Examples:

        isthmus search hr 'userName eq "b.simon@contoso.com"'

        isthmus search hr 'name.familyName sw "Sim"' --json
    """
    import orjson

    from isthmus.config.errors import nearest
    from isthmus.engine.caller import Caller

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
            known = [one.endpoint for one in types.values()]
            raise Refused(f"{connector} has no resource type {endpoint}; {nearest(endpoint, known, what='types')}")
        answer = orjson.loads(found.list(rt, filter=filter, start=start, count=count, projection=None, caller=caller))
    if json:
        write_json(answer)
        return
    rows = [
        (one["id"], name_of(one), one.get("active"), one["meta"]["lastModified"]) for one in answer.get("Resources", ())
    ]
    table(
        ("id", "name", "active", "changed"),
        rows,
        empty="nobody is shown" if answer["totalResults"] else "nobody matches",
    )
    typer.echo(f"{len(rows)} of {answer['totalResults']}")


def name_of(resource: dict[str, Any]) -> Any:
    """Return what people know a resource by; without core attributes, the name that the target refers to it by."""
    named = resource.get("userName") or resource.get("displayName")
    extensions = (values for schema, values in resource.items() if ":ECMA2Host:" in schema)
    return named or next((values.get("-dn-") for values in extensions), None)
