"""Kerberos tokens from the machine's GSSAPI library (RFC 2743, RFC 2744), loaded when it is first needed.

OpenLDAP's own way into Kerberos keeps the interpreter's lock until the ticket is there and the server has answered: a
KDC that does not answer would stop every thread of the process. Calls made here give the lock up.
"""

from __future__ import annotations

import ctypes
import functools
from ctypes import POINTER, Structure, byref, c_char_p, c_int, c_size_t, c_uint32, c_void_p
from typing import Any

_LIBRARIES = ("libgssapi_krb5.so.2", "libgssapi_krb5.dylib", "libgssapi.so.3")
_COMPLETE, _CONTINUE = 0, 1
_MUTUAL_REPLAY_SEQUENCE_INTEGRITY = 2 | 4 | 8 | 32
_INITIATE = 1
_NAME_OF_SERVICE = bytes.fromhex("2a864886f71201020104")  # GSS_C_NT_HOSTBASED_SERVICE
_NAME_OF_USER = bytes.fromhex("2a864886f71201020101")  # GSS_C_NT_USER_NAME
_KERBEROS = bytes.fromhex("2a864886f712010202")
_BY_MECHANISM, _BY_GSSAPI = 2, 1
UNREACHABLE = (-1765328228) & 0xFFFFFFFF  # KRB5_KDC_UNREACH
_NO_MATTER = 0


class Unavailable(Exception):
    """The machine has no GSSAPI library, or one that cannot do what is asked."""


class Refused(Exception):
    """A call failed; the text is the library's, `minor` its code for the reason."""

    def __init__(self, text: str, minor: int) -> None:
        super().__init__(text)
        self.minor = minor


class _Buffer(Structure):
    _fields_ = (("length", c_size_t), ("value", c_void_p))


class _Oid(Structure):
    _fields_ = (("length", c_uint32), ("elements", c_char_p))


class _Pair(Structure):
    _fields_ = (("key", c_char_p), ("value", c_char_p))


class _Store(Structure):
    _fields_ = (("count", c_uint32), ("elements", POINTER(_Pair)))


@functools.cache
def _library() -> Any:
    for name in _LIBRARIES:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise Unavailable("the machine has no Kerberos library (libgssapi_krb5; on Debian libgssapi-krb5-2)")


def _oid(encoded: bytes) -> _Oid:
    return _Oid(len(encoded), encoded)


def _buffer(content: bytes) -> _Buffer:
    """Return a buffer that lives as long as `content`."""
    return _Buffer(len(content), ctypes.cast(c_char_p(content), c_void_p))


def _taken(buffer: _Buffer) -> bytes:
    """Return what the library has put into a buffer, and give it back."""
    content = ctypes.string_at(buffer.value, buffer.length) if buffer.value else b""
    _library().gss_release_buffer(byref(c_uint32()), byref(buffer))
    return content


def _check(major: int, minor: c_uint32) -> int:
    """Return what a call says beside errors (RFC 2744 3.9.1).

    Raises:
        Refused: it is an error.
    """
    major &= 0xFFFFFFFF
    if not major & 0xFFFF0000:
        return major
    said = [_told(major, _BY_GSSAPI), _told(minor.value, _BY_MECHANISM) if minor.value else ""]
    raise Refused(": ".join(each for each in said if each), minor.value)


def _told(code: int, kind: int) -> str:
    more, text = c_uint32(0), _Buffer()
    _library().gss_display_status(
        byref(c_uint32()), c_uint32(code), c_int(kind), byref(_oid(_KERBEROS)), byref(more), byref(text)
    )
    return _taken(text).decode("utf-8", "replace").strip().rstrip(".")


class Context:
    """A security context with a server, as the side that begins. It belongs to one thread at a time."""

    def __init__(self, service: str, *, keytab: str | None = None, user: str = "") -> None:
        """`service` is `ldap@host`. With a keytab, tickets are got and renewed by it; else one must be there."""
        self.complete = False
        self._context, self._name, self._credentials = c_void_p(), c_void_p(), c_void_p()
        self._import(service, _NAME_OF_SERVICE, self._name)
        if keytab is not None:
            self._acquire(keytab, user)

    def _import(self, text: str, kind: bytes, name: c_void_p) -> None:
        content = text.encode()
        minor = c_uint32()
        _check(_library().gss_import_name(byref(minor), byref(_buffer(content)), byref(_oid(kind)), byref(name)), minor)

    def _acquire(self, keytab: str, user: str) -> None:
        acquire = getattr(_library(), "gss_acquire_cred_from", None)
        if acquire is None:
            raise Unavailable("this machine's Kerberos library takes no keytab from a program; use a ticket")
        # Tickets stay in this process; a cache of its own for each keytab and account.
        pairs = (_Pair * 2)(
            _Pair(b"client_keytab", keytab.encode()), _Pair(b"ccache", f"MEMORY:isthmus {keytab} {user}".encode())
        )
        minor, name = c_uint32(), c_void_p()
        try:
            if user:
                self._import(user, _NAME_OF_USER, name)
            major = acquire(
                byref(minor), name, c_uint32(_NO_MATTER), None, c_int(_INITIATE), byref(_Store(2, pairs)),
                byref(self._credentials), None, None,
            )  # fmt: skip
            _check(major, minor)
        finally:
            if name:
                _library().gss_release_name(byref(c_uint32()), byref(name))

    def step(self, token: bytes = b"") -> bytes:
        """Take the server's token, return ours; the first may ask the KDC for a ticket."""
        minor, given = c_uint32(), _Buffer()
        major = _library().gss_init_sec_context(
            byref(minor), self._credentials, byref(self._context), self._name, byref(_oid(_KERBEROS)),
            c_uint32(_MUTUAL_REPLAY_SEQUENCE_INTEGRITY), c_uint32(_NO_MATTER), None,
            byref(_buffer(token)) if token else None, None, byref(given), None, None,
        )  # fmt: skip
        answer = _taken(given)
        self.complete = _check(major, minor) & _CONTINUE == 0
        return answer

    def unwrap(self, wrapped: bytes) -> bytes:
        minor, content = c_uint32(), _Buffer()
        major = _library().gss_unwrap(byref(minor), self._context, byref(_buffer(wrapped)), byref(content), None, None)
        _check(major, minor)
        return _taken(content)

    def wrap(self, content: bytes) -> bytes:
        """Sign, without encryption."""
        minor, wrapped = c_uint32(), _Buffer()
        major = _library().gss_wrap(
            byref(minor), self._context, c_int(0), c_uint32(0), byref(_buffer(content)), None, byref(wrapped)
        )
        _check(major, minor)
        return _taken(wrapped)

    def close(self) -> None:
        minor = c_uint32()
        if self._context:
            _library().gss_delete_sec_context(byref(minor), byref(self._context), None)
        if self._name:
            _library().gss_release_name(byref(minor), byref(self._name))
        if self._credentials:
            _library().gss_release_cred(byref(minor), byref(self._credentials))

    __del__ = close  # one that nobody waited for any longer
