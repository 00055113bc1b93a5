"""Passwords as every connector that writes them takes them."""

from __future__ import annotations

from isthmus.spi import InvalidValue, Secret


def clear_text(password: Secret) -> str:
    """Return the password's text.

    Raises:
        InvalidValue: there is none, or it is no Unicode.
    """
    text = password.reveal()
    if not text:
        raise InvalidValue("an empty password is none", attribute="password")
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise InvalidValue("the password holds half of a surrogate pair", attribute="password") from exc
    return text
