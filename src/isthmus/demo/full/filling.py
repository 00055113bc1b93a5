"""Generated rows for the full demo: the same ones every time, nobody real."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from isthmus.demo.people import Person

_CITIES = (("Utrecht", "Utrecht", "NL"), ("Graz", "Steiermark", "AT"), ("Leeds", "Yorkshire", "GB"))
_DEPARTMENTS = ("Finance", "Logistics", "Research", "Sales", "Support", "Works")
_TITLES = ("Analyst", "Buyer", "Engineer", "Planner", "Technician", "Tour guide")
_MODELS = (("Fieldbook 14", 16), ("Slate 11", 8), ("Tower 5", 64))
_SPAN = 8  # people of one manager
_FIRST_DAY = datetime(2021, 1, 4, 9)  # noqa: DTZ001  (the column keeps no zone)

Generated = dict[str, list[dict[str, Any]]]


def fill(people: Sequence[Person], *, seed: int = 1) -> Generated:
    """Return rows by table: everybody but the first has a manager who comes before, teams are departments."""
    source = random.Random(seed)  # noqa: S311  (repeatable, not secret)
    rows: Generated = {"people": [], "teams": [], "team_members": [], "devices": []}
    for number, person in enumerate(people):
        department = _DEPARTMENTS[number % len(_DEPARTMENTS)]
        boss = people[(number - 1) // _SPAN].login if number else None
        rows["people"].append(_person(person, number, department, boss, source))
        for table, made in _children(person, number, source).items():
            rows.setdefault(table, []).extend({"login": person.login, **each} for each in made)
        rows["team_members"].append({"team": department, "login": person.login})
        if source.random() < 0.8:  # the others share one
            rows["devices"].append(_device(person, number, source))
    rows["teams"] = [{"name": name, "purpose": f"Everybody in {name.lower()}"} for name in _DEPARTMENTS]
    return rows


def _person(person: Person, number: int, department: str, boss: str | None, source: random.Random) -> dict[str, Any]:
    return {
        "login": person.login,
        "display_name": f"{person.first} {person.last}",
        "formatted_name": f"{person.first} {person.last}",
        "family_name": person.last,
        "given_name": person.first,
        "middle_name": None,
        "prefix": "Dr." if source.random() < 0.05 else None,
        "suffix": None,
        "nick_name": person.first[:3],
        "title": source.choice(_TITLES),
        "user_type": "Employee",
        "language": "en",
        "locale": "en-GB",
        "timezone": "Europe/Amsterdam",
        "employee_number": f"{number + 1:06d}",
        "cost_center": f"C{source.randrange(100, 999)}",
        "organization": "Contoso",
        "division": "Europe",
        "department": department,
        "profile_url": f"https://people.contoso.example/{person.login}",
        "manager": boss,
        "disabled": person.disabled,
    }


def _children(person: Person, number: int, source: random.Random) -> Generated:
    city, region, country = source.choice(_CITIES)
    street, code = f"{source.randrange(1, 200)} Mill Lane", f"{source.randrange(1000, 9999)}"
    at_home = f"{person.login}@home.example"
    return {
        "emails": [
            _value(person.email, "work", primary=True),
            *([_value(at_home, "home")] if number % 3 == 0 else []),
        ],
        # Numbers that no exchange gives out: 555-01xx is kept for fiction.
        "phones": [_value(f"+1-202-555-01{source.randrange(100):02d}", "work", primary=True)],
        "messengers": [_value(f"{person.login}:contoso.example", "matrix")] if number % 4 == 0 else [],
        "photos": [_value(f"https://people.contoso.example/{person.login}.jpg", "photo")] if number % 2 else [],
        "entitlements": [_value("vpn", None)] if number % 5 == 0 else [],
        "roles": [_value("first-aider", None, label="First aider")] if number % 10 == 0 else [],
        "certificates": [],
        "addresses": [
            {
                "formatted": f"{street}\n{code} {city}",
                "street": street,
                "city": city,
                "region": region,
                "postal_code": code,
                "country": country,
                "kind": "work",
                "is_primary": True,
            }
        ],
    }


def _value(value: str, kind: str | None, *, label: str | None = None, primary: bool = False) -> dict[str, Any]:
    return {"value": value, "kind": kind, "label": label, "is_primary": primary}


def _device(person: Person, number: int, source: random.Random) -> dict[str, Any]:
    model, memory = source.choice(_MODELS)
    return {
        "serial": f"D-{number + 1:06d}",
        "model": model,
        "memory_gb": memory,
        "price": Decimal(source.randrange(40_000, 250_000)) / 100,
        "bought": _FIRST_DAY + timedelta(days=source.randrange(1500)),
        "encrypted": source.random() < 0.9,
        "owner": person.login,
    }
