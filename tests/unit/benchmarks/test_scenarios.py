"""The scenarios put in what they say, and what is told is a scenario's own only where it was not told without it."""

from dataclasses import fields
from datetime import date, timedelta

import numpy as np
import pytest

from benchmarks.kent_county import COUNTED_DAYS, FIRST_DAY, TRAINING_DAYS, County
from benchmarks.kent_systems import Telling
from benchmarks.scenarios import Replayed, Years, figures_of
from benchmarks.scenarios_looks import delivered, live_enough
from benchmarks.scenarios_records import rows_of
from benchmarks.scenarios_scores import episodes, of_place, tells
from benchmarks.scenarios_staging import Staged
from benchmarks.scenarios_table import SCENARIOS, Outcome, Scenario
from benchmarks.scenarios_usual import CASUALTIES
from schemas.substances import SubstanceClass
from schemas.vocabulary import Delivery, Feed, Tier
from streams.simulation.history import FEEDS, PRISON, SCHOOL, SELF_HARM, EventColumns, History, draw_history
from streams.simulation.observing import observations
from streams.simulation.parameters import KENT_AND_MEDWAY
from streams.simulation.timing import day_index

NAMES = [one.name for one in SCENARIOS]


@pytest.fixture(scope="module")
def county() -> County:
    return County()


@pytest.fixture(scope="module")
def history(county: County) -> History:
    rng = np.random.default_rng(7)
    n_days = TRAINING_DAYS + COUNTED_DAYS
    return draw_history(KENT_AND_MEDWAY, county.places, FIRST_DAY, n_days, rng, label="test")


def _scenario(begin: str) -> Scenario:
    return next(one for one in SCENARIOS if one.name.startswith(begin))


def _staged(county: County, history: History, begin: str, seed: int = 3) -> Staged:
    return _scenario(begin).stage(county, history, np.random.default_rng(seed))


def _new(history: History, staged: Staged) -> EventColumns:
    """Return the records of people who were not there before."""
    return staged.history.events.take(staged.history.events.person > int(history.events.person.max()))


@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_changes_nothing_it_is_given_and_lies_in_its_place_and_days(
    county: County, history: History, name: str
) -> None:
    before = {item.name: getattr(history.events, item.name).copy() for item in fields(EventColumns)}
    staged = _scenario(name).stage(county, history, np.random.default_rng(3))
    for column, values in before.items():
        np.testing.assert_array_equal(getattr(history.events, column), values)
    assert (np.diff(staged.history.events.known) >= 0).all()
    new = _new(history, staged)
    if name.startswith(("16", "18")) or not len(new.feed):
        return
    day = day_index(history.days, new.occurred)
    assert day.min() >= staged.first_day
    if staged.last_day - staged.first_day < 14:
        assert day.max() <= staged.last_day + 1  # a record may be made after midnight
    assert set(history.places.area_of[new.event_place].tolist()) <= staged.areas


def test_the_household_is_nine_at_one_address_and_two_in_canterbury_of_whom_one_dies(
    county: County, history: History
) -> None:
    staged = _staged(county, history, "1 ")
    new = _new(history, staged)
    attended = new.take(new.feed == FEEDS.index(Feed.ED_PRESENTATIONS))
    assert FIRST_DAY + timedelta(days=staged.first_day) == date(2017, 1, 22)
    assert np.unique(attended.scene, return_counts=True)[1].max() == 9
    assert len(attended.feed) == 11
    assert (new.feed == FEEDS.index(Feed.SUSPECTED_DEATHS)).sum() == 1
    assert not (new.feed == FEEDS.index(Feed.AMBULANCE_NALOXONE)).any()


@pytest.mark.parametrize(("begin", "stratum"), [("6", PRISON), ("7", SCHOOL), ("13", SELF_HARM)])
def test_other_populations_keep_their_stratum(
    county: County, history: History, begin: str, stratum: int
) -> None:
    new = _new(history, _staged(county, history, begin))
    assert len(new.feed) >= 6
    assert (new.stratum == stratum).all()


def test_one_person_calls_five_times(county: County, history: History) -> None:
    new = _new(history, _staged(county, history, "14"))
    assert (new.feed == FEEDS.index(Feed.AMBULANCE_NALOXONE)).sum() == 5
    assert len(np.unique(new.person)) == 1


def test_take_home_naloxone_only_takes_ambulance_naloxone_away(county: County, history: History) -> None:
    staged = _staged(county, history, "12")
    counts = [np.bincount(one.events.feed, minlength=len(FEEDS)) for one in (history, staged.history)]
    changed = np.flatnonzero(counts[0] != counts[1])
    assert changed.tolist() == [FEEDS.index(Feed.AMBULANCE_NALOXONE)]
    until = staged.first_day - 1
    assert len(rows_of(history, CASUALTIES, 0, until)) == len(rows_of(staged.history, CASUALTIES, 0, until))


def test_the_slow_burn_grows_by_five_per_cent_a_month(county: County, history: History) -> None:
    staged = _staged(county, history, "4")
    half = staged.first_day + 182
    first, second = (
        [len(rows_of(one, [Feed.AMBULANCE_NALOXONE], a, b)) for one in (staged.history, history)]
        for a, b in ((staged.first_day, half), (half + 1, staged.last_day))
    )
    assert 1.05 < first[0] / first[1] < 1.3
    assert 1.4 < second[0] / second[1] < 1.75


def test_a_bulk_load_is_known_at_once_and_told_as_one_with_what_a_laboratory_found(
    county: County, history: History
) -> None:
    staged = _staged(county, history, "16")
    loaded = [
        item
        for item in map(delivered, observations(staged.history, county.root))
        if item.delivery is Delivery.BACKFILL
    ]
    assert len(loaded) > 50
    assert len({item.known_at for item in loaded}) == 1
    assert all(item.detected and item.batch is None and item.feed is Feed.SUSPECTED_DEATHS for item in loaded)


def test_a_page_on_bulk_loaded_deaths_is_no_news(county: County, history: History) -> None:
    staged = _staged(county, history, "16")
    everywhere = (1 << len(county.areas)) - 1
    telling = Telling(staged.first_day, 500, 2.0, "area_counts", everywhere)
    assert live_enough(history, telling)
    assert not live_enough(staged.history, telling)


def test_of_eight_people_two_stay(county: County, history: History) -> None:
    eight, two = (_new(history, _staged(county, history, f"17 {word}")) for word in ("eight", "six"))
    assert len(np.unique(eight.person)) == 8
    assert len(np.unique(two.person)) == 2
    assert set(two.occurred.tolist()) <= set(eight.occurred.tolist())


def _telling(day: int, score: float = 2.0, areas: int = 1, window: int = 3) -> Telling:
    return Telling(day, window, score, "area_counts", areas, SubstanceClass.ANY)


def test_a_signal_is_not_a_scenarios_own_if_as_much_was_told_without_it() -> None:
    page, review = _telling(10), _telling(10, 1.0)
    assert tells(page, review)
    assert not tells(review, page)
    assert not tells(page._replace(areas=2), review)
    assert not tells(page._replace(family="fusion"), review)


def test_pages_a_few_days_apart_are_one_episode_and_pages_elsewhere_are_others() -> None:
    assert episodes([]) == 0
    assert episodes([_telling(10), _telling(20), _telling(20, areas=2)]) == 2
    assert episodes([_telling(10), _telling(60)]) == 2


def test_a_window_that_begins_after_a_scenario_is_not_of_its_time(history: History) -> None:
    staged = Staged(history, 800, 803, frozenset({0}))
    assert of_place(_telling(806, window=4), staged, 1)
    assert not of_place(_telling(806, window=3), staged, 1)
    assert not of_place(_telling(802, areas=2), staged, 1)


def _outcome(tier: Tier | None) -> Outcome:
    score = -1 if tier is None else tier.rank
    return Outcome(
        tier=tier,
        delays={one: 1 for one in Tier if one.rank <= score},
        kind="opioid",
        family="area_counts",
        families=frozenset({"area_counts"}),
        pages=0,
        pages_without=0,
        firsts=0,
        chance=None,
        elsewhere=0,
        days=20,
    )


@pytest.mark.parametrize(
    ("begin", "tiers", "met"),
    [
        ("18", [Tier.PAGE, Tier.PAGE, Tier.REVIEW], True),
        ("18", [Tier.PAGE, Tier.REVIEW, None], False),
        ("14", [Tier.REVIEW, None, Tier.RECORD], True),
        ("14", [Tier.PAGE, None, None], False),
        ("6", [Tier.RECORD, None, Tier.REVIEW], False),
    ],
)
def test_a_verdict_asks_for_most_seeds_and_forgives_hardly_any(
    begin: str, tiers: list[Tier | None], met: bool
) -> None:
    replayed = [
        Replayed(Years(4, 30, 2.0), {one.name: _outcome(tier) for one in SCENARIOS}) for tier in tiers
    ]
    row = next(item for item in figures_of(replayed) if item.what.startswith(f"{begin} "))
    assert row.met is met
    assert len(figures_of(replayed)) == len(SCENARIOS) + 1
