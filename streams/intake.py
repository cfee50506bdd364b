"""Intake: from a batch of the event log to event versions, counts and tripwires, in one transaction.

The event log calls :meth:`Intake.handle`. A batch is decoded outside the transaction; then, all or nothing,

1. records whose log position was applied before (a redelivery) are left out,
2. each record is compared with what is stored of the same identity: a repeat is dropped and counted, other content
   becomes the next version, a retraction takes the event out of the counts,
3. versions and count differences are written, with what the batch says of its sources,
4. records that were refused go to quarantine,
5. jurisdictions are marked dirty for a detection run; tripwires look at what is new, and what they find is stored and
   handed to the incident workflow, as is evidence that was taken back,
6. the log position is noted as applied.

A batch that fails for any reason but the database is tried again record by record; one that fails alone, or that the
database refuses to hold, is a bug of ours: it goes to quarantine and is counted as such, and the feed goes on.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DataError, DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionError

from schemas.clock import Clock
from schemas.database import Database
from schemas.signals import Signal
from schemas.substances import Taxonomy
from schemas.vocabulary import Feed, Jurisdiction
from streams import quarantine, versions
from streams.counting import CountDeltas
from streams.decoding import Decoded, Refusal, decode
from streams.jurisdictions import mark_dirty
from streams.log.port import Positioned
from streams.positions import applied_positions, note_applied
from streams.profile import JurisdictionProfile
from streams.quarantine import QuarantineItem
from streams.signal_store import store
from streams.sources import SourceNews, note_sources, note_unknown_substances

log = structlog.get_logger(__name__)

OnSignals = Callable[[Connection, Sequence[Signal], datetime], None]
"""What the wiring makes of ``alerts``' attach-or-open: called inside the transaction that stored the signals."""

OnWithdrawn = Callable[[Connection, Sequence[str], datetime], None]
"""Called inside the transaction that took back or moved the events of these identities."""


class Tripwires(Protocol):
    """Looks at newly stored events, with what happened around them, and returns signals."""

    def __call__(
        self, connection: Connection, profile: JurisdictionProfile, fresh: Sequence[Decoded], now: datetime
    ) -> Sequence[Signal]:
        """Return the signals that the new events of one jurisdiction give."""
        ...


class IntakeMetrics(Protocol):
    """What intake counts for operators; labels come from closed vocabularies only."""

    def accepted(self, feed: Feed, number: int) -> None:
        """Count event versions stored."""
        ...

    def repeated(self, feed: Feed, kind: str, number: int) -> None:
        """Count a sender's duplicates and our log's redeliveries, apart."""
        ...

    def quarantined(self, feed: Feed | None, code: str, number: int) -> None:
        """Count records put into quarantine, by reason code."""
        ...


@dataclass
class _Tally:
    """What one transaction did, told to the metrics only once it is committed."""

    accepted: dict[Feed, int] = field(default_factory=dict)
    duplicates: dict[Feed, int] = field(default_factory=dict)
    redelivered: dict[Feed, int] = field(default_factory=dict)
    quarantined: dict[tuple[Feed | None, str], int] = field(default_factory=dict)


class Intake:
    """Takes batches from the event log into the database.

    Parameters
    ----------
    database : Database
        The system of record.
    clock : Clock
        Says when a batch is applied; when an event became *known* is the connector's stamp, not this.
    profiles : mapping
        The jurisdictions this service is set up for.
    taxonomy : Taxonomy
        Classifies substance strings.
    tripwires : Tripwires
        Evaluated inside the transaction.
    on_signals, on_withdrawn : callables
        The incident workflow, bound by the wiring.
    metrics : IntakeMetrics
        Told after each commit.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        profiles: Mapping[Jurisdiction, JurisdictionProfile],
        taxonomy: Taxonomy,
        *,
        tripwires: Tripwires,
        on_signals: OnSignals,
        on_withdrawn: OnWithdrawn,
        metrics: IntakeMetrics,
    ) -> None:
        self._database = database
        self._clock = clock
        self._profiles = profiles
        self._taxonomy = taxonomy
        self._tripwires = tripwires
        self._on_signals = on_signals
        self._on_withdrawn = on_withdrawn
        self._metrics = metrics

    def handle(self, batch: Sequence[Positioned]) -> None:
        """Take in one batch; when this returns, all of it is committed."""
        try:
            self._take_in(batch)
        except Exception as error:
            # What the database refuses to hold is the record's matter: raised, it would come again for ever.
            if isinstance(error, DBAPIError | NoConnectionError) and not isinstance(error, DataError):
                raise
            if len(batch) == 1:
                log.exception("intake.record_failed", position=batch[0].position.offset)
                self._set_aside(batch[0])
                return
            log.exception("intake.batch_failed", records=len(batch))
            for item in batch:
                self.handle([item])

    def _take_in(self, batch: Sequence[Positioned]) -> None:
        decoded: list[Decoded] = []
        refused: list[tuple[Positioned, Refusal]] = []
        for item in batch:
            try:
                decoded.append(decode(item, self._profiles, self._taxonomy))
            except Refusal as refusal:
                refused.append((item, refusal))
        now = self._clock.now()
        with self._database.write() as connection:
            tally = self._apply(connection, batch, decoded, refused, now)
        self._tell(tally)

    def _apply(
        self,
        connection: Connection,
        batch: Sequence[Positioned],
        decoded: Sequence[Decoded],
        refused: Sequence[tuple[Positioned, Refusal]],
        now: datetime,
    ) -> _Tally:
        tally = _Tally()
        applied = applied_positions(connection, batch)

        def is_new(item: Positioned) -> bool:
            return item.position.offset > applied.get((item.position.topic, item.position.partition), -1)

        news = SourceNews()
        for one in decoded:
            if not is_new(one.item):
                _count(tally.redelivered, one.event.feed)
                news.redelivered(one)
        fresh = [one for one in decoded if is_new(one.item)]
        outcome = versions.apply(connection, fresh)
        set_aside = [_as_item(item, refusal) for item, refusal in refused if is_new(item)]
        set_aside += [_as_item(one.item, refusal) for one, refusal in outcome.refused]

        deltas = CountDeltas(self._profiles)
        for contribution, sign in outcome.contributions:
            deltas.add(contribution, sign)
        deltas.write(connection)
        for one in outcome.duplicates:
            _count(tally.duplicates, one.event.feed)
            news.duplicate(one)
        for one in outcome.stored:
            _count(tally.accepted, one.event.feed)
            news.accepted(one)
        note_sources(connection, news)
        note_unknown_substances(connection, outcome.stored, now)
        for item in set_aside:
            key = (item.feed, item.reason_code)
            tally.quarantined[key] = tally.quarantined.get(key, 0) + 1
        quarantine.put(connection, set_aside, now)

        mark_dirty(connection, sorted({one.jurisdiction for one in outcome.stored}), now)
        self._look(connection, outcome, now)
        note_applied(connection, batch, applied, now)
        return tally

    def _look(self, connection: Connection, outcome: versions.Outcome, now: datetime) -> None:
        """Run the tripwires over what is new, and tell the incident workflow of evidence that was taken back."""
        for jurisdiction in sorted({one.jurisdiction for one in outcome.stored}):
            fresh = [one for one in outcome.current if one.jurisdiction == jurisdiction]
            if fresh:
                signals = self._tripwires(connection, self._profiles[jurisdiction], fresh, now)
                changed = store(connection, signals, now)
                if changed:
                    self._on_signals(connection, changed, now)
        if outcome.withdrawn:
            self._on_withdrawn(connection, outcome.withdrawn, now)

    def _set_aside(self, item: Positioned) -> None:
        """Quarantine a record on which our own code fails."""
        refusal = Refusal(
            "our_fault",
            "Tocsin could not process this record because of a fault of its own; it is kept here, and an operator should "
            "report it.",
            item.record.body.decode("utf-8", errors="replace"),
            complete=True,
        )
        now = self._clock.now()
        with self._database.write() as connection:
            quarantine.put(connection, [_as_item(item, refusal)], now)
            note_applied(connection, [item], applied_positions(connection, [item]), now)
        self._metrics.quarantined(item.record.feed, refusal.code, 1)

    def _tell(self, tally: _Tally) -> None:
        for feed, number in tally.accepted.items():
            self._metrics.accepted(feed, number)
        for feed, number in tally.duplicates.items():
            self._metrics.repeated(feed, "duplicate", number)
        for feed, number in tally.redelivered.items():
            self._metrics.repeated(feed, "redelivered", number)
        for (refused_feed, code), number in tally.quarantined.items():
            self._metrics.quarantined(refused_feed, code, number)


def _count(tally: dict[Feed, int], feed: Feed) -> None:
    tally[feed] = tally.get(feed, 0) + 1


def _as_item(item: Positioned, refusal: Refusal) -> QuarantineItem:
    position = item.position
    return QuarantineItem(
        place=f"log {position.topic}/{position.partition} at {position.offset}",
        reason_code=refusal.code,
        reason=refusal.sentence,
        body=refusal.body,
        body_complete=refusal.complete,
        feed=item.record.feed,
        jurisdiction=item.record.jurisdiction,
        origin=item.record.origin,
        received_at=item.record.received_at,
        delivery=item.record.delivery,
    )
