"""Bearer tokens, by their hash."""

from __future__ import annotations

import time

from isthmus.store.connections import Readers
from isthmus.store.errors import translated
from isthmus.store.records import Token
from isthmus.store.statements import statement
from isthmus.store.writing import Writer

_FIELDS = ("id", "connector", "name", "scope", "hash", "created", "expires", "revoked", "last_used")
_COLUMNS = ", ".join(_FIELDS)
_INSERT = statement("token_insert")
_LIST = statement("tokens_list").format(columns=_COLUMNS)
_GET = statement("token_get").format(columns=_COLUMNS)
_REVOKE = statement("token_revoke")
_LAST_USED = statement("token_last_used")
_TOUCH = statement("token_touch")

_MINUTE = 60.0


class Tokens:
    """Tokens of all connectors, in any state: whoever checks one looks at `expires` and `revoked`."""

    def __init__(self, readers: Readers, writer: Writer) -> None:
        self._readers = readers
        self._writer = writer

    def add(self, token: Token) -> None:
        """Keep a token."""
        self._writer.run(lambda c: c.execute(_INSERT, tuple(getattr(token, name) for name in _FIELDS)).rowcount)

    def list(self, connector: str | None = None) -> list[Token]:
        """Return the tokens of a connector, or all, oldest first."""
        return self._all(_LIST, connector)

    def get(self, id: str) -> Token | None:
        """Return a token."""
        return next(iter(self._all(_GET, id)), None)

    def revoke(self, id: str, at: float | None = None) -> bool:
        """Refuse the token from then on; False if there is none, or it ends by then anyway."""
        moment = time.time() if at is None else at
        return self._writer.run(lambda c: c.execute(_REVOKE, (moment, id)).rowcount == 1)

    def touch(self, id: str, at: float | None = None) -> None:
        """Note that the token was used; written at most once a minute."""
        moment = time.time() if at is None else at
        with translated():
            row = self._readers.connection().execute(_LAST_USED, (id,)).fetchone()
        if row is None or (row[0] is not None and moment - row[0] < _MINUTE):
            return
        self._writer.run(lambda c: c.execute(_TOUCH, (moment, id)).rowcount)

    def _all(self, sql: str, value: str | None) -> list[Token]:  # type: ignore[valid-type]
        with translated():
            rows = self._readers.connection().execute(sql, (value,)).fetchall()
        return [Token(**dict(zip(_FIELDS, row, strict=True))) for row in rows]
