"""Learn from how many casualties on the tripwires may page, from null histories made of people.

``tocsin calibrate`` hands in simulated histories as observations; the very rules that intake runs are run over them.
A tripwire whose base rate exceeds its share of the budget is made stricter, one step at a time; the ladder of base
rates is kept with the thresholds, so that every signal can say how often chance alone does as much.

It needs no simulator, no clock and no numerics: it is handed iterables of observations, one history at a time.
"""

import math
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from detectors.budget import Budget
from detectors.observations import Observation, Seen, in_order
from detectors.tripwire_rules import (
    AGAIN,
    FIRST,
    SINGLE_KINDS,
    Finding,
    Setting,
    compatible,
    concurrent_findings,
    densest,
    in_stratum,
    scene_findings,
    single_findings,
    single_kinds,
    surprise,
    watch_list_findings,
)
from detectors.tripwire_thresholds import (
    CONCURRENT,
    DAYS_A_YEAR,
    SCENE,
    SINGLE,
    WATCH_LIST,
    AreaLevels,
    BaseRate,
    TripwireThresholds,
    ZoneLevel,
    tail,
)
from schemas.clock import LONDON
from schemas.geography import AreaCode
from schemas.overlap import areas_overlap, classes_overlap, days_overlap
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed, Stratum, Tier

Progress = Callable[[float], None]
"""Called with the null years looked at so far."""

MODEL_VERSION = "tripwires-1"

_STRICTNESS = (
    1.0,
    0.5,
    0.3,
    0.2,
    0.15,
    0.1,
    0.07,
    0.05,
    0.03,
    0.02,
    0.01,
    0.005,
    0.002,
    0.001,
    0.0001,
    0.00001,
)
"""Chances, of as many people near any moment, that are tried for the watch-list rule, from the loosest."""
_MOST_PEOPLE = 40
_LOOK_EVERY = timedelta(days=13, hours=7)
"""Moments at which the usual number of people near an area is read: every weekday and hour comes up in turn."""


@dataclass(frozen=True)
class Ground:
    """What the jurisdiction looks like to its tripwires."""

    root: AreaCode
    adjacency: Mapping[AreaCode, frozenset[AreaCode]]
    """The areas beside each detection area; its keys are all the detection areas."""
    small_areas: Mapping[AreaCode, int]
    """How many small areas each detection area holds."""


@dataclass(frozen=True)
class Episode:
    """A null finding, boiled down to what calibration needs."""

    history: int
    finding: Finding
    areas: frozenset[AreaCode]


def calibrate_tripwires(
    histories: Iterable[Iterable[Observation]],
    ground: Ground,
    *,
    years_each: float,
    budget: Budget | None = None,
    note: str = "",
    progress: Progress | None = None,
) -> TripwireThresholds:
    """Return thresholds at which every tripwire keeps its share of the false pages and reviews.

    Parameters
    ----------
    histories : iterable of iterable of Observation
        Null histories, in any order; each is looked at once and let go. A hundred years tell a share of half a page a
        year to about a seventh of it.
    ground : Ground
    years_each : float
        How many years each history covers.
    budget : Budget, optional
        Whose shares are kept; half a page a year for each of the three tripwires unless it says otherwise.
    note : str
        How the histories were made, for the record.
    progress : callable, optional
    """
    shares = budget or Budget()
    levels = _Levels(ground)
    episodes: dict[str, list[Episode]] = defaultdict(list)
    singles: Counter[str] = Counter()
    number = 0
    for history in histories:
        setting = _open_setting(ground)
        observations = in_order(in_stratum(history, Stratum.GENERAL))
        levels.add(setting, observations)
        for rule in (scene_findings, watch_list_findings, concurrent_findings):
            for finding in rule(setting, observations):
                areas = frozenset(item.area for item in finding.members)
                episodes[finding.family].append(Episode(number, finding, areas))
        singles.update(finding.kind for finding in single_findings(setting, observations))
        number += 1
        if progress is not None:
            progress(number * years_each)
    if number == 0:
        raise ValueError("calibration needs at least one null history")
    years = number * years_each
    learner = _Learner(ground, shares, years, TripwireThresholds(areas=levels.learnt(years)))
    scene = learner.whole_steps(SCENE, episodes[SCENE], loosest=3)
    concurrent = learner.whole_steps(CONCURRENT, episodes[CONCURRENT], loosest=2)
    watch_list = learner.watch_list(episodes[WATCH_LIST])
    return TripwireThresholds(
        model_version=MODEL_VERSION,
        scene_page=scene.page,
        scene_review=scene.review,
        concurrent_page=concurrent.page,
        concurrent_review=concurrent.review,
        watch_list_page=watch_list.page,
        watch_list_review=watch_list.review,
        areas=watch_list.areas,
        base_rates={
            SCENE: scene.rate,
            CONCURRENT: concurrent.rate,
            WATCH_LIST: watch_list.rate,
            **{f"{SINGLE}:{kind}": _single_rate(years, singles, kind) for kind in SINGLE_KINDS},
        },
        years=years,
        note=note,
    )


def _single_rate(years: float, singles: Mapping[str, int], kind: str) -> BaseRate:
    """Return how often chance gives one kind of single tripwire.

    How often a detection is a *first* depends on the past: at most as often as there is a detection at all.
    """
    count = singles[FIRST] + singles[AGAIN] if kind == FIRST else singles[kind]
    return BaseRate(years=years, ladder=((1.0, count), (2.0, 0)))


def merged(episodes: Sequence[Episode], root: AreaCode) -> int:
    """Return how many episodes remain when those that overlap in area and class within 14 days are one."""
    ordered = sorted(episodes, key=lambda item: (item.history, item.finding.day))
    group = list(range(len(ordered)))
    for later, b in enumerate(ordered):
        for earlier in range(later - 1, -1, -1):
            a = ordered[earlier]
            if a.history != b.history or not days_overlap(_days(a), _days(b)):
                break
            if areas_overlap(a.areas, b.areas, root) and classes_overlap(
                a.finding.substance_class, b.finding.substance_class
            ):
                group = [group[earlier] if one == group[later] else one for one in group]
    return len(set(group))


def _days(item: Episode) -> tuple[date, date]:
    return (item.finding.day, item.finding.day)


def _open_setting(ground: Ground) -> Setting:
    """Return a setting in which everything is known and nothing is a first."""
    return Setting(TripwireThresholds(), ground.adjacency, datetime.max.replace(tzinfo=UTC), LONDON, Seen())


@dataclass(frozen=True)
class _Learnt:
    page: int
    review: int
    rate: BaseRate
    areas: Mapping[str, AreaLevels]


class _Learner:
    """Raises each tripwire until it keeps its share."""

    def __init__(self, ground: Ground, budget: Budget, years: float, so_far: TripwireThresholds) -> None:
        self._ground = ground
        self._budget = budget
        self._years = years
        self._so_far = so_far

    def whole_steps(self, family: str, episodes: Sequence[Episode], *, loosest: int) -> _Learnt:
        """Learn a rule that counts people or scenes in the same way everywhere."""

        def at_least(name: str, count: int) -> int:
            return merged([one for one in episodes if getattr(one.finding, name) >= count], self._ground.root)

        page = next(
            (
                step
                for step in range(loosest, _MOST_PEOPLE)
                if self._keeps(family, Tier.PAGE, at_least("fresh", step))
            ),
            _MOST_PEOPLE,
        )
        review = next(
            (
                step
                for step in range(loosest, page)
                if self._keeps(family, Tier.REVIEW, at_least("recent", step))
            ),
            page,
        )
        highest = max((one.finding.people for one in episodes), default=1)
        ladder = tuple((float(step), at_least("people", step)) for step in range(2, max(highest, page) + 2))
        return _Learnt(page, review, BaseRate(years=self._years, ladder=ladder), {})

    def watch_list(self, episodes: Sequence[Episode]) -> _Learnt:
        """Learn how many people near a detection are unusual in each area."""
        scored = [
            (one, surprise(self._so_far, one.finding.area, one.finding.fresh or one.finding.people))
            for one in episodes
        ]
        needs: dict[str, int] = {}
        for chance in _STRICTNESS:
            needs = {area: self._needed(level, chance) for area, level in self._so_far.areas.items()}
            most = max(needs.values(), default=1)
            paging = [one for one in episodes if one.finding.fresh >= needs.get(one.finding.area, most)]
            if self._keeps(WATCH_LIST, Tier.PAGE, merged(paging, self._ground.root)):
                break
        most = max(needs.values(), default=_MOST_PEOPLE)
        review = next(
            (
                step
                for step in range(1, most)
                if self._keeps(
                    WATCH_LIST,
                    Tier.REVIEW,
                    merged([one for one in episodes if one.finding.recent >= step], self._ground.root),
                )
            ),
            most,
        )
        steps = sorted({math.floor(score * 10) for _, score in scored})
        ladder = tuple(
            (step / 10, merged([one for one, score in scored if score * 10 >= step], self._ground.root))
            for step in (*steps, steps[-1] + 1 if steps else 0)
        )
        areas = {
            area: level.model_copy(update={"watch_list_page": needs[area]})
            for area, level in self._so_far.areas.items()
        }
        return _Learnt(most, review, BaseRate(years=self._years, ladder=ladder), areas)

    def _keeps(self, family: str, tier: Tier, episodes: int) -> bool:
        rate = BaseRate(years=self._years, ladder=((1.0, episodes),)).per_year(1.0)
        return rate <= self._budget.episodes_per_year(family, tier)

    @staticmethod
    def _needed(level: AreaLevels, chance: float) -> int:
        zone = level.zone or ZoneLevel(mean=0.0)
        return next(
            (count for count in range(1, _MOST_PEOPLE) if tail(count, zone.mean, zone.dispersion) <= chance),
            _MOST_PEOPLE,
        )


class _Levels:
    """What is usual in each area, summed over the null histories."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._casualties: Counter[tuple[AreaCode, Feed]] = Counter()
        self._opioid: Counter[tuple[AreaCode, Feed]] = Counter()
        self._singles: Counter[tuple[AreaCode, Feed]] = Counter()
        self._near: dict[AreaCode, list[int]] = defaultdict(list)

    def add(self, setting: Setting, ordered: Sequence[Observation]) -> None:
        """Count one history."""
        harmed = [item for item in ordered if not item.is_sample]
        opioid = [item for item in harmed if compatible(item, SubstanceClass.NITAZENE)]
        self._casualties.update((item.area, item.feed) for item in harmed)
        self._opioid.update((item.area, item.feed) for item in opioid)
        self._singles.update((item.area, item.feed) for item, _, _ in single_kinds(setting, ordered))
        span = timedelta(hours=setting.thresholds.watch_list_hours)
        if not opioid or opioid[-1].occurred_at - opioid[0].occurred_at < 4 * span:
            return
        for area in (*self._ground.adjacency, self._ground.root):
            zone = setting.around(area)
            near = [item for item in opioid if item.area in zone]
            times = [item.occurred_at for item in near]
            moment, end = opioid[0].occurred_at + 2 * span, opioid[-1].occurred_at - 2 * span
            while moment < end:
                window = near[bisect_left(times, moment - span) : bisect_right(times, moment + span)]
                self._near[area].append(densest(setting, window, moment).fresh)
                moment += _LOOK_EVERY

    def learnt(self, years: float) -> dict[str, AreaLevels]:
        """Return the levels of each area and of the root."""
        days = years * DAYS_A_YEAR
        return {
            area: AreaLevels(
                casualties_per_day=_daily(self._casualties, area, days),
                opioid_per_day=_daily(self._opioid, area, days),
                singles_per_day=_daily(self._singles, area, days),
                small_areas=max(self._ground.small_areas.get(area, 1), 1),
                zone=_zone_level(self._near.get(area, [])),
            )
            for area in sorted({*self._ground.adjacency, self._ground.root})
        }


def _daily(counts: Mapping[tuple[AreaCode, Feed], int], area: AreaCode, days: float) -> dict[Feed, float]:
    return {feed: counts[area, feed] / days for feed in Feed if (area, feed) in counts}


def _zone_level(counts: Sequence[int]) -> ZoneLevel | None:
    if not counts:
        return None
    mean = sum(counts) / len(counts)
    variance = sum((count - mean) ** 2 for count in counts) / len(counts)
    return ZoneLevel(mean=mean, dispersion=max(1.0, variance / mean) if mean > 0 else 1.0)
