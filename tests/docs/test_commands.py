"""Every `console` block of every page, run in order in an empty folder, as a reader would."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from docs.pages import Page, all_pages

PORTS = (8585, 8586, 8587)
"""The documentation shows the defaults, so the defaults are what is run."""
TOOLS = ("bash", "curl", "sqlite3")

PAGES = [page for page in all_pages() if any(block.tag == "console" for block in page.blocks())]

_PROLOGUE = """
set -Eeo pipefail
trap 'echo "=== failed: exit $?" >&2' ERR
server=
stop_server() {
  if [ -z "$server" ]; then return 0; fi
  kill "$server" 2>/dev/null || true
  wait "$server" 2>/dev/null || true
  server=
}
trap stop_server EXIT
wait_until_ready() {
  for _ in $(seq 300); do
    if curl --silent --fail http://127.0.0.1:8587/readyz >/dev/null; then return 0; fi
    kill -0 "$server" 2>/dev/null || { echo "=== the server ended:" >&2; cat serve.log >&2; return 1; }
    sleep 0.1
  done
  echo "=== the server was not ready in time:" >&2; cat serve.log >&2; return 1
}
"""


def script(page: Page) -> str:
    """Return one script for the page: what one block changes (folder, variables, files), the next one sees."""
    lines = [_PROLOGUE]
    for block in page.blocks():
        if block.tag != "console":
            continue
        for command in block.commands():
            lines.append(f"echo {shlex.quote(f'=== {page.name}:{block.line}: {command}')} >&2")
            if block.role == "serve":
                lines.append(f"stop_server; {{ {command}; }} >serve.log 2>&1 & server=$!; wait_until_ready")
            else:
                lines.append(command)
    return "\n".join(lines) + "\n"


def missing() -> str:
    tools = [tool for tool in TOOLS if not shutil.which(tool)]
    if tools:
        return f"not installed: {', '.join(tools)}"
    for port in PORTS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return f"port {port}, which the documentation uses, is taken on this machine"
    return ""


def environment(home: Path) -> dict[str, str]:
    """Return what a reader's shell has once `isthmus` is on its path, and nothing of the test run's own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ISTHMUS_", "PYTEST_", "COV_"))}
    return {
        **kept,
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "NO_COLOR": "1",
        "COLUMNS": "200",
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_of_the_page_work(page: Page, tmp_path: Path) -> None:
    reason = missing()
    if reason:
        if os.environ.get("ISTHMUS_REQUIRE") == "all":
            pytest.fail(reason)
        pytest.skip(reason)
    home = tmp_path / "home"
    folder = tmp_path / "folder"
    home.mkdir()
    folder.mkdir()
    ran = subprocess.run(
        ["bash", "-c", script(page)],
        cwd=folder,
        env=environment(home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert ran.returncode == 0, f"{ran.stdout[-4000:]}\n{ran.stderr[-4000:]}"


def test_a_failing_command_fails_the_page(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("# Page\n\n```console\n$ true\n$ false\n$ touch reached\n```\n")
    ran = subprocess.run(["bash", "-c", script(Page(path))], cwd=tmp_path, capture_output=True, text=True, timeout=10)
    assert ran.returncode != 0
    assert "false" in ran.stderr
    assert not (tmp_path / "reached").exists()
