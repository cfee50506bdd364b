"""The table of scenarios: what each should give, in one sentence and as two rules.

What *should* be given is written from the domain's description, before anything was run. For ``benchmarks/scenarios.py``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks import scenarios_outbreaks as outbreaks
from benchmarks import scenarios_usual as usual
from benchmarks.scenarios_looks import FIRST_FIND
from benchmarks.scenarios_staging import Stage
from detectors.budget import SLOW_ONSET
from schemas.vocabulary import Tier


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one scenario of one seed gave."""

    tier: Tier | None
    """The highest that is its own; nothing when no signal was."""
    delays: Mapping[Tier, int]
    """Days from the first casualty (or sample) to the first signal of its own of each tier, or of more."""
    kind: str
    """What the first signal of that tier says that it is."""
    family: str
    """Whose signals of that tier there were on that day."""
    families: frozenset[str]
    """Of everything that is its own and at least a review."""
    pages: int
    """Episodes of pages of its place and time, its own or not, and of the same history without it."""
    pages_without: int
    firsts: int
    """Signals of its own, at least reviews, that call something a first find."""
    chance: Tier | None
    """The highest tier of the same history, place and days without the scenario."""
    elsewhere: int
    """Episodes of pages in the same run that are of another place or time."""
    days: int
    """Days looked at."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row of the table."""

    name: str
    should: str
    stage: Stage
    wanted: Callable[[Outcome], bool]
    """Whether one seed gave what it should."""
    never: Callable[[Outcome], bool] = lambda _: False
    """Whether one seed gave what it should not."""
    learns: bool = False
    """Whether what is usual is learnt anew within it; otherwise it is that of the history without it."""


def above(tier: Tier) -> Callable[[Outcome], bool]:
    """Return the rule that more than a tier is told."""
    return lambda one: one.tier is not None and one.tier.rank > tier.rank


def anything(_: Outcome) -> bool:
    """Return that every seed will do: something is forbidden, and nothing asked for."""
    return True


def at_least(tier: Tier, within: int | None = None) -> Callable[[Outcome], bool]:
    """Return the rule that at least a tier is told, within so many days if that is said."""
    return lambda one: tier in one.delays and (within is None or one.delays[tier] <= within)


SCENARIOS: Sequence[Scenario] = (
    Scenario(
        "1 Kent, January 2018",
        "a page on the day or the next (the public was warned after 7)",
        outbreaks.household,
        at_least(Tier.PAGE, 1),
    ),
    Scenario(
        "2 nitazenes over 10 weeks",
        "a page while it goes on",
        outbreaks.nitazenes,
        at_least(Tier.PAGE),
        learns=True,
    ),
    Scenario(
        "3 nitazene in diazepam, samples only",
        "at least a review within days of the first find, months before hospital cases",
        outbreaks.sold_as_diazepam,
        at_least(Tier.REVIEW, 21),
    ),
    Scenario(
        "4 naloxone + 5 % a month for a year",
        "a note of a slow rise, and no more pages than without it",
        usual.slow_burn,
        lambda one: SLOW_ONSET in one.families and one.pages <= one.pages_without,
        learns=True,
    ),
    Scenario(
        "6 prison cluster",
        "nothing beyond the file: no alert of Swale",
        usual.prison,
        anything,
        above(Tier.RECORD),
    ),
    Scenario(
        "7 school vapes",
        "nothing beyond the file: a route of its own",
        usual.school,
        anything,
        above(Tier.RECORD),
    ),
    Scenario(
        "8 Margate weekend, tenfold",
        f"told and annotated, neither hidden nor called a {FIRST_FIND}",
        usual.weekend,
        lambda one: one.tier is not None,
        lambda one: one.firsts > 0,
    ),
    Scenario(
        "9 mis-sold pills, samples only",
        "a review, no page",
        outbreaks.mis_sold,
        at_least(Tier.REVIEW),
        above(Tier.REVIEW),
    ),
    Scenario(
        "10 half the cases across the border",
        "at least a review of our half",
        outbreaks.cross_border,
        at_least(Tier.REVIEW),
    ),
    Scenario(
        "11 one A&E codes half as many again",
        "a review at most",
        usual.site_artefact,
        anything,
        above(Tier.REVIEW),
        learns=True,
    ),
    Scenario(
        "12 take-home naloxone, 30 % fewer",
        "no page, and never reassurance (the drift of a feed is told by its watch)",
        usual.take_home,
        anything,
        above(Tier.REVIEW),
        learns=True,
    ),
    Scenario(
        "13 self-harm cluster",
        "nothing beyond the file: a restricted route",
        usual.self_harm,
        anything,
        above(Tier.RECORD),
    ),
    Scenario("14 one person, five calls", "no page", outbreaks.one_person, anything, above(Tier.REVIEW)),
    Scenario(
        "15 early release, + 20 % for a week", "no page", usual.early_release, anything, above(Tier.REVIEW)
    ),
    Scenario(
        "16 backfill of 18 months", "no page", usual.backfill, anything, above(Tier.REVIEW), learns=True
    ),
    Scenario(
        "17 eight people in four days", "at least a review", outbreaks.eight_people, at_least(Tier.REVIEW)
    ),
    Scenario(
        "17 six of eight records withdrawn",
        "what stays does not page",
        outbreaks.reclassified,
        anything,
        above(Tier.REVIEW),
    ),
    Scenario("18 second wave after 16 days", "pages again", outbreaks.second_wave, at_least(Tier.PAGE)),
)
