"""The database: SQLite as the embedded default, PostgreSQL in production.

This is the one implementation of ``schemas.database.Database``, made by the composition root. On SQLite every writing
transaction begins with ``BEGIN IMMEDIATE`` (a read that turns into a write fails at once with "database is locked"), and
writers of one process are served in the order they came, so that a bulk load cannot starve a person's acknowledgement.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL

_BUSY_MILLISECONDS = 30_000
"""How long a writer waits for another process (the command line beside the service) before it gives up."""


class FirstComeLock:
    """A lock that serves waiters in the order in which they asked; ``threading.Lock`` promises no order."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._held = False
        self._waiting: deque[threading.Event] = deque()

    def acquire(self) -> None:
        """Wait for our turn."""
        with self._guard:
            if not self._held:
                self._held = True
                return
            turn = threading.Event()
            self._waiting.append(turn)
        turn.wait()

    def release(self) -> None:
        """Hand the lock to whoever has waited longest."""
        with self._guard:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._held = False

    def __enter__(self) -> None:
        """Acquire."""
        self.acquire()

    def __exit__(self, *_: object) -> None:
        """Release."""
        self.release()


class SqlDatabase:
    """Opens transactions on one database.

    Parameters
    ----------
    url : str
        A SQLAlchemy URL: ``sqlite:///path/to/file`` or ``postgresql+psycopg://...``.
    durable : bool
        Whether a commit waits for the disk. Off only for an SQLite file that can be made again: a replay, the demo.
    """

    def __init__(self, url: str, *, durable: bool = True) -> None:
        self.url: URL = make_url(url)
        self.engine: Engine = create_engine(self.url, **_pool_settings(self.url))
        self._turns = FirstComeLock()
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            if self.url.database:
                Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
            event.listen(self.engine, "connect", partial(_prepare_sqlite, durable))
            event.listen(self.engine, "begin", _begin_sqlite)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a writing transaction; see :class:`schemas.database.Database`."""
        if not self.is_sqlite:
            with self.engine.begin() as connection:
                yield connection
            return
        with (
            self._turns,
            self.engine.connect().execution_options(tocsin_writes=True) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a read-only transaction on one snapshot; see :class:`schemas.database.Database`."""
        with self.engine.connect() as connection:
            if not self.is_sqlite:
                connection = connection.execution_options(  # noqa: PLW2901 (the same connection, with its options set)
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            with connection.begin() as transaction:
                yield connection
                transaction.rollback()

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


def _pool_settings(url: URL) -> dict[str, Any]:
    if url.get_backend_name() == "sqlite":
        return {"connect_args": {"timeout": _BUSY_MILLISECONDS / 1000, "check_same_thread": False}}
    return {"pool_size": 8, "max_overflow": 8, "pool_pre_ping": True}


def _prepare_sqlite(durable: bool, connection: Any, _record: object) -> None:  # noqa: ANN401, FBT001 (a driver's hook)
    connection.isolation_level = None  # we begin our own transactions
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout = {_BUSY_MILLISECONDS}",
        "journal_mode = WAL",
        f"synchronous = {'FULL' if durable else 'OFF'}",
        "foreign_keys = ON",
        "temp_store = MEMORY",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("tocsin_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
