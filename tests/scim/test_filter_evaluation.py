"""A filter run in the store finds what the same filter, run in Python over the same resources, is true of."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from evaluating import Facts, judge
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drawing import examples
from fuzzing.entries import served
from harness import ENTERPRISE, OWN, Client

CAPITALS = ("Ulm", "ULM", "Ärmel", "ärmel", "straße", "STRASSE", "b", "B", "a%_b", 'q"u\\o')
MOMENTS = (
    "2024-02-29T12:00:00+02:00", "2024-02-29T10:00:00Z", "2024-02-29T10:00:00.000001Z", "1970-01-01T00:00:00Z",
    "0001-01-02T00:00:00Z", "9999-12-30T23:59:59Z", "2024-02-29T10:00:00.1Z",
)  # fmt: skip
NUMBERS = (0, 1, 2, 7, -1, 2**53 + 1, 2**63 - 1)
AMOUNTS = (0, 10.5, 0.1, 10, -3.25, 1e-7)

FACTS = Facts(
    exact=frozenset(
        ["id", "phonenumbers", "phonenumbers.value", "phones", "emails.display", "addresses.streetaddress",
         "addresses.postalcode", "position.title", "position.seal", "badge", "meta.version"]
    ),
    moments=frozenset({"hiredat", "position.since"}),
)  # fmt: skip

texts = st.sampled_from(CAPITALS)
moments = st.sampled_from(MOMENTS)
numbers = st.sampled_from(NUMBERS)
kinds = st.sampled_from(["work", "Work", "home"])


def some(**members: st.SearchStrategy[object]) -> st.SearchStrategy[dict[str, object]]:
    return st.fixed_dictionaries({}, optional=members)


emails = st.lists(
    st.fixed_dictionaries({"value": texts}, optional={"type": kinds, "display": texts, "primary": st.booleans()}),
    max_size=3,
    unique_by=lambda each: (each["value"].casefold(), each.get("type", "").casefold()),
).filter(lambda found: sum(each.get("primary", False) for each in found) < 2)
addresses = st.lists(
    some(type=kinds, streetAddress=texts, locality=texts, postalCode=texts).filter(lambda each: each.keys() - {"type"}),
    max_size=2,
)
position = some(title=texts, grade=numbers, share=st.sampled_from(AMOUNTS), acting=st.booleans(), since=moments)
own = some(
    salary=st.sampled_from(AMOUNTS),
    hiredAt=moments,
    rooms=st.lists(numbers, max_size=3, unique=True),
    position=position,
    badge=st.sampled_from(["AAEC", "aaec", "AA=="]),
)
people = st.fixed_dictionaries(
    {},
    optional={
        "displayName": texts,
        "name": some(givenName=texts),
        "emails": emails,
        "addresses": addresses,
        "phoneNumbers": st.lists(texts.map(lambda text: {"value": text}), max_size=2, unique_by=lambda e: e["value"]),
        "active": st.booleans(),
        "externalId": texts,
        OWN: own,
        ENTERPRISE: some(employeeNumber=st.sampled_from(["1", "7", "12"])),
    },
)

# -- filters

quoted = texts.map(lambda text: json.dumps(text, ensure_ascii=False))
equality = st.sampled_from(["eq", "ne"])
order = st.sampled_from(["eq", "ne", "gt", "ge", "lt", "le"])
parts = st.sampled_from(["co", "sw", "ew"])
piece = st.sampled_from(["U", "u", "ÄR", "ss", "ß", "B", "%", "_", '"', "\\", "lm"]).map(
    lambda text: json.dumps(text, ensure_ascii=False)
)


def comparing(path: str, operators: st.SearchStrategy[str], values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(lambda operator, value: f"{path} {operator} {value}", operators, values)


def presence(path: str) -> st.SearchStrategy[str]:
    return st.sampled_from([f"{path} pr", f"{path} eq null", f"{path} ne null"])


def text_tests(*paths: str) -> st.SearchStrategy[str]:
    return st.sampled_from(paths).flatmap(
        lambda path: st.one_of(comparing(path, order, quoted), comparing(path, parts, piece), presence(path))
    )


def typed(path: str, operators: st.SearchStrategy[str], values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return comparing(path, operators, values) | presence(path)


written_numbers = numbers.map(str)
written_amounts = st.sampled_from(AMOUNTS).map(json.dumps)
written_moments = moments.map(json.dumps)
written_truths = st.sampled_from(["true", "false"])
binaries = st.sampled_from(['"AAEC"', '"aaec"', '"AA=="'])

plain = st.one_of(
    text_tests(
        "displayName", "name.givenName", "emails.value", "emails", "emails.display", "emails.type", "phoneNumbers",
        "phoneNumbers.value", "addresses.locality", "addresses.streetAddress", "externalId", f"{OWN}:position.title",
        "urn:ietf:params:scim:schemas:core:2.0:User:displayName",
    ),
    typed(f"{OWN}:hiredAt", order, written_moments),
    typed(f"{OWN}:position.since", order, written_moments),
    typed(f"{OWN}:position.grade", order, written_numbers),
    typed(f"{OWN}:position.share", order, written_amounts),
    typed(f"{OWN}:position.acting", equality, written_truths),
    typed(f"{OWN}:rooms", order, written_numbers),
    typed(f"{OWN}:salary", order, written_amounts),
    typed(f"{OWN}:badge", equality, binaries),
    typed("active", equality, written_truths),
    typed("emails.primary", equality, written_truths),
    typed(f"{ENTERPRISE}:employeeNumber", equality, st.sampled_from(["1", "7", "99"]).map(json.dumps)),
    st.sampled_from(["emails pr", "addresses pr", "name pr", f"{OWN}:position pr", "phoneNumbers pr"]),
    comparing("meta.created", order, written_moments),
    st.sampled_from(['meta.resourceType eq "User"', 'meta.resourceType ne "User"', "id pr"]),
)  # fmt: skip


def combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    joined = st.builds(lambda a, word, b: f"({a}) {word} ({b})", inner, st.sampled_from(["and", "or"]), inner)
    return joined | inner.map(lambda text: f"not ({text})")


def bracketed(attribute: str, inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.recursive(inner, combined, max_leaves=4).map(lambda text: f"{attribute}[{text}]")


nested = st.one_of(
    bracketed("emails", text_tests("value", "type", "display") | typed("primary", equality, written_truths)),
    bracketed("addresses", text_tests("type", "locality", "streetAddress", "postalCode")),
)
filters = st.recursive(plain | nested, combined, max_leaves=5)


@pytest.fixture(scope="module")
def app() -> Iterator[Client]:
    with served() as host:
        yield host.served.client("app")


def check(app: Client, text: str) -> set[str]:
    """Return who is found, after comparing with who should be."""
    from urllib.parse import quote

    everybody = app.get("/Users?count=1000").resources
    answer = app.get(f"/Users?count=1000&filter={quote(text, safe='')}")
    assert answer.status == 200, (text, answer)
    found = {each["id"] for each in answer.resources}
    wanted = {each["id"] for each in everybody if judge(text, each, FACTS)}
    wrong = [each for each in everybody if each["id"] in found ^ wanted]
    assert not wrong, (text, "found" if wrong[0]["id"] in found else "not found", wrong[0])
    return found


@settings(max_examples=examples(60), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(people, min_size=1, max_size=4), st.lists(filters, min_size=8, max_size=12))
def test_the_store_finds_what_python_finds(app: Client, bodies: list[dict[str, object]], texts: list[str]) -> None:
    ids = []
    for number, body in enumerate(bodies):
        answer = app.post({"userName": f"p{number}", **body})
        assert answer.status == 201, answer
        ids.append(answer.id)
    try:
        for text in texts:
            check(app, text)
    finally:
        for ident in ids:
            assert app.delete(ident).status == 204


@pytest.fixture(scope="module")
def crowd(app: Client) -> dict[str, str]:
    """Two people whose differences the hand-picked filters ask about."""
    jo = {
        "displayName": "Straße",
        "emails": [{"type": "work", "value": "a@x", "primary": True}, {"type": "home", "value": "b@x"}],
        OWN: {"hiredAt": "2024-02-29T12:00:00+02:00", "rooms": [1, 12], "position": {"since": MOMENTS[2]}},
    }
    ann = {
        "displayName": "Ulm",
        "emails": [{"type": "home", "value": "a@x"}],
        OWN: {"hiredAt": "2024-02-29T10:00:00.000001Z", "rooms": [2], "salary": 0.1},
    }
    return {"jo": app.created("jo-f", **jo), "ann": app.created("ann-f", **ann)}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('displayName eq "STRASSE"', {"jo"}),
        ('displayName co "SS" or displayName ew "LM"', {"jo", "ann"}),
        ('emails[type eq "work" and value eq "A@X"]', {"jo"}),
        ('emails[type eq "home" and not (value eq "a@x")]', {"jo"}),
        ('emails.type eq "work" and emails.value eq "b@x"', {"jo"}),
        ('emails[type eq "home" and value eq "a@x"]', {"ann"}),
        ('emails[primary eq false or (primary ne true and (type eq "home" and value sw "a"))]', {"ann"}),
        ('not (emails[type eq "work"])', {"ann"}),
        (f'{OWN}:hiredAt eq "2024-02-29T10:00:00Z"', {"jo"}),
        (f'{OWN}:hiredAt gt "2024-02-29T11:00:00+01:00"', {"ann"}),
        (f'{OWN}:position.since le "2024-02-29T10:00:00.000001+00:00"', {"jo"}),
        (f"{OWN}:rooms gt 11", {"jo"}),
        (f"{OWN}:rooms ne 2", {"jo"}),
        (f"{OWN}:salary eq 0.1 or {OWN}:salary gt 1", {"ann"}),
    ],
)
def test_hand_picked(app: Client, crowd: dict[str, str], text: str, names: set[str]) -> None:
    ours = {crowd[name] for name in names}
    assert check(app, text) & set(crowd.values()) == ours
