"""Counties that differ: parameters drawn from stated ranges, and two troubles that real feeds have.

For benchmarks, which must not be won on one county: :func:`draw_parameters` for each simulated history,
:func:`draw_troubles` and :func:`troubled` for the feed whose definition drifts and the feed that dies for some days.
The demo and calibrations use stated parameters and none of this. Never reads a clock.
"""

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from schemas.vocabulary import Feed
from streams.simulation.history import FEEDS, EventColumns, History
from streams.simulation.parameters import KENT_AND_MEDWAY, FeedFigures, SampleFigures, SimulationParameters
from streams.simulation.timing import Days, Floats, day_index

NALOXONE_A_YEAR = (240.0, 1200.0)
"""Patients: 20 to 100 a month, the planning range of the county."""
ED_A_YEAR = (1000.0, 2200.0)
"""Presentations: 20 to 42 a week. Our assumption, around 30."""
DEATHS_A_YEAR = (45.0, 90.0)
"""Around 61. Our assumption."""
SAMPLES_A_YEAR = (120.0, 300.0)
"""10 to 25 a month, around the planning range of 15 to 20."""
DISPERSION = (1.25, 1.6)
"""Of people in one area on one day; with the shared shocks about 1.5 for the county's day."""
SEASON_AMPLITUDE = (0.03, 0.2)
SEASON_PEAK_DAY = (150, 250)
WEEKDAY_STRENGTH = (0.5, 2.0)
"""Power to which the weekday factors are raised."""
BANK_HOLIDAY = (1.0, 1.25)
DAY_SHOCK_SD = (0.1, 0.25)
DRIFT_SD = (0.04, 0.12)
DELAY_FACTOR = (0.6, 1.6)
"""Of the median delay of each feed; the longest delay stays."""
DEFINITION_FACTOR = (0.75, 1.33)
"""To what a feed's level drifts while its definition is changed."""
DEFINITION_DAYS = (90, 360)
"""How long that takes."""
OUTAGE_DAYS = (5, 15)
"""For how long a feed dies, once in a history."""
LOST_SHARE = 0.5
"""Chance that what a dead feed did not send is lost; otherwise it comes on the day the feed is back."""

_Figures = TypeVar("_Figures", FeedFigures, SampleFigures)
_DRIFTING = (Feed.AMBULANCE_NALOXONE, Feed.ED_PRESENTATIONS, Feed.SUSPECTED_DEATHS)


@dataclass(frozen=True, eq=False)
class Troubles:
    """What goes wrong in one history."""

    drifting: Feed
    """The feed whose definition changes."""
    kept: Floats
    """Share of that feed's records that its definition of the day holds, for each day."""
    dead: Feed
    """The feed that dies."""
    dead_from: int
    dead_to: int
    """First and last day (index) on which nothing arrives from it."""
    lost: bool


def draw_parameters(
    rng: np.random.Generator, base: SimulationParameters = KENT_AND_MEDWAY
) -> SimulationParameters:
    """Draw a county from the ranges above; shares that a history draws itself (overlap, residence) stay ranges."""

    def between(limits: tuple[float, float]) -> float:
        return float(rng.uniform(*limits))

    def volume(limits: tuple[float, float]) -> float:
        return float(np.exp(rng.uniform(*np.log(limits))))

    strength = between(WEEKDAY_STRENGTH)
    return base.model_copy(
        update={
            "naloxone": _paced(base.naloxone, volume(NALOXONE_A_YEAR), between(DELAY_FACTOR)),
            "ed": _paced(base.ed, volume(ED_A_YEAR), between(DELAY_FACTOR)),
            "deaths": _paced(base.deaths, volume(DEATHS_A_YEAR), between(DELAY_FACTOR)),
            "samples": _paced(base.samples, volume(SAMPLES_A_YEAR), between(DELAY_FACTOR)),
            "local_dispersion": between(DISPERSION),
            "season_amplitude": between(SEASON_AMPLITUDE),
            "season_peak_day": int(rng.integers(*SEASON_PEAK_DAY, endpoint=True)),
            "weekday": tuple(factor**strength for factor in base.weekday),
            "bank_holiday": between(BANK_HOLIDAY),
            "day_shock_sd": between(DAY_SHOCK_SD),
            "drift_sd": between(DRIFT_SD),
        }
    )


def _paced(given: _Figures, per_year: float, slower: float) -> _Figures:
    delays = tuple(
        item.model_copy(
            update={"median_hours": min(max(item.median_hours * slower, item.least_hours), item.most_hours)}
        )
        for item in given.delays
    )
    return given.model_copy(update={"per_year": per_year, "delays": delays})


def draw_troubles(n_days: int, rng: np.random.Generator, *, after: int = 0) -> Troubles:
    """Draw what goes wrong in a history of ``n_days``; the outage lies after day ``after``, where it can be seen."""
    factor = float(np.exp(rng.uniform(*np.log(DEFINITION_FACTOR))))
    length = int(rng.integers(*DEFINITION_DAYS, endpoint=True))
    begins = int(rng.integers(0, max(n_days - length, 1)))
    done = np.clip((np.arange(n_days) - begins) / length, 0.0, 1.0)
    level = np.exp(done * np.log(factor))
    outage = int(rng.integers(*OUTAGE_DAYS, endpoint=True))
    dead_from = int(rng.integers(after, max(n_days - outage, after + 1)))
    return Troubles(
        drifting=_DRIFTING[int(rng.integers(len(_DRIFTING)))],
        kept=level / level.max(),
        dead=FEEDS[int(rng.integers(len(FEEDS)))],
        dead_from=dead_from,
        dead_to=dead_from + outage - 1,
        lost=bool(rng.random() < LOST_SHARE),
    )


def troubled(history: History, troubles: Troubles, rng: np.random.Generator) -> History:
    """Return the history as these troubles leave it."""
    events = history.events
    day = np.clip(day_index(history.days, events.occurred), 0, history.n_days - 1)
    kept = (events.feed != FEEDS.index(troubles.drifting)) | (rng.random(len(day)) < troubles.kept[day])
    return replace(history, events=after_outage(events.take(kept), history.days, troubles))


def after_outage(events: EventColumns, days: Days, troubles: Troubles) -> EventColumns:
    """Return records with what would have arrived from the dead feed lost, or known as the feed comes back."""
    known = day_index(days, events.known)
    dead = (
        (events.feed == FEEDS.index(troubles.dead))
        & (known >= troubles.dead_from)
        & (known <= troubles.dead_to)
    )
    if troubles.lost:
        return events.take(~dead)
    back = days.start[min(troubles.dead_to + 1, days.n_days)] + 60
    late = replace(events, known=np.where(dead, back, events.known))
    return late.take(np.argsort(late.known, kind="stable"))
