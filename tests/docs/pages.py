"""The documentation as data: pages, fenced blocks, headings, links."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_FENCE = re.compile(r"^(?P<indent> *)```(?P<tag>[^\n`]*)$")
_NOT_RUN = re.compile(r"<!-- not run: \S.* -->")


@dataclass(frozen=True, slots=True)
class Command:
    """`output` is what the page shows of it; empty: nothing is promised. `...` stands for anything."""

    text: str
    output: str

    def promises(self, found: str) -> bool:
        """Tell whether the output found is what the page shows."""
        pattern = ".*".join(re.escape(part) for part in self.output.split("..."))
        return not self.output or re.fullmatch(pattern, found.strip(), re.DOTALL) is not None


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block. `tag` is the language, `role` what follows it (`serve`), `reason` why it is not run."""

    line: int
    tag: str
    role: str
    text: str
    reason: str

    def commands(self) -> list[Command]:
        """Return the commands of a console block: `$ ` begins one, `> ` goes on with it, other lines are its output."""
        texts: list[tuple[list[str], list[str]]] = []
        for line in self.text.splitlines():
            if line.startswith("$ "):
                texts.append(([line[2:]], []))
            elif not texts:
                raise AssertionError(f"line {self.line}: a console block begins with a command")
            elif line.startswith(">") and not texts[-1][1]:
                texts[-1][0].append(line[2:])
            else:
                texts[-1][1].append(line)
        return [Command("\n".join(text), "\n".join(output).strip()) for text, output in texts]


@dataclass(frozen=True, slots=True)
class Page:
    path: Path

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT)) if self.path.is_relative_to(ROOT) else self.path.name

    @property
    def text(self) -> str:
        return self.path.read_text()

    def blocks(self) -> list[Block]:
        found = []
        lines = self.text.splitlines()
        start: tuple[int, str, str] | None = None
        body: list[str] = []
        for number, line in enumerate(lines, 1):
            fence = _FENCE.match(line)
            if start is None and fence:
                start = (number, fence["tag"].strip(), fence["indent"])
                body = []
            elif start is not None and line.strip() == "```":
                tag, _, role = start[1].partition(" ")
                above = lines[start[0] - 2] if start[0] > 1 else ""
                reason = above.strip() if _NOT_RUN.fullmatch(above.strip()) else ""
                found.append(Block(start[0], tag, role, "\n".join(body), reason))
                start = None
            elif start is not None:
                body.append(line.removeprefix(start[2]))
        if start is not None:
            raise AssertionError(f"{self.name}:{start[0]}: the block is not closed")
        return found

    def prose(self) -> str:
        """Return the text without fenced blocks and code spans."""
        without = re.sub(r"^ *```.*?^ *```$", "", self.text, flags=re.MULTILINE | re.DOTALL)
        return re.sub(r"`[^`\n]*`", "", without)

    def links(self) -> list[str]:
        return re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", self.prose())

    def anchors(self) -> set[str]:
        """Return the anchors of the headings, as repository hosts make them."""
        without = re.sub(r"^ *```.*?^ *```$", "", self.text, flags=re.MULTILINE | re.DOTALL)
        titles = re.findall(r"^#{1,6} +(.+?) *$", without, re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def all_pages() -> list[Page]:
    paths = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return [Page(path) for path in sorted(paths)]
