"""Housekeeping: once a day, forget what is to be forgotten.

Tokens go after 28 days, unknown substance strings after 30, handled log records after 7, events when their retention
ends (their counts with them, so that the cube still equals the events).
"""

from collections.abc import Callable, Mapping
from datetime import datetime, time, timedelta

import structlog
from sqlalchemy import Connection, delete, select

from schemas.clock import civil_day, next_local_time
from schemas.database import Database
from schemas.events import Status
from schemas.tables.events import event_version
from schemas.vocabulary import Jurisdiction
from streams.counting import CountDeltas, contribution_of
from streams.profile import JurisdictionProfile
from streams.sources import forget_unknown_substances
from streams.versions import forget_tokens

log = structlog.get_logger(__name__)

TOKENS_KEPT = timedelta(days=28)
UNKNOWN_SUBSTANCES_KEPT = timedelta(days=30)
LOG_KEPT = timedelta(days=7)
_AT = time(3, 30)
_ROWS_A_TURN = 500


class Housekeeping:
    """The job that forgets."""

    name = "housekeeping"

    def __init__(
        self,
        database: Database,
        profiles: Mapping[Jurisdiction, JurisdictionProfile],
        *,
        prune_log: Callable[[datetime], int],
        started_at: datetime,
    ) -> None:
        self._database = database
        self._profiles = profiles
        self._prune_log = prune_log
        self._last_run = started_at

    def next_due(self, now: datetime) -> datetime | None:  # noqa: ARG002 (a job's signature)
        """Return half past three in the morning after the last run."""
        return next_local_time(self._last_run, _AT)

    def run(self, now: datetime) -> None:
        """Forget what is due."""
        with self._database.write() as connection:
            tokens = forget_tokens(connection, now - TOKENS_KEPT)
            strings = forget_unknown_substances(connection, now - UNKNOWN_SUBSTANCES_KEPT)
        records = self._prune_log(now - LOG_KEPT)
        events = 0
        while True:
            with self._database.write() as connection:
                gone = forget_events(connection, self._profiles, now)
            events += gone
            if gone < _ROWS_A_TURN:
                break
        self._last_run = now
        log.info("housekeeping.done", tokens=tokens, substances=strings, log_records=records, events=events)


def forget_events(
    connection: Connection, profiles: Mapping[Jurisdiction, JurisdictionProfile], now: datetime
) -> int:
    """Delete up to 500 event versions whose retention has ended, and take them out of the counts; return how many."""
    table = event_version.c
    rows = connection.execute(
        select(event_version)
        .where(table.retain_until < civil_day(now), table.jurisdiction.in_(sorted(profiles)))
        .order_by(table.id)
        .limit(_ROWS_A_TURN)
    ).all()
    deltas = CountDeltas(profiles)
    for row in rows:
        if row.superseded_at is None and row.status != Status.RETRACTED.value:
            deltas.add(contribution_of(row), -1)
    deltas.write(connection)
    if rows:
        connection.execute(delete(event_version).where(table.id.in_([row.id for row in rows])))
    return len(rows)
