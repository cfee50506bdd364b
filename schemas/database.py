"""How a transaction is opened: the protocol that ``tocsin.database`` implements for SQLite and PostgreSQL.

Functions that write take the open :class:`sqlalchemy.Connection` and never commit, retry or touch the network. Only an
intake batch, a detection run's write, a web or CLI command, a timer's step, a sender's claim and a sender's result open
a transaction, and they do it with one of these two methods.
"""

from contextlib import AbstractContextManager
from typing import Protocol

from sqlalchemy import Connection


class Database(Protocol):
    """The system of record, seen from the code that opens transactions."""

    def write(self) -> AbstractContextManager[Connection]:
        """Open a writing transaction; it commits at the end of the block, or rolls back if the block raises.

        On SQLite it begins with ``BEGIN IMMEDIATE`` and writers of one process are served in the order they came.
        """
        ...

    def read(self) -> AbstractContextManager[Connection]:
        """Open a read-only transaction that sees one moment's state; it is always rolled back."""
        ...
