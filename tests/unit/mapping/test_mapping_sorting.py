"""What `sortBy` means over the target's attributes."""

from __future__ import annotations

import pytest

from isthmus.mapping.bound import BoundComparison
from isthmus.mapping.sorting import BoundSort
from isthmus.scim.errors import InvalidValue
from unit.mapping.mapping_samples import CORE, ENTERPRISE, OWN, employees


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("userName", BoundSort(("Login",))),
        ("USERNAME", BoundSort(("Login",))),
        (f"{CORE}:userName", BoundSort(("Login",))),
        ("name.familyName", BoundSort(("LastName",))),
        ("emails", BoundSort(("Email", "HomeEmail"))),
        ("emails.value", BoundSort(("Email", "HomeEmail"))),
        ("phoneNumbers.value", BoundSort(("Phone", "Mobile"))),
        ("addresses.locality", BoundSort(("City",))),
        (f"{ENTERPRISE}:employeeNumber", BoundSort(("Number",), "number")),
        ("employeeNumber", BoundSort(("Number",), "number")),
        (f"{OWN}:Salary", BoundSort(("Salary",), "number")),
        (f"{OWN}:Hired", BoundSort(("Hired",), "datetime")),
        (f"{OWN}:Photo", BoundSort(("Photo",), "binary")),
        ("id", BoundSort(("#id",), case_exact=True)),
        ("externalId", BoundSort(("#externalId",), case_exact=True)),
        ("meta.created", BoundSort(("#created",), "datetime", case_exact=True)),
        ("meta.lastModified", BoundSort(("#modified",), "datetime", case_exact=True)),
    ],
)
def test_paths(path: str, wanted: BoundSort) -> None:
    assert employees().bind_sort(path) == wanted


def test_what_is_true_or_false() -> None:
    remote = employees().bind_sort(f"{OWN}:Remote").truths
    assert remote is not None
    assert [each.value for each in remote if isinstance(each, BoundComparison)] == [True, False]
    active = employees().bind_sort("active").truths
    assert active is not None
    assert len(set(active)) == 2


@pytest.mark.parametrize(
    "path", ["", "name", "addresses", "manager", f"{OWN}:Pin", "password", "meta", "nobody", "a b"]
)
def test_what_has_no_order(path: str) -> None:
    with pytest.raises(InvalidValue, match="sortBy"):
        employees().bind_sort(path)
