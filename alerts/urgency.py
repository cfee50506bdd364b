"""When a page may ring: the urgency rule and the quiet hours. Pure arithmetic on moments and settings."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Final

from alerts.settings import AlertsSettings
from schemas.clock import LONDON, civil_day, next_local_time
from schemas.incidents import Urgency
from schemas.signals import Signal
from schemas.vocabulary import Tier

FRESH: Final = timedelta(hours=72)
"""Evidence older than this rings nobody at night."""

_SATURDAY: Final = 5


def urgency_of(signals: Sequence[Signal], now: datetime) -> Urgency:
    """Return how urgently an incident with these signals rings.

    *Now* needs evidence under 72 h old, and two or more feeds (a suspected death with another feed is two), or a
    page-tier tripwire. Only signals that ask for at least a review are evidence.
    """
    counted = [item for item in signals if item.tier is not Tier.RECORD]
    fresh = [item for item in counted if now - item.newest_evidence_at < FRESH]
    if not fresh:
        return Urgency.MORNING
    feeds = {part.feed for item in counted for part in item.feeds if part.observed > 0}
    tripwire = any(item.tier is Tier.PAGE and item.detector.startswith("tripwire") for item in fresh)
    return Urgency.NOW if tripwire or len(feeds) > 1 else Urgency.MORNING


def is_quiet(moment: datetime, settings: AlertsSettings) -> bool:
    """Whether ``moment`` lies in the quiet hours, by the clock on the wall in London."""
    local = moment.astimezone(LONDON).time()
    if settings.quiet_from <= settings.quiet_until:
        return settings.quiet_from <= local < settings.quiet_until
    return local >= settings.quiet_from or local < settings.quiet_until


def ring_time(urgency: Urgency, moment: datetime, settings: AlertsSettings) -> datetime:
    """Return when a page that is due at ``moment`` rings: then, or when the quiet hours end."""
    if urgency is Urgency.NOW or not is_quiet(moment, settings):
        return moment
    return next_local_time(moment, settings.quiet_until)


def review_time(now: datetime, settings: AlertsSettings) -> datetime:
    """Return when a review found ``now`` is sent: on the next working day in England, in the morning."""
    day = civil_day(now) + timedelta(days=1)
    while not _is_working_day(day):
        day += timedelta(days=1)
    return at_local(day, settings.review_at)


def review_by(now: datetime, settings: AlertsSettings) -> datetime:
    """Return until when an acknowledgement given ``now`` holds, if its giver does not say.

    One that would end in the quiet hours ends in the morning instead: nobody is woken to be asked again.
    """
    end = now + settings.review_by
    return next_local_time(end, settings.review_at) if is_quiet(end, settings) else end


def at_local(day: date, at: time) -> datetime:
    """Return the moment, in UTC, when the clock on the wall in London shows ``at`` on ``day``."""
    return next_local_time(datetime.combine(day, time(), LONDON) - timedelta(microseconds=1), at)


def _is_working_day(day: date) -> bool:
    return day.weekday() < _SATURDAY and day not in _bank_holidays(day.year)


@cache
def _bank_holidays(year: int) -> frozenset[date]:
    import holidays  # noqa: PLC0415 (slow to load, and only reviews need it)

    return frozenset(holidays.country_holidays("GB", subdiv="ENG", years=year))
