"""The one statement that SQLAlchemy Core spells differently on SQLite and PostgreSQL: insert, or else update."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, func
from sqlalchemy.dialects import postgresql, sqlite

_ROWS_A_STATEMENT = 1000


def upsert(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    add: Sequence[str] = (),
    keep_greatest: Sequence[str] = (),
) -> None:
    """Insert ``rows``; where a row with the same primary key stands, add to or raise the named columns.

    Parameters
    ----------
    connection : Connection
        An open writing transaction.
    table : Table
        Rows are matched by its primary key.
    rows : sequence of mappings
        All with the same keys, no primary key twice, and sorted by it where several processes write the table.
    add, keep_greatest : sequences of column names
        Columns that are summed, or overwritten only by a greater value. Others keep what is stored.
    """
    if not rows:
        return
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement: Any = make(table)
    new = statement.excluded
    changes: dict[str, Any] = {name: table.c[name] + new[name] for name in add}
    changes |= {name: _greatest(connection, table.c[name], new[name]) for name in keep_greatest}
    keys = [column.name for column in table.primary_key]
    if changes:
        statement = statement.on_conflict_do_update(index_elements=keys, set_=changes)
    else:
        statement = statement.on_conflict_do_nothing(index_elements=keys)
    for start in range(0, len(rows), _ROWS_A_STATEMENT):
        connection.execute(statement, list(rows[start : start + _ROWS_A_STATEMENT]))


def _greatest(connection: Connection, stored: Any, new: Any) -> Any:  # noqa: ANN401 (column expressions)
    return func.max(stored, new) if connection.dialect.name == "sqlite" else func.greatest(stored, new)
