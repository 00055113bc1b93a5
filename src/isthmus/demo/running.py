"""From nothing to a running host: folder, database, server, walk, and what to try next."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

import sqlalchemy as sa
from rich.console import Console

from isthmus.demo import folder as demo_folder
from isthmus.demo import people as demo_people
from isthmus.demo.client import ScimClient
from isthmus.demo.next_steps import show_next_steps
from isthmus.demo.scenes import FullScene, OneTable, Scene
from isthmus.demo.server import ServerProcess
from isthmus.demo.table import DemoProblem, parse_url
from isthmus.demo.tokens import make_token
from isthmus.spi import Secret


class _Stopped(Exception):
    """The person pressed Ctrl-C, or the system asked the demo to end."""


def run(
    *,
    once: bool = False,
    walk: bool = True,
    port: int = 8585,
    token: Secret | None = None,
    directory: Path | None = None,
    people: int = 1000,
    database: str | None = None,
    full: bool = False,
    console: Console | None = None,
) -> int:
    """Run the demo and return the exit code: 0, or 1 if it could not run or a step differed from what it should be.

    `once` ends after the walk instead of serving on. `port` 0 takes free ports. `database` names a PostgreSQL, MySQL or
    MariaDB database in which the demo makes a table of its own, which it removes at the end. `full`: a
    dozen tables with groups, references and values in child tables, instead of one.
    """
    console = console or _console()
    where = (directory or Path("demo")).absolute()
    with ExitStack() as stack:
        try:
            stack.enter_context(_signals_stop())
            return _run(
                stack,
                console,
                once=once,
                walk=walk,
                port=port,
                token=token,
                where=where,
                count=people,
                url=database,
                scene=FullScene() if full else OneTable(),
            )
        except DemoProblem as problem:
            console.print(str(problem), style="bold red", markup=False)
            return 1
        except _Stopped:
            console.print("\nStopping.", style="dim")
            return 0


def _run(
    stack: ExitStack,
    console: Console,
    *,
    once: bool,
    walk: bool,
    port: int,
    token: Secret | None,
    where: Path,
    count: int,
    url: str | None,
    scene: Scene,
) -> int:
    if count < 1:
        raise DemoProblem("--people must be at least 1")
    ports = demo_folder.choose_ports(port)
    external = None if url is None else parse_url(url)
    demo_folder.clear(where)
    target = external or sa.URL.create("sqlite", database=str(where / f"{scene.connector}.db"))
    scene.open(target)
    stack.callback(scene.close)
    if external is not None:
        # The tables are ours and go with the demo, whatever happens; the server, entered later, stops before.
        stack.callback(scene.drop)
    everyone = demo_people.generate(count)
    scene.create(everyone, own=external is None)
    configuration = demo_folder.write(
        where, ports=ports, database=target, connector=scene.connector, document=scene.document
    )
    secret = make_token(configuration, scene.connector, token)
    token_file = demo_folder.write_token(where, secret.reveal())

    server = ServerProcess(configuration, operations_port=ports.operations)
    stack.callback(server.stop)
    seconds = server.start()
    base_path = f"/ecma2host_{scene.connector}/scim"
    base = f"https://localhost:{ports.scim}{base_path}"
    console.print(f"{scene.summary()} ({target.get_backend_name()}).")
    console.print(f"Isthmus serves them at [bold]{base}[/]; ready {seconds:.1f} s after its start.")

    differences = 0
    if walk:
        client = ScimClient(port=ports.scim, base_path=base_path, token=secret, ca=demo_folder.ca_certificate(where))
        stack.callback(client.close)
        differences = scene.walk(console, client, base=base_path, existing=everyone[0])
        if differences:
            console.print(
                f"\n{differences} thing(s) differed from what they should be; the server's log: {server.log}",
                style="bold red",
            )
        else:
            console.print("\nEvery step was as it should be.", style="bold green")
    if once:
        return 1 if differences else 0
    show_next_steps(
        console,
        base=base,
        ca=demo_folder.ca_certificate(where),
        token_file=token_file,
        operations_port=ports.operations,
        login=everyone[0].login,
    )
    code = server.wait()
    console.print(f"The server ended by itself (exit {code}); its log: {server.log}", style="bold red")
    return 1


def _console() -> Console:
    """Return a console that is not wider than people read; output to a file is as wide as a terminal."""
    console = Console(highlight=False)
    console.width = min(console.width, 120) if console.is_terminal else 110
    return console


@contextmanager
def _signals_stop() -> Iterator[None]:
    """Turn SIGINT and SIGTERM into `_Stopped`, so that everything is taken down in order."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise _Stopped

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
