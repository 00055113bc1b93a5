"""What to try once the demo runs."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from rich.console import Console


def show_next_steps(
    console: Console, *, base: str, ca: Path, token_file: Path, operations_port: int, login: str
) -> None:
    """Print curl commands against the running demo and the commands for a database of one's own."""
    curl = f'curl --cacert {_short(ca)} -H "Authorization: Bearer $(cat {_short(token_file)})"'
    console.print("\nIt stays up until Ctrl-C. Try, in another terminal:", style="bold")
    for text in (
        f"{curl} '{base}/Users?count=2'",
        f"{curl} -G '{base}/Users' --data-urlencode 'filter=userName eq \"{login}\"'",
        f"{curl} '{base}/ServiceProviderConfig'",
        f"curl http://127.0.0.1:{operations_port}/healthz",
    ):
        console.print(f"  {text}", markup=False, soft_wrap=True)
    console.print("\nYour own database, in four commands:", style="bold")
    for text in own_database_commands():
        console.print(f"  {text}", markup=False, soft_wrap=True)


def own_database_commands() -> tuple[str, ...]:
    """Return the commands that the demo and the documentation show."""
    return (
        "isthmus init",
        "isthmus connector add people --url postgresql://USER@HOST/DATABASE --table TABLE --password",
        "isthmus doctor",
        "isthmus token create people",
    )


def _short(path: Path) -> str:
    relative = os.path.relpath(path)
    return shlex.quote(relative if not relative.startswith("..") else str(path))
