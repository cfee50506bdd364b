"""What is a scenario's own: its signals beside those of the same history without it, and episodes of pages.

For ``benchmarks/scenarios.py``. A signal is a scenario's own if it is of its place and time and nothing of the same
family, place and class was told as loudly on that day without it.
"""

from collections.abc import Sequence

from benchmarks.kent_county import County
from benchmarks.kent_systems import Telling, Weeks, play
from benchmarks.scenarios_looks import FIRST_FIND, TIERS, live_enough, systems_of
from benchmarks.scenarios_staging import Staged
from benchmarks.scenarios_table import Outcome, Scenario
from detectors.budget import AREA_COUNTS, FUSION
from detectors.episodes import Alarm, episode_steps, overlap_of_classes
from detectors.observations import Observation
from schemas.vocabulary import Tier
from streams.simulation.history import History
from streams.simulation.observing import observations
from streams.simulation.timing import day_index
from tocsin.learnt import Learnt

PAGE = max(TIERS)
LOOKED_AFTER = 14
"""Days that are looked at after a scenario's last."""


def looked(
    county: County,
    learnt: Learnt,
    history: History,
    weeks: Weeks,
    first: int,
    last: int,
    *,
    learns: bool,
    old: Sequence[Observation] = (),
) -> list[Telling]:
    """Return every signal of some days."""
    told = play(county, history, systems_of(county, learnt, old), weeks, first=first, last=last, fit=learns)
    return [item for own in told.values() for item in own]


def outcome_of(
    county: County,
    learnt: Learnt,
    history: History,
    quietly: Sequence[Telling],
    weeks: Weeks,
    scenario: Scenario,
    staged: Staged,
) -> Outcome:
    """Return what one scenario gave beyond what the history gave without it."""
    first, last = staged.first_day, min(staged.last_day + LOOKED_AFTER, history.n_days - 1)
    if staged.before is not None:
        quietly = looked(county, learnt, staged.before, weeks, first, last, learns=False)
    own_weeks = Weeks() if scenario.learns else weeks
    old = known_before(county, history, first) if scenario.name.startswith("16") else ()
    told = looked(county, learnt, staged.history, own_weeks, first, last, learns=scenario.learns, old=old)
    told = [as_delivered(staged.history, item) for item in told]
    before = [item for item in quietly if first <= item.day <= last]
    areas = sum(1 << area for area in staged.areas)
    near = [item for item in told if of_place(item, staged, areas)]
    own = [item for item in near if not any(tells(other, item) for other in before if other.day == item.day)]
    best = max((item.score for item in own), default=None)
    start = min((item for item in own if item.score == best), key=lambda item: item.day, default=None)
    chance = max((item.score for item in before if of_place(item, staged, areas)), default=None)
    pages = [item for item in near if item.score == PAGE]
    usually = [item for item in before if item.score == PAGE and of_place(item, staged, areas)]
    far = [item for item in told if item.score == PAGE and not of_place(item, staged, areas)]
    # An episode that began before the first look is none of this run's.
    running = [
        item for item in quietly if item.score == PAGE and first - 2 * LOOKED_AFTER <= item.day < first
    ]
    loud = [item for item in own if TIERS[item.score] is not Tier.RECORD]
    return Outcome(
        tier=None if best is None else TIERS[best],
        delays={
            tier: min(item.day for item in own if item.score >= score) - first
            for score, tier in TIERS.items()
            if best is not None and score <= best
        },
        kind="" if start is None else start.event_type,
        family=" with ".join(sorted({one.family for one in own if start is not None and is_as(one, start)})),
        families=frozenset(item.family for item in loud),
        firsts=sum(item.event_type.startswith(FIRST_FIND) for item in loud),
        chance=None if chance is None else TIERS[chance],
        pages=episodes(pages),
        pages_without=episodes(usually),
        elsewhere=episodes([*running, *far]) - episodes(running),
        days=last - first + 1,
    )


def of_place(item: Telling, staged: Staged, areas: int) -> bool:
    """Whether a signal is of a scenario's place and time."""
    return bool(item.areas & areas) and item.day - item.window_days + 1 <= staged.last_day


def is_as(item: Telling, start: Telling) -> bool:
    """Whether a signal is of the same day and tier as another."""
    return item.day == start.day and item.score == start.score


def tells(other: Telling, item: Telling) -> bool:
    """Whether a signal without the scenario says as much as one with it."""
    return (
        other.family == item.family
        and other.score >= item.score
        and bool(other.areas & item.areas)
        and overlap_of_classes(other.substance_class, item.substance_class)
    )


def as_delivered(history: History, item: Telling) -> Telling:
    """Return a page of counts as a review where it rests on records of a bulk load."""
    pages = item.score == PAGE and item.family in {AREA_COUNTS, FUSION}
    if pages and not live_enough(history, item):
        return item._replace(score=1.0, may_page=False)
    return item


def known_before(county: County, history: History, day: int) -> list[Observation]:
    """Return every observation that was known before a day, with names of their own."""
    known = day_index(history.days, history.events.known)
    part = history.events.take(known < day)
    old = History(
        history.parameters, history.places, history.days, history.levels, part, f"{history.label}-old"
    )
    return list(observations(old, county.root))


def episodes(tellings: Sequence[Telling]) -> int:
    """Return how many episodes some signals are, all families together: as incidents would join them."""
    if not tellings:
        return 0
    alarms = [
        Alarm(item.day, item.window_days, 1.0, item.areas, item.substance_class, item.may_page)
        for item in tellings
    ]
    appearing, merging = episode_steps(alarms)
    return len(appearing) - len(merging)
