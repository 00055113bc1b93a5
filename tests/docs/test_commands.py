"""Every `console` block of every page, run in order in an empty folder, as a reader would."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
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
isthmus() {
  if [ "${*: -1}" != serve ]; then command isthmus "$@"; return; fi
  # Readers are not root; where tests are, serving has to be allowed. exec: the job is the server and can be stopped.
  if [ "$(id -u)" = 0 ]; then set -- "$@" --allow-root; fi
  exec "$(type -P isthmus)" "$@"
}
wait_until_ready() {
  for _ in $(seq 300); do
    if curl --silent --fail http://127.0.0.1:8587/readyz >/dev/null; then return 0; fi
    kill -0 "$server" 2>/dev/null || { echo "=== the server ended:" >&2; cat serve.log >&2; return 1; }
    sleep 0.1
  done
  echo "=== the server was not ready in time:" >&2; cat serve.log >&2; return 1
}
"""


def script(page: Page, outputs: Path) -> str:
    """Return one script for the page: what one block changes (folder, variables, files), the next one sees.

    What command N prints goes to the file `N` in `outputs`.
    """
    lines = [_PROLOGUE]
    number = 0
    for block in page.blocks():
        if block.tag != "console":
            continue
        for command in block.commands():
            lines.append(f"echo {shlex.quote(f'=== {page.name}:{block.line}: {command.text}')} >&2")
            if block.role == "serve":
                lines.append(f"stop_server; {{ {command.text}; }} >serve.log 2>&1 & server=$!; wait_until_ready")
            else:
                lines.append(f"{{ {command.text}\n}} >{shlex.quote(str(outputs / str(number)))}")
            number += 1
    return "\n".join(lines) + "\n"


def broken_promises(page: Page, outputs: Path) -> list[str]:
    """Return what a page shows as output and did not come."""
    commands = [command for block in page.blocks() if block.tag == "console" for command in block.commands()]
    broken = []
    for number, command in enumerate(commands):
        if command.output:
            found = (outputs / str(number)).read_text()
            if not command.promises(found):
                broken.append(f"$ {command.text}\nshown: {command.output}\nfound: {found}")
    return broken


def missing() -> str:
    tools = [tool for tool in TOOLS if not shutil.which(tool)]
    if tools:
        return f"not installed: {', '.join(tools)}"
    if ports := stays_taken():
        return f"ports that the documentation uses are taken on this machine: {ports}"
    return ""


def stays_taken() -> list[int]:
    """Return ports that the documentation uses and that somebody keeps; a server that ends does so for a moment."""
    deadline = time.monotonic() + 30
    while (ports := taken_ports()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return ports


def taken_ports() -> list[int]:
    taken = []
    for port in PORTS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                taken.append(port)
    return taken


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
    home, folder, outputs = tmp_path / "home", tmp_path / "folder", tmp_path / "outputs"
    for each in (home, folder, outputs):
        each.mkdir()
    ran = subprocess.run(
        ["bash", "-c", script(page, outputs)],
        cwd=folder,
        env=environment(home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
    )
    printed = "\n".join(
        path.read_text()[-2000:] for path in sorted(outputs.iterdir(), key=lambda path: int(path.name))[-2:]
    )
    assert ran.returncode == 0, f"{ran.stderr[-4000:]}\n{printed}"
    assert broken_promises(page, outputs) == []
    assert not stays_taken(), "a server of this page was left behind"


def test_a_failing_command_fails_the_page(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("# Page\n\n```console\n$ true\n$ false\n$ touch reached\n```\n")
    ran = subprocess.run(
        ["bash", "-c", script(Page(path), tmp_path)], cwd=tmp_path, capture_output=True, text=True, timeout=10
    )
    assert ran.returncode != 0
    assert "false" in ran.stderr
    assert not (tmp_path / "reached").exists()


def test_output_that_is_shown_must_come(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("# Page\n\n```console\n$ echo one two three\none...three\n$ echo four\nfive\n```\n")
    page = Page(path)
    subprocess.run(["bash", "-c", script(page, tmp_path)], cwd=tmp_path, check=True, capture_output=True, timeout=10)
    assert len(broken_promises(page, tmp_path)) == 1
    assert "five" in broken_promises(page, tmp_path)[0]
