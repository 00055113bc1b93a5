"""Every SCIM error is the message of RFC 7644 3.12, and the table of keywords is complete."""

from __future__ import annotations

from typing import get_args

import orjson
import pytest

from isthmus.scim import errors, urns
from isthmus.scim.errors import ScimError, ScimType, TooManyRequests, Unauthorized, Unavailable

KINDS = {
    cls
    for cls in vars(errors).values()
    if isinstance(cls, type)
    and issubclass(cls, ScimError)
    and cls is not ScimError
    and not cls.__name__.startswith("_")
}

# RFC 7644 table 9; `sensitive` belongs to 403 (7.5.2), `uniqueness` to 409 (3.3). The last three are of RFC 9865.
KEYWORDS = {
    "invalidFilter": 400,
    "tooMany": 400,
    "uniqueness": 409,
    "mutability": 400,
    "invalidSyntax": 400,
    "invalidPath": 400,
    "noTarget": 400,
    "invalidValue": 400,
    "invalidVers": 400,
    "sensitive": 403,
    "invalidCursor": 400,
    "expiredCursor": 400,
    "invalidCount": 400,
}


def test_every_keyword_has_exactly_one_class_with_its_status() -> None:
    made = {error.scim_type: error.status for error in (cls("x") for cls in KINDS) if error.scim_type is not None}
    assert made == KEYWORDS
    assert set(get_args(ScimType)) == set(KEYWORDS)


def test_every_status_that_is_answered_has_a_class() -> None:
    statuses = {cls("x").status for cls in KINDS}
    assert {400, 401, 403, 404, 405, 409, 412, 413, 415, 429, 500, 501, 503} <= statuses


def test_the_tree_in_the_module_names_every_class() -> None:
    assert errors.__doc__ is not None
    assert [cls.__name__ for cls in KINDS if cls.__name__ not in errors.__doc__] == []


@pytest.mark.parametrize("cls", sorted(KINDS, key=lambda cls: cls.__name__))
def test_body_is_an_error_message_with_the_status_as_a_string(cls: type[ScimError]) -> None:
    error = cls("what to do")
    body = orjson.loads(error.body())
    assert body["schemas"] == [urns.ERROR]
    assert body["status"] == str(error.status)
    assert body["detail"] == "what to do"
    assert body.get("scimType") == error.scim_type
    assert ("scimType" in body) == (error.scim_type is not None)


def test_any_status_can_be_raised_with_its_headers() -> None:
    error = ScimError(409, "busy", scim_type="uniqueness", headers={"X": "y"})
    assert (error.status, error.scim_type, error.headers, str(error)) == (409, "uniqueness", {"X": "y"}, "busy")


def test_headers_of_one_error_are_not_shared_with_another() -> None:
    ScimError(500, "a").headers["X"] = "1"
    assert ScimError(500, "b").headers == {}


@pytest.mark.parametrize("cls", [Unavailable, TooManyRequests])
@pytest.mark.parametrize(("seconds", "shown"), [(0.2, "1"), (30, "30"), (61.4, "61")])
def test_what_may_succeed_later_says_when(cls: type[Unavailable], seconds: float, shown: str) -> None:
    assert cls("later", retry_after=seconds).headers["Retry-After"] == shown


def test_a_missing_token_is_challenged() -> None:
    assert Unauthorized("no token").headers["WWW-Authenticate"].startswith("Bearer")


def test_half_a_surrogate_pair_in_the_detail_still_makes_a_body() -> None:
    assert orjson.loads(ScimError(400, "name \ud800").body())["detail"] == "name ?"
