"""Our parser of filters and paths against the one of scim2-models, an independent implementation of the same grammar.

Where the two differ on purpose is written in `DIFFERENCES`, with the reason; everything else must agree, tree for tree.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scim2_models import Path, ScimFilter
from scim2_models.exceptions import InvalidFilterException, InvalidPathException
from scim2_models.path import expressions as theirs

from drawing import examples
from isthmus.scim.errors import InvalidFilter, InvalidPath
from isthmus.scim.filter import parse_filter, parse_path
from isthmus.scim.grammar import OPERATORS
from isthmus.scim.syntax import And, AttributePath, Comparison, Filter, Not, Or, PatchPath, Presence, ValueFilter

_RESERVED = {*OPERATORS, "pr", "and", "or", "not"}
_NAME = re.compile(r"\$?[A-Za-z][A-Za-z0-9$_-]*")
_URN = re.compile(r"(?i)urn:[a-z0-9][a-z0-9._-]*(:[a-z0-9][a-z0-9._-]*)+")
_JSON_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9A-Fa-f]{4})*"')

Tree = Filter | PatchPath | None

# What only one side accepts: the reason, and a test of the tree that this side made (and of the text).
DIFFERENCES: dict[str, tuple[str, Callable[[Tree, str], bool]]] = {
    "wide names": (
        "directories and databases have names with `;`, a leading `-` or `_`, letters outside ASCII (not RFC 7643 2.1)",
        lambda tree, _: any(
            _NAME.fullmatch(name) is None
            for path in paths_in(tree)
            for name in (path.name, path.sub)
            if name is not None
        ),
    ),
    "wide URNs": (
        "RFC 8141 2 allows more characters; and a URN alone, which Entra's PATCH has as a key, is split as well",
        lambda tree, _: any(path.urn is not None and _URN.fullmatch(path.urn) is None for path in paths_in(tree)),
    ),
    "bare values": (
        "Entra's documentation has `externalId eq jyoung`; RFC 7644 3.4.2.2 wants JSON values",
        lambda tree, _: any(each.text is not None and isinstance(each.value, str) for each in comparisons_in(tree)),
    ),
    "escapes": (
        "control characters and a backslash that starts no JSON escape stand for themselves; RFC 8259 7 refuses both",
        lambda _, text: any(_JSON_STRING.fullmatch(each) is None for each in strings_in(text)),
    ),
    "surrogates": (
        "half a surrogate pair is JSON (RFC 8259 8.2) but has no UTF-8 form (RFC 3629 3), so no value can equal it",
        lambda tree, _: any(isinstance(each.value, str) and not encodable(each.value) for each in comparisons_in(tree)),
    ),
    "keywords as names": (
        "in a filter a keyword where a name should stand is refused as a slip; RFC 7644 reserves none",
        lambda tree, _: any(path.urn is None and path.name.lower() in _RESERVED for path in paths_in(tree)),
    ),
    "number and keyword in one word": (
        "RFC 7644 figure 1 has a blank before `and` and `or`; without it `1and` is a bare value here",
        lambda _, text: re.search(r"(?i)\d(and|or)\b", text) is not None,
    ),
    "blank after a dot": (
        "RFC 7644 figure 1 has no blank between a dot and the sub-attribute",
        lambda _, text: re.search(r"\]\s*\.\s", text) is not None,
    ),
}
_OURS_ALONE = frozenset({"wide names", "wide URNs", "bare values", "escapes"})


def paths_in(tree: Tree) -> list[AttributePath]:
    match tree:
        case Comparison() | Presence():
            return [tree.path]
        case ValueFilter() | PatchPath():
            sub = getattr(tree, "sub", None)
            return [tree.path, *paths_in(tree.filter), *([AttributePath(sub)] if sub else [])]
        case And() | Or():
            return [path for part in tree.parts for path in paths_in(part)]
        case Not():
            return paths_in(tree.part)
    return []


def comparisons_in(tree: Tree) -> list[Comparison]:
    match tree:
        case Comparison():
            return [tree]
        case ValueFilter() | PatchPath():
            return comparisons_in(tree.filter)
        case And() | Or():
            return [each for part in tree.parts for each in comparisons_in(part)]
        case Not():
            return comparisons_in(tree.part)
    return []


def strings_in(text: str) -> list[str]:
    return re.findall(r'"(?:[^"\\]|\\.)*"', text, flags=re.DOTALL)


def encodable(text: str) -> bool:
    return text.encode("utf-8", "replace").decode() == text


def reasons(ours: Tree, other: Tree, text: str) -> set[str]:
    """Return what explains that one side alone accepts the text; if both do, nothing excuses different trees."""
    if ours is not None and other is not None:
        return set()
    considered = _OURS_ALONE if other is None else DIFFERENCES.keys() - _OURS_ALONE
    return {name for name in considered if DIFFERENCES[name][1](ours or other, text)}


def converted(node: object) -> Filter:
    """Return our tree for one of theirs."""
    match node:
        case theirs.Comparison():
            return Comparison(converted_path(node.attr_path), OPERATORS[node.op.value], node.value)
        case theirs.Present():
            return Presence(converted_path(node.attr_path))
        case theirs.Not():
            return Not(converted(node.expr))
        case theirs.LogicalExpr():
            parts = tuple(converted(term) for term in node.terms)
            return And(parts) if node.op.value == "and" else Or(parts)
        case theirs.ValuePath():
            assert node.sub_attr is None
            return ValueFilter(converted_path(node.attr_path), converted(node.val_filter))
    raise AssertionError(node)


def converted_path(path: theirs.AttrPath) -> AttributePath:
    return AttributePath(path.attr, path.sub_attr, path.uri)


def their_filter(text: str) -> Filter | None:
    try:
        return converted(ScimFilter(text).ast)
    except (InvalidFilterException, ValueError):
        return None


def our_filter(text: str) -> Filter | None:
    try:
        return parse_filter(text)
    except InvalidFilter:
        return None


def their_path(text: str) -> PatchPath | None:
    try:
        node = Path(text).ast
    except (InvalidPathException, ValueError):
        return None
    if isinstance(node, theirs.AttrPath):
        return PatchPath(converted_path(node))
    if isinstance(node, theirs.ValuePath):
        return PatchPath(converted_path(node.attr_path), converted(node.val_filter), node.sub_attr)
    return None


def our_path(text: str) -> PatchPath | None:
    try:
        return parse_path(text)
    except InvalidPath:
        return None


# --- texts that follow the grammar: the trees must be equal, without any excuse

names = st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,7}", fullmatch=True).filter(lambda name: name.lower() not in _RESERVED)
urns = st.sampled_from(
    [
        "urn:ietf:params:scim:schemas:core:2.0:User",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
        "URN:example:Ext",
    ]
)
plain_paths = st.builds(lambda name, sub: name if sub is None else f"{name}.{sub}", names, st.none() | names)
paths = st.one_of(plain_paths, st.builds(lambda urn, path: f"{urn}:{path}", urns, plain_paths))
blanks = st.sampled_from([" ", "  ", "\t"])


def in_any_case(word: str) -> st.SearchStrategy[str]:
    return st.sampled_from([word, word.upper(), word.capitalize()])


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


values = st.one_of(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12).map(quoted),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6).map(json.dumps),
    st.integers(-(10**20), 10**20).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    in_any_case("true"),
    in_any_case("false"),
    in_any_case("null"),
)
comparisons = st.one_of(
    st.builds(
        lambda p, b, o, v: f"{p}{b}{o}{b}{v}",
        paths,
        blanks,
        st.sampled_from(sorted(OPERATORS)).flatmap(in_any_case),
        values,
    ),
    st.builds(lambda p, b, o: f"{p}{b}{o}", paths, blanks, in_any_case("pr")),
)


def combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds(lambda a, o, b: f"{a} {o} {b}", inner, in_any_case("and") | in_any_case("or"), inner),
        inner.map(lambda text: f"({text})"),
        st.builds(
            lambda keyword, gap, text: f"{keyword}{gap}({text})", in_any_case("not"), st.sampled_from(["", " "]), inner
        ),
    )


inner_filters = st.recursive(comparisons, combined, max_leaves=4)
heads = st.one_of(names, st.builds(lambda urn, name: f"{urn}:{name}", urns, names))
value_paths = st.one_of(
    st.builds(lambda head, inner: f"{head}[{inner}]", heads, inner_filters),
    st.builds(lambda head, inner, sub, v: f"{head}[{inner}].{sub} eq {v}", heads, inner_filters, names, values),
    st.builds(lambda head, inner, sub: f"{head}[{inner}].{sub} pr", heads, inner_filters, names),
)
filters = st.recursive(comparisons | value_paths, combined, max_leaves=8)


@settings(max_examples=examples(150), deadline=None)
@given(filters)
def test_every_filter_of_the_grammar_gives_the_same_tree(text: str) -> None:
    ours = our_filter(text)
    assert ours is not None
    assert ours == their_filter(text)


@settings(max_examples=examples(150), deadline=None)
@given(paths | st.builds(lambda h, i, s: f"{h}[{i}]" + (f".{s}" if s else ""), heads, inner_filters, st.none() | names))
def test_every_path_of_the_grammar_gives_the_same_parts(text: str) -> None:
    ours = our_path(text)
    assert ours is not None
    assert ours == their_path(text)


# --- texts that may follow the grammar or not: both accept or both refuse, unless a difference is excused

fragments = st.sampled_from(
    [
        '"x"',
        '""',
        '"a b"',
        "userName",
        "emails",
        "name.familyName",
        "a",
        "eq",
        "EQ",
        "ne",
        "pr",
        "and",
        "or",
        "not",
        "(",
        ")",
        "[",
        "]",
        ".value",
        ".",
        "true",
        "1",
        "-1.5",
        "null",
        '"',
        "\\",
        ",",
        "]",
    ]
)
scrambled = st.lists(fragments, max_size=9).flatmap(lambda parts: st.sampled_from([" ".join(parts), "".join(parts)]))


@st.composite
def damaged(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> str:
    text = draw(texts)
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, min(len(text), start + 3)))
    return text[:start] + draw(st.sampled_from(["", " ", '"', "(", ")", "[", "]", ".", "x", "1", "and"])) + text[end:]


@settings(max_examples=examples(300), deadline=None)
@given(scrambled | damaged(filters))
@example('emails[type eq "work"')
@example('a eq "x" and')
@example("a eq 1e999")
def test_both_refuse_the_same_filters(text: str) -> None:
    ours, other = our_filter(text), their_filter(text)
    assert ours == other or reasons(ours, other, text), (ours, other)


@settings(max_examples=examples(300), deadline=None)
@given(scrambled | damaged(heads | value_paths))
def test_both_refuse_the_same_paths(text: str) -> None:
    ours, other = our_path(text), their_path(text)
    assert ours == other or reasons(ours, other, text), (ours, other)


# --- each difference is real: an example of it, and who accepts it

OWN = "urn:ietf:params:scim:schemas:extension:ECMA2Host:2.0:User"


@pytest.mark.parametrize(
    ("difference", "text", "we"),
    [
        ("wide names", 'cn;lang-de eq "x"', True),
        ("wide names", '-dn- eq "x"', True),
        ("wide names", f'{OWN}:First Name eq "x"', True),
        ("wide URNs", 'urn:x:a+b:name eq "x"', True),
        ("bare values", "externalId eq jyoung", True),
        ("escapes", r'userName eq "CONTOSO\jyoung"', True),
        ("escapes", 'userName eq "a\x00b"', True),
        ("surrogates", r'userName eq "\ud800"', False),
        ("keywords as names", 'eq eq "x"', False),
        ("number and keyword in one word", "a eq 1and b pr", False),
        ("blank after a dot", "emails[type pr]. value pr", False),
    ],
)
def test_differences(difference: str, text: str, we: bool) -> None:
    ours, other = our_filter(text), their_filter(text)
    assert (ours is not None, other is not None) == (we, not we)
    assert reasons(ours, other, text) == {difference}


def test_every_difference_has_an_example() -> None:
    (mark,) = [mark for mark in test_differences.pytestmark if mark.name == "parametrize"]
    assert {case[0] for case in mark.args[1]} == DIFFERENCES.keys()


def test_a_path_that_is_a_comparison_is_refused() -> None:
    # Erratum 7122 lets a PATCH path be a bare comparison. No client sends one; a value path says the same.
    text = 'emails.type eq "work"'
    assert our_path(text) is None
    assert isinstance(Path(text).ast, theirs.Comparison)
