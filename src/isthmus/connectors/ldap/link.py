"""One bound connection: operations with a limit of time, failures in our words."""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import ldap
import ldap.extop
from ldap.controls import (
    DecodeControlTuples,
    LDAPControl,
    RequestControl,
    ResponseControl,
    SimplePagedResultsControl,
)
from ldap.ldapobject import SimpleLDAPObject

from isthmus.connectors.ldap.errors import Failure, Kind, failure_of
from isthmus.connectors.ldap.watchdog import Watched, watchdog

T = TypeVar("T")

Values = dict[str, list[bytes]]
"""Values by attribute name in lower case."""

Modification = tuple[int, str, list[bytes] | None]
"""(ldap.MOD_ADD, MOD_DELETE or MOD_REPLACE, name, values)."""


class _Encoded(ResponseControl):  # type: ignore[misc]  # the library carries no types
    """A control whose value stays as it came."""

    def decodeControlValue(self, encodedControlValue: bytes | None) -> None:  # noqa: N802, N803  the library's names
        self.encodedControlValue = encodedControlValue


class _Controls(dict[str, type[ResponseControl]]):
    """Every control that is not decoded is kept; the library would drop it."""

    def __missing__(self, _oid: str) -> type[ResponseControl]:
        return _Encoded


_CONTROLS = _Controls({SimplePagedResultsControl.controlType: SimplePagedResultsControl})

_COMPARED_AT_ONCE = 50
_FAREWELL = 1.0  # seconds for a polite end of a healthy connection
_LOST = {Kind.LOST, Kind.TLS, Kind.UNREACHABLE}


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as the server sent it."""

    dn: str
    values: Values


@dataclass(frozen=True, slots=True)
class Answer:
    """What a search brought. `controls` are those of its end, `entry_controls` those of each entry."""

    entries: list[Entry]
    controls: Sequence[LDAPControl] = ()
    entry_controls: list[Sequence[LDAPControl]] = field(default_factory=list)
    references: tuple[str, ...] = ()


class Link:
    """A connection. After a failure without a definite answer it is `broken` and used no more."""

    def __init__(self, library: SimpleLDAPObject, sock: socket.socket, url: str) -> None:
        self.library = library
        # The C part: the library's Python around it takes locks and wraps what we do not need, a third of a search.
        self._direct: Any = library._l
        self.url = url
        self.broken = False
        self.session = ""
        self._socket = sock
        self._incoming = select.poll()
        self._incoming.register(sock, select.POLLIN | select.POLLHUP | select.POLLERR)
        self._watched = Watched(sock)
        watchdog.add(self._watched)

    def quiet(self) -> bool:
        """Whether nothing has come in: bytes nobody asked for are the server's farewell (RFC 4511 4.4.1)."""
        if self.broken:
            return False
        return not self._incoming.poll(0)

    def close(self) -> None:
        if self.broken:
            self._watched.cut()
        with contextlib.suppress(ldap.LDAPError), watchdog.limit(self._watched, _FAREWELL):
            self.library.unbind_ext()
        watchdog.remove(self._watched)
        self._socket.close()

    def interrupt(self) -> None:
        """End it from another thread; the one that waits gets a failure."""
        self._watched.expired = True
        self._watched.cut()

    # operations

    def search(
        self,
        base: str,
        scope: int,
        filter: str,
        attributes: Sequence[str],
        *,
        seconds: float,
        controls: Sequence[RequestControl] = (),
        size_limit: int = 0,
    ) -> Answer:
        """Return all entries of a search."""
        return self.finish_search(
            self.start_search(
                base, scope, filter, attributes, seconds=seconds, controls=controls, size_limit=size_limit
            ),
            seconds=seconds,
        )

    def start_search(
        self,
        base: str,
        scope: int,
        filter: str,
        attributes: Sequence[str],
        *,
        seconds: float,
        controls: Sequence[RequestControl] = (),
        size_limit: int = 0,
    ) -> int:
        """Send a search and return its number; several may be under way."""
        asked = list(attributes) or ["1.1"]
        return self._sent(
            seconds,
            (),
            self._direct.search_ext,
            base,
            scope,
            filter,
            asked,
            0,
            _encoded(controls),
            None,
            -1,
            size_limit,
        )

    def finish_search(self, number: int, *, seconds: float) -> Answer:
        _, found, _, controls = self._call(seconds, (), self._direct.result4, number, 1, seconds, 0, 0, 0)
        return _answer(found or (), _decoded(controls))

    def stream(
        self,
        base: str,
        scope: int,
        filter: str,
        attributes: Sequence[str],
        *,
        seconds: float,
        controls: Sequence[RequestControl] = (),
        size_limit: int = 0,
    ) -> Iterator[Answer]:
        """Yield what a search brings as it comes, with intermediate responses; `seconds` between two of them.

        The last one carries the controls of the end. Whoever stops early must drop the connection.
        """
        number = self.start_search(
            base, scope, filter, attributes, seconds=seconds, controls=controls, size_limit=size_limit
        )
        while True:
            kind, found, _, ended, _, _ = self.run(lambda: self._next(number, seconds), seconds)
            if kind == ldap.RES_SEARCH_RESULT:
                yield _answer((), ended or ())
                return
            if kind == ldap.RES_INTERMEDIATE:
                yield _intermediate(found or ())
                continue
            yield _answer_with_controls(found or ())

    def _next(self, number: int, seconds: float) -> tuple[Any, ...]:
        answered: tuple[Any, ...] = self.library.result4(number, 0, seconds, 1, 1, resp_ctrl_classes=_CONTROLS)
        return answered

    def listen(self, number: int, *, wait: float, seconds: float) -> Answer | None:
        """Return the next message of a search that goes on for ever; None if none has come within `wait`.

        `seconds`: how long a message may take whose beginning has come.
        """
        wait = max(wait, 0.001)  # python-ldap fails over the empty answer to a poll (timeout 0) that asks for controls
        answered = self.run(lambda: self._come(number, wait), wait + seconds)
        if answered is None:
            return None
        kind, found, *_ = answered
        if kind == ldap.RES_SEARCH_RESULT:
            raise Failure(Kind.LOST, "", "the server ended the search that was to go on")
        if kind == ldap.RES_INTERMEDIATE:
            return _intermediate(found or ())
        return _answer_with_controls(found or ())

    def _come(self, number: int, wait: float) -> tuple[Any, ...] | None:
        try:
            return self._next(number, wait)
        except ldap.TIMEOUT:
            return None

    def add(self, dn: str, values: Sequence[tuple[str, list[bytes]]], **more: Any) -> Sequence[LDAPControl]:
        return self._written(self._direct.add_ext, dn, list(values), **more)

    def modify(self, dn: str, changes: Sequence[Modification], **more: Any) -> Sequence[LDAPControl]:
        return self._written(self._direct.modify_ext, dn, list(changes), **more)

    def start_modify(
        self,
        dn: str,
        changes: Sequence[Modification],
        *,
        seconds: float,
        controls: Sequence[RequestControl] = (),
        hidden: Sequence[str] = (),
    ) -> int:
        """Send a modification and return its number; several may be under way, in whatever order the server does them.

        Whoever does not `finish_write` all of them must drop the connection.
        """
        return self._sent(seconds, hidden, self._direct.modify_ext, dn, list(changes), _encoded(controls), None)

    def finish_write(self, number: int, *, seconds: float, hidden: Sequence[str] = ()) -> Sequence[LDAPControl]:
        """Wait for the answer to a write."""
        _, _, _, answered = self._call(seconds, hidden, self._direct.result4, number, 1, seconds, 0, 0, 0)
        return _decoded(answered)

    def compare(self, dn: str, name: str, values: Sequence[bytes], *, seconds: float) -> list[bool | None]:
        """Return, for each value, whether the entry has it by the server's own rule (RFC 4511 4.10).

        None: the server does not tell us.
        """
        found: list[bool | None] = []
        try:
            for start in range(0, len(values), _COMPARED_AT_ONCE):
                part = values[start : start + _COMPARED_AT_ONCE]
                numbers = [self._sent(seconds, (), self.library.compare_ext, dn, name, value) for value in part]
                found += [self._compared(number, seconds) for number in numbers]
        except Failure:
            self.broken = True  # answers may still be on their way
            raise
        return found

    def _compared(self, number: int, seconds: float) -> bool | None:
        def told() -> bool | None:
            try:
                self.library.result4(number, 1, seconds)
            except ldap.COMPARE_TRUE:
                return True
            except (ldap.COMPARE_FALSE, ldap.NO_SUCH_ATTRIBUTE):
                return False
            except ldap.INSUFFICIENT_ACCESS:
                return None
            raise Failure(Kind.BROKEN, "", "the answer to a comparison is neither true nor false")

        return self.run(told, seconds)

    def rename(
        self, dn: str, rdn: str, parent: str | None, *, delete_old: bool = True, **more: Any
    ) -> Sequence[LDAPControl]:
        return self._written(self._direct.rename, dn, rdn, parent, int(delete_old), **more)

    def delete(self, dn: str, **more: Any) -> Sequence[LDAPControl]:
        return self._written(self._direct.delete_ext, dn, **more)

    def log_in(
        self, user: str, password: str, *, seconds: float, controls: Sequence[RequestControl]
    ) -> Sequence[LDAPControl]:
        """Log in by name and password."""
        return self._written(
            self._direct.simple_bind, user, password, seconds=seconds, controls=controls, hidden=(password,)
        )

    def set_password(self, dn: str, password: str, *, seconds: float) -> None:
        """Change a password by RFC 3062."""
        self._written(self._direct.passwd, dn, None, password, seconds=seconds, hidden=(password,))

    def who_am_i(self, *, seconds: float) -> str:
        """Return the server's name for us (RFC 4532)."""
        request = ldap.extop.ExtendedRequest("1.3.6.1.4.1.4203.1.11.3", None)
        number = self._sent(seconds, (), self.library.extop, request)
        *_, value = self.run(lambda: self.library.result4(number, 1, seconds, add_extop=1), seconds)
        return (value or b"").decode("utf-8", "replace")

    # what all of them share

    def run(self, action: Callable[[], T], seconds: float, *, hidden: Sequence[str] = ()) -> T:
        """Run a call of the library that waits for its own answer, such as a log-in."""
        return self._call(seconds, hidden, action)

    def _written(
        self,
        send: Callable[..., int],
        *arguments: object,
        seconds: float,
        controls: Sequence[RequestControl] = (),
        hidden: Sequence[str] = (),
    ) -> Sequence[LDAPControl]:
        number = self._sent(seconds, hidden, send, *arguments, _encoded(controls), None)
        return self.finish_write(number, seconds=seconds, hidden=hidden)

    def _sent(self, seconds: float, hidden: Sequence[str], send: Callable[..., int], *arguments: object) -> int:
        """Send; a request that did not leave as a whole is never carried out."""
        try:
            return self._call(seconds, hidden, send, *arguments)
        except Failure as failure:
            failure.nothing_sent = True
            raise

    def _call(self, seconds: float, hidden: Sequence[str], function: Callable[..., T], *arguments: object) -> T:
        """Call the library with a limit of time; written out, for it is done twice for each request."""
        watched = self._watched
        watchdog.begin(watched, seconds)
        try:
            return function(*arguments)
        except ldap.LDAPError as exc:
            failure = failure_of(exc, hidden=hidden)
            if watched.expired or isinstance(exc, ldap.TIMEOUT):
                failure = Failure(Kind.LOST, "TIMEOUT", f"no answer within {seconds:.1f} s")
            if failure.kind in _LOST:
                self.broken = True
            if hidden:
                raise failure from None  # the library's own text may repeat what it was given
            raise failure from exc
        except (TypeError, ValueError, UnicodeError) as exc:
            # The library refuses such arguments before it sends anything (a NUL in a name, for example).
            raise Failure(Kind.BAD_VALUE, type(exc).__name__, "a value cannot be sent", nothing_sent=True) from None
        finally:
            watched.deadline = None


def _encoded(controls: Sequence[RequestControl]) -> list[tuple[str, bool, bytes | None]] | None:
    """Return controls as the library's C part takes them."""
    return [(each.controlType, each.criticality, each.encodeControlValue()) for each in controls] or None


def _decoded(controls: Sequence[tuple[str, bool, bytes]] | None) -> Sequence[LDAPControl]:
    return DecodeControlTuples(controls, _CONTROLS) if controls else ()


def _answer(found: Sequence[tuple[Any, ...]], controls: Sequence[LDAPControl]) -> Answer:
    entries, references = [], []
    for dn, values, *_ in found:
        if dn is None:
            references += [str(each) for each in values]
        else:
            entries.append(Entry(dn, {name.lower(): given for name, given in values.items()}))
    return Answer(entries, controls, references=tuple(references))


def _intermediate(found: Sequence[tuple[Any, ...]]) -> Answer:
    return Answer([], [LDAPControl(each[0], False, None, each[1]) for each in found])


def _answer_with_controls(found: Sequence[tuple[Any, ...]]) -> Answer:
    plain = _answer(found, ())
    return Answer(plain.entries, (), [each[2] for each in found if each[0] is not None], plain.references)
