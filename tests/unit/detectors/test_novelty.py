"""Novelty: what is new is told with its denominator, what is ordinary is not, and the tripwires' news is left to them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import betabinom

from detectors.baseline import fit_baseline
from detectors.budget import FamilyThresholds, Thresholds
from detectors.contract import RECENT_DAYS, Look, Past
from detectors.history import CountCube
from detectors.novelty import Novelty
from detectors.novelty_chances import chance_of, gap_chance, log_beta_binomial, widened
from detectors.novelty_history import NAMED, WINDOW_DAYS, learn_past, observed_in
from detectors.novelty_rules import DECLARED
from detectors.sightings import CLASS_BIT, COLUMNS, FEEDS, Sightings
from detectors.terrain import Terrain
from schemas.geography import AreaCode
from schemas.signals import Signal
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed, Jurisdiction, Tier

C = SubstanceClass
FIRST_DAY = date(2022, 1, 3)
AREAS = tuple(AreaCode(f"A{index}") for index in range(4))
ROOT = AreaCode("X")
NAMES = {ROOT: "Kent", **{code: f"Town {code}" for code in AREAS}}
DAYS = 1100
TERRAIN = Terrain(
    root=ROOT,
    areas=AREAS,
    fine=(),
    area_of=np.zeros(0, dtype=np.int32),
    position_km=np.zeros((0, 2)),
    population=np.zeros(0),
    adjacent=np.zeros((4, 4), dtype=bool),
)

Sample = tuple[int, int, C, C | None, Feed]
"""Day from the end (-1 is the last), area, what it held, what it was sold as, feed."""


def samples(
    days: Sequence[int],
    held: C,
    sold: C | None = None,
    *,
    area: int | None = None,
    feed: Feed = Feed.DRUG_CHECKING,
) -> list[Sample]:
    """One sample on each day, in one area or in each in turn."""
    return [(day, index % 4 if area is None else area, held, sold, feed) for index, day in enumerate(days)]


def every(step: int, held: C, sold: C | None = None, *, start: int = -DAYS, end: int = -1) -> list[Sample]:
    """A sample every ``step`` days."""
    return samples(range(start, end + 1, step), held, sold)


ORDINARY = [
    *every(4, C.OPIATE, C.OPIATE),
    *every(7, C.BENZODIAZEPINE, C.BENZODIAZEPINE, start=-DAYS + 1),
    *every(9, C.STIMULANT, C.STIMULANT, start=-DAYS + 2),
]
"""A supply in which nothing changes: 90 heroin, 52 diazepam and 40 cocaine samples a year."""


def sightings_of(
    items: Sequence[Sample], *, days: int = DAYS, fine: Sequence[int] | None = None
) -> Sightings:
    kept = [item for item in items if days + item[0] >= 0]
    return Sightings(
        first_day=FIRST_DAY,
        n_days=days,
        day=np.array([days + item[0] for item in kept], dtype=np.int64),
        known_day=np.array([days + item[0] for item in kept], dtype=np.int64),
        feed=np.array([FEEDS.index(item[4]) for item in kept], dtype=np.int64),
        classes=np.array([CLASS_BIT[item[2]] for item in kept], dtype=np.int64),
        sold_as=np.array([CLASS_BIT[item[3]] if item[3] else 0 for item in kept], dtype=np.int64),
        area=np.array([item[1] for item in kept], dtype=np.int64),
        fine=np.arange(len(kept)) if fine is None else np.array(fine, dtype=np.int64),
    )


def cube_of(known: Sightings) -> CountCube:
    series = ((Feed.DRUG_CHECKING, C.ANY),)
    return CountCube(
        known.first_day, AREAS, series, np.zeros((1, known.n_days, len(AREAS) + 1), dtype=np.int32)
    )


def looked_at(
    events: Sightings, *, taught_days_ago: int = 1, scores: Mapping[Tier, float] | None = None
) -> tuple[Novelty, Look]:
    """Return a detector and its look at the last day, taught as on the Monday so many days ago."""
    detector = Novelty(TERRAIN)
    past = events.as_known(events.n_days - 1 - taught_days_ago)
    baseline = fit_baseline(cube_of(past), completeness={}, populations=np.ones(len(AREAS)))
    asked = FamilyThresholds(scores=scores or {Tier.RECORD: 0.0, Tier.REVIEW: 1.0})
    look = Look(
        jurisdiction=Jurisdiction("kent"),
        cube=cube_of(events),
        baseline=baseline,
        completeness={},
        thresholds=Thresholds(model_version="stated", families={"novelty": asked}),
        names=NAMES,
        sightings=events.as_known(events.n_days - 1, RECENT_DAYS),
        learnt={"novelty": detector.learn(Past(cube_of(past), past, baseline, {}))},
    )
    return detector, look


def told(items: Sequence[Sample], *, taught_days_ago: int = 1) -> list[Signal]:
    """What is told of samples at the end of their last day."""
    detector, look = looked_at(sightings_of(items), taught_days_ago=taught_days_ago)
    return detector.detect(look)


def about(found: Sequence[Signal], name: C) -> list[Signal]:
    return [signal for signal in found if signal.substance_class is name]


def test_an_ordinary_supply_is_no_news() -> None:
    assert [one for one in told(ORDINARY) if one.tier is Tier.REVIEW] == []


class TestFirsts:
    def test_a_class_never_found_before_is_a_review_at_once(self) -> None:
        (found,) = about(told([*ORDINARY, *samples([-3], C.DISSOCIATIVE, C.STIMULANT)]), C.DISSOCIATIVE)
        assert found.tier is Tier.REVIEW
        assert found.parameters["kind"] == "first"
        assert found.areas == (ROOT,)
        assert "never before; before: 0 of " in found.sentence
        assert "held a dissociative" in found.sentence

    def test_it_is_told_for_four_weeks_under_one_key_and_is_then_known(self) -> None:
        items = [*ORDINARY, *samples([-WINDOW_DAYS], C.DISSOCIATIVE)]
        (last,) = about(told(items), C.DISSOCIATIVE)
        later = [(day - 1, *rest) for day, *rest in items]
        assert about(told(later), C.DISSOCIATIVE) == []  # type: ignore[arg-type]
        (soon,) = about(told([*ORDINARY, *samples([-1], C.DISSOCIATIVE)]), C.DISSOCIATIVE)
        assert soon.key == last.key

    def test_nothing_is_a_first_without_a_year_of_history(self) -> None:
        young = [item for item in ORDINARY if item[0] >= -300]
        assert told([*young, *samples([-3], C.DISSOCIATIVE, C.STIMULANT)]) == []

    def test_one_find_of_a_watch_list_class_is_left_to_the_tripwires(self) -> None:
        assert about(told([*ORDINARY, *samples([-3], C.NITAZENE, C.OPIATE)]), C.NITAZENE) == []

    def test_a_second_find_of_it_is_a_rising_share(self) -> None:
        found = about(told([*ORDINARY, *samples([-3, -9], C.NITAZENE, C.OPIATE)]), C.NITAZENE)
        assert {one.tier for one in found} == {Tier.REVIEW}
        assert found[0].observed == 2

    def test_what_the_county_has_every_week_is_no_news_in_a_town(self) -> None:
        elsewhere = [(day, area % 3, *rest) for day, area, *rest in ORDINARY]
        found = told([*elsewhere, *samples([-3], C.OPIATE, C.OPIATE, area=3)])  # type: ignore[list-item]
        assert [one for one in found if one.tier is Tier.REVIEW] == []

    def test_a_first_in_a_death_is_told_of_deaths(self) -> None:
        deaths = samples(range(-DAYS, -1, 12), C.OPIATE, feed=Feed.SUSPECTED_DEATHS)
        new = samples([-4], C.SYNTHETIC_CANNABINOID, feed=Feed.SUSPECTED_DEATHS)
        (found,) = about(told([*ORDINARY, *deaths, *new]), C.SYNTHETIC_CANNABINOID)
        assert found.feeds[0].feed is Feed.SUSPECTED_DEATHS
        assert "suspected deaths that name a substance" in found.sentence
        assert "named a synthetic cannabinoid" in found.sentence


class TestSoldAs:
    NITAZENE_IN_HEROIN = samples([-700, -640, -560, -480, -400, -330, -250, -160, -90], C.NITAZENE, C.OPIATE)

    def test_the_first_nitazene_sold_as_diazepam_is_a_review_though_nitazenes_are_known(self) -> None:
        items = [*ORDINARY, *self.NITAZENE_IN_HEROIN, *samples([-2], C.NITAZENE, C.BENZODIAZEPINE)]
        (found,) = [one for one in told(items) if one.parameters["sold_as"]]
        assert found.tier is Tier.REVIEW
        assert found.parameters["kind"] == "sold_first"
        assert found.substance_class is C.NITAZENE
        assert float(found.parameters["score"]) >= DECLARED
        assert f"1 of {found.parameters['tested']} samples sold as a benzodiazepine" in found.sentence
        assert f"never before; before: 0 of {found.parameters['before_tested']} since" in found.sentence

    def test_more_of_them_say_so_louder_and_with_their_denominator(self) -> None:
        once = [*ORDINARY, *self.NITAZENE_IN_HEROIN, *samples([-2], C.NITAZENE, C.BENZODIAZEPINE)]
        more = [*once, *samples([-5, -11], C.NITAZENE, C.BENZODIAZEPINE)]
        weak, strong = (
            next(one for one in told(items) if one.parameters["sold_as"]) for items in (once, more)
        )
        assert strong.p_value < weak.p_value / 100
        assert strong.key == weak.key
        assert f"3 of {strong.parameters['tested']} samples sold as a benzodiazepine" in strong.sentence

    def test_goods_that_are_what_they_were_sold_as_are_no_mismatch(self) -> None:
        items = [*ORDINARY, *every(20, C.NITAZENE, C.NITAZENE), *samples([-2, -3], C.NITAZENE, C.NITAZENE)]
        assert [one for one in told(items) if one.parameters["sold_as"]] == []

    def test_a_pair_found_all_the_time_is_no_news(self) -> None:
        items = [*ORDINARY, *every(12, C.NOVEL_BENZODIAZEPINE, C.BENZODIAZEPINE)]
        assert [one for one in told(items) if one.tier is Tier.REVIEW] == []

    def test_a_pair_found_twice_as_often_as_it_was_has_a_smaller_chance(self) -> None:
        items = [*ORDINARY, *every(30, C.NOVEL_BENZODIAZEPINE, C.BENZODIAZEPINE)]
        (found,) = [
            one
            for one in told(
                [*items, *samples([-2, -4, -6, -8, -10], C.NOVEL_BENZODIAZEPINE, C.BENZODIAZEPINE)]
            )
            if one.parameters["sold_as"]
        ]
        assert found.parameters["kind"] == "sold_share"
        assert found.p_value < 0.01
        assert found.interval[1] < found.observed


class TestShares:
    def test_a_class_in_far_more_samples_than_usual_is_a_review(self) -> None:
        rare = every(60, C.DISSOCIATIVE, C.DISSOCIATIVE)
        (found,) = about(
            told([*ORDINARY, *rare, *samples([-2, -5, -7, -12, -20], C.DISSOCIATIVE, C.DISSOCIATIVE)]),
            C.DISSOCIATIVE,
        )
        assert found.tier is Tier.REVIEW
        assert found.observed >= 5
        assert found.p_value < 1e-3

    def test_a_class_found_more_because_more_is_tested_is_no_news(self) -> None:
        # A festival: ten times the samples, the same supply.
        crowd = [(day, area, *rest) for day, area, *rest in ORDINARY if day > -WINDOW_DAYS] * 10
        found = told([*ORDINARY, *crowd])  # type: ignore[list-item]
        assert [one for one in found if one.tier is Tier.REVIEW] == []

    def test_a_rise_in_one_area_names_that_area(self) -> None:
        rare = every(40, C.DISSOCIATIVE, C.DISSOCIATIVE)
        here = samples([-2, -5, -7, -12], C.DISSOCIATIVE, C.DISSOCIATIVE, area=1)
        (found,) = about(told([*ORDINARY, *rare, *here]), C.DISSOCIATIVE)
        assert found.areas in {(AREAS[1],), (ROOT,)}
        detector, look = looked_at(sightings_of([*ORDINARY, *rare, *here]))
        assert len(about(detector.detect(look), C.DISSOCIATIVE)) == 1

    def test_pills_of_one_seizure_count_once(self) -> None:
        rare = every(60, C.DISSOCIATIVE, C.DISSOCIATIVE)
        items = [*ORDINARY, *rare, *samples([-2] * 8, C.DISSOCIATIVE, C.DISSOCIATIVE, area=1)]
        place = [*range(len(items) - 8), *[len(items)] * 8]
        detector, look = looked_at(sightings_of(items, fine=place))
        assert {(one.tier, one.observed) for one in about(detector.detect(look), C.DISSOCIATIVE)} <= {
            (Tier.RECORD, 2)
        }
        apart, other = looked_at(sightings_of(items))
        assert about(apart.detect(other), C.DISSOCIATIVE)[0].tier is Tier.REVIEW

    def test_a_sentence_says_when_samples_were_counted_once(self) -> None:
        items = [*ORDINARY, *samples([-2] * 4, C.DISSOCIATIVE, C.STIMULANT, area=1)]
        place = [*range(len(items) - 4), *[len(items)] * 4]
        detector, look = looked_at(sightings_of(items, fine=place))
        (found,) = about(detector.detect(look), C.DISSOCIATIVE)
        assert found.observed == 1
        assert "may be one seizure and count once" in found.sentence
        detector, look = looked_at(sightings_of([*ORDINARY, *samples([-2], C.DISSOCIATIVE)]))
        assert "count once" not in detector.detect(look)[0].sentence


class TestReturns:
    def test_a_class_that_was_common_and_gone_for_a_year_is_news_when_it_is_back(self) -> None:
        gone = every(15, C.SYNTHETIC_CANNABINOID, C.SYNTHETIC_CANNABINOID, end=-360)
        (found,) = about(
            told([*ORDINARY, *gone, *samples([-6], C.SYNTHETIC_CANNABINOID)]), C.SYNTHETIC_CANNABINOID
        )
        assert found.parameters["kind"] == "returned"
        assert found.tier is Tier.REVIEW
        assert f"none of the {found.parameters['gap_tested']} before did since" in found.sentence

    def test_a_class_always_rare_is_no_news_when_it_is_found_again(self) -> None:
        rare = samples([-1000, -640, -380], C.SYNTHETIC_CANNABINOID)
        items = [*ORDINARY, *rare, *samples([-6], C.SYNTHETIC_CANNABINOID)]
        assert about(told(items), C.SYNTHETIC_CANNABINOID) == []

    def test_a_gap_counts_samples_and_not_days(self) -> None:
        # Nothing was tested while it was away: nobody can say that it was gone.
        before = [item for item in ORDINARY if item[0] < -360 or item[0] > -30]
        gone = every(15, C.SYNTHETIC_CANNABINOID, C.SYNTHETIC_CANNABINOID, end=-362)
        items = [*before, *gone, *samples([-28], C.SYNTHETIC_CANNABINOID)]
        assert [one for one in told(items) if one.parameters["kind"] == "returned"] == []


class TestWhatIsLearnt:
    def test_the_day_of_the_week_makes_no_hole_in_the_past(self) -> None:
        # Whatever day it was taught on, window, past and the days between hold every sample once.
        items = [*ORDINARY, *samples([-3], C.DISSOCIATIVE)]
        for days_ago in range(1, 8):
            (found,) = about(told(items, taught_days_ago=days_ago), C.DISSOCIATIVE)
            total = int(found.parameters["before_tested"]) + int(found.parameters["tested"])
            assert total == len(items)

    def test_records_known_later_than_today_are_not_used(self) -> None:
        events = sightings_of([*ORDINARY, *samples([-3], C.DISSOCIATIVE)])
        late = np.where(events.classes == CLASS_BIT[C.DISSOCIATIVE], DAYS + 3, events.known_day)
        columns = {name: getattr(events, name) for name in COLUMNS} | {"known_day": late}
        detector, look = looked_at(Sightings(FIRST_DAY, DAYS, **columns))
        assert about(detector.detect(look), C.DISSOCIATIVE) == []

    def test_old_years_count_less_than_the_last(self) -> None:
        events = sightings_of([*every(3, C.OPIATE, end=-500), *every(3, C.STIMULANT, start=-499)])
        past = learn_past(events, AREAS).feeds[Feed.DRUG_CHECKING]
        assert past.whole.found[C.STIMULANT] > past.whole.found[C.OPIATE]
        assert past.half_life_weeks <= 52
        assert past.whole.found_ever[C.OPIATE] == 201

    def test_a_restless_supply_is_known_to_be_restless(self) -> None:
        rng = np.random.default_rng(5)
        steady = sightings_of(samples(range(-DAYS, 0), C.OPIATE))
        columns = {name: getattr(steady, name) for name in COLUMNS}
        month = np.arange(DAYS) // WINDOW_DAYS
        shares = {"calm": np.full(DAYS, 0.5), "restless": rng.beta(1.0, 1.0, month.max() + 1)[month]}
        spread = {}
        for name, share in shares.items():
            other = rng.random(DAYS) < share
            classes = np.where(other, CLASS_BIT[C.STIMULANT], CLASS_BIT[C.OPIATE])
            mixed = Sightings(FIRST_DAY, DAYS, **(columns | {"classes": classes}))
            spread[name] = learn_past(mixed, AREAS).feeds[Feed.DRUG_CHECKING].spread
        assert spread["calm"] < 1.5 < spread["restless"]

    def test_areas_that_differ_lean_less_on_the_county(self) -> None:
        alike = sightings_of([*every(2, C.OPIATE), *every(2, C.STIMULANT, start=-DAYS + 1)])
        rng = np.random.default_rng(8)
        columns = {name: getattr(alike, name) for name in COLUMNS} | {"area": rng.integers(0, 4, len(alike))}
        alike = Sightings(FIRST_DAY, DAYS, **columns)
        columns["area"] = np.where(alike.classes == CLASS_BIT[C.OPIATE], 0, 1 + alike.area % 3)
        apart = Sightings(FIRST_DAY, DAYS, **columns)
        weights = [learn_past(item, AREAS).feeds[Feed.DRUG_CHECKING].area_weight for item in (alike, apart)]
        assert weights[0] > 4 * weights[1]

    def test_it_holds_no_day_finer_than_the_last_find_and_no_small_place(self) -> None:
        _, look = looked_at(sightings_of(ORDINARY))
        text = str(look.learnt["novelty"])
        assert "fine" not in text
        assert len(text) < 20_000

    def test_something_else_in_its_place_is_refused_by_name(self) -> None:
        detector, look = looked_at(sightings_of(ORDINARY))
        with pytest.raises(ValueError, match="learnt"):
            detector.detect(replace(look, learnt={"novelty": {"rows": [1, 2]}}))


class TestRefusals:
    def test_events_that_end_on_another_day_are_refused_by_name(self) -> None:
        detector, look = looked_at(sightings_of(ORDINARY))
        assert look.sightings is not None
        yesterday = look.sightings.as_known(look.sightings.n_days - 2)
        with pytest.raises(ValueError, match="sightings"):
            detector.detect(replace(look, sightings=yesterday))

    def test_events_of_areas_that_are_not_there_are_refused_by_name(self) -> None:
        detector, look = looked_at(sightings_of(ORDINARY))
        elsewhere = sightings_of(samples([-2], C.OPIATE, area=7)).as_known(DAYS - 1, RECENT_DAYS)
        with pytest.raises(ValueError, match="sightings"):
            detector.detect(replace(look, sightings=elsewhere))

    @pytest.mark.parametrize(
        ("found", "trials", "alpha", "beta"),
        [(4, 3, 1.0, 1.0), (-1, 3, 1.0, 1.0), (1, 3, 0.0, 1.0), (1, 3, 1.0, math.nan)],
    )
    def test_impossible_shares_are_refused(self, found: int, trials: int, alpha: float, beta: float) -> None:
        with pytest.raises(ValueError, match=r"found|alpha"):
            chance_of(found, trials, alpha, beta)

    def test_impossible_gaps_are_refused(self) -> None:
        with pytest.raises(ValueError, match="since"):
            gap_chance(1.0, 2.0, -1.0, 0.1)


class TestArithmetic:
    @given(
        found=st.integers(0, 40),
        more=st.integers(0, 60),
        alpha=st.floats(0.05, 50),
        beta=st.floats(0.05, 500),
    )
    def test_the_chance_is_the_mid_p_of_a_beta_binomial(
        self, found: int, more: int, alpha: float, beta: float
    ) -> None:
        trials = found + more
        law = betabinom(trials, alpha, beta)
        chance = chance_of(found, trials, alpha, beta)
        assert chance.p_value == pytest.approx(law.sf(found) + law.pmf(found) / 2, rel=1e-6, abs=1e-12)
        assert chance.expected == pytest.approx(law.mean())
        assert law.cdf(chance.interval[1]) >= 0.975 - 1e-9

    @given(st.integers(2, 60), st.floats(0.1, 20), st.floats(0.5, 200), st.floats(1.0, 3.0))
    def test_a_wider_share_has_the_same_mean_and_at_most_so_much_more_variance(
        self, trials: int, alpha: float, beta: float, spread: float
    ) -> None:
        a, b = widened(alpha, beta, trials, spread)
        before, after = betabinom(trials, alpha, beta), betabinom(trials, a, b)
        assert after.mean() == pytest.approx(before.mean())
        assert before.var() * (1 - 1e-9) <= after.var() <= before.var() * spread * (1 + 1e-9)

    @given(st.floats(0, 50), st.floats(50, 500), st.floats(0, 400), st.floats(1, 400))
    def test_a_longer_gap_and_a_more_common_class_are_more_surprising(
        self, found: float, tested: float, since: float, longer: float
    ) -> None:
        chance = gap_chance(found, tested, since, 0.1)
        assert gap_chance(found, tested, since + longer, 0.1) < chance <= 1
        assert gap_chance(found + 1, tested, since, 0.1) <= chance

    def test_the_law_of_shares_adds_up_to_one(self) -> None:
        every_number = np.arange(13.0)
        law = np.exp(log_beta_binomial(every_number, *np.array([[12.0], [0.3], [4.0]])))
        assert law.sum() == pytest.approx(1.0)


ANY_SAMPLE = st.tuples(
    st.integers(-420, -1),
    st.integers(0, 3),
    st.sampled_from(NAMED),
    st.sampled_from([*NAMED, None]),
    st.sampled_from([Feed.DRUG_CHECKING, Feed.SUSPECTED_DEATHS]),
)


class TestWhateverIsFound:
    @settings(deadline=None, max_examples=40)
    @given(st.lists(ANY_SAMPLE, max_size=60), st.permutations(range(4)))
    def test_the_names_of_areas_do_not_matter(self, items: list[Sample], order: list[int]) -> None:
        base = [*every(9, C.OPIATE, C.OPIATE), *items]
        renamed = [(day, order[area], *rest) for day, area, *rest in base]
        code = {AREAS[old]: AREAS[new] for old, new in enumerate(order)} | {ROOT: ROOT}
        first, second = told(base), told(renamed)  # type: ignore[arg-type]
        here, there = (
            sorted((named[one.areas[0]], one.substance_class, f"{one.p_value:.6g}") for one in found)
            for named, found in ((code, first), ({place: place for place in code}, second))
        )
        assert here == there

    @settings(deadline=None, max_examples=40)
    @given(st.lists(ANY_SAMPLE, max_size=80))
    def test_its_numbers_are_those_of_the_samples(self, items: list[Sample]) -> None:
        events = sightings_of([*every(9, C.OPIATE, C.OPIATE), *items])
        detector, look = looked_at(events)
        start = DAYS - WINDOW_DAYS
        for one in detector.detect(look):
            rows = observed_in(events, one.feeds[0].feed)
            mine = rows.day >= start
            if one.areas != (ROOT,):
                mine &= rows.area == AREAS.index(one.areas[0])
            holds = rows.holds[:, NAMED.index(one.substance_class)]
            if one.parameters["sold_as"]:
                sold = NAMED.index(C(str(one.parameters["sold_as"])))
                mine &= rows.sold[:, sold]
            assert one.observed == (mine & holds).sum()
            assert one.parameters["tested"] == mine.sum()
            assert one.window_end - one.window_start == timedelta(days=WINDOW_DAYS - 1)
            assert one.tier is not Tier.PAGE
            assert f"{one.observed} of {one.parameters['tested']} " in one.sentence

    def test_calibration_is_told_the_same(self) -> None:
        events = sightings_of(
            [*ORDINARY, *samples([-3, -5], C.NITAZENE, C.OPIATE), *samples([-3], C.DISSOCIATIVE)]
        )
        detector, look = looked_at(events)
        alarms = detector.alarms(look, 17)
        found = detector.detect(look)
        assert [(one.substance_class, round(one.score, 4)) for one in alarms] == [
            (one.substance_class, one.parameters["score"]) for one in found
        ]
        assert {(one.day, one.window_days, one.may_page) for one in alarms} == {(17, WINDOW_DAYS, False)}
        assert alarms[0].areas == 0b1111
