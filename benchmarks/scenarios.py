"""The scenarios of the domain, replayed: which tier each reaches, how soon, and what it is said to be.

Each seed is one simulated Kent and Medway: 112 weeks that teach and two years that are looked at, quiet but for what a
scenario puts into them. Every detector is asked each day at the thresholds in force. A signal belongs to a scenario if
it is of its place and time and the same history without the scenario did not give as much there on that day.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from benchmarks.kent_county import COUNTED_DAYS, FIRST_DAY, KENT, TRAINING_DAYS, County
from benchmarks.kent_systems import Weeks
from benchmarks.results import Figure
from benchmarks.scenarios_scores import episodes, looked, outcome_of
from benchmarks.scenarios_table import SCENARIOS, Outcome, Scenario
from benchmarks.scenarios_usual import quiet
from detectors.budget import AREA_COUNTS, DAYS_A_YEAR, FUSION, NOVELTY, SLOW_ONSET, Budget
from schemas.vocabulary import Tier
from streams.simulation.history import draw_history
from streams.simulation.parameters import KENT_AND_MEDWAY
from tocsin.learnt import Learnt, learnt_for

SEEDS = 20
ASKED = (AREA_COUNTS, FUSION, NOVELTY, SLOW_ONSET)
WANTED_IN, NEVER_IN = 0.5, 0.1
"""What should be told must be told in more than half of the seeds, what must not be told in a tenth of them at most."""
LONG_DAYS = 45
"""Of longer scenarios the pages themselves are counted too: in so much time some come by chance."""


@dataclass(frozen=True, slots=True)
class Years:
    """What two quiet years of one seed gave."""

    pages: int
    reviews: int
    """Episodes; of reviews, of what was told as such."""
    years: float


@dataclass(frozen=True, slots=True)
class Replayed:
    """Everything of one seed."""

    quiet: Years
    outcomes: Mapping[str, Outcome]


def measure(seed: int, runs: int | None) -> tuple[Sequence[Figure], str]:
    """Replay every scenario in ``runs`` (20) histories of their own."""
    county, learnt = County(), learnt_for(KENT, None)
    replayed = [replay(county, learnt, (seed, number)) for number in range(runs or SEEDS)]
    missing = [name for name in ASKED if name not in learnt.counts.families]
    note = (
        f"{len(replayed)} seeds. Looks are at the end of each day: a delay of 0 is the same day. What should be told "
        "must be told in more than half of the seeds, what must not be told in a tenth of them at most. Beside it: "
        "what the same history told there and then without the scenario, and pages of other places and times. Left "
        "out: annotations, banners and routes of the screen; the incident workflow (whether it pages again, and "
        "closing by withdrawal: here the next look without the records); an update of a known death (the backfill's "
        "deaths are new); the silence of a feed as a signal (feeds only fall silent in the quiet years); unusual "
        "combinations of counts, which are only kept for the file."
    )
    if missing:
        note += f" Not learnt, and so silent at the thresholds in force: {', '.join(missing)}."
    return figures_of(replayed), note


def replay(county: County, learnt: Learnt, seed: tuple[int, ...]) -> Replayed:
    """Return what every scenario gave in one history."""
    rng = np.random.default_rng([*seed])
    label = "scenario-" + "-".join(str(part) for part in seed)
    n_days = TRAINING_DAYS + COUNTED_DAYS
    history = quiet(draw_history(KENT_AND_MEDWAY, county.places, FIRST_DAY, n_days, rng, label=label))
    weeks = Weeks()
    told = looked(county, learnt, history, weeks, TRAINING_DAYS, n_days - 1, learns=True)
    outcomes = {}
    for one in SCENARIOS:
        number = int(one.name.split()[0])
        staged = one.stage(county, history, np.random.default_rng([*seed, number]))
        outcomes[one.name] = outcome_of(county, learnt, history, told, weeks, one, staged)
    pages, reviews = ([item for item in told if item.score == score] for score in (2.0, 1.0))
    return Replayed(Years(episodes(pages), episodes(reviews), COUNTED_DAYS / DAYS_A_YEAR), outcomes)


def figures_of(replayed: Sequence[Replayed]) -> list[Figure]:
    """Return one row for each scenario, the quiet years among them."""
    rows = [_row(scenario, [one.outcomes[scenario.name] for one in replayed]) for scenario in SCENARIOS]
    place = sum(int(scenario.name.split()[0]) < 5 for scenario in SCENARIOS)
    return [*rows[:place], _quiet_row([one.quiet for one in replayed]), *rows[place:]]


def _row(scenario: Scenario, outcomes: Sequence[Outcome]) -> Figure:
    count = len(outcomes)
    gave = sum(scenario.wanted(one) and not scenario.never(one) for one in outcomes)
    met = sum(map(scenario.wanted, outcomes)) > WANTED_IN * count
    met &= sum(map(scenario.never, outcomes)) <= NEVER_IN * count
    tiers = Counter(one.tier for one in outcomes)
    shares = ", ".join(
        f"{name} {tiers[tier] / count:.0%}"
        for name, tier in (
            ("page", Tier.PAGE),
            ("review", Tier.REVIEW),
            ("record", Tier.RECORD),
            ("nothing", None),
        )
    )
    told = [one for one in outcomes if one.tier is not None]
    when = ""
    if told:
        kind, family = (_most_often([getattr(one, name) for one in told]) for name in ("kind", "family"))
        when = "".join(
            f"; {tier.value} after {_days([one.delays[tier] for one in told if tier in one.delays])}"
            for tier in (Tier.PAGE, Tier.REVIEW)
            if any(tier in one.delays for one in told)
        )
        when += f"; most often told as {kind}, by {family}"
    if outcomes[0].days > LONG_DAYS:
        pages, usual = (
            np.mean([getattr(one, name) for one in outcomes]) for name in ("pages", "pages_without")
        )
        when += f"; {pages:.1f} episodes of pages there and then, {usual:.1f} without it"
    years = sum(one.days for one in outcomes) / DAYS_A_YEAR
    chance = {tier: sum(one.chance is tier for one in outcomes) / count for tier in (Tier.PAGE, Tier.REVIEW)}
    return Figure(
        what=scenario.name,
        figure=f"{shares}{when}",
        target=f"{scenario.should} ({gave} of {count} seeds)",
        met=met,
        peer=(
            f"without it: page {chance[Tier.PAGE]:.0%}, review {chance[Tier.REVIEW]:.0%}; "
            f"pages elsewhere {sum(one.elsewhere for one in outcomes) / years:.1f} a year"
        ),
    )


def _most_often(words: Sequence[str]) -> str:
    word, often = min(Counter(words).items(), key=lambda item: (-item[1], item[0]))
    return f"{word} ({often} of {len(words)})"


def _days(values: Sequence[int]) -> str:
    return f"{median(values):g} days ({min(values)} to {max(values)})"


def _quiet_row(quiet_years: Sequence[Years]) -> Figure:
    pages = [one.pages / one.years for one in quiet_years]
    reviews = [one.reviews / one.years for one in quiet_years]
    budget = Budget()
    return Figure(
        what="5 two quiet years",
        figure=(
            f"{np.mean(pages):.1f} false page episodes a year ({min(pages):.1f} to {max(pages):.1f}), "
            f"{np.mean(reviews):.0f} false review episodes a year"
        ),
        target=f"pages within the budget of {budget.pages_per_year:g} a year, silences included",
        met=bool(np.mean(pages) <= budget.pages_per_year),
        peer=f"{sum(one.years for one in quiet_years):.0f} years",
    )
