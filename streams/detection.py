"""Detection runs: per jurisdiction, some seconds after new data and once a day, under a lease.

A run (1) claims the jurisdiction, (2) takes what was learnt this week (baseline and detectors), learning it on a Monday
from what was known as that Monday began, (3) reads the counts and events as known now, (4) asks the detectors, (5) writes
the signals in a transaction that checks that the lease is still held. If a part fails, the run looks with the simplest
valid detector as well, says so in the jurisdiction's state and to operators, and tries the whole again next time. The
engine drives :class:`DetectionRuns` as a job.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Protocol

import numpy as np
import structlog
from numpy.typing import NDArray
from sqlalchemy import Connection

from detectors.baseline import Baseline, fit_baseline
from detectors.budget import Thresholds
from detectors.contract import RECENT_DAYS, Detector, Look, Past, look_days
from detectors.declared import Declared, LevelShift
from detectors.fallback import plain_signals
from detectors.history import CountCube
from detectors.terrain import terrain_of
from detectors.zones import Zones, zones_of
from schemas.clock import Clock, civil_day, monday_of, next_local_time, start_of_day
from schemas.database import Database
from schemas.signals import Signal
from schemas.substances import Taxonomy, default_taxonomy
from schemas.vocabulary import Feed, Jurisdiction, Tier
from streams import baselines, jurisdictions
from streams.asking import BASELINE, Asking, Failure
from streams.evidence import complete
from streams.history import completeness, history_cube, recent_cube, series_of
from streams.holidays import bank_holidays
from streams.intake import OnSignals
from streams.profile import JurisdictionProfile
from streams.sightings import SightingReader
from streams.signal_store import store

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Cadence:
    """When a jurisdiction is looked at."""

    debounce: timedelta = timedelta(seconds=2)
    """How long after the first new record a run waits for more of them."""
    daily_at: time = time(6, 0)
    """Once a day on the jurisdiction's own clock, news or not."""
    lease: timedelta = timedelta(minutes=5)
    limit: timedelta = timedelta(seconds=60)
    """How long one detector, or the weekly fit, may take before the run goes on without it."""


class DetectionMetrics(Protocol):
    """What a run tells operators."""

    def detection_finished(self, seconds: float, now: datetime) -> None:
        """Note how long a run took and when it ended."""
        ...

    def signal(self, detector: str, tier: Tier) -> None:
        """Count a signal that is new or says something new."""
        ...

    def detector_failed(self, detector: str, reason: str) -> None:
        """Count a part of a run that ended in an error or took too long."""
        ...


class DetectionRuns:
    """The job that looks at every jurisdiction when it is due.

    Parameters
    ----------
    database, clock
        As everywhere.
    profiles : mapping
        The jurisdictions to look at.
    detectors : mapping
        Each jurisdiction's detectors, asked in turn.
    thresholds : mapping
        What calibration learnt for each jurisdiction.
    on_signals : callable
        The incident workflow.
    owner : str
        Who holds a lease: unique to this process.
    """

    name = "detection"

    def __init__(  # noqa: PLR0913 (everything that a run needs, handed in)
        self,
        database: Database,
        clock: Clock,
        profiles: Mapping[Jurisdiction, JurisdictionProfile],
        *,
        detectors: Mapping[Jurisdiction, Sequence[Detector]],
        thresholds: Mapping[Jurisdiction, Thresholds],
        on_signals: OnSignals,
        metrics: DetectionMetrics,
        owner: str,
        cadence: Cadence | None = None,
        taxonomy: Taxonomy | None = None,
        stopwatch: Callable[[], float],
    ) -> None:
        self._database = database
        self._clock = clock
        self._profiles = profiles
        self._detectors = detectors
        self._thresholds = thresholds
        self._on_signals = on_signals
        self._metrics = metrics
        self._owner = owner
        self._cadence = cadence or Cadence()
        self._stopwatch = stopwatch
        self._asking = {
            name: Asking(
                self._cadence.limit.total_seconds(), metrics.detector_failed, partial(self._renew, name)
            )
            for name in profiles
        }
        self._renewed_at: dict[Jurisdiction, datetime] = {}
        self._readers = {
            name: SightingReader(profile, terrain_of(profile.geography), taxonomy or default_taxonomy())
            for name, profile in profiles.items()
        }
        self._fitted: dict[Jurisdiction, baselines.Fitted] = {}
        self._half: dict[Jurisdiction, tuple[baselines.Fitted, Past]] = {}
        self._stored: dict[Jurisdiction, date] = {}

    def next_due(self, now: datetime) -> datetime | None:
        """Return when the next jurisdiction wants a look, or nothing while there is none."""
        with self._database.read() as connection:
            states = jurisdictions.states(connection)
        moments = [self._due(state, now) for state in states if state.jurisdiction in self._profiles]
        return min(moments, default=None)

    def run(self, now: datetime) -> None:
        """Look at every jurisdiction that is due."""
        with self._database.read() as connection:
            states = jurisdictions.states(connection)
        for state in states:
            if state.jurisdiction in self._profiles and self._due(state, now) <= now:
                self.look_at(state.jurisdiction)

    def _due(self, state: jurisdictions.State, now: datetime) -> datetime:
        profile = self._profiles[state.jurisdiction]
        since = state.last_run_at or now - timedelta(days=1)
        due = next_local_time(since, self._cadence.daily_at, profile.zone)
        if state.is_dirty and state.dirty_since is not None:
            due = min(due, state.dirty_since + self._cadence.debounce)
        if state.lease_until is not None and state.lease_until >= now and state.lease_owner != self._owner:
            due = max(due, state.lease_until + timedelta(milliseconds=1))
        return due

    def look_at(self, jurisdiction: Jurisdiction) -> None:
        """Run the detectors over one jurisdiction now, unless another process holds its lease."""
        started = self._stopwatch()
        now = self._clock.now()
        with self._database.write() as connection:
            state = jurisdictions.claim(
                connection, jurisdiction, owner=self._owner, now=now, lease=self._cadence.lease
            )
        if state is None:
            return
        self._renewed_at[jurisdiction] = now
        profile = self._profiles[jurisdiction]
        signals, failures = self._signals(profile, civil_day(now, profile.zone))
        finished = self._clock.now()
        with self._database.write() as connection:
            held = jurisdictions.finish(
                connection,
                jurisdiction,
                owner=self._owner,
                clean_revision=state.dirty_revision,
                now=finished,
                failed=sorted({failure.detector for failure in failures}),
            )
            if not held:
                raise LeaseLostError(jurisdiction)
            self._keep(connection, jurisdiction, finished)
            changed = store(connection, signals, finished)
            if changed:
                self._on_signals(connection, changed, finished)
        self._metrics.detection_finished(self._stopwatch() - started, finished)
        for signal in changed:
            self._metrics.signal(signal.detector, signal.tier)

    def _renew(self, jurisdiction: Jurisdiction) -> None:
        """Claim the lease again once a third of it is over: parts that time out one by one may outlast it together."""
        now = self._clock.now()
        if now - self._renewed_at[jurisdiction] < self._cadence.lease / 3:
            return
        with self._database.write() as connection:
            renewed = jurisdictions.renew(
                connection, jurisdiction, owner=self._owner, now=now, lease=self._cadence.lease
            )
        if renewed:
            self._renewed_at[jurisdiction] = now

    def _keep(self, connection: Connection, jurisdiction: Jurisdiction, now: datetime) -> None:
        """Store what was learnt this week, once."""
        fitted = self._fitted.get(jurisdiction)
        if fitted is not None and self._stored.get(jurisdiction) != fitted.valid_from:
            baselines.keep(connection, jurisdiction, fitted, now)
            self._stored[jurisdiction] = fitted.valid_from

    def _signals(self, profile: JurisdictionProfile, today: date) -> tuple[list[Signal], tuple[Failure, ...]]:
        """Return today's signals with their evidence, and what failed on the way."""
        fitted, failures = self._learnt(profile, monday_of(today))
        series = fitted.baseline.series if fitted is not None else series_of(list(profile.feeds))
        days = look_days(fitted.completeness) if fitted is not None else RECENT_DAYS
        names = {code: area.name for code, area in profile.geography.areas.items()}
        signals: list[Signal] = []
        with self._database.read() as connection:
            cube = recent_cube(connection, profile, series, today=today, days=days)
            if fitted is not None:
                reader = self._readers[profile.jurisdiction]
                look = Look(
                    jurisdiction=profile.jurisdiction,
                    cube=cube,
                    baseline=fitted.baseline,
                    completeness=fitted.completeness,
                    thresholds=self._thresholds[profile.jurisdiction],
                    names=names,
                    zone=profile.zone,
                    sightings=reader.recent(connection, today=today, days=days),
                    learnt=fitted.learnt,
                )
                # One that could not learn this week would look with last week's eyes, or none: it has failed already.
                able = [
                    detector
                    for detector in self._detectors[profile.jurisdiction]
                    if all(failure.detector != detector.name for failure in failures)
                ]
                signals, failed = self._asking[profile.jurisdiction].detect(able, look)
                failures += failed
            if failures:
                signals += plain_signals(
                    profile.jurisdiction, cube, jurisdiction_zones(profile), names, profile.zone
                )
            return [complete(connection, profile, signal) for signal in signals], failures

    def _learnt(
        self, profile: JurisdictionProfile, monday: date
    ) -> tuple[baselines.Fitted | None, tuple[Failure, ...]]:
        """Return what is known from ``monday`` on: from memory, from the database, or learnt now.

        What was only half learnt is used for this look, and at the next those that failed are asked again.
        """
        known = self._fitted.get(profile.jurisdiction)
        if known is not None and known.valid_from == monday:
            return known, ()
        detectors = self._detectors[profile.jurisdiction]
        with self._database.read() as connection:
            fitted = baselines.kept(connection, profile.jurisdiction, monday)
            if fitted is not None and all(detector.name in fitted.learnt for detector in detectors):
                self._fitted[profile.jurisdiction] = fitted
                return fitted, ()
            fresh, failures = self._learn(connection, profile, monday)
        if fresh is not None and not failures:
            self._fitted[profile.jurisdiction] = fresh
        return fresh, failures

    def _learn(
        self, connection: Connection, profile: JurisdictionProfile, monday: date
    ) -> tuple[baselines.Fitted | None, tuple[Failure, ...]]:
        detectors = self._detectors[profile.jurisdiction]
        half, past = self._half.pop(profile.jurisdiction, (None, None))
        if half is None or past is None or half.valid_from != monday:
            found = self._past(connection, profile, monday)
            if isinstance(found, Failure):
                return None, (found,)
            half, past = None, found
        # One that cannot learn must not make the others learn again at every look: that takes longer than the look.
        known = half.learnt if half is not None else {}
        more, failures = self._asking[profile.jurisdiction].learn(
            [detector for detector in detectors if detector.name not in known], past
        )
        learnt = {**known, **more}
        fresh = baselines.Fitted(
            valid_from=monday,
            baseline=past.baseline,
            completeness=past.completeness,
            learnt={
                detector.name: learnt[detector.name] for detector in detectors if detector.name in learnt
            },
        )
        if failures:
            self._half[profile.jurisdiction] = fresh, past
        return fresh, failures

    def _past(self, connection: Connection, profile: JurisdictionProfile, monday: date) -> Past | Failure:
        """Return what was known as the week began and what was usual then, or that the fit failed."""
        as_of = start_of_day(monday, profile.zone) - timedelta(microseconds=1)
        series = series_of(list(profile.feeds))
        cube = history_cube(connection, profile, series, as_of=as_of, last_day=monday - timedelta(days=1))
        laws = completeness(connection, profile, as_of=as_of)
        sightings = self._readers[profile.jurisdiction].past(
            connection, first_day=cube.first_day, last_day=cube.last_day, as_of=as_of
        )
        baseline = self._asking[profile.jurisdiction].attempt(BASELINE, lambda: usual(profile, cube, laws))
        if isinstance(baseline, Failure):
            return baseline
        return Past(cube=cube, sightings=sightings, baseline=baseline, completeness=laws)


class LeaseLostError(RuntimeError):
    """A run outlived its lease: it wrote nothing, and whoever holds the lease now does the work."""

    def __init__(self, jurisdiction: Jurisdiction) -> None:
        super().__init__(f"The detection run of {jurisdiction} outlived its lease and wrote nothing.")


def usual(
    profile: JurisdictionProfile, cube: CountCube, laws: Mapping[Feed, NDArray[np.float64]]
) -> Baseline:
    """Return what is usual in a jurisdiction, from its counts: what a week is looked at with, then and looking back."""
    return fit_baseline(
        cube,
        completeness=laws,
        populations=populations(profile),
        holidays=bank_holidays(profile),
        declared=Declared(shifts=tuple(LevelShift(feed, on) for feed, on in profile.level_shifts)),
    )


def populations(profile: JurisdictionProfile) -> NDArray[np.float64]:
    """Return the population of each detection area, sorted by code; zero where the geography has none."""
    areas = profile.geography.areas
    return np.asarray(
        [areas[code].population for code in profile.geography.detection_areas()], dtype=np.float64
    )


def jurisdiction_zones(profile: JurisdictionProfile) -> Zones:
    """Return the zones that counts are pooled over."""
    geography = profile.geography
    return zones_of(geography.detection_areas(), geography.adjacent, geography.root)
