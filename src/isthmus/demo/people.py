"""Generated people: the same ones every time, nobody real."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

_FIRST = """
Ada Aylin Ben Björn Carla Chen Chloé Dalia Darius Edda Elif Emeka Farid Freya Gita Goran Hana Hugo Ines Ivo Jana
Jiro Jürgen Kaja Kofi Lena Levi Łucja Malik Mara Mei Milo Nadia Nils Noor Oskar Pia Priya Quinn Rafael Ravi Rosa
Samir Selma Sofía Tariq Thea Tomás Uma Valentin Vera Wanda Willem Xenia Yara Yusuf Zeno Zoë
""".split()  # noqa: SIM905  (a list of sixty words is read more easily as words)

_LAST = """
Abel Achterberg Adeyemi Alvarez Amari Arslan Baumann Becker Bergström Bianchi Blom Castell Chandra Conti Dahl Demir
Dietz Dvořák Eklund Engel Farkas Ferreira Fischer Fontaine Gallo Garnier Haddad Hagen Halloran Hansen Hartmann
Ibarra Ikeda Ito Jansen Johal Kamara Keller Kimura Klein Kowalczyk Lang Larsen Lindqvist Lopes Maier Mensah Moreau
Müller Nakata Navarro Nowak O'Brien Okafor Olsen Ortega Papadaki Park Petrov Quist Ramos Richter Rossi Sato Schäfer
Silva Sorensen Tanaka Thomsen Ueda Vargas Vogel Weiss Winter Yilmaz Zeller Ziegler
""".split()  # noqa: SIM905

_PLAIN = str.maketrans({"ł": "l", "ø": "o", "ß": "ss", "'": ""})


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One row of the tutorial table."""

    login: str
    first: str
    last: str
    email: str
    internal_guid: str
    azure_id: str
    text_id: str
    disabled: bool = False

    def row(self) -> dict[str, str | bool]:
        """Return the values by column name."""
        return {
            "ContosoLogin": self.login,
            "FirstName": self.first,
            "LastName": self.last,
            "Email": self.email,
            "InternalGUID": self.internal_guid,
            "AzureID": self.azure_id,
            "textID": self.text_id,
            "Disabled": self.disabled,
        }


def generate(count: int, *, seed: int = 1) -> list[Person]:
    """Return `count` people with unique logins; the same `seed` gives the same people."""
    return list(_people(count, random.Random(seed)))  # noqa: S311  (repeatable, not secret)


def person(first: str, last: str, login: str, *, seed: int) -> Person:
    """Return one person of a chosen name."""
    source = random.Random(seed)  # noqa: S311  (repeatable, not secret)
    return _person(first, last, login, source)


def _people(count: int, source: random.Random) -> Iterator[Person]:
    taken: dict[str, int] = {}
    for _ in range(count):
        first, last = source.choice(_FIRST), source.choice(_LAST)
        stem = _plain(first[0] + last)
        taken[stem] = taken.get(stem, 0) + 1
        login = stem if taken[stem] == 1 else f"{stem}{taken[stem]}"
        yield _person(first, last, login, source, disabled=source.random() < 0.04)  # about one in 25 has left


def _person(first: str, last: str, login: str, source: random.Random, *, disabled: bool = False) -> Person:
    return Person(
        login=login,
        first=first,
        last=last,
        email=f"{login}@contoso.example",
        internal_guid=_guid(source),
        azure_id=_guid(source),
        text_id=f"T{source.randrange(10**6):06d}",
        disabled=disabled,
    )


def _guid(source: random.Random) -> str:
    return str(UUID(int=source.getrandbits(128), version=4))


def _plain(text: str) -> str:
    lowered = text.casefold().translate(_PLAIN)
    return unicodedata.normalize("NFKD", lowered).encode("ascii", "ignore").decode()
