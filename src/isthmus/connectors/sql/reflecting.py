"""Reading the catalogue over a connection of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.engine.reflection import Inspector
from sqlalchemy.exc import DBAPIError, NoSuchTableError, SQLAlchemyError

from isthmus.connectors.sql.database import Database
from isthmus.connectors.sql.errors import Failure, Kind
from isthmus.connectors.sql.layout import Layout
from isthmus.connectors.sql.schema import read_layouts
from isthmus.spi import Call


def reflect(database: Database, call: Call) -> dict[str, Layout]:
    """Return the layout of every object type as the database has it now."""
    with inspected(database, call) as inspector:
        return read_layouts(inspector, database)


@contextmanager
def inspected(database: Database, call: Call) -> Iterator[Inspector]:
    """Give SQLAlchemy's view of the catalogue; whatever it raises becomes a `Failure`."""
    call.check()
    raw = database.catalogue(seconds=call.remaining())
    try:
        engine = sa.create_engine(database.url, creator=lambda: raw, poolclass=sa.pool.StaticPool)
        yield sa.inspect(engine)
    except DBAPIError as error:
        raise database.failure(error.orig or error) from error
    except NoSuchTableError as error:
        raise Failure(Kind.SCHEMA, "", f"there is no table {error}") from error
    except SQLAlchemyError as error:
        raise Failure(Kind.SCHEMA, type(error).__name__, str(error)[:300]) from error
    except TimeoutError as error:
        raise Failure(Kind.LOST, "", str(error)) from error
    finally:
        with contextlib.suppress(Exception):  # it is thrown away; a broken one cannot be closed in order
            raw.close()
