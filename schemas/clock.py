"""Time, injected: the clock protocol and the day rule.

Nothing outside ``tocsin``'s composition root asks the operating system what time it is; everything else is given a
moment or a :class:`Clock`. All moments are timezone-aware and in UTC. A *day* is always a civil date in the
jurisdiction's own time zone, Europe/London unless it says otherwise.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

LONDON = ZoneInfo("Europe/London")


class Clock(Protocol):
    """Whatever can say what time it is: the system's clock, or a virtual one that a replay moves."""

    def now(self) -> datetime:
        """Return the present moment, timezone-aware, in UTC."""
        ...


def civil_day(moment: datetime, zone: ZoneInfo = LONDON) -> date:
    """Return the civil date of ``moment`` in ``zone``: the day on which an event is counted.

    Parameters
    ----------
    moment : datetime
        Timezone-aware.
    zone : ZoneInfo
        The jurisdiction's time zone.

    Raises
    ------
    ValueError
        If ``moment`` has no time zone.
    """
    if moment.tzinfo is None:
        msg = "moment must be timezone-aware"
        raise ValueError(msg)
    return moment.astimezone(zone).date()


def start_of_day(day: date, zone: ZoneInfo = LONDON) -> datetime:
    """Return the moment, in UTC, at which ``day`` begins in ``zone``."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def next_local_time(now: datetime, at: time, zone: ZoneInfo = LONDON) -> datetime:
    """Return the first moment strictly after ``now``, in UTC, at which the clock on the wall in ``zone`` shows ``at``."""
    local = now.astimezone(zone)
    candidate = datetime.combine(local.date(), at, zone)
    if candidate.astimezone(UTC) <= now:
        candidate = datetime.combine(local.date() + timedelta(days=1), at, zone)
    return candidate.astimezone(UTC)


def monday_of(day: date) -> date:
    """Return the Monday of the ISO week that holds ``day``."""
    return day - timedelta(days=day.weekday())
