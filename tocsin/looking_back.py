"""Detection as it was at a past moment: the week's baseline, the look and the detectors, from what was known then.

``tocsin explain`` and ``tocsin backtest`` use it. It reads event versions and writes nothing; a detection run at that
moment saw the same counts and events, because it reads the same versions and asks the same detectors.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

import numpy as np
from sqlalchemy import Connection

from detectors.budget import Thresholds
from detectors.contract import Detector, Look, Past, look_days
from detectors.history import CountCube, Series
from detectors.sightings import CLASS_BIT, COLUMNS, FEEDS, Sightings
from detectors.terrain import terrain_of
from schemas.clock import start_of_day
from schemas.geography import AreaCode
from schemas.substances import SubstanceClass, Taxonomy, default_taxonomy
from schemas.vocabulary import Feed
from streams import baselines
from streams.detection import usual
from streams.history import completeness, history_cube, series_of
from streams.profile import JurisdictionProfile
from streams.sightings import SightingReader

AN_INSTANT = timedelta(microseconds=1)


class LookingBack:
    """One jurisdiction, looked at again as it was.

    Parameters
    ----------
    profile : JurisdictionProfile
    detectors : sequence of Detector
        What its runs ask (``streams.detectors.detectors_of``).
    taxonomy : Taxonomy, optional
        Says which class a sample was sold as.
    without : Feed, optional
        A feed that is taken never to have existed: what would the others have found?
    """

    def __init__(
        self,
        profile: JurisdictionProfile,
        detectors: Sequence[Detector],
        *,
        taxonomy: Taxonomy | None = None,
        without: Feed | None = None,
    ) -> None:
        self.profile = profile
        self.detectors = tuple(detectors)
        self._without = without
        self._areas = profile.geography.detection_areas()
        self._series = series_of(list(profile.feeds))
        self._names = {code: area.name for code, area in profile.geography.areas.items()}
        self._reader = SightingReader(profile, terrain_of(profile.geography), taxonomy or default_taxonomy())

    def past(self, connection: Connection, monday: date) -> Past:
        """Return what was known as the week of ``monday`` began, and what was usual then."""
        as_of = start_of_day(monday, self.profile.zone) - AN_INSTANT
        last = monday - timedelta(days=1)
        cube = history_cube(connection, self.profile, self._series, as_of=as_of, last_day=last)
        if self._without is not None:
            cube = _without_feed(cube, self._without)
        laws = completeness(connection, self.profile, as_of=as_of)
        sightings = self._sightings(connection, cube.first_day, last, as_of)
        return Past(
            cube=cube, sightings=sightings, baseline=usual(self.profile, cube, laws), completeness=laws
        )

    def week(self, connection: Connection, monday: date) -> tuple[baselines.Fitted, Past]:
        """Return what the week of ``monday`` was looked at with, learnt again, and what it was learnt from."""
        past = self.past(connection, monday)
        learnt = {detector.name: detector.learn(past) for detector in self.detectors}
        fitted = baselines.Fitted(
            valid_from=monday, baseline=past.baseline, completeness=past.completeness, learnt=learnt
        )
        return fitted, past

    def look(
        self,
        connection: Connection,
        fitted: baselines.Fitted,
        thresholds: Thresholds,
        *,
        today: date,
        as_of: datetime,
    ) -> Look:
        """Return the look at ``today`` of a run that began at ``as_of``."""
        days = look_days(fitted.completeness)
        sightings = self._sightings(connection, today - timedelta(days=days - 1), today, as_of)
        return Look(
            jurisdiction=self.profile.jurisdiction,
            cube=counts_of(sightings, self._areas, self._series),
            baseline=fitted.baseline,
            completeness=fitted.completeness,
            thresholds=thresholds,
            names=self._names,
            zone=self.profile.zone,
            sightings=sightings,
            learnt=fitted.learnt,
        )

    def _sightings(self, connection: Connection, first: date, last: date, as_of: datetime) -> Sightings:
        found = self._reader.past(connection, first_day=first, last_day=last, as_of=as_of)
        if self._without is None:
            return found
        kept = found.feed != FEEDS.index(self._without)
        return replace(found, **{name: getattr(found, name)[kept] for name in COLUMNS})


def counts_of(sightings: Sightings, areas: Sequence[AreaCode], series: Sequence[Series]) -> CountCube:
    """Return the counts of some days from the events themselves: one in each class named, and one in ``any``."""
    counts = np.zeros((len(series), sightings.n_days, len(areas) + 1), dtype=np.int32)
    for row, (feed, name) in enumerate(series):
        kept = sightings.feed == FEEDS.index(feed)
        if name is not SubstanceClass.ANY:
            kept &= (sightings.classes & CLASS_BIT[name]) > 0
        day, area = sightings.day[kept], sightings.area[kept]
        placed = area >= 0
        np.add.at(counts[row], (day[placed], area[placed]), 1)
        np.add.at(counts[row, :, -1], day, 1)
    return CountCube(sightings.first_day, tuple(areas), tuple(series), counts)


def _without_feed(cube: CountCube, feed: Feed) -> CountCube:
    counts = cube.counts.copy()
    counts[[row for row, series in enumerate(cube.series) if series[0] is feed]] = 0
    return replace(cube, counts=counts)
