"""Every page: links lead somewhere, every block says whether it is run, every page can be found."""

from __future__ import annotations

import re

import pytest

from docs.pages import ROOT, Page, all_pages

PAGES = all_pages()
SHELLS = {"sh", "bash", "shell", "powershell", "bat", "cmd"}
KNOWN = {"console", "toml", "json", "python", "mermaid", "text", "sql", "http", "ini", "xml", "promql", "yaml", "diff"}
KINDS = {"tutorial", "how-to", "explanation", "reference", "decisions"}

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def test_there_are_pages() -> None:
    assert len(PAGES) > 20


@each_page
def test_links_lead_somewhere(page: Page) -> None:
    broken = []
    for link in page.links():
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.path.parent / path).resolve() if path else page.path
        known = target.suffix != ".md" or not anchor or (target.exists() and anchor in Page(target).anchors())
        if not (target.exists() and known):
            broken.append(link)
    assert broken == []


@each_page
def test_no_merge_was_left_half_done(page: Page) -> None:
    assert re.findall(r"^(?:<{7}|>{7}|={7})(?: .*)?$", page.text, re.MULTILINE) == []


@each_page
def test_every_block_is_run_or_says_why_not(page: Page) -> None:
    poor = []
    for block in page.blocks():
        where = f"{page.name}:{block.line}"
        if block.tag in SHELLS:
            if not block.reason:
                poor.append(f"{where}: commands that are not run need `<!-- not run: reason -->` in the line above")
        elif block.tag not in KNOWN:
            poor.append(f"{where}: unknown language {block.tag!r}")
        elif block.tag == "console" and not block.commands():
            poor.append(f"{where}: a console block without a command (`$ `)")
    assert poor == []


@each_page
def test_every_page_is_one_of_four_kinds_and_has_one_title(page: Page) -> None:
    without_code = re.sub(r"^ *```.*?^ *```$", "", page.text, flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^# .+$", without_code, re.MULTILINE)
    assert len(titles) == 1
    if page.path.is_relative_to(ROOT / "docs") and page.path.parent != ROOT / "docs":
        assert page.path.parent.name in KINDS


def test_every_page_can_be_found_from_the_index() -> None:
    seen = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        path = waiting.pop()
        if path in seen or path.suffix != ".md" or not path.exists():
            continue
        seen.add(path)
        inside = [link.partition("#")[0] for link in Page(path).links() if not re.match(r"[a-z]+:", link)]
        waiting += [(path.parent / link).resolve() for link in inside]
    assert {page.name for page in PAGES if page.path not in seen} == set()


def test_glossary_is_in_alphabetical_order() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text()
    terms = re.findall(r"^\| ([^|]+?) \|", text, re.MULTILINE)[2:]
    assert len(terms) > 20
    assert terms == sorted(terms)
