"""One writer at a time for each jurisdiction's incidents and audit chain.

Overlap is no unique key, so attach-or-open cannot lean on a constraint. Every transaction that changes incidents first
raises the revision in the jurisdiction's state row: on PostgreSQL that row's lock makes the others wait, and what they
read afterwards is what we committed; on SQLite the writing transaction already does.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, update
from sqlalchemy.dialects import postgresql, sqlite

from schemas.tables.detection import jurisdiction_state
from schemas.vocabulary import Jurisdiction

_STATE = jurisdiction_state.c


def hold(connection: Connection, jurisdiction: Jurisdiction) -> None:
    """Wait for our turn to change ``jurisdiction``'s incidents and audit chain, until the transaction ends."""
    raise_revision = (
        update(jurisdiction_state)
        .where(_STATE.jurisdiction == jurisdiction)
        .values(revision=_STATE.revision + 1)
    )
    if connection.execute(raise_revision).rowcount == 1:
        return
    insert_missing(
        connection,
        jurisdiction_state,
        [
            {
                "jurisdiction": jurisdiction,
                "revision": 0,
                "audit_head": "",
                "audit_length": 0,
                "dirty_revision": 0,
                "clean_revision": 0,
            }
        ],
    )
    connection.execute(raise_revision)


def insert_missing(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert the rows whose key is not there yet; return how many there were (the rest are left as they stand).

    They are counted by what comes back, because a driver need not say how many rows such an insert made.
    """
    statement = _inserting(connection, table).returning(*table.primary_key.columns)
    return sum(len(connection.execute(statement, dict(row)).all()) for row in rows)


def insert_missing_many(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert the rows whose key is not there yet, in one round; nobody needs to know how many there were."""
    if rows:
        connection.execute(_inserting(connection, table), [dict(row) for row in rows])


def _inserting(connection: Connection, table: Table) -> Any:  # noqa: ANN401 (two dialects' statements)
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    return make(table).on_conflict_do_nothing()
