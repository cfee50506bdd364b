"""The steps by which a database comes to hold the tables of ``schemas.tables``: Alembic, driven from Python.

The service and ``tocsin db upgrade`` call :func:`upgrade`; whoever opens a database asks :func:`is_at_head` first. No
``alembic.ini`` is needed: the scripts are found beside this file, whatever the working directory. The steps only ever
go forward (a table that people's decisions stand in is not dropped by a command), and nothing here holds SQL.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, NullPool, create_engine

# Alembic says at every look which database it sees; that is news to nobody.
logging.getLogger("alembic.runtime.migration").setLevel(logging.WARNING)

Where = Connection | Engine | str
"""An open writing transaction, or what one can be opened on."""


class UnknownVersionError(RuntimeError):
    """The database is at a version that this Tocsin has no step for: a newer Tocsin wrote it."""


def upgrade(where: Where) -> bool:
    """Bring a database to the newest version, and return whether anything was to do.

    Parameters
    ----------
    where : Connection, Engine or str
        Given an open transaction, everything happens in it and the caller commits: all steps or none. Given an engine
        or a URL, one is opened and committed here.

    Raises
    ------
    UnknownVersionError
        If the database was made by a newer Tocsin.
    """
    with _connected(where) as connection:
        found = current(connection)
        if found == head():
            return False
        _refuse_unknown(found)
        _run_steps(connection)
        return True


def current(where: Where) -> str | None:
    """Return the version that a database is at, or nothing for one that was never set up."""
    with _connected(where) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def is_at_head(where: Where) -> bool:
    """Return whether a database holds exactly the tables that this Tocsin uses."""
    return current(where) == head()


@cache
def head() -> str:
    """Return the newest version there is."""
    return versions()[-1]


@cache
def versions() -> tuple[str, ...]:
    """Return every version there is, oldest first."""
    scripts = ScriptDirectory(str(Path(__file__).parent))
    return tuple(reversed([step.revision for step in scripts.walk_revisions()]))


def _refuse_unknown(found: str | None) -> None:
    if found is not None and found not in versions():
        msg = f"The database is at version {found}, which this Tocsin is too old to know; install the newer one."
        raise UnknownVersionError(msg)


def _run_steps(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


@contextmanager
def _connected(where: Where) -> Iterator[Connection]:
    if isinstance(where, Connection):
        yield where
    elif isinstance(where, Engine):
        with where.begin() as connection:
            yield connection
    else:
        engine = create_engine(where, poolclass=NullPool)
        with engine.begin() as connection:
            yield connection
