"""Names that SCIM does not allow, in a form that it does, and back."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from composite_samples import made_of
from hypothesis import given, settings
from hypothesis import strategies as st
from mapping_samples import OWN, attribute, bind, current, employees, op, patch, written

from isthmus.mapping.bound import BoundComparison
from isthmus.mapping.definition import Flow
from isthmus.mapping.escaping import escaped, is_valid, unescaped
from isthmus.scim.errors import ScimError
from isthmus.spi import Complex, ObjectType

tricky = st.text(st.sampled_from("xX_0012A4Fb $-.;:[]é\U0001f600"), min_size=1, max_size=16)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("mail", "mail"),
        ("employee_id-2$", "employee_id-2$"),
        ("ext_x1", "ext_x1"),
        ("First Name", "First_x0020_Name"),
        ("userCertificate;binary", "userCertificate_x003B_binary"),
        ("cn;lang-de", "cn_x003B_lang-de"),
        ("dbo.people", "dbo_x002E_people"),
        ("a[0]:b", "a_x005B_0_x005D__x003A_b"),
        ('say "x"', "say_x0020__x0022_x_x0022_"),
        ("Straße", "Stra_x00DF_e"),
        ("😀", "x_x01F600_"),
        ("2nd", "x_x0032_nd"),
        ("_id", "x_x005F_id"),
        ("$ref", "x_x0024_ref"),
        ("x y", "x_x0078__x0020_y"),
        ("a_x0041_", "a_x005F_x0041_"),
        ("_xyz a", "x_x005F_xyz_x0020_a"),
    ],
)
def test_examples(name: str, shown: str) -> None:
    assert escaped(name) == shown
    assert unescaped(shown) == name


@settings(deadline=None)
@given(tricky | st.text(min_size=1, max_size=12), tricky)
def test_every_name_has_a_form_of_its_own(name: str, other: str) -> None:
    shown = escaped(name)
    assert is_valid(shown)
    assert unescaped(shown) == name
    assert (escaped(other) == shown) is (other == name)
    if is_valid(name) and "_x" not in name:
        assert shown == name


ODD = ("First Name", "a.b", "cn;lang-de", "x[0]", "v:1", 'say "x"', "größe", "2nd", "-dash")
TYPE = ObjectType(
    name="Employees",
    anchor=("Login",),
    attributes=(
        attribute("Login", required=True),
        *(attribute(name) for name in ODD),
        made_of("post box", attribute("house no."), attribute("city"), multivalued=True),
    ),
)


def odd(**changes: Any) -> Any:
    return employees(
        object_type=TYPE, attributes=("Login", *ODD, "post box"), matching=(), flows={}, disable=None, **changes
    )


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("own_names", ["escaped", "plain"])
def test_names_go_every_way(own_names: str, strict: bool) -> None:
    rt = odd(own_names=own_names, strict=strict)
    values: dict[str, Any] = {name: (f"v of {name}",) for name in ODD}
    values["post box"] = (Complex({"house no.": "7", "city": "Ulm"}),)
    own = orjson.loads(rt.render(values))[OWN]
    listed = {a["name"]: a for a in rt.schema_documents()[1]["attributes"]}
    for name in ODD:
        shown = name if own_names == "plain" else escaped(name)
        assert own[shown] == f"v of {name}"
        assert shown in listed
        for sent in (name, escaped(name)):  # whichever is shown, both are understood
            assert rt.plan_create({OWN: {"Login": "u", sent: "x"}}).attributes[name] == ("x",)
            assert rt.plan_create({OWN: {"Login": "u"}, f"{OWN}:{sent}": "x"}).attributes[name] == ("x",)
            assert written(patch(rt, op("replace", f"{OWN}:{sent}", "x"))) == {name: ("x",)}
            assert written(patch(rt, op("replace", None, {f"{OWN}:{sent}": "x"}))) == {name: ("x",)}
            if '"' not in sent:
                assert bind(rt, f'{OWN}:{sent} eq "x"') == BoundComparison(name, "eq", "x", "text", native="x")
    with pytest.raises(ScimError, match="First"):
        rt.plan_create({OWN: {"Login": "u", "Frist Name": "x"}})


def test_names_of_parts() -> None:
    rt = odd()
    box = escaped("post box")
    assert orjson.loads(rt.render({"post box": (Complex({"house no.": "7"}),)}))[OWN] == {
        box: [{"house_x0020_no_x002E_": "7"}]
    }
    plan = rt.plan_create({OWN: {"Login": "u", box: [{"house_x0020_no_x002E_": "7", "city": "Ulm"}]}})
    assert plan.attributes["post box"] == (Complex({"house no.": "7", "city": "Ulm"}),)
    on = current({"post box": (Complex({"house no.": "7", "city": "Ulm"}),)})
    path = f'{OWN}:{box}[house_x0020_no_x002E_ eq "7"].city'
    [change] = patch(rt, op("replace", path, "Bonn"), on=on).changes
    assert change.add == (Complex({"house no.": "7", "city": "Bonn"}),)
    assert bind(rt, f'{OWN}:{box}[house_x0020_no_x002E_ eq "7" and city sw "B"]').attribute == "post box"


def test_flows_go_by_the_targets_own_names() -> None:
    rt = employees(
        object_type=TYPE,
        attributes=("Login",),
        matching=("First Name",),
        flows={"userName": Flow(attribute="Login"), "name.givenName": Flow(attribute="First Name")},
        disable=None,
    )
    shown = orjson.loads(rt.render({"First Name": ("Ann",)}))
    assert (shown["name"]["givenName"], shown[OWN]["First_x0020_Name"]) == ("Ann", "Ann")
    assert "First Name" in rt.indexed
