"""Playing records through the whole house on the virtual clock: what replay, demo and timeline tests share.

Records come in the order in which they became known. At each moment the clock is moved there (running whatever falls
due on the way), all records of that moment go through the very path of a live feed (screening, event log, intake), and
what follows from them happens. Same records and seed, same bytes out.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from schemas.events import Event, as_content
from schemas.vocabulary import Delivery, Feed, Jurisdiction
from streams import quarantine
from streams.connectors.records import DecodedRecord, accept
from tocsin.clocks import VirtualClock
from tocsin.engine import VirtualEngine
from tocsin.wiring import House


@dataclass(frozen=True, slots=True)
class Arrival:
    """One record and when it became known."""

    known_at: datetime
    event: Event
    place: str


class Player:
    """Plays arrivals through a house whose clock is virtual.

    Parameters
    ----------
    house : House
    clock : VirtualClock
        The clock the house was built with.
    """

    def __init__(self, house: House, clock: VirtualClock) -> None:
        self._house = house
        self._clock = clock
        self._engine = VirtualEngine(clock, house.log, house.intake.handle, house.jobs)
        self.records = 0

    def backfill(self, arrivals: Iterable[Arrival], origin: str) -> None:
        """Load history in bulk, as known at the present moment: it teaches the baseline and pages nobody."""
        self._send(list(arrivals), Delivery.BACKFILL, origin)
        self._engine.advance_to(self._clock.now())

    def play(
        self,
        arrivals: Iterable[Arrival],
        origin: str,
        *,
        until: datetime | None = None,
        progress: Callable[[datetime, int], None] | None = None,
    ) -> None:
        """Play ``arrivals``, which must be in order of ``known_at``; then go on to ``until``."""
        for moment, batch in _moments(arrivals):
            self._engine.advance_to(moment)
            records = list(batch)
            self._send(records, Delivery.LIVE, origin)
            self._engine.advance_to(moment)
            if progress is not None:
                progress(moment, len(records))
        if until is not None:
            self._engine.advance_to(until)

    def quarantined(self) -> dict[str, int]:
        """Return how many records are in quarantine, by reason code: of what is played, there should be none."""
        with self._house.database.read() as connection:
            return quarantine.counts_by_reason(connection)

    def _send(self, arrivals: list[Arrival], delivery: Delivery, origin: str) -> None:
        now = self._clock.now()
        by_source: dict[tuple[Feed, Jurisdiction], list[DecodedRecord]] = {}
        for arrival in arrivals:
            key = (arrival.event.feed, Jurisdiction(arrival.event.jurisdiction))
            by_source.setdefault(key, []).append(DecodedRecord(arrival.place, as_content(arrival.event)))
        for (feed, jurisdiction), records in sorted(by_source.items()):
            accepted = accept(
                records,
                feed=feed,
                jurisdiction=jurisdiction,
                origin=origin,
                received_at=now,
                delivery=delivery,
                area_codes=self._house.profiles[jurisdiction].geography.areas,
            )
            self._house.log.append(accepted.log_records)
            if accepted.quarantined:
                with self._house.database.write() as connection:
                    quarantine.put(connection, accepted.quarantined, now)
        self.records += len(arrivals)


def _moments(arrivals: Iterable[Arrival]) -> Iterator[tuple[datetime, Iterator[Arrival]]]:
    return groupby(arrivals, key=lambda arrival: arrival.known_at)
