"""How a password is written: hashed by us, hashed by the server, or by RFC 3062."""

from __future__ import annotations

import base64
import hashlib
import secrets

from argon2 import PasswordHasher

from isthmus.connectors.ldap.directory import PASSWORD_MODIFY, Directory
from isthmus.connectors.ldap.servers import GENERIC, OPENLDAP
from isthmus.connectors.ldap.settings import LdapSettings
from isthmus.connectors.passwords import clear_text
from isthmus.spi import Secret

_SALT = 16


def attribute(directory: Directory, settings: LdapSettings) -> str:
    """Return the name of the password attribute."""
    return settings.password_attribute or directory.product.password_attribute


def by_extended_operation(directory: Directory, settings: LdapSettings) -> bool:
    """Whether a password is changed by RFC 3062, so that the server hashes it and its rules see it.

    Servers that hash what is written to the attribute do the same there; some of them want TLS for RFC 3062 alone.
    """
    if settings.password_method != "auto":  # noqa: S105
        return settings.password_method == "extended"  # noqa: S105
    possible = directory.supports(PASSWORD_MODIFY) and attribute(directory, settings) == "userPassword"
    return possible and directory.product in {OPENLDAP, GENERIC}


def written(directory: Directory, settings: LdapSettings, password: Secret) -> bytes:
    """Return the value to write to the password attribute."""
    text = clear_text(password)
    if attribute(directory, settings).casefold() == "unicodepwd":
        return f'"{text}"'.encode("utf-16-le")  # [MS-ADTS] 3.1.1.3.1.5.1
    kind = settings.password_hash
    if kind == "auto":
        # OpenLDAP stores what is written as it is, unless ppolicy_hash_cleartext is on; {SSHA} it can always check.
        kind = "server" if directory.product.hashes else "ssha"
    if kind == "server":
        return text.encode()
    if kind == "argon2":
        return b"{ARGON2}" + PasswordHasher().hash(text).encode()
    salt = secrets.token_bytes(_SALT)
    digest = (hashlib.sha512 if kind == "ssha512" else hashlib.sha1)(text.encode() + salt).digest()
    return f"{{{'SSHA512' if kind == 'ssha512' else 'SSHA'}}}".encode() + base64.b64encode(digest + salt)
