"""Where, since when and of which kind: every zone, window and profile of one look, and the tellings that stand.

``detectors/fusion.py`` makes signals of the tellings and hands the same ones to calibration. Arithmetic only: no clock,
no random number, nothing changed that was handed in.

**Zones** are circles of small areas, every detection area, each with its neighbours, and the whole jurisdiction.
**Windows** end today; as in ``detectors/scoring.py`` a nominal length w reaches back ``m + w - 1`` days in a feed whose
first useful age is m, and a day's expected count is multiplied by the completeness of its age.

**Score** = log10 of the likelihood ratio of the best profile and number of people (``detectors/fusion_kernels.py``),
plus the log10 of three priors (a Bayesian scan: Neill and Cooper 2010, Mach. Learn. 79:261, section 3): the profile's;
the window's, a power of w / 28, as four weeks hold about 28 / w windows of length w; and the zone's. A circle's is its
share a of the population, as there are about 1 / a places of that size, so that every octave of sizes has the same part
(on the log scale the penalty of Walther 2010, Ann. Statist. 38:1010). Detection areas, areas with their neighbours and
the whole have the stated parts of ``LIKELY`` beside the octaves of circles: they are one scale each, and far fewer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from detectors.baseline import DAYS_BEFORE_PAGING
from detectors.budget import PAGING_FEEDS
from detectors.completeness import checked, first_useful_age, share_known
from detectors.contract import Look
from detectors.effects import (
    GROUPS,
    N_FEEDS,
    N_GROUPS,
    N_STREAMS,
    PROFILES,
    Group,
    groups_of,
    overlaps,
    records_of_people,
)
from detectors.episodes import overlap_of_classes
from detectors.fine_circles import Circles, circles_of
from detectors.fusion_kernels import LEAST_PEOPLE, evidence, rate_zones, search_circles, shared_people
from detectors.fusion_learning import WINDOWS, FusionMemory
from detectors.sightings import CLASSES, FEEDS, Sightings
from detectors.terrain import Terrain
from detectors.zones import ZoneKind, Zones, zones_of
from schemas.geography import AreaCode
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Flags = NDArray[np.bool_]

LOWEST_FUSION = 0.0
"""Scores below it are not kept: chance gives a county one every few days."""

LIKELY: Mapping[str, float] = {"circle": 0.45, "area": 0.3, "around": 0.15, "all": 0.1}
"""What kind of place a cluster has, before anything is seen: our assumption. Divided among the zones of a kind, single
areas by their population; among circles evenly over the octaves of their sizes."""

_COMPLETENESS_EVENTS = 50.0
"""How many events a completeness law is taken to rest on, as in ``detectors/scoring.py``."""

_YOUNG = 0.7
"""Power of w / 28 in the prior of a window of w days. With 1, long windows took nine tenths of the false episodes of null
histories: a rise over weeks is more often a level that moved. Chosen so that each doubling of w takes about its part."""

_LOG10 = float(np.log(10.0))
_LEVELS = _YOUNG * np.array([np.log(w / WINDOWS[-1]) for w in WINDOWS])
_PRIORS = np.log(np.array([profile.prior for profile in PROFILES]))
_OVERLAP = overlaps()
_PEOPLE = records_of_people()
_HARM = np.array([feed in PAGING_FEEDS for feed in FEEDS])
_CERTAIN = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """What stays the same from look to look: the terrain, its circles and the zones of detection areas."""

    terrain: Terrain
    circles: Circles
    zones: Zones
    member: Flags
    """Shape (n_zones, n_areas)."""
    log_prior: FloatArray
    """Of each zone, relative to the octave of circles that has all the people."""

    @classmethod
    def of(cls, terrain: Terrain) -> "Ground":
        """Return the ground of a terrain."""
        adjacent = {
            code: [near for other, near in enumerate(terrain.areas) if terrain.adjacent[row, other]]
            for row, code in enumerate(terrain.areas)
        }
        zones = zones_of(terrain.areas, adjacent, terrain.root)
        circles = circles_of(terrain)
        member = zones.members[:-1].T > 0
        whole = np.array([zone.kind is ZoneKind.ALL for zone in zones.zones])
        member[whole] = True
        held = np.bincount(terrain.area_of, weights=circles.population, minlength=len(terrain.areas))
        # An area without any small one would count for nobody: give it an equal part.
        parts = np.where(held > 0, held, 1.0 / max(len(terrain.areas), 1)).astype(np.float64)
        parts /= max(float(parts.sum()), 1e-300)
        kinds = np.array([zone.kind.value for zone in zones.zones])
        likely = np.array([LIKELY[kind] / np.count_nonzero(kinds == kind) for kind in kinds])
        single = kinds == ZoneKind.AREA.value
        likely[single] = LIKELY["area"] * (member[single] @ parts)
        an_octave = LIKELY["circle"] / _octaves(circles)
        return cls(terrain, circles, zones, member, np.log(likely / an_octave))


def _octaves(circles: Circles) -> float:
    """How many times the size of circles doubles from one small area to the largest; at least once."""
    return max(float(np.log2(max(int(circles.size.max(initial=1)), 1))), 1.0)


@dataclass(frozen=True, slots=True)
class Telling:
    """One cluster as one look sees it.

    Attributes
    ----------
    score : float
        In log10 units: what thresholds are compared with.
    profile : int
        Index into ``PROFILES``: the most probable kind.
    probabilities : tuple of float
        Of every profile, at this zone and window.
    people : float
        How many people more than usual, at best.
    nominal_days, window_days : int
        The window's nominal length, and the civil days that it reaches back in the slowest feed with events in it.
    counts : tuple of int
        Events by feed.
    expected : tuple of float
        What would be usual, by feed.
    size : float
        Of the negative binomial of the total under no outbreak.
    areas : int
        Detection areas that its events lie in, as bits; every bit for the whole jurisdiction.
    codes : tuple of AreaCode
        The same as a signal names them: sorted, or the root alone.
    main : AreaCode
        The detection area with most of its events; the root for the whole jurisdiction.
    zone : str
        ``circle``, ``area``, ``around`` or ``all``.
    centre, n_fine : int
        Of a circle: the small area (index into the terrain's ``fine``) and how many it holds; -1 and 0 otherwise.
    radius_km : float
    substance_class : SubstanceClass
    may_page : bool
        Whether harmed people are behind it: samples alone never page.
    """

    score: float
    profile: int
    probabilities: tuple[float, ...]
    people: float
    nominal_days: int
    window_days: int
    counts: tuple[int, ...]
    expected: tuple[float, ...]
    size: float
    areas: int
    codes: tuple[AreaCode, ...]
    main: AreaCode
    zone: str
    centre: int
    n_fine: int
    radius_km: float
    substance_class: SubstanceClass
    may_page: bool


class Search:
    """One look's search: made, asked once for :meth:`tellings`, and thrown away."""

    def __init__(self, look: Look, ground: Ground, memory: FusionMemory) -> None:
        if look.sightings is None:
            raise ValueError("look must hold sightings: fusion looks at single events")
        if look.sightings.last_day != look.today:
            raise ValueError("sightings must end on the day of the look")
        if look.baseline.areas != ground.terrain.areas:
            raise ValueError("baseline must be of the same areas as the terrain")
        self._look, self._ground, self._memory = look, ground, memory
        self._rows = _rows_of(look)
        laws = checked(look.completeness, FEEDS)
        self._useful = np.array([first_useful_age(laws[feed]) for feed in FEEDS])
        self._total, self._total_error = self._expected_totals(laws)
        self._part = memory.groups.ravel()
        self._take_events(look.sightings)

    def tellings(self, floor: float = LOWEST_FUSION) -> list[Telling]:
        """Return the tellings that stand, strongest first: no two share both a place and a class."""
        lowest = floor * _LOG10
        if not self._stream.size:
            return []
        found = [*self._circles(lowest), *self._zones(lowest)]
        found.sort(key=lambda one: (-one[0], one[1:]))
        standing: list[Telling] = []
        for score, zone, centre, rank, window in found:
            telling = self._telling(score / _LOG10, int(zone), int(centre), int(rank), int(window))
            if not any(
                telling.areas & other.areas
                and overlap_of_classes(telling.substance_class, other.substance_class)
                for other in standing
            ):
                standing.append(telling)
        return standing

    def _expected_totals(self, laws: Mapping[Feed, FloatArray]) -> tuple[FloatArray, FloatArray]:
        """Return what each feed and window would usually hold as known now, and its squared relative error."""
        baseline = self._look.baseline
        total, error = np.zeros((N_FEEDS, len(WINDOWS))), np.zeros((N_FEEDS, len(WINDOWS)))
        days = WINDOWS[-1] + int(self._useful.max())
        first = self._look.today.toordinal() - days + 1
        expected = baseline.expected_total(self._look.today.fromordinal(first), days)[:, ::-1]
        ages = np.arange(days)
        for feed, row in enumerate(self._rows):
            if row < 0:
                continue
            seen = share_known(laws[FEEDS[feed]], ages)
            ends = self._useful[feed] + np.array(WINDOWS) - 1
            mean = (expected[row] * seen).cumsum()[ends]
            doubt = np.sqrt(seen * (1.0 - seen) / (_COMPLETENESS_EVENTS + 1.0))
            total[feed] = mean
            error[feed] = ((expected[row] * doubt).cumsum()[ends] / np.maximum(mean, 1e-300)) ** 2
            error[feed] += 1.0 / baseline.level_shape[row]
        return total, error

    def _take_events(self, sightings: Sightings) -> None:
        age = sightings.n_days - 1 - sightings.day
        needed = np.maximum(age - self._useful[sightings.feed] + 1, 1)
        kept = (needed <= WINDOWS[-1]) & (sightings.known_day < sightings.n_days)
        kept &= self._rows[sightings.feed] >= 0
        fine = np.where(sightings.fine < len(self._ground.terrain.fine), sightings.fine, -1)[kept]
        order = np.argsort(fine, kind="stable")
        self._fine = fine[order]
        self._feed = sightings.feed[kept][order]
        self._area = sightings.area[kept][order]
        self._classes = sightings.classes[kept][order]
        self._stream = self._feed * N_GROUPS + groups_of(self._classes)
        self._window = np.searchsorted(np.array(WINDOWS), needed[kept][order]).astype(np.int64)

    @cached_property
    def _fine_share(self) -> tuple[FloatArray, FloatArray]:
        """Each small area's share of a feed, and its squared error (not relative), shape (n_fine, n_feeds)."""
        baseline, area = self._look.baseline, self._ground.terrain.area_of
        share = np.zeros((len(area), N_FEEDS))
        error = np.zeros((len(area), N_FEEDS))
        for feed, row in enumerate(self._rows):
            if row >= 0:
                share[:, feed] = (
                    baseline.shares[row, area] * self._memory.shares * self._memory.finely_placed[feed]
                )
                relative = 1.0 / self._memory.shapes + 1.0 / baseline.share_shapes[row, area]
                error[:, feed] = share[:, feed] ** 2 * relative
        return share, error

    @cached_property
    def _spread(self) -> FloatArray:
        """Over-dispersion less 1 of each feed's small places and of its whole, shape (2, n_feeds)."""
        baseline = self._look.baseline
        spread = np.zeros((2, N_FEEDS))
        for feed, row in enumerate(self._rows):
            if row >= 0:
                spread[0, feed] = baseline.dispersion[row] - 1.0
                spread[1, feed] = baseline.dispersion_total[row] - 1.0
        return np.maximum(spread, 0.0)

    @cached_property
    def _around(self) -> FloatArray:
        """Part of the jurisdiction's people in the detection area of each small area, shape (n_fine,)."""
        area, people = self._ground.terrain.area_of, self._ground.circles.population
        held: FloatArray = np.bincount(area, weights=people, minlength=1).astype(np.float64)
        return np.maximum(held[area], 1e-12)

    def _circles(self, lowest: float) -> list[tuple[float, float, float, float, float]]:
        placed = self._fine >= 0
        centres = np.unique(self._fine[placed])
        if not centres.size:
            return []
        n_fine = len(self._ground.terrain.fine)
        starts = np.searchsorted(self._fine[placed], np.arange(n_fine + 1)).astype(np.int64)
        share, error = self._fine_share
        circles = self._ground.circles
        found = np.full((centres.size, 5), -np.inf)
        search_circles(
            centres,
            circles.near,
            circles.size,
            circles.population,
            share,
            error,
            starts,
            self._stream[placed],
            self._window[placed],
            self._total,
            self._total_error,
            self._part,
            self._spread[0],
            self._memory.clumps,
            self._memory.shift,
            _OVERLAP,
            self._memory.also_here,
            self._around[centres],
            *_PEOPLE,
            _PRIORS,
            _LEVELS,
            lowest,
            found,
        )
        kept = np.flatnonzero(np.isfinite(found[:, 0]))
        return [(found[row, 0], -1.0, float(centres[row]), found[row, 1], found[row, 2]) for row in kept]

    @cached_property
    def _zone_arrays(self) -> tuple[IntArray, FloatArray, FloatArray, FloatArray]:
        """Counts (n_zones, n_windows, n_streams) of exactly each window's days, and shares, their errors, spreads."""
        ground, baseline = self._ground, self._look.baseline
        n_areas = len(ground.terrain.areas)
        cell = np.zeros((n_areas + 1, len(WINDOWS), N_STREAMS), dtype=np.int64)
        np.add.at(cell, (np.where(self._area >= 0, self._area, n_areas), self._window, self._stream), 1)
        held = np.concatenate([ground.member, np.zeros((ground.member.shape[0], 1), dtype=bool)], axis=1)
        whole = np.array([zone.kind is ZoneKind.ALL for zone in ground.zones.zones])
        held[whole, -1] = True
        counts = np.tensordot(held.astype(np.int64), cell, axes=(1, 0))
        share = np.zeros((held.shape[0], N_FEEDS))
        error = np.zeros((held.shape[0], N_FEEDS))
        for feed, row in enumerate(self._rows):
            if row < 0:
                continue
            part = baseline.shares[row]
            share[:, feed] = ground.member @ part
            square = ground.member @ (part**2 / baseline.share_shapes[row])
            error[:, feed] = square / np.maximum(share[:, feed] ** 2, 1e-300)
            error[:, feed] += self._memory.shift
            share[whole, feed], error[whole, feed] = 1.0, 0.0
        spread = np.where(whole[:, None], self._spread[1], self._spread[0])
        return counts, share, error, spread

    def _zones(self, lowest: float) -> list[tuple[float, float, float, float, float]]:
        counts, share, error, spread = self._zone_arrays
        found = np.full((counts.shape[0], 5), -np.inf)
        rate_zones(
            counts.cumsum(axis=1),
            share,
            error,
            self._ground.log_prior,
            counts.sum(axis=2),
            self._total,
            self._total_error,
            self._part,
            spread,
            _OVERLAP,
            self._memory.also_here,
            *_PEOPLE,
            _PRIORS,
            _LEVELS,
            lowest,
            found,
        )
        kept = np.flatnonzero(np.isfinite(found[:, 0]))
        return [(found[row, 0], float(row), -1.0, -1.0, found[row, 2]) for row in kept]

    def _telling(self, score: float, zone: int, centre: int, rank: int, window: int) -> Telling:
        ground = self._ground
        n_areas = len(ground.terrain.areas)
        radius, cover = 0.0, 1.0
        if centre >= 0:
            places = ground.circles.near[centre, : rank + 1]
            radius = float(ground.circles.distance_km[centre, rank])
            inside = np.isin(self._fine, places)
            fine_share, fine_error = self._fine_share
            share = fine_share[places].sum(axis=0)
            error = fine_error[places].sum(axis=0) / np.maximum(share**2, 1e-300)
            cover = min(float(ground.circles.population[places].sum() / self._around[centre]), 1.0)
            here = self._memory.clumps[:, window]
            spread = here + np.maximum(self._spread[0] - here, 0.0) * cover
            error, kind = error + self._memory.shift, "circle"
        else:
            member = np.append(ground.member[zone], ground.zones.zones[zone].kind is ZoneKind.ALL)
            inside = member[np.where(self._area >= 0, self._area, n_areas)]
            _, shares, errors, spreads = self._zone_arrays
            share, error, spread = shares[zone], errors[zone], spreads[zone]
            kind = ground.zones.zones[zone].kind.value
        inside &= self._window <= window
        counts = np.bincount(self._stream[inside], minlength=N_STREAMS).astype(np.int64)
        by_feed = counts.reshape(N_FEEDS, N_GROUPS).sum(axis=1)
        usual = self._total[:, window] * share
        kappa = spread + usual * (self._total_error[:, window] + error)
        by_profile, people = np.zeros(len(PROFILES)), np.zeros(len(PROFILES))
        shared = np.zeros((N_FEEDS, N_FEEDS))
        shared_people(_OVERLAP, self._memory.also_here, cover, shared)
        size = int(counts.sum())
        scratch = np.zeros(4 * size + 1), np.zeros(2 * size + 1, dtype=np.int64)
        settled = (counts, usual, kappa, self._part, shared, *_PEOPLE, _PRIORS)
        best = int(evidence(*settled, *scratch, by_profile, people))
        chance = np.exp(by_profile - by_profile.max())
        chance /= chance.sum()
        whole = kind == ZoneKind.ALL.value
        in_areas = np.bincount(self._area[inside & (self._area >= 0)], minlength=n_areas)
        touched = np.flatnonzero(in_areas)
        everywhere = whole or not touched.size
        variance = float((usual * (1.0 + kappa)).sum())
        mean = float(usual.sum())
        return Telling(
            score=score,
            profile=best,
            probabilities=tuple(float(value) for value in chance),
            people=float(people[best]),
            nominal_days=WINDOWS[window],
            window_days=WINDOWS[window] + int(self._useful[by_feed > 0].max(initial=0)),
            counts=tuple(int(value) for value in by_feed),
            expected=tuple(float(value) for value in usual),
            size=mean**2 / max(variance - mean, 1e-12),
            areas=(1 << max(n_areas, 1)) - 1 if everywhere else sum(1 << int(row) for row in touched),
            codes=(ground.terrain.root,)
            if everywhere
            else tuple(ground.terrain.areas[row] for row in touched),
            main=ground.terrain.root if everywhere else ground.terrain.areas[int(in_areas.argmax())],
            zone=kind,
            centre=centre,
            n_fine=rank + 1 if centre >= 0 else 0,
            radius_km=radius,
            substance_class=self._class_of(best, float(chance[best]), inside),
            may_page=bool((by_feed[_HARM] >= LEAST_PEOPLE).any()),
        )

    def _class_of(self, profile: int, probability: float, inside: Flags) -> SubstanceClass:
        """Return what the cluster is told as: the potent opioid that most name, else the profile's, else unknown."""
        its_own = PROFILES[profile]
        if its_own.named is None or probability < _CERTAIN:
            return SubstanceClass.UNKNOWN
        potent = its_own.name == "opioid" and inside & (self._stream % N_GROUPS == GROUPS.index(Group.POTENT))
        if np.any(potent):
            named = [int(np.count_nonzero(self._classes[potent] >> bit & 1)) for bit in range(len(CLASSES))]
            allowed = [row for row, name in enumerate(CLASSES) if name in {"nitazene", "fentanyl", "orphine"}]
            return CLASSES[max(allowed, key=lambda row: named[row])]
        return its_own.substance_class


def _rows_of(look: Look) -> IntArray:
    """Return the baseline's row of each feed's whole; -1 for a feed that is not there or too young to be judged."""
    series = {item: row for row, item in enumerate(look.baseline.series)}
    rows = np.array([series.get((feed, SubstanceClass.ANY), -1) for feed in FEEDS], dtype=np.int64)
    young = (rows >= 0) & (look.baseline.history_days[rows] < DAYS_BEFORE_PAGING)
    rows[young] = -1
    return rows
