"""Calibration: thresholds learnt on some null histories keep their budget on others, and clusters are still found."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from detectors.baseline import fit_baseline
from detectors.budget import AREA_COUNTS, Budget, FamilyThresholds
from detectors.calibration import Played, Setup, Steps, Tally, calibrate, learn, play, realised
from detectors.contract import Look
from detectors.history import OccurrenceHistory
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed, Jurisdiction, Tier

from .conftest import County

TRAINING_DAYS = 364
YEARS = 2
# A large budget makes many episodes, so that a short history says something about the rate.
BUDGET = Budget(
    pages_per_year=12.0,
    reviews_per_week=0.5,
    page_shares={AREA_COUNTS: 0.625},
    review_shares={AREA_COUNTS: 60 / 104},
)


def _setup(county: County, completeness_strength: float = 50.0) -> Setup:
    return Setup(
        county.zones,
        county.populations,
        county.completeness,
        training_days=TRAINING_DAYS,
        completeness_strength=completeness_strength,
    )


@pytest.fixture
def one_feed(county: County) -> County:
    return county.only(Feed.AMBULANCE_NALOXONE)


def _histories(county: County, seeds: range) -> Iterator[OccurrenceHistory]:
    return (county.history(TRAINING_DAYS + YEARS * 365, seed) for seed in seeds)


def test_the_realised_rate_on_other_histories_is_near_the_nominal_one(one_feed: County) -> None:
    setup = _setup(one_feed)
    learnt = calibrate(_histories(one_feed, range(100, 106)), setup, budget=BUDGET, seed=100)
    held_out = realised(_histories(one_feed, range(200, 206)), setup, learnt)[AREA_COUNTS]
    page = held_out[Tier.PAGE]
    assert page.nominal_per_year == pytest.approx(7.5)
    # Twelve years on either side: 90 episodes each, so one standard error of the ratio is about a sixth.
    assert 0.55 < page.realised_per_year / page.nominal_per_year < 1.6
    review = held_out[Tier.REVIEW].realised_per_year
    assert 0.75 < review / learnt.families[AREA_COUNTS].learnt[Tier.REVIEW].realised_per_year < 1.3
    scores = learnt.families[AREA_COUNTS].scores
    assert scores[Tier.RECORD] <= scores[Tier.REVIEW] <= scores[Tier.PAGE]
    assert learnt.years == pytest.approx(12, abs=0.1)


@pytest.mark.parametrize(
    ("feed", "name"),
    [
        (Feed.AMBULANCE_NALOXONE, SubstanceClass.OPIATE),
        (Feed.ED_PRESENTATIONS, SubstanceClass.UNKNOWN),
        (Feed.SUSPECTED_DEATHS, SubstanceClass.UNKNOWN),
    ],
)
def test_eight_more_cases_in_one_area_are_paged_on_the_third_day(
    county: County, feed: Feed, name: SubstanceClass
) -> None:
    found = 0
    for seed in range(8):
        cube = county.cube(600, seed)
        fitted = county.fit(cube)
        ill = county.with_cases(cube, feed, name, seed % 5, [3, 2, 3])
        signals = county.detector().detect(county.look(ill, fitted))
        found += any(
            signal.tier is Tier.PAGE
            and county.areas[seed % 5] in signal.areas
            and signal.feeds[0].feed is feed
            for signal in signals
        )
    assert found >= 7


def test_the_same_histories_give_the_same_thresholds_to_the_byte(one_feed: County) -> None:
    first, second = (
        calibrate(_histories(one_feed, range(1, 2)), _setup(one_feed), seed=1).model_dump_json()
        for _ in range(2)
    )
    assert first == second


def test_it_is_played_as_the_service_lives_it(county: County) -> None:
    """The alarms of a played week are those of seven looks with a baseline fitted on the Monday."""
    history = county.history(TRAINING_DAYS + 7, seed=11)
    setup = _setup(county, completeness_strength=np.inf)
    played = play(history, setup)
    growing = history.as_known()
    baseline = fit_baseline(
        growing.advance_to(TRAINING_DAYS - 1),
        completeness=county.completeness,
        populations=county.populations,
    )
    scores: list[float] = []
    everything = FamilyThresholds(scores={Tier.RECORD: 2.0})
    lax = county.thresholds.with_family(AREA_COUNTS, everything)
    for today in range(TRAINING_DAYS, TRAINING_DAYS + 7):
        cube = growing.advance_to(today)
        look = Look(Jurisdiction("x"), cube, baseline, county.completeness, lax)
        scores += [float(signal.parameters["score"]) for signal in county.detector().detect(look)]
    assert sorted(scores, reverse=True) == pytest.approx(list(played.every.appearing), abs=1e-4)
    assert scores


def test_progress_is_told_in_years_and_never_goes_back(one_feed: County) -> None:
    told: list[float] = []
    calibrate(_histories(one_feed, range(2)), _setup(one_feed), progress=told.append)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(2 * YEARS, abs=0.02)


def test_a_history_that_is_all_training_is_refused(one_feed: County) -> None:
    with pytest.raises(ValueError, match="training_days"):
        play(one_feed.history(TRAINING_DAYS), _setup(one_feed))


def test_histories_without_any_event_page_at_nothing_that_was_seen(one_feed: County) -> None:
    history = one_feed.history(TRAINING_DAYS + 60)
    none = np.zeros(0, dtype=np.int32)
    empty = replace(history, day=none, known_day=none, area=none, series_index=none)
    learnt = calibrate([empty], _setup(one_feed))
    assert learnt.families[AREA_COUNTS].learnt[Tier.PAGE].realised_per_year == 0


def test_a_share_that_merging_keeps_out_of_reach_is_said_to_be() -> None:
    # 40 alarms a year above a score of 2, a tenth of them above 3; those below 3 all join.
    appearing = np.sort(2.0 + np.random.default_rng(0).exponential(1 / np.log(10.0), 400))[::-1]
    steps = Steps(appearing, appearing[appearing < 3])
    learnt = learn(
        [Played(10.0, {AREA_COUNTS: Tally(steps, steps)})],
        budget=BUDGET.model_copy(update={"pages_per_year": 1.0}),
    ).families[AREA_COUNTS]
    assert learnt.learnt[Tier.REVIEW].limited_by_merging
    assert not learnt.learnt[Tier.PAGE].limited_by_merging
    assert 2.8 < learnt.scores[Tier.REVIEW] < 3.2
    assert learnt.learnt[Tier.PAGE].realised_per_year == pytest.approx(0.625, abs=0.25)
