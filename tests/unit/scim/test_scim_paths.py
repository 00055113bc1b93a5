"""Attribute notation (RFC 7644 3.10) and PATCH paths (3.5.2)."""

from __future__ import annotations

import pytest

from isthmus.scim.errors import InvalidPath
from isthmus.scim.filter import MAX_PATH, parse_path
from isthmus.scim.notation import parse_attribute_path
from isthmus.scim.syntax import And, AttributePath, Comparison, PatchPath

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
OWN = "urn:ietf:params:scim:schemas:extension:ECMA2Host:2.0:User"
WORK = Comparison(AttributePath("type"), "eq", "work")

PATHS = [
    ("members", PatchPath(AttributePath("members"))),
    ("name.familyName", PatchPath(AttributePath("name", "familyName"))),
    ('addresses[type eq "work"]', PatchPath(AttributePath("addresses"), WORK)),
    ('addresses[type eq "work"].streetAddress', PatchPath(AttributePath("addresses"), WORK, "streetAddress")),
    (
        'emails[type eq "work" and value ew "example.com"]',
        PatchPath(AttributePath("emails"), And((WORK, Comparison(AttributePath("value"), "ew", "example.com")))),
    ),
    ("members.$ref", PatchPath(AttributePath("members", "$ref"))),
    (f"{ENTERPRISE}:department", PatchPath(AttributePath("department", None, ENTERPRISE))),
    (f"{ENTERPRISE}:manager.value", PatchPath(AttributePath("manager", "value", ENTERPRISE))),
    (
        'urn:x:ext:1.0:emails[type eq "work"].value',
        PatchPath(AttributePath("emails", None, "urn:x:ext:1.0"), WORK, "value"),
    ),
    (ENTERPRISE, PatchPath(AttributePath("User", None, ENTERPRISE.rpartition(":")[0]))),
    ("urn:example:ext:2.0", PatchPath(AttributePath("2.0", None, "urn:example:ext"))),
    (f"{OWN}:-dn-", PatchPath(AttributePath("-dn-", None, OWN))),
    (f"{OWN}:First Name", PatchPath(AttributePath("First Name", None, OWN))),
    (f'{OWN}:say "hi" [now', PatchPath(AttributePath('say "hi" [now', None, OWN))),
    (f"{OWN}:a.b", PatchPath(AttributePath("a", "b", OWN))),
    (f"{OWN}:.", PatchPath(AttributePath(".", None, OWN))),
    (f"{OWN}:a:b", PatchPath(AttributePath("a:b", None, OWN))),
    ("or", PatchPath(AttributePath("or"))),
    (" displayName ", PatchPath(AttributePath("displayName"))),
]


@pytest.mark.parametrize(("text", "parsed"), PATHS, ids=[text for text, _ in PATHS])
def test_paths(text: str, parsed: PatchPath) -> None:
    assert parse_path(text) == parsed


@pytest.mark.parametrize("text", [text.strip() for text, parsed in PATHS if parsed.filter is None])
def test_the_text_of_a_path_is_what_was_written(text: str) -> None:
    assert str(parse_path(text).path) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "/displayName",
        "a.b.c",
        ".a",
        "a.",
        "a b",
        "emails[",
        "emails[]",
        'emails[type eq "work"',
        'emails[type eq "work"]x',
        'emails[type eq "work"].',
        'emails[type eq "work"].a.b',
        "emails[type]",
        "name.x[a pr]",
        "[a pr]",
        '"a"',
        "1a",
        "*",
        "a[b pr][c pr]",
        'emails.type eq "work"',
        "urn:",
        "urn::a",
        "a[b pr].c[d pr]",
        "not (a)",
        "a\ud800",
        "x" * (MAX_PATH + 1),
        "a" * 2000,
        OWN + ":a b" + "c" * 2000,
    ],
)
def test_a_broken_path_is_refused(text: str) -> None:
    with pytest.raises(InvalidPath) as caught:
        parse_path(text)
    assert (caught.value.status, caught.value.scim_type) == (400, "invalidPath")


def test_attribute_notation_takes_no_value_path() -> None:
    assert parse_attribute_path("name.givenName") == AttributePath("name", "givenName")
    with pytest.raises(ValueError, match="not an attribute name"):
        parse_attribute_path('emails[type eq "work"]')
