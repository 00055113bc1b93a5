"""What befalls a database server, each as a context: within it the host's account gets no answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import psycopg
import pymysql

from connectors.servers.process import until
from integration.races.town import Town

Trouble = Callable[[Town], AbstractContextManager[None]]
_TOO_MANY = (1203, 1226)  # ER_TOO_MANY_USER_CONNECTIONS, ER_USER_LIMIT_REACHED


@contextmanager
def stopped(scene: Town) -> Iterator[None]:
    """The server was shut down in order."""
    scene.server.stop()
    yield
    scene.server.start()


@contextmanager
def hung(scene: Town) -> Iterator[None]:
    """The server keeps connections, takes new ones, and says nothing."""
    scene.server.pause()
    try:
        yield
    finally:
        scene.server.resume()


@contextmanager
def failing_over(scene: Town) -> Iterator[None]:
    """The server died; its successor, with the same data at the same address, is on its way."""
    scene.server.kill()
    yield
    scene.server.start()


@contextmanager
def refusing_passwords(scene: Town) -> Iterator[None]:
    """Somebody has changed the password of the account, and its connections are ended."""
    server = scene.server
    _set_password(server, "another one")
    try:
        end_connections(server)
        yield
    finally:
        _set_password(server, server.password)


@contextmanager
def out_of_connections(scene: Town) -> Iterator[None]:
    """The account may not have another connection, and those it had are ended."""
    server = scene.server
    if server.dialect == "postgresql":
        server.run(f"ALTER ROLE {server.user} CONNECTION LIMIT 0")
        try:
            end_connections(server)
            yield
        finally:
            server.run(f"ALTER ROLE {server.user} CONNECTION LIMIT -1")
        return
    server.run(f"ALTER USER {server.user} WITH MAX_USER_CONNECTIONS 1")
    held: list[pymysql.Connection[Any]] = []
    try:
        until(lambda: _takes_the_last(server, held), what="the only connection")
        yield
    finally:
        server.run(f"ALTER USER {server.user} WITH MAX_USER_CONNECTIONS 0")
        for connection in held:
            connection.close()


def _takes_the_last(server: Any, held: list[pymysql.Connection[Any]]) -> bool:
    end_connections(server)
    try:
        held.append(server.connect(administrator=False))
    except pymysql.err.MySQLError as error:
        if error.args[0] not in _TOO_MANY:
            raise
        return False
    return True


def _set_password(server: Any, text: str) -> None:
    if server.dialect == "postgresql":
        literal = psycopg.sql.Literal(text)
        server.run(psycopg.sql.SQL("ALTER ROLE {} PASSWORD {}").format(psycopg.sql.Identifier(server.user), literal))
    else:
        server.run("ALTER USER %s@'%%' IDENTIFIED BY %s", server.user, text)


def end_connections(server: Any) -> None:
    """End every connection of the host's account and return when they are gone."""
    until(lambda: not _ended(server), what="the end of the account's connections")


def _ended(server: Any) -> int:
    """End the connections there are; return how many there were."""
    if server.dialect == "postgresql":
        return len(server.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", server.user))
    numbers = server.run("SELECT id FROM information_schema.processlist WHERE user = %s", server.user)
    for (number,) in numbers:
        try:
            server.run("KILL %s", number)
        except pymysql.err.MySQLError as error:
            if error.args[0] != 1094:  # ER_NO_SUCH_THREAD: it has just ended
                raise
    return len(numbers)


ALL: dict[str, Trouble] = {
    "stopped": stopped,
    "hung": hung,
    "failing over": failing_over,
    "refusing passwords": refusing_passwords,
    "out of connections": out_of_connections,
}
