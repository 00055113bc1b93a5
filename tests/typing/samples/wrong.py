"""Mistakes that a type checker must find against the installed package. `E: code` names the error of its line."""

from collections.abc import Sequence
from dataclasses import dataclass

from isthmus.spi import (
    AttributeChange,
    Call,
    Connector,
    ConnectorObject,
    ConnectorType,
    Identity,
    ImportScope,
    Schema,
    Secret,
    SupportsDelete,
    SupportsLookup,
    Value,
    setting,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    path: str = setting(label="File")


class Unfinished(Connector, SupportsLookup):
    def test(self, *, call: Call) -> None:
        call.chekc()  # E: attr-defined

    def read_schema(self, *, call: Call) -> Schema:
        return {"person": None}  # E: return-value

    def scopes(self) -> Sequence[ImportScope]:
        return ("people",)  # E: return-value

    def close(self) -> None:
        pass

    def read(  # E: override
        self, object_type: str, identity: Identity, *, attributes: Sequence[str], call: Call
    ) -> str:
        return ""


class ForgetsTheCall(SupportsDelete):
    def delete(self, object_type: str, identity: Identity) -> None:  # E: override
        pass


def use(connector: Connector, found: ConnectorObject, password: Secret) -> None:
    Unfinished()  # E: abstract
    ConnectorType(id="x", title="X", settings=Settings, open=str)  # E: arg-type
    found.attributes["name"] = ("x",)  # E: index
    found.object_type = "other"  # E: misc
    AttributeChange("name", replace="x")  # E: arg-type
    shown: str = password  # E: assignment
    print(shown)
    if isinstance(connector, SupportsLookup):
        value: Value = 1.5  # E: assignment
        connector.find("person", "age", value, attributes=(), call=Call())
    connector.find("person", "age", 1, attributes=(), call=Call())  # E: attr-defined
