from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from isthmus.config.emitting import toml_text
from isthmus.config.errors import KeyPath
from isthmus.config.lines import key_lines

TRICKY = '''\
# a comment with [brackets] and "quotes"
top = "text with # and ] in it" # behind
long = """
first = 1
"quoted" \\""" still inside
[not.a.table]"""""
raw = \'\'\'
x = [1,
\'\'\'
dotted.inner."with.dot" = 1
list = [
  1, # one
  { a = 1, b = [2,
    3] },
  "]",
]
when = 1979-05-27 07:32:00
"key with \\" quote" = true
[ table . "sub table" ]
inner = { x = 1, y.z = 2 }
[[rows]]
a = 1
[rows.flows]
'name[x eq "y"]' = 1
[[rows]]

b = 2
[[rows.deep]]
c = 3
'''


def test_lines_of_everything_toml_allows() -> None:
    lines = key_lines(TRICKY)
    expected: dict[KeyPath, int] = {
        ("top",): 2,
        ("long",): 3,
        ("raw",): 7,
        ("dotted",): 10,
        ("dotted", "inner", "with.dot"): 10,
        ("list",): 11,
        ("list", 0): 12,
        ("list", 1): 13,
        ("list", 1, "a"): 13,
        ("list", 1, "b", 1): 14,
        ("list", 2): 15,
        ("when",): 17,
        ('key with " quote',): 18,
        ("table",): 19,
        ("table", "sub table"): 19,
        ("table", "sub table", "inner", "y", "z"): 20,
        ("rows",): 21,
        ("rows", 0): 21,
        ("rows", 0, "a"): 22,
        ("rows", 0, "flows"): 23,
        ("rows", 0, "flows", 'name[x eq "y"]'): 24,
        ("rows", 1): 25,
        ("rows", 1, "b"): 27,
        ("rows", 1, "deep", 0, "c"): 29,
    }
    assert {path: lines.get(path) for path in expected} == expected


def test_windows_line_ends_count_once() -> None:
    assert key_lines("a = 1\r\nb = 2\r\n\r\n[c]\r\nd = 3") == {("a",): 1, ("b",): 2, ("c",): 4, ("c", "d"): 5}


_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_scalars = st.one_of(_texts, st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False))
documents = st.dictionaries(
    _texts,
    st.recursive(
        _scalars,
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_texts, inner, max_size=3)),
        max_leaves=12,
    ),
    max_size=5,
)


def paths(value: Any, path: KeyPath = ()) -> list[KeyPath]:
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, element in items:
        found += paths(element, (*path, key))
    return found


@given(documents)
def test_every_key_of_any_document_has_a_line(document: dict[str, Any]) -> None:
    text = toml_text(document)
    assert tomllib.loads(text) == document
    lines = key_lines(text)
    assert set(lines) == set(paths(document))
    assert all(1 <= line <= text.count("\n") for line in lines.values())
