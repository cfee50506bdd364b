"""The pictures of an incident: an epidemic curve for each feed behind it, and a map.

They hold true numbers, so each is a route of its own that asks for the action of seeing figures. What is drawn is read
in one transaction and drawn after it, in a thread: no rendering inside a transaction, none on the event loop.
"""

from collections.abc import Sequence
from datetime import date, timedelta

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy import Connection, func, select
from starlette.exceptions import HTTPException

from alerts.card import FEED_NAMES
from alerts.charts import DayCount, area_map, epidemic_curve, to_svg
from alerts.evidence import daily_counts, last_days
from alerts.reading import signals_of
from schemas.authorise import Action
from schemas.incidents import Incident
from schemas.signals import Signal
from schemas.tables.counts import count_cell
from schemas.vocabulary import Feed, Stratum
from tocsin.web.addresses import INCIDENTS
from tocsin.web.identity import SignedIn
from tocsin.web.incident_pages import IncidentPath, boundaries_of, visible_incident
from tocsin.web.rendering import day_words
from tocsin.web.services import Services

router = APIRouter()

_CURVE_DAYS = 28
_DAYS_AFTER = 14
_NOTHING_TO_DRAW = "There is nothing to draw for this feed."


@router.get(INCIDENTS + "/{incident_id}/curve/{feed}.svg")
def curve(services: Services, visitor: SignedIn, incident_id: IncidentPath, feed: Feed) -> Response:
    """Draw the events of one feed by day, in the areas and class of its strongest signal."""
    now = services.clock.now()
    with services.database.read() as connection:
        incident = visible_incident(connection, visitor, incident_id, Action.SEE_FIGURES)
        signal = strongest_of(signals_of(connection, incident.id), feed)
        if signal is None:
            raise HTTPException(404, _NOTHING_TO_DRAW)
        first, last = _days_shown(signal, last_days(now, 1)[1])
        counts = daily_counts(
            connection, incident.jurisdiction, signal.areas, feed, signal.substance_class, (first, last)
        )
    days = [_day(first + timedelta(days=n), count, signal, feed) for n, count in enumerate(counts)]
    return _picture(to_svg(epidemic_curve(days, title=FEED_NAMES[feed])))


@router.get(INCIDENTS + "/{incident_id}/map.svg")
def areas(services: Services, visitor: SignedIn, incident_id: IncidentPath) -> Response:
    """Draw the areas of the jurisdiction, shaded by the events of the incident's feeds in its window."""
    with services.database.read() as connection:
        incident = visible_incident(connection, visitor, incident_id, Action.SEE_FIGURES)
        counts = _counts_by_area(connection, incident)
    boundaries = boundaries_of(services, incident.jurisdiction)
    if boundaries is None:
        raise HTTPException(404, "There is no map of this geography.")
    first, last = incident.window
    title = f"Events {day_words(first)} to {day_words(last)}"
    return _picture(to_svg(area_map(boundaries, counts, marked=incident.areas, title=title)))


def strongest_of(signals: Sequence[Signal], feed: Feed) -> Signal | None:
    """Return the strongest signal to which ``feed`` contributes, if there is one."""
    holding = [
        item for item in signals if any(part.feed is feed and part.observed > 0 for part in item.feeds)
    ]
    return max(holding, key=lambda item: (item.tier.rank, item.recurrence_interval_days), default=None)


def _days_shown(signal: Signal, today: date) -> tuple[date, date]:
    """Return four weeks of days that hold the signal's window, and two weeks after it as far as they have come."""
    last = max(signal.window_end, min(today, signal.window_end + timedelta(days=_DAYS_AFTER)))
    return min(signal.window_start, last - timedelta(days=_CURVE_DAYS - 1)), last


def _day(day: date, count: int, signal: Signal, feed: Feed) -> DayCount:
    """Return one day of the curve; what is expected is known of the window as a whole, and shared among its days."""
    within = signal.window_start <= day <= signal.window_end
    part = next(part for part in signal.feeds if part.feed is feed)
    length = (signal.window_end - signal.window_start).days + 1
    return DayCount(day, count, part.expected / length if within else None, within)


def _counts_by_area(connection: Connection, incident: Incident) -> dict[str, int]:
    cell = count_cell.c
    rows = connection.execute(
        select(cell.area, func.sum(cell.count))
        .where(
            cell.jurisdiction == incident.jurisdiction,
            cell.grain == "day",
            cell.day.between(*incident.window),
            cell.feed.in_([feed.value for feed in incident.feeds]),
            cell.substance_class == incident.substance_class.value,
            cell.stratum == Stratum.GENERAL.value,
        )
        .group_by(cell.area)
    )
    return {area: int(number) for area, number in rows}


def _picture(svg: str) -> Response:
    return Response(svg, media_type="image/svg+xml")
