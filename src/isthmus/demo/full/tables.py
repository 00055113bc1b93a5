"""The tables of the full demo: people, what they have several of, teams and devices."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

PREFIX = "isthmus_demo_"
"""Before the names of tables in a database that is not the demo's own."""

PLURALS = ("emails", "phones", "messengers", "photos", "entitlements", "roles")
"""Child tables of a value, a type, a display name and a primary mark each."""

TEXT_OF_PERSON = (
    "display_name", "formatted_name", "family_name", "given_name", "middle_name", "prefix", "suffix", "nick_name",
    "title", "user_type", "language", "locale", "timezone", "employee_number", "cost_center", "organization",
    "division", "department",
)  # fmt: skip


def tables(prefix: str = "") -> sa.MetaData:
    """Describe the tables. They refer to people by login; what belongs to a person goes with the person."""
    made = sa.MetaData()

    def person() -> sa.ForeignKey:
        return sa.ForeignKey(f"{prefix}people.login", ondelete="CASCADE", onupdate="CASCADE")

    def maybe_person() -> sa.ForeignKey:
        return sa.ForeignKey(f"{prefix}people.login", ondelete="SET NULL", onupdate="CASCADE")

    def owned(name: str, *columns: sa.Column[Any]) -> None:
        sa.Table(
            f"{prefix}{name}",
            made,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("login", sa.String(128), person(), nullable=False, index=True),
            *columns,
        )

    sa.Table(
        f"{prefix}people",
        made,
        sa.Column("login", sa.String(128), primary_key=True),
        *(sa.Column(each, sa.String(160)) for each in TEXT_OF_PERSON),
        sa.Column("profile_url", sa.String(400)),
        sa.Column("manager", sa.String(128), maybe_person(), index=True),
        sa.Column("disabled", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    for name in PLURALS:
        owned(
            name,
            sa.Column("value", sa.String(400), nullable=False),
            sa.Column("kind", sa.String(40)),
            sa.Column("label", sa.String(160)),
            sa.Column("is_primary", sa.Boolean),
        )
    owned(
        "certificates",
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.Column("kind", sa.String(40)),
        sa.Column("label", sa.String(160)),
        sa.Column("is_primary", sa.Boolean),
    )
    owned(
        "addresses",
        sa.Column("formatted", sa.String(400)),
        sa.Column("street", sa.String(160)),
        sa.Column("city", sa.String(80)),
        sa.Column("region", sa.String(80)),
        sa.Column("postal_code", sa.String(40)),
        sa.Column("country", sa.String(40)),
        sa.Column("kind", sa.String(40)),
        sa.Column("is_primary", sa.Boolean),
    )
    sa.Table(
        f"{prefix}teams",
        made,
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("purpose", sa.String(400)),
    )
    sa.Table(
        f"{prefix}team_members",
        made,
        sa.Column(
            "team",
            sa.String(128),
            sa.ForeignKey(f"{prefix}teams.name", ondelete="CASCADE", onupdate="CASCADE"),
            primary_key=True,
        ),
        sa.Column("login", sa.String(128), person(), primary_key=True, index=True),
    )
    sa.Table(
        f"{prefix}devices",
        made,
        sa.Column("serial", sa.String(64), primary_key=True),
        sa.Column("model", sa.String(80), nullable=False),
        sa.Column("memory_gb", sa.Integer),
        sa.Column("price", sa.Numeric(10, 2)),
        sa.Column("bought", sa.DateTime),
        sa.Column("encrypted", sa.Boolean),
        sa.Column("owner", sa.String(128), maybe_person(), index=True),
    )
    return made
