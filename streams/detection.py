"""Detection runs: per jurisdiction, some seconds after new data and once a day, under a lease.

A run (1) claims the jurisdiction, (2) takes this week's baseline, fitting it on a Monday from what was known as that
Monday began, (3) reads the counts as known now, (4) asks the detectors, (5) writes the signals in a transaction that
checks that the lease is still held. The engine drives :class:`DetectionRuns` as a job.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Protocol

import numpy as np
import structlog
from numpy.typing import NDArray
from sqlalchemy import Connection

from detectors.baseline import fit_baseline
from detectors.budget import Thresholds
from detectors.completeness import lookback_days
from detectors.contract import Detector, Look
from schemas.clock import Clock, civil_day, monday_of, next_local_time, start_of_day
from schemas.database import Database
from schemas.signals import Signal
from schemas.vocabulary import Jurisdiction, Tier
from streams import baselines, jurisdictions
from streams.evidence import complete
from streams.history import completeness, history_cube, recent_cube, series_of
from streams.holidays import bank_holidays
from streams.intake import OnSignals
from streams.profile import JurisdictionProfile
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


class DetectionMetrics(Protocol):
    """What a run tells operators."""

    def detection_finished(self, seconds: float, now: datetime) -> None:
        """Note how long a run took and when it ended."""
        ...

    def signal(self, detector: str, tier: Tier) -> None:
        """Count a signal that is new or says something new."""
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
        self._fitted: dict[Jurisdiction, baselines.Fitted] = {}
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
        profile = self._profiles[jurisdiction]
        today = civil_day(now, profile.zone)
        fitted = self._baseline(profile, monday_of(today))
        with self._database.read() as connection:
            signals = [
                complete(connection, profile, signal)
                for signal in self._signals(connection, profile, fitted, today)
            ]
        finished = self._clock.now()
        with self._database.write() as connection:
            held = jurisdictions.finish(
                connection,
                jurisdiction,
                owner=self._owner,
                clean_revision=state.dirty_revision,
                now=finished,
            )
            if not held:
                raise LeaseLostError(jurisdiction)
            if self._stored.get(jurisdiction) != fitted.valid_from:
                baselines.keep(connection, jurisdiction, fitted, finished)
            changed = store(connection, signals, finished)
            if changed:
                self._on_signals(connection, changed, finished)
        self._stored[jurisdiction] = fitted.valid_from
        self._metrics.detection_finished(self._stopwatch() - started, finished)
        for signal in changed:
            self._metrics.signal(signal.detector, signal.tier)

    def _baseline(self, profile: JurisdictionProfile, monday: date) -> baselines.Fitted:
        """Return the baseline in use from ``monday``: from memory, from the database, or fitted now."""
        known = self._fitted.get(profile.jurisdiction)
        if known is not None and known.valid_from == monday:
            return known
        with self._database.read() as connection:
            fitted = baselines.kept(connection, profile.jurisdiction, monday) or self._fit(
                connection, profile, monday
            )
        self._fitted[profile.jurisdiction] = fitted
        return fitted

    def _fit(self, connection: Connection, profile: JurisdictionProfile, monday: date) -> baselines.Fitted:
        as_of = start_of_day(monday, profile.zone) - timedelta(microseconds=1)
        series = series_of(list(profile.feeds))
        cube = history_cube(connection, profile, series, as_of=as_of, last_day=monday - timedelta(days=1))
        laws = completeness(connection, profile, as_of=as_of)
        baseline = fit_baseline(
            cube, completeness=laws, populations=populations(profile), holidays=bank_holidays(profile)
        )
        return baselines.Fitted(valid_from=monday, baseline=baseline, completeness=laws)

    def _signals(
        self, connection: Connection, profile: JurisdictionProfile, fitted: baselines.Fitted, today: date
    ) -> list[Signal]:
        cube = recent_cube(
            connection,
            profile,
            fitted.baseline.series,
            today=today,
            days=lookback_days(fitted.completeness),
        )
        look = Look(
            jurisdiction=profile.jurisdiction,
            cube=cube,
            baseline=fitted.baseline,
            completeness=fitted.completeness,
            thresholds=self._thresholds[profile.jurisdiction],
            names={code: area.name for code, area in profile.geography.areas.items()},
            zone=profile.zone,
        )
        detectors = self._detectors[profile.jurisdiction]
        return [signal for detector in detectors for signal in detector.detect(look)]


class LeaseLostError(RuntimeError):
    """A run outlived its lease: it wrote nothing, and whoever holds the lease now does the work."""

    def __init__(self, jurisdiction: Jurisdiction) -> None:
        super().__init__(f"The detection run of {jurisdiction} outlived its lease and wrote nothing.")


def populations(profile: JurisdictionProfile) -> NDArray[np.float64]:
    """Return the population of each detection area, sorted by code; zero where the geography has none."""
    areas = profile.geography.areas
    return np.asarray(
        [areas[code].population for code in profile.geography.detection_areas()], dtype=np.float64
    )
