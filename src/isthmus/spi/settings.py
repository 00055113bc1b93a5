"""One declaration of a setting feeds form, prompt, loader, foreign import and documentation.

A connector's settings are a frozen dataclass whose fields are made by `setting()`:

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Settings:
        url: str = setting(label="Database URL", page="Connectivity", example="postgresql://db/hr")
        password: Secret | None = setting(None, label="Password", page="Connectivity", mim="Password")
"""

from __future__ import annotations

import dataclasses
from dataclasses import MISSING, dataclass
from typing import Any, get_type_hints

_KEY = "isthmus.setting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting as forms and documentation see it. `type` is the resolved annotation."""

    name: str
    type: Any
    default: Any
    label: str
    help: str
    page: str
    example: str
    mim: str | None
    secret: bool
    choices: tuple[str, ...]
    minimum: float | None
    maximum: float | None

    @property
    def required(self) -> bool:
        return self.default is MISSING


def setting(
    default: Any = MISSING,
    *,
    label: str,
    help: str = "",
    page: str = "Connectivity",
    example: str = "",
    mim: str | None = None,
    choices: tuple[str, ...] = (),
    minimum: float | None = None,
    maximum: float | None = None,
) -> Any:
    """Declare a field of a settings dataclass.

    `mim` is the parameter's exact name in an exported management agent. A field annotated `Secret` is a secret.
    """
    metadata = {
        _KEY: {
            "label": label,
            "help": help,
            "page": page,
            "example": example,
            "mim": mim,
            "choices": choices,
            "minimum": minimum,
            "maximum": maximum,
        }
    }
    if default is MISSING:
        return dataclasses.field(metadata=metadata)
    if isinstance(default, list | dict | set):
        raise TypeError("use an immutable default: a tuple, or None")
    return dataclasses.field(default=default, metadata=metadata)


def settings_of(settings_class: type) -> tuple[Setting, ...]:
    """Return the settings that a dataclass declares, in order."""
    from isthmus.spi.secret import Secret

    hints = get_type_hints(settings_class)
    result = []
    for field in dataclasses.fields(settings_class):
        declared = field.metadata.get(_KEY)
        if declared is None:
            raise TypeError(f"{settings_class.__name__}.{field.name} must be declared with setting()")
        hint = hints[field.name]
        secret = hint is Secret or Secret in getattr(hint, "__args__", ())
        result.append(Setting(name=field.name, type=hint, default=field.default, secret=secret, **declared))
    return tuple(result)
