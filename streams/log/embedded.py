"""The embedded event log: an append-only table with one reader, for one process and no services.

``append`` wakes the reader. A batch is acknowledged by moving the cursor after ``handle`` has returned, so a crash in
between brings the batch again; intake knows redelivered positions by the ones it has applied. ``drain`` handles what
is there and returns, which is what the virtual clock of replay, demo and timeline tests needs.
"""

import threading
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select, text, update
from sqlalchemy.exc import OperationalError

from schemas.database import Database
from schemas.tables.log import event_log, event_log_cursor
from schemas.vocabulary import Delivery, Feed, Jurisdiction
from streams.log.port import Handle, LogRecord, Position, Positioned

TOPIC = "embedded"
_READER = "intake"
_BATCH = 500
"""Rows in one writing transaction at most: more would keep a person's acknowledgement waiting."""
_LOOK_SECONDS = 1.0
"""How long the reader sleeps at most: a process beside this one may have appended without waking it."""
_PAUSE_SECONDS = 0.002
"""A breath after each full batch of a long backlog, so that other writers get in between."""
_RETRY_SECONDS = (0.1, 0.5, 2.0, 5.0)

_CURSOR = select(func.coalesce(func.max(event_log_cursor.c.position), 0)).scalar_subquery()
"""The last position that the reader has acknowledged; 0 before the first."""


class EmbeddedLog:
    """An :class:`streams.log.port.EventLog` in a table of the service's own database."""

    def __init__(self, database: Database, *, batch: int = _BATCH) -> None:
        self._database = database
        self._batch = batch
        self._appended = threading.Event()

    def append(self, records: Sequence[LogRecord]) -> None:
        """Store ``records`` in order; all of them are durable when this returns, in transactions of bounded size."""
        for start in range(0, len(records), self._batch):
            rows = [
                {
                    "feed": record.feed.value,
                    "jurisdiction": record.jurisdiction,
                    "delivery": record.delivery.value,
                    "origin": record.origin,
                    "received_at": record.received_at,
                    "body": record.body,
                }
                for record in records[start : start + self._batch]
            ]
            with self._database.write() as connection:
                _keep_commit_order(connection)
                connection.execute(insert(event_log), rows)
        self._appended.set()

    def run(self, handle: Handle, stop: threading.Event) -> None:
        """Hand batches to ``handle`` until ``stop`` is set; one that raises is handed over again.

        A failing database is retried with growing pauses; any other failure, and a database that stays away, ends the
        loop with its exception, for the supervisor to restart the process.
        """
        failures = 0
        while not stop.is_set():
            self._appended.clear()
            try:
                handled = self._step(handle)
            except OperationalError:
                if failures == len(_RETRY_SECONDS):
                    raise
                stop.wait(_RETRY_SECONDS[failures])
                failures += 1
                continue
            failures = 0
            if handled == self._batch:
                stop.wait(_PAUSE_SECONDS)
            elif not handled:
                self._appended.wait(_LOOK_SECONDS)

    def drain(self, handle: Handle) -> int:
        """Handle everything that is in the log now, and return how many records that was."""
        total = 0
        while handled := self._step(handle):
            total += handled
        return total

    def wake(self) -> None:
        """Make a sleeping reader look at once (used when stopping)."""
        self._appended.set()

    def backlog(self) -> int:
        """Return how many records wait for the reader."""
        with self._database.read() as connection:
            waiting = connection.execute(
                select(func.count()).where(event_log.c.position > _CURSOR)
            ).scalar_one()
        return int(waiting)

    def prune(self, received_before: datetime) -> int:
        """Delete handled records received before a moment; the database's event versions are the record from then on."""
        with self._database.write() as connection:
            done = connection.execute(
                delete(event_log).where(
                    event_log.c.position <= _CURSOR, event_log.c.received_at < received_before
                )
            )
        return done.rowcount

    def _step(self, handle: Handle) -> int:
        batch = self._next_batch()
        if batch:
            handle(batch)
            self._acknowledge(batch[-1].position.offset)
        return len(batch)

    def _next_batch(self) -> list[Positioned]:
        with self._database.read() as connection:
            rows = connection.execute(
                select(event_log)
                .where(event_log.c.position > _CURSOR)
                .order_by(event_log.c.position)
                .limit(self._batch)
            ).all()
        return [
            Positioned(
                Position(TOPIC, 0, row.position),
                LogRecord(
                    feed=Feed(row.feed),
                    jurisdiction=Jurisdiction(row.jurisdiction),
                    delivery=Delivery(row.delivery),
                    origin=row.origin,
                    received_at=row.received_at,
                    body=row.body,
                ),
            )
            for row in rows
        ]

    def _acknowledge(self, position: int) -> None:
        with self._database.write() as connection:
            moved = connection.execute(
                update(event_log_cursor).where(event_log_cursor.c.reader == _READER).values(position=position)
            )
            if moved.rowcount == 0:
                connection.execute(insert(event_log_cursor).values(reader=_READER, position=position))


def _keep_commit_order(connection: Connection) -> None:
    """Let one appender in at a time where a database would let several: no position may appear after a later one."""
    if connection.dialect.name == "sqlite":
        return
    connection.execute(text("LOCK TABLE event_log IN SHARE ROW EXCLUSIVE MODE"))
