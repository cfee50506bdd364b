"""From how many casualties on a tripwire records, asks for a review or pages, and how often chance alone does so.

Learnt by ``detectors/tripwire_calibration.py`` from null histories, stored as JSON, read by ``detectors/tripwires.py``
at intake. Plain Python: intake loads no numerics for it. Without a calibration the stated prior holds: the rules of
the domain (three casualties at one scene; one beside a watch-list detection; two warnings at once).
"""

import math
from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_serializer

from schemas.substances import WATCH_LIST as WATCH_LIST_CLASSES
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed

SCENE = "tripwire_scene"
WATCH_LIST = "tripwire_watch_list"
CONCURRENT = "tripwire_concurrent"
SINGLE = "tripwire_single"
FAMILIES = (SCENE, WATCH_LIST, CONCURRENT, SINGLE)

DAYS_A_YEAR = 365.25
_PRIOR_EPISODES = 0.5
_PRIOR_YEARS = 1.0
_LONGEST_DAYS = 100 * DAYS_A_YEAR
_FAR_TAIL = 1e-12
_MOST_TERMS = 100_000

NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BaseRate(_Frozen):
    """How many null episodes reached each score, in how many simulated years.

    The rate at a score is Gamma-Poisson: a prior worth half an episode in one year, plus what was counted.
    """

    years: NotNegative = 0.0
    ladder: tuple[tuple[float, int], ...] = ()
    """(score, episodes at or above it), scores ascending; the last step is the first that nothing reached."""

    def episodes(self, score: float) -> int:
        """Episodes at or above ``score`` in all the null years; between two steps, those of the lower one."""
        below = [count for step, count in self.ladder if step <= score]
        if below:
            return below[-1]
        return self.ladder[0][1] if self.ladder else 0

    def per_year(self, score: float) -> float:
        """Posterior mean of the episodes a year at or above ``score``."""
        return (_PRIOR_EPISODES + self.episodes(score)) / (_PRIOR_YEARS + self.years)

    def recurrence_days(self, score: float) -> float:
        """How long chance alone takes to reach ``score`` again anywhere in the jurisdiction; at most a century."""
        return min(DAYS_A_YEAR / self.per_year(score), _LONGEST_DAYS)

    def p_value(self, score: float, window_days: float) -> float:
        """Chance of at least one such episode somewhere within one window: the Gamma-Poisson predictive tail."""
        shape = _PRIOR_EPISODES + self.episodes(score)
        return -math.expm1(-shape * math.log1p(window_days / DAYS_A_YEAR / (_PRIOR_YEARS + self.years)))


class ZoneLevel(_Frozen):
    """Usual people, compatible with an opioid, within three days in one area and those beside it."""

    mean: NotNegative
    dispersion: Annotated[float, Field(ge=1)] = 1.0


class AreaLevels(_Frozen):
    """What is usual in one detection area."""

    casualties_per_day: Mapping[Feed, NotNegative] = Field(default_factory=dict)
    opioid_per_day: Mapping[Feed, NotNegative] = Field(default_factory=dict)
    """Of those, the ones that may have been an opioid: named so, or naming nothing."""
    singles_per_day: Mapping[Feed, NotNegative] = Field(default_factory=dict)
    """Non-responses, three doses or more, and watch-list detections."""
    small_areas: Annotated[int, Field(ge=1)] = 1
    """How many small areas it has: one scene expects one of them's share."""
    zone: ZoneLevel | None = None
    watch_list_page: Annotated[int, Field(ge=1)] | None = None
    """People beside a watch-list detection here from which it pages; the jurisdiction's figure where none."""


class TripwireThresholds(_Frozen):
    """Everything the tripwires are told; ``model_dump_json`` and ``model_validate_json`` keep it exactly."""

    model_version: str = "tripwires-stated-1"
    scene_page: Annotated[int, Field(ge=2)] = 3
    """People harmed at one scene within ``scene_hours``."""
    scene_review: Annotated[int, Field(ge=2)] = 3
    scene_hours: Annotated[float, Field(gt=0)] = 6.0
    watch_list_page: Annotated[int, Field(ge=1)] = 1
    """People harmed in the same or an adjacent area within ``watch_list_hours`` that hold the detection."""
    watch_list_review: Annotated[int, Field(ge=1)] = 1
    watch_list_hours: Annotated[float, Field(gt=0)] = 72.0
    concurrent_page: Annotated[int, Field(ge=2)] = 2
    """Single tripwires from different scenes, in one area and those beside it, within ``concurrent_hours``."""
    concurrent_review: Annotated[int, Field(ge=2)] = 2
    concurrent_hours: Annotated[float, Field(gt=0)] = 24.0
    many_doses: Annotated[int, Field(ge=2)] = 3
    watch_list: frozenset[SubstanceClass] = WATCH_LIST_CLASSES
    """Classes whose detection is a warning. Where one of them is in the ordinary supply, it is none: take it out."""
    fresh_hours: Annotated[float, Field(gt=0)] = 72.0
    """An event that becomes known later than this after it happened never pages."""
    areas: Mapping[str, AreaLevels] = Field(default_factory=dict)
    base_rates: Mapping[str, BaseRate] = Field(default_factory=dict)
    """By family; for single tripwires by ``tripwire_single:<kind>``."""
    years: NotNegative = 0.0
    """Null years behind it; 0 for what was stated and not learnt."""
    note: str = ""

    @field_serializer("watch_list")
    def _in_order(self, classes: frozenset[SubstanceClass]) -> list[str]:
        """The same thresholds always make the same JSON."""
        return [one.value for one in SubstanceClass if one in classes]

    def base_rate(self, name: str) -> BaseRate:
        """The base rate of a family, or of one kind of single tripwire; the prior alone where nothing was learnt."""
        return self.base_rates.get(name, BaseRate())

    def level(self, area: str) -> AreaLevels:
        """What is usual in an area; nothing where it was not learnt."""
        return self.areas.get(area, AreaLevels())

    def watch_list_needs(self, area: str) -> int:
        """People beside a watch-list detection in ``area`` from which it pages."""
        return self.level(area).watch_list_page or self.watch_list_page


def negative_binomial_terms(mean: float, dispersion: float) -> list[float]:
    """Probabilities of 0, 1, 2 ... under a negative binomial (Poisson where ``dispersion`` is 1), to the far tail.

    Recurrence in r = mean / (dispersion - 1): p(0) = dispersion^-r, p(n) = p(n-1) (r + n - 1)/n (1 - 1/dispersion).
    """
    if mean <= 0:
        return [1.0]
    poisson = dispersion <= 1 + 1e-9
    size = 0.0 if poisson else mean / (dispersion - 1)
    term = math.exp(-mean) if poisson else math.exp(-size * math.log(dispersion))
    terms, total = [term], term
    while 1 - total > _FAR_TAIL and len(terms) < _MOST_TERMS and (term > 0 or len(terms) < mean):
        count = len(terms)
        term *= mean / count if poisson else (size + count - 1) / count * (1 - 1 / dispersion)
        terms.append(term)
        total += term
    return terms


def tail(count: int, mean: float, dispersion: float) -> float:
    """Chance of ``count`` or more."""
    return max(0.0, 1 - sum(negative_binomial_terms(mean, dispersion)[:count]))


def interval(mean: float, dispersion: float) -> tuple[float, float]:
    """The central 95 % prediction interval of a count."""
    low: int | None = None
    total = 0.0
    count = 0
    for count, term in enumerate(negative_binomial_terms(mean, dispersion)):
        total += term
        if low is None and total >= 0.025:  # noqa: PLR2004 (a central 95 %)
            low = count
        if total >= 0.975:  # noqa: PLR2004 (a central 95 %)
            break
    return float(low or 0), float(count)
