"""What a card says about each feed, read from the count cube and from what is known of each feed's deliveries.

Cards ask it in the transaction that writes them, the console when it shows an incident. It reads tables that ``streams``
writes, by the shared definitions; it never writes them.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, func, select

from schemas.clock import civil_day
from schemas.geography import AreaCode
from schemas.substances import SubstanceClass
from schemas.tables.counts import count_cell
from schemas.tables.events import feed_source
from schemas.vocabulary import Feed, Jurisdiction, Stratum

STRIP_DAYS: Final = 14
LOOK_BACK_DAYS: Final = 7

_CELL = count_cell.c
_SOURCE = feed_source.c


def daily_counts(
    connection: Connection,
    jurisdiction: Jurisdiction,
    areas: Collection[AreaCode],
    feed: Feed,
    substance_class: SubstanceClass,
    days: tuple[date, date],
) -> list[int]:
    """Return the count of each civil day of ``days`` (both included) in ``areas`` together, as known now.

    ``areas`` must not hold an area and its ancestor: an event is counted at both. Prison, school and self-harm events
    are not among them.
    """
    first, last = days
    rows = connection.execute(
        select(_CELL.day, func.sum(_CELL.count).label("events"))
        .where(
            _CELL.jurisdiction == jurisdiction,
            _CELL.area.in_(sorted(areas)),
            _CELL.grain == "day",
            _CELL.day.between(first, last),
            _CELL.feed == feed.value,
            _CELL.substance_class == substance_class.value,
            _CELL.stratum == Stratum.GENERAL.value,
        )
        .group_by(_CELL.day)
    )
    found = {row.day: int(row.events) for row in rows}
    return [max(0, found.get(first + timedelta(days=i), 0)) for i in range((last - first).days + 1)]


@dataclass(frozen=True, slots=True)
class Sight:
    """Whether a feed can be seen: when we last received anything of it."""

    feed: Feed
    last_received_at: datetime | None

    def is_silent(self, now: datetime, after_days: int) -> bool:
        """Whether nothing has come for so long that its silence cannot be told from calm."""
        return self.last_received_at is None or now - self.last_received_at > timedelta(days=after_days)


def sights(connection: Connection, jurisdiction: Jurisdiction) -> dict[Feed, Sight]:
    """Return for every feed when we last received a record of it in ``jurisdiction``."""
    rows = connection.execute(
        select(_SOURCE.feed, func.max(_SOURCE.last_received_at).label("last"))
        .where(_SOURCE.jurisdiction == jurisdiction)
        .group_by(_SOURCE.feed)
    )
    found = {row.feed: row.last for row in rows}
    return {feed: Sight(feed, found.get(feed.value)) for feed in Feed}


def last_days(now: datetime, days: int) -> tuple[date, date]:
    """Return the first and last of the ``days`` civil days that end today."""
    today = civil_day(now)
    return today - timedelta(days=days - 1), today
