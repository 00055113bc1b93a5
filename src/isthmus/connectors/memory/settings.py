"""What can be set for an in-memory target."""

from __future__ import annotations

from dataclasses import dataclass

from isthmus.spi import Secret, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class MemorySettings:
    """Settings of a connector to an in-memory target."""

    name: str = setting(
        label="Target",
        help="Connectors that name the same target share its objects.",
        example="hr",
        page="Connectivity",
    )
    password: Secret | None = setting(  # noqa: RUF009  setting() is a dataclasses.field()
        None, label="Password", help="Needed if the target was given one.", page="Connectivity"
    )
    groups: bool = setting(True, label="Groups", help="Whether groups and their members are reached.", page="Objects")
    latency: float = setting(
        0.0, label="Latency", help="Seconds that each request takes.", page="Connectivity", minimum=0.0, maximum=60.0
    )
