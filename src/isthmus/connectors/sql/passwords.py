"""The column that holds a password, and the forms in which applications keep it there."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from isthmus.connectors.passwords import clear_text
from isthmus.connectors.sql.columns import Column
from isthmus.spi import AttributeType, InvalidValue, MisconfiguredConnector, Secret

_PBKDF2_ROUNDS = 600_000  # OWASP's Password Storage Cheat Sheet for SHA-256
_BCRYPT_LIMIT = 72  # bytes: bcrypt knows no more of a password


def _argon2(text: str) -> str:
    from argon2 import PasswordHasher

    return PasswordHasher().hash(text)


def _bcrypt(text: str) -> str:
    import bcrypt

    given = text.encode()
    if len(given) > _BCRYPT_LIMIT:
        raise InvalidValue(f"bcrypt takes passwords of at most {_BCRYPT_LIMIT} bytes", attribute="password")
    if b"\0" in given:
        raise InvalidValue("bcrypt takes no password with a NUL", attribute="password")
    return bcrypt.hashpw(given, bcrypt.gensalt()).decode()


def _pbkdf2(text: str) -> str:
    salt = secrets.token_hex(16)
    digest = hashlib.pbkdf2_hmac("sha256", text.encode(), salt.encode(), _PBKDF2_ROUNDS)
    return f"pbkdf2_sha256${_PBKDF2_ROUNDS}${salt}${base64.b64encode(digest).decode()}"


@dataclass(frozen=True, slots=True)
class Form:
    """How a password is kept: what makes the column's text of it, and how many characters that may have."""

    made: Callable[[str], str]
    length: int


FORMS = {
    "argon2": Form(_argon2, 97),
    "bcrypt": Form(_bcrypt, 60),
    "pbkdf2_sha256": Form(_pbkdf2, 98),
    "none": Form(str, 1),
}


@dataclass(frozen=True, slots=True)
class PasswordColumn:
    """The column of a table that takes passwords; it is no attribute."""

    column: Column
    kind: str

    @property
    def name(self) -> str:
        return self.column.name

    def for_writing(self, password: Secret) -> Any:
        """Return what the driver binds for a password; a hash is another one each time.

        Raises:
            InvalidValue: it is no password, or the column cannot hold it.
        """
        return self.column.for_writing(FORMS[self.kind].made(clear_text(password)))


def password_column(column: Column, kind: str, target: str) -> PasswordColumn:
    """Return the column as one for passwords.

    Raises:
        MisconfiguredConnector: such hashes do not fit in it.
    """
    if column.definition.type is not AttributeType.STRING or column.definition.readonly:
        raise MisconfiguredConnector(
            f"password_column of {target}: {column.name} is no text column that can be written"
        )
    limit, length = column.definition.max_length, FORMS[kind].length
    if limit is not None and limit < length:
        raise MisconfiguredConnector(
            f"password_column of {target}: {column.name} holds {limit} characters, and a hash of the kind {kind} has "
            f"{length}; make the column wider, or choose another password_hash"
        )
    return PasswordColumn(column, kind)
