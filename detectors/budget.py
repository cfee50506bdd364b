"""The false-alarm budget and the thresholds that keep it: how a score becomes *record*, *review* or *page*.

Calibration fills :class:`Thresholds`; a detection run and the tripwires at intake read them. Plain Python, so that
intake can ask without loading any numerics. It learns nothing itself (``detectors/calibration.py`` does).

The budget is counted in *episodes a year with nothing real behind them*: alarms of one tier that overlap in area and
class and are at most 14 days apart are one episode. Shares of the families add up, because expected counts add,
whatever depends on what; so no false-discovery rule decides a page.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from detectors.tripwire_thresholds import CONCURRENT, SCENE, WATCH_LIST
from schemas.vocabulary import Feed, Tier

DAYS_A_YEAR = 365.25

AREA_COUNTS = "area_counts"
FUSION = "fusion"
NOVELTY = "novelty"
SLOW_ONSET = "slow_onset"
MULTIVARIATE = "multivariate"

PAGING_FEEDS = frozenset({Feed.SUSPECTED_DEATHS, Feed.AMBULANCE_NALOXONE, Feed.ED_PRESENTATIONS})
"""Feeds whose counts alone may page: those in which somebody was harmed. Samples ask for a review at most."""

REACHABLE = 0.8
"""Where merging keeps a nominal rate out of reach, the threshold is where the curve reaches this part of its peak: below
it nearly every further alarm joins an episode that is already there, and tells nobody anything new."""

MOST_EXTRAPOLATED_DAYS = 100 * DAYS_A_YEAR
"""No recurrence interval is stated beyond this: a curve learnt from some decades says nothing about a millennium."""

_PAGE_SHARES: Mapping[str, float] = {
    AREA_COUNTS: 0.25,
    FUSION: 0.40,
    SCENE: 0.35 / 3,
    WATCH_LIST: 0.35 / 3,
    CONCURRENT: 0.35 / 3,
}
# Of 104 false reviews a year. Novelty, slow onset and unusual combinations never page; tripwires have ceilings.
_REVIEW_SHARES: Mapping[str, float] = {
    AREA_COUNTS: 26 / 104,
    FUSION: 26 / 104,
    NOVELTY: 8 / 104,
    SLOW_ONSET: 6 / 104,
    MULTIVARIATE: 2 / 104,
    SCENE: 12 / 104,
    WATCH_LIST: 12 / 104,
    CONCURRENT: 12 / 104,
}

NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Budget(_Frozen):
    """How many false alarms a jurisdiction agrees to bear, and which family of tests may spend how many."""

    pages_per_year: NonNegative = 4.0
    night_pages_per_year: NonNegative = 1.0
    """Of the pages, those between 22:00 and 07:00 (kept by the urgency rule of an incident, not by a threshold)."""
    reviews_per_week: NonNegative = 2.0
    records_per_day: NonNegative = 1.0
    """Signals of a detector of counts that are kept for the file only: they ask nothing of anybody."""
    page_shares: Mapping[str, NonNegative] = Field(default_factory=lambda: dict(_PAGE_SHARES))
    review_shares: Mapping[str, NonNegative] = Field(default_factory=lambda: dict(_REVIEW_SHARES))

    @model_validator(mode="after")
    def _shares_are_whole(self) -> Self:
        for name in ("page_shares", "review_shares"):
            if sum(getattr(self, name).values()) > 1 + 1e-9:
                raise ValueError(f"{name} must not add up to more than 1")
        return self

    def episodes_per_year(self, family: str, tier: Tier) -> float:
        """False episodes a year that ``family`` may cause at ``tier`` or above it; records have no such limit."""
        if tier is Tier.PAGE:
            return self.pages_per_year * self.page_shares.get(family, 0.0)
        if tier is Tier.REVIEW:
            return self.reviews_per_week * DAYS_A_YEAR / 7 * self.review_shares.get(family, 0.0)
        return math.inf


class Recurrence(_Frozen):
    """How long chance alone would take to give a score this high again."""

    days: Annotated[float, Field(gt=0)]
    extrapolated: bool
    """Rarer than anything in the simulated years: read off a fitted exponential tail."""
    capped: bool
    """At the longest interval that is ever stated, or off the loose end of the curve: at most this often."""


class RateCurve(_Frozen):
    """False episodes a year at or above each score: what the null histories showed.

    ``scores`` ascend and ``episodes_per_year`` do not ascend. The last point is the highest score at which there were
    still enough episodes to count; beyond it the rate falls as ``exp(-tail_rate * (score - last))``.
    """

    scores: Annotated[tuple[float, ...], Field(min_length=1)]
    episodes_per_year: tuple[NonNegative, ...]
    tail_rate: Annotated[float, Field(gt=0)]

    @model_validator(mode="after")
    def _is_a_curve(self) -> Self:
        if len(self.scores) != len(self.episodes_per_year):
            raise ValueError("episodes_per_year must be as long as scores")
        if any(b <= a for a, b in zip(self.scores, self.scores[1:], strict=False)):
            raise ValueError("scores must ascend")
        if any(b > a for a, b in zip(self.episodes_per_year, self.episodes_per_year[1:], strict=False)):
            raise ValueError("episodes_per_year must not ascend")
        if self.episodes_per_year[-1] <= 0:
            raise ValueError("episodes_per_year must end above zero")
        return self

    def rate(self, score: float) -> float:
        """Episodes a year at or above ``score``: interpolated on the log of the rate, then the exponential tail."""
        scores, rates = self.scores, self.episodes_per_year
        if score <= scores[0]:
            return rates[0]
        if score >= scores[-1]:
            return rates[-1] * math.exp(-self.tail_rate * (score - scores[-1]))
        right = bisect_right(scores, score)
        share = (score - scores[right - 1]) / (scores[right] - scores[right - 1])
        return math.exp((1 - share) * math.log(rates[right - 1]) + share * math.log(rates[right]))

    def score_for(self, episodes_per_year: float) -> float:
        """The lowest score whose rate is at most ``episodes_per_year`` (the curve's first score if that is enough)."""
        rates = self.episodes_per_year
        if episodes_per_year >= rates[0]:
            return self.scores[0]
        if episodes_per_year <= 0:
            return math.inf
        if episodes_per_year <= rates[-1]:
            return self.scores[-1] + math.log(rates[-1] / episodes_per_year) / self.tail_rate
        right = bisect_left([-rate for rate in rates], -episodes_per_year)
        low, high = math.log(rates[right - 1]), math.log(rates[right])
        share = (low - math.log(episodes_per_year)) / (low - high)
        return self.scores[right - 1] + share * (self.scores[right] - self.scores[right - 1])

    @property
    def most_reachable(self) -> float:
        """The highest rate that a threshold is set for (``REACHABLE`` of the curve's peak)."""
        return REACHABLE * self.episodes_per_year[0]

    def threshold_for(self, episodes_per_year: float) -> float:
        """The threshold that spends ``episodes_per_year``, or all of it that merging leaves within reach."""
        return round(self.score_for(min(episodes_per_year, self.most_reachable)), 4)

    def recurrence(self, score: float) -> Recurrence:
        """How long chance alone would take to give ``score`` again, and how far that can be trusted."""
        days = DAYS_A_YEAR / max(self.rate(score), DAYS_A_YEAR / MOST_EXTRAPOLATED_DAYS / 2)
        return Recurrence(
            days=min(days, MOST_EXTRAPOLATED_DAYS),
            extrapolated=score > self.scores[-1],
            capped=days >= MOST_EXTRAPOLATED_DAYS or score < self.scores[0],
        )


class Learnt(_Frozen):
    """What the null histories said about one tier of one family: nominal, realised and how sure."""

    nominal_per_year: NonNegative
    """What the budget allows: episodes a year, or for the record tier signals a year."""
    realised_per_year: NonNegative
    """Episodes a year in the same histories at the score threshold."""
    standard_error: NonNegative
    """Of the realised rate, in episodes a year, between histories."""
    score_standard_error: NonNegative
    """Of the threshold, on the score's own scale."""
    limited_by_merging: bool = False
    """Whether the nominal rate cannot be reached, because a lower threshold joins episodes as fast as it adds them."""


class FamilyThresholds(_Frozen):
    """The scores from which a family's signals are recorded, reviewed and paged."""

    scores: Mapping[Tier, float]
    curve: RateCurve | None = None
    """Over every feed."""
    page_curve: RateCurve | None = None
    """Over the feeds that may page alone; none for a family that makes no such difference."""
    learnt: Mapping[Tier, Learnt] = Field(default_factory=dict)
    settings: Mapping[str, float | int | str | bool] = Field(default_factory=dict)
    """A tripwire's own precomputed numbers, such as the fewest people at one scene."""


class Thresholds(_Frozen):
    """Everything calibration learnt for one jurisdiction; stored as JSON (``model_dump_json``)."""

    model_version: str
    families: Mapping[str, FamilyThresholds]
    years: NonNegative = 0.0
    """Simulated years behind it; 0 for thresholds that were stated and not learnt."""
    seed: int | None = None
    note: str = ""
    page_growth: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 1.0
    """How far the families' shares of pages could grow, because their false pages merge (``detectors/spending.py``)."""
    pages_together: Learnt | None = None
    """Pages of all these families, merged as incidents are: the sum of their shares beside what it came to."""

    def disposition(self, family: str, score: float) -> Tier | None:
        """The highest tier whose threshold ``score`` reaches in ``family``; None when it reaches none.

        Raises
        ------
        ValueError
            If ``score`` is not a number: an alarm must never be lost to arithmetic.
        """
        if math.isnan(score):
            raise ValueError("score must be a number")
        known = self.families.get(family)
        if known is None:
            return None
        reached = [tier for tier, lowest in known.scores.items() if score >= lowest]
        return max(reached, key=lambda tier: tier.rank, default=None)

    def lowest(self, family: str) -> float:
        """The score below which ``family`` says nothing at all (infinite for a family with no thresholds)."""
        known = self.families.get(family)
        return min(known.scores.values(), default=math.inf) if known else math.inf

    def recurrence(self, family: str, score: float, *, may_page: bool = False) -> Recurrence:
        """How long chance alone would take to give ``score`` in ``family`` again, anywhere in the jurisdiction.

        With ``may_page`` only among the feeds that may page alone.
        """
        known = self.families.get(family)
        curve = (known.page_curve if may_page and known.page_curve else known.curve) if known else None
        if curve is None:
            return Recurrence(days=MOST_EXTRAPOLATED_DAYS, extrapolated=True, capped=True)
        return curve.recurrence(score)

    def with_family(self, family: str, learnt: FamilyThresholds) -> "Thresholds":
        """A copy in which ``family`` has these thresholds."""
        return self.model_copy(update={"families": {**self.families, family: learnt}})
