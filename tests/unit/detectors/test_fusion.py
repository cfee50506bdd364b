"""Fusion: what it finds, where, what it says of it, and when it holds its tongue."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.budget import FUSION, FamilyThresholds
from detectors.contract import Look
from detectors.effects import PROFILES
from detectors.fusion import Fusion
from detectors.fusion_learning import FusionMemory
from detectors.sightings import COLUMNS, Sightings
from schemas.geography import AreaCode
from schemas.signals import Signal
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed, Tier

from .fusion_town import LAX, Case, Town

NALOXONE, ED, DEATHS, SAMPLES = (
    Feed.AMBULANCE_NALOXONE,
    Feed.ED_PRESENTATIONS,
    Feed.SUSPECTED_DEATHS,
    Feed.DRUG_CHECKING,
)
OPIOID = SubstanceClass.UNKNOWN_OPIOID
SPIKE = (
    Case(NALOXONE, 22, 0, OPIOID, 3),
    Case(NALOXONE, 23, 1, OPIOID, 2),
    Case(NALOXONE, 22, 2, OPIOID, 2),
    Case(ED, 22, 1, number=3),
    Case(ED, 23, 2, number=2),
)


@pytest.fixture(scope="module")
def town() -> Town:
    return Town()


def _found(town: Town, cases: tuple[Case, ...], **more: object) -> list[Signal]:
    return Fusion(town.terrain).detect(town.look(cases, **more))  # type: ignore[arg-type]


def test_a_few_records_in_two_feeds_near_each_other_are_one_opioid_cluster(town: Town) -> None:
    first = _found(town, SPIKE)[0]
    assert first.tier is Tier.PAGE
    assert first.areas == (AreaCode("A0"),)
    assert first.parameters["event_type"] == "opioid"
    assert first.substance_class is OPIOID
    assert {item.feed for item in first.feeds} == {NALOXONE, ED}
    assert 4 <= float(first.parameters["people"]) <= 14
    assert float(first.parameters["n_small_areas"]) < 25


def test_the_same_records_scattered_over_the_county_are_not(town: Town) -> None:
    scattered = tuple(replace(case, fine=(37 * row + 5) % 100) for row, case in enumerate(SPIKE))
    best = max((float(one.parameters["score"]) for one in _found(town, scattered)), default=0.0)
    assert best < float(_found(town, SPIKE)[0].parameters["score"]) - 1.0


def test_a_cluster_across_the_border_of_two_areas_names_both(town: Town) -> None:
    # Columns 4 and 5 of the square lie on either side of the border between A0 and A2.
    cases = (
        Case(NALOXONE, 42, 0, OPIOID, 2),
        Case(NALOXONE, 52, 1, OPIOID, 3),
        Case(ED, 52, 0),
        Case(ED, 42, 1),
    )
    first = _found(town, cases)[0]
    assert first.areas == (AreaCode("A0"), AreaCode("A2"))


@pytest.mark.parametrize(
    ("name", "event_type"),
    [
        (SubstanceClass.NOVEL_BENZODIAZEPINE, "benzodiazepine"),
        (SubstanceClass.SYNTHETIC_CANNABINOID, "cannabinoid"),
        (SubstanceClass.STIMULANT, "stimulant"),
    ],
)
def test_what_some_records_name_says_what_kind_it_is(
    town: Town, name: SubstanceClass, event_type: str
) -> None:
    cases = (Case(ED, 22, 0, name, 2), Case(ED, 22, 1, number=3), Case(ED, 23, 0))
    first = _found(town, cases)[0]
    assert first.parameters["event_type"] == event_type
    assert first.substance_class is name


def test_a_nitazene_in_a_sample_among_casualties_gives_the_cluster_its_name(town: Town) -> None:
    first = _found(town, (*SPIKE, Case(SAMPLES, 22, 1, SubstanceClass.NITAZENE)))[0]
    assert first.substance_class is SubstanceClass.NITAZENE
    assert float(first.parameters["score"]) > float(_found(town, SPIKE)[0].parameters["score"])


def test_a_kind_that_no_profile_foresees_is_found_all_the_same(town: Town) -> None:
    cases = (Case(ED, 22, 0, SubstanceClass.OTHER_DEPRESSANT, 4), Case(ED, 23, 0, number=3))
    first = _found(town, cases)[0]
    assert first.tier is Tier.PAGE


def test_one_person_in_two_feeds_is_no_cluster(town: Town) -> None:
    alone = replace(town, days=420)
    assert not _found(alone, (Case(NALOXONE, 22, 0, OPIOID), Case(ED, 22, 0)), seed=None)


def test_a_second_feed_adds_less_than_it_would_alone(town: Town) -> None:
    """Half of the patients given naloxone are in A&E as well: their presentations are no news."""

    def score(cases: tuple[Case, ...]) -> float:
        return max(float(one.parameters["score"]) for one in _found(town, cases))

    naloxone, ed = (Case(NALOXONE, 22, 0, OPIOID, 5),), (Case(ED, 22, 0, number=5),)
    assert score(naloxone) < score((*naloxone, *ed)) < score(naloxone) + score(ed)


def test_samples_never_page_without_two_harmed_people(town: Town) -> None:
    nitazenes = Case(SAMPLES, 22, 0, SubstanceClass.NITAZENE, 12)
    for cases in ((nitazenes,), (nitazenes, Case(ED, 22, 1))):
        for one in _found(town, cases):
            harmed = [item.observed for item in one.feeds if item.feed is not SAMPLES]
            assert one.tier is not Tier.PAGE or max(harmed, default=0) >= 2


@given(
    st.lists(
        st.tuples(st.sampled_from([NALOXONE, ED, DEATHS]), st.integers(0, 99), st.integers(0, 27)),
        min_size=2,
        max_size=8,
    )
)
@settings(max_examples=25, deadline=None)
def test_the_sentence_and_the_evidence_hold_the_true_numbers(drawn: list[tuple[Feed, int, int]]) -> None:
    town = Town()
    look = town.look(tuple(Case(feed, fine, age) for feed, fine, age in drawn), seed=1, learnt=False)
    assert look.sightings is not None
    for signal in Fusion(town.terrain).detect(look):
        days = (signal.window_end - signal.window_start).days + 1
        assert signal.observed == sum(item.observed for item in signal.feeds)
        for item in signal.feeds:
            assert str(item.observed) in signal.sentence
            within = (look.sightings.feed == list(Feed).index(item.feed)) & (
                look.sightings.day > look.sightings.n_days - 1 - days
            )
            assert 0 < item.observed <= within.sum()
        assert (f"in the {days} days to" if days > 1 else "on ") in signal.sentence
        assert f"about {float(signal.parameters['people']):.0f} people" in signal.sentence
        assert f"({100 * float(signal.parameters['type_probability']):.0f} %)" in signal.sentence
        assert signal.interval[0] <= signal.expected <= signal.interval[1] or signal.expected < 1


def test_the_order_in_which_records_came_changes_nothing(town: Town) -> None:
    look = town.look(SPIKE)
    assert look.sightings is not None
    rows = np.random.default_rng(3).permutation(len(look.sightings))
    shuffled = Sightings(
        look.sightings.first_day,
        look.sightings.n_days,
        **{name: getattr(look.sightings, name)[rows] for name in COLUMNS},
    )
    detector = Fusion(town.terrain)
    assert detector.detect(replace(look, sightings=shuffled)) == detector.detect(look)


def test_more_of_the_same_is_never_less_surprising(town: Town) -> None:
    scores = [
        max(float(one.parameters["score"]) for one in _found(town, (Case(NALOXONE, 22, 0, OPIOID, n),)))
        for n in (3, 5, 8, 20, 60)
    ]
    assert scores == sorted(scores)


def test_one_huge_day_gives_finite_numbers(town: Town) -> None:
    first = _found(town, (Case(NALOXONE, 22, 0, OPIOID, 2000), Case(ED, 22, 0, number=3000)))[0]
    assert np.isfinite(float(first.parameters["score"]))
    assert 0 <= first.p_value <= 1
    assert float(first.parameters["people"]) > 500


def test_late_records_are_judged_by_what_is_usually_known_by_then(town: Town) -> None:
    """A record that is not known yet is not seen; once it is, it counts on its day."""
    late = Case(NALOXONE, 22, 2, OPIOID, 5, known_after=3)
    unseen, seen = _found(town, (late,)), _found(town, (replace(late, known_after=2),))
    assert not any(one.areas == (AreaCode("A0"),) and one.tier is Tier.PAGE for one in unseen)
    assert seen[0].areas == (AreaCode("A0"),)


def test_nothing_is_found_in_nothing(town: Town) -> None:
    assert not _found(town, (), seed=None)
    look = town.look()
    assert Fusion(town.terrain).detect(replace(look, sightings=None)) == []


def test_without_thresholds_nothing_is_told(town: Town) -> None:
    assert not _found(town, SPIKE, thresholds=LAX.model_copy(update={"families": {}}))


def test_a_feed_that_is_too_young_to_judge_is_left_out(town: Town) -> None:
    young = Town(days=60)
    assert not _found(young, (Case(NALOXONE, 22, 0, OPIOID, 6),), seed=0)


def test_records_with_no_small_area_count_for_their_detection_area(town: Town) -> None:
    cases = (Case(NALOXONE, -1, 0, OPIOID, 6, area=2), Case(ED, -1, 0, number=5, area=2))
    first = _found(town, cases)[0]
    assert first.areas == (AreaCode("A2"),)
    assert first.parameters["zone"] == "area"


def test_records_that_nobody_could_place_count_for_the_whole_jurisdiction(town: Town) -> None:
    cases = (Case(NALOXONE, -1, 0, OPIOID, 14, area=-1), Case(ED, -1, 0, number=14, area=-1))
    first = _found(town, cases)[0]
    assert first.areas == (AreaCode("X"),)


def test_without_small_areas_or_positions_it_looks_at_detection_areas(town: Town) -> None:
    cases = (Case(NALOXONE, -1, 0, OPIOID, 6, area=2), Case(ED, -1, 0, number=5, area=2))
    bare = town.without_small_areas()
    look = town.look(cases, learnt=False)
    assert look.sightings is not None
    coarse = replace(look.sightings, fine=np.full(len(look.sightings), -1))
    found = Fusion(bare.terrain).detect(replace(look, sightings=coarse))
    assert found[0].areas == (AreaCode("A2"),)


def test_without_what_it_learns_it_stands_on_its_planning_figures(town: Town) -> None:
    assert _found(town, SPIKE, learnt=False)[0].areas == (AreaCode("A0"),)


def test_what_it_learnt_comes_back_and_is_refused_for_another_ground(town: Town) -> None:
    learnt = town.look(SPIKE).learnt["fusion"]
    memory = FusionMemory.from_json(learnt, town.terrain)
    assert memory.to_json() == learnt
    assert memory.groups.sum(axis=1) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="learn again"):
        FusionMemory.from_json(learnt, town.without_small_areas().terrain)
    with pytest.raises(ValueError, match="learnt"):
        FusionMemory.from_json("nonsense", town.terrain)


def test_places_where_more_happens_are_learnt(town: Town) -> None:
    busy = tuple(Case(ED, 44, age) for age in range(60, 400, 4))
    memory = FusionMemory.from_json(town.look(busy).learnt["fusion"], town.terrain)
    assert memory.shares[44] > 5 * np.median(memory.shares)


def test_calibration_is_told_the_same_as_people(town: Town) -> None:
    look = town.look(SPIKE)
    detector = Fusion(town.terrain)
    alarms = detector.alarms(look, day=7)
    everything = LAX.with_family(FUSION, FamilyThresholds(scores={Tier.RECORD: 0.0}))
    signals = detector.detect(replace(look, thresholds=everything))
    assert [round(one.score, 4) for one in alarms] == [one.parameters["score"] for one in signals]
    assert {one.day for one in alarms} == {7}


def test_a_look_that_does_not_fit_is_refused(town: Town) -> None:
    look = town.look()
    assert look.sightings is not None
    old: Look = replace(look, sightings=look.sightings.as_known(look.sightings.n_days - 2))
    with pytest.raises(ValueError, match="sightings"):
        Fusion(town.terrain).detect(old)


def test_the_profiles_are_whole() -> None:
    assert sum(one.prior for one in PROFILES) == pytest.approx(1.0)
    for one in PROFILES:
        for spread in (one.named, one.sampled):
            assert spread is None or sum(spread.values()) == pytest.approx(1.0)
