"""The metrics that are read from the database, with a short memory.

The wiring registers one :class:`DatabaseGauges` in the registry of :class:`tocsin.metrics.Metrics`. A scrape reads in a
read-only transaction, and at most every 15 seconds however often it comes, so that it never holds up intake. When
the database does not answer, ``tocsin_database_up`` is 0 and the rest is left out: stale figures would look alive.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

import structlog
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Connection, and_, func, select
from sqlalchemy.exc import SQLAlchemyError

from schemas.clock import Clock
from schemas.database import Database
from schemas.incidents import Phase
from schemas.tables.detection import jurisdiction_state
from schemas.tables.events import feed_source, quarantine
from schemas.tables.incidents import incident, incident_decision
from schemas.tables.outbox import outbox
from schemas.vocabulary import Feed, Jurisdiction
from tocsin.metrics import BY_NAME, FAMILIES

log = structlog.get_logger(__name__)

MEMORY = timedelta(seconds=15)
_OWED = ("pending", "claimed")

Samples = dict[str, dict[tuple[str, ...], float]]
"""Family to label values to figure."""


class DatabaseGauges(Collector):
    """Reads the gauges that :data:`tocsin.metrics.FAMILIES` marks ``from_database``.

    Parameters
    ----------
    database : Database
        Only ever read.
    clock : Clock
        Says how old what is remembered is, and how long a message has waited.
    jurisdictions : sequence
        Those of the settings: each has a figure for each feed, 0 when the feed never spoke.
    backlog : callable
        How many records the event log holds that intake has not taken in.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        jurisdictions: Sequence[Jurisdiction],
        backlog: Callable[[], int],
    ) -> None:
        self._database = database
        self._clock = clock
        self._jurisdictions = tuple(jurisdictions)
        self._backlog = backlog
        self._turn = threading.Lock()
        self._read_at: datetime | None = None
        self._samples: Samples = {}

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Name the families without touching the database."""
        return [_family(family.name) for family in FAMILIES if family.from_database]

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return the gauges as they are now, or were at most 15 seconds ago."""
        families = []
        for name, samples in self._current().items():
            family = _family(name)
            for labels, figure in sorted(samples.items()):
                family.add_metric(labels, figure)
            families.append(family)
        return families

    def _current(self) -> Samples:
        with self._turn:
            now = self._clock.now()
            if self._read_at is None or not timedelta(0) <= now - self._read_at < MEMORY:
                self._samples = self._read(now)
                self._read_at = now
            return self._samples

    def _read(self, now: datetime) -> Samples:
        try:
            backlog = float(self._backlog())
            with self._database.read() as connection:
                samples: Samples = {
                    "tocsin_last_record_timestamp_seconds": _last_records(connection, self._jurisdictions),
                    "tocsin_detection_failing": _failing(connection, self._jurisdictions),
                    "tocsin_incidents_open": _open_incidents(connection),
                    "tocsin_quarantine_waiting": {(): float(_waiting(connection))},
                    **_outbox(connection, now),
                }
        except SQLAlchemyError as error:
            log.warning("metrics.database_away", error=type(error).__name__)
            return {"tocsin_database_up": {(): 0.0}}
        return {"tocsin_database_up": {(): 1.0}, "tocsin_event_log_backlog": {(): backlog}, **samples}


def _family(name: str) -> GaugeMetricFamily:
    family = BY_NAME[name]
    return GaugeMetricFamily(name, family.help, labels=tuple(family.labels))


def _last_records(
    connection: Connection, jurisdictions: Sequence[Jurisdiction]
) -> dict[tuple[str, ...], float]:
    figures: dict[tuple[str, ...], float] = {
        (place, feed.value): 0.0 for place in jurisdictions for feed in Feed
    }
    columns = feed_source.c
    rows = connection.execute(
        select(columns.jurisdiction, columns.feed, func.max(columns.last_received_at)).group_by(
            columns.jurisdiction, columns.feed
        )
    )
    for jurisdiction, feed, last in rows:
        if (jurisdiction, feed) in figures:
            figures[(jurisdiction, feed)] = last.timestamp()
    return figures


def _failing(connection: Connection, jurisdictions: Sequence[Jurisdiction]) -> dict[tuple[str, ...], float]:
    columns = jurisdiction_state.c
    rows = connection.execute(select(columns.jurisdiction, columns.failing_since)).all()
    return {(name,): float(since is not None) for name, since in rows if name in jurisdictions}


def _open_incidents(connection: Connection) -> dict[tuple[str, ...], float]:
    figures: dict[tuple[str, ...], float] = {
        (phase.value,): 0.0 for phase in Phase if phase is not Phase.CLOSED
    }
    phase = func.coalesce(incident_decision.c.phase, Phase.NEW.value)
    rows = connection.execute(
        select(phase, func.count())
        .select_from(incident.outerjoin(incident_decision, incident.c.id == incident_decision.c.incident_id))
        .where(incident_decision.c.closed_at.is_(None))
        .group_by(phase)
    )
    for name, number in rows:
        if (name,) in figures:
            figures[(name,)] = float(number)
    return figures


def _waiting(connection: Connection) -> int:
    return connection.execute(select(func.count()).where(quarantine.c.state == "waiting")).scalar_one()


def _outbox(connection: Connection, now: datetime) -> Samples:
    owed = outbox.c.state.in_(_OWED)
    pending = connection.execute(select(func.count()).where(owed)).scalar_one()
    oldest = connection.execute(
        select(func.min(outbox.c.not_before)).where(and_(owed, outbox.c.not_before <= now))
    ).scalar_one()
    waited = (now - oldest).total_seconds() if oldest is not None else 0.0
    return {
        "tocsin_outbox_pending": {(): float(pending)},
        "tocsin_outbox_oldest_pending_seconds": {(): waited},
    }
