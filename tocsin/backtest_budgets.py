"""Thresholds at other budgets than the one they were learnt for, read off the same curves.

A backtest plays a period once, with everything told that any budget could want, and then asks of each budget what it
would have paged: the detectors' curves say which score keeps which rate, so nothing is played or learnt again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from detectors.budget import Budget, Thresholds
from schemas.vocabulary import Tier
from tocsin.calibration import spend_whole
from tocsin.learnt import Learnt


@dataclass(frozen=True)
class AtBudget:
    """The scores from which each family asks for a review and pages, at one budget."""

    pages_per_year: float
    scores: Mapping[str, Mapping[Tier, float]]
    allowed: Mapping[str, float] = field(default_factory=dict)
    """False pages a year that each family may give; what is left of the budget belongs to the tripwires."""

    def tier(self, family: str, score: float, allowed: Tier) -> Tier | None:
        """The tier of a score, no higher than what its detector allows; None below a review."""
        known = self.scores.get(family, {})
        for tier in (Tier.PAGE, Tier.REVIEW):
            if tier.rank <= allowed.rank and score >= min(
                (value for name, value in known.items() if name.rank >= tier.rank), default=float("inf")
            ):
                return tier
        return None


def at_budget(learnt: Learnt, pages_per_year: float) -> AtBudget:
    """Return the thresholds of every family at a budget of false pages a year; reviews stay as they are."""
    budget = Budget(pages_per_year=pages_per_year)
    if learnt.tripwires.years:
        budget = spend_whole(budget, learnt.tripwires)
    return AtBudget(
        pages_per_year,
        {name: _scores(name, learnt.counts, budget) for name in learnt.counts.families},
        {
            name: budget.episodes_per_year(name, Tier.PAGE)
            for name in learnt.counts.families
            if budget.episodes_per_year(name, Tier.PAGE) > 0
        },
    )


def _scores(name: str, thresholds: Thresholds, budget: Budget) -> dict[Tier, float]:
    family = thresholds.families[name]
    scores: dict[Tier, float] = {}
    for tier, curve in ((Tier.PAGE, family.page_curve or family.curve), (Tier.REVIEW, family.curve)):
        nominal = budget.episodes_per_year(name, tier) * (
            thresholds.page_growth if tier is Tier.PAGE else 1.0
        )
        if curve is None:
            if tier in family.scores:
                scores[tier] = family.scores[tier]
        elif nominal > 0:
            scores[tier] = curve.threshold_for(nominal)
    if Tier.PAGE in scores:
        scores[Tier.REVIEW] = min(scores.get(Tier.REVIEW, scores[Tier.PAGE]), scores[Tier.PAGE])
    return scores


def everything(thresholds: Thresholds, budgets: Iterable[AtBudget]) -> Thresholds:
    """Return thresholds at which every score that some budget wants is told, as high as its detector allows."""
    wanted = list(budgets)
    families = {}
    for name, family in thresholds.families.items():
        scores = [score for budget in wanted for score in budget.scores.get(name, {}).values()]
        # A family that neither pages nor asks for a review at any budget says nothing here.
        if scores:
            families[name] = family.model_copy(update={"scores": {Tier.PAGE: min(scores)}})
    return thresholds.model_copy(update={"families": families})
