"""Calibration: thresholds learnt on some null histories keep their budget on others, and clusters are still found."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from detectors.baseline import fit_baseline
from detectors.budget import AREA_COUNTS, FUSION, Budget, FamilyThresholds
from detectors.calibration import (
    Calibrated,
    NullHistory,
    Played,
    Setup,
    Steps,
    Tally,
    calibrate,
    learn,
    play,
    realised,
    realised_of,
)
from detectors.contract import Look, Past
from detectors.episodes import Alarm
from detectors.fusion import Fusion
from detectors.history import OccurrenceHistory
from schemas.signals import Signal
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed, Jurisdiction, Tier

from .conftest import County
from .fusion_town import Town

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


@dataclass(eq=False)
class Witness:
    """A detector that writes down when it was asked what, and tells one cluster on every Friday."""

    name: str = "witness"
    family: str = "witness"
    asked: list[tuple[str, int]] = field(default_factory=list)

    def learn(self, past: Past) -> int:
        assert past.sightings.last_day == past.cube.last_day == past.baseline.known_until
        self.asked.append(("learn", past.cube.last_day.weekday()))
        return past.cube.n_days

    def detect(self, look: Look) -> list[Signal]:
        raise AssertionError(f"calibration asks for alarms, not for signals of {look.today}")

    def alarms(self, look: Look, day: int) -> list[Alarm]:
        assert look.sightings is not None
        assert look.sightings.last_day == look.today
        assert look.learnt[self.name] == day - look.today.weekday()
        self.asked.append(("look", look.today.weekday()))
        friday = look.today.weekday() == 4
        return [Alarm(day, 1, 3.0, 1, SubstanceClass.ANY, may_page=False)] if friday else []


def _town_history(town: Town, seed: int) -> NullHistory:
    sightings = town.sightings(seed=seed)
    return NullHistory(town.history(sightings), sightings)


def _town_setup(town: Town, *detectors: Calibrated) -> Setup:
    terrain = town.terrain
    return Setup(
        Fusion(terrain).ground.zones,
        np.bincount(terrain.area_of, weights=terrain.population).astype(np.float64),
        {feed: np.array([0.99, 1.0]) for feed in Feed},
        training_days=TRAINING_DAYS,
        detectors=detectors,
    )


def test_every_detector_learns_on_mondays_and_looks_every_day() -> None:
    town, witness = Town(days=TRAINING_DAYS + 21), Witness()
    played = play(_town_history(town, 1), _town_setup(town, witness))
    assert [one for one in witness.asked if one[0] == "learn"] == [("learn", 6)] * 3
    assert len([one for one in witness.asked if one[0] == "look"]) == 21
    # Three Fridays within a fortnight of each other are one episode, and nothing that may page.
    tally = played.families["witness"]
    assert tally.every.episodes(3.0) == 1
    assert tally.paging.appearing.size == 0


def test_families_played_together_give_what_each_gives_alone() -> None:
    town = Town(days=TRAINING_DAYS + 60)
    history = _town_history(town, 2)
    together = play(history, _town_setup(town, Witness(), Fusion(town.terrain)))
    alone = play(history, _town_setup(town, Fusion(town.terrain)))
    counts = play(history.counts, _town_setup(town))
    assert (
        together.families[FUSION].every.appearing.tolist() == alone.families[FUSION].every.appearing.tolist()
    )
    assert together.every.appearing.tolist() == counts.every.appearing.tolist()
    assert alone.families[FUSION].every.appearing.size > 0


def test_each_family_spends_its_own_share() -> None:
    rng = np.random.default_rng(0)

    def tally(per_year: float) -> Tally:
        steps = Steps(np.sort(rng.exponential(1 / np.log(10.0), int(per_year * 40)))[::-1], np.zeros(0))
        return Tally(steps, steps)

    played = [
        Played(10.0, {AREA_COUNTS: tally(200), FUSION: tally(500), "novelty": tally(50)}) for _ in range(4)
    ]
    learnt = learn(played, budget=Budget())
    for family, nominal in ((AREA_COUNTS, 1.0), (FUSION, 1.6)):
        page = learnt.families[family].learnt[Tier.PAGE]
        assert page.nominal_per_year == pytest.approx(nominal)
        assert page.realised_per_year == pytest.approx(nominal, rel=0.4)
    # No share of the pages: no threshold for them either, so nothing can reach one.
    assert Tier.PAGE not in learnt.families["novelty"].scores
    assert learnt.disposition("novelty", 1e9) is Tier.REVIEW
    again = realised_of(played, learnt)
    assert again[FUSION][Tier.PAGE] == learnt.families[FUSION].learnt[Tier.PAGE]


def test_what_does_not_fit_together_is_refused() -> None:
    town = Town(days=TRAINING_DAYS + 10)
    history = _town_history(town, 3)
    with pytest.raises(ValueError, match="NullHistory"):
        play(history.counts, _town_setup(town, Witness()))
    with pytest.raises(ValueError, match="family of its own"):
        _town_setup(town, Witness(), Witness())
    with pytest.raises(ValueError, match="same days"):
        NullHistory(history.counts, town.sightings().as_known(100))
    with pytest.raises(ValueError, match="same families"):
        learn([Played(1.0, {}), Played(1.0, {FUSION: Tally.from_alarms([])})])
    with pytest.raises(ValueError, match="fusion"):
        realised(
            [history],
            _town_setup(town, Fusion(town.terrain)),
            learn([Played(1.0, {AREA_COUNTS: Tally.from_alarms([])})]),
        )
