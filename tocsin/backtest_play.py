"""A period looked at again, day by day: everything that the service's own detectors said, at the loosest thresholds.

Each look is at the end of a day, of what was known by then; what a week is looked at with is learnt on its Monday from
what was known as it began. This is the cadence that calibration has, so rates can be compared. Tripwires were evaluated
as the records arrived; their signals are read, with the thresholds that were in force.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import Connection, func, select

from detectors.budget import Thresholds
from detectors.contract import Detector
from detectors.tripwire_thresholds import FAMILIES as TRIPWIRES
from schemas.clock import civil_day, monday_of, start_of_day
from schemas.geography import AreaCode
from schemas.signals import Signal
from schemas.substances import SubstanceClass
from schemas.tables.detection import signal as signal_table
from schemas.tables.events import event_version
from schemas.vocabulary import Feed, Stratum, Tier
from streams import baselines
from streams.evidence import complete
from streams.profile import JurisdictionProfile
from streams.versions import known_at
from tocsin.database import SqlDatabase
from tocsin.looking_back import AN_INSTANT, LookingBack

EVENT = event_version.c
SIGNAL = signal_table.c
_WEEK = 7


@dataclass(frozen=True, slots=True)
class Finding:
    """One signal of one look, as high as it could have gone."""

    day: date
    """Of the look: when somebody could have been told."""
    detector: str
    family: str
    key: str
    feeds: tuple[Feed, ...]
    areas: tuple[AreaCode, ...]
    days: tuple[date, date]
    """Its window, both ends included."""
    substance_class: SubstanceClass
    observed: int
    expected: float
    score: float | None
    """None for a tripwire: its tier does not move with the budget."""
    allowed: Tier
    """The highest tier that its detector, its feed's age and its evidence allow; a tripwire's own tier."""
    sentence: str


@dataclass(frozen=True)
class Period:
    """The days that are looked at, both included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        """How many there are."""
        return (self.last - self.first).days + 1

    @property
    def years(self) -> float:
        """How many years that is."""
        return self.days / 365.25


def look_again(
    database: SqlDatabase,
    profile: JurisdictionProfile,
    detectors: Sequence[Detector],
    thresholds: Thresholds,
    period: Period,
    *,
    without: Feed | None = None,
    progress: Callable[[float], None] | None = None,
) -> list[Finding]:
    """Return everything that the detectors say in a period, in the order of its days.

    Parameters
    ----------
    database : SqlDatabase
        Read only, a transaction a day.
    profile : JurisdictionProfile
    detectors : sequence of Detector
    thresholds : Thresholds
        Loose ones (``tocsin.backtest_budgets.everything``).
    period : Period
    without : Feed, optional
        A feed that is taken never to have existed.
    progress : callable, optional
        Told how many days are done.
    """
    back = LookingBack(profile, detectors, without=without)
    found: list[Finding] = []
    fitted: baselines.Fitted | None = None
    for number in range(period.days):
        today = period.first + timedelta(days=number)
        with database.read() as connection:
            monday = monday_of(today)
            if fitted is None or fitted.valid_from != monday:
                fitted, _ = back.week(connection, monday)
            as_of = start_of_day(today + timedelta(days=1), profile.zone) - AN_INSTANT
            look = back.look(connection, fitted, thresholds, today=today, as_of=as_of)
            for detector in detectors:
                found += [
                    _finding(today, complete(connection, profile, signal, as_of=as_of))
                    for signal in detector.detect(look)
                ]
        if progress is not None:
            progress(number + 1)
    return found


def tripwires(connection: Connection, profile: JurisdictionProfile, period: Period) -> list[Finding]:
    """Return the tripwires' signals of a period, each on the day on which it was first written."""
    rows = connection.execute(
        select(SIGNAL.body, SIGNAL.first_seen_at)
        .where(SIGNAL.jurisdiction == profile.jurisdiction, SIGNAL.family.in_(TRIPWIRES))
        .order_by(SIGNAL.first_seen_at, SIGNAL.detector, SIGNAL.key, SIGNAL.window_end)
    ).all()
    found = []
    for row in rows:
        day = civil_day(row.first_seen_at, profile.zone)
        if period.first <= day <= period.last:
            found.append(_finding(day, Signal.model_validate(row.body)))
    return found


def _finding(day: date, signal: Signal) -> Finding:
    score = signal.parameters.get("score")
    return Finding(
        day=day,
        detector=signal.detector,
        family=signal.family,
        key=signal.key,
        feeds=signal.feed_names,
        areas=signal.areas,
        days=(signal.window_start, signal.window_end),
        substance_class=signal.substance_class,
        observed=signal.observed,
        expected=signal.expected,
        score=float(score) if isinstance(score, int | float) and signal.family not in TRIPWIRES else None,
        allowed=signal.tier,
        sentence=signal.sentence,
    )


def weekly_counts(
    connection: Connection, profile: JurisdictionProfile, period: Period
) -> dict[Feed, list[tuple[date, int]]]:
    """Return how many events each feed had in each week of a period (from Mondays), as known at its end."""
    as_of = start_of_day(period.last + timedelta(days=1), profile.zone) - AN_INSTANT
    rows = connection.execute(
        select(EVENT.feed, EVENT.day, func.count())
        .where(
            EVENT.jurisdiction == profile.jurisdiction,
            EVENT.grain == "day",
            EVENT.stratum == Stratum.GENERAL.value,
            EVENT.day >= period.first,
            EVENT.day <= period.last,
            known_at(as_of),
        )
        .group_by(EVENT.feed, EVENT.day)
    ).all()
    first = monday_of(period.first)
    weeks = [first + timedelta(days=day) for day in range(0, (period.last - first).days + 1, _WEEK)]
    counts = {feed: dict.fromkeys(weeks, 0) for feed in profile.feeds}
    for feed, day, count in rows:
        if Feed(feed) in counts:
            counts[Feed(feed)][monday_of(day)] += count
    return {feed: list(by_week.items()) for feed, by_week in counts.items() if any(by_week.values())}
